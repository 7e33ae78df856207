//! n8n's publication service, as measured on the real one (2.39.10): publishing and unpublishing respond at once, and the running version
//! follows some time later. Until then callers reach the previous version. A schedule that cannot be started blocks nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::publish::start;
use super::reply::Reply;
use super::store::{Version, Workflow, World};

/// Publications to set up, and running versions.
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

    /// Returns the reason why a workflow cannot be deleted at the moment.
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
    /// Reports whether a publication is set up later.
    pub(crate) fn sets_up_later(&mut self, workflow: &str) -> bool {
        self.outbox.as_mut().map(|outbox| outbox.put(workflow)).is_some()
    }

    /// Sets up the publications that are due.
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

    /// Returns the version that callers reach.
    pub(crate) fn running_version<'a>(&'a self, workflow: &'a Workflow) -> Option<&'a Version> {
        match &self.outbox {
            Some(outbox) => workflow.version(outbox.running.get(&workflow.id)?),
            None => workflow.active_version(),
        }
    }

    /// Loses the record of the version of a workflow that runs; its routes stay.
    pub(crate) fn forget_running(&mut self, workflow: &str) {
        if let Some(outbox) = &mut self.outbox {
            outbox.running.remove(workflow);
        }
    }
}
