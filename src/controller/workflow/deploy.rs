//! Step 4, writes n8n: the version that should serve gets there, and a failure is told apart from a passing trouble.

use std::time::Duration;

use kube::runtime::events::EventType;

use super::drift;
use super::work::Work;
use crate::api::condition::{ConditionStatus, ConditionType, find, whole_seconds};
use crate::api::reason::Reason;
use crate::api::workflow::RollbackPolicy;
use crate::api::workflow_status::{Intent, Operation};
use crate::controller::connections::{self, Connection};
use crate::domain::plan::{Comparison, Drift, Plan, Publication, Step, compare, plan};
use crate::domain::remote::{RemoteWorkflow, WorkflowWrite};
use crate::domain::settings;
use crate::domain::trouble::Trouble;
use crate::n8n::{Denial, N8nError};

/// How often a version is sent without a confirmed end before it counts as failed.
const MOST_ATTEMPTS: i64 = 3;

/// n8n's words for a version that it will never publish (n8n 2.39.10, measured).
const VERDICTS: [&str; 6] = [
    "has no trigger node",
    "Unrecognized node type",
    "is not available in version",
    "Cannot publish workflow",
    "There was a problem activating the workflow",
    "is already taken",
];

/// A version to bring to n8n.
pub(super) struct Deployment<'a> {
    pub(super) version: i64,
    pub(super) digest: &'a str,
    /// With the ids of this instance, as it is sent.
    pub(super) write: &'a WorkflowWrite,
    pub(super) publication: Publication,
    pub(super) operation: Operation,
}

