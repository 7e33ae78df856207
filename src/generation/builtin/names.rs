//! Names that the prompt gives to places: `the table customers`, `S3 bucket backups`, `repo acme/api`, `the webhook deploy-done`.

use super::clauses::is_event_word;
use super::reading::Item;
use super::tokens::Kind;
use super::words::is_among;

/// Words for places, and the word that parameters of nodes have for them.
const PLACES: &[(&str, &str)] = &[
    ("table", "table tables tabelle tabla tableau"),
    ("collection", "collection sammlung coleccion"),
    ("topic", "topic topics"),
    ("queue", "queue cola warteschlange"),
    ("bucket", "bucket"),
    ("index", "index"),
    ("folder", "folder ordner dossier carpeta directory"),
    ("repository", "repository repo repositorium depot repositorio"),
    ("list", "list liste lista"),
    ("board", "board tablero"),
    ("project", "project projekt projet proyecto"),
    ("channel", "channel kanal canal"),
    ("database", "database datenbank"),
    ("tab", "tab worksheet tabellenblatt onglet pestana"),
    ("sheet", "sheet feuille hoja"),
    ("calendar", "calendar kalender calendrier calendario"),
    ("chat", "chat"),
    ("group", "group gruppe groupe grupo"),
    ("team", "team equipe equipo"),
    ("stream", "stream"),
    ("playlist", "playlist"),
    ("team", "team equipo equipe"),
];
/// Places whose names are often written as ordinary words in lower case.
const PLAIN_NAMES: &[&str] = &["table", "collection", "topic", "queue", "bucket", "index"];
/// Words behind a place that say what is in it.
const CONTENTS: &str = "row rows record records entry entries message messages file files item items data content contents name names id member members zeile zeilen eintrag \
     eintrage ligne lignes fila filas registros notification notifications update updates";
const CALLED: &[&str] = &["called", "named", "namens", "genannt", "nomme", "nommee", "appele", "appelee", "llamado", "llamada", "titled"];

/// Returns a word with what is joined to it, and the number of items that it has: `deploy-done`, `home/temp`.
pub(super) fn joined(items: &[Item], at: usize) -> (String, usize) {
    let mut text = items[at].text.clone();
    let mut by = 1;
    while let Some((item, sign)) = items.get(at + by).and_then(|item| Some((item, item.joint.filter(|sign| matches!(sign, '-' | '/'))?))) {
        text.push(sign);
        text.push_str(&item.text);
        by += 1;
    }
    (text, by)
}

/// Returns the name that begins at an item, and its length. `plain`: ordinary words in lower case are names, too.
pub(super) fn name(items: &[Item], at: usize, plain: bool) -> Option<(String, usize)> {
    let called = usize::from(items.get(at)?.is(CALLED));
    let item = items.get(at + called)?;
    if item.kind == Kind::Quoted {
        return Some((item.text.clone(), called + 1));
    }
    let (text, length) = joined(items, at + called);
    let single = length == 1;
    if item.kind != Kind::Word
        || called == 0 && single && !item.name && is_place(item)
        || item.is_verb && single && !(plain && item.noun.is_some())
        || item.text.contains('\'')
    {
        return None;
    }
    let noun = plain && item.noun.is_some();
    // `the collection people`.
    let thing = plain && (item.noun.is_some() || item.among("shop store company office business people person app tool account boss"));
    let ordinary = item.plain && !thing || item.service.is_some() || is_event_word(&item.word) && !noun || item.among(CONTENTS);
    if single && ordinary && (called != 1 || item.plain && !thing) {
        return None;
    }
    let proper = item.name || text.contains(['_', '-', '/']) || item.noun.is_none() && item.act.is_none() || called == 1;
    if !proper && !plain {
        return None;
    }
    // `folder Site Photos`: further words with capital letters belong to it.
    let mut words = vec![text];
    let mut by = called + length;
    while item.name && items.get(at + by).is_some_and(|next| next.name && next.kind == Kind::Word && next.service.is_none()) {
        words.push(items[at + by].text.clone());
        by += 1;
    }
    Some((words.join(" "), by))
}

