//! Checks of a workflow that a model wrote, beyond the validator: whether it does what was asked for, with values that somebody gave.

mod asked;
mod branches;
mod data_flow;
mod effects;
mod forbidden;
mod invented;
mod outdated;
mod shapes;

use super::graph::Flow;
use super::output::Effect;
use crate::document::finding::Finding;

pub(super) use asked::Asked;
pub(super) use invented::Known;

/// Adds the findings. Paths are those of the compact document.
pub(super) fn check(flow: &Flow<'_>, effects: &[Effect], asked: &Asked, known: &Known, findings: &mut Vec<Finding>) {
    branches::check(flow, findings);
    data_flow::check(flow, findings);
    effects::check(flow, effects, findings);
    asked::check(flow, asked, findings);
    forbidden::check(flow, findings);
    invented::check(flow, known, findings);
    outdated::check(flow, findings);
    shapes::check(flow, findings);
}
