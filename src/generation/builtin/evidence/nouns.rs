//! Things that a prompt names, and what of the workflow they are: the data, a field of it, the record of an operation, a place, a message, a person.

use super::super::reading::Item;
use super::super::starts;
use super::super::trail::{Part, PartKind, Trail, has_word, values};
use super::super::words;
use super::super::words::is_among;
use super::verbs;
use crate::generation::compact::CompactNode;

/// Nouns for values of an item: each has to be read from it.
const FIELDS: &str = "name address phone number price amount currency status date title score city priority category tag description caption language temperature job property location link";
/// Nouns for places, which have their names and parameters checked elsewhere.
const PLACES: &str = "channel group folder form website bucket feed sheet table database list board project team repository account chat thread calendar webhook bot workflow bot \
     conversation playlist page campaign mailbox";
const MESSAGES: &str = "question message mail alert note report summary post reminder tweet sms reply text result feedback notification audio video image request";
/// Nouns for people, who get a message or are what a record is about.
const PERSONS: &str = "customer contact lead user visitor company sale team";
/// Nouns for records of any kind, and for what they have.
const RECORDS: &str = "row record data field error event result item file document json star attachment list text content";
/// Nouns that services have different words for.
const ALIKE: &[&str] = &[
    "task issue ticket card record row page event project",
    "contact lead customer user company member subscriber person visitor",
    "page document note file record",
    "row record sheet table invoice order product lead deal submission payment",
    "file document image attachment video audio invoice",
    "message comment reply post text note alert",
    "push commit",
    "order payment invoice subscription sale",
    "article post feed item",
    "event booking reminder",
    "weather forecast temperature",
];

/// Reports whether an item names a field of the data.
pub(super) fn is_field(item: &Item) -> bool {
    item.noun.is_some_and(|noun| is_among(FIELDS, noun))
}

pub(super) fn is_place(item: &Item) -> bool {
    item.noun.is_some_and(|noun| is_among(PLACES, noun)) || super::super::names::is_place(item)
}

pub(super) fn is_message_of(item: Option<&Item>) -> bool {
    item.is_some_and(is_message)
}

pub(super) fn is_message(item: &Item) -> bool {
    item.noun.is_some_and(|noun| is_among(MESSAGES, noun))
}

/// Reports whether a noun is something of the workflow.
pub(super) fn is_read(trail: &Trail<'_>, part: Option<&Part>, items: &[Item], at: usize, noun: &str) -> bool {
    let item = &items[at];
    let Some(part) = part else {
        return !is_among(FIELDS, noun) || trail.flow.nodes.iter().any(|node| has_word(&values(node), &item.word));
    };
    let nodes: Vec<&CompactNode> = trail.nodes(part).collect();
    if field(trail, &nodes, item, noun) || nodes.iter().any(|node| is_of_kind(node, noun)) {
        return true;
    }
    if is_among(FIELDS, noun) {
        return is_modifier(items, at, &nodes);
    }
    if is_among("attachment file document image audio video", noun) && trail.flow.nodes.iter().any(takes_file) {
        return true;
    }
    let things: Vec<Item> = part.items.iter().filter(|item| !item.noun.is_some_and(|noun| is_among(PERSONS, noun))).cloned().collect();
    let subject = starts::subject(&things).or_else(|| starts::subject(&part.items)) == Some(noun);
    if part.starts() {
        let form = nodes.iter().any(|node| matches!(node.kind.as_str(), "formTrigger" | "webhook"));
        let compound =
            at.checked_sub(1).is_some_and(|before| items[before].noun.is_some() && items[before].noun == starts::subject(&part.items));
        let general = is_among(PERSONS, noun) || is_among("message mail request data question", noun);
        let drive = nodes.iter().any(|node| ["Drive", "drive", "ftp", "File", "dropbox", "S3"].iter().any(|kind| node.kind.contains(kind)));
        // One happening of several, or a kind of item, is in the trigger.
        let special = is_among("star push commit release version refund comment image audio video attachment", noun);
        let mut alike = ALIKE.iter().filter(|group| is_among(group, noun)).flat_map(|group| group.split(' '));
        let named = special && nodes.first().is_some_and(|node| alike.any(|word| has_word(&values(node), word)));
        return named
            || subject && !special
            || form
            || general
            || is_place(item)
            || compound && is_among(RECORDS, noun)
            || drive && noun == "file";
    }
    // A text that something else has, too, is read from the data.
    let data = &trail.flow.data;
    if is_among("comment review", noun) && data.field(noun).is_none() && data.open.is_none() && !data.fields.is_empty() {
        return nodes.iter().any(|node| is_of_kind(node, noun));
    }
    let earlier = || {
        trail.parts.iter().take_while(|other| !std::ptr::eq(*other, part)).any(|other| other.items.iter().any(|own| own.noun == Some(noun)))
    };
    let acts = nodes.iter().any(|node| verbs::acts(node));
    let reads = nodes.iter().any(|node| verbs::reads(node));
    let tells = part.kind == PartKind::Condition && (is_among(MESSAGES, noun) || is_among(RECORDS, noun));
    is_place(item)
        || earlier()
        || tells
        || acts && (is_among(MESSAGES, noun) || is_among(PERSONS, noun) || is_among(RECORDS, noun) || trail.flow.data.noun == noun)
        || reads && (subject || is_among(RECORDS, noun))
}