/// Reports whether an item is a word for a place.
pub(super) fn is_place(item: &Item) -> bool {
    PLACES.iter().any(|(_, words)| item.among(words))
}

/// Returns the places that items name: the word that parameters have for the place, and its name.
pub(super) fn places(items: &[Item]) -> Vec<(&'static str, String)> {
    places_at(items).into_iter().map(|(_, place, name)| (place, name)).collect()
}

/// Returns the places that items name, each with where it stands.
pub(super) fn places_at(items: &[Item]) -> Vec<(usize, &'static str, String)> {
    let mut found: Vec<(usize, &'static str, String)> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        // `S3 bucket` and `Google Drive folder` are names of services, too.
        let last = item.text.to_lowercase().rsplit(' ').next().map(str::to_owned).unwrap_or_default();
        let named = |words: &str| item.among(words) || item.service.is_some() && is_among(words, &last);
        let spreadsheet = item.service.is_some() && is_among("sheet sheets spreadsheet spreadsheets", &last);
        let place = PLACES.iter().find(|(_, words)| named(words)).map(|(place, _)| *place);
        if let Some(name) = repository(items, at) {
            found.extend((!found.iter().any(|(.., own)| *own == name)).then_some((at, "repository", name)));
            continue;
        }
        let Some(place) = spreadsheet.then_some("document").or(place) else { continue };
        let plain = PLAIN_NAMES.contains(&place);
        let colon = usize::from(items.get(at + 1).is_some_and(|next| next.kind == Kind::Colon));
        let number =
            || items.get(at + 1).filter(|next| place == "chat" && matches!(next.kind, Kind::Number(_))).map(|next| next.text.clone());
        // A spreadsheet has its name in quotation marks or with a capital letter: `Google Sheets Leads`.
        let certain = |at: usize| {
            !spreadsheet && place != "team"
                || items.get(at).is_some_and(|next| next.kind == Kind::Quoted || next.is(CALLED) || next.name && next.noun != Some("mail"))
        };
        let behind = || name(items, at + 1 + colon, plain).filter(|_| certain(at + 1 + colon)).map(|(name, _)| name);
        let before =
            || at.checked_sub(1).map(|before| &items[before]).filter(|item| item.kind == Kind::Quoted).map(|item| item.text.clone());
        // `tell the team lunch is ready`.
        let behind = || behind().filter(|name| place != "team" || name.starts_with(char::is_uppercase));
        if let Some(name) = behind().or_else(number).or_else(before).or_else(|| described(items, at).filter(|_| plain)) {
            found.push((at, place, name));
        }
    }
    found
}

/// Returns the repository that is written with its owner at an item: `acme/api`.
fn repository(items: &[Item], at: usize) -> Option<String> {
    let item = &items[at];
    let path = at.checked_sub(1).is_some_and(|before| items[before].text == "/");
    if path || item.kind != Kind::Word || item.joint.is_some_and(|sign| sign != '\'') {
        return None;
    }
    let (text, length) = joined(items, at);
    // `group/project` are no names.
    let general = |item: &Item| item.plain || is_place(item);
    (length > 1 && text.contains('/') && !items[at..at + length].iter().all(general)).then_some(text)
}

/// Returns a path that is written with a slash before it: `under /invoices`.
pub(super) fn path(items: &[Item]) -> Option<String> {
    let at = items.windows(2).position(|pair| pair[0].text == "/" && pair[1].kind == Kind::Word)?;
    Some(joined(items, at + 1).0)
}

