//! The conversation about a workflow: earlier prompts with their answers, what they led to, and what people changed since.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::line;
use super::proposal::changes;
use crate::api::prompt_status::{PromptGeneration, Proposal};
use crate::document::definition::Definition;

/// Maximum length of what was made, or changed by people.
const LONGEST_RESULT: usize = 600;
/// Maximum length of an answer that is repeated.
const LONGEST_ANSWER: usize = 200;
/// Key of a stored proposal under which there is what led to it.
const SAID: &str = "said";

/// A part of the conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// True for people, false for what was made.
    pub user: bool,
    /// The text.
    pub text: String,
}

/// Returns what led to a proposal, and what it does.
pub fn said(prompt: &str, answers: &BTreeMap<String, String>, proposal: &Proposal) -> Value {
    let made = if proposal.difference.is_empty() { proposal.summary.clone() } else { proposal.difference.join("; ") };
    json!({ "prompt": prompt, "answers": answers, "made": line(&made, LONGEST_RESULT) })
}

/// Adds to a stored workflow what led to it.
#[must_use]
pub fn with(mut body: Value, said: Value) -> Value {
    body[SAID] = said;
    body
}

/// Returns the part of the conversation that led to a generation. `stored` is what was stored for it, if that still exists.
pub fn of(generation: &PromptGeneration, stored: Option<&Value>) -> Vec<Said> {
    let said = stored.map(|stored| &stored[SAID]);
    let whole = said.and_then(|said| said["prompt"].as_str());
    // The same workflow may have been made from other words before.
    let prompt = whole.filter(|whole| line(whole, 200) == generation.prompt).unwrap_or(&generation.prompt);
    let mut turns = vec![Said { user: true, text: prompt.to_owned() }];
    let answers = said.and_then(|said| said["answers"].as_object()).into_iter().flatten();
    let answers: Vec<String> =
        answers.filter_map(|(id, answer)| Some(format!("{id}: {}", line(answer.as_str()?, LONGEST_ANSWER)))).collect();
    if !answers.is_empty() {
        turns.push(Said { user: true, text: format!("answers: {}", answers.join("; ")) });
    }
    if let Some(made) = said.and_then(|said| said["made"].as_str()).filter(|made| !made.is_empty()) {
        let what = if generation.deployed { "made and deployed" } else { "proposed" };
        turns.push(Said { user: false, text: format!("{what}: {made}") });
    }
    turns
}

/// Returns what people changed in n8n after a workflow was deployed, and what became of it. Only places are named, no values.
pub fn edited(deployed: &Definition, edit: &Definition, became: &str) -> Option<Said> {
    let named = Definition { name: deployed.name.clone(), ..edit.clone() };
    let changes = changes(deployed, &named);
    let text = format!("a person changed in n8n, which {became}: {}", line(&changes.join("; "), LONGEST_RESULT));
    (!changes.is_empty()).then_some(Said { user: true, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validator::check::parse_and_check;
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

    fn generation(prompt: &str, deployed: bool) -> PromptGeneration {
        PromptGeneration {
            asked_hash: "a".into(),
            digest: "d".into(),
            revision: "r".into(),
            prompt: line(prompt, 200),
            deployed,
            at: Time(Timestamp::UNIX_EPOCH),
        }
    }

    #[test]
    fn the_whole_prompt_its_answers_and_what_it_led_to_are_reported() {
        let prompt = format!("Post the orders of {} to Slack", "all our shops, ".repeat(40));
        let proposal = Proposal { difference: vec!["node \"Post\" added".into()], ..Proposal::default() };
        let stored = with(json!({ "definition": {} }), said(&prompt, &BTreeMap::from([("where".into(), "Slack".into())]), &proposal));
        let turns = of(&generation(&prompt, true), Some(&stored));
        let wanted = [(true, prompt.as_str()), (true, "answers: where: Slack"), (false, "made and deployed: node \"Post\" added")];
        assert_eq!(turns.iter().map(|turn| (turn.user, turn.text.as_str())).collect::<Vec<_>>(), wanted);
        let other = of(&generation("other words for the same", false), Some(&stored));
        assert_eq!((other[0].text.as_str(), other[2].text.as_str()), ("other words for the same", "proposed: node \"Post\" added"));
        assert_eq!(of(&generation(&prompt, true), None).len(), 1, "the status has the beginning");
    }

    #[test]
    fn an_edit_in_n8n_is_reported_by_its_places_without_values() {
        let workflow = |url: &str| {
            let value = json!({ "name": "W", "nodes": [{ "name": "Fetch", "type": "n8n-nodes-base.httpRequest", "typeVersion": 4.2,
                "position": [0, 0], "parameters": { "url": url } }], "connections": {} });
            parse_and_check(&value).unwrap().definition
        };
        let (one, other) = (workflow("https://a.example.com"), workflow("https://secret.example.com"));
        let edit = edited(&one, &Definition { name: None, ..other }, "was reverted").unwrap();
        assert_eq!(edit.text, "a person changed in n8n, which was reverted: node \"Fetch\": parameters.url changed");
        assert_eq!(edited(&one, &one.clone(), "stays"), None);
    }
}
