//! The provider that needs no model: it puts workflows together from patterns (a start, steps, conditions, places) over the operations of the
//! catalogue. It is deterministic and free. It builds what it understands whole, asks where an answer decides, and otherwise says what it
//! recognised: a wrong workflow costs more than none.

mod abstain;
mod ai;
mod arrivals;
mod begin;
mod beside;
mod channels;
mod choices;
mod clauses;
mod compose;
mod conditions;
mod coverage;
mod data;
mod drafts;
mod events;
mod evidence;
mod fetch;
mod fields;
mod files;
mod fill;
mod finish;
mod flow;
mod form;
mod given;
mod guard;
mod literals;
mod mailbox;
mod mails;
mod mentions;
mod names;
mod nearest;
mod operations;
mod outputs;
mod perform;
mod phrases;
mod places;
mod polled;
mod presets;
mod questions;
mod queues;
mod reading;
mod records;
mod reminders;
mod reply;
mod restrictions;
mod rows;
mod run;
mod schedule;
mod schedule_words;
mod services;
mod shapes;
mod sources;
mod starts;
mod steps;
mod stuck;
mod token;
mod tokens;
mod trail;
mod unused;
mod words;
mod world;
mod zones;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

pub use abstain::Analysis;

use super::outcome::{Abstention, Outcome, Question, Questions};
use super::prompt::{Clarification, MAX_PROMPT, Prompt};
use crate::catalog::Catalog;
use compose::compose;
use guard::Refusal;
use services::Lexicon;

/// Number of times that answers can lead to further questions.
const ROUNDS: usize = 4;

/// Proposes a workflow for a prompt.
pub fn propose(request: &Prompt<'_>) -> Outcome {
    if request.text.trim().is_empty() {
        return refused_input("the prompt is empty; describe what starts the workflow and what it does");
    }
    if request.text.len() > MAX_PROMPT {
        return refused_input(&format!("the prompt has {} bytes; at most {MAX_PROMPT} are read, so shorten it", request.text.len()));
    }
    let lexicon = Lexicon::of(request.catalog);
    let mut text = request.text.to_owned();
    let mut used: BTreeSet<String> = BTreeSet::new();
    let mut assumed: Vec<String> = Vec::new();
    let mut channel = String::new();
    for _ in 0..ROUNDS {
        if let Some(outcome) = guarded(&format!("{text} {channel}"), &lexicon) {
            return outcome;
        }
        // A template is more than its phrase says; what the prompt says beyond the phrase is in no template.
        if let Some(outcome) = nearest::phrase(request, nearest::EXACT) {
            return outcome;
        }
        let composed = compose(&text, &channel, request.catalog, &lexicon);
        if composed.stuck.is_empty() && composed.flow.effects > 0 {
            return finish::built(composed, request, &assumed, &used);
        }
        if let Some(outcome) = nearest::phrase(request, nearest::SAME) {
            return outcome;
        }
        let asked = questions::about(&composed);
        if asked.is_empty() {
            return Outcome::Abstained(abstain::from(&composed, request.catalog, None));
        }
        // The same question again would be a dead end.
        if let Some(again) = asked.iter().map(|one| &one.question).find(|one| used.contains(&one.id)) {
            let answer = request.answers.get(&again.id).cloned().or_else(|| again.default.clone()).unwrap_or_default();
            let why = format!(
                "the answer “{}” to “{}” does not say enough; write it into the prompt",
                crate::text::one_line(&answer, 60),
                again.text
            );
            return Outcome::Abstained(abstain::from(&composed, request.catalog, Some(why)));
        }
        let before = used.len();
        let mut open: Vec<Question> = Vec::new();
        for one in asked {
            let id = one.question.id.clone();
            let answer = request.answers.get(&id).map(|answer| (answer.clone(), false));
            let default =
                || one.question.default.clone().filter(|_| request.clarification == Clarification::AssumeDefaults).map(|text| (text, true));
            match answer.or_else(default).filter(|_| !used.contains(&id)) {
                Some((answer, is_default)) => {
                    if is_default {
                        assumed.push(format!("{} {answer}", one.question.text));
                    }
                    used.insert(id);
                    if one.phrase.is_empty() {
                        channel = format!("by {answer}");
                    } else {
                        text = answered(&text, &one, &answer);
                    }
                }
                None => open.push(one.question),
            }
        }
        if used.len() > before && text.len() <= MAX_PROMPT {
            continue;
        }
        if request.clarification == Clarification::Never {
            let question = open.first().map(|one| one.text.clone());
            return Outcome::Abstained(abstain::from(&composed, request.catalog, question));
        }
        let candidates = abstain::candidates(&composed);
        return Outcome::Questions(Questions { questions: open, candidates });
    }
    refused_input("the answers lead to ever further questions; write the whole request as one prompt")
}

