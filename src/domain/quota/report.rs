//! Status of a quota: usage, what remains, one line for tables, and the Workflows that wait or are beyond a limit.

use crate::api::condition::{ConditionStatus, ConditionType, ConditionUpdate};
use crate::api::quota::{QuotaLimits, QuotaResource, WorkflowQuotaStatus};
use crate::api::reason::Reason;
use crate::domain::quota::places::{Candidate, Standings};
use crate::domain::quota::{Limit, Limits};
use crate::text::listed;

/// Maximum number of names in a message.
const MOST_NAMES: usize = 10;

/// Brings the amounts that follow from the limits and the usage up to date, and the line for tables.
pub fn refresh(status: &mut WorkflowQuotaStatus, limits: &QuotaLimits) {
    let mut line: Vec<String> = Vec::new();
    for resource in QuotaResource::ALL {
        let hard = limits.get(resource);
        let used = hard.map(|_| status.used.get(resource).unwrap_or(0).max(0));
        status.hard.set(resource, hard);
        status.used.set(resource, used);
        status.remaining.set(resource, hard.zip(used).map(|(hard, used)| (hard - used).max(0)));
        line.extend(hard.zip(used).map(|(hard, used)| format!("{}: {}/{}", resource.as_str(), resource.shown(used), resource.shown(hard))));
    }
    status.summary = Some(line.join(", "));
}

/// Counts the places in use, and returns the condition that names the Workflows which wait for one, and those beyond a limit.
pub fn count<'a>(status: &mut WorkflowQuotaStatus, own: &QuotaLimits, all: &'a Limits, candidates: &[Candidate<'a>]) -> ConditionUpdate {
    let standings = Standings::new(all, candidates);
    for resource in QuotaResource::ALL.into_iter().filter(|resource| !resource.per_day()) {
        status.used.set(resource, standings.used(resource));
    }
    let mut points = Vec::new();
    let mut waiting: Vec<(&Candidate<'a>, QuotaResource)> =
        candidates.iter().filter_map(|one| Some((one, standings.refusal(one)?.resource))).collect();
    waiting.sort_unstable_by_key(|(one, _)| one.by_creation());
    for (resource, limit) in [(QuotaResource::Workflows, &all.workflows), (QuotaResource::ActiveWorkflows, &all.active_workflows)] {
        let Some(hard) = own.get(resource) else { continue };
        let name = resource.as_str();
        let beyond = beyond(hard, resource, candidates);
        if !beyond.is_empty() {
            points.push(format!("{name}: {} beyond the limit of {hard}, and kept: {}", beyond.len(), listed(&beyond, MOST_NAMES)));
        }
        // Another quota of the namespace may be the one that they wait for.
        let lowest = limit.as_ref().is_some_and(|Limit { hard: lowest, .. }| *lowest == hard);
        let waiting: Vec<&str> = waiting.iter().filter(|(_, which)| lowest && *which == resource).map(|(one, _)| one.name).collect();
        if !waiting.is_empty() {
            points.push(format!("{name}: {} waiting for a place: {}", waiting.len(), listed(&waiting, MOST_NAMES)));
        }
    }
    if points.is_empty() {
        return ConditionUpdate::new(ConditionType::Exceeded, ConditionStatus::False, Reason::WithinQuota, "");
    }
    ConditionUpdate::new(ConditionType::Exceeded, ConditionStatus::True, Reason::QuotaExceeded, points.join("; "))
}

/// Returns the names of the holders beyond a limit: the newest ones.
fn beyond<'a>(hard: i64, resource: QuotaResource, candidates: &[Candidate<'a>]) -> Vec<&'a str> {
    let holds = |one: &&Candidate<'a>| if resource == QuotaResource::Workflows { one.holds.workflow } else { one.holds.active };
    let mut holders: Vec<&Candidate<'a>> = candidates.iter().filter(holds).collect();
    holders.sort_unstable_by_key(|one| one.by_creation());
    holders.iter().skip(usize::try_from(hard).unwrap_or(0)).map(|one| one.name).collect()
}

#[cfg(test)]
mod tests;
