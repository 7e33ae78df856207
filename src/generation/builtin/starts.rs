//! Triggers of workflows.

use serde_json::{Map, Value, json};

use super::beside;
use super::choices;
use super::clauses::is_event_word;
use super::conditions;
use super::data::{Data, Field};
use super::events;
use super::fill::{self, Source};
use super::flow::Flow;
use super::form::{FormField, fields};
use super::names;
use super::operations::Operation;
use super::reading::Item;
use super::schedule::Schedule;
use super::services::Lexicon;
use super::tokens::Kind;

/// Kind of a start.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Start {
    Schedule(Schedule),
    Webhook,
    Form,
    Chat,
    Mail,
    Feed,
    /// A failed execution.
    Error,
    Manual,
    /// An event of a service, by index.
    Service(usize),
}

/// Finds what a clause says about a start; `None` if it says nothing that is known.
pub(super) fn detect(items: &[Item], lexicon: &Lexicon) -> Option<Start> {
    let has = |words: &[&str]| items.iter().any(|item| item.is(words));
    let noun = |noun: &str| items.iter().any(|item| item.noun == Some(noun) && item.service.is_none());
    let services = || items.iter().filter_map(|item| item.service);
    let with_trigger = services().find(|at| lexicon.services[*at].trigger.is_some());
    if has(&["manually", "manual", "manuell", "manuellement", "manualmente", "demand"])
        || has(&["hand"]) && has(&["by", "von"])
        || has(&["click", "klicke"]) && services().next().is_none()
    {
        return Some(Start::Manual);
    }
    let here = has(&["n8n", "workflow", "workflows", "execution", "executions", "automation", "ablauf", "flujo"]);
    if here
        && (noun("error") || has(&["fails", "failed", "fail", "crashes", "crashed", "breaks", "errors", "fehlschlagt", "falla", "echoue"]))
    {
        return Some(Start::Error);
    }
    if noun("webhook")
        || items.iter().any(|item| matches!(item.text.as_str(), "POST" | "GET" | "PUT" | "POSTs" | "GETs" | "PUTs" | "DELETE" | "PATCH"))
            && slashed(items).is_some()
        || has(&["endpoint", "url"]) && has(&["called", "hit", "aufgerufen"])
        || has(&["http", "post", "api"]) && noun("request")
    {
        return Some(Start::Webhook);
    }
    if let Some(service) =
        with_trigger.filter(|at| !(noun("form") && lexicon.services[*at].key.starts_with("google") && services().count() == 1))
    {
        return Some(Start::Service(service));
    }
    if noun("form") && services().next().is_none() {
        return Some(Start::Form);
    }
    if noun("feed") || has(&["rss", "atom"]) || items.iter().any(is_feed) {
        return Some(Start::Feed);
    }
    if services().next().is_none() && noun("chat") {
        return Some(Start::Chat);
    }
    if services().next().is_none() && (noun("mail") || has(&["imap"])) {
        return Some(Start::Mail);
    }
    None
}

/// Reports whether a clause says that something new came or happened.
pub(super) fn says_event(items: &[Item]) -> bool {
    items.iter().any(|item| {
        is_event_word(&item.word)
            || item.is(&[
                "new", "incoming", "neue", "neuer", "neues", "neuen", "nouveau", "nouvelle", "nouveaux", "nouvel", "nuevo", "nueva",
                "nuevos", "nuevas",
            ])
    })
}

