//! The operations that a prompt probably needs: their signatures are sent with it. The whole catalogue is sent, too, so a service that is
//! not recognised here can still be used.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::is_sent;
use super::denied::Denied;
use super::signature::{Detail, OperationSignature, operations};
use crate::catalog::{Catalog, NodeEntry};
use crate::generation::hostile::fold;

/// Maximum number of types, and of operations of one type.
const MOST_TYPES: usize = 16;
const MOST_OPERATIONS: usize = 6;
/// Operations of a type that the prompt does not name.
const FEW_OPERATIONS: usize = 2;
/// Score of a type that the prompt names, and the least score of others beside such a type.
const NAMED: u32 = 100;
const LEAST: u32 = 25;
/// Most words of a name that are compared.
const MOST_WORDS: usize = 4;

/// Words of an operation's name, and the words of a prompt that ask for it.
const VERBS: &[(&str, &str)] = &[
    (
        "post send publish message reply",
        "post send tell notify message alert text publish reply answer share announce inform sende schick envia envoie poste",
    ),
    (
        "create append insert add upload",
        "create add store save write put insert append record log keep upload make new copy back anlegen speicher crear guardar ajout enregistr",
    ),
    ("upsert appendorupdate createorupdate", "upsert sync update keep merge same duplicates"),
    ("update edit move rename complete", "update change edit set mark move write aktualisier modif actualiz"),
    (
        "get getall read list search lookup download find fetch query execute select",
        "get read fetch list load find search look download pull query check collect export watch lies hole lire lee busca",
    ),
    ("delete remove archive clear", "delete remove clean purge archive lösch supprim elimina"),
    (
        "analyze generate transcribe translate classify text image audio",
        "analyse analyze generate describe transcribe translate summar classif score image picture photo audio voice",
    ),
];
/// Words that say nothing about a service.
const COMMON: &[&str] = &[
    "google",
    "microsoft",
    "aws",
    "amazon",
    "trigger",
    "chat",
    "model",
    "node",
    "tool",
    "api",
    "the",
    "and",
    "data",
    "file",
    "text",
    "item",
    "items",
    "on",
    "new",
    "message",
    "messages",
    "list",
    "mail",
    "email",
    "send",
    "get",
    "app",
    "cloud",
    "business",
    "simple",
    "agent",
    "ai",
    "store",
    "vector",
    "workflow",
    "document",
    "of",
    "to",
    "in",
    "for",
    "or",
    "with",
    "one",
    "it",
    "my",
    "if",
    "n8n",
    "time",
    "date",
    "code",
    "form",
    "set",
    "page",
    "site",
    "web",
    "search",
    "customer",
    "office",
    "public",
    "local",
    "open",
    "database",
    "note",
    "question",
    "question",
    "request",
    "request",
    "response",
    "table",
    "cloud",
    "default",
    "loader",
    "output",
];

/// Operations that most workflows use.
const USUAL: &[&str] = &[
    "create",
    "append",
    "send",
    "post",
    "getall",
    "reply",
    "search",
    "upload",
    "download",
    "appendorupdate",
    "upsert",
    "sendmessage",
    "executequery",
    "insert",
    "message",
];

/// Returns the signatures of the operations that the prompt probably needs, the best first, one a line, in at most so many bytes.
pub(super) fn signatures(prompt: &str, catalog: &Catalog, denied: &Denied<'_>, most_bytes: usize) -> String {
    let mut out = String::new();
    for operation in likely(prompt, catalog, denied) {
        let Some(text) = operation.signature(catalog, Detail::LIKELY) else { continue };
        if out.len() + text.len() + 1 > most_bytes {
            break;
        }
        out.push_str(&text);
        out.push('\n');
    }
    out
}

/// Returns the operations that the prompt probably needs.
pub(super) fn likely(prompt: &str, catalog: &Catalog, denied: &Denied<'_>) -> Vec<OperationSignature> {
    let words = words(prompt);
    let phrases: BTreeSet<String> =
        (1..=MOST_WORDS).flat_map(|length| words.windows(length).map(|window| window.concat()).collect::<Vec<_>>()).collect();
    let rarity = rarity(catalog);
    let usable = catalog.index().nodes.iter().filter(|entry| is_sent(entry, denied));
    let mut scored: Vec<(u32, &NodeEntry)> =
        usable.map(|entry| (score(entry, &words, &phrases, &rarity), entry)).filter(|(score, _)| *score > 0).collect();
    scored.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.name.cmp(&b.1.name)));
    scored.truncate(MOST_TYPES);
    if scored.first().is_some_and(|(best, _)| *best >= NAMED) {
        scored.retain(|(score, _)| *score >= LEAST);
    }
    // One operation of each type first, so that a limit cuts off second choices.
    let most = |score: u32| if score >= NAMED { MOST_OPERATIONS } else { FEW_OPERATIONS };
    let ranked: Vec<Vec<OperationSignature>> = scored.iter().map(|(score, entry)| best(entry, &words, catalog, most(*score))).collect();
    (0..MOST_OPERATIONS).flat_map(|rank| ranked.iter().filter_map(move |of| of.get(rank)).cloned().collect::<Vec<_>>()).collect()
}

fn words(prompt: &str) -> Vec<String> {
    let folded = fold(prompt).replace("'s ", " ");
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(2_000).map(str::to_owned).collect()
}

