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

use crate::domain::history;
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
pub(super) const ANNOTATION: usize = 256;

/// Returns the part of an annotation's value that is evaluated: as much as fits into the status field that records it as handled.
pub fn annotation(value: &str) -> &str {
    head(value, ANNOTATION)
}

/// Limits the fields of a Workflow's status to their bounds. Returns the names of the revisions whose versions are no longer in the index; the
/// published version, versions that a rollback needs, the adopted one and the newest one stay.
pub(super) fn fit_workflow(status: &mut WorkflowStatus) -> Vec<String> {
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
    drop_long(&mut status.source_version, ID);
    // Part of a name would be another one.
    let fits_template =
        |used: &TemplateUse| fits(&used.name, 253) && fits(&used.digest, 64) && used.revision.iter().all(|name| fits(name, 253));
    status.template = status.template.take().filter(fits_template);
    dropped
}

/// Limits the fields of an N8nInstance's status to their bounds.
pub(super) fn fit_instance(status: &mut N8nInstanceStatus) {
    cut_some(&mut status.bound_origin, 2048);
    cut_some(&mut status.n8n_version, 64);
    cut_some(&mut status.key_expires_at, 64);
    drop_long(&mut status.restored_from, 256);
    status.key_scopes.retain(|scope| one_line(scope, 128) == *scope);
    keep_short(&mut status.key_scopes, 512, 128);
    keep_short(&mut status.orphans, 100, ID);
    keep_short(&mut status.duplicates, 100, ID);
}

/// Limits the fields of an N8nCredential's status to their bounds.
pub(super) fn fit_credential(status: &mut N8nCredentialStatus) {
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
}

/// Limits the fields of a ModelProvider's status to their bounds.
pub(super) fn fit_provider(status: &mut ModelProviderStatus) {
    // A part of a name is the name of another model.
    status.models.retain(|model| fits(&model.name, 256));
    status.models.truncate(2);
    drop_long(&mut status.observed_server, 64);
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

pub(super) fn fit_conditions(conditions: &mut Vec<Condition>) {
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

pub(super) fn cut_some(text: &mut Option<String>, most: usize) {
    text.iter_mut().for_each(|text| cut(text, most));
}

/// Makes a text for people one line without hidden characters.
fn say(text: &mut String, most: usize) {
    *text = one_line(text, most);
}

pub(super) fn say_some(text: &mut Option<String>, most: usize) {
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
