//! Conditions in words: `over 100 EUR`, `contains "urgent"`, `is positive`, `is not valid`.

use super::clauses::is_event_word;
use super::mails;
use super::reading::Item;
use super::schedule_words::UNITS;
use super::tokens::Kind;
use super::words::is_among;

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Test {
    /// A number compared with a value.
    Number { nouns: Vec<String>, op: &'static str, value: f64 },
    /// A text that contains another.
    Contains { nouns: Vec<String>, text: String, not: bool },
    /// A text that starts or ends with another.
    Begins { nouns: Vec<String>, text: String, ends: bool, not: bool },
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

impl Test {
    /// Reports whether it chooses among items by a value, rather than saying that something happened.
    pub(super) fn chooses(&self) -> bool {
        matches!(self, Self::Number { .. } | Self::Contains { .. } | Self::Begins { .. })
    }
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
const EDGES: &str = "start starts starting begin begins beginning end ends ending beginnt anfangt startet endet commence commencent finit termine empieza empiezan comienza \
     termina";
const ENDS: &str = "end ends ending endet finit termine termina";
const IS: &str = "is are equals equal ist sind est sont es son esta be";
const CONTAINS: &str = "contains contain containing mentions mention mentioning includes include including enthalt enthalten contient contiennent contenant contiene contienen";

/// Reports whether a word says that something is at the start or at the end of a text.
pub(super) fn is_edge(item: &Item) -> bool {
    item.among(EDGES)
}

pub(super) fn is_copula(item: &Item) -> bool {
    item.among(IS)
}

/// Reports whether a word compares.
pub(super) fn compares(item: &Item) -> bool {
    COMPARE.iter().chain(THAN).any(|(words, _)| item.among(words)) || item.among(CONTAINS) || item.among(EDGES)
}

/// Reads what a text starts or ends with: `starts with /todo`, `mit /todo beginnt`.
fn edge(items: &[Item], at: usize) -> Option<String> {
    const WITH: &[&str] = &["with", "in", "on", "mit", "auf", "par", "con", "por", "en"];
    const WORDS: &[&str] =
        &["the", "a", "word", "words", "text", "prefix", "command", "dem", "wort", "befehl", "le", "mot", "la", "palabra"];
    let behind = |at: usize| -> Option<String> {
        let skip = items[at..].iter().take_while(|item| item.is(WORDS)).count();
        let item = items.get(at + skip)?;
        match item.kind {
            Kind::Quoted | Kind::Channel => Some(item.text.clone()),
            Kind::Sign => Some(format!("{}{}", item.text, items.get(at + skip + 1)?.text)),
            Kind::Word if !item.plain => Some(item.text.clone()),
            _ => None,
        }
    };
    if items.get(at + 1).is_some_and(|next| next.is(WITH)) {
        return behind(at + 2);
    }
    let with = items[..at].iter().rposition(|item| item.is(&["mit", "auf"]))?;
    behind(with + 1)
}

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
            // `more than 3 items` and `older than 30 days` are about no amount.
            let number = items[at..].iter().position(|item| item.number() == Some(value)).map_or(at, |by| at + by);
            if items.get(number + 1).is_some_and(is_counted) {
                return None;
            }
            return Some(Test::Number { nouns: nouns(at), op, value });
        }
        if is_edge(item)
            && let Some(text) = edge(items, at)
        {
            return Some(Test::Begins { nouns: nouns(at), text, ends: item.among(ENDS), not: negated });
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
        // `is submitted` says what happened, and no value.
        [one]
            if !subject.is_empty()
                && !is_event_word(&one.word)
                && (one.kind == Kind::Quoted || one.kind == Kind::Word && one.service.is_none()) =>
        {
            Some(Test::Equals { nouns: subject, text: one.text.clone(), not: negated })
        }
        _ => None,
    }
}

/// Reports whether an item says what is counted by the number before it.
fn is_counted(item: &Item) -> bool {
    UNITS.iter().any(|(_, words)| item.among(words)) || item.noun.is_some() && !item.is_verb && item.service.is_none()
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
            && let skip =
                rest.iter().take_while(|one| one.is(&["the", "a", "an", "dem", "der", "einem", "einer", "le", "la", "el"])).count()
            && let Some(noun) = rest.get(skip).and_then(field)
        {
            let rest = &rest[skip..];
            let value = |by: usize| {
                rest.get(by).filter(|one| one.kind == Kind::Quoted || one.kind == Kind::Word && one.service.is_none() && !one.is_verb)
            };
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
        test @ Test::Begins { .. } => Some(test),
        _ => None,
    }
}

/// Returns the name of the field that records are chosen by.
fn field(item: &Item) -> Option<&'static str> {
    const FIELDS: &[(&str, &str)] = &[
        ("status", "status state"),
        ("label", "label labels etikett"),
        ("tag", "tag tags"),
        ("category", "category"),
        ("priority", "priority prioritat priorite prioridad"),
        ("type", "type typ tipo"),
        ("country", "country land pays pais"),
        ("language", "language"),
        ("stage", "stage"),
        ("role", "role"),
    ];
    let known = |word: &str| FIELDS.iter().find(|(_, words)| is_among(words, word)).map(|(name, _)| *name);
    known(&item.word).or_else(|| item.noun.and_then(known))
}
