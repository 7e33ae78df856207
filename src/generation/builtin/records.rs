//! Messages and records: nodes that have an effect, and the items that are prepared for them.

use serde_json::{Map, Value, json};

use super::clauses::Clause;
use super::conditions;
use super::data::Data;
use super::drafts;
use super::files::{self, file};
use super::fill::Source;
use super::flow::Flow;
use super::operations::Operation;
use super::reminders;
use super::services::Service;
use super::starts::map;
use super::tokens::Kind;
use super::world::harmless;
use crate::generation::compact::CompactNode;

/// Nouns for places rather than for values.
const PLACES: &str = "row record sheet table database list board page item card ticket issue task message mail note event channel group folder file line product \
    workflow user team project customer order data result calendar entry bucket website contact lead deal video image document";

/// Returns what a node of a clause is filled in from.
pub(super) fn source(flow: &Flow<'_>, clause: &Clause, kind: &str, nouns: &[&str]) -> Source {
    let find = |wanted: Kind| clause.items.iter().find(|item| item.kind == wanted).map(|item| item.text.clone());
    let quoted = find(Kind::Quoted);
    let prefix = kind.split('.').next().unwrap_or(kind).to_owned();
    let made = flow.made.as_ref().map(|code| format!("{{{{{code}}}}}"));
    let noun = if flow.data.noun.is_empty() { "item" } else { flow.data.noun.as_str() };
    let text = made.clone().unwrap_or_else(|| match &flow.collected {
        Some(id) if counts(clause) => format!("{}: {{{{ {id}.items.length }}}}", capital(&plural(noun))),
        Some(id) => joined(id, &flow.data, nouns),
        None if flow.data.node.is_empty() => String::new(),
        None => flow.data.text(nouns),
    });
    let title = match (flow.data.title(), &flow.collected) {
        (Some(title), None) => title,
        (_, Some(_)) => capital(&plural(noun)),
        (None, None) => format!("New {noun}"),
    };
    let mail = find(Kind::Mail);
    let me = clause.items.iter().any(|item| {
        item.is(&["me", "us", "mir", "uns", "mich", "moi", "nous", "team", "everyone", "everybody", "boss", "manager", "hr", "colleagues"])
    }) || clause.items.iter().any(|item| item.is(&["avisame", "enviame", "mandame"]));
    let address = flow.address();
    let recipient = match mail {
        Some(mail) => Some(mail),
        None if me || address.is_none() || !to_sender(clause) => Some("?recipient".to_owned()),
        None => None,
    };
    Source {
        text,
        title,
        address: address.clone(),
        recipient,
        chat: None,
        channel: find(Kind::Channel).or_else(|| named_channel(clause)),
        search: quoted,
        city: city(clause),
        language: None,
        data: flow.data.clone(),
        prefix,
        ..Source::default()
    }
}

/// Returns a channel that is quoted: `the 'alerts' channel`.
fn named_channel(clause: &Clause) -> Option<String> {
    let at = clause.items.iter().position(|item| item.kind == Kind::Quoted)?;
    let beside = clause.items.get(at + 1).or_else(|| at.checked_sub(1).map(|before| &clause.items[before]));
    beside.filter(|item| item.noun == Some("channel")).map(|_| format!("#{}", clause.items[at].text.trim_start_matches('#')))
}

/// Returns the name of a city: `the weather in Hamburg`.
pub(super) fn city(clause: &Clause) -> Option<String> {
    let of = |item: &super::reading::Item| item.is(&["in", "for", "of", "at", "fur", "von", "a", "de", "pour", "en", "para"]);
    let two = clause
        .items
        .windows(2)
        .find(|two| of(&two[0]) && two[1].name && two[1].kind == Kind::Word && two[1].service.is_none() && two[1].noun.is_none())?;
    Some(two[1].text.clone())
}

/// Reports whether a clause speaks to the person that the item is about.
pub(super) fn to_sender(clause: &Clause) -> bool {
    const SENDERS: &str = "back sender them him her person address adresse submitter applicant visitor absender kunden zuruck thread customer \
        client user lead subscriber requester reporter author buyer guest participant invitee customers candidate applicants subscribers attendee reporters absenderin expediteur remitente";
    let is_person = |noun| matches!(noun, Some("customer" | "contact" | "address" | "user" | "lead" | "visitor"));
    clause.items.iter().any(|item| item.among(SENDERS) || is_person(item.noun))
}