/// Returns the words of a name: `Google Sheets Trigger` and `googleSheets` alike.
fn name_words(name: &str) -> Vec<String> {
    let mut spaced = String::new();
    let mut before = ' ';
    for letter in name.chars() {
        if letter.is_uppercase() && before.is_lowercase() {
            spaced.push(' ');
        }
        spaced.push(letter);
        before = letter;
    }
    spaced.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Returns the number of types in whose name a word occurs.
fn rarity(catalog: &Catalog) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for entry in catalog.index().nodes.iter().filter(|entry| !entry.hidden) {
        for word in name_words(&entry.display_name).into_iter().collect::<BTreeSet<_>>() {
            *counts.entry(word).or_insert(0) += 1;
        }
    }
    counts
}

fn score(entry: &NodeEntry, words: &[String], phrases: &BTreeSet<String>, rarity: &BTreeMap<String, u32>) -> u32 {
    let without_role = |name: &str| {
        let parts = name_words(name);
        let role = |word: &String| ["trigger", "tool", "model", "chat", "node"].contains(&word.as_str());
        parts.iter().filter(|word| !role(word)).map(String::as_str).collect::<String>()
    };
    let short = entry.name.rsplit_once('.').map_or(entry.name.as_str(), |(_, short)| short);
    let whole = [without_role(&entry.display_name), without_role(short)];
    let named = whole.iter().any(|name| name.len() > 1 && !COMMON.contains(&name.as_str()) && phrases.contains(name));
    let alias = entry.aliases.iter().any(|alias| {
        let name = name_words(alias).concat();
        name.len() > 2 && !COMMON.contains(&name.as_str()) && phrases.contains(&name)
    });
    let of_words: u32 = name_words(&entry.display_name)
        .iter()
        .filter(|word| word.len() > 2 && !COMMON.contains(&word.as_str()) && words.contains(word))
        .map(|word| match rarity.get(word) {
            Some(1..=6) => 30,
            Some(7..=14) => 10,
            _ => 0,
        })
        .sum();
    if named {
        100 + of_words
    } else if alias {
        25 + of_words
    } else {
        of_words
    }
}

/// Returns the operations of a type that the verbs of the prompt ask for.
fn best(entry: &NodeEntry, words: &[String], catalog: &Catalog, most: usize) -> Vec<OperationSignature> {
    let all = operations(&entry.name, catalog);
    let asked: Vec<&str> = VERBS
        .iter()
        .filter(|(_, asking)| {
            asking.split(' ').any(|verb| words.iter().any(|word| word.starts_with(verb) && (verb.len() > 3 || word == verb)))
        })
        .flat_map(|(names, _)| names.split(' '))
        .collect();
    let own = name_words(&entry.display_name);
    let mut scored: Vec<(i32, usize)> =
        all.iter().enumerate().map(|(at, operation)| (fit(operation, at, words, &asked, &own), at)).collect();
    scored.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    scored.into_iter().take(most).filter_map(|(_, at)| all.get(at).cloned()).collect()
}

/// Scores an operation at its place among those of its type; `own` are the words of the type's name, which ask for no resource: a file in
/// Google Drive is not asked for by a shared drive.
fn fit(operation: &OperationSignature, at: usize, words: &[String], asked: &[&str], own: &[String]) -> i32 {
    let mut fit = -i32::try_from(at.min(40)).unwrap_or(40);
    if let Some(resource) = &operation.resource {
        let hit = name_words(resource)
            .iter()
            .filter(|part| !own.contains(part))
            .any(|part| words.iter().any(|word| word.starts_with(part.trim_end_matches('s')) && part.len() > 2));
        fit += if hit { 40 } else { 0 };
        // Resources that most workflows use.
        fit += if ["message", "contact", "event", "page", "databasePage", "row", "sheet", "file", "text"].contains(&resource.as_str()) {
            12
        } else {
            0
        };
    }
    if let Some(name) = &operation.operation {
        let folded = name.to_lowercase();
        fit += if USUAL.contains(&folded.as_str()) { 15 } else { 0 };
        fit += if asked.iter().any(|verb| folded == *verb) {
            40
        } else if asked.iter().any(|verb| verb.len() > 3 && folded.starts_with(verb)) {
            25
        } else {
            0
        };
    }
    fit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_of_a_prompt_are_likely() {
        let catalog = Catalog::embedded();
        let denied = Denied::of(&[], catalog);
        let found =
            |prompt: &str| -> Vec<String> { likely(prompt, catalog, &denied).iter().map(|operation| operation.text(catalog)).collect() };
        for (prompt, wanted) in [
            ("Post a summary to Slack #sales", "slack.message.post"),
            ("append the answers to a Google Sheet", "googleSheets.sheet.append"),
            ("When an issue is created in Jira", "jiraTrigger"),
            ("upload it to my server by SFTP", "ftp.upload"),
            ("score the sentiment with Google Cloud Natural Language", "googleCloudNaturalLanguage"),
            ("an agent on a Groq model", "lmChatGroq"),
            ("check the address with Hunter's email verifier", "hunter.emailVerifier"),
            ("create a card in Trello", "trello.card.create"),
            ("create an event in Google Calendar", "googleCalendar.event.create"),
            ("When a video lands in a Google Drive folder, download it", "googleDrive.file.download"),
        ] {
            let found = found(prompt);
            assert!(found.iter().any(|text| text.starts_with(wanted)), "{prompt}: {found:?}");
        }
        assert!(likely("", catalog, &denied).is_empty());
    }
}
