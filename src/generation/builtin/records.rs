//! Messages and records: nodes that have an effect, and the items that are prepared for them.

use serde_json::{Map, Value, json};

use super::choices;
use super::clauses::Clause;
use super::conditions;
use super::data::{Data, Wanted};
use super::drafts;
use super::fields;
use super::files::{self, file};
use super::flow::Flow;
use super::given::Source;
use super::mails;
use super::operations::Operation;
use super::queues;
use super::reminders;
use super::rows;
use super::services::Service;
use super::sources::{counts, lines, source};
use super::starts::map;
use super::tokens::Kind;
use super::words::is_among;
use super::world::harmless;

/// Makes one item of all: what follows runs once, and not at all without items.
pub(super) fn collect(flow: &mut Flow<'_>) {
    if flow.collected.is_some() || !flow.data.many {
        return;
    }
    let set = json!({"aggregate": "aggregateAllItemData", "destinationFieldName": "items"});
    let id = flow.node("aggregate", "Collect", map(set));
    flow.extend(&id);
    flow.data.many = false;
    flow.collected = Some(id);
}

/// Adds the filter that a clause has within: `orders over 100 EUR`.
///
/// # Errors
///
/// A message, if the data is not known to have what the filter is about.
pub(super) fn inline_filter(flow: &mut Flow<'_>, clause: &Clause) -> Result<(), String> {
    if let Some(test) = choices::within(&clause.items) {
        let case = conditions::case(&test, flow).ok_or_else(|| "which of them".to_owned())?;
        flow.condition("filter", "Filter", vec![case]);
    }
    Ok(())
}

/// Reports whether an operation tells people something, so that one message for all items is meant.
fn is_message(operation: &Operation) -> bool {
    const KINDS: &[&str] = &["message", "sms", "mail", "email", "channelMessage", "chatMessage", "mailgun"];
    operation.name.split('.').any(|part| KINDS.contains(&part)) || matches!(operation.operation.as_str(), "send" | "push" | "publish")
}

