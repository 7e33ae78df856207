//! Shortest time between two starts by a schedule or a poll.

use std::time::Duration;

use super::subject::{Nodes, Policy};
use crate::api::duration::Span;
use crate::document::finding::{Code, Finding};
use crate::validator::content::intervals::gaps;

pub(super) fn check(policy: &Policy<'_>, nodes: &Nodes<'_>, findings: &mut Vec<Finding>) {
    let Some(least) = policy.rules.minimum_schedule_interval.map(|least| least.get()) else { return };
    for found in nodes.all.iter().filter(|found| !found.node.disabled()) {
        for (keys, gap) in gaps(&found.node) {
            let path: Vec<&str> = std::iter::once("parameters").chain(keys.iter().copied()).collect();
            let error = |message| nodes.error(found, &path, Code::PolicyScheduleInterval, message);
            match gap.shortest() {
                Some(seconds) if Duration::from_secs(seconds) < least => {
                    let message = format!("WorkflowPolicy {} limits how often a workflow starts (minimumScheduleInterval)", policy.name);
                    let (got, want) = (Span::from_secs(seconds), Span::from_secs(least.as_secs()));
                    findings.push(error(message).mismatch(format!("{got} between two starts"), format!("at least {want}")));
                }
                None => {
                    let message = format!(
                        "WorkflowPolicy {} limits how often a workflow starts (minimumScheduleInterval), and an expression computes this \
                         interval; write it out",
                        policy.name
                    );
                    findings.push(error(message));
                }
                Some(_) => {}
            }
        }
    }
}
