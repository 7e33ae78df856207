//! Answers where the workflow was started.

use serde_json::json;

use super::clauses::Clause;
use super::flow::Flow;
use super::literals::{literal, names_something, quoted};
use super::perform::perform;
use super::starts::{Start, map};
use super::stuck::Stuck;
use super::tokens::Kind;
use super::words::Act;
use super::world::World;

/// Returns the status that a clause answers with, if that is all it says: `replies with a 200`.
fn status(clause: &Clause) -> Option<u64> {
    let code = clause.items.iter().find_map(|item| match item.kind {
        Kind::Number(code) if code.fract() == 0.0 && (200.0..600.0).contains(&code) => Some(code as u64),
        _ => None,
    })?;
    clause.items.iter().all(|item| item.service.is_none() && item.kind != Kind::Quoted).then_some(code)
}

/// Answers where the workflow was started.
pub(super) fn reply(flow: &mut Flow<'_>, clause: &Clause, nouns: &[&'static str], world: &World<'_>) -> Result<(), Stuck> {
    let text = quoted(clause).or_else(|| literal(clause));
    let json = clause.items.iter().find(|item| item.kind == Kind::Json).map(|item| item.text.clone());
    match &world.start {
        Start::Webhook => {
            // `answer with the forecast` means something of the data, and which field that is nobody says.
            if text.is_none() && json.is_none() && flow.made.is_none() && names_something(clause) {
                return Err(Stuck::Unknown(clause.text()));
            }
            let text = text.or_else(|| flow.made.as_ref().map(|made| format!("{{{{{made}}}}}")));
            let constant = json.is_some() || text.is_some() || status(clause).is_some();
            let set = match (text, status(clause)) {
                _ if json.is_some() => json!({"respondWith": "json", "responseBody": format!("'{}", json.unwrap_or_default())}),
                (Some(text), _) => json!({"respondWith": "text", "responseBody": text}),
                (None, Some(code)) => json!({"respondWith": "noData", "options": {"responseCode": code}}),
                (None, None) => json!({"respondWith": "firstIncomingItem"}),
            };
            let last = flow.last_effect().filter(|_| constant);
            let id = flow.node("respondToWebhook", "Respond", map(set));
            match last {
                // The answer says that it is done.
                Some(last) => flow.edges.push(format!("{last}>{id}")),
                None => flow.attach(&id),
            }
            flow.effects += 1;
            Ok(())
        }
        // A chat shows what the last node outputs.
        Start::Chat if flow.made.is_some() => {
            flow.effects += 1;
            Ok(())
        }
        Start::Service(at) => perform(flow, clause, *at, Act::Reply, nouns, world),
        _ => Err(Stuck::Unknown(clause.text())),
    }
}
