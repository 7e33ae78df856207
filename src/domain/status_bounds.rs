//! Limits a status to the bounds of its CRD: the API server refuses a whole status if a single field exceeds them.
//!
//! Text for people becomes one line without hidden characters and is cut between characters, which the bounds count. Part of an id or of a
//! URL would be a different one, so these are left out if they do not fit.

use crate::api::condition::Condition;
use crate::api::credential_status::N8nCredentialStatus;
use crate::api::instance::N8nInstanceStatus;
use crate::api::provider::ModelProviderStatus;
use crate::api::template_ref::TemplateUse;
use crate::api::workflow_status::{Snapshot, WorkflowStatus};

use crate::domain::{history, summary};
use crate::text::one_line;

/// Maximum number of conditions in a status.
const CONDITIONS: usize = 16;
/// Maximum length of a condition's message.
const CONDITION_MESSAGE: usize = 4096;
/// Maximum number of versions in the index.
const VERSIONS: usize = 128;
/// Maximum number of settings whose digests a status keeps.
const SETTINGS: usize = 64;
/// Maximum length of an n8n id, with room to spare.
const ID: usize = 64;
/// Number of characters of an annotation's value that are compared with the handled one.
const ANNOTATION: usize = 256;

/// Returns the part of an annotation's value that is evaluated: as much as fits into the status field that records it as handled.
pub fn annotation(value: &str) -> &str {
    head(value, ANNOTATION)
}

/// Limits a Workflow's status to its bounds. Returns the names of the revisions whose versions are no longer in the index; the published
/// version, versions that a rollback needs, the adopted one and the newest one stay.
pub fn fit_workflow(status: &mut WorkflowStatus) -> Vec<String> {
    drop_long(&mut status.n8n_workflow_id, ID);
    if let Some(intent) = &mut status.intent {
        cut(&mut intent.digest, 80);
        drop_long(&mut intent.last_good_n8n_version_id, ID);
    }
    keep_short(&mut status.denied_by, 16, 253);
    for snapshot in [&mut status.confirmed, &mut status.sent].into_iter().flatten() {
        fit_snapshot(snapshot);
    }
    cut_some(&mut status.failed_digest, 80);
    say_some(&mut status.summary, summary::LONGEST);
    cut_some(&mut status.failed_with, 80);
    let newest = status.history.first().map(|record| record.digest.clone()).unwrap_or_default();
    let dropped = if status.history.len() > VERSIONS {
        history::prune(&mut status.history, VERSIONS as i64, status.active_version, status.last_attempted_version.unwrap_or(0), &newest)
    } else {
        Vec::new()
    };
    status.history.truncate(VERSIONS);
    for record in &mut status.history {
        cut(&mut record.digest, 80);
        drop_long(&mut record.n8n_version_id, ID);
        cut(&mut record.revision, 253);
        cut_some(&mut record.reason, 64);
        say_some(&mut record.message, 1024);
    }
    keep_short(&mut status.webhook_urls, 64, 2048);
    status.required_credentials.truncate(128);
    for credential in &mut status.required_credentials {
        say(&mut credential.kind, 128);
        say(&mut credential.name, 128);
        credential.nodes.truncate(16);
        credential.nodes.iter_mut().for_each(|node| say(node, 256));
        drop_long(&mut credential.credential_ref, 253);
        keep_short(&mut credential.scopes, 64, 256);
    }
    if let Some(failure) = &mut status.last_failure {
        cut(&mut failure.execution, ID);
        say_some(&mut failure.node, 256);
        say(&mut failure.message, 512);
    }
    keep_short(&mut status.credential_refs, 256, 253);
    drop_long(&mut status.dependency_digest, 64);
    keep_short(&mut status.written_settings, 64, 64);
    keep_short(&mut status.added_tags, 64, 24);
    status.callers.iter_mut().for_each(|callers| keep_short(callers, 256, 128));
    drop_long(&mut status.project, ID);
    cut_some(&mut status.last_handled_requested_at, ANNOTATION);
    cut_some(&mut status.last_handled_reset_at, ANNOTATION);
    drop_long(&mut status.source_version, ID);
    // Part of a name would be another one.
    let fits_template =
        |used: &TemplateUse| fits(&used.name, 253) && fits(&used.digest, 64) && used.revision.iter().all(|name| fits(name, 253));
    status.template = status.template.take().filter(fits_template);
    fit_conditions(&mut status.conditions);
    dropped
}

/// Returns the texts for people in a Workflow's status.
pub fn texts_of_workflow(status: &mut WorkflowStatus) -> impl Iterator<Item = &mut String> {
    let conditions = status.conditions.iter_mut().map(|condition| &mut condition.message);
    let history = status.history.iter_mut().filter_map(|record| record.message.as_mut());
    let failure = status.last_failure.iter_mut().flat_map(|failure| failure.node.iter_mut().chain([&mut failure.message]));
    let names = [&mut status.confirmed, &mut status.sent].into_iter().flatten().filter_map(|snapshot| snapshot.name.as_mut());
    conditions.chain(history).chain(failure).chain(names).chain(&mut status.summary)
}

/// Limits an N8nInstance's status to its bounds.
pub fn fit_instance(status: &mut N8nInstanceStatus) {
    cut_some(&mut status.bound_origin, 2048);
    cut_some(&mut status.n8n_version, 64);
    cut_some(&mut status.key_expires_at, 64);
    drop_long(&mut status.restored_from, 256);
    say_some(&mut status.summary, summary::LONGEST);
    status.key_scopes.retain(|scope| one_line(scope, 128) == *scope);
    keep_short(&mut status.key_scopes, 512, 128);
    keep_short(&mut status.orphans, 100, ID);
    keep_short(&mut status.duplicates, 100, ID);
    cut_some(&mut status.last_handled_requested_at, ANNOTATION);
    cut_some(&mut status.last_handled_reset_at, ANNOTATION);
    fit_conditions(&mut status.conditions);
}

