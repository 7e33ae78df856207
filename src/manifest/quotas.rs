//! Limits of WorkflowQuotas on the Workflows of a set of files: as if they were applied, in their order, to a namespace that has no others.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::quota::QuotaResource;
use crate::document::finding::{Code, Finding};
use crate::domain::quota::Limits;
use crate::domain::quota::places::{Candidate, Places, Standings};

use super::namespace_rules::{NamespaceRules, may_share};
use super::report::Placed;
use super::set::Member;

/// Returns a finding for each Workflow that would wait for a place, with the index of its report.
pub(super) fn check(members: &[Member], rules: &NamespaceRules) -> Vec<(usize, Placed)> {
    if rules.quotas.is_empty() {
        return Vec::new();
    }
    let namespaces: BTreeSet<Option<&str>> = members.iter().map(Member::namespace).collect();
    let mut found = Vec::new();
    for namespace in namespaces {
        let own = rules.quotas.iter().filter(|quota| may_share(quota.namespace.as_deref(), namespace));
        let limits = Limits::of(own.map(|quota| (quota.name.as_str(), &quota.spec.hard)));
        // A name that comes twice is the same object, for another cluster or stage.
        let mut objects: BTreeMap<&str, (usize, &Member)> = BTreeMap::new();
        for (at, member) in members.iter().enumerate().filter(|(_, member)| may_share(member.namespace(), namespace)) {
            objects.entry(member.name()).or_insert((at, member));
        }
        // Objects without a time of creation are ranked by uid.
        let ranks: Vec<(String, &Member)> = objects.into_values().map(|(at, member)| (format!("{at:020}"), member)).collect();
        let candidates: Vec<Candidate<'_>> = ranks.iter().map(|(rank, member)| candidate(rank, member)).collect();
        let standings = Standings::new(&limits, &candidates);
        for ((_, member), one) in ranks.iter().zip(&candidates).filter(|((_, member), _)| member.namespace() == namespace) {
            let Some(exceeded) = standings.refusal(one) else { continue };
            let field = if exceeded.resource == QuotaResource::ActiveWorkflows { "spec.active" } else { "spec" };
            found.push(member.placed(Finding::error(Code::QuotaExceeded, field, exceeded.to_string())));
        }
    }
    found
}

fn candidate<'a>(rank: &'a str, member: &'a Member) -> Candidate<'a> {
    Candidate { uid: rank, name: member.name(), created: None, activation: None, holds: Places::default(), claims: member.claims() }
}
