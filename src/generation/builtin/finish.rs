//! From composed nodes to a candidate: compiled, with credentials, and validated.

use std::collections::BTreeSet;

use super::abstain;
use super::compose::Composed;
use super::starts::Start;
use super::unused::unused;
use crate::document::finding::{Finding, Severity, has_errors};
use crate::document::json_path::is_within;
use crate::generation::compact::{Compact, Settings, compile, locate};
use crate::generation::credentials;
use crate::generation::outcome::{Candidate, Outcome, Route, RouteKind, as_inputs};
use crate::generation::polls;
use crate::generation::prompt::Prompt;
use crate::validator::check::check;

/// Returns the candidate; an abstention if it has errors, which is a fault of a pattern. Answers that no question of `asked` had are values of
/// slots.
pub(super) fn built(composed: Composed<'_>, request: &Prompt<'_>, assumed: &[String], asked: &BTreeSet<String>) -> Outcome {
    let clocked = matches!(composed.start, Some(Start::Schedule(_)));
    let zone = composed.zone.as_deref().or(request.timezone).filter(|_| clocked);
    let settings = Settings { timezone: zone.map(str::to_owned), ..Settings::default() };
    let compact = Compact {
        compact: crate::generation::compact::VERSION,
        name: Some(name(&composed)),
        nodes: composed.flow.nodes.clone(),
        edges: composed.flow.edges.clone(),
        settings,
        ..Compact::default()
    };
    let failed = |findings: &[Finding]| {
        let first = findings.iter().find(|finding| finding.is_error()).map(|finding| finding.to_string()).unwrap_or_default();
        Outcome::Abstained(abstain::from(
            &composed,
            request.catalog,
            Some(format!("the workflow that the patterns give has an error ({first})")),
        ))
    };
    let compiled = match compile(&compact, &as_inputs(request.answers), request.catalog) {
        Ok(compiled) => compiled,
        Err(findings) => return failed(&findings),
    };
    let mut definition = compiled.definition;
    credentials::add(&mut definition, request.catalog);
    let active = (!matches!(composed.start, Some(Start::Manual))).then_some(true);
    let open: Vec<&String> = compiled.slots.iter().filter(|slot| slot.open).flat_map(|slot| &slot.paths).collect();
    // Nothing is said about what stands in the place of a value that is still to be given.
    let found = check(&definition, active, request.catalog).into_iter().map(|finding| Finding { path: locate(&finding.path), ..finding });
    let findings: Vec<Finding> = found.filter(|finding| !open.iter().any(|path| is_within(&finding.path, path))).collect();
    if has_errors(&findings) {
        return failed(&findings);
    }
    let mut assumptions: Vec<String> = assumed.to_vec();
    assumptions.extend(composed.flow.assumptions.iter().cloned());
    if clocked {
        assumptions.push(match zone {
            Some(zone) => format!("Times are those of {zone}"),
            None => "Times are those of the time zone that n8n is set to".to_owned(),
        });
    }
    assumptions.extend(polls::assumption(&definition, request.catalog));
    let taken = |id: &String| asked.contains(id) || compiled.slots.iter().any(|slot| slot.name == *id);
    assumptions.extend(unused(request.answers, taken));
    let types: Vec<&str> = compact.nodes.iter().map(|node| node.kind.split('.').next().unwrap_or_default()).collect();
    Outcome::Built(Box::new(Candidate {
        definition,
        slots: compiled.slots,
        route: Route {
            kind: RouteKind::Pattern,
            name: types.join("+"),
            reason: "every part of the prompt is covered by a pattern".to_owned(),
        },
        assumptions,
        findings: findings.into_iter().filter(|finding| finding.severity == Severity::Warning).collect(),
        compact: Some(compact),
    }))
}

/// Returns a name for the workflow: its start and where it leads.
fn name(composed: &Composed<'_>) -> String {
    let names: Vec<&str> = composed.flow.nodes.iter().map(|node| node.name.as_str()).collect();
    let target =
        |name: &&&str| name.starts_with("Tell ") || name.starts_with("Add ") || name.starts_with("Send ") || name.starts_with("Update ");
    let places: Vec<String> = names.iter().filter(target).map(|name| name.rsplit(' ').next().unwrap_or(name).to_owned()).collect();
    let start = names.first().copied().unwrap_or("Workflow").trim_end_matches(" Trigger");
    match places.as_slice() {
        [] => format!("{start} workflow"),
        places => format!("{start} to {}", crate::text::listed(places, 3)),
    }
}