/// Adds the node that starts the workflow. `items` are those that describe the start, `prompt` are all.
///
/// # Errors
///
/// A message about missing information, for people.
pub(super) fn build(flow: &mut Flow<'_>, start: &Start, items: &[Item], prompt: &[Item], answers: bool) -> Result<(), String> {
    let value = |kind: fn(&Kind) -> bool| items.iter().find(|item| kind(&item.kind)).map(|item| item.text.clone());
    let words = words(items);
    let said = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    match start {
        Start::Schedule(schedule) => {
            let id = flow.node("scheduleTrigger", "Schedule", map(json!({"rule": {"interval": schedule.intervals}})));
            flow.assume(format!("Runs {}", schedule.said));
            if let Some(assumed) = &schedule.assumed {
                flow.assume(format!("The prompt names no time: {assumed}"));
            }
            begin(flow, &id, "scheduleTrigger", None, "");
            flow.data.noun = "result".to_owned();
            flow.data.hollow = true;
        }
        Start::Manual => {
            let id = flow.node("manualTrigger", "Start", Map::new());
            begin(flow, &id, "manualTrigger", None, "");
            flow.data.hollow = true;
        }
        Start::Error => {
            let id = flow.node("errorTrigger", "On Error", Map::new());
            begin(flow, &id, "errorTrigger", None, "error");
            flow.assume("Workflows that name this one as their error workflow start it when they fail");
        }
        Start::Webhook => {
            let noun = subject(items).unwrap_or("request");
            let quoted = value(|kind| matches!(kind, Kind::Quoted)).filter(|path| is_path(path));
            let path = quoted.or_else(|| slashed(items)).or_else(|| names::webhook(items)).unwrap_or_else(|| slug(noun));
            let says = |method: &&'static str| items.iter().any(|item| item.text.trim_end_matches('s') == *method);
            let method = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(says).unwrap_or("POST");
            let mode = if answers { "responseNode" } else { "onReceived" };
            let set = json!({"path": path, "httpMethod": method, "responseMode": mode});
            let id = flow.node("webhook", "Webhook", map(set));
            flow.assume(format!("The webhook takes {method} requests at the path {path}"));
            begin(flow, &id, "webhook", None, "");
            if method == "GET" {
                (flow.data.open, flow.data.whole) = (Some("query".to_owned()), "query".to_owned());
            }
            noun.clone_into(&mut flow.data.noun);
        }
        Start::Form => form(flow, items, fields(items, prompt, &words)),
        Start::Chat => {
            let id = flow.node("chatTrigger", "Chat", Map::new());
            begin(flow, &id, "chatTrigger", None, "chat");
        }
        Start::Mail => {
            let attached = said(&["attachment", "attached", "attachments", "anhang", "anhange", "pdf"]);
            let mut set = json!({"options": {}});
            if attached {
                set["downloadAttachments"] = Value::Bool(true);
            }
            let id = flow.node("emailReadImap", "New Mail", map(set));
            match value(|kind| matches!(kind, Kind::Mail)) {
                Some(own) => flow.assume(format!("Mails are read by IMAP from the mailbox of {own}")),
                None => flow.assume("Mails are read from a mailbox by IMAP"),
            }
            begin(flow, &id, "emailReadImap", None, "");
            if attached {
                beside::only_with_file(flow, "Object.keys($binary ?? {}).length > 0");
                flow.data.binary = Some("attachment_0".to_owned());
                flow.file = Some((id, "attachment_0".to_owned()));
            }
            "mail".clone_into(&mut flow.data.noun);
        }
        Start::Feed => {
            let url = value(|kind| matches!(kind, Kind::Url)).unwrap_or_else(|| "?feed-url".to_owned());
            let id = flow.node(
                "rssFeedReadTrigger",
                "New Article",
                map(json!({"feedUrl": url, "pollTimes": {"item": [{"mode": "everyX", "value": 15, "unit": "minutes"}]}})),
            );
            flow.assume("The feed is read every 15 minutes");
            begin(flow, &id, "rssFeedReadTrigger", None, "article");
        }
        Start::Service(at) => return service(flow, *at, items, &words),
    }
    Ok(())
}

