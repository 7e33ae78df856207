//! How complex a prompt is, which decides on the model and on whether the workflow is planned first.

use super::denied::Denied;
use super::likely::likely;
use super::request::{Request, Tier};
use crate::generation::call::ModelTier;
use crate::generation::hostile::fold;

/// Score from which the more capable model is asked.
const COMPLEX: u32 = 6;
/// Score from which nodes and parameters are asked for separately: the workflow would take too many tokens in one answer.
const PLANNED: u32 = 14;

/// Words that branch, loop, wait, or join.
const STEPS: &[&str] = &[
    "if ",
    "otherwise",
    "else",
    "only when",
    "unless",
    "depending",
    "for each",
    "every item",
    "until",
    "wait",
    "retry",
    "approve",
    "approval",
    "compare",
    "merge",
    "combine",
    "classif",
    "agent",
    "tool",
    "memory",
    "vector",
    "embedding",
    "loop",
    "each of",
    "three webhooks",
    "mcp",
    "wenn",
    "sonst",
    "falls",
    "si ",
    "sinon",
    "cuando",
    "error",
];

/// Which model is asked first, whether it plans, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) tier: ModelTier,
    pub(super) planned: bool,
    pub(super) reason: String,
}

/// Chooses by the request's tier and its complexity.
pub(super) fn choose(request: &Request<'_>, denied: &Denied<'_>) -> Choice {
    let score = score(request, denied);
    let by_score = if score >= COMPLEX { ModelTier::Complex } else { ModelTier::Simple };
    let (tier, why) = match request.tier {
        Tier::Simple => (ModelTier::Simple, "the prompt asks for the tier Simple".to_owned()),
        Tier::Complex => (ModelTier::Complex, "the prompt asks for the tier Complex".to_owned()),
        Tier::Auto => (by_score, format!("its complexity is {score}, and {COMPLEX} and more go to the complex model")),
    };
    let planned = tier == ModelTier::Complex && score >= PLANNED && request.base.is_none();
    let how =
        if planned { format!("; from {PLANNED} on the nodes are planned before their parameters are filled in") } else { String::new() };
    Choice { tier, planned, reason: format!("{why}{how}") }
}

fn score(request: &Request<'_>, denied: &Denied<'_>) -> u32 {
    let folded = fold(request.prompt);
    let services = likely(request.prompt, request.catalog, denied)
        .into_iter()
        .map(|operation| operation.kind)
        .collect::<std::collections::BTreeSet<_>>()
        .len();
    let steps = STEPS.iter().filter(|word| folded.contains(*word)).count();
    let sentences = folded.matches(['.', ';', ':', ',']).count();
    let number = |count: usize, most: u32| u32::try_from(count).unwrap_or(most).min(most);
    let edited = request.base.map_or(0, |base| number(base.nodes.len() / 8, 4));
    number(services / 2, 5) + number(steps, 6) + number(sentences / 3, 4) + number(folded.len() / 300, 4) + edited
}
