//! Runs a generation: asks what it wants to ask, until it has ended.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;

use super::model::Asker;
use crate::generation::call::{Answer, ModelCall, Stage, Usage};
use crate::generation::engine::{Request, Step, is_attempt, step};
use crate::generation::outcome::{Failure, Outcome};

/// A generation that has ended.
pub struct Driven {
    /// Its outcome.
    pub outcome: Outcome,
    /// The calls and their answers, in the order of asking.
    pub calls: Vec<(ModelCall, Answer)>,
    /// Time of the models: the longest of calls that ran at the same time.
    pub waited: Duration,
    /// Time of everything else.
    pub worked: Duration,
}

impl Driven {
    /// Returns the tokens of all calls.
    pub fn usage(&self) -> Usage {
        self.calls.iter().filter_map(|(_, answer)| answer.as_ref().ok()).fold(Usage::default(), |sum, reply| sum.plus(reply.usage))
    }

    /// Returns the number of attempts; 0 without a model.
    pub fn attempts(&self) -> usize {
        self.calls.iter().filter(|(call, answer)| is_attempt(call, answer)).count()
    }
}

/// Runs a generation. `progress` gets a line for each step.
pub async fn drive(request: &Request<'_>, asker: Option<&Asker>, progress: &(dyn Fn(&str) + Sync)) -> Driven {
    let mut answers: BTreeMap<String, Answer> = BTreeMap::new();
    let mut calls: Vec<(ModelCall, Answer)> = Vec::new();
    let (mut waited, mut worked) = (Duration::ZERO, Duration::ZERO);
    loop {
        let started = Instant::now();
        let next = step(request, &answers);
        worked += started.elapsed();
        let wanted = match (next, asker) {
            (Step::Done(outcome), _) => return Driven { outcome, calls, waited, worked },
            (Step::Call(wanted), Some(_)) if !wanted.is_empty() => wanted,
            (Step::Call(_), _) => {
                let failure =
                    Failure { reason: "there is no model to ask; set --base-url and --model".to_owned(), best: None, findings: Vec::new() };
                return Driven { outcome: Outcome::Failed(failure), calls, waited, worked };
            }
        };
        for line in usage_lines(&wanted) {
            progress(&line);
        }
        let Some(asker) = asker else { continue };
        let replies = join_all(wanted.iter().map(|call| asker.answer(call))).await;
        let longest = replies.iter().filter_map(|reply| reply.as_ref().ok()).map(|reply| reply.milliseconds).max();
        waited += Duration::from_millis(longest.unwrap_or_default());
        for (call, answer) in wanted.into_iter().zip(replies) {
            answers.insert(call.key.clone(), answer.clone());
            calls.push((call, answer));
        }
    }
}

/// Returns what the calls do, for people.
fn usage_lines(calls: &[ModelCall]) -> Vec<String> {
    let count = |stage: Stage| calls.iter().filter(|call| call.stage == stage).count();
    let lines = [
        (count(Stage::Plan), "asking the model for a workflow"),
        (count(Stage::Fill), "asking the model for parameters"),
        (count(Stage::Repair), "asking the model to correct what is wrong"),
    ];
    let tier = calls.first().map_or("", |call| call.tier.as_str());
    lines
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, text)| format!("{text} ({tier} model, {count} call{})", if *count == 1 { "" } else { "s" }))
        .collect()
}
