//! Ranks the Workflows of a namespace under the limits on their number.
//!
//! A Workflow that holds a place keeps it. Free places go to the Workflows that ask for one, in the order of their creation, and for publication in the
//! order in which they asked for it. The order alone would not do: of two objects that were created in the same second the later one may
//! reach n8n first, and must not be displaced.

use std::collections::HashSet;

use jiff::Timestamp;
use kube::api::ObjectMeta;

use crate::api::quota::QuotaResource;
use crate::api::workflow::Workflow;
use crate::api::workflow_status::{IntentOperation, WorkflowStatus};
use crate::domain::quota::{Exceeded, Limit, Limits};

/// Places of an object: one for its workflow in n8n, one for its publication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// A workflow in n8n.
    pub workflow: bool,
    /// A published workflow.
    pub active: bool,
}

impl Places {
    /// Returns the places that a status shows.
    pub fn of(status: &WorkflowStatus) -> Self {
        let announced = status.intent.as_ref().map(|intent| Announced {
            creates: intent.operation == IntentOperation::Create,
            publishes: intent.publishes || intent.last_good_n8n_version_id.is_some(),
        });
        Self::occupied(status.n8n_workflow_id.is_some(), status.published == Some(true), announced)
    }

    /// Returns the places in use, and those that an announced write may be about to use.
    pub fn occupied(bound: bool, published: bool, announced: Option<Announced>) -> Self {
        let Announced { creates, publishes } = announced.unwrap_or_default();
        Self { workflow: bound || creates, active: published || publishes }
    }

    /// Returns the places that a spec asks for. A suspended object asks for none, nor does one that is being deleted.
    pub const fn claimed(active: Option<bool>, suspended: bool, deleting: bool) -> Self {
        let asks = !suspended && !deleting;
        Self { workflow: asks, active: asks && matches!(active, Some(true)) }
    }

    /// Reports whether these places contain the others.
    pub const fn contain(self, others: Self) -> bool {
        (self.workflow || !others.workflow) && (self.active || !others.active)
    }
}

/// Effect of an announced write on places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// It creates a workflow.
    pub creates: bool,
    /// It publishes the workflow, or takes a published one offline for a moment.
    pub publishes: bool,
}

/// A Workflow that holds places or asks for some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// UID of the object; empty for one that is not created yet.
    pub uid: &'a str,
    /// Name of the object.
    pub name: &'a str,
    /// Time of its creation; None for one that is not created yet, which comes last.
    pub created: Option<Timestamp>,
    /// Time since which it asks to be published; None if that was not seen yet, which comes last.
    pub activation: Option<Timestamp>,
    /// Places that it holds.
    pub holds: Places,
    /// Places that its spec asks for.
    pub claims: Places,
}

impl<'a> Candidate<'a> {
    /// Returns a Workflow as a candidate. `holds` are its places, as far as they are known better than from its status.
    pub fn of(workflow: &'a Workflow, holds: Option<Places>) -> Self {
        let (meta, spec) = (&workflow.metadata, &workflow.spec);
        let status = workflow.status.as_ref();
        Self {
            activation: status.and_then(|status| status.activation_requested_at.as_ref()).map(|at| at.0),
            holds: holds.or_else(|| status.map(Places::of)).unwrap_or_default(),
            claims: Places::claimed(spec.active, spec.suspend == Some(true), meta.deletion_timestamp.is_some()),
            ..Self::named(meta)
        }
    }

    /// Returns a candidate that neither holds nor asks for a place.
    pub fn named(meta: &'a ObjectMeta) -> Self {
        Self {
            uid: meta.uid.as_deref().unwrap_or_default(),
            name: meta.name.as_deref().unwrap_or_default(),
            created: meta.creation_timestamp.as_ref().map(|time| time.0),
            activation: None,
            holds: Places::default(),
            claims: Places::default(),
        }
    }

    /// Reports whether it asks for a place in n8n that it does not hold.
    const fn asks_to_enter(&self) -> bool {
        self.claims.workflow && !self.holds.workflow
    }

    /// Reports whether it asks to be published and is not.
    const fn asks_to_be_active(&self) -> bool {
        self.claims.active && !self.holds.active
    }

    pub(super) fn by_creation(&self) -> ByCreation<'a> {
        (self.created.is_none(), self.created, self.uid)
    }

    fn by_activation(&self) -> ByActivation<'a> {
        (self.activation.is_none(), self.activation, self.by_creation())
    }
}

/// Rank by creation. One that is not created yet comes last.
pub(super) type ByCreation<'a> = (bool, Option<Timestamp>, &'a str);
/// Rank by request for publication. One whose request was not seen yet comes last.
type ByActivation<'a> = (bool, Option<Timestamp>, ByCreation<'a>);

/// Places of one resource: the holders, and who of the others gets one.
#[derive(Clone, Debug)]
struct Line<R> {
    holders: usize,
    asking: usize,
    /// Number of places for those that ask; None without a limit.
    free: Option<usize>,
    /// Rank of the last one that gets a place; None if nobody does, or everybody.
    last: Option<R>,
}

