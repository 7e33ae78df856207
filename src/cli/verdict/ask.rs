//! Asks n8n about one workflow after the other, and leaves nothing behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::signal::unix::{SignalKind, signal};

use super::error::VerdictError;
use super::output::Output;
use crate::catalog::Catalog;
use crate::document::definition::Definition;
use crate::domain::mark;
use crate::domain::verdict::{Said, Scratch, TAG, compare, fence, read_creation, read_publication, scratch};
use crate::manifest::Report;
use crate::n8n::{N8nClient, N8nError, Refusal};

/// n8n's answer to a scratch workflow.
enum Answer {
    NotCreated(Refusal),
    NotPublished(Refusal),
    Published,
}

/// Asks about all workflows that could be read. `false`: it was interrupted, or a scratch workflow is left behind.
///
/// On an interruption the current workflow is still finished and deleted, which takes as long as n8n does, at most a minute for each call.
pub(super) async fn all(client: &N8nClient, reports: &[Report], catalog: &Catalog, output: &mut Output) -> Result<bool, VerdictError> {
    let mut asking = Asking { client, run: run(), clean: true };
    let interrupted = interruption();
    let result = asking.each(reports, catalog, output, &interrupted).await;
    // After an error or an unanswered call there may be a workflow whose id is not known.
    if result.is_err() || !asking.clean {
        asking.clean = asking.sweep().await;
    }
    if !asking.clean {
        eprintln!("weirkeeper: scratch workflows may be left in n8n; their names begin with \"Weirkeeper scratch {}\"", asking.run);
    }
    result?;
    Ok(asking.clean && !interrupted.load(Ordering::Relaxed))
}

struct Asking<'c> {
    client: &'c N8nClient,
    run: String,
    /// True if all created workflows are known to be deleted.
    clean: bool,
}

impl Asking<'_> {
    async fn each(
        &mut self,
        reports: &[Report],
        catalog: &Catalog,
        output: &mut Output,
        interrupted: &AtomicBool,
    ) -> Result<(), VerdictError> {
        self.test_fence().await?;
        for (number, report) in reports.iter().enumerate() {
            if interrupted.load(Ordering::Relaxed) {
                eprintln!("weirkeeper: interrupted after {number} of {} workflows", reports.len());
                break;
            }
            let Some(definition) = &report.definition else {
                output.unread(report);
                continue;
            };
            let said = self.said(definition, &scratch(definition, catalog, &self.run, number + 1)).await?;
            output.compared(report, &said, &compare(definition, &said, catalog));
        }
        Ok(())
    }

    /// Checks that n8n refuses the fence. An n8n that would publish scratch workflows is not asked about any.
    async fn test_fence(&mut self) -> Result<(), VerdictError> {
        let fence = fence(&self.run);
        match self.answer(&fence).await? {
            Answer::NotPublished(refusal)
                if read_publication(refusal.status, &refusal.message, &Definition::default(), &fence.fence) == Said::Passed =>
            {
                Ok(())
            }
            Answer::NotPublished(refusal) | Answer::NotCreated(refusal) => Err(VerdictError::NoFence(refusal.message)),
            Answer::Published => Err(VerdictError::NoFence("it was published and deleted".to_owned())),
        }
    }

    async fn said(&mut self, definition: &Definition, scratch: &Scratch) -> Result<Said, VerdictError> {
        match self.answer(scratch).await {
            Ok(Answer::NotCreated(refusal)) => Ok(read_creation(&refusal.message)),
            Ok(Answer::NotPublished(refusal)) => Ok(read_publication(refusal.status, &refusal.message, definition, &scratch.fence)),
            Ok(Answer::Published) => Err(VerdictError::NoFence("a scratch workflow was published and deleted at once".to_owned())),
            // n8n failed on this workflow.
            Err(error @ (N8nError::Server { .. } | N8nError::TooLarge { .. } | N8nError::Timeout { .. })) => {
                Ok(Said::Unclear(error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Creates the workflow, asks n8n to publish it, and deletes it.
    async fn answer(&mut self, scratch: &Scratch) -> Result<Answer, N8nError> {
        let made = match self.client.propose_workflow(&scratch.write).await {
            Ok(Ok(made)) => made,
            Ok(Err(refusal)) => return Ok(Answer::NotCreated(refusal)),
            Err(error) => {
                self.clean &= !error.unanswered();
                return Err(error);
            }
        };
        let answer = self.client.propose_publication(&made.id).await;
        self.delete(&made.id).await;
        Ok(match answer? {
            Ok(_) => Answer::Published,
            Err(refusal) => Answer::NotPublished(refusal),
        })
    }

    /// Deletes a workflow, which unpublishes it too, and archives it first if n8n requires that.
    async fn delete(&mut self, id: &str) {
        if self.client.delete_workflow(id).await.is_ok() {
            return;
        }
        let _ = self.client.archive(id).await;
        if let Err(error) = self.client.delete_workflow(id).await {
            eprintln!("weirkeeper: cannot delete scratch workflow {id}: {error}");
            self.clean = false;
        }
    }

    /// Finds and deletes the workflows that this run created; returns whether none is left.
    async fn sweep(&mut self) -> bool {
        let own = |settings: &serde_json::Map<String, serde_json::Value>| {
            let tags = settings.get(mark::SETTING).and_then(serde_json::Value::as_array);
            tags.into_iter().flatten().any(|tag| tag["key"] == TAG && tag["value"] == self.run.as_str())
        };
        let listed =
            self.client.scan_workflows(None, |workflow| workflow.ok().filter(|found| own(&found.settings)).map(|found| found.id)).await;
        let Ok(left) = listed else { return false };
        self.clean = true;
        for id in left {
            self.delete(&id).await;
        }
        self.clean
    }
}

/// Returns an identifier of this run.
fn run() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:x}", now.as_micros() ^ u128::from(std::process::id()) << 52)
}

/// Returns a flag that is set on an interruption.
fn interruption() -> Arc<AtomicBool> {
    let set = Arc::new(AtomicBool::new(false));
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let set = Arc::clone(&set);
        if let Ok(mut signals) = signal(kind) {
            tokio::spawn(async move {
                signals.recv().await;
                set.store(true, Ordering::Relaxed);
            });
        }
    }
    set
}
