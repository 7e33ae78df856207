//! What the answer to a probe says about the version that serves. Only the workflow's own answer judges it: a proxy, a login
//! page, the editor or an n8n that is busy with itself may answer in its place, or nothing may.

use serde_json::Value;

use crate::api::workflow::Probe;

use crate::document::finding::{cut, kind_of};
use crate::document::json_path;

/// How much of a wanted value a message repeats, in characters.
const LONGEST: usize = 80;

/// Who gave an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Author {
    /// The workflow, or n8n in lasting words about it.
    Workflow,
    /// It may be the workflow or something before it; the text describes the answer.
    Unclear(String),
    /// Certainly not the workflow; the text says who, and what mends it.
    Other(String),
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    /// The workflow answered as expected.
    Passed,
    /// The workflow answered something else.
    Failed(String),
    /// The workflow did not answer.
    Unanswered(String),
}

/// Judges a complete answer; `json` is its body, where that is JSON.
pub fn judge(probe: &Probe, status: u16, json: Option<&Value>, author: Author) -> Probed {
    let readback_mismatches = readback_mismatches(probe, status, json);
    match author {
        Author::Workflow => readback_mismatches.map_or(Probed::Passed, Probed::Failed),
        Author::Other(who) => Probed::Unanswered(who),
        // JSON that was expected and came is nobody else's. Without any, the status of an outage proves nothing.
        Author::Unclear(_) if readback_mismatches.is_none() && (probe.expected_json.is_some() || !of_an_outage(status)) => Probed::Passed,
        Author::Unclear(who) => Probed::Unanswered(who),
    }
}

/// Whether a status is one that proxies answer with when what is behind them does not, or not now.
pub const fn of_an_outage(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

/// How an answer differs from what is expected.
fn readback_mismatches(probe: &Probe, status: u16, json: Option<&Value>) -> Option<String> {
    if i64::from(status) != probe.expected_status {
        return Some(format!("answered HTTP {status} and {} was expected", probe.expected_status));
    }
    match (&probe.expected_json, json) {
        (Some(expected), Some(json)) => lacks(json, expected, ""),
        (Some(_), None) => Some("it answered no JSON".to_owned()),
        (None, _) => None,
    }
}

/// Where a JSON answer first lacks what a probe expects, with what was wanted there: objects by the keys that are named, anything else
/// whole. What came instead is named by its kind alone, for an answer never enters a status.
fn lacks(answer: &Value, expected: &Value, at: &str) -> Option<String> {
    let wrong = |got: &str| {
        let place = if at.is_empty() { "the answer".to_owned() } else { at.to_owned() };
        Some(format!("in the JSON it answered, {place} is {got} and {} was expected", cut(&expected.to_string(), LONGEST)))
    };
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => expected.iter().find_map(|(key, wanted)| {
            let at = json_path::key(at, key);
            match answer.get(key) {
                Some(answer) => lacks(answer, wanted, &at),
                None => Some(format!("the JSON it answered lacks {at}, where {} was expected", cut(&wanted.to_string(), LONGEST))),
            }
        }),
        (Value::Array(answer), Value::Array(items)) if answer.len() == items.len() => {
            answer.iter().zip(items).enumerate().find_map(|(index, (answer, wanted))| lacks(answer, wanted, &json_path::index(at, index)))
        }
        (Value::Number(answer), Value::Number(wanted)) if answer.as_f64() == wanted.as_f64() => None,
        (answer, wanted) if answer == wanted => None,
        // Two of one kind differ in their value.
        (answer, wanted) if kind_of(answer) == kind_of(wanted) => wrong("another value"),
        (answer, _) => wrong(&kind_of(answer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn judged(expects: Value, status: u16, answer: Option<Value>, author: Author) -> Probed {
        let mut probe = json!({ "node": "Asked" });
        probe.as_object_mut().unwrap().extend(expects.as_object().cloned().unwrap());
        judge(&serde_json::from_value(probe).unwrap(), status, answer.as_ref(), author)
    }

    #[test]
    fn only_the_workflows_own_answer_judges_the_version() {
        let unclear = || Author::Unclear("a page".to_owned());
        let other = || Author::Other("the editor".to_owned());
        assert_eq!(judged(json!({}), 200, None, Author::Workflow), Probed::Passed);
        for status in [500, 502, 503, 429, 404, 204] {
            let own = judged(json!({}), status, None, Author::Workflow);
            assert_eq!(own, Probed::Failed(format!("answered HTTP {status} and 200 was expected")));
            assert_eq!(judged(json!({}), status, None, unclear()), Probed::Unanswered("a page".to_owned()), "{status}");
        }
        assert_eq!(judged(json!({}), 200, None, other()), Probed::Unanswered("the editor".to_owned()));
        assert_eq!(judged(json!({ "expectedStatus": 503 }), 503, None, Author::Workflow), Probed::Passed);
    }

    #[test]
    fn an_unclear_answer_counts_where_nobody_else_would_give_it() {
        let unclear = || Author::Unclear("a proxy".to_owned());
        let ok = || Some(json!({ "ok": true, "at": 1 }));
        let expects = |status: u16| json!({ "expectedStatus": status, "expectedJSON": { "ok": true } });
        assert_eq!(judged(json!({}), 200, None, unclear()), Probed::Passed);
        assert_eq!(judged(json!({ "expectedStatus": 302 }), 302, None, unclear()), Probed::Passed);
        assert_eq!(judged(expects(503), 503, ok(), unclear()), Probed::Passed);
        for status in [429, 502, 503] {
            let probed = judged(json!({ "expectedStatus": status }), status, ok(), unclear());
            assert_eq!(probed, Probed::Unanswered("a proxy".to_owned()), "{status}: a proxy may have answered what was expected");
        }
        assert!(matches!(judged(expects(200), 200, Some(json!({ "ok": 0 })), unclear()), Probed::Unanswered(_)));
    }

    #[test]
    fn an_expected_object_names_only_the_keys_that_matter() {
        let answer = json!({ "status": "ok", "items": [{ "id": 1.0, "at": "now" }] });
        let said = |expected: Value| lacks(&answer, &expected, "").unwrap_or_default();
        assert_eq!(said(json!({ "items": [{ "id": 1 }] })), "");
        assert_eq!(said(json!({ "items": [] })), "in the JSON it answered, items is an array of 1 and [] was expected");
        let other = "in the JSON it answered, items[0].id is a fraction and 2 was expected";
        assert_eq!(said(json!({ "items": [{ "id": 2 }] })), other);
        assert_eq!(said(json!({ "status": true })), "in the JSON it answered, status is a string and true was expected");
        assert_eq!(said(json!({ "currency": "EUR" })), "the JSON it answered lacks currency, where \"EUR\" was expected");
        assert!(!said(json!({ "status": "failed" })).contains("ok"), "what came is not repeated");
    }
}
