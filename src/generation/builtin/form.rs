//! Forms: the fields that the prompt names.

use super::clauses::is_event_word;
use super::reading::Item;
use super::tokens::Kind;
use super::words::{Act, is_among};

/// A field: its label, its name, its type, and the nouns that mean it.
pub(super) struct FormField {
    pub label: String,
    pub name: String,
    pub kind: &'static str,
    pub nouns: Vec<String>,
}

/// Nouns, and the label, the name and the type of the field that they mean.
const KNOWN: &[(&str, &str, &str, &str)] = &[
    ("name", "Name", "name", "text"),
    ("mail address newsletter signup email emails", "Email", "email", "email"),
    ("phone", "Phone", "phone", "text"),
    ("company", "Company", "company", "text"),
    ("title", "Title", "title", "text"),
    ("date", "Date", "date", "date"),
    ("number amount", "Amount", "amount", "number"),
    ("message text question feedback comment description issue", "Message", "message", "textarea"),
    ("document file image pdf cv upload audio invoice", "File", "file", "file"),
];
/// Word of the item that says that whoever fills in the form gets a mail.
pub(super) const RECIPIENT: &str = "recipient-of-mail";
/// Words for the beginning or the end of a time.
const DATES: &str = "from to till until start end begin von bis beginn ende du au desde hasta debut fin inicio";
/// Words before a list of fields.
const OPENS: &str = "with asks asking ask fields for mit fragt nach avec demande demandant con pide que";
/// Words that are no part of a field's name.
const SKIPPED: &str =
    "the a an their your his her our my its ihre ihren sein seine un une une der die das den el la le los las su sus of de";
const NUMBERS: &str = "amount budget rating quantity price age count betrag alter anzahl budget montant quantite age importe cantidad presupuesto score total";

/// Returns the fields of a form. `items` describe it; `prompt` is all of the prompt, which may list the fields.
pub(super) fn fields(items: &[Item], prompt: &[Item], words: &[String]) -> Vec<FormField> {
    let said = |list: &str| words.iter().any(|word| is_among(list, word));
    let mut fields = listed(prompt);
    let certain = !fields.is_empty();
    if fields.is_empty() {
        fields = KNOWN.iter().filter(|(nouns, ..)| said(nouns)).map(known).collect();
    }
    if fields.is_empty() {
        fields = KNOWN.iter().filter(|(_, _, name, _)| matches!(*name, "name" | "email" | "message")).map(known).collect();
    }
    // Whoever sends a file with a form, or gives an address, does so in a field.
    for known_field in KNOWN.iter().filter(|(_, _, name, _)| matches!(*name, "file" | "email")) {
        let (nouns, _, name, _) = known_field;
        let own = items.iter().any(|item| {
            !item.is_verb && item.noun.is_some_and(|noun| is_among(nouns, noun)) && (!certain || *name == "file" || item.word == RECIPIENT)
        });
        if own && !fields.iter().any(|field| field.name == *name || field.kind == *name) {
            fields.push(known(known_field));
        }
    }
    fields
}

