//! Words of a prompt that left no trace in the workflow. Each word with a content of its own has to be in the nodes that were made of its part of the
//! prompt, or in an assumption that is printed: a reading that understands a verb and a service must not pass over what stands beside them.

mod nouns;
mod verbs;

use std::collections::BTreeSet;

use super::clauses::is_event_word;
use super::drafts;
use super::fetch;
use super::flow::Flow;
use super::names;
use super::perform::{OPEN_ONLY, STATES};
use super::reading::{Item, JOINS};
use super::restrictions;
use super::schedule_words::ADVERBS;
use super::stuck::Stuck;
use super::tokens::Kind;
use super::trail::{Part, PartKind, Trail, has_word, values};
use super::words::Act;
use crate::generation::compact::CompactNode;

/// Words that choose among things, though they stand in most prompts without a meaning of their own elsewhere.
const CHOOSING: &str = "open unread unopened closed small little big large long important urgent critical internal external public private certain specific particular relevant main";
/// Words for one of several.
const ORS: &[&str] = &["or", "oder", "ou", "o"];
/// Words behind `or` that compare, or repeat a verb.
const BEHIND_OR: &str = "more higher above less lower below fewer mehr hoher weniger plus moins mas menos equal update updates not so";
/// Words that say how something is made, which is what the node does anyway.
const MANNERS: &str = "eur usd euro euros dollar dollars percent degrees celsius grad imap smtp http https rest api sql rss url urls crm erp cv hr blog word words keyword \
     wort stichwort mot palabra help hilfe aide ayuda matching according newly attached angehangte angehangten jointe adjunto adjuntos erscheinen erscheint raw auto piece pieces everything \
     alles anything else rest ihn quun quune quil qu dun dune";
/// Words for what a service is or has, rather than for records in it.
const SITES: &str = "server warehouse workbook audience workspace space instance site inbox room node portal store group community app bot queue topic sensor account console";
/// Words for people who get a message.
const PEOPLE: &str = "caller owner reviewers reviewer sales support hr finance marketing staff boss manager submitter requester sender reporter applicant absender expediteur remitente \
     invitee attendee guest buyer participant visitante besucher supplier suppliers";
/// Words for people whose mailbox is meant.
const TEAMS: &str = "support sales hr finance marketing billing office";
/// Words for a text that a node makes.
const MADE: &str = "translation translations transcription transcript caption description answer answers poem ubersetzung traduction traduccion respuesta reponse antwort";
/// Words for starting by hand.
const BY_HAND: &str = "manually manual hand click manuell manuellement manualmente";

/// Finds the first word that left no trace.
pub(super) fn missing(flow: &mut Flow<'_>, items: &[Item], used: &BTreeSet<usize>, parts: &[Part]) -> Option<Stuck> {
    let names: Vec<String> = {
        let trail = Trail::of(flow, parts);
        let lost: Vec<usize> = (0..items.len()).filter(|at| !used.contains(at) && !trail.explains(items, *at)).collect();
        if let Some(at) = lost.iter().copied().find(|at| !trail.is_name(items, *at)) {
            return Some(Stuck::Unknown(said(&items[at])));
        }
        lost.into_iter().map(|at| items[at].text.clone()).collect()
    };
    if !names.is_empty() {
        flow.assume(format!("Words that choose and change nothing: {}", crate::text::listed(&names, 6)));
    }
    None
}

/// Says what is not known of a word.
fn said(item: &Item) -> String {
    let word = crate::text::one_line(&item.text, 40);
    match item.noun {
        _ if item.is_verb => format!("what it means to {}", word.to_lowercase()),
        Some(_) => format!("what the workflow does with “{word}”"),
        None => format!("what “{word}” changes"),
    }
}

impl<'f> Trail<'f> {
    fn explains(&self, items: &[Item], at: usize) -> bool {
        let item = &items[at];
        if item.kind != Kind::Word && item.kind != Kind::Host || item.service.is_some() || item.vendor.is_some() {
            return true;
        }
        if item.is(ORS) {
            return self.explains_or(items, at);
        }
        let word = item.text.to_lowercase();
        let own = word.trim_end_matches("'s").trim_end_matches("’s");
        if drafts::is_word(item) && !item.is_verb && self.part(item).is_some_and(|part| part.kind == PartKind::Step) {
            return has_word(&self.written, own) || self.flow.assumptions.iter().any(|said| said == drafts::SAID);
        }
        if names_adverb(item) {
            return has_word(&self.written, own);
        }
        if !nouns::is_field(item) && (has_word(&self.written, own) || has_word(&self.assumed, own)) {
            return true;
        }
        let part = self.part(item);
        if item.is_verb {
            return part.is_none_or(|part| verbs::is_done(self, part, item));
        }
        if let Some(noun) = item.noun {
            return nouns::is_read(self, part, items, at, noun);
        }
        if item.plain {
            return !item.among(CHOOSING) || self.chosen(part, items, at);
        }
        if item.among(STATES) && self.chosen(part, items, at) {
            return true;
        }
        item.number().is_some_and(|value| value == 1.0 || has_word(&self.written, &value.to_string()))
            || item.among(MANNERS)
            || names::is_place(item)
            || self.describes(part, items, at)
            || item.among("popular top best") && self.flow.nodes.iter().any(|node| node.kind == "limit")
            || item.among(fetch::FRESH) && self.flow.nodes.iter().any(|node| matches!(node.kind.as_str(), "removeDuplicates" | "limit"))
            || self.happened(part, item)
            || self.is_tested(item)
            || item.act.is_some_and(|act| act == Act::Light || self.parts.iter().any(|part| verbs::is_done(self, part, item)))
            || self.in_address(items, item)
    }