/// Adds a node with an effect.
///
/// # Errors
///
/// The name of a parameter that has no value.
pub(super) fn sink(
    flow: &mut Flow<'_>,
    clause: &Clause,
    full: &str,
    operation: &Operation,
    service: &Service,
    replies: bool,
) -> Result<(), String> {
    let one = clause.items.iter().any(|item| {
        item.is(&["one", "single", "eine", "einzige", "une", "seul", "una", "unica"]) || matches!(item.noun, Some("summary" | "report"))
    });
    if flow.data.many && !flow.each && (is_message(operation) || one) {
        collect(flow);
    }
    if counts(clause) {
        if flow.collected.is_none() || !is_message(operation) {
            return Err("the number".to_owned());
        }
        flow.assume("Nothing is sent if there are none");
    }
    let wanted = wanted(flow, clause, !is_message(operation))?;
    let mut source = source(flow, clause, &operation.kind, &wanted);
    if !is_message(operation) {
        described(flow, &service.key, &wanted, &mut source);
    }
    let said = literal(clause)
        .or_else(|| reminders::text(clause))
        .or_else(|| mails::said(clause).map(|text| harmless(&text)))
        .filter(|_| is_message(operation) && flow.made.is_none());
    // `create a task called "Close the till"`.
    let said = said.or_else(|| literal(clause).filter(|_| flow.data.hollow && flow.made.is_none() && operation.operation == "create"));
    let hollow = flow.data.hollow && flow.made.is_none() && said.is_none() && is_message(operation);
    let titled = hollow && mails::subject(clause).is_some();
    let asks = hollow && (titled || reminders::is_bare(clause));
    if asks {
        source.text = if titled { "?mail-text" } else { "?reminder" }.to_owned();
    } else if flow.data.hollow && flow.made.is_none() && said.is_none() {
        return Err("what goes there".to_owned());
    }
    let draft = drafts::draft(clause, &flow.data.noun).filter(|_| is_message(operation) && flow.made.is_none() && said.is_none());
    let literal_text = said.is_some();
    if let Some(text) = said {
        // Without data the text says what the mail is about.
        if flow.data.hollow && mails::subject(clause).is_none() {
            source.title = text.chars().take(78).collect();
        }
        // `post "New order" with the amount`.
        source.text = if wanted.is_empty() { text } else { format!("{text}\n{}", lines(&wanted)) };
    }
    if let Some((subject, text)) = draft {
        let text = if wanted.is_empty() { text } else { format!("{text}\n\n{}", lines(&wanted)) };
        (source.title, source.text) = (mails::subject(clause).map_or(subject, |own| harmless(&own)), text);
        // It is written to the person that the item is about, unless the prompt names an address.
        if source.address.is_some() && source.recipient.as_deref() == Some("?recipient") {
            source.recipient = None;
        }
        flow.assume(drafts::SAID);
    }
    if is_message(operation) && source.text.contains("Object.entries") && flow.kind_of(&flow.data.node) == "httpRequest" {
        flow.assume("The whole answer of the address is sent, because its fields are not known");
    }
    if replies {
        source.chat = std::iter::once(&flow.data)
            .chain(flow.earlier.iter().rev())
            .find_map(|data| data.field("chat").map(|field| data.code(&field.path)));
        source.recipient = None;
    }
    let needs_file = operation.operation.starts_with("upload")
        || matches!(operation.operation.as_str(), "sendPhoto" | "sendDocument")
        || operation.name == "googleCloudStorage.object.create";
    let holder = if needs_file { Some(file(flow, clause)?) } else { None };
    if holder.as_ref().is_some_and(|(_, property)| property == "attachment_0") {
        flow.assume("The first attachment of a mail is meant");
    }
    if let Some((_, property)) = &holder {
        source.data.binary = Some(property.clone());
    }
    if needs_file && operation.name.ends_with("file.upload") {
        source.title = files::name(flow);
    } else if let Some(title) = flow.data.title().filter(|_| needs_file) {
        source.title = title;
    }
    let mut set = Map::new();
    let mails = is_message(operation) && ["mail", "email", "emailSend", "mailgun"].iter().any(|part| operation.name.contains(part))
        || operation.name == "microsoftOutlook.message.send";
    if let Some(property) = files::made(flow).filter(|_| mails) {
        files::attach(&mut set, &operation.name, &property)?;
        source.text = "The file is attached.".to_owned();
    } else if downloaded(flow) && !needs_file && !literal_text {
        // The message would tell nothing.
        return Err("the file".to_owned());
    }
    if needs_file {
        files::address(flow, clause, service, operation, &mut set);
    }
    if service.key == "slack" && operation.operation == "post" && clause.items.iter().any(|item| item.is(&["dm", "dms"])) {
        set.insert("select".to_owned(), "user".into());
        let handle = source.channel.clone().filter(|channel| channel.starts_with('@'));
        let user = handle.map_or_else(|| "?slack-user".into(), |handle| json!({"__rl": true, "mode": "username", "value": handle}));
        set.insert("user".to_owned(), user);
    }
    if service.key == "slack"
        && replies
        && let Some(thread) = flow.data.field("thread").filter(|_| clause.items.iter().any(|item| item.noun == Some("thread")))
    {
        let thread = format!("{{{{{}}}}}", flow.data.code(&thread.path));
        set.insert("otherOptions".to_owned(), json!({"includeLinkToWorkflow": false, "thread_ts": {"replyValues": {"thread_ts": thread}}}));
    }
    let name =
        if is_message(operation) { format!("Tell {}", service.display) } else { format!("{} in {}", verb(operation), service.display) };
    let before = flow.nodes.len();
    let id = flow.act(full, operation, if needs_file { service.display.as_str() } else { &name }, &source, set)?;
    let known = std::iter::once(&flow.data)
        .chain(&flow.earlier)
        .any(|data| data.fields.iter().any(|field| field.words.iter().any(|word| word == "email")));
    let guessed = source.address.as_ref().filter(|code| {
        let own = flow.nodes.get(before).and_then(|node| serde_json::to_string(&node.set).ok());
        !known && own.is_some_and(|set| set.contains(code.as_str()))
    });
    if let Some(field) = guessed.and_then(|code| code.rsplit('.').next()) {
        flow.assume(format!("The address is in the field {field} of the data"));
    }
    let mapped = flow.nodes.get(before).is_some_and(|node| node.set.values().any(maps_automatically));
    let document = operation.name == "mongoDb.document.insert";
    let record = if mapped || document { rows::prepare(flow, &wanted, &id, document)? } else { None };
    let prepared = record.is_some() || document;
    match (record, holder) {
        (Some(record), _) => {
            flow.attach(&record);
            flow.edges.push(format!("{record}>{id}"));
        }
        // A file leaves its node once: what stands between would drop it.
        (None, Some((holder, _))) => flow.attach_to_file(&holder, &id)?,
        (None, _) => flow.attach(&id),
    }
    // Each field that is named goes somewhere.
    if let Some(one) = wanted.iter().find(|one| !needs_file && !writes(flow, before, one)) {
        return Err(format!("where “{}” goes", one.label));
    }
    let own: Vec<&str> = wanted.iter().filter(|one| one.open).map(|one| one.label.as_str()).collect();
    if !own.is_empty() {
        flow.assume(format!("The data has the fields {}", crate::text::listed(&own, 12)));
    }
    if !needs_file && !prepared && !asks && !literal_text && !says_something(flow, before) {
        return Err("what it says".to_owned());
    }
    flow.effects += 1;
    Ok(())
}

/// Returns the fields that a clause names. Those of a queue's messages are known once these are read as JSON. `whole`: the item is the message.
fn wanted(flow: &mut Flow<'_>, clause: &Clause, whole: bool) -> Result<Vec<Wanted>, String> {
    match fields::wanted(flow, clause) {
        Err(_) if flow.made.is_none() && queues::parse(flow, whole) => fields::wanted(flow, clause),
        found => found,
    }
}

