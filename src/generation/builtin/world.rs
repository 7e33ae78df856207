//! Context that all steps share: the start, and the services of the whole prompt.

use super::reading::Item;
use super::services::Lexicon;
use super::starts::Start;

/// The whole prompt.
pub(super) struct World<'w> {
    pub lexicon: &'w Lexicon,
    pub items: &'w [Item],
    pub start: Start,
    /// Where messages go whose place the prompt leaves open, as the user answered.
    pub channel: Vec<Item>,
    /// Service that the workflow starts with.
    pub start_service: Option<usize>,
}

impl World<'_> {
    /// Returns the mail service that the prompt names anywhere.
    pub(super) fn mail_service(&self) -> Option<usize> {
        let keys = ["gmail", "microsoftOutlook", "awsSes", "sendGrid", "mailgun", "mailjet"];
        let named = |key: &str| self.items.iter().filter_map(|item| item.service).find(|at| self.lexicon.services[*at].key == key);
        keys.iter().find_map(|key| named(key))
    }

    /// Returns the service that sends text messages to phones, if the prompt names one.
    pub(super) fn sms_service(&self) -> Option<usize> {
        let keys = ["twilio", "vonage", "messageBird", "plivo", "sms77", "msg91", "mocean"];
        self.items.iter().filter_map(|item| item.service).find(|at| keys.contains(&self.lexicon.services[*at].key.as_str()))
    }
}

/// Returns the text with what n8n would evaluate taken out, for texts that have expressions beside it.
pub(super) fn harmless(text: &str) -> String {
    let text = text.replace("{{", "{ {").replace("}}", "} }");
    text.trim_start_matches(['=', '?', '\'']).to_owned()
}
