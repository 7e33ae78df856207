use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::condition::{ConditionStatus, ConditionType, find};
use crate::api::crds;
use crate::api::reason::Reason;
use crate::domain::conditions::Outcome;
use crate::domain::error::ReconcileError;

fn schema_of(kind: &str) -> Value {
    let all = crds::all().into_iter().map(|crd| serde_json::to_value(crd).unwrap());
    let crd = all.into_iter().find(|crd| crd["spec"]["names"]["kind"] == kind).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["status"].clone()
}

/// Returns a value of a schema whose texts and lists exceed their bounds by this number.
fn beyond(schema: &Value, more: i64, letter: char) -> Value {
    let size = |key: &str| usize::try_from((schema[key].as_i64().unwrap_or(3) + more).max(0)).unwrap();
    match schema["type"].as_str() {
        Some("object") => {
            let fields = schema["properties"].as_object().into_iter().flatten();
            fields.map(|(name, field)| (name.clone(), beyond(field, more, letter))).collect()
        }
        Some("array") => (0..size("maxItems")).map(|_| beyond(&schema["items"], more, letter)).collect(),
        Some("string") if schema["enum"].is_array() => schema["enum"][0].clone(),
        Some("string") if schema["format"] == "date-time" => json!("2026-01-01T00:00:00Z"),
        Some("string") => json!(letter.to_string().repeat(size("maxLength"))),
        Some("boolean") => json!(true),
        _ => json!(1),
    }
}

/// Returns where a value exceeds the bounds of a schema.
fn exceeding(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let beyond = |key: &str, size: usize| schema[key].as_u64().is_some_and(|most| size as u64 > most);
    match value {
        Value::Object(fields) => {
            fields.iter().flat_map(|(name, field)| exceeding(&schema["properties"][name], field, &format!("{at}.{name}"))).collect()
        }
        Value::Array(items) if beyond("maxItems", items.len()) => vec![format!("{at}: {} items", items.len())],
        Value::Array(items) => items.iter().flat_map(|item| exceeding(&schema["items"], item, at)).collect(),
        Value::String(text) if beyond("maxLength", text.chars().count()) => vec![format!("{at}: {} characters", text.chars().count())],
        _ => Vec::new(),
    }
}

/// Asserts that a status whose texts and lists exceed their bounds by this number fits its schema after `fit`, and that one within its bounds
/// stays as it is. `own` tells whether the fields that only this kind has are bounded here.
fn assert_fits<S: Status + PartialEq>(kind: &str, own: bool, (more, letter): (i64, char), fit: impl Fn(&mut S)) {
    const COMMON: [&str; 3] = ["conditions", "lastHandledRequestedAt", "lastHandledResetAt"];
    let mut schema = schema_of(kind);
    if !own {
        schema["properties"].as_object_mut().unwrap().retain(|name, _| COMMON.contains(&name.as_str()));
    }
    let mut status: S = serde_json::from_value(beyond(&schema, more, letter)).unwrap();
    let before = status.clone();
    fit(&mut status);
    assert_eq!(exceeding(&schema, &serde_json::to_value(&status).unwrap(), ""), Vec::<String>::new(), "{kind}");
    assert_eq!(more <= 0, status == before, "{kind}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_bounded_status_fits_its_schema(more in -2i64..40, letter in prop::sample::select(vec!['x', 'é', '😀'])) {
        let size = (more, letter);
        assert_fits("Workflow", true, size, |status: &mut WorkflowStatus| {
            status.fit();
            let dropped = status_bounds::fit_workflow(status);
            assert!(more > 0 || dropped.is_empty());
        });
        assert_fits("N8nInstance", true, size, N8nInstanceStatus::fit);
        assert_fits("N8nCredential", true, size, N8nCredentialStatus::fit);
        assert_fits("ModelProvider", true, size, ModelProviderStatus::fit);
        assert_fits("WorkflowPrompt", false, size, WorkflowPromptStatus::fit);
        assert_fits("WorkflowPolicy", false, size, WorkflowPolicyStatus::fit);
        assert_fits("WorkflowTemplate", false, size, WorkflowTemplateStatus::fit);
    }
}

#[test]
fn no_text_of_a_status_breaks_lines_or_hides_other_text() {
    let forged = "bad\nReady: True\u{1b}[32m \u{202e}eurt\u{200b}\u{2028}x";
    let mut status: WorkflowStatus = serde_json::from_value(json!({
        "summary": forged,
        "conditions": [{ "type": "Ready", "status": "False", "reason": "NotSynced", "message": forged, "lastTransitionTime": "2026-01-01T00:00:00Z" }],
        "history": [{ "version": 1, "digest": "d", "revision": "r", "source": "Definition", "result": "Failed", "message": forged,
            "createdAt": "2026-01-01T00:00:00Z" }],
        "lastFailure": { "execution": "1", "node": forged, "message": forged },
        "requiredCredentials": [{ "type": forged, "name": forged, "nodes": [forged] }],
    }))
    .unwrap();
    status.fit();
    status_bounds::fit_workflow(&mut status);
    let written = serde_json::to_string(&status).unwrap();
    assert_eq!(written.matches("bad Ready: True [32m eurt x").count(), 8, "{written}");
    assert!(!written.contains("\\n") && !written.contains("\\u") && !written.contains('\u{202e}'), "{written}");
}

