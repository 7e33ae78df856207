//! Steps of a workflow: what a clause asks for, as nodes.

use serde_json::{Map, json};

use super::clauses::Clause;
use super::conditions;
use super::data::Data;
use super::fetch::{FRESH, feed, http, limit, read_first, unseen};
use super::files;
use super::flow::Flow;
use super::literals::{literal, names_something};
use super::operations::{self, Operation};
use super::reading::Item;
use super::records;
use super::shapes::{language, shape, wait};
use super::starts::{Start, map};
use super::tokens::Kind;
use super::words::Act;
use super::world::{Stuck, World, harmless};

/// Adds the nodes of a clause.
pub(super) fn step(flow: &mut Flow<'_>, clause: &Clause, world: &World<'_>) -> Result<(), Stuck> {
    let unknown = || Stuck::Unknown(clause.text());
    let verbs = clause.verbs();
    let acts: Vec<Act> = verbs.iter().filter_map(|at| clause.items[*at].act).collect();
    let said = |words: &[&str]| clause.items.iter().any(|item| item.is(words));
    if acts.is_empty() {
        let tells = clause.items.iter().any(|item| item.service.is_some() || item.is_value() || item.kind == Kind::Host);
        return if tells { Err(unknown()) } else { Ok(()) };
    }
    if acts.contains(&Act::Unsupported) {
        return Err(unknown());
    }
    // `whatever text I send it` describes what arrives.
    let arrives =
        |at: &usize| *at > 0 && clause.items[at - 1].is(&["i", "we", "you", "they", "people", "users", "customers", "someone", "somebody"]);
    let speaks = matches!(world.start, Start::Service(_) | Start::Chat | Start::Webhook | Start::Form);
    if speaks
        && acts == [Act::Send]
        && verbs.iter().all(arrives)
        && clause.items.iter().all(|item| item.service.is_none() && !item.is_value())
    {
        return Ok(());
    }
    let nouns: Vec<&'static str> = clause.items.iter().filter_map(|item| item.noun).collect();
    // `check` before `if` is no step of its own.
    let bare = clause.items.iter().all(|item| item.is_verb || item.plain && item.service.is_none());
    if bare && acts == [Act::Get] && said(&["check", "checks", "prufe", "verifie", "comprueba"]) {
        return Ok(());
    }
    let act = main_act(&acts, clause);
    let act = if gets_message(clause, &nouns) { Act::Send } else { act };
    match act {
        Act::Wait => return wait(flow, clause).ok_or_else(unknown),
        Act::Stop => {
            let message = quoted(clause).unwrap_or_else(|| "The workflow was stopped".to_owned());
            let id = flow.node("stopAndError", "Stop", map(json!({"errorMessage": message})));
            flow.attach(&id);
            flow.effects += 1;
            return Ok(());
        }
        Act::Convert => return files::convert(flow, clause, &nouns).ok_or_else(unknown),
        Act::Sort | Act::Filter | Act::Deduplicate | Act::Collect => return shape(flow, clause, act).ok_or_else(unknown),
        _ => {}
    }
    let services: Vec<(usize, usize)> = clause.items.iter().enumerate().filter_map(|(at, item)| Some((at, item.service?))).collect();
    if services.is_empty() {
        return without_service(flow, clause, act, &nouns, world);
    }
    let (sources, targets): (Vec<_>, Vec<_>) = services.iter().copied().partition(|(at, _)| is_source(&clause.items, *at));
    let reads = matches!(act, Act::Get | Act::Download);
    if sources.is_empty() && !reads {
        read_first(flow, clause)?;
    }
    let (sources, targets) = if act == Act::Send { mailed(clause, sources, targets, world) } else { (sources, targets) };
    let own = |service: &usize| world.start_service == Some(*service);
    for (_, service) in &sources {
        let repeats = !reads && (own(service) || flow.data.service == world.lexicon.services[*service].key);
        if !repeats {
            perform(flow, clause, *service, if act == Act::Download { act } else { Act::Get }, &nouns, world)?;
        }
    }
    let act = match act {
        // `copy the rows from A to B`.
        Act::Get if !sources.is_empty() && !targets.is_empty() => Act::Create,
        Act::Download if !sources.is_empty() && !targets.is_empty() => Act::Upload,
        // `add or update`.
        Act::Create if acts.contains(&Act::Update) && said(&["or", "oder", "ou", "o"]) => Act::Upsert,
        other => other,
    };
    if act == Act::Send && targets.is_empty() && !sources.is_empty() {
        return without_service(flow, clause, act, &nouns, world);
    }
    let mut done: Vec<usize> = Vec::new();
    for (_, service) in targets {
        if !done.contains(&service) {
            perform(flow, clause, service, act, &nouns, world)?;
            done.push(service);
        }
    }
    Ok(())
}

