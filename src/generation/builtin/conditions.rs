//! Conditions in words: `over 100 EUR`, `contains "urgent"`, `is positive`, `is not valid`.

use serde_json::Value;

use super::flow::Flow;
use super::mails;
use super::reading::Item;
use super::tokens::Kind;
use super::words::is_among;
use crate::generation::compact::{Case, Condition};

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// A number compared with a value.
    Number { nouns: Vec<String>, op: &'static str, value: f64 },
    /// A text that contains another.
    Contains { nouns: Vec<String>, text: String, not: bool },
    /// A text that equals another.
    Equals { nouns: Vec<String>, text: String, not: bool },
    /// The mood of a text: 1, 0 or -1.
    Mood(i8),
    /// The outcome of a check.
    Valid(bool),
    /// An address does not answer.
    Down,
    /// The status with which an address answers.
    Code { code: f64, not: bool },
}

const COMPARE: &[(&str, &str)] = &[
    ("over above exceeds exceed exceeding depasse depassent excede supera superan uber mayor superior superieur", "gt"),
    ("below under unter inferior inferieur menor", "lt"),
];
const THAN: &[(&str, &str)] = &[
    ("more greater higher bigger larger older mehr grosser hoher plus mas", "gt"),
    ("less lower smaller fewer weniger kleiner niedriger moins menos", "lt"),
];
const NOT: &str = "not isnt doesnt dont nicht kein keine pas no without";
const IS: &str = "is are equals equal ist sind est sont es son esta be";
const CONTAINS: &str = "contains contain containing mentions mention mentioning includes include including enthalt enthalten contient contiennent contenant contiene contienen";

