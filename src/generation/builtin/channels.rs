//! Channels whose service the prompt does not name: `ping #ops`.

use super::reading::{Item, verb, word_of};
use super::services::Lexicon;
use super::tokens::Kind;
use super::words::Act;

/// Word of a service that the prompt does not name.
const ASSUMED: &str = "assumed-service";

/// Adds Slack to a channel for which the prompt names no service: `ping #ops`.
pub(super) fn channels(items: &mut Vec<Item>, lexicon: &Lexicon) {
    const OTHERS: &[&str] =
        &["slack", "discord", "mattermost", "rocketchat", "microsoftTeams", "zulip", "matrix", "twitter", "instagram", "mastodon"];
    let Some(slack) = lexicon.by_key("slack") else { return };
    let key = |item: &Item| item.service.map(|at| lexicon.services[at].key.as_str());
    if items.iter().any(|item| key(item).is_some_and(|key| OTHERS.contains(&key))) {
        return;
    }
    let reached = |item: &Item| item.act == Some(Act::Send) || item.among("to in into on at an auf nach dans sur en a let and und et y");
    let mut at = 1;
    while at < items.len() {
        let named = items.get(at + 1).is_some_and(|next| next.service.is_some()) || items[at - 1].service.is_some();
        if items[at].kind == Kind::Channel && items[at].text.starts_with('#') && reached(&items[at - 1]) && !named {
            let service = Item { text: "Slack".to_owned(), act: None, is_verb: false, service: Some(slack), ..verb(Act::Light, ASSUMED) };
            items.splice(at + 1..=at, [word_of("on"), service]);
        }
        at += 1;
    }
}

/// Returns the channels whose service is assumed.
pub(super) fn assumed_channels(items: &[Item]) -> Vec<&str> {
    let own = items.windows(3).filter(|three| three[2].word == ASSUMED && three[0].kind == Kind::Channel);
    own.map(|three| three[0].text.as_str()).collect()
}