/// Returns what is recognised of a prompt, for the choice of a model and of its messages.
pub fn analyse(request: &Prompt<'_>) -> Analysis {
    let lexicon = Lexicon::of(request.catalog);
    let text: String = request.text.chars().take(MAX_PROMPT).collect();
    abstain::analysis(&compose(&text, "", request.catalog, &lexicon), request.catalog)
}

/// Returns the services that a text names, each with the node types that reach it.
pub fn services(text: &str, catalog: &Catalog) -> Vec<(String, Vec<String>)> {
    let lexicon = Lexicon::of(catalog);
    let text: String = text.chars().take(MAX_PROMPT).collect();
    let mut found: BTreeSet<usize> = BTreeSet::new();
    found.extend(reading::items(&text, &lexicon).iter().filter_map(|item| item.service));
    let named = |at: usize| {
        let service = &lexicon.services[at];
        (service.display.clone(), service.action.iter().chain(&service.trigger).cloned().collect())
    };
    found.into_iter().map(named).collect()
}

/// Returns why a prompt is refused whoever asks, and whatever makes the workflow; `None` if it is not.
pub fn refusal(request: &Prompt<'_>) -> Option<String> {
    let lexicon = Lexicon::of(request.catalog);
    let text: String = request.text.chars().take(MAX_PROMPT).collect();
    match guard::check(&text, &reading::items(&text, &lexicon))? {
        Refusal::Hostile(why) | Refusal::Secret(why) => Some(why),
        Refusal::Impossible(_) => None,
    }
}

fn guarded(text: &str, lexicon: &Lexicon) -> Option<Outcome> {
    let reason = match guard::check(text, &reading::items(text, lexicon))? {
        Refusal::Hostile(why) => format!("This is not built: {why}."),
        Refusal::Secret(what) => format!(
            "The prompt holds {what} in plain text. It is neither written into a workflow nor kept: remove it from the prompt, rotate it, and put it into a \
             credential of n8n, which the workflow then refers to by name."
        ),
        Refusal::Impossible(why) => format!("This cannot be built: {why}. If the thing has an API, a webhook or MQTT, name it."),
    };
    Some(Outcome::Refused(reason))
}

fn refused_input(reason: &str) -> Outcome {
    Outcome::Abstained(Abstention { reason: reason.to_owned(), ..Abstention::default() })
}

/// Returns the prompt with an answer as a part of it.
fn answered(text: &str, asked: &questions::Asked, answer: &str) -> String {
    let answer = answer.trim().trim_end_matches('.');
    let replaced = asked.replaces.as_ref().and_then(|words| {
        let at = text.to_lowercase().find(&words.to_lowercase())?;
        let end = at + words.len();
        (text.is_char_boundary(at) && text.is_char_boundary(end)).then(|| format!("{}{answer}{}", &text[..at], &text[end..]))
    });
    replaced.unwrap_or_else(|| format!("{}. {}", text.trim_end().trim_end_matches('.'), asked.phrase.replace('@', answer).trim_start()))
}