fn plural(noun: &str) -> String {
    if noun.ends_with('s') { noun.to_owned() } else { format!("{noun}s") }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Reports whether a clause asks for how many items there are, and not for the items.
pub(super) fn counts(clause: &Clause) -> bool {
    let pair = |one: &[&str], other: &[&str]| clause.items.windows(2).any(|two| two[0].is(one) && two[1].is(other));
    pair(&["number", "count", "amount"], &["of"])
        || pair(&["how"], &["many"])
        || pair(&["anzahl"], &["der", "von", "aller", "neuer"])
        || pair(&["nombre"], &["de", "des", "d"])
        || pair(&["numero", "cantidad"], &["de"])
        || clause.items.iter().any(|item| item.is(&["wieviele", "combien", "cuantos", "cuantas"]))
}

/// Returns the text about all items that a node collected.
fn joined(id: &str, data: &Data, nouns: &[&str]) -> String {
    format!("{{{{ {id}.items.map(item => '• ' + {}).join('\\n') }}}}", data.line(nouns))
}

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
pub(super) fn inline_filter(flow: &mut Flow<'_>, clause: &Clause) {
    if let Some(test) = conditions::within(&clause.items)
        && let Some(case) = conditions::case(&test, flow)
    {
        flow.condition("filter", "Filter", vec![case]);
    }
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
    let said = literal(clause).or_else(|| reminders::text(clause)).filter(|_| is_message(operation) && flow.made.is_none());
    let asks = flow.data.hollow && flow.made.is_none() && said.is_none() && is_message(operation) && reminders::is_bare(clause);
    if asks {
        source.text = "?reminder".to_owned();
    } else if flow.data.hollow && flow.made.is_none() && said.is_none() {
        return Err("what goes there".to_owned());
    }
    let draft = drafts::draft(clause, &flow.data.noun).filter(|_| is_message(operation) && flow.made.is_none() && said.is_none());
    if let Some(text) = said {
        source.text = text;
    }
    if let Some((subject, text)) = draft {
        (source.title, source.text) = (subject, text);
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
    if let Some((_, property)) = &holder {
        source.data.binary = Some(property.clone());
    }
    if let Some(title) = flow.data.title().filter(|_| needs_file) {
        source.title = title;
    }
    let mut set = Map::new();
    let mails = is_message(operation) && ["mail", "email", "emailSend", "mailgun"].iter().any(|part| operation.name.contains(part))
        || operation.name == "microsoftOutlook.message.send";
    if let Some(property) = files::made(flow).filter(|_| mails) {
        files::attach(&mut set, &operation.name, &property)?;
        source.text = "The file is attached.".to_owned();
    }
    if needs_file && operation.name.ends_with("file.upload") {
        let name = flow.data.field("name").map(|field| format!("{{{{{}}}}}", flow.data.code(&field.path)));
        let file = name.unwrap_or_else(|| "{{ $now.toFormat('yyyy-MM-dd-HHmmss') }}".to_owned());
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
        (None, Some((holder, _))) if holder != flow.tail && !flow.tail.contains('.') => flow.edges.push(format!("{holder}>{id}")),
        (None, _) => flow.attach(&id),
    }
    if !needs_file && !prepared && !asks && !says_something(flow, before) {
        return Err("what it says".to_owned());
    }
    flow.effects += 1;
    Ok(())
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
    let at = clause.items.iter().position(|item| item.kind == Kind::Quoted).filter(|_| conditions::within(&clause.items).is_none())?;
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
    let mut values: Vec<(String, String)> = Vec::new();
    for item in clause.items.iter().filter(|item| item.kind == Kind::Word && item.service.is_none() && !item.is_verb) {
        let noun = item.noun.unwrap_or(&item.word);
        let named = PLACES.split_whitespace().any(|place| place == noun);
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
            return Ok(None);
        }
        if flow.data.open.is_none() && flow.data.fields.is_empty() && flow.collected.is_none() {
            return Err("the fields of the record".to_owned());
        }
        if document && let Some(node) = flow.by_id(sink) {
            node.set.insert("fields".to_owned(), "{{ Object.keys($json).join(',') }}".into());
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

/// Reports whether the branch ends with the items of the data: at its node, or at nodes behind that which only choose among them.
fn brings(flow: &Flow<'_>) -> bool {
    let mut at = flow.tail.split('.').next().unwrap_or_default();
    while at != flow.data.node {
        let chooses =
            |node: &&CompactNode| node.id == at && matches!(node.kind.as_str(), "removeDuplicates" | "filter" | "limit" | "sort" | "if");
        let Some(node) = flow.nodes.iter().find(chooses) else { return false };
        let before = flow.edges.iter().find_map(|edge| edge.split_once('>').filter(|(_, to)| *to == node.id));
        let Some((from, _)) = before else { return false };
        at = from.split('.').next().unwrap_or_default();
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