/// Reports whether somebody gets a message: `the customer gets a mail by Gmail`.
fn gets_message(clause: &Clause, nouns: &[&str]) -> bool {
    let gets = clause
        .items
        .iter()
        .any(|item| item.is_verb && item.is(&["get", "gets", "receive", "receives", "bekommt", "erhalt", "recoit", "recibe"]));
    let message = nouns.iter().any(|noun| matches!(*noun, "mail" | "message" | "sms"));
    let from = clause.items.iter().any(|item| item.is(&["from", "in", "aus", "all", "unread"]));
    gets && message && !from
}

/// Places of services among the items of a clause, with the services.
type Places = Vec<(usize, usize)>;

/// Tells what a mail is about from what sends it: `mail me my Google Calendar events`.
fn mailed(clause: &Clause, mut sources: Places, targets: Places, world: &World<'_>) -> (Places, Places) {
    let mails = clause.items.iter().any(|item| item.is_verb && item.is(&["mail", "mails", "email", "emails", "mailed", "emailed"]));
    if !mails {
        return (sources, targets);
    }
    const SENDERS: &[&str] = &["gmail", "microsoftOutlook", "awsSes", "sendGrid", "mailgun", "mailjet", "mandrill", "sendInBlue"];
    let (senders, others): (Vec<_>, Vec<_>) =
        targets.into_iter().partition(|(_, at)| SENDERS.contains(&world.lexicon.services[*at].key.as_str()));
    sources.extend(others);
    (sources, senders)
}

/// Returns the verb that decides what the clause does.
fn main_act(acts: &[Act], clause: &Clause) -> Act {
    let back = clause.items.iter().any(|item| item.is(&["back", "thread", "zuruck"]));
    let first = acts.first().copied().unwrap_or(Act::Light);
    match acts {
        [Act::Get, second, ..] if *second != Act::Get => *second,
        [Act::Send, ..] if back && clause.items.iter().all(|item| item.service.is_none()) => Act::Reply,
        _ => first,
    }
}

/// Reports whether the data comes from the service at a place.
fn is_source(items: &[Item], at: usize) -> bool {
    for item in items[..at].iter().rev().take(5) {
        if item.is(&["from", "aus", "von", "vom", "desde", "depuis"]) {
            return true;
        }
        if item.is(&[
            "to", "in", "into", "on", "onto", "at", "with", "via", "by", "through", "using", "an", "a", "nach", "per", "mit", "en", "dans",
            "sur", "par", "avec", "con", "por",
        ]) || item.is_verb
            || item.service.is_some()
        {
            return false;
        }
    }
    false
}