/// Why a version is not there.
pub(super) enum Failure {
    /// The version itself is at fault.
    Version(Reason, String),
    /// Something else is.
    Trouble(Trouble),
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// n8n as it is after the deployment.
pub(super) struct Deployed {
    pub(super) remote: RemoteWorkflow,
    /// Whether this pass published.
    pub(super) published: bool,
    /// What somebody changed and was left.
    pub(super) left: Vec<Drift>,
}

/// Compares, writes what differs, and reads back.
pub(super) async fn deploy(
    work: &mut Work<'_>,
    connection: &Connection,
    wanted: &Deployment<'_>,
    mut remote: RemoteWorkflow,
) -> Result<Deployed, Failure> {
    fill_published(connection, &mut remote).await?;
    let seen = compare(wanted.write, &work.mark(), &remote);
    // A version that failed after this one may have left its draft behind: then a difference is ours to mend, not drift.
    let confirmed =
        [work.status.active_version, work.status.last_attempted_version] == [Some(wanted.version); 2] && work.status.intent.is_none();
    let contested = drift::contested(work);
    let mut plan = plan(&seen, wanted.publication, confirmed, work.spec().drift_policy, contested);
    if plan.steps.is_empty() && was_not_live(work) && wanted.publication == Publication::Published && plan.drift.is_empty() {
        // n8n says that it is published and its webhooks do not answer: publishing again registers them.
        plan.steps.push(Step::Publish);
    }
    drift::judge(work, &plan, wanted, &remote, contested).await?;
    if plan.steps.is_empty() {
        return Ok(Deployed { remote, published: false, left: plan.drift });
    }
    let plan = Plan { drift: Vec::new(), ..plan };
    recover_interrupted(work, connection, wanted, &remote).await?;
    connection.trusted()?;
    intend(work, wanted, &remote, confirmed).await?;
    let published = plan.steps.contains(&Step::Publish);
    let applied = apply(work, connection, wanted, &remote, &plan.steps).await;
    let after = match applied {
        Ok(()) => read_back(connection, &remote.id).await?,
        Err(error) => return Err(explain(work, connection, wanted, &remote.id, error).await),
    };
    let seen = compare(wanted.write, &work.mark(), &after);
    if !seen.serves(wanted.publication) {
        return Err(not_as_sent(work, wanted, &seen, &after).into());
    }
    Ok(Deployed { remote: after, published, left: plan.drift })
}

/// The content of the published version, where it is not the draft and the answer lacks it.
async fn fill_published(connection: &Connection, remote: &mut RemoteWorkflow) -> Result<(), Trouble> {
    let differs = remote.active && remote.active_version_id != remote.version_id && remote.active_version.is_none();
    if let (true, Some(version)) = (differs, remote.active_version_id.clone()) {
        remote.active_version = connection.client.get_version(&remote.id, &version).await.map_err(|error| connections::trouble(&error))?;
    }
    Ok(())
}

fn was_not_live(work: &Work<'_>) -> bool {
    work.status.active_version.is_some()
        && find(&work.status.conditions, ConditionType::Live)
            .is_some_and(|live| live.status == ConditionStatus::False && live.reason == Reason::NotLive.as_str())
}

/// An attempt that an earlier pass announced and that left the workflow offline: what served before is put back first,
/// so that nobody waits for the next attempt.
async fn recover_interrupted(
    work: &mut Work<'_>,
    connection: &Connection,
    wanted: &Deployment<'_>,
    remote: &RemoteWorkflow,
) -> Result<(), Failure> {
    let Some(intent) = work.status.intent.clone().filter(|intent| intent.operation != Operation::Create) else { return Ok(()) };
    if wanted.publication != Publication::Published {
        return Ok(());
    }
    if let (false, Some(good), RollbackPolicy::Automatic) = (remote.active, &intent.last_good_n8n_version_id, work.spec().rollback) {
        // Best effort: the version may be gone, and then the deployment itself is the way back.
        let _ = connection.client.publish(&remote.id, Some(good)).await;
    }
    // That the operator was interrupted says nothing about the version; that its attempt left the workflow offline does.
    let offline = !remote.active && intent.last_good_n8n_version_id.is_some();
    if intent.digest == wanted.digest && offline && count_failure(work) >= MOST_ATTEMPTS {
        let message = "publication was asked for again and again and left the workflow offline each time";
        return Err(Failure::Version(Reason::PublishUnconfirmed, message.to_owned()));
    }
    Ok(())
}

/// One more attempt at the intended version ended badly; returns how many did.
pub(super) fn count_failure(work: &mut Work<'_>) -> i64 {
    work.status.intent.as_mut().map_or(0, |intent| {
        intent.attempts += 1;
        intent.attempts
    })
}

/// Records what is about to be written and what served before.
async fn intend(work: &mut Work<'_>, wanted: &Deployment<'_>, remote: &RemoteWorkflow, reverting: bool) -> Result<(), Trouble> {
    let before = work.status.intent.as_ref().filter(|intent| intent.operation != Operation::Create);
    let attempts = before.filter(|intent| intent.digest == wanted.digest).map_or(0, |intent| intent.attempts);
    let fresh = before.is_some_and(|intent| intent.digest == wanted.digest && intent.attempts == 0)
        && work.status.active_version.is_none()
        && work.status.last_attempted_version.is_none();
    let last_good = remote.active.then(|| remote.active_version_id.clone()).flatten().or_else(|| before?.last_good_n8n_version_id.clone());
    work.status.last_attempted_version = Some(wanted.version);
    // The create recorded this very attempt a moment ago.
    if !fresh {
        work.status.intent = Some(Intent {
            operation: if reverting { Operation::Revert } else { wanted.operation },
            digest: wanted.digest.to_owned(),
            last_good_n8n_version_id: last_good,
            attempts,
            started_at: whole_seconds(work.now()),
        });
    }
    work.status.written_settings = settings::written_after(&wanted.write.settings, &work.status.written_settings);
    work.save().await
}

async fn apply(
    work: &Work<'_>,
    connection: &Connection,
    wanted: &Deployment<'_>,
    remote: &RemoteWorkflow,
    steps: &[Step],
) -> Result<(), N8nError> {
    let client = &connection.client;
    let id = &remote.id;
    let mut draft = remote.version_id.clone();
    for step in steps {
        let timer = work.ctx.metrics.time(label(*step));
        match step {
            Step::Unarchive => draft = client.unarchive(id).await?.version_id,
            Step::Update => draft = client.update_workflow(id, wanted.write, false).await?.version_id,
            // By version id: a draft that somebody saved in between must not be published as ours.
            Step::Publish => drop(client.publish(id, draft.as_deref()).await?),
            Step::Unpublish => drop(client.unpublish(id).await?),
        }
        timer.done();
    }
    Ok(())
}

const fn label(step: Step) -> &'static str {
    match step {
        Step::Unarchive => "unarchive",
        Step::Update => "update",
        Step::Publish => "publish",
        Step::Unpublish => "unpublish",
    }
}

async fn read_back(connection: &Connection, id: &str) -> Result<RemoteWorkflow, Trouble> {
    let remote = connection.client.get_workflow(id).await.map_err(|error| connections::trouble(&error))?;
    let mut remote =
        remote.ok_or_else(|| Trouble::transient(Reason::NotSynced, format!("workflow {id} vanished while it was being written")))?;
    fill_published(connection, &mut remote).await?;
    Ok(remote)
}

