//! Step 4, writes n8n: the version that should serve gets there, and a failure is told apart from a passing trouble.

use std::time::Duration;

use kube::runtime::events::EventType;

use super::failure_class::{self, FailureClass};
use super::project::Placed;
use super::work::Work;
use super::{drift, project};
use crate::api::condition::{ConditionStatus, ConditionType, whole_seconds};
use crate::api::reason::{Class, Reason};
use crate::api::workflow::RollbackPolicy;
use crate::api::workflow_status::{Intent, Operation, Snapshot, VersionResult};
use crate::controller::connections::{self, Connection};
use crate::document::endpoints::listens;
use crate::domain::backoff::{SlidingWindow, enough};
use crate::domain::error::ReconcileError;
use crate::domain::plan::{self, Comparison, Drift, Keeps, Plan, Publication, Step, compare, plan};
use crate::domain::remote::{RemoteWorkflow, WorkflowWrite};
use crate::domain::{confirmed, history, settings};
use crate::n8n::N8nError;

/// So many writes within the hour that n8n took and did not keep mean that it never will.
const MOST_UNLIKE: usize = 5;

/// A version to bring to n8n.
pub(super) struct Deployment<'a> {
    pub(super) version: i64,
    pub(super) digest: &'a str,
    /// With the ids of this instance, as it is sent.
    pub(super) write: &'a WorkflowWrite,
    pub(super) publication: Publication,
    pub(super) operation: Operation,
}

impl Deployment<'_> {
    /// Whether n8n has to register a webhook for it. One that publishes at once has counted it when it answers.
    fn listens(&self) -> bool {
        let enabled = self.write.nodes.iter().filter(|node| node["disabled"] != true);
        enabled.filter_map(|node| node["type"].as_str()).any(listens)
    }
}

/// Why a version is not there.
pub(super) enum Failure {
    /// The version itself is at fault.
    Version(Reason, String),
    /// Something else is.
    ReconcileError(ReconcileError),
}

impl From<ReconcileError> for Failure {
    fn from(reconcile_error: ReconcileError) -> Self {
        Self::ReconcileError(reconcile_error)
    }
}

/// n8n as it is after the deployment.
pub(super) struct Deployed {
    pub(super) remote: RemoteWorkflow,
    /// Whether this pass wrote anything.
    pub(super) wrote: bool,
    /// Whether this pass published.
    pub(super) published: bool,
    /// What somebody changed and was left.
    pub(super) left: Vec<Drift>,
    /// What keeps the workflow out of the project of the spec, while all else is there.
    pub(super) misplaced: Option<ReconcileError>,
}

/// Compares, writes what differs, and reads back.
pub(super) async fn deploy(
    work: &mut Work<'_>,
    connection: &Connection,
    wanted: &Deployment<'_>,
    mut remote: RemoteWorkflow,
) -> Result<Deployed, Failure> {
    fill_published(connection, &mut remote).await?;
    let seen = Comparison { place: project::of(work, &remote), ..held(work, wanted, &remote).0 };
    let confirmed =
        work.confirmed(wanted.version) && work.status.intent.as_ref().is_none_or(|intent| changes_nothing(intent, wanted, &remote));
    let mut plan = plan(&seen, wanted.publication, work.spec().drift_policy, drift::contested(work));
    let Placed { moved, misplaced } = project::place(work, connection, wanted, &mut remote, &mut plan, confirmed).await?;
    if moved {
        let moved: Vec<Drift> = plan.undone.extract_if(.., |drift| *drift == Drift::Moved).collect();
        drift::undone(work, wanted, &remote, &moved, &[]);
    }
    drift::left(work, &plan, wanted, &remote);
    let mut deployed = Deployed { remote, wrote: moved, published: false, left: plan.left.clone(), misplaced };
    if plan.steps.is_empty() {
        confirm(work, wanted, &deployed.remote, &plan.keeps);
        return Ok(deployed);
    }
    let remote = &deployed.remote;
    connection.trusted()?;
    if readback_mismatches(work, wanted, false) >= MOST_UNLIKE {
        return Err(ReconcileError::transient(
            Reason::NotSynced,
            format!(
                "n8n took version {} {MOST_UNLIKE} times within the hour and held something else each time, so it is not sent for a while; compare the workflow in n8n with the definition and correct it, or set the annotation weirkeeper.dev/reset-at",
                wanted.version
            ),
        )
        .into());
    }
    let kept = keep_edits(work, wanted, remote, &plan, &seen).await?;
    let sending = format!("version {} is on its way to n8n", wanted.version);
    work.set_condition(ConditionType::Synced, ConditionStatus::False, Reason::NotSynced, sending);
    intend(work, wanted, remote, &plan).await?;
    deployed.wrote = true;
    deployed.published = plan.steps.contains(&Step::Publish);
    let after = match apply(work, connection, wanted, remote, &plan).await {
        Ok(()) => read_back(connection, &remote.id).await?,
        Err(error) => return Err(explain(work, connection, wanted, &remote.id, &plan.keeps, error).await),
    };
    let (seen, _) = held(work, wanted, &after);
    if !seen.holds(wanted.publication, &plan.keeps) {
        readback_mismatches(work, wanted, true);
        let reconcile_error = not_as_sent(wanted, &seen, &plan.keeps, &after);
        if failed_too_often(work) && !proven(work, wanted.operation, wanted.version) {
            return Err(Failure::Version(Reason::PublishUnconfirmed, reconcile_error.message));
        }
        return Err(reconcile_error.into());
    }
    drift::undone(work, wanted, remote, &plan.undone, &kept);
    confirm(work, wanted, &after, &plan.keeps);
    Ok(Deployed { remote: after, ..deployed })
}

