//! Evaluation of the answer to a probe. Only the workflow's own answer decides about the published version: a proxy, a login page, the
//! editor or a busy n8n may answer in its place, or there may be no answer at all.

use serde_json::Value;

use crate::api::workflow::Probe;

use crate::document::finding::{cut, kind_of};
use crate::document::json_path;

/// Maximum length, in characters, of an expected value in a message.
const LONGEST: usize = 80;

/// Author of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Author {
    /// The workflow, or n8n in a lasting statement about it.
    Workflow,
    /// The workflow or something in front of it; the text describes the answer.
    Unclear(String),
    /// Certainly not the workflow; the text says who answered, and how to fix it.
    Other(String),
}

/// Result of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    /// The workflow answered as expected.
    Passed,
    /// The workflow answered something unexpected.
    Failed(String),
    /// The workflow did not answer.
    Unanswered(String),
}

/// Evaluates a complete answer; `json` is its body, if that is JSON.
pub fn evaluate(probe: &Probe, status: u16, json: Option<&Value>, author: Author) -> Probed {
    let readback_mismatches = readback_mismatches(probe, status, json);
    match author {
        Author::Workflow => readback_mismatches.map_or(Probed::Passed, Probed::Failed),
        Author::Other(who) => Probed::Unanswered(who),
        // Only the workflow sends the expected JSON. If no JSON is expected, a status that proxies use in an outage proves nothing.
        Author::Unclear(_) if readback_mismatches.is_none() && (probe.expected_json.is_some() || !of_an_outage(status)) => Probed::Passed,
        Author::Unclear(who) => Probed::Unanswered(who),
    }
}

/// Reports whether proxies answer with this status when the server behind them is unavailable.
pub const fn of_an_outage(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 500..=599)
}

/// Returns how an answer differs from the expected one.
fn readback_mismatches(probe: &Probe, status: u16, json: Option<&Value>) -> Option<String> {
    if i64::from(status) != probe.expected_status {
        return Some(format!("answered HTTP {status}, expected {}", probe.expected_status));
    }
    match (&probe.expected_json, json) {
        (Some(expected), Some(json)) => lacks(json, expected, ""),
        (Some(_), None) => Some("the answer is not JSON".to_owned()),
        (None, _) => None,
    }
}

/// Returns the first place where a JSON answer lacks what the probe expects, with the expected value: objects are compared by the expected
/// keys, anything else as a whole. Only the kind of the actual value is named, because answers never enter a status.
fn lacks(answer: &Value, expected: &Value, at: &str) -> Option<String> {
    let wrong = |got: &str| {
        let place = if at.is_empty() { "the answer".to_owned() } else { at.to_owned() };
        Some(format!("in the JSON answer, {place} is {got}, expected {}", cut(&expected.to_string(), LONGEST)))
    };
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => expected.iter().find_map(|(key, wanted)| {
            let at = json_path::key(at, key);
            match answer.get(key) {
                Some(answer) => lacks(answer, wanted, &at),
                None => Some(format!("the JSON answer lacks {at}, expected {}", cut(&wanted.to_string(), LONGEST))),
            }
        }),
        (Value::Array(answer), Value::Array(items)) if answer.len() == items.len() => {
            answer.iter().zip(items).enumerate().find_map(|(index, (answer, wanted))| lacks(answer, wanted, &json_path::index(at, index)))
        }
        (Value::Number(answer), Value::Number(wanted)) if answer.as_f64() == wanted.as_f64() => None,
        (answer, wanted) if answer == wanted => None,
        // Values of the same kind differ in the value itself.
        (answer, wanted) if kind_of(answer) == kind_of(wanted) => wrong("another value"),
        (answer, _) => wrong(&kind_of(answer)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn result_of(expects: Value, status: u16, answer: Option<Value>, author: Author) -> Probed {
        let mut probe = json!({ "node": "Asked" });
        probe.as_object_mut().unwrap().extend(expects.as_object().cloned().unwrap());
        evaluate(&serde_json::from_value(probe).unwrap(), status, answer.as_ref(), author)
    }

    #[test]
    fn only_the_workflows_own_answer_decides_about_the_version() {
        let unclear = || Author::Unclear("a page".to_owned());
        let other = || Author::Other("the editor".to_owned());
        assert_eq!(result_of(json!({}), 200, None, Author::Workflow), Probed::Passed);
        for status in [500, 502, 503, 429, 404, 204] {
            let own = result_of(json!({}), status, None, Author::Workflow);
            assert_eq!(own, Probed::Failed(format!("answered HTTP {status}, expected 200")));
            assert_eq!(result_of(json!({}), status, None, unclear()), Probed::Unanswered("a page".to_owned()), "{status}");
        }
        assert_eq!(result_of(json!({}), 200, None, other()), Probed::Unanswered("the editor".to_owned()));
        assert_eq!(result_of(json!({ "expectedStatus": 503 }), 503, None, Author::Workflow), Probed::Passed);
    }

    #[test]
    fn an_unclear_answer_counts_if_nobody_else_would_give_it() {
        let unclear = || Author::Unclear("a proxy".to_owned());
        let ok = || Some(json!({ "ok": true, "at": 1 }));
        let expects = |status: u16| json!({ "expectedStatus": status, "expectedJSON": { "ok": true } });
        assert_eq!(result_of(json!({}), 200, None, unclear()), Probed::Passed);
        assert_eq!(result_of(json!({ "expectedStatus": 302 }), 302, None, unclear()), Probed::Passed);
        assert_eq!(result_of(expects(503), 503, ok(), unclear()), Probed::Passed);
        for status in [429, 502, 503] {
            let probed = result_of(json!({ "expectedStatus": status }), status, ok(), unclear());
            assert_eq!(probed, Probed::Unanswered("a proxy".to_owned()), "{status}: a proxy may have sent the expected status");
        }
        assert!(matches!(result_of(expects(200), 200, Some(json!({ "ok": 0 })), unclear()), Probed::Unanswered(_)));
    }

    #[test]
    fn an_expected_object_names_only_the_keys_that_matter() {
        let answer = json!({ "status": "ok", "items": [{ "id": 1.0, "at": "now" }] });
        let message = |expected: Value| lacks(&answer, &expected, "").unwrap_or_default();
        assert_eq!(message(json!({ "items": [{ "id": 1 }] })), "");
        assert_eq!(message(json!({ "items": [] })), "in the JSON answer, items is an array of 1, expected []");
        let other = "in the JSON answer, items[0].id is a fraction, expected 2";
        assert_eq!(message(json!({ "items": [{ "id": 2 }] })), other);
        assert_eq!(message(json!({ "status": true })), "in the JSON answer, status is a string, expected true");
        assert_eq!(message(json!({ "currency": "EUR" })), "the JSON answer lacks currency, expected \"EUR\"");
        assert!(!message(json!({ "status": "failed" })).contains("ok"), "the actual value is not repeated");
    }
}