/// Reads a condition; `None` if it is not one of those that are known.
pub(super) fn read(items: &[Item]) -> Option<Test> {
    let nouns = |upto: usize| -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for item in items[..upto].iter().filter(|item| item.kind == Kind::Word && item.service.is_none()) {
            match item.noun {
                Some(noun) => {
                    found.push(noun.to_owned());
                    // Where the user names the fields, the user's word is the name.
                    if item.word != noun && !item.word.ends_with('s') {
                        found.push(item.word.clone());
                    }
                }
                None if !item.plain && !item.is_verb => found.push(item.word.clone()),
                None => {}
            }
        }
        found
    };
    let not = items.iter().any(|item| item.among(NOT));
    let negated = items.iter().any(|item| item.is(&["unless"])) != not;
    for (at, item) in items.iter().enumerate() {
        let next = items.get(at + 1);
        let number = |by: usize| {
            let skip = usize::from(items.get(at + by).is_some_and(|one| matches!(one.text.as_str(), "€" | "$" | "£")));
            items.get(at + by + skip).and_then(Item::number)
        };
        let compare = COMPARE.iter().find(|(words, _)| item.among(words)).and_then(|(_, op)| Some((*op, number(1)?)));
        let than =
            THAN.iter().find(|(words, _)| item.among(words)).filter(|_| next.is_some_and(|next| next.is(&["than", "als", "que", "de"])));
        let than = than.and_then(|(_, op)| Some((*op, number(2)?)));
        let least = item.is(&["at"]).then(|| match next {
            Some(next) if next.is(&["least"]) => number(2).map(|value| ("gte", value)),
            Some(next) if next.is(&["most"]) => number(2).map(|value| ("lte", value)),
            _ => None,
        });
        // `is 50 or more`.
        let open = item.number().filter(|_| next.is_some_and(|next| next.is(&["or", "oder", "ou", "o"]))).and_then(|value| {
            let more = items.get(at + 2)?;
            let (up, down) =
                (&["more", "higher", "above", "mehr", "plus", "mas"], &["less", "lower", "below", "fewer", "weniger", "moins", "menos"]);
            if more.is(up) { Some(("gte", value)) } else { more.is(down).then_some(("lte", value)) }
        });
        let sign = match item.text.as_str() {
            ">" => number(1).map(|value| ("gt", value)),
            "<" => number(1).map(|value| ("lt", value)),
            _ => None,
        };
        if let Some((op, value)) = compare.or(than).or(least.flatten()).or(open).or(sign) {
            return Some(Test::Number { nouns: nouns(at), op, value });
        }
        if item.among(CONTAINS) {
            let text = items[at + 1..].iter().find(|item| item.kind == Kind::Quoted).map(|item| item.text.clone());
            let word = || {
                let mut rest = items[at + 1..].iter().filter(|item| {
                    item.kind == Kind::Word && !item.is(&["the", "word", "a", "an", "keyword", "das", "wort", "le", "mot", "la", "palabra"])
                });
                let first = rest.next().filter(|item| !item.plain).map(|item| item.text.clone());
                first.filter(|_| {
                    rest.next().is_none_or(|next| next.is(&["to", "in", "into", "on", "via", "by", "an", "nach", "dans", "sur", "en"]))
                })
            };
            return text.or_else(word).map(|text| Test::Contains { nouns: nouns(at), text, not: negated });
        }
    }
    let says = |words: &[&str]| items.iter().any(|item| item.is(words));
    let attitude = [
        (&["positive", "positiv", "positif", "positivo", "good", "happy"][..], 1),
        (&["negative", "negativ", "negatif", "negativo", "unhappy"][..], -1),
        (&["neutral"][..], 0),
    ];
    if let Some((_, mood)) = attitude.iter().find(|(words, _)| says(words)).filter(|_| !not) {
        return Some(Test::Mood(*mood));
    }
    if says(&["valid", "deliverable", "gultig", "valide", "valida", "valido"]) {
        return Some(Test::Valid(!negated));
    }
    if says(&["invalid", "undeliverable", "ungultig"]) {
        return Some(Test::Valid(negated));
    }
    if let Some(code) = answer_code(items) {
        return Some(Test::Code { code, not: negated });
    }
    if says(&[
        "down",
        "unreachable",
        "offline",
        "unavailable",
        "fails",
        "failing",
        "broken",
        "dead",
        "ausfallt",
        "ausgefallen",
        "fehlschlagt",
        "echoue",
        "falla",
        "caido",
        "caida",
        "panne",
    ]) || not && says(&["answer", "respond", "reachable", "antwortet", "erreichbar", "repond", "responde"])
    {
        return Some(Test::Down);
    }
    let is = items.iter().position(|item| item.among(IS))?;
    let rest: Vec<&Item> = items[is + 1..]
        .iter()
        .filter(|item| !item.among(NOT) && !item.is(&["a", "an", "the", "equal", "to", "ein", "eine", "un", "une", "una"]))
        .collect();
    let subject = nouns(is);
    match rest.as_slice() {
        [one] if !subject.is_empty() && (one.kind == Kind::Quoted || one.kind == Kind::Word && one.service.is_none()) => {
            Some(Test::Equals { nouns: subject, text: one.text.clone(), not: negated })
        }
        _ => None,
    }
}

/// Returns the status with which an address is to answer: `it is not 200`, `the status code isn't 200`, `it does not return 204`.
fn answer_code(items: &[Item]) -> Option<f64> {
    const ABOUT: &str = "status code http response returns return returned responds respond answers answer gives give page site website endpoint url address other than \
        anything";
    let (last, rest) = items.split_last()?;
    let code = match last.kind {
        Kind::Number(code) if code.fract() == 0.0 && (100.0..600.0).contains(&code) => code,
        _ => return None,
    };
    let about = |item: &Item| item.kind == Kind::Word && item.service.is_none() && (item.plain || item.among(ABOUT));
    let says = rest.iter().any(|item| item.among(IS) || item.among(NOT) || item.among(ABOUT));
    (says && rest.iter().all(about)).then_some(code)
}

