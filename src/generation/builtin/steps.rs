//! Steps of a workflow: what a clause asks for, as nodes.

use serde_json::json;

use super::clauses::{self, Clause};
use super::fetch::{feed, http, read_first};
use super::files;
use super::flow::Flow;
use super::literals::quoted;
use super::perform::perform;
use super::places;
use super::reading::Item;
use super::records;
use super::reminders;
use super::reply::reply;
use super::shapes::{shape, wait};
use super::sources;
use super::starts::{Start, is_feed, map};
use super::stuck::Stuck;
use super::tokens::Kind;
use super::words::Act;
use super::world::World;

const SYNC: &str = "sync synchronize synchronise synchronisiere synchronisieren synchroniser sincroniza sincronizar";

/// Adds the nodes of a clause.
pub(super) fn step(flow: &mut Flow<'_>, clause: &Clause, world: &World<'_>) -> Result<(), Stuck> {
    let unknown = || Stuck::Unknown(clause.text());
    let verbs = clause.verbs();
    let mut acts: Vec<Act> = verbs.iter().filter_map(|at| clause.items[*at].act).collect();
    acts.extend(places::implied(clause).filter(|_| acts.is_empty()));
    let said = |words: &[&str]| clause.items.iter().any(|item| item.is(words));
    if acts.is_empty() {
        let tells = clause.items.iter().any(|item| item.service.is_some() || item.is_value() || item.kind == Kind::Host);
        return if tells { Err(unknown()) } else { Ok(()) };
    }
    // One by one, new records are synchronised by being copied.
    let copies = matches!(world.start, Start::Service(_)) && clause.items.iter().any(|item| item.is_verb && item.among(SYNC));
    if copies && acts == [Act::Unsupported] {
        acts = vec![Act::Create];
    }
    // `remind us to clean the desks`: what follows is the text.
    if acts.first() == Some(&Act::Send) && reminders::text(clause).is_some() {
        acts = vec![Act::Send];
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
        && !verbs.is_empty()
        && verbs.iter().all(arrives)
        && clause.items.iter().all(|item| item.service.is_none() && !item.is_value())
    {
        return Ok(());
    }
    let nouns: Vec<&'static str> = clause.items.iter().filter_map(|item| item.noun).collect();
    // `check` before `if` is no step of its own.
    let bare = clause.items.iter().all(|item| item.is_verb || item.plain && item.service.is_none());
    if bare
        && acts == [Act::Get]
        && said(&["check", "checks", "prufe", "verifie", "comprueba", "search", "look", "poll", "suche", "cherche", "busca"])
    {
        return Ok(());
    }
    let act = main_act(&acts, clause);
    let act = if gets_message(clause, &nouns) || act == Act::Create && writes_message(clause) { Act::Send } else { act };
    weather(flow, clause, &nouns, world)?;
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
    let (sources, targets): (Vec<_>, Vec<_>) =
        services.iter().copied().partition(|(at, _)| places::is_source(&clause.items, *at) || places::is_object(flow, clause, *at, act));
    let reads = matches!(act, Act::Get | Act::Download);
    if sources.is_empty() && !reads {
        read_first(flow, clause)?;
    }
    let (sources, targets) = if act == Act::Send { places::mailed(clause, sources, targets, world) } else { (sources, targets) };
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
    if act == Act::Send && !done.is_empty() && places::also_mails(clause, &done, world) {
        return records::mail(flow, clause).map_err(|_| unknown());
    }
    Ok(())
}

/// Reports whether a message is written: `write a message to #sales`, `eine Nachricht schreiben`.
fn writes_message(clause: &Clause) -> bool {
    let writes =
        "write writes create creates schreibe schreiben schreibt schreib erstelle erstellen ecris ecrire escribe escribir crea crear";
    let one =
        |pair: &[Item]| pair[0].is(&["a", "an", "eine", "un", "une", "una", "einen"]) && matches!(pair[1].noun, Some("message" | "sms"));
    clause.items.iter().any(|item| item.is_verb && item.among(writes)) && clause.items.windows(2).any(one)
}

/// Reads the weather of a city that a message is to tell; n8n has one service for it.
fn weather(flow: &mut Flow<'_>, clause: &Clause, nouns: &[&'static str], world: &World<'_>) -> Result<(), Stuck> {
    let about = nouns.iter().any(|noun| matches!(*noun, "weather" | "forecast"));
    if !about || !flow.data.hollow || sources::city(clause).is_none() {
        return Ok(());
    }
    let named = world.items.iter().filter_map(|item| item.service).any(|at| world.lexicon.services[at].key.contains("Weather"));
    let Some(service) = world.lexicon.by_key("openWeatherMap").filter(|_| !named) else { return Ok(()) };
    flow.assume("The weather is that of OpenWeatherMap");
    perform(flow, clause, service, Act::Get, nouns, world)
}

/// Reports whether somebody gets a message: `the customer gets a mail by Gmail`.
fn gets_message(clause: &Clause, nouns: &[&str]) -> bool {
    let gets = clause
        .items
        .iter()
        .any(|item| item.is_verb && item.is(&["get", "gets", "receive", "receives", "bekommt", "erhalt", "recoit", "recibe"]));
    let message = nouns.iter().any(|noun| matches!(*noun, "mail" | "message" | "sms" | "alert"));
    let from = clause.items.iter().any(|item| item.is(&["from", "in", "aus", "all", "unread"]));
    gets && message && !from
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

/// Adds a step whose clause names no service: an address, a mail, an answer.
fn without_service(flow: &mut Flow<'_>, clause: &Clause, act: Act, nouns: &[&'static str], world: &World<'_>) -> Result<(), Stuck> {
    let unknown = || Stuck::Unknown(clause.text());
    let url = clause.items.iter().find(|item| item.kind == Kind::Url).map(|item| item.text.clone());
    let said = |words: &[&str]| clause.items.iter().any(|item| item.is(words));
    if matches!(act, Act::Get) && clause.items.iter().any(is_feed) {
        return feed(flow, clause);
    }
    if let Some(url) = url {
        return http(flow, clause, act, &url);
    }
    if matches!(act, Act::Get)
        && (nouns.contains(&"text") || nouns.contains(&"document"))
        && world.items.iter().any(|item| item.is(&["pdf", "pdfs"]))
    {
        return files::text_of_pdf(flow).ok_or_else(unknown);
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
        return records::mail(flow, clause).map_err(|_| unknown());
    }
    let back = said(&["back", "answer", "reply", "response", "thread", "zuruck", "antwort", "respuesta"])
        || said(&["same", "selben", "gleichen", "meme", "mismo"])
            && nouns.iter().any(|noun| matches!(*noun, "channel" | "chat" | "thread"));
    if act == Act::Reply || act == Act::Send && back {
        return reply(flow, clause, nouns, world);
    }
    match act {
        Act::Send if !world.channel.is_empty() => {
            let mut items = clause.items.clone();
            items.push(clauses::comma());
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
        Act::Send => Err(if sources::to_sender(clause) && world.start_service.is_some() { unknown() } else { Stuck::Channel }),
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
