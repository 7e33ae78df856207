//! Fields that a clause names: `with the order number and the customer email`, `(name, email, plan)`, `post the title and the link`. What is named is
//! in the message or the record, or nothing is built.

use super::choices;
use super::clauses::Clause;
use super::data::{Data, Wanted};
use super::flow::Flow;
use super::reading::Item;
use super::tokens::Kind;
use super::words::Act;

/// A part of a list, as the prompt has it.
#[derive(Default)]
struct Part<'i> {
    words: Vec<&'i Item>,
    /// Nouns behind `of`.
    of: Vec<&'i Item>,
    /// True if it stands in a list of what something has, rather than being the object of a verb.
    strong: bool,
}

const OPENS: &str = "with mit avec con including includes containing incluyendo comprenant contenant inklusive";
const ENDS: &str = "to into in on onto via by from for as when if unless through using at about after before nach per aus fur zu an auf als en dans sur par pour para por \
     hacia desde who that which whose where so without";
const OF: &str = "of von vom des de del du d";
const ARTICLES: &str = "the a an this that its his her their our my your all new full der die das den dem ein eine einen einem seine ihre le la les l un une son sa ses el los las \
     una su sus";
const PRONOUNS: &str = "it them me us him her everything all that this each one";
/// Words for what is no field of an item.
const IDLE: &str = "help memory hilfe gedachtnis aide memoire ayuda memoria history image button emoji emojis";
/// Words for a time that something has: `with name and time`.
const TIMES: &str = "time day uhrzeit heure hora";
/// Words for people, whose field is meant.
const PERSONS: &str = "invitee attendee guest buyer sender submitter requester author reporter applicant employee participant visitor donor patient student owner";
/// Nouns that are fields wherever they stand.
const FIELDS: &[&str] = &[
    "name",
    "address",
    "phone",
    "number",
    "price",
    "amount",
    "currency",
    "status",
    "date",
    "title",
    "link",
    "text",
    "temperature",
    "score",
    "city",
    "priority",
];
/// Nouns for the whole of an item, for what it brings along, and for what is made of it.
const WHOLE: &[&str] = &[
    "data",
    "result",
    "record",
    "row",
    "list",
    "report",
    "summary",
    "message",
    "attachment",
    "file",
    "image",
    "document",
    "reminder",
    "table",
    "sheet",
    "json",
    "note",
    "feedback",
    "alert",
    "error",
    "audio",
    "video",
    "webhook",
    "form",
    "bot",
    "workflow",
];
/// Words that say whose or which of several fields is meant.
const DISTINCT: &[&str] =
    &["company", "product", "project", "team", "repository", "board", "list", "category", "account", "file", "channel"];
/// Heads that say nothing by themselves: `phone number`, `company name`.
const GENERIC: &[&str] = &["name", "number", "address"];
/// Nouns for a text that a node made.
const MADE: &[&str] = &["summary", "text", "caption", "reply", "result", "translation", "transcript", "message", "answer", "score"];

/// Returns the fields that a clause names, with the code that reads them.
///
/// # Errors
///
/// The name of a field that the data is not known to have.
pub(super) fn wanted(flow: &Flow<'_>, clause: &Clause) -> Result<Vec<Wanted>, String> {
    let parts = parts(clause);
    let fields = parts.iter().filter(|part| is_field(part) || part.strong && is_stranger(part)).count();
    let mut found: Vec<Wanted> = Vec::new();
    for part in &parts {
        let entity = part.head().and_then(|head| head.noun).filter(|_| !is_field(part) && !is_stranger(part));
        // `an email to …`: the message itself; `the issue and its link`: the title tells what the items are.
        let counts = match entity {
            Some("mail") => fields > 0 && !part.words[0].is(&["a", "an", "eine", "einen", "un", "une"]) || part.strong,
            Some(noun) if WHOLE.contains(&noun) => {
                part.strong && fields > 0 && (flow.data.field(noun).is_some() || flow.data.open.is_some() && !is_answer_of_address(flow))
            }
            Some(noun) => fields > 0 && (flow.data.field(noun).is_some() || part.strong && part.is_singular()),
            None => part.strong || fields > 0,
        };
        if !counts || flow.made.is_some() && part.head().and_then(|head| head.noun).is_some_and(|noun| MADE.contains(&noun)) {
            continue;
        }
        let label = part.label();
        let Some(one) = resolve(flow, part, &label) else {
            // The answer of an address is sent as a whole.
            if is_answer_of_address(flow) && !part.strong {
                continue;
            }
            return Err(format!("the field “{label}”"));
        };
        if !found.iter().any(|own| own.code == one.code) {
            found.push(one);
        }
    }
    Ok(found)
}

impl Part<'_> {
    fn head(&self) -> Option<&Item> {
        self.words.last().copied()
    }

    fn label(&self) -> String {
        let words = self.words.iter().filter(|item| !item.among(ARTICLES));
        words
            .map(|item| if item.word == "email" { "email" } else { item.text.trim_end_matches("'s").trim_end_matches("’s") })
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn is_singular(&self) -> bool {
        self.head().is_some_and(|head| !head.word.ends_with('s'))
    }
}

fn is_field(part: &Part<'_>) -> bool {
    part.head().and_then(|head| head.noun).is_some_and(|noun| FIELDS.contains(&noun))
}

fn is_stranger(part: &Part<'_>) -> bool {
    part.head().is_some_and(|head| head.noun.is_none())
}