fn service(flow: &mut Flow<'_>, at: usize, items: &[Item], words: &[String]) -> Result<(), String> {
    let service = flow.lexicon.services[at].clone();
    let Some(trigger) = &service.trigger else { return Err(format!("{} starts no workflows", service.display)) };
    let short = trigger.rsplit_once('.').map_or(trigger.as_str(), |(_, short)| short);
    let mut set = Map::new();
    let Some(event) = events::choose(&service.key, trigger, words, &mut set, flow.catalog) else {
        return Err(format!("which event of {} starts the workflow", service.display));
    };
    let said = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let files = said(&["file", "image", "document", "audio", "video", "attachment", "voice", "attached", "invoice", "csv", "xml", "pdf"]);
    if short == "telegramTrigger" && files {
        set.insert("additionalFields".to_owned(), json!({"download": true}));
    }
    if short == "slackTrigger" && set.get("trigger") == Some(&json!(["file_share"])) {
        set.insert("downloadFiles".to_owned(), Value::Bool(true));
    }
    if matches!(short, "gmailTrigger" | "microsoftOutlookTrigger")
        && let Some(from) = items.iter().find(|item| item.kind == Kind::Mail)
        && let Value::Object(filters) = set.entry("filters").or_insert_with(|| json!({}))
    {
        filters.insert("sender".to_owned(), from.text.as_str().into());
    }
    let channel = items.iter().find(|item| item.kind == Kind::Channel && item.text.starts_with('#')).map(|item| item.text.clone());
    // A trigger takes no channel by its name.
    let source =
        Source { prefix: format!("{} source", service.key), data: Data::default(), places: names::places(items), ..Source::default() };
    fill::fill(short, trigger, "", &mut set, &source, flow.catalog).map_err(|name| format!("{name} of the {} trigger", service.display))?;
    let (given, elsewhere) = beside::placed(&set, &source.places);
    flow.assume_names(given);
    let channel = channel.filter(|_| set.keys().any(|key| key.starts_with("channel")));
    let noun = subject(items).unwrap_or("item");
    let action = events::action(&service.key, event.as_deref(), words);
    let id = flow.node(short, &format!("{} Trigger", service.display), set);
    if let Some(channel) = channel {
        flow.assume(format!("Give the id of {channel} for the channel of the trigger"));
    }
    begin(flow, &id, short, event.as_deref(), noun);
    service.key.clone_into(&mut flow.data.service);
    if let Some(action) = action {
        let test = choices::Test::Equals { nouns: vec!["action".to_owned()], text: action.to_owned(), not: false };
        let case = conditions::case(&test, flow).ok_or_else(|| format!("what happened in {}", service.display))?;
        flow.condition("filter", "Only That", vec![case]);
    }
    for place in elsewhere {
        beside::only_there(flow, place)?;
    }
    if short == "telegramTrigger" && files {
        telegram_file(flow, &id, words)?;
    }
    if short == "hubspotTrigger" {
        whole_record(flow, trigger)?;
    }
    let file = match short {
        "gmailTrigger" | "microsoftOutlookTrigger" if said(&["attachment", "attached", "attachments"]) => Some("attachment_0"),
        "slackTrigger" if files => Some("file_0"),
        _ => None,
    };
    if let Some(property) = file {
        flow.data.binary = Some(property.to_owned());
        flow.file = Some((id, property.to_owned()));
    }
    Ok(())
}

/// Lets only messages with a file pass. The trigger downloads photos, documents and videos; voice messages are downloaded behind it.
fn telegram_file(flow: &mut Flow<'_>, trigger: &str, words: &[String]) -> Result<(), String> {
    let said = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let message = format!("{trigger}.message");
    let kinds: &[&str] = match () {
        () if said(&["audio", "voice"]) => &["voice", "audio"],
        () if said(&["image"]) => &["photo"],
        () if said(&["video"]) => &["video"],
        () if said(&["document", "invoice", "csv", "xml", "pdf"]) => &["document"],
        () => &["document", "photo", "video"],
    };
    let any: Vec<String> = kinds.iter().map(|kind| format!("{message}.{kind}")).collect();
    let any = any.join(" ?? ");
    beside::only_with_file(flow, &format!("Boolean({any})"));
    let mut holder = trigger.to_owned();
    if kinds.contains(&"voice") {
        let set = map(json!({"fileId": format!("{{{{ ({any}).file_id }}}}")}));
        holder = flow.node("telegram.file.get", "Download Voice", set);
        flow.extend(&holder);
    }
    flow.data.binary = Some("data".to_owned());
    flow.file = Some((holder, "data".to_owned()));
    Ok(())
}

/// Reads the record of an event that tells only its id.
fn whole_record(flow: &mut Flow<'_>, trigger: &str) -> Result<(), String> {
    let full = trigger.strip_suffix("Trigger").unwrap_or(trigger).to_owned();
    let named = flow.nodes.last().map(|node| node.set.get("eventsUi").map(Value::to_string).unwrap_or_default()).unwrap_or_default();
    let Some(record) = ["contact", "company", "deal", "ticket"].into_iter().find(|record| named.contains(&format!("{record}.creation")))
    else {
        return Ok(());
    };
    let name = format!("hubspot.{record}.get");
    let operation = Operation { kind: name.clone(), name: name.clone(), operation: "get".to_owned(), in_set: false };
    let id_field = format!("{record}Id");
    let set = map(json!({id_field.clone(): format!("{{{{{}.{id_field}}}}}", flow.data.node)}));
    let source = Source { prefix: "hubspot".to_owned(), data: flow.data.clone(), ..Source::default() };
    let id = flow.act(&full, &operation, &format!("Get {record}"), &source, set)?;
    flow.extend(&id);
    let noun = flow.data.noun.clone();
    flow.turn_to(Data { noun, service: "hubspot".to_owned(), ..Data::of(&id, &name, None) });
    Ok(())
}

