//! Message queues: a message is a text, and a record only where it is read as JSON.

use serde_json::{Value, json};

use super::data::{Data, Field};
use super::flow::{Flow, written};

/// Triggers of queues: the option by which a message is read as JSON, the one by which the item is only the message (none where n8n makes a list of
/// it), and the field that has the message.
const QUEUES: &[(&str, &str, &str, &str)] = &[
    ("kafkaTrigger", "jsonParseMessage", "onlyMessage", "message"),
    ("rabbitmqTrigger", "jsonParseBody", "onlyContent", "content"),
    ("amqpTrigger", "jsonParseBody", "onlyBody", "body"),
    ("mqttTrigger", "jsonParseBody", "", "message"),
    ("redisTrigger", "jsonParseBody", "", "message"),
];

/// Has a queue's messages read as JSON, if the data is that of a queue and nothing refers to it as a text yet. `whole`: the item is the message.
pub(super) fn parse(flow: &mut Flow<'_>, whole: bool) -> bool {
    let id = flow.data.node.clone();
    let kind = flow.kind_of(&id);
    let Some((_, parse, only, field)) = QUEUES.iter().find(|(own, ..)| *own == kind) else { return false };
    let read = format!("{id}.");
    let used = flow.nodes.iter().any(|node| written(node).contains(&read));
    if flow.data.open.is_some() || used {
        return false;
    }
    let whole = whole && !only.is_empty();
    if let Some(node) = flow.by_id(&id) {
        let options = node.set.entry("options").or_insert_with(|| json!({}));
        options[*parse] = Value::Bool(true);
        if whole {
            options[*only] = Value::Bool(true);
        }
    }
    let place = if whole { "" } else { field };
    let (noun, service) = (flow.data.noun.clone(), flow.data.service.clone());
    flow.data = Data { node: id, open: Some(place.to_owned()), whole: place.to_owned(), noun, service, ..Data::default() };
    flow.assume("The messages are JSON objects, and their keys are the fields");
    true
}

/// Returns the code of a number in a queue's messages: that of a field, or the message itself.
pub(super) fn number(flow: &mut Flow<'_>, noun: &str) -> Option<String> {
    parse(flow, false).then_some(())?;
    let (field, message) = (flow.data.read(noun)?, flow.data.object());
    flow.assumptions.retain(|said| !said.starts_with("The messages are JSON"));
    flow.assume(format!("A message is the {noun}, or a JSON object with the field {noun}"));
    let (label, words) = (noun.to_owned(), vec![noun.to_owned()]);
    flow.data.fields = vec![Field {
        label,
        words,
        path: format!("({} ?? {})", field.replace(&flow.data.node, "@"), message.replace(&flow.data.node, "@")),
        main: true,
    }];
    Some(format!("{field} ?? {message}"))
}