/// Limits an N8nCredential's status to its bounds.
pub fn fit_credential(status: &mut N8nCredentialStatus) {
    for id in [&mut status.n8n_credential_id, &mut status.project, &mut status.n8n_updated_at] {
        drop_long(id, ID);
    }
    for name in [&mut status.name, &mut status.kind] {
        drop_long(name, 128);
    }
    for hash in [&mut status.values_hash, &mut status.sent_hash].into_iter().chain(status.test.iter_mut().map(|test| &mut test.values_hash))
    {
        drop_long(hash, 80);
    }
    status.test.iter_mut().for_each(|test| say_some(&mut test.message, 1024));
    say_some(&mut status.summary, summary::LONGEST);
    cut_some(&mut status.last_handled_requested_at, ANNOTATION);
    fit_conditions(&mut status.conditions);
}

/// Limits a ModelProvider's status to its bounds.
pub fn fit_provider(status: &mut ModelProviderStatus) {
    say_some(&mut status.summary, summary::LONGEST);
    // A part of a name is the name of another model.
    status.models.retain(|model| fits(&model.name, 256));
    status.models.truncate(2);
    drop_long(&mut status.observed_server, 64);
    cut_some(&mut status.last_handled_requested_at, ANNOTATION);
    cut_some(&mut status.last_handled_reset_at, ANNOTATION);
    fit_conditions(&mut status.conditions);
}

/// Drops each part that does not fit, because a cut part would be taken for a different one.
fn fit_snapshot(snapshot: &mut Snapshot) {
    drop_long(&mut snapshot.name, 128);
    drop_long(&mut snapshot.draft, 80);
    // Without its digest it would mean that nothing is published.
    snapshot.publication = snapshot.publication.take().filter(|published| published.digest.iter().all(|digest| fits(digest, 80)));
    while snapshot.settings.len() > SETTINGS {
        snapshot.settings.pop_last();
    }
    snapshot.settings.retain(|_, digest| fits(digest, 16));
}

fn fit_conditions(conditions: &mut Vec<Condition>) {
    conditions.truncate(CONDITIONS);
    for condition in conditions {
        cut(&mut condition.reason, 64);
        say(&mut condition.message, CONDITION_MESSAGE);
    }
}

fn head(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

fn cut(text: &mut String, most: usize) {
    text.truncate(head(text, most).len());
}

fn cut_some(text: &mut Option<String>, most: usize) {
    text.iter_mut().for_each(|text| cut(text, most));
}

/// Makes a text for people one line without hidden characters.
fn say(text: &mut String, most: usize) {
    *text = one_line(text, most);
}

fn say_some(text: &mut Option<String>, most: usize) {
    text.iter_mut().for_each(|text| say(text, most));
}

fn fits(text: &str, most: usize) -> bool {
    head(text, most).len() == text.len()
}

fn drop_long(id: &mut Option<String>, most: usize) {
    *id = id.take().filter(|id| fits(id, most));
}

fn keep_short(list: &mut Vec<String>, many: usize, long: usize) {
    list.retain(|item| fits(item, long));
    list.truncate(many);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::crds;

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

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_bounded_status_fits_its_schema(more in -2i64..40, letter in prop::sample::select(vec!['x', 'é', '😀'])) {
            let schema = schema_of("Workflow");
            let mut status: WorkflowStatus = serde_json::from_value(beyond(&schema, more, letter)).unwrap();
            let before = status.clone();
            let dropped = fit_workflow(&mut status);
            prop_assert_eq!(exceeding(&schema, &serde_json::to_value(&status).unwrap(), ""), Vec::<String>::new());
            prop_assert_eq!(more <= 0, status == before && dropped.is_empty());

            let schema = schema_of("N8nInstance");
            let mut status: N8nInstanceStatus = serde_json::from_value(beyond(&schema, more, letter)).unwrap();
            let before = status.clone();
            fit_instance(&mut status);
            prop_assert_eq!(exceeding(&schema, &serde_json::to_value(&status).unwrap(), ""), Vec::<String>::new());
            prop_assert_eq!(more <= 0, status == before);

            let schema = schema_of("N8nCredential");
            let mut status: N8nCredentialStatus = serde_json::from_value(beyond(&schema, more, letter)).unwrap();
            let before = status.clone();
            fit_credential(&mut status);
            prop_assert_eq!(exceeding(&schema, &serde_json::to_value(&status).unwrap(), ""), Vec::<String>::new());
            prop_assert_eq!(more <= 0, status == before);

            let schema = schema_of("ModelProvider");
            let mut status: ModelProviderStatus = serde_json::from_value(beyond(&schema, more, letter)).unwrap();
            let before = status.clone();
            fit_provider(&mut status);
            prop_assert_eq!(exceeding(&schema, &serde_json::to_value(&status).unwrap(), ""), Vec::<String>::new());
            prop_assert_eq!(more <= 0, status == before);
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
        fit_workflow(&mut status);
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
        let dropped = fit_workflow(&mut status);
        assert_eq!((status.history.len(), dropped.len()), (128, 12));
        let kept: Vec<i64> = status.history.iter().map(|record| record.version).collect();
        assert_eq!((kept[0], &kept[124..]), (140, &[16, 3, 2, 1][..]));
        assert!(!dropped.contains(&"r2".to_owned()));
    }
}