/// Adds a node of a service.
pub(super) fn perform(
    flow: &mut Flow<'_>,
    clause: &Clause,
    service: usize,
    act: Act,
    nouns: &[&'static str],
    world: &World<'_>,
) -> Result<(), Stuck> {
    let service = world.lexicon.services[service].clone();
    let unknown = |what: &str| Stuck::Unknown(format!("{what} ({})", service.display));
    let mut nouns = nouns.to_vec();
    let file_act = matches!(act, Act::Send | Act::Reply | Act::Upload | Act::Create);
    if file_act && flow.file.is_some() && flow.made.is_none() && nouns.contains(&"image") && !nouns.contains(&"text") {
        nouns.insert(0, "image");
    } else if file_act {
        nouns.retain(|noun| flow.file.is_some() || !matches!(*noun, "image" | "file" | "document"));
    }
    if service.key == "telegram"
        && matches!(act, Act::Send | Act::Reply)
        && flow.data.noun == "file"
        && !nouns.contains(&"name")
        && files::held(flow).is_some()
    {
        nouns.insert(0, "document");
    }
    // `orders go to Slack`: what a service does not process is put there.
    let acts: &[Act] = if act == Act::Process { &[Act::Process, Act::Send, Act::Create] } else { &[act] };
    let found = acts.iter().find_map(|act| Some((*act, operations::choose(&service, *act, &nouns, flow.catalog)?)));
    let (act, operation) = found.ok_or_else(|| unknown(&clause.text()))?;
    let full = service.action.clone().ok_or_else(|| unknown(&clause.text()))?;
    if is_read(&operation) {
        return read(flow, clause, &full, &operation, &service.display, &nouns)
            .map_err(|name| unknown(&format!("{}: {name}", clause.text())));
    }
    if matches!(act, Act::Process | Act::Translate | Act::Get | Act::Extract) || operation.name.contains("enrich") {
        return process(flow, clause, &full, &operation, &service.display, &nouns)
            .map_err(|name| unknown(&format!("{}: {name}", clause.text())));
    }
    let replies = matches!(act, Act::Reply)
        || world.start_service.is_some_and(|at| world.lexicon.services[at].key == service.key) && records::to_sender(clause);
    records::sink(flow, clause, &full, &operation, &service, &nouns, replies).map_err(|name| match name.as_str() {
        "" => unknown(&clause.text()),
        name => unknown(&format!("{}: no value for {name}", clause.text())),
    })
}

/// Returns the state that the records to read are in, unless the operation returns only such records.
fn state(clause: &Clause, operation: &Operation) -> Option<String> {
    const STATES: &str = "open closed won lost overdue unpaid paid active inactive pending failed completed done unassigned urgent expired due cancelled \
        offene offenen uberfallige uberfalligen unbezahlte bezahlte aktive ouverts ouvertes impayees pendientes abiertos abiertas vencidas";
    let item = clause
        .items
        .windows(2)
        .find(|pair| pair[0].among(STATES) && (pair[1].noun.is_some() || pair[1].service.is_some()))
        .map(|pair| &pair[0])?;
    let has_open = ["github.repository.getIssues", "github.repository.getPullRequests", "todoist.task.getAll", "trello.list.getCards"];
    let given = has_open.contains(&operation.name.as_str())
        && item.is(&["open", "active", "offene", "offenen", "pendientes", "abiertos", "abiertas", "ouverts", "ouvertes"]);
    (!given).then(|| item.word.clone())
}

/// Reports whether an operation reads a list of records.
fn is_read(operation: &Operation) -> bool {
    const READS: &[&str] = &[
        "getAll",
        "search",
        "read",
        "select",
        "find",
        "getCards",
        "getIssues",
        "getPullRequests",
        "history",
        "readRows",
        "list",
        "getMany",
        "currentWeather",
    ];
    READS.contains(&operation.operation.as_str()) || operation.name == "dataTable.row.get"
}

fn read(flow: &mut Flow<'_>, clause: &Clause, full: &str, operation: &Operation, display: &str, nouns: &[&str]) -> Result<(), String> {
    let source = records::source(flow, clause, &operation.kind, nouns);
    let id = flow.act(full, operation, &format!("Get from {display}"), &source, Map::new())?;
    flow.extend(&id);
    let many = operation.operation != "currentWeather";
    let noun = super::starts::subject(&clause.items).unwrap_or("result").to_owned();
    let key = operation.kind.split('.').next().unwrap_or_default().to_owned();
    flow.turn_to(Data { many, noun, service: key, ..Data::of(&id, &operation.name, None) });
    if many && clause.items.iter().any(|item| item.among(FRESH)) {
        unseen(flow);
    }
    if let Some(state) = state(clause, operation) {
        let test = conditions::Test::Equals { nouns: vec!["status".to_owned()], text: state.clone(), not: false };
        let known = flow.data.open.is_some() || flow.data.field("status").is_some();
        let case = conditions::case(&test, flow).filter(|_| known).ok_or_else(|| format!("which are {state}"))?;
        flow.condition("filter", "Filter", vec![case]);
        flow.assume(format!("Those are {state} whose status says so"));
    }
    records::inline_filter(flow, clause);
    limit(flow, clause);
    Ok(())
}

fn process(flow: &mut Flow<'_>, clause: &Clause, full: &str, operation: &Operation, display: &str, nouns: &[&str]) -> Result<(), String> {
    let mut source = records::source(flow, clause, &operation.kind, nouns);
    // The service examines the item itself, and a file if it takes one.
    source.recipient = None;
    source.language = language(clause);
    if flow.made.is_none()
        && let Some(text) = flow.data.field("text").or_else(|| flow.data.field("message"))
    {
        source.text = format!("{{{{{}}}}}", flow.data.code(&text.path));
    }
    let of_file = operation.name == "awsTextract.analyzeExpense";
    // A service that reads a text is given none that is made up of all fields.
    let reads_text = operation.name.contains("translate") || operation.name.contains("Sentiment");
    let has_text = ["text", "message", "comment", "title"].iter().any(|noun| flow.data.field(noun).is_some());
    if reads_text && flow.made.is_none() && !has_text && flow.data.open.is_none() {
        return Err("the text".to_owned());
    }
    if of_file {
        let (_, property) = files::held(flow).ok_or_else(|| "a file".to_owned())?;
        source.data.binary = Some(property);
    }
    let id = flow.act(full, operation, display, &source, Map::new())?;
    if let Some((holder, _)) = flow.file.clone().filter(|_| of_file) {
        flow.edges.push(format!("{holder}>{id}"));
        flow.tail.clone_from(&id);
    } else {
        flow.extend(&id);
    }
    let (many, noun) = (flow.data.many, flow.data.noun.clone());
    let mut data = Data { many, noun, ..Data::of(&id, &operation.name, None) };
    if data.fields.is_empty() {
        data.open = of_file.then(String::new);
    }
    flow.turn_to(data);
    if operation.name.contains("translate") {
        flow.made = flow.data.field("text").map(|field| flow.data.code(&field.path));
    }
    Ok(())
}

fn quoted(clause: &Clause) -> Option<String> {
    clause.items.iter().find(|item| item.kind == Kind::Quoted).map(|item| harmless(&item.text))
}

/// Adds a step whose clause names no service: an address, a mail, an answer.
fn without_service(flow: &mut Flow<'_>, clause: &Clause, act: Act, nouns: &[&'static str], world: &World<'_>) -> Result<(), Stuck> {
    let unknown = || Stuck::Unknown(clause.text());
    let url = clause.items.iter().find(|item| item.kind == Kind::Url).map(|item| item.text.clone());
    let said = |words: &[&str]| clause.items.iter().any(|item| item.is(words));
    if let Some(url) = url {
        return http(flow, clause, act, &url);
    }
    if matches!(act, Act::Get) && (said(&["rss"]) || nouns.contains(&"feed")) {
        return feed(flow, clause);
    }
    if said(&["sms", "text", "texts"]) && matches!(act, Act::Send) && world.sms_service().is_some() {
        return perform(flow, clause, world.sms_service().unwrap_or_default(), Act::Send, nouns, world);
    }
    let mails = matches!(act, Act::Send | Act::Reply | Act::Create)
        && (nouns.contains(&"mail")
            || said(&["mail", "mails", "email", "emails", "emailed", "mailed"])
            || clause.items.iter().any(|item| item.kind == Kind::Mail));
    if mails && act != Act::Reply {
        if let Some(service) = world.mail_service() {
            return perform(flow, clause, service, Act::Send, nouns, world);
        }
        return records::mail(flow, clause, nouns).map_err(|_| unknown());
    }
    let back = said(&["back", "answer", "reply", "response", "thread", "zuruck", "antwort", "respuesta"]);
    if act == Act::Reply || act == Act::Send && back {
        return reply(flow, clause, nouns, world);
    }
    match act {
        Act::Send if !world.channel.is_empty() => {
            let mut items = clause.items.clone();
            items.extend(world.channel.iter().cloned());
            let world = World {
                lexicon: world.lexicon,
                items: world.items,
                start: world.start.clone(),
                channel: Vec::new(),
                start_service: world.start_service,
            };
            step(flow, &Clause { items, ..clause.clone() }, &world)
        }
        Act::Send => Err(if records::to_sender(clause) && world.start_service.is_some() { unknown() } else { Stuck::Channel }),
        Act::Create | Act::Upload | Act::Update => {
            let place = ["database", "table", "sheet", "calendar", "board", "list"].iter().find(|place| nouns.contains(place));
            let vague = clause.items.iter().find(|item| {
                item.is(&["crm", "helpdesk", "system", "tool", "tracker", "erp", "somewhere", "spreadsheet", "drive", "cloud"])
            });
            match (place, vague) {
                (_, Some(item)) => Err(Stuck::Place(item.word.clone())),
                (Some(place), None) => Err(Stuck::Place((*place).to_owned())),
                (None, None) => Err(unknown()),
            }
        }
        _ => Err(unknown()),
    }
}

/// Answers where the workflow was started.
pub(super) fn reply(flow: &mut Flow<'_>, clause: &Clause, nouns: &[&'static str], world: &World<'_>) -> Result<(), Stuck> {
    let text = quoted(clause).or_else(|| literal(clause));
    match &world.start {
        Start::Webhook => {
            // `answer with the forecast` means something of the data, and which field that is nobody says.
            if text.is_none() && flow.made.is_none() && names_something(clause) {
                return Err(Stuck::Unknown(clause.text()));
            }
            let set = match text.or_else(|| flow.made.as_ref().map(|made| format!("{{{{{made}}}}}"))) {
                Some(text) => json!({"respondWith": "text", "responseBody": text}),
                None => json!({"respondWith": "firstIncomingItem"}),
            };
            let id = flow.node("respondToWebhook", "Respond", map(set));
            flow.attach(&id);
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