/// Reports whether the items are what an address answered with, whose fields only the user knows.
fn is_answer_of_address(flow: &Flow<'_>) -> bool {
    flow.kind_of(&flow.data.node) == "httpRequest"
}

/// Returns the parts of the lists of a clause.
fn parts(clause: &Clause) -> Vec<Part<'_>> {
    let items = &clause.items;
    let chosen = choices::within(items).is_some();
    let mut found: Vec<Part<'_>> = Vec::new();
    let opens = |at: usize| items[at].among(OPENS) && !(chosen && items[at].is(&["with", "mit", "avec", "con"]));
    let verb = items
        .iter()
        .position(|item| item.is_verb && matches!(item.act, Some(Act::Send | Act::Create | Act::Upsert | Act::Update | Act::Reply)));
    let mut at = 0;
    while at < items.len() {
        if opens(at) {
            at = list(items, at + 1, true, items[at].text == "(", &mut found);
        } else if Some(at) == verb {
            at = list(items, at + 1, false, false, &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads a list from a place on; returns where it ends. `bracketed`: a preposition alone is a name, too.
fn list<'i>(items: &'i [Item], from: usize, strong: bool, bracketed: bool, found: &mut Vec<Part<'i>>) -> usize {
    let mut part = Part { strong, ..Part::default() };
    let mut of = false;
    let mut at = from;
    let mut push = |part: &mut Part<'i>, of: &mut bool| {
        let own = std::mem::replace(part, Part { strong, ..Part::default() });
        *of = false;
        let says = own.words.iter().any(|item| {
            !item.among(ARTICLES)
                && !item.among(PRONOUNS)
                && (!item.plain || item.noun.is_some() || bracketed || strong && item.among(TIMES))
        });
        let value = own.words.iter().any(|item| item.kind != Kind::Word);
        if says && !value && !own.words.iter().any(|item| item.among(IDLE)) {
            found.push(own);
        }
    };
    while let Some(item) = items.get(at) {
        let parts = item.kind == Kind::Comma || matches!(item.text.as_str(), "+" | "&") || item.is(&["plus"]);
        let alone = part.words.is_empty() && items.get(at + 1).is_none_or(|next| next.kind == Kind::Comma);
        if parts {
            push(&mut part, &mut of);
        } else if item.service.is_some() || item.vendor.is_some() {
            // `with OpenAI`, `to Slack`: it is no list of fields, or the list has ended.
            // The words before it describe it: `the five newest Hacker News stories`.
            return at + 1;
        } else if item.among(OPENS) || item.is_verb && !item.is(&["is", "are"]) || item.among(ENDS) && !(bracketed && alone) {
            break;
        } else if item.among(OF) && !part.words.is_empty() && item.joint.is_none() {
            of = true;
        } else if of {
            part.of.push(item);
        } else {
            part.words.push(item);
        }
        at += 1;
    }
    push(&mut part, &mut of);
    at
}

/// Returns the field that a part means.
fn resolve(flow: &Flow<'_>, part: &Part<'_>, label: &str) -> Option<Wanted> {
    let words: Vec<&Item> = part.words.iter().copied().filter(|item| !item.among(ARTICLES) || item.is(&["new"])).collect();
    let (head, modifiers) = words.split_last()?;
    let folded: Vec<&str> = words.iter().map(|item| item.word.as_str()).collect();
    let compound = folded.concat();
    let head_noun = head.noun.unwrap_or(&head.word);
    let all = || std::iter::once(&flow.data).chain(flow.earlier.iter().rev());
    let nouns: Vec<String> = vec![compound.clone(), head_noun.to_owned(), head.word.clone()];
    let made = |data: &Data, path: &str, by: &str| Wanted {
        label: label.to_owned(),
        nouns: [nouns.clone(), vec![by.to_owned()]].concat(),
        code: data.code(path),
        open: false,
        line: (data.node == flow.data.node).then(|| Data { node: "item".to_owned(), ..Data::default() }.code(path)),
    };
    let known = |noun: &str| all().find_map(|data| data.field(noun).map(|field| made(data, &field.path, noun)));
    if let Some(one) = known(&compound) {
        return Some(one);
    }
    let whose = modifiers.iter().copied().chain(part.of.iter().copied()).filter(|item| !item.plain || item.noun.is_some());
    let whose = whose.filter(|item| !(item.among(PERSONS) || item.noun.is_none() && item.text.contains(['\'', '’'])));
    let whose: Vec<Option<&str>> = whose.filter(|item| !item.among(ARTICLES) && !item.among(PRONOUNS)).map(|item| item.noun).collect();
    let of_generic = || modifiers.iter().rev().find_map(|item| item.noun).and_then(known);
    if GENERIC.contains(&head_noun)
        && let Some(one) = of_generic()
    {
        return Some(one);
    }
    let own_words = modifiers.iter().all(|item| !item.is(&["first", "last", "full"]) || item.is(&["full"]));
    let fits = own_words && whose.iter().all(|noun| noun.is_some_and(|noun| !DISTINCT.contains(&noun) || noun == flow.data.noun));
    if let Some(one) = known(head_noun).or_else(|| known(&head.word)).filter(|_| fits) {
        return Some(one);
    }
    let open = all().find(|data| data.open.is_some())?;
    if is_answer_of_address(flow) {
        return None;
    }
    let path = open.own(flow.kind_of(&open.node), label)?;
    Some(Wanted { open: true, ..made(open, &path, label) })
}