/// Gives a record with a heading a description that does not repeat it: the text that the item has, and its other fields.
fn described(flow: &Flow<'_>, service: &str, wanted: &[Wanted], source: &mut Source) {
    const BOTH: &str =
        "trello jira linear github gitlab asana clickup zendesk freshdesk notion mondaycom zammad helpscout wordpress googletasks";
    // A task of Todoist has its heading in its content.
    if service == "todoist" && flow.data.title().is_some() && flow.made.is_none() && wanted.is_empty() {
        source.text.clone_from(&source.title);
    }
    if !is_among(BOTH, &service.to_lowercase()) {
        return;
    }
    if flow.made.is_some() || flow.collected.is_some() || flow.data.open.is_some() {
        return;
    }
    let others: Vec<Wanted> = wanted.iter().filter(|one| !one.is("title") && !one.is("name")).cloned().collect();
    if !others.is_empty() {
        source.text = if others.len() == wanted.len() { source.text.clone() } else { lines(&others) };
        return;
    }
    let Some(body) = flow.data.field("text").filter(|field| !field.main) else {
        source.text = flow.data.text();
        return;
    };
    let rest = Data {
        fields: flow.data.fields.iter().filter(|field| !field.words.iter().any(|word| word == "title")).cloned().collect(),
        ..flow.data.clone()
    };
    let body = format!("{{{{{}}}}}", flow.data.code(&body.path));
    source.text = if rest.fields.iter().any(|field| field.main) { format!("{body}\n\n{}", rest.text()) } else { body };
}

/// Reports whether a node from a place on has a field of the data.
fn writes(flow: &Flow<'_>, from: usize, one: &Wanted) -> bool {
    let has = |code: &str| {
        let text = Value::from(code).to_string();
        flow.nodes[from..].iter().filter_map(|node| serde_json::to_string(&node.set).ok()).any(|set| set.contains(text.trim_matches('"')))
    };
    has(&one.code) || flow.collected.is_some() && one.line.as_deref().is_some_and(has)
}

/// Reports whether the data is a file that an address gave, of which nothing else is known.
fn downloaded(flow: &Flow<'_>) -> bool {
    let holder = flow.file.as_ref().and_then(|(holder, _)| flow.get(holder));
    flow.made.is_none() && holder.is_some_and(|node| node.kind == "httpRequest" && node.id == flow.data.node)
}

/// Reports whether a node has a value of the data, a literal text, or takes the whole item: one without is an empty record.
fn says_something(flow: &Flow<'_>, at: usize) -> bool {
    fn any(value: &Value) -> bool {
        match value {
            // The title of a record that nothing else is known of, such as `New order`, is no value.
            Value::String(text) => text.contains("{{") || text.len() > 2 && text.contains(' ') && !text.starts_with("New "),
            Value::Array(items) => items.iter().any(any),
            Value::Object(map) => map.values().any(any) || maps_automatically(value),
            _ => false,
        }
    }
    flow.nodes.get(at).is_some_and(|node| node.set.values().any(|value| any(value) || maps_automatically(value)) || node.kind == "mqtt")
}

fn verb(operation: &Operation) -> &'static str {
    match operation.operation.as_str() {
        "update" => "Update",
        "delete" | "deleteRecord" => "Delete",
        "upsert" | "appendOrUpdate" => "Add or Update",
        _ => "Add",
    }
}

fn maps_automatically(value: &Value) -> bool {
    let auto = |value: &Value| matches!(value.as_str(), Some("autoMapInputData" | "autoMap"));
    auto(value) || value.get("mappingMode").is_some_and(auto)
}

/// Returns the text that a message is to have, if it is quoted.
fn literal(clause: &Clause) -> Option<String> {
    let subject = mails::subject_at(&clause.items);
    let quoted = |at: &usize| clause.items[*at].kind == Kind::Quoted && Some(*at) != subject;
    let at = (0..clause.items.len()).find(quoted).filter(|_| choices::within(&clause.items).is_none())?;
    let beside = |item: Option<&super::reading::Item>| {
        item.is_some_and(|item| {
            matches!(item.noun, Some("channel" | "sheet" | "table" | "database" | "list" | "board" | "folder" | "tag"))
                || item.service.is_some()
        })
    };
    let placed = beside(clause.items.get(at + 1)) || beside(at.checked_sub(1).and_then(|before| clause.items.get(before)));
    (!placed).then(|| harmless(&clause.items[at].text))
}

/// Sends a mail by SMTP, because the prompt names no mail service.
///
/// # Errors
///
/// The name of a parameter that has no value.
pub(super) fn mail(flow: &mut Flow<'_>, clause: &Clause) -> Result<(), String> {
    let operation =
        Operation { kind: "emailSend".to_owned(), name: "emailSend.send".to_owned(), operation: "send".to_owned(), in_set: false };
    let service = Service { key: "emailSend".to_owned(), display: "Mail".to_owned(), ..Service::default() };
    flow.assume("Mails are sent by SMTP; name Gmail, Outlook or another service for one of these");
    sink(flow, clause, "n8n-nodes-base.emailSend", &operation, &service, false)?;
    if let Some(node) = flow.nodes.last_mut().filter(|node| node.kind == "emailSend") {
        node.name = "Send Mail".to_owned();
    }
    Ok(())
}
