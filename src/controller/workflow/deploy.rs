//! Step 4, writes n8n: deploys the target version, and tells failures of the version from temporary errors.

use std::time::Duration;

use kube::runtime::events::EventType;

use super::deployment::{Deployment, attempted, failed_too_often};
use super::failure_class;
use super::project::Placed;
use super::quota::Taken;
use super::reconciliation::Reconciliation;
use super::remote::{fill_published, read_back};
use super::{drift, project, quota};
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::reason::Reason;
use crate::api::workflow::RollbackPolicy;
use crate::api::workflow_status::{Intent, IntentOperation, Snapshot};
use crate::controller::connections::Connection;
use crate::domain::backoff::SlidingWindow;
use crate::domain::confirmed;
use crate::domain::error::ReconcileError;
use crate::domain::failure::{self, Failure, FailureClass};
use crate::domain::plan::{self, Comparison, Drift, Keeps, Plan, Publication, Step, compare, plan};
use crate::domain::remote::RemoteWorkflow;
use crate::n8n::N8nError;

/// Maximum number of writes within an hour that n8n accepted without storing their content; after that no more are sent.
const MOST_MISMATCHES: usize = 5;

/// State of n8n after the deployment.
pub(super) struct Deployed {
    pub(super) remote: RemoteWorkflow,
    /// Set if this reconciliation wrote anything.
    pub(super) wrote: bool,
    /// Set if this reconciliation published.
    pub(super) published: bool,
    /// Changes made in n8n that were left.
    pub(super) left: Vec<Drift>,
    /// Description of those changes.
    pub(super) drift: String,
    /// Reason why the workflow is not in the project of the spec, while all else is there.
    pub(super) misplaced: Option<ReconcileError>,
}

/// Compares, writes the difference, and reads back.
pub(super) async fn deploy(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    wanted: &Deployment<'_>,
    mut remote: RemoteWorkflow,
) -> Result<Deployed, Failure> {
    fill_published(connection, &mut remote).await?;
    let seen = Comparison { project: project::of(rec, &remote), ..compare_with(rec, wanted, &remote).0 };
    let confirmed =
        rec.confirmed(wanted.version) && rec.status.intent.as_ref().is_none_or(|intent| changes_nothing(intent, wanted, &remote));
    let mut plan = plan(&seen, wanted.publication, rec.spec().drift_policy, drift::contested(rec));
    if wanted.counts && plan.steps.contains(&Step::Update) && !rec.confirmed(wanted.version) {
        quota::reserve(rec, wanted.version).await?;
    }
    let Placed { moved, misplaced } = project::place(rec, connection, wanted, &mut remote, &mut plan, confirmed).await?;
    if moved {
        let moved: Vec<Drift> = plan.undone.extract_if(.., |drift| *drift == Drift::Moved).collect();
        drift::undone(rec, wanted, &remote, &moved, &[]);
    }
    let drift = drift::left(rec, &plan, wanted, &remote);
    let mut deployed = Deployed { remote, wrote: moved, published: false, left: plan.left.clone(), drift, misplaced };
    if plan.steps.is_empty() {
        confirm(rec, wanted, &deployed.remote, &plan.keeps);
        quota::settle(rec, wanted.version, Taken::Yes).await;
        return Ok(deployed);
    }
    let remote = &deployed.remote;
    connection.trusted()?;
    if readback_mismatches(rec, wanted, false) >= MOST_MISMATCHES {
        return Err(ReconcileError::transient(
            Reason::NotSynced,
            format!(
                "n8n accepted version {} {MOST_MISMATCHES} times within an hour and stored something else each time, so it is not sent for now; compare the workflow in n8n with the definition and correct it, or set the annotation weirkeeper.dev/reset-at",
                wanted.version
            ),
        )
        .into());
    }
    let kept = keep_edits(rec, wanted, remote, &plan, &seen).await?;
    let sending = format!("version {} is being sent to n8n", wanted.version);
    rec.set_condition(ConditionType::Synced, ConditionStatus::False, Reason::NotSynced, sending);
    announce(rec, wanted, remote, &plan).await?;
    deployed.wrote = true;
    deployed.published = plan.steps.contains(&Step::Publish);
    let mut updated = !plan.steps.contains(&Step::Update);
    let after = match apply(rec, connection, wanted, remote, &plan, &mut updated).await {
        Ok(()) => read_back(connection, &remote.id).await?,
        Err(error) => {
            let taken = if updated {
                Taken::Yes
            } else if error.unanswered() {
                Taken::Unknown
            } else {
                Taken::No
            };
            quota::settle(rec, wanted.version, taken).await;
            return Err(classify_failure(rec, connection, wanted, &remote.id, &plan.keeps, error).await);
        }
    };
    let (seen, _) = compare_with(rec, wanted, &after);
    if !seen.holds(wanted.publication, &plan.keeps) {
        readback_mismatches(rec, wanted, true);
        let message = not_as_sent(wanted, &seen, &plan.keeps, &after);
        let too_often = failed_too_often(rec);
        let attempted = attempted(rec, wanted.operation, wanted.version, too_often);
        return Err(failure::of_publication(message, Reason::NotSynced, false, attempted));
    }
    let reverted = drift::undone(rec, wanted, remote, &plan.undone, &kept);
    if !reverted.is_empty() && plan.left.is_empty() {
        rec.set_condition(ConditionType::Drifted, ConditionStatus::False, Reason::DriftReverted, format!("last reverted: {reverted}"));
    }
    confirm(rec, wanted, &after, &plan.keeps);
    quota::settle(rec, wanted.version, Taken::Yes).await;
    Ok(Deployed { remote: after, ..deployed })
}

