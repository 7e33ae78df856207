//! Values that a node is filled in from: what its clause says, and what the data has.

use super::clauses::Clause;
use super::data::{Data, Wanted, capital};
use super::flow::Flow;
use super::given::Source;
use super::mails;
use super::names;
use super::tokens::Kind;
use super::world::harmless;

/// Returns what a node of a clause is filled in from.
/// `wanted` are the fields that the clause names.
pub(super) fn source(flow: &Flow<'_>, clause: &Clause, kind: &str, wanted: &[Wanted]) -> Source {
    let find = |wanted: Kind| clause.items.iter().find(|item| item.kind == wanted).map(|item| item.text.clone());
    let quoted = find(Kind::Quoted);
    let prefix = kind.split('.').next().unwrap_or(kind).to_owned();
    let made = flow.made.as_ref().map(|code| format!("{{{{{code}}}}}"));
    let noun = if flow.data.noun.is_empty() { "item" } else { flow.data.noun.as_str() };
    let text = made.clone().unwrap_or_else(|| match &flow.collected {
        Some(id) if counts(clause) => format!("{}: {{{{ {id}.items.length }}}}", capital(&plural(noun))),
        Some(id) => joined(id, &flow.data, wanted),
        None if flow.data.node.is_empty() => String::new(),
        None if wanted.is_empty() => flow.data.text(),
        None => lines(wanted),
    });
    // A text that a node made comes first: `the summary with the link`.
    let text = if made.is_some() && !wanted.is_empty() { format!("{text}\n{}", lines(wanted)) } else { text };
    // The whole mail is forwarded.
    let body = flow.data.field("text").filter(|field| !field.main && made.is_none() && flow.collected.is_none() && wanted.is_empty());
    let text = match body.filter(|_| mails::forwards(clause)) {
        Some(body) => format!("{text}\n\n{{{{{}}}}}", flow.data.code(&body.path)),
        None => text,
    };
    let own = mails::subject(clause).map(|subject| harmless(&subject));
    let title = match (flow.data.title(), &flow.collected) {
        _ if own.is_some() => own.unwrap_or_default(),
        (Some(title), None) => title,
        (_, Some(_)) => capital(&plural(noun)),
        // `https://shop.example does not answer`.
        (None, None) if noun == "error" && made.is_some() => made.clone().unwrap_or_default(),
        (None, None) => flow.data.headline(noun),
    };
    let title = match wanted.iter().find(|one| one.is("title") || one.is("name")) {
        Some(one) if flow.collected.is_none() && mails::subject(clause).is_none() => format!("{{{{{}}}}}", one.code),
        _ => title,
    };
    let mail = find(Kind::Mail).or_else(|| find(Kind::Phone));
    let me = clause.items.iter().any(|item| {
        item.is(&["me", "us", "mir", "uns", "mich", "moi", "nous", "team", "everyone", "everybody", "boss", "manager", "hr", "colleagues"])
    }) || clause.items.iter().any(|item| item.is(&["avisame", "enviame", "mandame"]));
    let named = wanted.iter().find(|one| one.is("mail") || one.is("email")).map(|one| one.code.clone());
    let address = column(clause).and_then(|name| flow.read(&name)).or(named).or_else(|| flow.address());
    let places = places(flow, clause, &prefix);
    let chat = places.iter().find(|(place, _)| *place == "chat").map(|(_, name)| name.clone());
    let recipient = match mail {
        Some(mail) => Some(mail),
        None if me || address.is_none() || !to_sender(clause) => Some("?recipient".to_owned()),
        None => None,
    };
    Source {
        text,
        title,
        address,
        recipient,
        channel: channel(flow, clause, &prefix).or_else(|| named_channel(clause)).or(chat),
        places,
        search: quoted,
        city: city(clause),
        all: clause.items.iter().any(|item| item.among("all every complete entire alle allen samtliche tous toutes todos todas")),
        data: flow.data.clone(),
        wanted: wanted.to_vec(),
        prefix,
        ..Source::default()
    }
}

/// Returns the column or field with the address of the recipient, as the prompt writes it: `the address in the column Email`.
fn column(clause: &Clause) -> Option<String> {
    let at = clause.items.iter().position(|item| item.among("column field spalte feld colonne champ columna campo"))?;
    let behind = clause.items.get(at + 1).filter(|item| item.kind == Kind::Quoted || item.kind == Kind::Word && (!item.plain || item.name));
    behind.map(|item| item.text.clone())
}

/// Returns the places of a service: of two tables, the one that stands nearer to it than to another service.
fn places(flow: &Flow<'_>, clause: &Clause, key: &str) -> Vec<(&'static str, String)> {
    let all = names::places_at(&clause.items);
    let service = |at: usize| clause.items[at].service.map(|own| flow.lexicon.services[own].key.as_str());
    let nearest = |at: usize| (0..clause.items.len()).filter(|other| service(*other).is_some()).min_by_key(|other| other.abs_diff(at));
    let own = |at: usize| nearest(at).and_then(service).is_none_or(|nearest| nearest == key);
    let several = |place: &str| all.iter().filter(|(_, other, _)| *other == place).count() > 1;
    let kept = all.iter().filter(|(at, place, _)| !several(place) || own(*at));
    kept.map(|(_, place, name)| (*place, name.clone())).collect()
}

/// Returns the channel that stands nearest to the service of a node: `to #news in Slack and to our Telegram channel @news`.
fn channel(flow: &Flow<'_>, clause: &Clause, key: &str) -> Option<String> {
    let own = |item: &super::reading::Item| item.service.is_some_and(|at| flow.lexicon.services[at].key == key);
    let services: Vec<usize> = (0..clause.items.len()).filter(|at| own(&clause.items[*at])).collect();
    let far = |at: usize| services.iter().map(|own| own.abs_diff(at)).min().unwrap_or_default();
    let all = (0..clause.items.len()).filter(|at| clause.items[*at].kind == Kind::Channel);
    all.min_by_key(|at| far(*at)).map(|at| clause.items[at].text.clone())
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

pub(super) fn plural(noun: &str) -> String {
    if noun.ends_with('s') { noun.to_owned() } else { format!("{noun}s") }
}

/// Returns the text about all items that a node collected.
fn joined(id: &str, data: &Data, wanted: &[Wanted]) -> String {
    let named: Vec<&str> = wanted.iter().filter_map(|one| one.line.as_deref()).collect();
    let line = if named.is_empty() { data.line() } else { named.join(" + ' – ' + ") };
    format!("{{{{ {id}.items.map(item => '• ' + {line}).join('\\n') }}}}")
}

/// Returns a text of the fields that the prompt names.
pub(super) fn lines(wanted: &[Wanted]) -> String {
    match wanted {
        [one] => format!("{{{{{}}}}}", one.code),
        _ => wanted.iter().map(|one| format!("{}: {{{{{}}}}}", capital(&one.label), one.code)).collect::<Vec<_>>().join("\n"),
    }
}

/// Reports whether a clause speaks to the person that the item is about.
pub(super) fn to_sender(clause: &Clause) -> bool {
    const SENDERS: &str = "back sender them him her person address adresse submitter applicant visitor absender kunden zuruck thread customer \
        client user lead subscriber requester reporter author buyer guest participant invitee customers candidate applicants subscribers attendee reporters absenderin expediteur remitente";
    let is_person = |noun| matches!(noun, Some("customer" | "contact" | "address" | "user" | "lead" | "visitor"));
    clause.items.iter().any(|item| item.among(SENDERS) || is_person(item.noun))
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
