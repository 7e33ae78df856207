//! n8n's publication service, as far as it was measured on the real one (2.39.10): publishing and unpublishing answer at once,
//! and what runs follows some time later. Until then callers meet the version before. A schedule that cannot be started
//! stops nobody.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::publish::start;
use super::reply::Reply;
use super::store::{Version, Workflow, World};

/// What is to be set up, and what runs.
pub(crate) struct Outbox {
    delay: Duration,
    due: Vec<(Instant, String)>,
    /// The version that runs, by workflow.
    running: HashMap<String, String>,
}

impl Outbox {
    pub(crate) fn new(delay: Duration) -> Self {
        Self { delay, due: Vec::new(), running: HashMap::new() }
    }

    pub(crate) fn put(&mut self, workflow: &str) {
        self.due.push((Instant::now() + self.delay, workflow.to_owned()));
    }

    pub(crate) fn set_delay(&mut self, delay: Duration) {
        self.delay = delay;
    }

    /// Why a workflow cannot be deleted now.
    pub(crate) fn forbids_deletion(&self, workflow: &Workflow) -> Option<Reply> {
        let why = if workflow.is_active() {
            "Cannot delete a published workflow. Unpublish it before deleting."
        } else if self.running.contains_key(&workflow.id) {
            "Workflow is still being unpublished. Please try again in a few moments."
        } else {
            return None;
        };
        Some(Reply::message(409, why))
    }
}

impl World {
    /// Whether what was just published is set up later.
    pub(crate) fn sets_up_later(&mut self, workflow: &str) -> bool {
        self.outbox.as_mut().map(|outbox| outbox.put(workflow)).is_some()
    }

    /// Sets up what is due by now.
    pub(crate) fn work_off(&mut self) {
        let now = Instant::now();
        let Some(outbox) = &mut self.outbox else { return };
        let (due, later) = std::mem::take(&mut outbox.due).into_iter().partition::<Vec<_>, _>(|(at, _)| *at <= now);
        outbox.due = later;
        for (_, id) in due {
            let active = self.workflows.get(&id).and_then(Workflow::active_version);
            let active = active.map(|version| (version.id.clone(), Arc::clone(&version.content)));
            self.remove_webhooks(&id);
            if let Some((_, content)) = &active {
                let _ = start(self, &id, content);
            }
            let Some(outbox) = &mut self.outbox else { return };
            match active {
                Some((version, _)) => outbox.running.insert(id, version),
                None => outbox.running.remove(&id),
            };
        }
    }

    /// The version that callers meet.
    pub(crate) fn running_version<'a>(&'a self, workflow: &'a Workflow) -> Option<&'a Version> {
        match &self.outbox {
            Some(outbox) => workflow.version(outbox.running.get(&workflow.id)?),
            None => workflow.active_version(),
        }
    }

    /// Loses what says which version of a workflow runs; its routes stay.
    pub(crate) fn forget_running(&mut self, workflow: &str) {
        if let Some(outbox) = &mut self.outbox {
            outbox.running.remove(workflow);
        }
    }
}