/// Reads the condition that a clause has within: `orders over 100 EUR`, `rows with status open`, `articles that mention "n8n"`.
pub(super) fn within(items: &[Item]) -> Option<Test> {
    // `messages with the word invoice`.
    let word = |item: &Item| item.is(&["word", "words", "keyword", "wort", "stichwort", "mot", "palabra"]);
    let named = items.windows(3).position(|three| {
        three[0].is(&["with", "mit", "avec", "con"])
            && (word(&three[1]) || word(&three[2]) && three[1].is(&["the", "dem", "le", "la", "a", "keyword"]))
    });
    if let Some(at) = named {
        let text = items[at + 1..].iter().find(|item| item.kind == Kind::Quoted || !item.plain && !word(item))?;
        let nouns = items[..at].iter().filter_map(|item| item.noun.map(str::to_owned)).collect();
        return Some(Test::Contains { nouns, text: text.text.clone(), not: false });
    }
    // `a mail with the subject "Invoice"`, `with "Invoice" in the subject`.
    let subject = |item: &Item| item.is(&["subject", "betreff", "objet", "asunto"]);
    if let Some(at) = items.iter().position(subject).filter(|_| mails::subject_at(items).is_none()) {
        let beside = items[at + 1..].iter().take(3).chain(items[at.saturating_sub(4)..at].iter());
        if let Some(text) = beside.into_iter().find(|item| item.kind == Kind::Quoted) {
            return Some(Test::Contains { nouns: vec!["subject".to_owned()], text: text.text.clone(), not: false });
        }
    }
    for (at, item) in items.iter().enumerate() {
        let rest = &items[at + 1..];
        let value = |by: usize| {
            rest.get(by).filter(|one| one.kind == Kind::Quoted || one.kind == Kind::Word && one.service.is_none() && !one.is_verb)
        };
        if item.is(&["with", "where", "whose", "having", "mit", "deren", "avec", "dont", "con", "cuyo", "cuya"])
            && let Some(noun) = rest
                .first()
                .and_then(|one| one.noun.or(Some(one.word.as_str()).filter(|word| is_field(word))))
                .filter(|noun| is_field(noun))
        {
            let by = 1 + usize::from(rest.get(1).is_some_and(|one| one.among(IS) || one.is(&["="])));
            let text = value(by).filter(|one| !one.is(&["and", "to", "in"]))?;
            let (nouns, text) = (vec![noun.to_owned()], text.text.clone());
            let several = matches!(noun, "label" | "tag");
            return Some(if several { Test::Contains { nouns, text, not: false } } else { Test::Equals { nouns, text, not: false } });
        }
        // `issues labelled bug`.
        if item.is(&["labelled", "labeled", "tagged"])
            && let Some(text) = value(0)
        {
            return Some(Test::Contains { nouns: vec!["label".to_owned()], text: text.text.clone(), not: false });
        }
    }
    let relative = items
        .iter()
        .any(|item| item.is(&["that", "which", "whose", "containing", "mentioning", "die", "qui", "que", "enthalten", "contenant"]));
    match read(items)? {
        test @ Test::Number { .. } => Some(test),
        test @ Test::Contains { .. } if relative => Some(test),
        _ => None,
    }
}

fn is_field(word: &str) -> bool {
    matches!(word, "status" | "state" | "label" | "tag" | "category" | "priority" | "type" | "country" | "language" | "stage" | "role")
}

/// Nouns for records, which are no numbers: the amount of one is meant.
const RECORDS: &str = "order payment invoice deal row record item product result entry request message value purchase sale";

