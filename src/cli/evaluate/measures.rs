//! The measures of an evaluation, with confidence intervals.

use serde::Serialize;

use super::expected::{Expects, Prompt};
use super::result::{Kind, Measured};

/// A measure.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Measure {
    pub(super) name: &'static str,
    /// Value as text.
    pub(super) value: String,
    /// Hits and cases, for a share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) of: Option<(usize, usize)>,
    /// Interval of a share in percent, at a confidence of 95 %.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) interval: Option<(f64, f64)>,
    /// Target value.
    pub(super) target: &'static str,
}

/// Returns the interval of a share after Wilson, at a confidence of 95 %, in percent.
pub(super) fn wilson(hits: usize, cases: usize) -> Option<(f64, f64)> {
    const Z: f64 = 1.959_964;
    if cases == 0 {
        return None;
    }
    let (share, n) = (hits as f64 / cases as f64, cases as f64);
    let centre = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + Z * Z / n;
    Some((((centre - half) / whole * 100.0).max(0.0), ((centre + half) / whole * 100.0).min(100.0)))
}

fn share(name: &'static str, hits: usize, cases: usize, target: &'static str) -> Measure {
    let value = if cases == 0 { "-".to_owned() } else { format!("{:.1} %", hits as f64 * 100.0 / cases as f64) };
    Measure { name, value, of: Some((hits, cases)), interval: wilson(hits, cases), target }
}

fn plain(name: &'static str, value: String, target: &'static str) -> Measure {
    Measure { name, value, of: None, interval: None, target }
}

/// Returns the value at a share of a list.
fn at(values: &[u64], share: f64) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let index = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

fn mean(values: &[u64]) -> u64 {
    values.iter().sum::<u64>().checked_div(values.len() as u64).unwrap_or_default()
}