/// Reports whether nodes read the field of a noun.
fn field(trail: &Trail<'_>, nodes: &[&CompactNode], item: &Item, noun: &str) -> bool {
    let texts: Vec<String> = nodes.iter().map(|node| values(node)).collect();
    let has = |text: &str| texts.iter().any(|own| own.contains(&text.to_lowercase()));
    let known = std::iter::once(&trail.flow.data).chain(&trail.flow.earlier);
    let read = known.flat_map(|data| data.fields.iter().map(move |field| (data, field))).any(|(data, field)| {
        let item = field.path.trim_start_matches('@').trim_start_matches('.');
        field.words.iter().any(|word| word == noun) && (has(&data.code(&field.path)) || has(&format!("item.{item}")))
    });
    read || texts.iter().any(|text| has_word(text, &item.word) || has_word(text, noun))
}

/// Reports whether a node is of the kind of record or resource that a noun means.
fn is_of_kind(node: &CompactNode, noun: &str) -> bool {
    let own = node.kind.split(['.', '/']).flat_map(super::super::operations::parts);
    let own: Vec<String> = own.filter_map(|part| words::noun(&part).map(str::to_owned)).collect();
    own.iter().any(|own| own == noun || ALIKE.iter().any(|group| is_among(group, own) && is_among(group, noun)))
}

/// Reports whether a field's noun only says what a place or a person is: `phone number`, `the support address`.
fn is_modifier(items: &[Item], at: usize, nodes: &[&CompactNode]) -> bool {
    let next = items.get(at + 1);
    let counted = items[at].noun == Some("number") && nodes.iter().any(|node| values(node).contains(".length"));
    let before = at.checked_sub(1).map(|before| &items[before]);
    let own = before
        .is_some_and(|before| before.service.is_some() || items[at].noun == Some("phone") && before.among("my our mein meinem mon mi"));
    let place =
        next.is_some_and(|next| next.noun.is_some_and(|noun| is_among(PLACES, noun)) || next.kind != super::super::tokens::Kind::Word);
    let address =
        items[at].noun == Some("address") && nodes.iter().any(|node| values(node).contains('@') || values(node).contains("email"));
    place || address || counted || own
}

/// Reports whether a node has a file of the item.
fn takes_file(node: &CompactNode) -> bool {
    node.set.keys().any(|key| ["ttachment", "binary", "Binary", "inputDataFieldName"].iter().any(|part| key.contains(part)))
        || values(node).contains("attachment")
        || node.kind == "extractFromFile"
}