/// Returns the comparison of n8n's content with the wanted one, and a snapshot of it.
fn compare_with(rec: &Reconciliation<'_>, wanted: &Deployment<'_>, remote: &RemoteWorkflow) -> (Comparison, Snapshot) {
    let seen = confirmed::seen(remote, &wanted.write.settings);
    (compare(&confirmed::wanted(wanted.write, wanted.publication), &rec.mark(), remote, &seen, rec.known()), seen)
}

/// Records that n8n holds what was planned: from here on any difference is a change made in n8n.
fn confirm(rec: &mut Reconciliation<'_>, wanted: &Deployment<'_>, remote: &RemoteWorkflow, keeps: &Keeps) {
    let seen = confirmed::seen(remote, &wanted.write.settings);
    let managed = rec.spec().active.is_some();
    rec.status.confirm(seen, keeps, managed, wanted.publication == Publication::Untouched);
}

/// Reports whether the announced content is published already: its webhooks were to be registered again, or it was to be moved.
fn changes_nothing(intent: &Intent, wanted: &Deployment<'_>, remote: &RemoteWorkflow) -> bool {
    let stays = intent.last_good_n8n_version_id.is_some() && intent.last_good_n8n_version_id == remote.active_version_id;
    stays && remote.active && intent.digest == wanted.digest
}

/// Stores the edits in n8n that the plan overwrites, and returns their version numbers. If the spec requests the overwrite, no other
/// record of them exists.
async fn keep_edits(
    rec: &mut Reconciliation<'_>,
    wanted: &Deployment<'_>,
    remote: &RemoteWorkflow,
    plan: &Plan,
    seen: &Comparison,
) -> Result<Vec<i64>, ReconcileError> {
    let reported_later = plan.undone.iter().any(|drift| matches!(drift, Drift::Edited | Drift::Settings(_)));
    let mut kept = drift::keep_edits(rec, remote, &plan.keeps, seen).await?;
    kept.retain(|version| *version != wanted.version);
    for version in kept.iter().filter(|_| !reported_later) {
        let note = format!("changed in n8n; the change is kept as version {version} and replaced by version {}", wanted.version);
        rec.record_event(EventType::Warning, Reason::DriftReverted, note);
    }
    Ok(kept)
}

/// Returns how often, within the last hour, n8n stored something else than what was sent of this version; `again` counts one more time.
fn readback_mismatches(rec: &Reconciliation<'_>, wanted: &Deployment<'_>, again: bool) -> usize {
    let now = rec.now();
    rec.ctx.remember(&rec.uid(), |memory| {
        if memory.readback_mismatches.0 != wanted.digest {
            memory.readback_mismatches = (wanted.digest.to_owned(), SlidingWindow::default());
        }
        if again {
            memory.readback_mismatches.1.note(now);
        }
        memory.readback_mismatches.1.count(now)
    })
}

/// Records what is about to be written and what was published before.
async fn announce(
    rec: &mut Reconciliation<'_>,
    wanted: &Deployment<'_>,
    remote: &RemoteWorkflow,
    plan: &Plan,
) -> Result<(), ReconcileError> {
    // Each attempt is counted on its own.
    rec.counted = false;
    rec.ctx.remember(&rec.uid(), |memory| memory.counted = false);
    let serving = remote.active.then(|| remote.active_version_id.clone()).flatten();
    let operation = if plan.undone.is_empty() { wanted.operation } else { IntentOperation::Revert };
    let now = rec.now();
    let publishes = plan.steps.contains(&Step::Publish);
    rec.status.announce_deployment((wanted.version, operation), wanted.digest, serving, publishes, now);
    let sent = plan::sent(confirmed::wanted(wanted.write, wanted.publication), &plan.keeps);
    rec.status.record_sent(sent, &wanted.write.settings, &confirmed::seen(remote, &wanted.write.settings));
    rec.save().await
}