/// Returns the name that stands before a place: `the orders table`, `our Postgres signups table`.
fn described(items: &[Item], at: usize) -> Option<String> {
    let item = &items[at.checked_sub(1)?];
    let before = &items[at.checked_sub(2)?];
    let begins = before.service.is_some()
        || before.is(&["the", "our", "my", "a", "an", "new", "der", "die", "unsere", "meine", "into", "in", "from", "to"]);
    let fits = item.kind == Kind::Word && item.service.is_none() && !item.plain && !item.is_verb && !item.among(CONTENTS);
    (begins && fits && !item.is(&["data", "database", "sql", "google"])).then(|| item.text.clone())
}

/// Returns the path that a prompt gives to its webhook: `when the webhook ping is called`.
pub(super) fn webhook(items: &[Item]) -> Option<String> {
    let at = items.iter().position(|item| item.noun == Some("webhook"))?;
    // `the webhook ping is called`: what is called is no verb.
    if let [word, copula, ..] = &items[at + 1..]
        && word.is_verb
        && word.joint.is_none()
        && copula.among("is gets wird est es")
    {
        return Some(word.word.clone());
    }
    let (text, length) = name(items, at + 1, true)?;
    let next = items.get(at + 1 + length);
    let called = items.get(at + 1).is_some_and(|item| item.kind == Kind::Quoted || item.is(CALLED)) || length > 1;
    let happens = next.is_none_or(|next| {
        next.is_verb || next.plain || next.joint.is_none() && is_event_word(&next.word) || next.noun.is_some() || next.kind != Kind::Word
    });
    // `when the webhook fires, …`, `die per Webhook ankommen`.
    let verb = items[at + 1].noun.is_none() && next.is_none_or(|next| next.kind != Kind::Word);
    let fits = text.len() < 60 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/'));
    (fits && (called || happens && !verb)).then(|| if called { text } else { text.to_lowercase() })
}

#[cfg(test)]
mod tests {
    use super::super::reading::items;
    use super::super::services::Lexicon;
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn places_have_the_names_that_the_prompt_gives() {
        let lexicon = Lexicon::of(Catalog::embedded());
        for (text, wanted) in [
            ("export the Postgres table customers to a CSV", vec![("table", "customers")]),
            ("upload it to the S3 bucket backups", vec![("bucket", "backups")]),
            ("to the folder \"Site Photos\" of Google Drive", vec![("folder", "Site Photos")]),
            ("in Google Drive folder Site Photos", vec![("folder", "Site Photos")]),
            ("the open issues of the GitHub repo acme/api", vec![("repository", "acme/api")]),
            ("copy the MySQL table orders as a CSV file", vec![("table", "orders")]),
            ("put it in the google drive folder Invoices", vec![("folder", "Invoices")]),
            ("in die MySQL-Tabelle messwerte schreiben", vec![("table", "messwerte")]),
            ("listen to the topic home/temp, then", vec![("topic", "home/temp")]),
            ("the rows of the orders table are sent", vec![("table", "orders")]),
            ("the table rows are sent to the Telegram chat 12345", vec![("chat", "12345")]),
            ("a new row in the table of Airtable", vec![]),
        ] {
            let items = items(text, &lexicon);
            let found = places(&items);
            let found: Vec<(&str, &str)> = found.iter().map(|(place, name)| (*place, name.as_str())).collect();
            assert_eq!(found, wanted, "{text}");
        }
    }

    #[test]
    fn a_webhook_has_its_path_where_the_prompt_names_it() {
        let lexicon = Lexicon::of(Catalog::embedded());
        for (text, wanted) in [
            ("When the webhook deploy-done is called, wait", Some("deploy-done")),
            ("that arrives on the webhook sensor-data in the collection", Some("sensor-data")),
            ("Wenn der Webhook Bestellung aufgerufen wird", Some("bestellung")),
            ("When the webhook ping is called", Some("ping")),
            ("when a webhook is called", None),
            ("when the webhook fires, post it", None),
            ("When a webhook receives an order", None),
            ("Daten, die per Webhook ankommen, speichern", None),
            ("a webhook that takes orders", None),
        ] {
            assert_eq!(webhook(&items(text, &lexicon)).as_deref(), wanted, "{text}");
        }
    }
}