impl<R: Ord + Copy> Line<R> {
    fn new(limit: Option<&Limit>, holders: usize, mut asking: Vec<R>) -> Self {
        let free = limit.map(|limit| usize::try_from(limit.hard).unwrap_or(0).saturating_sub(holders));
        let last = free.filter(|free| *free > 0 && *free < asking.len()).map(|free| *asking.select_nth_unstable(free - 1).1);
        Self { holders, asking: asking.len(), free, last }
    }

    /// Reports whether one that asks gets a place.
    fn admits(&self, rank: R) -> bool {
        match (self.free, self.last) {
            (None, _) => true,
            (Some(0), _) => false,
            (Some(_), None) => true,
            (Some(_), Some(last)) => rank <= last,
        }
    }

    /// Returns the number of places that are held or about to be.
    fn used(&self) -> i64 {
        let used = self.holders + self.free.map_or(self.asking, |free| self.asking.min(free));
        i64::try_from(used).unwrap_or(i64::MAX)
    }
}

/// Places of the Workflows of a namespace under all its quotas.
#[derive(Clone, Debug)]
pub struct Standings<'a> {
    limits: &'a Limits,
    workflows: Line<ByCreation<'a>>,
    active: Line<ByActivation<'a>>,
    /// Objects that would be published and cannot get into n8n.
    outside: HashSet<&'a str>,
}

impl<'a> Standings<'a> {
    /// Ranks the Workflows of a namespace. An object gets all the places that it asks for or none, so that one that waits for one limit
    /// takes nothing from others under another.
    pub fn new(limits: &'a Limits, candidates: &[Candidate<'a>]) -> Self {
        let mut outside = HashSet::new();
        loop {
            let standings = Self::without(limits, candidates, outside.clone());
            let known = outside.len();
            let blocked = candidates.iter().filter(|one| one.asks_to_enter() && one.asks_to_be_active());
            outside.extend(blocked.filter(|one| !standings.workflows.admits(one.by_creation())).map(|one| one.uid));
            if outside.len() == known {
                return standings;
            }
        }
    }

    fn without(limits: &'a Limits, candidates: &[Candidate<'a>], outside: HashSet<&'a str>) -> Self {
        let holders = candidates.iter().filter(|one| one.holds.active).count();
        let asking = candidates.iter().filter(|one| one.asks_to_be_active() && !outside.contains(one.uid));
        let active = Line::new(limits.active_workflows.as_ref(), holders, asking.map(Candidate::by_activation).collect());
        let holders = candidates.iter().filter(|one| one.holds.workflow).count();
        let publishable = |one: &Candidate<'a>| !outside.contains(one.uid) && active.admits(one.by_activation());
        let asking = candidates.iter().filter(|one| one.asks_to_enter() && (!one.asks_to_be_active() || publishable(one)));
        let workflows = Line::new(limits.workflows.as_ref(), holders, asking.map(Candidate::by_creation).collect());
        Self { limits, workflows, active, outside }
    }

    /// Returns the limit that keeps a candidate from the places that it asks for; None if it gets them.
    pub fn refusal(&self, one: &Candidate<'a>) -> Option<Exceeded> {
        if self.outside.contains(one.uid) || one.asks_to_enter() && !self.workflows.admits(one.by_creation()) {
            return self.exceeded(QuotaResource::Workflows);
        }
        if one.asks_to_be_active() && !self.active.admits(one.by_activation()) {
            return self.exceeded(QuotaResource::ActiveWorkflows);
        }
        None
    }

    /// Returns the number of places of a resource that are held or about to be; None for an amount in a day.
    pub fn used(&self, resource: QuotaResource) -> Option<i64> {
        match resource {
            QuotaResource::Workflows => Some(self.workflows.used()),
            QuotaResource::ActiveWorkflows => Some(self.active.used()),
            _ => None,
        }
    }

    fn exceeded(&self, resource: QuotaResource) -> Option<Exceeded> {
        let (limit, used) = match resource {
            QuotaResource::ActiveWorkflows => (self.limits.active_workflows.as_ref()?, self.active.used()),
            _ => (self.limits.workflows.as_ref()?, self.workflows.used()),
        };
        Some(Exceeded { quota: limit.quota.clone(), resource, requested: 1, used, limited: limit.hard, until: None })
    }
}

/// Returns the limit that the creation or change of an object would exceed, given the Workflows of its namespace. A change that asks for
/// no place in addition to those that the object held or asked for before exceeds none: `before` is None for a creation.
pub fn refusal(limits: &Limits, others: &[Candidate<'_>], before: Option<&Candidate<'_>>, after: &Candidate<'_>) -> Option<Exceeded> {
    let had = before.map_or_else(Places::default, |before| Places {
        workflow: before.holds.workflow || before.claims.workflow,
        active: before.holds.active || before.claims.active,
    });
    if limits.is_empty() || had.contain(after.claims) {
        return None;
    }
    // It asks now, whatever was recorded of an earlier request.
    let after = if had.active { *after } else { Candidate { activation: None, ..*after } };
    let mut candidates: Vec<Candidate<'_>> = others.iter().filter(|other| other.name != after.name).copied().collect();
    candidates.push(after);
    Standings::new(limits, &candidates).refusal(&after)
}

#[cfg(test)]
mod tests;
