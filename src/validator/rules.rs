//! Selection of findings and their levels, from a configuration file, an annotation and the command line.

mod choice;
mod config;
mod glob;

use std::collections::BTreeMap;

pub use choice::{Choice, Level, Pattern, cannot_be_changed};
pub use config::{Config, ConfigError};

use crate::document::finding::{Code, Finding, Severity};

/// Reporting of the findings of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reporting {
    Always,
    /// Only errors: an annotation silences doubtful findings, and the operator would still refuse errors.
    Errors,
    Never,
}

/// Rules of several sources, each overriding those before it.
#[derive(Clone, Debug)]
pub struct Rules(BTreeMap<Code, (Reporting, Option<Severity>)>);

impl Default for Rules {
    /// Reports every finding at its own severity.
    fn default() -> Self {
        Self(Code::ALL.iter().map(|code| (*code, (Reporting::Always, None))).collect())
    }
}

impl Rules {
    /// Adds the rules of a source. If two patterns name a code, the more specific one counts; if they are equally specific, `ignore` does.
    #[must_use]
    pub fn over(mut self, choice: &Choice) -> Self {
        for (code, (reporting, severity)) in &mut self.0 {
            let most = |patterns: &[Pattern]| patterns.iter().filter_map(|pattern| pattern.specificity(*code)).max();
            let ignored = most(&choice.ignore);
            if let Some(select) = &choice.select {
                *reporting = if most(select).is_some_and(|exact| Some(exact) > ignored) { Reporting::Always } else { Reporting::Never };
            } else if ignored.is_some() {
                *reporting = Reporting::Never;
            }
            let level = choice.levels.iter().filter_map(|(pattern, level)| Some((pattern.specificity(*code)?, *level)));
            match level.max_by_key(|(exact, _)| *exact).map(|(_, level)| level) {
                Some(Level::Off) => *reporting = Reporting::Never,
                Some(Level::Error) => *severity = Some(Severity::Error),
                Some(Level::Warning) => *severity = Some(Severity::Warning),
                Some(Level::Info) => *severity = Some(Severity::Info),
                None => {}
            }
        }
        self
    }

    /// Adds the findings that an annotation of an object silences, which are never errors.
    #[must_use]
    pub fn silenced(mut self, ignore: &[Pattern]) -> Self {
        for (code, (reporting, _)) in &mut self.0 {
            if *reporting == Reporting::Always && ignore.iter().any(|pattern| pattern.specificity(*code).is_some()) {
                *reporting = Reporting::Errors;
            }
        }
        self
    }

    /// Returns the finding as it is reported, or `None` if it is not.
    pub fn apply(&self, mut finding: Finding) -> Option<Finding> {
        let Some((reporting, severity)) = self.0.get(&finding.code).filter(|_| !finding.code.ends_checking()) else {
            return Some(finding);
        };
        match reporting {
            Reporting::Never => return None,
            Reporting::Errors if !finding.is_error() => return None,
            _ => {}
        }
        finding.severity = severity.unwrap_or(finding.severity);
        Some(finding)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(text: &str) -> Vec<Pattern> {
        let (known, wrong) = Pattern::parse_known(text);
        assert_eq!(wrong, [""; 0]);
        known
    }

    /// Returns the findings that are reported, given a warning of each of these codes.
    fn reported(rules: &Rules) -> String {
        let codes = [Code::WebhookOpen, Code::WebhookIdMissing, Code::ScriptSyntax, Code::DocumentSyntax];
        let reporting = codes.iter().filter_map(|code| rules.apply(Finding::warning(*code, "", "x")));
        reporting.map(|finding| format!("{}:{}", finding.code, finding.severity)).collect::<Vec<_>>().join(" ")
    }

    fn choice(select: Option<&str>, ignore: &str) -> Choice {
        Choice { select: select.map(patterns), ignore: patterns(ignore), levels: BTreeMap::new() }
    }

    #[test]
    fn the_more_specific_pattern_counts_and_later_sources_override() {
        let none = "document-syntax:warning";
        for (choices, wanted) in [
            (vec![], "webhook-open:warning webhook-id-missing:warning script-syntax:warning"),
            (vec![choice(None, "webhook-*")], "script-syntax:warning"),
            (vec![choice(Some("webhook-open"), "webhook-*")], "webhook-open:warning"),
            (vec![choice(Some("webhook-*"), "webhook-open")], "webhook-id-missing:warning"),
            (vec![choice(Some("webhook-*"), "webhook-*")], ""),
            (vec![choice(Some("all"), "script-*")], "webhook-open:warning webhook-id-missing:warning"),
            (vec![choice(None, "webhook-*"), choice(Some("webhook-open"), "")], "webhook-open:warning"),
            (vec![choice(Some("script-syntax"), ""), choice(None, "all")], ""),
        ] {
            let rules = choices.iter().fold(Rules::default(), Rules::over);
            assert_eq!(reported(&rules), format!("{wanted} {none}").trim(), "{choices:?}");
        }
    }

    #[test]
    fn a_level_changes_the_severity_of_a_finding() {
        let levels = [("webhook-*", Level::Error), ("webhook-id-missing", Level::Off), ("script-syntax", Level::Info)];
        let levels = levels.map(|(code, level)| (Pattern::parse(code).unwrap(), level));
        let rules = Rules::default().over(&Choice { levels: levels.into(), ..Choice::default() });
        assert_eq!(reported(&rules), "webhook-open:error script-syntax:info document-syntax:warning");
    }

    #[test]
    fn an_annotation_silences_no_error_and_the_command_line_overrides_it() {
        let rules = Rules::default().silenced(&patterns("script-syntax,webhook-*"));
        assert_eq!(reported(&rules), "document-syntax:warning");
        assert!(rules.apply(Finding::error(Code::ScriptSyntax, "", "x")).is_some());
        assert_eq!(reported(&rules.over(&choice(Some("webhook-open"), ""))), "webhook-open:warning document-syntax:warning");
    }

    #[test]
    fn a_code_that_does_not_exist_is_refused_with_the_one_that_was_meant() {
        assert_eq!(Pattern::parse("webhok-open").unwrap_err(), r#"no finding has the code "webhok-open"; did you mean "webhook-open"?"#);
        assert!(Pattern::parse("nothing-*").is_err() && Pattern::parse("").is_err() && Pattern::parse("*").is_ok());
    }
}
