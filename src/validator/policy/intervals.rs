//! Shortest time between two starts by schedules and polls: each rule alone, and on average all of a workflow together.

use std::time::Duration;

use super::subject::{Nodes, Policy};
use crate::api::duration::DurationText;
use crate::document::finding::{Code, Finding};
use crate::document::inline::Found;
use crate::validator::content::intervals::{Gap, gaps};

/// Time over which rules are counted together: whole weeks, and as long as the shortest month.
const LONGEST: Duration = Duration::from_hours(28 * 24);

pub(super) fn check(policy: &Policy<'_>, nodes: &Nodes<'_>, findings: &mut Vec<Finding>) {
    let Some(least) = policy.rules.minimum_schedule_interval.map(|least| least.get()) else { return };
    let living = nodes.all.iter().filter(|found| !found.node.disabled());
    let rules: Vec<Rule<'_>> =
        living.flat_map(|found| gaps(&found.node).into_iter().map(move |(keys, gap)| Rule { found, keys, gap })).collect();
    let before = findings.len();
    for rule in &rules {
        match rule.gap.shortest() {
            Some(seconds) if Duration::from_secs(seconds) < least => {
                let message = format!("WorkflowPolicy {} limits how often a workflow starts (minimumScheduleInterval)", policy.name);
                let (got, want) = (DurationText::from_secs(seconds), DurationText::from_secs(least.as_secs()));
                findings.push(rule.error(nodes, message).mismatch(format!("{got} between two starts"), format!("at least {want}")));
            }
            None => {
                let message = format!(
                    "WorkflowPolicy {} limits how often a workflow starts (minimumScheduleInterval), and an expression computes this \
                     interval; write it out",
                    policy.name
                );
                findings.push(rule.error(nodes, message));
            }
            Some(_) => {}
        }
    }
    // A rule that starts too often by itself is reported alone.
    if findings.len() == before {
        findings.extend(check_together(policy, nodes, &rules, least));
    }
}

/// A schedule or poll of a node.
struct Rule<'a> {
    found: &'a Found<'a>,
    /// Place below the node's parameters.
    keys: &'static [&'static str],
    gap: Gap,
}

impl Rule<'_> {
    fn error(&self, nodes: &Nodes<'_>, message: String) -> Finding {
        let path: Vec<&str> = std::iter::once("parameters").chain(self.keys.iter().copied()).collect();
        nodes.error(self.found, &path, Code::PolicyScheduleInterval, message)
    }
}

/// Checks the average of all rules: otherwise a second schedule would be a way around the limit.
fn check_together(policy: &Policy<'_>, nodes: &Nodes<'_>, rules: &[Rule<'_>], least: Duration) -> Option<Finding> {
    let within = LONGEST.max(least).as_secs();
    let rules: Vec<(u64, &Rule<'_>)> = rules.iter().filter_map(|rule| Some((rule.gap.most_starts(within)?, rule))).collect();
    let starts = rules.iter().fold(0_u64, |sum, (starts, _)| sum.saturating_add(*starts));
    if rules.len() < 2 || starts <= (within / least.as_secs().max(1)).max(1) {
        return None;
    }
    let (_, busiest) = rules.iter().max_by_key(|(starts, _)| *starts)?;
    let message = format!(
        "WorkflowPolicy {} limits how often a workflow starts (minimumScheduleInterval), and the {} schedules and polls of this one are too \
         often together; let them start less often, or divide the workflow",
        policy.name,
        rules.len()
    );
    let (got, want) = (DurationText::from_secs(within / starts), DurationText::from_secs(least.as_secs()));
    Some(busiest.error(nodes, message).mismatch(format!("{got} between two starts on average"), format!("at least {want}")))
}