/// What n8n holds, compared with what is wanted, and as a snapshot.
fn held(work: &Work<'_>, wanted: &Deployment<'_>, remote: &RemoteWorkflow) -> (Comparison, Snapshot) {
    let seen = confirmed::seen(remote, &wanted.write.settings);
    (compare(&confirmed::wanted(wanted.write, wanted.publication), &work.mark(), remote, &seen, work.known()), seen)
}

/// n8n holds what was planned: from here on a difference from it is somebody's change.
fn confirm(work: &mut Work<'_>, wanted: &Deployment<'_>, remote: &RemoteWorkflow, keeps: &Keeps) {
    let seen = confirmed::seen(remote, &wanted.write.settings);
    let managed = work.spec().active.is_some();
    plan::confirm(&mut work.status.confirmed, seen, keeps, managed, managed && wanted.publication == Publication::Untouched);
    work.status.sent = None;
}

/// Whether what an intent announces is what serves already: its webhooks were to be registered again, or it was to be moved.
fn changes_nothing(intent: &Intent, wanted: &Deployment<'_>, remote: &RemoteWorkflow) -> bool {
    let stays = intent.last_good_n8n_version_id.is_some() && intent.last_good_n8n_version_id == remote.active_version_id;
    stays && remote.active && intent.digest == wanted.digest
}

/// Keeps what the plan overwrites of somebody's, and returns the numbers under which it is kept. Where the spec asks for that, nothing else
/// would tell of it.
async fn keep_edits(
    work: &mut Work<'_>,
    wanted: &Deployment<'_>,
    remote: &RemoteWorkflow,
    plan: &Plan,
    seen: &Comparison,
) -> Result<Vec<i64>, ReconcileError> {
    let told_later = plan.undone.iter().any(|drift| matches!(drift, Drift::Edited | Drift::Settings(_)));
    let mut kept = drift::keep_edits(work, remote, &plan.keeps, seen).await?;
    kept.retain(|version| *version != wanted.version);
    for version in kept.iter().filter(|_| !told_later) {
        let note = format!("changed in n8n; that is kept as version {version}, and version {} takes its place", wanted.version);
        work.happened(EventType::Warning, Reason::DriftReverted, note);
    }
    Ok(kept)
}

/// The content of the published version, where it is not the draft and the answer lacks it.
pub(super) async fn fill_published(connection: &Connection, remote: &mut RemoteWorkflow) -> Result<(), ReconcileError> {
    let differs = remote.active && remote.active_version_id != remote.version_id && remote.active_version.is_none();
    if let (true, Some(version)) = (differs, remote.active_version_id.clone()) {
        remote.active_version =
            connection.client.get_version(&remote.id, &version).await.map_err(|error| connections::reconcile_error(&error))?;
    }
    Ok(())
}