    /// Reports whether a word is part of what starts the workflow.
    fn happened(&self, part: Option<&Part>, item: &Item) -> bool {
        is_event_word(&item.word) && part.is_none_or(Part::starts) || item.among(super::begin::LISTENS)
    }

    /// Reports whether a word says what a place, a person or a text is that the nodes have.
    fn describes(&self, part: Option<&Part>, items: &[Item], at: usize) -> bool {
        let item = &items[at];
        let Some(part) = part else { return false };
        let before = at.checked_sub(1).map(|before| &items[before]);
        let acts = self.nodes(part).any(verbs::acts);
        let makes = |node: &CompactNode| {
            ["chainLlm", "agent", "@n8n", "deepL", "googleTranslate", "lingvaNex"].iter().any(|kind| node.kind.starts_with(kind))
        };
        let place = items.get(at + 1).is_some_and(names::is_place);
        let actor = part.starts() && !item.name && items.get(at + 1).is_some_and(|next| next.is_verb) && before.is_none();
        item.among(SITES) && (before.is_some_and(|before| before.service.is_some() || before.plain) || place)
            || item.among(PEOPLE) && acts && part.kind == PartKind::Step && is_addressed(items, at)
            || item.among(MADE) && self.flow.nodes.iter().any(makes)
            || item.among(BY_HAND) && self.flow.nodes.iter().any(|node| node.kind == "manualTrigger")
            || actor
    }

    fn in_address(&self, items: &[Item], item: &Item) -> bool {
        item.text.len() > 2
            && items.iter().any(|other| matches!(other.kind, Kind::Url | Kind::Mail) && other.text.to_lowercase().contains(&item.word))
    }

    /// Reports whether a word that chooses is what starts the workflow, or describes the message rather than what it is about.
    fn chosen(&self, part: Option<&Part>, items: &[Item], at: usize) -> bool {
        const OPEN: &str = "open offene offenen offener ouverts ouvertes pendientes abiertos abiertas active";
        let opens = items[at].among(OPEN);
        let starts = part.is_some_and(Part::starts);
        let only = self.flow.nodes.iter().any(|node| OPEN_ONLY.contains(&node.kind.as_str()));
        opens && (starts || only) || nouns::is_message_of(items.get(at + 1)) && items[at].among("small little big long")
    }

    /// Reports whether `or` joins what is one thing for the workflow: `5 or more`, `add or update`.
    fn explains_or(&self, items: &[Item], at: usize) -> bool {
        let next = items.get(at + 1);
        let compares = next.is_some_and(|next| next.among(BEHIND_OR));
        let upsert = self.flow.nodes.iter().any(|node| {
            ["upsert", "appendOrUpdate"].iter().any(|kind| node.kind.contains(kind) || values(node).contains(&kind.to_lowercase()))
        });
        let quoted = self.part(&items[at]).is_some_and(|part| self.nodes(part).any(|node| has_word(&values(node), &items[at].word)));
        compares || upsert && next.is_some_and(|next| next.act.is_some()) || quoted
    }

    /// Reports whether a word that left no trace only names a thing that a node has: the team of a channel, the kind of a message, what the rows of a
    /// sheet are.
    fn is_name(&self, items: &[Item], at: usize) -> bool {
        let item = &items[at];
        let known =
            item.among(STATES) || item.noun.is_some() || item.act.is_some() || item.plain || item.number().is_some() || item.is(ORS);
        if known || restrictions::is_choice(items, at) || restrictions::is_attribute(items, at) || item.text.contains(['\'', '’']) {
            return false;
        }
        let Some(part) = self.part(item) else { return false };
        let reads = self.nodes(part).any(verbs::reads);
        // Only the prompt describes the answer of an address.
        let answers = self.nodes(part).any(|node| node.kind == "httpRequest");
        let named = items.get(at + 1).is_some_and(|next| {
            next.joint.is_none() && !next.is_verb && (nouns::is_place(next) || nouns::is_message(next)) || next.joint == Some('-')
        });
        let ends = items.get(at + 1).is_none_or(|next| next.kind != Kind::Word || next.is_verb || next.plain || next.among(JOINS));
        let mailbox = part.starts() && item.among(TEAMS) && items.get(at + 1).is_some_and(|next| next.noun == Some("mail"));
        let thing = restrictions::is_thing(items, at) && ends;
        // The purpose of a form, and the things in the rows of a sheet.
        let kind = |kinds: &[&str]| self.nodes(part).any(|node| kinds.contains(&node.kind.as_str()));
        let next = items.get(at + 1).is_some_and(|next| next.noun.is_some());
        let start = part.starts() && (kind(&["formTrigger"]) && next || kind(&["googleSheetsTrigger", "airtableTrigger"]) && thing);
        let step = !part.starts() && !item.name && (named && !reads || thing && reads || answers);
        let again = || (0..at).find(|before| items[*before].word == item.word).is_some_and(|before| self.is_name(items, before));
        mailbox || start || step || again()
    }
}

/// Reports whether a word stands where a verb has its person, rather than in a list of what a message tells: `confirm to the reporter`.
fn is_addressed(items: &[Item], at: usize) -> bool {
    let near = items[..at]
        .iter()
        .rev()
        .take(3)
        .take_while(|item| item.kind == Kind::Word && !item.among(JOINS) && !item.is(&["with", "mit", "avec", "con"]));
    let mut near = near.peekable();
    near.peek().is_none() || near.any(|item| item.is_verb || item.is(&["to", "an"])) || items.get(at + 1).is_some_and(|next| next.is_verb)
}

/// Reports whether a word says how often, beside the schedule: `a weekly summary` may be one of a week.
fn names_adverb(item: &Item) -> bool {
    ADVERBS.iter().any(|(_, words)| item.among(words))
}
