//! Templates that are near a prompt, and the one whose phrase it is.

use std::collections::BTreeSet;

use super::reading::Item;
use super::tokens::{Kind, tokens};
use super::unused::unused;
use crate::document::finding::{Severity, has_errors};
use crate::generation::outcome::{Candidate, Failure, Inputs, Outcome, Route, RouteKind};
use crate::generation::prompt::Prompt;
use crate::generation::template::{Missing, Template, from_text, render, templates};
use crate::validator::check::check;

/// Share of common words from which a prompt is the phrase of a template: nearly all.
pub(super) const SAME: f64 = 0.85;
/// The same for a prompt that is the phrase itself.
pub(super) const EXACT: f64 = 1.0;
/// Number of keywords from which a template is near.
const NEAR: usize = 3;

/// Returns the names and titles of the templates that share the most keywords with a prompt.
pub(super) fn nearest(items: &[Item]) -> Vec<String> {
    let words: BTreeSet<&str> =
        items.iter().filter(|item| item.kind == Kind::Word).flat_map(|item| std::iter::once(item.word.as_str()).chain(item.noun)).collect();
    let text = format!(" {} ", items.iter().map(|item| item.text.to_lowercase()).collect::<Vec<_>>().join(" "));
    let shared = |template: &Template| {
        let has = |keyword: &&String| words.contains(keyword.as_str()) || keyword.contains(' ') && text.contains(&format!(" {keyword} "));
        template.spec.keywords.iter().filter(has).count()
    };
    let mut near: Vec<(usize, &Template)> =
        templates().iter().map(|template| (shared(template), template)).filter(|(shared, _)| *shared >= NEAR).collect();
    near.sort_by_key(|(shared, template)| (std::cmp::Reverse(*shared), template.name.as_str()));
    near.iter().take(3).map(|(_, template)| format!("{}: {}", template.name, template.spec.title)).collect()
}

/// Returns the workflow of the template whose phrase the prompt is, but for a few words. Answers are its inputs; the others stay open.
pub(super) fn phrase(request: &Prompt<'_>, least: f64) -> Option<Outcome> {
    let words = bag(request.text);
    let alike = |phrase: &String| {
        let other = bag(phrase);
        let common = words.intersection(&other).count() as f64;
        common / words.len().max(other.len()).max(1) as f64
    };
    let best = |template: &Template| template.spec.phrases.iter().map(alike).fold(0.0, f64::max);
    let (score, template) = templates().iter().map(|template| (best(template), template)).max_by(|a, b| a.0.total_cmp(&b.0))?;
    if score < least || words.len() < 4 {
        return None;
    }
    let given =
        template.spec.inputs.iter().filter_map(|input| Some((input.name.clone(), from_text(input, request.answers.get(&input.name)?))));
    let rendered = match render(&template.spec, &given.collect::<Inputs>(), Missing::LeaveOpen, request.catalog) {
        Ok(rendered) => rendered,
        Err(findings) => {
            let reason = format!("an answer does not fit the inputs of template {}", template.name);
            return Some(Outcome::Failed(Failure { reason, best: None, findings }));
        }
    };
    let findings = check(&rendered.definition, None, request.catalog);
    if has_errors(&findings) && rendered.slots.iter().all(|slot| !slot.open) {
        return None;
    }
    let mut assumptions = vec![format!("The template {} is what is meant: {}", template.name, template.spec.title)];
    assumptions.extend(unused(request.answers, |id| template.spec.inputs.iter().any(|input| input.name == *id)));
    Some(Outcome::Built(Box::new(Candidate {
        definition: rendered.definition,
        compact: rendered.compact,
        slots: rendered.slots,
        route: Route {
            kind: RouteKind::Template,
            name: template.name.clone(),
            reason: "the prompt is a phrase of the template".to_owned(),
        },
        assumptions,
        findings: rendered.findings.into_iter().filter(|finding| finding.severity == Severity::Warning).collect(),
    })))
}

fn bag(text: &str) -> BTreeSet<String> {
    tokens(text).into_iter().filter(|token| matches!(token.kind, Kind::Word | Kind::Host)).map(|token| token.word).collect()
}