/// Returns the measures of results.
pub(super) fn of(prompts: &[Prompt], all: &[&Measured]) -> Vec<Measure> {
    let expects =
        |measured: &&&Measured, wanted: Expects| prompts.iter().any(|prompt| prompt.id == measured.id && prompt.expects == wanted);
    let count = |test: &dyn Fn(&&&Measured) -> bool| all.iter().filter(|measured| test(measured)).count();
    let built = count(&|measured| measured.outcome == Kind::Built);
    let tried = count(&|measured| matches!(measured.outcome, Kind::Built | Kind::Failed));
    let wanted = count(&|measured| expects(measured, Expects::Workflow));
    let right = count(&|measured| expects(measured, Expects::Workflow) && measured.outcome == Kind::Built);
    let of_built: Vec<&&Measured> = all.iter().filter(|measured| measured.outcome == Kind::Built).collect();
    let sum = |of: fn(&Measured) -> (usize, usize)| {
        of_built.iter().map(|measured| of(measured)).fold((0, 0), |(hits, cases), (own, whole)| (hits + own, cases + whole))
    };
    let (triggers, all_triggers) = sum(|measured| measured.triggers);
    let (essential, all_essential) = sum(|measured| measured.essential);
    let whole = of_built.iter().filter(|measured| measured.missing.is_empty() && measured.essential.1 > 0).count();
    let with_facts = of_built.iter().filter(|measured| measured.essential.1 > 0).count();
    let asked_when_expected = count(&|measured| expects(measured, Expects::Questions) && measured.outcome == Kind::Questions);
    let asked = count(&|measured| measured.outcome == Kind::Questions);
    let ask = count(&|measured| expects(measured, Expects::Questions));
    let refuse = count(&|measured| expects(measured, Expects::Refusal));
    let refused = count(&|measured| expects(measured, Expects::Refusal) && measured.as_expected(Expects::Refusal));
    let (calls, parsed) = all.iter().fold((0, 0), |(calls, parsed), measured| (calls + measured.calls, parsed + measured.parsed));
    let real: Vec<_> = all.iter().filter_map(|measured| measured.real.as_ref()).collect();
    let with_model: Vec<&&Measured> = all.iter().filter(|measured| measured.calls > 0).collect();
    let list = |of: fn(&Measured) -> u64| with_model.iter().map(|measured| of(measured)).collect::<Vec<_>>();
    let (input, output, cached) = (list(|one| one.usage.input), list(|one| one.usage.output), list(|one| one.usage.cached));
    let times: Vec<u64> = all.iter().map(|measured| measured.milliseconds).collect();
    let attempts: Vec<u64> = with_model.iter().map(|measured| measured.attempts as u64).collect();
    let costs: Vec<u64> = all.iter().filter_map(|measured| u64::try_from(measured.cost?).ok()).collect();
    let seconds = |milliseconds: u64| format!("{:.1} s", milliseconds as f64 / 1000.0);
    let cached_share = cached.iter().sum::<u64>() as f64 * 100.0 / (input.iter().sum::<u64>() as f64).max(1.0);
    let cost = if costs.is_empty() { "-".to_owned() } else { format!("{:.4}", mean(&costs) as f64 / 1e6) };
    let mut measures = vec![
        share("answers with JSON", parsed, calls, ">= 99.5 %"),
        share("workflow built, of those expected", right, wanted, ""),
        share("valid within the attempts, of those tried", built, tried, ">= 95 %"),
        share("valid at the first attempt, of those tried", of_built.iter().filter(|one| one.attempts <= 1).count(), tried, ""),
        share("created by n8n, of the valid", real.iter().filter(|one| one.created).count(), real.len(), ">= 99 %"),
        share(
            "published by n8n, unless a service refuses",
            real.iter().filter(|one| one.published).count(),
            real.iter().filter(|one| one.publishable && !one.needs_service).count(),
            ">= 99 %",
        ),
        share(
            "published with a schedule instead, of the rest",
            real.iter().filter(|one| one.published_otherwise).count(),
            real.iter().filter(|one| one.publishable && one.needs_service).count(),
            ">= 99 %",
        ),
        share("expected triggers, of the built", triggers, all_triggers, ">= 95 %"),
        share("essential nodes, of the built", essential, all_essential, ">= 85 %"),
        share("all expected nodes, of the built", whole, with_facts, ""),
        share("questions when expected (recall)", asked_when_expected, ask, ">= 80 %"),
        share("expected when questions (precision)", asked_when_expected, asked, ">= 80 %"),
        share("nothing built when a refusal is expected", refused, refuse, "100 %"),
    ];
    measures.push(plain(
        "attempts, mean",
        if attempts.is_empty() { "-".to_owned() } else { format!("{:.2}", attempts.iter().sum::<u64>() as f64 / attempts.len() as f64) },
        "<= 3",
    ));
    measures.push(plain("latency, median", seconds(at(&times, 0.5)), "<= 14 s"));
    measures.push(plain("latency, P90", seconds(at(&times, 0.9)), "<= 28 s"));
    measures.push(plain("tokens in, median", at(&input, 0.5).to_string(), "<= 12000"));
    measures.push(plain("tokens in that were cached", format!("{cached_share:.0} %"), "70 %"));
    measures.push(plain("tokens out, median", at(&output, 0.5).to_string(), "<= 1200"));
    measures.push(plain("cost, mean", cost, "<= 0.03"));
    measures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_wilson() {
        let rounded = |hits, cases| wilson(hits, cases).map(|(low, high)| (low.round() as i64, high.round() as i64));
        assert_eq!(rounded(0, 0), None);
        assert_eq!(rounded(10, 10), Some((72, 100)));
        assert_eq!(rounded(0, 10), Some((0, 28)));
        assert_eq!(rounded(50, 100), Some((40, 60)));
    }

    #[test]
    fn shares_of_lists_are_values_of_the_list() {
        let values = [5, 1, 4, 2, 3];
        assert_eq!((at(&values, 0.5), at(&values, 0.9), at(&[], 0.5), mean(&values)), (3, 5, 0, 3));
    }
}