/// Returns a condition of the compact form; `None` if the data has nothing that it could be about.
pub(super) fn case(test: &Test, flow: &mut Flow<'_>) -> Option<Case> {
    let read =
        |flow: &Flow<'_>, nouns: &[String]| nouns.iter().rev().find_map(|noun| flow.read(noun)).map(|code| format!("{{{{{code}}}}}"));
    let one = |left: String, op: &str, right: Value| Condition { left: Value::String(left), op: op.to_owned(), right };
    let (of, ignore_case, loose) = match test {
        Test::Number { nouns, op, value } => {
            let known = [
                "betrag",
                "montant",
                "importe",
                "summe",
                "preis",
                "prix",
                "precio",
                "sum",
                "amount",
                "total",
                "price",
                "score",
                "rating",
                "temperature",
                "number",
            ];
            let of_record = |noun: &String| is_among(RECORDS, noun);
            let named = nouns.iter().rev().filter(|noun| !of_record(noun)).find(|noun| {
                known.contains(&noun.as_str()) || flow.data.field(noun).is_some_and(|field| !field.words.iter().any(|word| word == "title"))
            });
            // The prompt names the field where the data has those that the user chose.
            let own = nouns.last().filter(|noun| flow.data.open.is_some() && !of_record(noun));
            let left = match named.or(own).and_then(|noun| flow.read(noun)) {
                Some(code) => format!("{{{{ Number({code}) }}}}"),
                None => amount(flow)?,
            };
            let right = if value.fract() == 0.0 { Value::from(*value as i64) } else { Value::from(*value) };
            (one(left, &format!("number.{op}"), right), false, false)
        }
        Test::Contains { nouns, text, not } => {
            // A mail or an article mentions something in its heading or in its text.
            const WHOLE: &[&str] = &["mail", "message", "text", "article", "post", "record", "entry"];
            let whole = nouns.iter().all(|noun| WHOLE.contains(&noun.as_str()));
            let heading = flow.data.field("subject").or_else(|| flow.data.field("title"));
            let both = heading.filter(|_| whole).and_then(|subject| {
                let text = flow.data.field("text")?;
                Some(format!("{{{{ {} + ' ' + {} }}}}", flow.data.code(&subject.path), flow.data.code(&text.path)))
            });
            let subject = flow
                .data
                .field("title")
                .filter(|_| whole && flow.data.field("text").is_none())
                .map(|field| format!("{{{{{}}}}}", flow.data.code(&field.path)));
            let left = both
                .or(subject)
                .or_else(|| read(flow, nouns))
                .or_else(|| flow.made.as_ref().map(|code| format!("{{{{{code}}}}}")))
                .or_else(|| read(flow, &["subject".to_owned(), "text".to_owned()]));
            (one(left?, if *not { "string.notContains" } else { "string.contains" }, plain(text)), true, false)
        }
        Test::Equals { nouns, text, not } => {
            let of_type = ["text", "image", "audio", "video", "document"].contains(&text.to_lowercase().as_str());
            let kind = flow.data.field("type").map(|field| format!("{{{{{}}}}}", flow.data.code(&field.path)));
            let left = kind.filter(|_| of_type).or_else(|| read(flow, nouns));
            (one(left?, if *not { "string.notEquals" } else { "string.equals" }, plain(&text.to_lowercase())), true, true)
        }
        Test::Mood(mood) => {
            let score = flow.data.field("sentiment").map(|field| format!("{{{{{}}}}}", flow.data.code(&field.path)))?;
            let op = ["number.lt", "number.equals", "number.gt"][usize::try_from(mood + 1).ok()?];
            (one(score, op, Value::from(0)), false, false)
        }
        Test::Valid(valid) => {
            let status = flow.data.field("status").map(|field| format!("{{{{{}}}}}", flow.data.code(&field.path)))?;
            (one(status, if *valid { "string.equals" } else { "string.notEquals" }, Value::from("valid")), false, false)
        }
        Test::Code { code, not } => {
            let status = format!("{{{{ {} ?? 0 }}}}", flow.data.code("statusCode"));
            (one(status, if *not { "number.notEquals" } else { "number.equals" }, Value::from(*code as i64)), false, false)
        }
        Test::Down => return None,
    };
    Some(Case { of: vec![of], ignore_case, loose, ..Case::default() })
}

/// Returns the amount of an item whose fields the prompt does not name: services call it by one of a few names.
fn amount(flow: &mut Flow<'_>) -> Option<String> {
    if let Some(code) =
        ["amount", "total", "price", "score"].iter().find_map(|noun| flow.data.field(noun).map(|field| flow.data.code(&field.path)))
    {
        return Some(format!("{{{{ Number({code}) }}}}"));
    }
    flow.data.open.as_ref()?;
    let object = flow.data.object();
    flow.assume("The amount of an item is in its field total, amount, price or value");
    let names = ["total", "amount", "price", "value"].map(|name| format!("{object}.{name}"));
    Some(format!("{{{{ Number({}) }}}}", names.join(" ?? ")))
}

/// Returns a text that n8n takes as it is.
fn plain(text: &str) -> Value {
    if text.contains("{{") || text.starts_with(['=', '?', '\'']) {
        Value::String(format!("'{}", text.trim_start_matches('=')))
    } else {
        Value::from(text)
    }
}
