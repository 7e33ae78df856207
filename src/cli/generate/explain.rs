//! Results of a generation as text for people, on standard error.

use std::fmt::Write as _;

use super::drive::Driven;
use crate::generation::engine::Request;
use crate::generation::outcome::{Abstention, Candidate, Failure, Outcome, Questions};
use crate::text::{one_line, shown};

/// Returns how a workflow came about.
pub(super) fn explain(driven: &Driven, request: &Request<'_>) -> String {
    let mut out = format!("input hash: {}\n", request.input_hash());
    if let Outcome::Built(candidate) = &driven.outcome {
        let route = &candidate.route;
        let _ = writeln!(out, "made by: {} ({:?}), because {}", route.name, route.kind, route.reason);
    }
    for (call, answer) in &driven.calls {
        let what = match answer {
            Ok(reply) => format!(
                "{} in ({} cached), {} out{}, {} ms, {}",
                reply.usage.input,
                reply.usage.cached,
                reply.usage.output,
                if reply.usage.estimated { " (estimated)" } else { "" },
                reply.milliseconds,
                one_line(&reply.model, 80)
            ),
            Err(failure) => format!("no answer: {}", one_line(&failure.message, 200)),
        };
        let _ = writeln!(out, "call {} {} {}: {what}", &call.key[..12], call.stage.as_str(), call.tier.as_str());
    }
    let usage = driven.usage();
    let _ = writeln!(
        out,
        "tokens: {} in, {} out; attempts: {}; {} ms of models, {} ms of our own",
        usage.input,
        usage.output,
        driven.attempts(),
        driven.waited.as_millis(),
        driven.worked.as_millis()
    );
    out
}

/// Returns what is to be known about a workflow that was built.
pub(super) fn summary(candidate: &Candidate) -> String {
    let mut out = String::new();
    for assumption in &candidate.assumptions {
        let _ = writeln!(out, "assumed: {}", shown(assumption));
    }
    for slot in candidate.slots.iter().filter(|slot| slot.open) {
        let _ = writeln!(out, "to fill in: ?{} ({})", slot.name, slot.paths.join(", "));
    }
    for finding in candidate.findings.iter().filter(|finding| finding.severity == crate::document::finding::Severity::Warning) {
        if finding.code != crate::document::finding::Code::SlotOpen {
            let _ = writeln!(out, "warning: {}: {}", finding.code, shown(&finding.to_string()));
        }
    }
    out
}

/// Returns questions, with the way to answer them.
pub(super) fn questions(questions: &Questions) -> String {
    let mut out = String::new();
    for question in &questions.questions {
        let _ = writeln!(out, "question {}: {}", question.id, shown(&question.text));
        for option in &question.options {
            let _ = writeln!(out, "  - {}", shown(option));
        }
        if let Some(default) = &question.default {
            let _ = writeln!(out, "  default: {}", shown(default));
        }
    }
    for candidate in &questions.candidates {
        let _ = writeln!(out, "candidate: {}", shown(candidate));
    }
    let ids: Vec<String> = questions.questions.iter().map(|question| format!("--answers {}=…", question.id)).collect();
    let _ = writeln!(out, "weirkeeper: answer with {}", ids.join(" "));
    out
}

/// Returns why nothing was built.
pub(super) fn abstention(abstention: &Abstention) -> String {
    let mut out = format!("weirkeeper: nothing is built: {}\n", shown(&abstention.reason));
    let lists = [
        ("services", &abstention.services),
        ("node types", &abstention.node_types),
        ("credentials", &abstention.credentials),
        ("nearest", &abstention.nearest),
    ];
    for (what, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        let _ = writeln!(out, "{what}: {}", shown(&list.join(", ")));
    }
    out
}

/// Returns the errors that remain.
pub(super) fn failure(failure: &Failure) -> String {
    let mut out = String::new();
    for finding in &failure.findings {
        let _ = writeln!(out, "{}: {}: {}", finding.severity, finding.code, shown(&finding.to_string()));
    }
    let _ = writeln!(out, "weirkeeper: nothing is written: {}", shown(&failure.reason));
    if !failure.findings.is_empty() {
        let _ = writeln!(out, "weirkeeper: say more in the prompt, or name another model with --complex-model; --explain shows each call");
    }
    out
}
