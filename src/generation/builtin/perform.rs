//! Nodes of services: they read records, process the data, or have an effect.

use serde_json::Map;

use super::choices;
use super::clauses::Clause;
use super::conditions;
use super::data::Data;
use super::fetch::{FRESH, limit, unseen};
use super::files;
use super::flow::Flow;
use super::operations::{self, Operation};
use super::reading::Item;
use super::records;
use super::shapes::language;
use super::sources;
use super::stuck::Stuck;
use super::tokens::Kind;
use super::words::Act;
use super::world::World;

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
        && files::existing(flow).is_some()
    {
        nouns.insert(0, "document");
    }
    // `orders go to Slack`: what a service does not process is put there.
    let acts: &[Act] = if act == Act::Process { &[Act::Process, Act::Send, Act::Create] } else { &[act] };
    let by = |nouns: &[&str]| acts.iter().find_map(|act| Some((*act, operations::choose(&service, *act, nouns, flow.catalog)?)));
    // `put them into Pipedrive`: the record is what the data is about.
    let found = by(&nouns).or_else(|| by(&[flow.data.noun.as_str()]).filter(|_| refers(clause)));
    // New records are found among all.
    let fresh = act == Act::Get && clause.items.iter().any(|item| item.among(FRESH));
    let lists = found.as_ref().is_some_and(|(_, operation)| is_read(operation));
    let listing = if fresh && !lists { operations::listing(&service, &nouns, flow.catalog) } else { None };
    let found = listing.map(|operation| (act, operation)).or(found);
    let (act, operation) = found.ok_or_else(|| unknown(&clause.text()))?;
    let full = service.action.clone().ok_or_else(|| unknown(&clause.text()))?;
    if is_read(&operation) {
        return read(flow, clause, &full, &operation, &service.display).map_err(|name| unknown(&format!("{}: {name}", clause.text())));
    }
    if matches!(act, Act::Process | Act::Translate | Act::Get | Act::Extract) || operation.name.contains("enrich") {
        return process(flow, clause, &full, &operation, &service.display).map_err(|name| unknown(&format!("{}: {name}", clause.text())));
    }
    let replies = matches!(act, Act::Reply)
        || world.start_service.is_some_and(|at| world.lexicon.services[at].key == service.key) && sources::to_sender(clause);
    records::sink(flow, clause, &full, &operation, &service, replies).map_err(|name| match name.as_str() {
        "" => unknown(&clause.text()),
        name => unknown(&format!("{}: no value for {name}", clause.text())),
    })
}

/// Reports whether a clause speaks of the items by a pronoun, and names nothing itself.
fn refers(clause: &Clause) -> bool {
    const PRONOUNS: &str = "it them each those these this that sie ihn es diese dies les le la lo los las cela eso";
    let named = |item: &Item| item.noun.is_some() && !item.is_verb && item.service.is_none();
    clause.items.iter().any(|item| item.among(PRONOUNS)) && !clause.items.iter().any(named)
}

/// States of records.
pub(super) const STATES: &str = "open closed won lost overdue unpaid paid active inactive pending failed completed done unassigned urgent expired due cancelled \
        offene offenen uberfallige uberfalligen unbezahlte bezahlte aktive ouverts ouvertes impayees pendientes abiertos abiertas vencidas";
/// Operations that return only records that are open.
pub(super) const OPEN_ONLY: &[&str] =
    &["github.repository.getIssues", "github.repository.getPullRequests", "todoist.task.getAll", "trello.list.getCards"];

/// Returns the state that the records to read are in, and its word in the prompt, unless the operation returns only such records.
fn state(clause: &Clause, operation: &Operation) -> Option<(String, String)> {
    const BEHIND: &str = "ouverts ouvertes impayees pendientes abiertos abiertas vencidas";
    let item = clause.items.windows(2).find_map(|pair| {
        let before = pair[0].among(STATES) && (pair[1].noun.is_some() || pair[1].service.is_some());
        let behind = pair[1].among(BEHIND) && (pair[0].noun.is_some() || pair[0].service.is_some());
        before.then_some(&pair[0]).or(behind.then_some(&pair[1]))
    })?;
    let given = OPEN_ONLY.contains(&operation.name.as_str())
        && item.is(&["open", "active", "offene", "offenen", "pendientes", "abiertos", "abiertas", "ouverts", "ouvertes"]);
    const UNINFLECTED: &[(&str, &str)] = &[
        ("offen", "offene offenen offener"),
        ("überfällig", "uberfallige uberfalligen"),
        ("unbezahlt", "unbezahlte unbezahlten"),
        ("bezahlt", "bezahlte bezahlten"),
        ("aktiv", "aktive aktiven"),
        ("ouvert", "ouverts ouvertes"),
        ("impayé", "impayees"),
        ("pendiente", "pendientes"),
        ("abierto", "abiertos abiertas"),
        ("vencido", "vencidas"),
    ];
    let plain = UNINFLECTED.iter().find(|(_, words)| item.among(words)).map(|(plain, _)| (*plain).to_owned());
    (!given).then(|| (plain.unwrap_or_else(|| item.word.clone()), item.text.clone()))
}

/// Returns the parameter by which a service returns only the records of a state.
fn queried(operation: &str, state: &str) -> Option<(&'static str, serde_json::Value)> {
    let open = matches!(state, "open" | "offen" | "ouvert" | "abierto" | "pendiente" | "pending");
    let done = matches!(state, "closed" | "done" | "completed");
    match operation {
        "jira.issue.getAll" if open => Some(("options", serde_json::json!({"jql": "statusCategory != Done"}))),
        "jira.issue.getAll" if done => Some(("options", serde_json::json!({"jql": "statusCategory = Done"}))),
        _ => None,
    }
}

