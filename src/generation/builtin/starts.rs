//! Triggers of workflows.

use serde_json::{Map, Value, json};

use super::beside;
use super::choices;
use super::clauses::is_event_word;
use super::conditions;
use super::data::{Data, Field};
use super::events;
use super::fill;
use super::flow::Flow;
use super::form::{FormField, fields};
use super::given::Source;
use super::mailbox;
use super::mails;
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
            flow.begin(&id, "scheduleTrigger", None, "");
            flow.data.noun = "result".to_owned();
            flow.data.hollow = true;
        }
        Start::Manual => {
            let id = flow.node("manualTrigger", "Start", Map::new());
            flow.begin(&id, "manualTrigger", None, "");
            flow.data.hollow = true;
        }
        Start::Error => {
            let id = flow.node("errorTrigger", "On Error", Map::new());
            flow.begin(&id, "errorTrigger", None, "error");
            flow.assume("Workflows that name this one as their error workflow start it when they fail");
        }
        Start::Webhook => {
            // `a JSON with name and email` is no name.
            let noun =
                subject(items).filter(|noun| !matches!(*noun, "name" | "mail" | "address" | "phone" | "number")).unwrap_or("request");
            let quoted = value(|kind| matches!(kind, Kind::Quoted)).filter(|path| is_path(path));
            let path = quoted.or_else(|| slashed(items)).or_else(|| names::webhook(items)).unwrap_or_else(|| slug(noun));
            let says = |method: &&'static str| items.iter().any(|item| item.text.trim_end_matches('s') == *method);
            let method = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(says).unwrap_or("POST");
            let mode = if answers { "responseNode" } else { "onReceived" };
            let set = json!({"path": path, "httpMethod": method, "responseMode": mode});
            let id = flow.node("webhook", "Webhook", map(set));
            flow.assume(format!("The webhook takes {method} requests at the path {path}"));
            flow.begin(&id, "webhook", None, "");
            if method == "GET" {
                (flow.data.open, flow.data.whole) = (Some("query".to_owned()), "query".to_owned());
            }
            noun.clone_into(&mut flow.data.noun);
        }
        Start::Form => form(flow, items, fields(items, prompt, &words)),
        Start::Chat => {
            let id = flow.node("chatTrigger", "Chat", Map::new());
            flow.begin(&id, "chatTrigger", None, "chat");
        }
        Start::Mail => mailbox::imap(flow, items, said(&["attachment", "attached", "attachments", "anhang", "anhange", "pdf"])),
        Start::Feed => {
            let url = value(|kind| matches!(kind, Kind::Url)).unwrap_or_else(|| "?feed-url".to_owned());
            let id = flow.node(
                "rssFeedReadTrigger",
                "New Article",
                map(json!({"feedUrl": url, "pollTimes": {"item": [{"mode": "everyX", "value": 15, "unit": "minutes"}]}})),
            );
            flow.assume("The feed is read every 15 minutes");
            flow.begin(&id, "rssFeedReadTrigger", None, "article");
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
    let mails = mails::of_start(items);
    mailbox::filter(short, &mails, &mut set)?;
    let channel = items.iter().find(|item| item.kind == Kind::Channel && item.text.starts_with('#')).map(|item| item.text.clone());
    // A trigger takes no channel by its name.
    let source =
        Source { prefix: format!("{} source", service.key), data: Data::default(), places: names::places(items), ..Source::default() };
    let placed = fill::fill(short, trigger, "", &mut set, &source, flow.catalog)
        .map_err(|name| format!("{name} of the {} trigger", service.display))?;
    flow.place(placed);
    let channel = channel.filter(|_| set.keys().any(|key| key.starts_with("channel")));
    let noun = subject(items).unwrap_or("item");
    let action = events::action(&service.key, event.as_deref(), words);
    let id = flow.node(short, &format!("{} Trigger", service.display), set);
    if let Some(channel) = channel {
        flow.assume(format!("Give the id of {channel} for the channel of the trigger"));
    }
    flow.begin(&id, short, event.as_deref(), noun);
    service.key.clone_into(&mut flow.data.service);
    flow.data.happened = events::happened(words);
    if let Some(action) = action {
        let test = choices::Test::Equals { nouns: vec!["action".to_owned()], text: action.to_owned(), not: false };
        let case = conditions::case(&test, flow).ok_or_else(|| format!("what happened in {}", service.display))?;
        flow.condition("filter", "Only That", vec![case]);
    }
    in_places(flow, &source.places)?;
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

/// Lets only the items of a place pass, where the trigger takes none and the items say theirs.
fn in_places(flow: &mut Flow<'_>, places: &[(&'static str, String)]) -> Result<(), String> {
    for (place, name) in places {
        // Jira's projects have a key in capital letters, and a name.
        let key = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        let noun = if *place == "project" && !key { "projectname" } else { place };
        if flow.placed.contains(name) || flow.data.field(noun).is_none() {
            continue;
        }
        let test = choices::Test::Equals { nouns: vec![noun.to_owned()], text: name.clone(), not: false };
        let case = conditions::case(&test, flow).ok_or_else(|| format!("the {place} {name}"))?;
        flow.condition("filter", &format!("Only {name}"), vec![case]);
        flow.placed.push(name.clone());
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
    names::path(items).filter(|path| is_path(path))
}

/// Reports whether an item is the address of a feed.
pub(super) fn is_feed(item: &Item) -> bool {
    let url = item.text.to_lowercase();
    item.kind == Kind::Url
        && ["/rss", ".rss", "/feed", "feed.xml", "atom.xml", "rss.xml", "index.xml"].iter().any(|part| url.contains(part))
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
    flow.begin(&id, "formTrigger", None, subject(items).unwrap_or("submission"));
    if let Some(file) = fields.iter().find(|field| field.kind == "file") {
        flow.data.binary = Some(file.name.clone());
        flow.file = Some((id, file.name.clone()));
    }
    let field = |field: FormField| Field { label: field.label, words: field.nouns, path: field.name, main: true };
    flow.data.fields = fields.into_iter().filter(|field| field.kind != "file").map(field).collect();
}