async fn apply(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    wanted: &Deployment<'_>,
    remote: &RemoteWorkflow,
    plan: &Plan,
    updated: &mut bool,
) -> Result<(), N8nError> {
    let client = &connection.client;
    let id = &remote.id;
    let mut draft = remote.version_id.clone();
    for step in &plan.steps {
        let timer = rec.ctx.metrics.time(label(*step));
        match step {
            // Done before: what blocks the move must not block the rest.
            Step::Move => {}
            Step::Unarchive => draft = client.unarchive(id).await?.version_id,
            Step::Update => {
                let body = plan::body(wanted.write, remote, &plan.keeps);
                draft = client.update_workflow(id, &body, false).await.inspect_err(|error| note_late(rec, error))?.version_id;
                *updated = true;
                if wanted.operation != IntentOperation::Rollback && !plan.keeps.draft {
                    rec.status.record_n8n_version(wanted.digest, draft.as_deref());
                }
            }
            // By version id: a draft that was saved in n8n meanwhile must not be published.
            Step::Publish => {
                let answer = client.publish(id, draft.as_deref()).await?;
                if answer.active && answer.trigger_count == Some(0) && wanted.listens() {
                    client.note_publishes_later();
                }
            }
            Step::Unpublish => drop(client.unpublish(id).await?),
        }
        timer.done();
    }
    Ok(())
}

/// Remembers a write without an answer, which may take effect after the next one, as long as that is possible.
fn note_late(rec: &Reconciliation<'_>, error: &N8nError) {
    if let (true, Some(sent)) = (error.unanswered(), &rec.status.sent) {
        let late = (sent.clone(), rec.now());
        rec.ctx.remember(&rec.uid(), |memory| memory.late = Some(late));
    }
}

const fn label(step: Step) -> &'static str {
    match step {
        Step::Move => "move",
        Step::Unarchive => "unarchive",
        Step::Update => "update",
        Step::Publish => "publish",
        Step::Unpublish => "unpublish",
    }
}

fn not_as_sent(wanted: &Deployment<'_>, seen: &Comparison, keeps: &Keeps, after: &RemoteWorkflow) -> String {
    let mut differs = Vec::new();
    let offline = wanted.publication == Publication::Published && !seen.published;
    if seen.publication.is_some() && !offline || seen.draft.is_some() && !keeps.draft {
        differs.push(drift::summary(wanted, after));
    }
    if offline {
        differs.push("it is not published".to_owned());
    }
    let settings: Vec<&str> = seen.settings.keys().filter(|key| !keeps.settings.contains(*key)).map(String::as_str).collect();
    if !settings.is_empty() {
        differs.push(format!("settings {}", settings.join(", ")));
    }
    if seen.name.is_some() && !keeps.name {
        differs.push("the name".to_owned());
    }
    if !seen.marked {
        differs.push("the mark is missing".to_owned());
    }
    format!("n8n accepted the write and stored something else: {}", differs.join("; "))
}

/// Classifies a failed write. After any failure n8n is read again: its writes are not atomic, and a version that was taken offline is
/// published again at once.
async fn classify_failure(
    rec: &mut Reconciliation<'_>,
    connection: &Connection,
    wanted: &Deployment<'_>,
    id: &str,
    keeps: &Keeps,
    error: N8nError,
) -> Failure {
    let after = read_back(connection, id).await.ok();
    if let Some(after) = &after {
        if error.unanswered() && compare_with(rec, wanted, after).0.holds(wanted.publication, keeps) {
            // It was not answered and took effect all the same; the next reconciliation finds it done and verifies it.
            let error = ReconcileError::transient(Reason::Progressing, "the write was not answered and took effect");
            return error.again_in(Duration::from_millis(100)).into();
        }
        restore(rec, connection, after).await;
    }
    let class = failure_class::read(&error);
    let too_often = matches!(class, FailureClass::Perhaps(..)) && failed_too_often(rec);
    failure::of_write(class, attempted(rec, wanted.operation, wanted.version, too_often))
}

/// Publishes the previously published version, if the failed attempt took it offline.
async fn restore(rec: &mut Reconciliation<'_>, connection: &Connection, after: &RemoteWorkflow) {
    let good = rec.status.intent.as_ref().and_then(|intent| intent.last_good_n8n_version_id.clone());
    let Some(good) = good.filter(|_| !after.active && rec.spec().rollback == RollbackPolicy::Automatic) else { return };
    if connection.client.publish(&after.id, Some(&good)).await.is_ok() {
        rec.record_event(
            EventType::Warning,
            Reason::RolledBack,
            "the failed publication took the workflow offline; the previously published version was published again",
        );
    }
}