/// How often n8n lately held something else than what was sent of this version; `again` counts one more time.
fn readback_mismatches(work: &Work<'_>, wanted: &Deployment<'_>, again: bool) -> usize {
    let now = work.now();
    work.ctx.remember(&work.uid(), |memory| {
        if memory.readback_mismatches.0 != wanted.digest {
            memory.readback_mismatches = (wanted.digest.to_owned(), SlidingWindow::default());
        }
        if again {
            memory.readback_mismatches.1.note(now);
        }
        memory.readback_mismatches.1.count(now)
    })
}

/// Counts one more attempt at the intended version that ended badly, once however often it is asked, and tells whether it happened
/// often and long enough to be the version's fault.
pub(super) fn failed_too_often(work: &mut Work<'_>) -> bool {
    let now = work.now();
    let first = !std::mem::replace(&mut work.counted, true);
    work.ctx.remember(&work.uid(), |memory| memory.counted = true);
    work.status.intent.as_mut().is_some_and(|intent| {
        intent.attempts += i64::from(first);
        let since = intent.failing_since.get_or_insert_with(|| whole_seconds(now)).0;
        enough(intent.attempts, since, now)
    })
}

/// The same of an attempt that an earlier pass made and that left the workflow offline. Where that pass counted it, it is only asked.
pub(super) fn left_offline_too_often(work: &mut Work<'_>) -> bool {
    work.counted = work.ctx.remember(&work.uid(), |memory| memory.counted);
    failed_too_often(work)
}

/// Whether the version proved itself and nothing serves that each try would take offline: then only n8n's own lasting verdict
/// speaks against it.
pub(super) fn proven(work: &Work<'_>, operation: Operation, version: i64) -> bool {
    let good = || history::numbered(&work.status.history, version).is_some_and(|record| record.result == VersionResult::Good);
    operation == Operation::Rollback || (good() && work.status.active_version == Some(version))
}

/// Records what is about to be written and what served before.
async fn intend(work: &mut Work<'_>, wanted: &Deployment<'_>, remote: &RemoteWorkflow, plan: &Plan) -> Result<(), ReconcileError> {
    // A new attempt is counted for itself.
    work.counted = false;
    work.ctx.remember(&work.uid(), |memory| memory.counted = false);
    let before = work.status.intent.take().filter(|intent| intent.operation != Operation::Create);
    let again = before.clone().filter(|intent| intent.digest == wanted.digest);
    let serving = remote.active.then(|| remote.active_version_id.clone()).flatten();
    let earlier = before.and_then(|intent| intent.last_good_n8n_version_id);
    // What an earlier attempt at this very version left published is no version to go back to.
    let last_good = match &again {
        Some(again) if again.last_good_n8n_version_id.is_some() => earlier,
        _ => serving.or(earlier),
    };
    work.status.last_attempted_version = Some(wanted.version);
    let operation = if plan.undone.is_empty() { wanted.operation } else { Operation::Revert };
    let (attempts, failing_since) = again.map(|again| (again.attempts, again.failing_since)).unwrap_or_default();
    work.status.intent = Some(Intent { attempts, failing_since, ..Intent::new(operation, wanted.digest, last_good, work.now()) });
    work.status.written_settings = settings::written_after(&wanted.write.settings, &work.status.written_settings);
    let sent = plan::sent(confirmed::wanted(wanted.write, wanted.publication), &plan.keeps);
    let before = work.status.sent.replace(sent);
    confirmed::arrived(&mut work.status.confirmed, before.as_ref(), &confirmed::seen(remote, &wanted.write.settings));
    work.save().await
}

