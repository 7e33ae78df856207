//! Conditions of the compact form on what the data has.

use serde_json::Value;

use super::choices::Test;
use super::flow::Flow;
use super::queues;
use super::words::{is_among, noun as noun_of};
use crate::generation::compact::{Case, Condition};

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
                "worth",
                "value",
                "wert",
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
            let numeric = |noun: &String| {
                let number = |word: &String| known.contains(&word.as_str()) || word == "magnitude";
                number(noun) || flow.data.field(noun).is_some_and(|field| field.words.iter().any(number))
            };
            let named = nouns.iter().rev().filter(|noun| !of_record(noun)).find(|noun| numeric(noun));
            // The prompt names the field where the data has those that the user chose; a word that is no known noun names one, too.
            let own = nouns.last().filter(|noun| !of_record(noun) && (flow.data.open.is_some() || noun_of(noun).is_none()));
            let left = match named.or(own) {
                Some(noun) => {
                    let code = number_of(flow, noun).or_else(|| queues::number(flow, noun))?;
                    format!("{{{{ Number({code}) }}}}")
                }
                None => amount(flow)?,
            };
            let right = if value.fract() == 0.0 { Value::from(*value as i64) } else { Value::from(*value) };
            (one(left, &format!("number.{op}"), right), false, false)
        }
        Test::Contains { nouns, text, not } => {
            // A mail or an article mentions something in its heading or in its text.
            let whole = nouns.iter().all(|noun| WHOLE.contains(&noun.as_str()));
            let heading = flow.data.field("subject").or_else(|| flow.data.field("title"));
            let both = heading.filter(|_| whole).and_then(|subject| {
                let text = flow.data.field("text")?;
                Some(format!("{{{{ {} + ' ' + {} }}}}", flow.data.code(&subject.path), flow.data.code(&text.path)))
            });
            let left = both.or_else(|| text_of(flow, nouns));
            (one(left?, if *not { "string.notContains" } else { "string.contains" }, plain(text)), true, false)
        }
        Test::Begins { nouns, text, ends, not } => {
            let op = match (ends, not) {
                (false, false) => "string.startsWith",
                (false, true) => "string.notStartsWith",
                (true, false) => "string.endsWith",
                (true, true) => "string.notEndsWith",
            };
            (one(text_of(flow, nouns)?, op, plain(text)), true, false)
        }
        Test::Equals { nouns, text, not } => {
            let of_type = ["text", "image", "audio", "video", "document"].contains(&text.to_lowercase().as_str());
            let kind = flow.data.field("type").map(|field| format!("{{{{{}}}}}", flow.data.code(&field.path)));
            let left = kind.filter(|_| of_type).or_else(|| read(flow, nouns));
            (one(left?, if *not { "string.notEquals" } else { "string.equals" }, plain(text)), true, true)
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

/// Returns the code of the number that a noun means. Any other word for an amount is that of the data.
fn number_of(flow: &Flow<'_>, noun: &str) -> Option<String> {
    let amounts = ["betrag", "montant", "importe", "summe", "preis", "prix", "precio", "sum", "amount", "total", "price", "number"];
    let amount = || ["amount", "total", "price"].iter().find_map(|noun| flow.data.field(noun).map(|field| flow.data.code(&field.path)));
    flow.read(noun).or_else(|| amount().filter(|_| amounts.contains(&noun)))
}

/// Things that are texts themselves.
const WHOLE: &[&str] = &["mail", "message", "text", "article", "post", "record", "entry"];

/// Returns the text that the nouns mean: a field, or that of the item.
fn text_of(flow: &Flow<'_>, nouns: &[String]) -> Option<String> {
    let whole = nouns.iter().all(|noun| WHOLE.contains(&noun.as_str()));
    // A field that the data lacks is not replaced by another.
    let chosen = nouns.iter().any(|noun| matches!(noun.as_str(), "label" | "tag" | "category" | "priority" | "type" | "country"));
    let title = flow.data.field("title").filter(|_| whole && flow.data.field("text").is_none()).map(|field| flow.data.code(&field.path));
    let named = title.or_else(|| nouns.iter().rev().find_map(|noun| flow.read(noun)));
    let other = || flow.made.clone().or_else(|| ["text", "subject"].iter().find_map(|noun| flow.read(noun)));
    named.or_else(|| other().filter(|_| !chosen)).map(|code| format!("{{{{{code}}}}}"))
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