fn not_as_sent(work: &Work<'_>, wanted: &Deployment<'_>, seen: &Comparison, after: &RemoteWorkflow) -> Trouble {
    let mut differs = Vec::new();
    if seen.published == Some(false) || !seen.draft {
        differs.push(drift::summary(work, wanted, after));
    }
    if wanted.publication == Publication::Published && seen.published.is_none() {
        differs.push("it is not published".to_owned());
    }
    if !seen.settings {
        differs.push(format!("settings {}", settings::differing(&after.settings, &wanted.write.settings).join(", ")));
    }
    if !seen.name {
        differs.push("the name".to_owned());
    }
    if !seen.marked {
        differs.push("our mark is missing".to_owned());
    }
    Trouble::transient(Reason::NotSynced, format!("n8n accepted the write and holds something else: {}", differs.join("; ")))
}

/// What a failed write means. Whatever it was, n8n is read again: its writes are not atomic, and what was taken offline
/// is put back at once.
async fn explain(work: &mut Work<'_>, connection: &Connection, wanted: &Deployment<'_>, id: &str, error: N8nError) -> Failure {
    let after = read_back(connection, id).await.ok();
    if let Some(after) = &after {
        if error.unanswered() && compare(wanted.write, &work.mark(), after).serves(wanted.publication) {
            // It was not answered and took effect all the same; the next pass finds it done and looks closer.
            return Trouble {
                retry_after: Some(Duration::from_millis(100)),
                ..Trouble::transient(Reason::Progressing, "the write was not answered and took effect")
            }
            .into();
        }
        restore(work, connection, after).await;
    }
    let attempts = count_failure(work);
    classify(&error, attempts)
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

fn classify(error: &N8nError, attempts: i64) -> Failure {
    match error {
        N8nError::Refused { message, operation, .. } if operation.label() == "publish" => {
            // Of the two refusals for a path, this one leaves the live version alone, so waiting costs nobody anything. The other
            // ("already taken", of parameterised paths) takes it offline with each try, and so counts against the version.
            if message.contains("conflict with one of the webhooks") {
                return Trouble::waiting(
                    Reason::WebhookPathTaken,
                    format!("n8n refuses to publish: {message}; it goes live by itself when the path is free"),
                )
                .into();
            }
            if message.contains("which is not published") {
                return Trouble::waiting(Reason::ReferenceNotPublished, format!("n8n refuses to publish: {message}")).into();
            }
            // Other words can speak of a moment, such as somebody unpublishing just then; only their repetition is a verdict.
            if attempts < MOST_ATTEMPTS && !VERDICTS.iter().any(|words| message.contains(words)) {
                return Trouble::transient(Reason::PublishUnconfirmed, format!("n8n refuses to publish: {message}")).into();
            }
            Failure::Version(Reason::PublishRefused, format!("n8n refuses to publish: {message}"))
        }
        // An archived workflow takes no writes; it was archived a moment ago and the next pass brings it back.
        N8nError::Refused { message, .. } if message.contains("archived workflow") => {
            Trouble::transient(Reason::NotSynced, message.clone()).into()
        }
        N8nError::Refused { message, .. } => {
            Failure::Version(Reason::RejectedByN8n, format!("n8n refuses to save the definition: {message}"))
        }
        N8nError::TooLarge { .. } => Failure::Version(Reason::RejectedByN8n, error.to_string()),
        N8nError::Forbidden { denial: Denial::SavedAsDraft { .. }, .. } => Trouble::denied(
            Reason::MissingScope,
            "the API key lacks the scope workflow:activate: the draft was saved and not published; give the key that scope",
        )
        .into(),
        N8nError::Server { message, .. } if attempts >= MOST_ATTEMPTS && error.operation().label() == "publish" => {
            let said = message.clone().unwrap_or_else(|| "an internal error".to_owned());
            Failure::Version(
                Reason::PublishRefused,
                format!("n8n fails to publish, {attempts} times in a row: {said}; a trigger that cannot reach its service ends so"),
            )
        }
        error if error.unanswered() && attempts >= MOST_ATTEMPTS => {
            Failure::Version(Reason::PublishUnconfirmed, format!("publication was not confirmed, {attempts} times in a row: {error}"))
        }
        error => connections::trouble(error).into(),
    }
}
