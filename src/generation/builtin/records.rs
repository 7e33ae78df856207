//! Messages and records: nodes that have an effect, and the items that are prepared for them.

use serde_json::{Map, Value, json};

use super::beside;
use super::choices;
use super::clauses::Clause;
use super::conditions;
use super::drafts;
use super::files::{self, file};
use super::flow::{Flow, node_of};
use super::mails;
use super::operations::Operation;
use super::queues;
use super::reminders;
use super::services::Service;
use super::sources::{counts, source};
use super::starts::map;
use super::tokens::Kind;
use super::words::is_among;
use super::world::harmless;
use crate::generation::compact::CompactNode;

/// Nouns for places rather than for values.
const PLACES: &str = "row record sheet table database list board page item card ticket issue task message mail note event channel group folder file line product \
    workflow user team project customer order data result calendar entry bucket website contact lead deal video image document";

/// Makes one item of all: what follows runs once, and not at all without items.
pub(super) fn collect(flow: &mut Flow<'_>, _nouns: &[&str]) {
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
    const KINDS: &[&str] = &["message", "sms", "mail", "email", "channelMessage", "chatMessage"];
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
    nouns: &[&'static str],
    replies: bool,
) -> Result<(), String> {
    let one = clause.items.iter().any(|item| {
        item.is(&["one", "single", "eine", "einzige", "une", "seul", "una", "unica"]) || matches!(item.noun, Some("summary" | "report"))
    });
    if flow.data.many && !flow.each && (is_message(operation) || one) {
        collect(flow, nouns);
    }
    if counts(clause) {
        if flow.collected.is_none() || !is_message(operation) {
            return Err("the number".to_owned());
        }
        flow.assume("Nothing is sent if there are none");
    }
    let mut source = source(flow, clause, &operation.kind, nouns);
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
        source.text = text;
    }
    if let Some((subject, text)) = draft {
        (source.title, source.text) = (mails::subject(clause).map_or(subject, |own| harmless(&own)), text);
        // It is written to the person that the item is about, unless the prompt names an address.
        if source.address.is_some() && source.recipient.as_deref() == Some("?recipient") {
            source.recipient = None;
        }
        flow.assume("The text of the message is a draft; change it as you like");
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
    if needs_file && operation.name.ends_with("file.upload") {
        let file = files::name(flow);
        match service.key.as_str() {
            "awsS3" | "s3" | "box" | "microsoftOneDrive" => drop(set.insert("fileName".to_owned(), file.into())),
            "googleDrive" => drop(set.insert("name".to_owned(), file.into())),
            "dropbox" | "nextCloud" => drop(set.insert("path".to_owned(), format!("/{file}").into())),
            _ => {}
        }
    }
    if service.key == "slack" && operation.operation == "post" && clause.items.iter().any(|item| item.is(&["dm", "dms"])) {
        set.insert("select".to_owned(), "user".into());
        set.insert("user".to_owned(), "?slack-user".into());
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
    let set = flow.nodes.get(before).map(|node| node.set.clone()).unwrap_or_default();
    flow.assume_names(beside::placed(&set, &source.places).0);
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
    let record = if mapped || document { prepare(flow, clause, &id, document)? } else { None };
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
    if !needs_file && !prepared && !asks && !literal_text && !says_something(flow, before) {
        return Err("what it says".to_owned());
    }
    flow.effects += 1;
    Ok(())
}

/// Reports whether the data is a file that an address gave, of which nothing else is known.
fn downloaded(flow: &Flow<'_>) -> bool {
    let holder = flow.file.as_ref().and_then(|(holder, _)| flow.nodes.iter().find(|node| node.id == *holder));
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

fn add(values: &mut Vec<(String, String)>, label: &str, code: String) {
    if !values.iter().any(|(own, value)| own == label || *value == code) {
        values.push((label.to_owned(), code));
    }
}

/// Adds a Set node with the values of a record, unless the items are such records already; returns its id.
fn prepare(flow: &mut Flow<'_>, clause: &Clause, sink: &str, document: bool) -> Result<Option<String>, String> {
    if flow.made.is_none() {
        queues::parse(flow, true);
    }
    let mut values: Vec<(String, String)> = Vec::new();
    for item in clause.items.iter().filter(|item| item.kind == Kind::Word && item.service.is_none() && !item.is_verb) {
        let noun = item.noun.unwrap_or(&item.word);
        let named = is_among(PLACES, noun);
        let known = std::iter::once(&flow.data)
            .chain(flow.earlier.iter().rev())
            .find_map(|data| data.field(noun).map(|field| data.code(&field.path)));
        if let Some(code) = known.filter(|_| !named && (item.noun.is_some() || !item.plain)) {
            add(&mut values, &item.word, code);
        }
    }
    if values.len() < 2 {
        let fields: Vec<(String, String)> = flow
            .data
            .fields
            .iter()
            .filter(|field| field.main)
            .map(|field| (field.label.to_lowercase(), flow.data.code(&field.path)))
            .collect();
        fields.into_iter().for_each(|(label, code)| add(&mut values, &label, code));
        if let Some(made) = flow.made.clone() {
            add(&mut values, "text", made);
        }
    }
    let assigned = |values: &[(String, String)]| -> Vec<Value> {
        values.iter().map(|(label, code)| json!({label: format!("{{{{{code}}}}}")})).collect()
    };
    let set = if values.is_empty() || values.len() == 1 && flow.data.open.is_some() {
        let object = flow.data.object();
        let is_record = flow.data.whole.is_empty() && brings(flow);
        if flow.data.raw && is_record && flow.collected.is_none() && !document {
            return raw_record(flow, sink).map(|()| None);
        }
        if flow.data.open.is_none() && flow.data.fields.is_empty() && flow.collected.is_none() {
            return Err("the fields of the record".to_owned());
        }
        if document && let Some(node) = flow.by_id(sink) {
            node.set.insert("fields".to_owned(), "{{ Object.keys($json).join(',') }}".into());
        }
        if !document {
            flow.assume("Each field of the data goes into the column of its name");
        }
        if is_record {
            return Ok(None);
        }
        json!({"mode": "raw", "jsonOutput": format!("{{{{{object}}}}}")})
    } else {
        let labels: Vec<&str> = values.iter().map(|(label, _)| label.as_str()).collect();
        if document && let Some(node) = flow.by_id(sink) {
            node.set.insert("fields".to_owned(), labels.join(",").into());
        }
        flow.assume(format!("The columns are named {}", labels.join(", ")));
        json!({"assignments": assigned(&values)})
    };
    Ok(Some(flow.node("set", "Prepare Record", map(set))))
}

/// Takes records of unknown fields as they are: rows of a table, or whatever a sheet makes columns of.
///
/// # Errors
///
/// A message where a table would have to have columns that nobody made.
fn raw_record(flow: &mut Flow<'_>, sink: &str) -> Result<(), String> {
    let kind = |id: &str| flow.nodes.iter().find(|node| node.id == id).map(|node| node.kind.clone()).unwrap_or_default();
    let (from, to) = (kind(&flow.data.node), kind(sink));
    if from == "postgresTrigger" {
        return Ok(());
    }
    let sheet = to.starts_with("googleSheets") || to.starts_with("microsoftExcel");
    if from.ends_with("Trigger") || !sheet {
        return Err("the columns of the record".to_owned());
    }
    flow.assume("The columns are the fields of the records, as the service names them");
    Ok(())
}

/// Reports whether the branch ends with the items of the data: at its node, or at nodes behind that which only choose among them.
fn brings(flow: &Flow<'_>) -> bool {
    let mut at = node_of(&flow.tail);
    while at != flow.data.node {
        let chooses =
            |node: &&CompactNode| node.id == at && matches!(node.kind.as_str(), "removeDuplicates" | "filter" | "limit" | "sort" | "if");
        let Some(node) = flow.nodes.iter().find(chooses) else { return false };
        let Some(from) = flow.leading_to(&node.id).next() else { return false };
        at = node_of(from);
    }
    true
}

/// Sends a mail by SMTP, because the prompt names no mail service.
///
/// # Errors
///
/// The name of a parameter that has no value.
pub(super) fn mail(flow: &mut Flow<'_>, clause: &Clause, nouns: &[&'static str]) -> Result<(), String> {
    let operation =
        Operation { kind: "emailSend".to_owned(), name: "emailSend.send".to_owned(), operation: "send".to_owned(), in_set: false };
    let service = Service { key: "emailSend".to_owned(), display: "Mail".to_owned(), ..Service::default() };
    flow.assume("Mails are sent by SMTP; name Gmail, Outlook or another service for one of these");
    sink(flow, clause, "n8n-nodes-base.emailSend", &operation, &service, nouns, false)?;
    if let Some(node) = flow.nodes.last_mut().filter(|node| node.kind == "emailSend") {
        node.name = "Send Mail".to_owned();
    }
    Ok(())
}