#[test]
fn the_needed_versions_of_a_long_history_stay() {
    let record = |version: i64| {
        let (result, source) = (if version == 3 { "Good" } else { "Pending" }, if version == 1 { "Adopted" } else { "Definition" });
        json!({ "version": version, "digest": format!("d{version}"), "revision": format!("r{version}"), "source": source,
            "result": result, "createdAt": "2026-01-01T00:00:00Z", "decidedAt": "2026-01-01T00:00:00Z" })
    };
    let records: Vec<Value> = (1..=140).rev().map(record).collect();
    let mut status: WorkflowStatus = serde_json::from_value(json!({ "activeVersion": 2, "history": records })).unwrap();
    let dropped = status_bounds::fit_workflow(&mut status);
    assert_eq!((status.history.len(), dropped.len()), (128, 12));
    let kept: Vec<i64> = status.history.iter().map(|record| record.version).collect();
    assert_eq!((kept[0], &kept[124..]), (140, &[16, 3, 2, 1][..]));
    assert!(!dropped.contains(&"r2".to_owned()));
}

const GRACE: Duration = Duration::from_secs(30);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Reports a result on a new status of each kind, and returns the texts for people in it.
fn texts_of_each_kind(found: &Found) -> Vec<(Vec<String>, String)> {
    fn texts<S: Status>(found: &Found) -> (Vec<String>, String) {
        let mut status = S::default();
        assert!(status.report(found, 3, GRACE, at(1)).is_empty());
        assert_eq!(serde_json::to_value(&status).unwrap()["observedGeneration"], 3);
        let texts = status.texts().into_iter().map(|text| text.clone()).collect();
        (texts, serde_json::to_string(&status).unwrap())
    }
    vec![
        texts::<WorkflowStatus>(found),
        texts::<N8nInstanceStatus>(found),
        texts::<N8nCredentialStatus>(found),
        texts::<ModelProviderStatus>(found),
        texts::<WorkflowPromptStatus>(found),
        texts::<WorkflowPolicyStatus>(found),
        texts::<WorkflowTemplateStatus>(found),
        texts::<WorkflowQuotaStatus>(found),
    ]
}

#[test]
fn no_kind_reports_a_text_in_which_keys_are_not_looked_for_or_that_hides_other_text() {
    let error = ReconcileError::invalid(Reason::InvalidDefinition, "canary\nReady: True \u{202e}eurt");
    for (texts, status) in texts_of_each_kind(&Found { outcome: Outcome::Failed(error), details: Vec::new() }) {
        let shown = texts.iter().filter(|text| text.contains("canary")).count();
        assert!(shown >= 2, "{texts:?}");
        assert_eq!(status.matches("canary").count(), shown, "{status}");
        assert!(!status.contains("\\n") && !status.contains('\u{202e}'), "{status}");
    }
}

#[test]
fn a_result_replaces_the_summary_and_the_time_since_when_nothing_could_be_asked() {
    let report = |status: &mut N8nInstanceStatus, outcome, second| {
        let before = status.report(&Found { outcome, details: Vec::new() }, 1, GRACE, at(second));
        let ready = find(&status.conditions, ConditionType::Ready).map(|ready| ready.status);
        (before.len(), ready, status.summary.clone(), status.unverified_since.as_ref().map(|since| since.0))
    };
    let down = || Outcome::Failed(ReconcileError::transient(Reason::InstanceUnreachable, "n8n does not answer; again soon"));
    let mut status = N8nInstanceStatus::default();
    let fine = |before| (before, Some(ConditionStatus::True), Some("n8n answers".to_owned()), None);
    let silent = |ready| (3, Some(ready), Some("n8n does not answer".to_owned()), Some(at(10)));
    assert_eq!(report(&mut status, Outcome::Ready("n8n answers".into()), 1), fine(0));
    assert_eq!(report(&mut status, down(), 10), silent(ConditionStatus::True));
    assert_eq!(report(&mut status, down(), 39), silent(ConditionStatus::True));
    assert_eq!(report(&mut status, down(), 40), silent(ConditionStatus::Unknown));
    assert_eq!(report(&mut status, Outcome::Ready("n8n answers".into()), 41), fine(3));
}

#[test]
fn a_request_is_recorded_and_a_reset_is_returned_until_it_is_recorded_as_handled() {
    let annotations = |requested: &str, reset: &str| {
        let all = [(annotation::REQUESTED_AT, requested), (annotation::RESET_AT, reset)];
        all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let long = "é".repeat(300);
    let mut status = ModelProviderStatus::default();
    for (requested, reset, recorded, returned) in [
        ("", "", None, None),
        ("1", "", Some("1"), None),
        ("", "a", Some("1"), Some("a")),
        ("2", "a", Some("2"), Some("a")),
        ("2", long.as_str(), Some("2"), Some(&long[..512])),
    ] {
        let asked: BTreeMap<String, String> = annotations(requested, reset);
        assert_eq!(status.take_requests(Some(&asked)).as_deref(), returned);
        assert_eq!(status.last_handled_requested_at.as_deref(), recorded);
    }
    status.last_handled_reset_at = Some(long[..512].to_owned());
    assert_eq!(status.take_requests(Some(&annotations("", &long))), None);
    assert_eq!(status.take_requests(None), None);
    // An N8nCredential has no failure that has to be reset.
    assert_eq!(N8nCredentialStatus::default().take_requests(Some(&annotations("1", "a"))), None);
}