fn known((nouns, label, name, kind): &(&str, &str, &str, &'static str)) -> FormField {
    let mut nouns: Vec<String> = nouns.split_whitespace().map(str::to_owned).collect();
    nouns.extend(["email"].into_iter().filter(|_| *name == "email").map(|_| "contact".to_owned()));
    FormField { label: (*label).to_owned(), name: (*name).to_owned(), kind, nouns }
}

/// Returns the fields that a prompt lists: `a form with name, email and plan`, `(name, start date, end date)`.
fn listed(prompt: &[Item]) -> Vec<FormField> {
    let Some(form) = prompt.iter().position(|item| item.noun == Some("form") && item.service.is_none()) else { return Vec::new() };
    let opens = |item: &Item| item.among(OPENS) || item.text == "(" || item.kind == Kind::Colon && item.text == ":";
    let Some(open) = (form + 1..prompt.len().min(form + 8)).find(|at| opens(&prompt[*at])) else { return Vec::new() };
    // `asks for`, `fragt nach`.
    let first = (open..prompt.len()).find(|at| !opens(&prompt[*at]) && !prompt[*at].among(SKIPPED)).unwrap_or(prompt.len());
    let strict = prompt[open..first].iter().any(|item| item.text == "(" || item.is(&["fields", "felder", "feldern", "champs", "campos"]));
    let (mut fields, mut part): (Vec<FormField>, Vec<&Item>) = (Vec::new(), Vec::new());
    for item in &prompt[first..] {
        let joins = item.kind == Kind::Comma || item.is(&["and", "und", "et", "y", "or", "&"]);
        let ends = matches!(item.kind, Kind::Stop | Kind::Colon)
            || item.text == ")"
            || item.service.is_some()
            || item.kind != Kind::Word && !joins
            || item.is_verb && !matches!(item.act, Some(Act::Light))
            || is_event_word(&item.word)
            || item.is(&["is", "are", "wird", "est", "when", "if", "wenn", "si", "then", "that", "which", "whose"]);
        if !joins && !ends {
            part.push(item);
            continue;
        }
        let Some(field) = field(&part, strict) else {
            // No list of fields: `a form with which people sign up`.
            if !part.is_empty() && fields.is_empty() {
                return Vec::new();
            }
            part.clear();
            if ends { break } else { continue }
        };
        if !fields.iter().any(|own| own.name == field.name) {
            fields.push(field);
        }
        part.clear();
        if ends {
            break;
        }
    }
    fields.extend(field(&part, strict));
    // One word alone may be anything: `a form for applicants`.
    let certain = fields.len() > 1
        || strict
        || prompt[open..first].iter().any(|item| item.is(&["asks", "asking", "ask", "fields", "fragt", "demande", "pide"]));
    if certain { fields } else { Vec::new() }
}

/// Returns the field that the words of a list's part name.
fn field(part: &[&Item], strict: bool) -> Option<FormField> {
    let words: Vec<&&Item> = part.iter().filter(|item| !item.among(SKIPPED)).collect();
    let says =
        words.iter().any(|item| !item.plain || item.noun.is_some() || item.is(&["department", "country", "start", "end", "day", "time"]));
    if words.is_empty() || !says && !strict || words.len() > 3 {
        return None;
    }
    let nouns: Vec<&str> = words.iter().filter_map(|item| item.noun).collect();
    let found = KNOWN.iter().find(|(own, ..)| nouns.last().is_some_and(|noun| is_among(own, noun)));
    if let [_] = words[..]
        && let Some(found) = found.filter(|(_, _, name, _)| !matches!(*name, "message" | "amount"))
    {
        return Some(known(found));
    }
    let text: Vec<&str> = words.iter().map(|item| item.text.as_str()).collect();
    let text = text.join(" ");
    let label: String = text.chars().take(1).flat_map(char::to_uppercase).chain(text.chars().skip(1)).collect();
    let folded: Vec<&str> = words.iter().map(|item| item.word.as_str()).collect();
    let name = folded.join("_");
    let is = |list: &str| folded.iter().any(|word| is_among(list, word)) || nouns.iter().any(|noun| is_among(list, noun));
    let kind = if is("date") || words.len() == 1 && is(DATES) {
        "date"
    } else if is("mail") {
        "email"
    } else if is("file image document") {
        "file"
    } else if is(NUMBERS) {
        "number"
    } else if is("message text question feedback comment") {
        "textarea"
    } else {
        "text"
    };
    let mut own: Vec<String> = vec![name.clone()];
    own.extend(nouns.last().map(|noun| (*noun).to_owned()));
    own.extend(["email"].into_iter().filter(|_| kind == "email").map(str::to_owned));
    Some(FormField { label, name, kind, nouns: own })
}
