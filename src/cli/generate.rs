//! `weirkeeper generate`: a sentence becomes a workflow, without a cluster.

mod arguments;
pub(super) mod drive;
mod explain;
mod manifest;
pub(super) mod model;
pub(super) mod replies;

use std::io::Write as _;
use std::process::ExitCode;

use crate::api::policy::WorkflowPolicySpec;
use crate::catalog::Catalog;
use crate::cli::catalog;
use crate::cli::connection::runtime;
use crate::cli::stdout;
use crate::cli::validate::files;
use crate::document::parse::read_text;
use crate::domain::policies::{BUILT_IN, applies, built_in};
use crate::generation::engine::{Inventory, Provider, Request};
use crate::generation::outcome::Outcome;
use crate::http::ApiKey;
use crate::manifest::{Named, read_policies};
use crate::validator::check::parse_and_check;
use crate::validator::policy::Policy;

pub use arguments::{GenerateArguments, GenerateError};

/// Largest workflow that is changed, in bytes.
const LARGEST: usize = 4 << 20;
/// Exit codes beside 0 (built), 1 (failed) and 2 (an argument cannot be used).
const QUESTIONS: u8 = 3;
const NOTHING: u8 = 4;

/// Generates a workflow and writes it as a manifest. The exit code is 0 if it was built, 1 if every attempt had errors, 3 if there are
/// questions, 4 if nothing is built (abstained or refused).
///
/// # Errors
/// If a file, the catalogue or the model's settings cannot be used, or the output cannot be written to.
pub fn run(arguments: &GenerateArguments, key: Option<&str>) -> Result<ExitCode, GenerateError> {
    let key = key.map(ApiKey::parse).transpose().map_err(|error| GenerateError::Key(error.to_string()))?;
    let given = arguments.catalog.as_deref().map(catalog::read).transpose()?;
    let catalog = given.as_ref().unwrap_or_else(|| Catalog::embedded());
    let rules = policies(&arguments.policy)?;
    let policies = references(&rules);
    let base = arguments.base.as_deref().map(base).transpose()?;
    let answers = arguments.answers.iter().cloned().collect();
    let asker = arguments.model.asker(key, None, None)?;
    let identity = arguments.model.identity();
    let request = Request {
        prompt: &arguments.prompt,
        answers: &answers,
        timezone: arguments.timezone.as_deref(),
        clarification: arguments.clarification.into(),
        tier: arguments.tier.into(),
        base: base.as_ref(),
        failure: None,
        conversation: &[],
        inventory: &Inventory::default(),
        policies: &policies,
        catalog,
        provider: if asker.is_some() { Provider::Model { identity: &identity } } else { Provider::Builtin },
        salt: "",
        attempts: arguments.attempts,
    };
    let progress = |text: &str| eprintln!("weirkeeper: {text}");
    let driven = runtime()?.block_on(drive::drive(&request, asker.as_ref(), &progress));
    if arguments.explain {
        eprint!("{}", explain::explain(&driven, &request));
    }
    if driven.usage().estimated {
        eprintln!("weirkeeper: the server reports no count of tokens that can be true; they are estimated");
    }
    match &driven.outcome {
        Outcome::Built(candidate) => {
            let text = manifest::text(candidate, arguments, base.is_some())?;
            write(arguments, &text)?;
            eprint!("{}", explain::summary(candidate));
            Ok(ExitCode::SUCCESS)
        }
        Outcome::Questions(questions) => {
            eprint!("{}", explain::questions(questions));
            Ok(ExitCode::from(QUESTIONS))
        }
        Outcome::Abstained(abstention) => {
            eprint!("{}", explain::abstention(abstention));
            Ok(ExitCode::from(NOTHING))
        }
        Outcome::Refused(reason) => {
            eprintln!("weirkeeper: refused: {reason}");
            Ok(ExitCode::from(NOTHING))
        }
        Outcome::Failed(failure) => {
            eprint!("{}", explain::failure(failure));
            Ok(ExitCode::FAILURE)
        }
    }
}

/// Reads the policies, with the built-in one if there are any.
pub(super) fn policies(paths: &[String]) -> Result<Vec<(String, WorkflowPolicySpec)>, GenerateError> {
    let mut all = Vec::new();
    for source in files::read(paths) {
        let read = read_policies(&source).map_err(GenerateError::Policy)?;
        all.extend(read.into_iter().map(Named::into_parts).filter(|(_, rules)| applies(rules, true)));
    }
    if !all.is_empty() {
        let own = built_in(all.iter().map(|(_, rules)| rules));
        all.push((BUILT_IN.to_owned(), own));
    }
    Ok(all)
}

/// Returns references to policies, as the checks take them.
pub(super) fn references(rules: &[(String, WorkflowPolicySpec)]) -> Vec<Policy<'_>> {
    rules.iter().map(|(name, rules)| Policy { name, rules }).collect()
}

fn base(file: &str) -> Result<crate::document::definition::Definition, GenerateError> {
    let unusable = |reason: String| GenerateError::Base(file.to_owned(), reason);
    let mut sources = files::read(&[file.to_owned()]);
    let (Some(source), true) = (sources.pop(), sources.is_empty()) else { return Err(unusable("name a single file".to_owned())) };
    let text = source.text.map_err(unusable)?;
    let lines = |findings: Vec<crate::document::finding::Finding>| unusable(crate::document::finding::summarise(&findings, 1_000));
    let read = read_text(&text, LARGEST).map_err(lines)?;
    // A manifest holds the workflow in its spec.
    let value = match read.value.pointer("/spec/definition") {
        Some(definition) => definition.clone(),
        None => read.value,
    };
    Ok(parse_and_check(&value).map_err(lines)?.definition)
}

fn write(arguments: &GenerateArguments, text: &str) -> Result<(), GenerateError> {
    match &arguments.output {
        None => Ok(stdout::write(text)?),
        Some(path) => {
            let mut file = std::fs::File::create(path)?;
            file.write_all(text.as_bytes())?;
            eprintln!("weirkeeper: wrote {}", path.display());
            Ok(())
        }
    }
}
