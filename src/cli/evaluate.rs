//! `weirkeeper evaluate`: how well a provider makes workflows of prompts.

mod arguments;
mod expected;
mod measures;
mod real;
mod result;
mod stand_in;
mod state;
mod table;

use std::process::ExitCode;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::iter;

use crate::catalog::Catalog;
use crate::cli::catalog;
use crate::cli::connection::runtime;
use crate::cli::generate::drive::drive;
use crate::cli::generate::model::Asker;
use crate::cli::generate::{policies, references};
use crate::cli::stdout;
use crate::generation::engine::{Inventory, MOST_ATTEMPTS, Provider, Request};
use crate::generation::outcome::Outcome;
use crate::http::ApiKey;
use crate::validator::policy::Policy;
use expected::Prompt;
use real::Real;
use result::Measured;
use state::State;

pub use arguments::{EvaluateArguments, EvaluateError};

/// Stands for whichever model is evaluated, so that answers are found again without its address.
const IDENTITY: &str = "evaluation";

/// Context that all prompts of an evaluation share.
struct Bench<'b> {
    arguments: &'b EvaluateArguments,
    policies: &'b [Policy<'b>],
    catalog: &'b Catalog,
    asker: Option<&'b Asker>,
    real: Option<&'b Real>,
}

/// Runs the prompts of a file and prints the measures. The exit code is 0, or 2 if a file or an argument cannot be used, or no question to the model
/// was answered.
///
/// # Errors
/// If a file, the model's or n8n's settings cannot be used, or the output cannot be written to.
pub fn run(arguments: &EvaluateArguments, model_key: Option<&str>, n8n_key: Option<&str>) -> Result<ExitCode, EvaluateError> {
    let key = model_key.map(ApiKey::parse).transpose().map_err(|error| EvaluateError::Key(error.to_string()))?;
    let given = arguments.catalog.as_deref().map(catalog::read).transpose()?;
    let catalog = given.as_ref().unwrap_or_else(|| Catalog::embedded());
    let prompts = expected::read(&arguments.file, &arguments.id, arguments.limit)?;
    let rules = policies(&arguments.policy)?;
    let policies = references(&rules);
    let asker = arguments.model.asker(key, arguments.record.as_deref(), arguments.replay.as_deref())?;
    let real = arguments.n8n_url.as_ref().map(|url| Real::new(url, n8n_key)).transpose()?;
    let mut state = State::open(arguments.state.as_deref())?;
    let bench = Bench { arguments, policies: &policies, catalog, asker: asker.as_ref(), real: real.as_ref() };
    let open: Vec<&Prompt> = prompts.iter().filter(|prompt| !state.has(&prompt.id)).collect();
    if open.len() < prompts.len() {
        eprintln!("weirkeeper: {} of {} prompts were done before", prompts.len() - open.len(), prompts.len());
    }
    runtime()?.block_on(async {
        let mut running = iter(open.iter().map(|prompt| bench.measure(prompt))).buffer_unordered(arguments.concurrency.into());
        while let Some(measured) = running.next().await {
            eprintln!("{}", measured.line());
            state.add(measured)?;
        }
        if let Some(real) = &real {
            real.clear().await;
        }
        Ok::<(), EvaluateError>(())
    })?;
    let all: Vec<&Measured> = prompts.iter().filter_map(|prompt| state.get(&prompt.id)).collect();
    let measures = measures::of(&prompts, &all);
    let text = if arguments.json { table::json(&measures, &all)? } else { table::human(&measures) };
    stdout::write(&text)?;
    let asked = || all.iter().filter(|measured| measured.calls > 0);
    if let Some(first) = asked().next().filter(|_| asked().all(|measured| measured.unanswered)) {
        eprintln!("weirkeeper: no question was answered, so that the table says nothing about the model: {}", first.message);
        return Ok(ExitCode::from(2));
    }
    Ok(ExitCode::SUCCESS)
}

impl Bench<'_> {
    /// Generates the workflow of a prompt and measures it.
    async fn measure(&self, prompt: &Prompt) -> Measured {
        let answers = Default::default();
        let request = Request {
            prompt: &prompt.prompt,
            answers: &answers,
            timezone: self.arguments.timezone.as_deref(),
            clarification: Default::default(),
            tier: Default::default(),
            base: None,
            failure: None,
            conversation: &[],
            inventory: &Inventory::default(),
            policies: self.policies,
            catalog: self.catalog,
            provider: if self.asker.is_some() { Provider::Model { identity: IDENTITY } } else { Provider::Builtin },
            salt: "",
            attempts: MOST_ATTEMPTS,
        };
        let driven = drive(&request, self.asker, &|_| {}).await;
        let mut measured = Measured::of(prompt, &driven, self.arguments.prices());
        if let Outcome::Built(candidate) = &driven.outcome {
            let definition = stand_in::filled(candidate, self.catalog);
            if let Some(folder) = &self.arguments.keep {
                let text = serde_json::to_string_pretty(&candidate.definition).unwrap_or_default();
                if let Err(error) = std::fs::write(folder.join(format!("{}.json", prompt.id)), text) {
                    measured.note(format!("the workflow could not be kept: {error}"));
                }
            }
            if let Some(real) = self.real {
                measured.real = Some(real.try_out(&definition, Duration::from_secs(60)).await);
            }
        }
        measured
    }
}