/// Returns the period of the events that a clause asks for, if it is not today.
fn period(clause: &Clause) -> Option<(String, String)> {
    let pair = |one: &[&str], other: &[&str]| clause.items.windows(2).any(|two| two[0].is(one) && two[1].is(other));
    let (this, next) = (&["this", "diese", "dieser", "cette", "esta"], &["next", "coming", "nachste", "nachsten", "prochaine", "proxima"]);
    let (week, month) = (&["week", "weeks", "woche", "semaine", "semana"], &["month", "months", "monat", "mois", "mes"]);
    let (unit, shift) = if clause.items.iter().any(|item| item.is(&["tomorrow", "tomorrows", "demain"])) {
        ("day", Some("days"))
    } else if pair(this, week) || pair(next, week) {
        ("week", pair(next, week).then_some("weeks"))
    } else if pair(this, month) || pair(next, month) {
        ("month", pair(next, month).then_some("months"))
    } else {
        return None;
    };
    let now = shift.map_or_else(|| "$now".to_owned(), |shift| format!("$now.plus({{ {shift}: 1 }})"));
    Some((format!("{{{{ {now}.startOf('{unit}') }}}}"), format!("{{{{ {now}.endOf('{unit}') }}}}")))
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
        "5DayForecast",
        "executeQuery",
    ];
    READS.contains(&operation.operation.as_str()) || operation.name == "dataTable.row.get"
}

fn read(flow: &mut Flow<'_>, clause: &Clause, full: &str, operation: &Operation, display: &str) -> Result<(), String> {
    // The request is for a number or a selection, and these would be all records.
    let due = clause
        .items
        .windows(2)
        .any(|two| two[0].is(&["due", "fallig"]) && two[1].is(&["today", "tomorrow", "this", "soon", "next", "heute", "morgen"]));
    if sources::counts(clause) || due {
        return Err("which, or how many".to_owned());
    }
    let source = sources::source(flow, clause, &operation.kind, &[]);
    let queries = clause.items.iter().any(|item| item.is(&["select", "insert", "update", "delete"]));
    if operation.operation == "executeQuery" && source.search.is_none() && queries {
        return Err("the query, in quotation marks".to_owned());
    }
    let mut set = Map::new();
    let sender = clause.items.windows(2).find(|two| two[0].is(&["from", "by", "von", "de"]) && two[1].kind == Kind::Mail);
    if let Some([_, sender]) = sender.filter(|_| operation.name == "gmail.message.getAll") {
        set.insert("filters".to_owned(), serde_json::json!({"readStatus": "unread", "sender": sender.text}));
    }
    if let Some((from, to)) = period(clause).filter(|_| operation.name == "googleCalendar.event.getAll") {
        set.insert("timeMin".to_owned(), from.into());
        set.insert("timeMax".to_owned(), to.into());
    }
    let id = flow.act(full, operation, &format!("Get from {display}"), &source, set)?;
    flow.extend(&id);
    let many = !matches!(operation.operation.as_str(), "currentWeather" | "5DayForecast");
    // `send me a mail with the rows`: the mail is not what is read.
    let read: Vec<Item> =
        clause.items.iter().filter(|item| !matches!(item.noun, Some("mail" | "message" | "summary" | "report"))).cloned().collect();
    let noun = super::starts::subject(&read).or_else(|| super::starts::subject(&clause.items)).unwrap_or("result");
    let noun = if operation.name.starts_with("hackerNews") { "article" } else { noun }.to_owned();
    let key = operation.kind.split('.').next().unwrap_or_default().to_owned();
    let mut data = Data::of(&id, &operation.name, None);
    // A query has the columns that the user chose.
    if operation.operation == "executeQuery" && data.open.is_none() {
        data.open = Some(String::new());
    }
    let raw = data.fields.is_empty() && data.open.is_none();
    flow.turn_to(Data { many, noun, service: key, raw, ..data });
    if many && clause.items.iter().any(|item| item.among(FRESH)) {
        unseen(flow);
    }
    let (state, said) = state(clause, operation).unzip();
    let asked = state.as_deref().and_then(|state| queried(&operation.name, state));
    if let Some((name, value)) = asked.clone()
        && let Some(node) = flow.by_id(&id)
    {
        node.set.insert(name.to_owned(), value);
        flow.assume(format!("Issues that are {} are chosen by the category of their status", said.unwrap_or_default()));
    } else if let Some(state) = state {
        let test = choices::Test::Equals { nouns: vec!["status".to_owned()], text: state.clone(), not: false };
        let known = flow.data.open.is_some() || flow.data.field("status").is_some();
        let case = conditions::case(&test, flow).filter(|_| known).ok_or_else(|| format!("which are {state}"))?;
        flow.condition("filter", "Filter", vec![case]);
        flow.assume(format!("Those are {} whose status is {state}", said.unwrap_or_default()));
    }
    records::inline_filter(flow, clause)?;
    limit(flow, clause);
    if many && files::is_table(clause) {
        files::file(flow, clause)?;
    }
    Ok(())
}

fn process(flow: &mut Flow<'_>, clause: &Clause, full: &str, operation: &Operation, display: &str) -> Result<(), String> {
    let mut source = sources::source(flow, clause, &operation.kind, &[]);
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
        let (_, property) = files::existing(flow).ok_or_else(|| "a file".to_owned())?;
        source.data.binary = Some(property);
    }
    let id = flow.act(full, operation, display, &source, Map::new())?;
    if let Some((holder, _)) = flow.file.clone().filter(|_| of_file) {
        flow.attach_to_file(&holder, &id)?;
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
