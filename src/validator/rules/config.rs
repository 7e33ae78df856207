//! The configuration file `.weirkeeper.yaml`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::choice::{Choice, Level, Pattern, cannot_be_changed};
use super::glob::fits;
use crate::document::finding::Code;

/// Rules of a team for the files beside and below its `.weirkeeper.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(title = ".weirkeeper.yaml", extend("$id" = "weirkeeper-config.schema.json"))]
pub struct Config {
    /// Codes of the findings to report: a code, a prefix such as `expression-*`, or `all`. Default: all.
    select: Option<Vec<String>>,
    /// Codes of findings that are not reported.
    ignore: Vec<String>,
    /// Levels of findings, by code: `error`, `warning`, `info` or `off`.
    levels: BTreeMap<String, Level>,
    /// Rules for some files, by a path relative to this file: a file, a folder, or a pattern with `*`, `**` and `?`.
    paths: BTreeMap<String, PathChoice>,
    /// Version of the n8n that the workflows are for, as `--n8n-version`.
    n8n_version: Option<String>,
}

/// Rules for some files.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct PathChoice {
    /// Codes of findings that are not reported for these files.
    ignore: Vec<String>,
    /// Levels of findings in these files, by code.
    levels: BTreeMap<String, Level>,
}

/// Error for a configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not YAML of the right shape.
    #[error("{0}")]
    Shape(String),
    /// A value in it is invalid.
    #[error("{0}: {1}")]
    Value(String, String),
}

impl Config {
    /// Parses the text of a file. An empty one has no rules.
    ///
    /// # Errors
    /// If it has another shape, an unknown key, or a code that no finding has.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        // A file of comments only is not a document at all.
        if text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#')) {
            return Ok(Self::default());
        }
        let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        let read: Option<Self> =
            serde_saphyr::from_str_with_options(text, options).map_err(|error| ConfigError::Shape(error.to_string()))?;
        let config = read.unwrap_or_default();
        config.all_choices()?;
        Ok(config)
    }

    /// Returns the version of n8n that the workflows are for.
    pub fn n8n_version(&self) -> Option<&str> {
        self.n8n_version.as_deref()
    }

    /// Returns the rules for a file, by its path relative to the configuration file: those for all files first, then those for this one.
    pub fn choices(&self, path: &str) -> Vec<Choice> {
        let all = self.all_choices().unwrap_or_default();
        all.into_iter().filter(|(pattern, _)| pattern.is_none_or(|pattern| fits(pattern, path))).map(|(_, choice)| choice).collect()
    }

    /// Returns all rules, each with the pattern of paths that it applies to.
    fn all_choices(&self) -> Result<Vec<(Option<&str>, Choice)>, ConfigError> {
        let select = self.select.as_ref().map(|codes| patterns("select", codes)).transpose()?;
        let choice = Choice { select, ignore: ignored("ignore", &self.ignore)?, levels: levels("levels", &self.levels)? };
        let mut all = vec![(None, choice)];
        for (path, own) in &self.paths {
            let choice = Choice {
                select: None,
                ignore: ignored(&format!("paths.{path}.ignore"), &own.ignore)?,
                levels: levels(&format!("paths.{path}.levels"), &own.levels)?,
            };
            all.push((Some(path.as_str()), choice));
        }
        Ok(all)
    }
}

fn patterns(at: &str, codes: &[String]) -> Result<Vec<Pattern>, ConfigError> {
    codes.iter().map(|code| Pattern::parse(code).map_err(|error| ConfigError::Value(at.to_owned(), error))).collect()
}

fn ignored(at: &str, codes: &[String]) -> Result<Vec<Pattern>, ConfigError> {
    codes.iter().try_for_each(|code| may_be_changed(at, code))?;
    patterns(at, codes)
}

fn levels(at: &str, levels: &BTreeMap<String, Level>) -> Result<BTreeMap<Pattern, Level>, ConfigError> {
    let read = levels.iter().map(|(code, level)| {
        may_be_changed(at, code)?;
        Ok((Pattern::parse(code).map_err(|error| ConfigError::Value(at.to_owned(), error))?, *level))
    });
    read.collect()
}

/// Refuses a rule that would have no effect.
fn may_be_changed(at: &str, code: &str) -> Result<(), ConfigError> {
    match Code::ALL.iter().find(|known| known.as_str() == code && known.ends_checking()) {
        Some(code) => Err(ConfigError::Value(at.to_owned(), cannot_be_changed(*code))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::finding::Finding;
    use crate::validator::rules::Rules;

    fn reported(text: &str, path: &str, code: Code) -> Option<String> {
        let config = Config::parse(text).unwrap();
        let rules = config.choices(path).iter().fold(Rules::default(), Rules::over);
        rules.apply(Finding::warning(code, "", "x")).map(|finding| finding.severity.to_string())
    }

    #[test]
    fn a_configuration_file_has_rules_for_all_files_and_for_some() {
        let text = "levels:\n  webhook-open: off\n  http-without-timeout: error\npaths:\n  legacy/**:\n    ignore: [http-*]\n";
        assert_eq!(reported(text, "a.json", Code::WebhookOpen), None);
        assert_eq!(reported(text, "a.json", Code::HttpWithoutTimeout).as_deref(), Some("error"));
        assert_eq!(reported(text, "legacy/a.json", Code::HttpWithoutTimeout), None);
        assert_eq!(reported("", "a.json", Code::WebhookOpen).as_deref(), Some("warning"));
    }

    #[test]
    fn an_invalid_configuration_is_refused_with_its_location() {
        for (text, wanted) in [
            ("ignored: [webhook-open]", "ignored"),
            ("ignore: [webhok-open]", r#"ignore: no finding has the code "webhok-open"; did you mean "webhook-open"?"#),
            ("levels: {webhook-open: fatal}", "fatal"),
            ("paths: {a: {ignore: [nope]}}", "paths.a.ignore: no finding"),
            ("ignore: [document-syntax]", "document-syntax cannot be switched off"),
            ("- a", "expected"),
        ] {
            let error = Config::parse(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }
}