async fn apply(
    work: &mut Work<'_>,
    connection: &Connection,
    wanted: &Deployment<'_>,
    remote: &RemoteWorkflow,
    plan: &Plan,
) -> Result<(), N8nError> {
    let client = &connection.client;
    let id = &remote.id;
    let mut draft = remote.version_id.clone();
    for step in &plan.steps {
        let timer = work.ctx.metrics.time(label(*step));
        match step {
            // Done before, since what hinders it may not hinder the rest.
            Step::Move => {}
            Step::Unarchive => draft = client.unarchive(id).await?.version_id,
            Step::Update => {
                let body = plan::body(wanted.write, remote, &plan.keeps);
                draft = client.update_workflow(id, &body, false).await.inspect_err(|error| note_late(work, error))?.version_id;
                if wanted.operation != Operation::Rollback && !plan.keeps.draft {
                    history::sent(&mut work.status.history, wanted.digest, draft.as_deref());
                }
            }
            // By version id: a draft that somebody saved in between must not be published as ours.
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

/// A write without an answer may take effect after the next one did. It is remembered as long as that can be.
fn note_late(work: &Work<'_>, error: &N8nError) {
    if let (true, Some(sent)) = (error.unanswered(), &work.status.sent) {
        let late = (sent.clone(), work.now());
        work.ctx.remember(&work.uid(), |memory| memory.late = Some(late));
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

pub(super) async fn read_back(connection: &Connection, id: &str) -> Result<RemoteWorkflow, ReconcileError> {
    let remote = connection.client.get_workflow(id).await.map_err(|error| connections::reconcile_error(&error))?;
    let mut remote =
        remote.ok_or_else(|| ReconcileError::transient(Reason::NotSynced, format!("workflow {id} vanished while it was being written")))?;
    fill_published(connection, &mut remote).await?;
    Ok(remote)
}

fn not_as_sent(wanted: &Deployment<'_>, seen: &Comparison, keeps: &Keeps, after: &RemoteWorkflow) -> ReconcileError {
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
        differs.push("our mark is missing".to_owned());
    }
    ReconcileError::transient(Reason::NotSynced, format!("n8n accepted the write and holds something else: {}", differs.join("; ")))
}

/// What a failed write means. Whatever it was, n8n is read again: its writes are not atomic, and what was taken offline
/// is put back at once.
async fn explain(
    work: &mut Work<'_>,
    connection: &Connection,
    wanted: &Deployment<'_>,
    id: &str,
    keeps: &Keeps,
    error: N8nError,
) -> Failure {
    let after = read_back(connection, id).await.ok();
    if let Some(after) = &after {
        if error.unanswered() && held(work, wanted, after).0.holds(wanted.publication, keeps) {
            // It was not answered and took effect all the same; the next pass finds it done and looks closer.
            let reconcile_error = ReconcileError::transient(Reason::Progressing, "the write was not answered and took effect");
            return reconcile_error.again_in(Duration::from_millis(100)).into();
        }
        restore(work, connection, after).await;
    }
    let rollback = wanted.operation == Operation::Rollback;
    let passing = |reconcile_error: ReconcileError| match reconcile_error.class {
        Class::Transient if rollback => ReconcileError { reason: Reason::RollbackFailed, ..reconcile_error },
        _ => reconcile_error,
    };
    match failure_class::read(&error) {
        FailureClass::Never(reason, message) => Failure::Version(reason, message),
        FailureClass::NotNow(reason, message) if proven(work, wanted.operation, wanted.version) => {
            passing(ReconcileError::transient(reason, message)).into()
        }
        FailureClass::NotNow(reason, message) => Failure::Version(reason, message),
        FailureClass::Perhaps(reason, message, _) if failed_too_often(work) && !proven(work, wanted.operation, wanted.version) => {
            Failure::Version(reason, format!("{message} (tried again and again)"))
        }
        FailureClass::Perhaps(_, _, reconcile_error) | FailureClass::Nothing(reconcile_error) => passing(reconcile_error).into(),
    }
}

/// Publishes what served before, if the failed attempt took it offline.
async fn restore(work: &mut Work<'_>, connection: &Connection, after: &RemoteWorkflow) {
    let good = work.status.intent.as_ref().and_then(|intent| intent.last_good_n8n_version_id.clone());
    let Some(good) = good.filter(|_| !after.active && work.spec().rollback == RollbackPolicy::Automatic) else { return };
    if connection.client.publish(&after.id, Some(&good)).await.is_ok() {
        work.happened(
            EventType::Warning,
            Reason::RolledBack,
            "the failed publication took the workflow offline; what served before was published again",
        );
    }
}