/// Returns a path for a noun.
fn slug(noun: &str) -> String {
    if noun.ends_with('s') || noun == "data" { noun.to_owned() } else { format!("{noun}s") }
}

fn is_path(text: &str) -> bool {
    !text.is_empty() && text.len() < 60 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/'))
}

/// Has a webhook take GET requests if it takes no data: all that the workflow does is to answer with a text.
pub(super) fn asked_for_nothing(flow: &mut Flow<'_>, items: &[Item]) {
    let constant = |node: &crate::generation::compact::CompactNode| {
        let body = node.set.get("responseBody").and_then(Value::as_str);
        node.kind == "respondToWebhook" && body.is_some_and(|body| !body.contains("{{"))
    };
    if flow.nodes.len() != 2 || !constant(&flow.nodes[1]) || items.iter().any(|item| item.text == "POST") {
        return;
    }
    flow.nodes[0].set.insert("httpMethod".to_owned(), "GET".into());
    for text in &mut flow.assumptions {
        *text = text.replace("takes POST requests", "takes GET requests");
    }
}

/// Returns a path that is written with a slash before it: `an endpoint /hello`.
pub(super) fn slashed(items: &[Item]) -> Option<String> {
    let at = items.windows(2).position(|pair| pair[0].text == "/" && pair[1].kind == Kind::Word)?;
    Some(names::joined(items, at + 1).0).filter(|path| is_path(path))
}

/// Reports whether an item is the address of a feed.
pub(super) fn is_feed(item: &Item) -> bool {
    let url = item.text.to_lowercase();
    item.kind == Kind::Url
        && ["/rss", ".rss", "/feed", "feed.xml", "atom.xml", "rss.xml", "index.xml"].iter().any(|part| url.contains(part))
}

fn begin(flow: &mut Flow<'_>, id: &str, kind: &str, event: Option<&str>, noun: &str) {
    flow.extend(id);
    let data = Data::of(id, kind, event);
    // An unknown event of a service is a record as it is.
    let raw = data.fields.is_empty() && data.open.is_none();
    flow.data = Data { noun: noun.to_owned(), raw, ..data };
}

pub(super) fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Returns the words of items: nouns in English, and all others as they are.
pub(super) fn words(items: &[Item]) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for item in items.iter().filter(|item| item.kind == Kind::Word) {
        words.extend(item.noun.map(str::to_owned));
        words.push(item.word.clone());
    }
    words
}

/// Returns the noun that the items are about: the first that is no place.
pub(super) fn subject(items: &[Item]) -> Option<&'static str> {
    const PLACES: &[&str] = &[
        "webhook",
        "form",
        "channel",
        "folder",
        "table",
        "database",
        "sheet",
        "list",
        "board",
        "feed",
        "account",
        "team",
        "group",
        "bot",
        "website",
        "bucket",
        "workflow",
        "repository",
        "project",
        "list",
        "chat",
        "link",
        "json",
    ];
    let nouns = || items.iter().filter(|item| item.service.is_none() && !item.is_verb).filter_map(|item| item.noun);
    nouns().find(|noun| !PLACES.contains(noun))
}

/// Adds a form with its fields.
fn form(flow: &mut Flow<'_>, items: &[Item], fields: Vec<FormField>) {
    let labels: Vec<&str> = fields.iter().map(|field| field.label.as_str()).collect();
    flow.assume(format!("The form asks for {}", labels.join(", ")));
    let value =
        |field: &FormField| json!({"fieldLabel": field.label, "fieldName": field.name, "fieldType": field.kind, "requiredField": true});
    let values: Vec<Value> = fields.iter().map(value).collect();
    let title = items.iter().find(|item| item.kind == Kind::Quoted).map_or_else(|| "Form".to_owned(), |item| item.text.clone());
    let id = flow.node("formTrigger", "Form", map(json!({"formTitle": title, "formFields": {"values": values}})));
    begin(flow, &id, "formTrigger", None, subject(items).unwrap_or("submission"));
    if let Some(file) = fields.iter().find(|field| field.kind == "file") {
        flow.data.binary = Some(file.name.clone());
        flow.file = Some((id, file.name.clone()));
    }
    let field = |field: FormField| Field { label: field.label, words: field.nouns, path: field.name, main: true };
    flow.data.fields = fields.into_iter().filter(|field| field.kind != "file").map(field).collect();
}
