//! The generation: the engine decides what is next, from the inputs and the answers that are recorded.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::inputs::Inputs;
use super::{INTERVAL, Reconciliation};
use crate::api::condition::{ConditionStatus, ConditionType};
use crate::api::prompt_status::{MOST_ITEMS, PromptFinding, PromptQuestion, PromptRoute, PromptStage, RequiredInput};
use crate::api::reason::Reason;
use crate::document::definition::Definition;
use crate::document::finding::{Finding, summarise};
use crate::domain::conditions::Outcome;
use crate::domain::error::ReconcileError;
use crate::domain::policies::denial;
use crate::domain::prompt::asked::{asked_hash, base_digest};
use crate::generation::call::{Answer, Stage};
use crate::generation::engine::{self, Step};
use crate::generation::outcome::{Abstention, Candidate, Failure, Outcome as Generated, Questions, Route};
use crate::text::{listed, one_line};

/// Maximum length of a text of the user in the status.
const LONGEST: usize = 480;

impl Reconciliation<'_> {
    /// Returns the workflow that was generated from what is asked for already, if it still passes all rules. Otherwise the inputs, from which it is
    /// to be generated.
    pub(super) async fn take_up(&mut self, facts: &Facts) -> Result<Result<Definition, Inputs>, ReconcileError> {
        match &facts.base {
            Ok(base) => self.status.base_digest = base.as_ref().map(base_digest),
            // Workflows that were generated from it do not depend on it any more.
            Err(error) if self.status.base_digest.is_none() => return Err(error.clone()),
            Err(_) => {}
        }
        self.watch_deployed(facts).await?;
        let asked = asked_hash(&self.prompt, &self.status);
        let asks_the_same = self.status.asked_hash.as_ref() == Some(&asked);
        let policies = facts.policies();
        let known = self.status.generated_from(&asked).map(|one| one.revision.clone());
        if let Some(revision) = known
            && let Some(definition) = self.stored_definition(&revision).await?
            && denial(&definition, &policies, facts.catalog()).is_none()
        {
            if !asks_the_same {
                self.status.begin(None, &asked);
            }
            self.set(ConditionType::NeedsInput, ConditionStatus::False, Reason::NothingAsked, "");
            self.set(ConditionType::Generated, ConditionStatus::True, Reason::Generated, "generated earlier from the same inputs");
            self.set(ConditionType::BudgetExceeded, ConditionStatus::False, Reason::WithinBudget, "");
            return Ok(Ok(definition));
        }
        self.free_name(facts)?;
        let inputs = self.inputs(facts, &asked).await?;
        let hash = inputs.request(self, facts, &policies).input_hash();
        if !asks_the_same || self.status.input_hash.as_deref() != Some(hash.as_str()) {
            self.status.begin(Some(&hash), &asked);
            self.set(ConditionType::NeedsInput, ConditionStatus::False, Reason::NothingAsked, "");
            self.reach(PromptStage::Understanding, Reason::GenerationPending, "understanding: the prompt is analysed");
        }
        Ok(Err(inputs))
    }

    /// Has the engine go on until the workflow is generated, or something has to wait: then the outcome says for what.
    pub(super) async fn generate(&mut self, facts: &Facts, inputs: &Inputs) -> Result<Result<Definition, Outcome>, ReconcileError> {
        let mut answers: BTreeMap<String, Answer> = BTreeMap::new();
        self.status.usage.attempts = 0;
        loop {
            let step = {
                let policies = facts.policies();
                let request = inputs.request(self, facts, &policies);
                // Validation takes a while, and must not delay other reconciliations.
                tokio::task::block_in_place(|| engine::step(&request, &answers))
            };
            let calls = match step {
                Step::Done(generated) => return self.take(generated),
                Step::Call(calls) => calls,
            };
            let Some(models) = facts.models.clone()? else { return Err(ReconcileError::bug("the built-in generator asks a model")) };
            // The last call was not answered, and nothing is new while it is made again.
            let unanswered = self.ctx.remember(self.uid(), |memory| memory.unanswered.clone());
            let mut waits = false;
            for call in calls {
                match self.answer(&models, &call).await? {
                    Some(answer) => {
                        self.status.usage.attempts += i64::from(engine::is_attempt(&call, &answer));
                        answers.insert(call.key.clone(), answer);
                    }
                    None => {
                        waits = true;
                        if unanswered.is_none() {
                            self.tell_call(models.model(call.tier), call.stage);
                        }
                    }
                }
            }
            match unanswered.filter(|_| waits) {
                Some(error) => return Ok(Err(Outcome::Failed(error.again_in(INTERVAL)))),
                None if waits => {
                    let whom = if self.follows { "another WorkflowPrompt has asked the same" } else { "a language model is asked" };
                    let message = format!("{}: {whom}", self.status.stage.as_str());
                    self.set(ConditionType::Generated, ConditionStatus::False, Reason::GenerationPending, "");
                    return Ok(Err(Outcome::InProgress(Reason::GenerationPending, message)));
                }
                None => {}
            }
        }
    }

    fn tell_call(&mut self, model: &str, stage: Stage) {
        match stage {
            Stage::Plan => self.reach(PromptStage::Planning, Reason::GenerationPending, format!("planning: model {model} is asked")),
            Stage::Fill => {
                self.reach(PromptStage::Building, Reason::GenerationPending, format!("building: model {model} fills in the nodes"))
            }
            Stage::Repair => {
                self.reach(PromptStage::Building, Reason::GenerationPending, format!("building: model {model} corrects what was found"));
            }
        }
    }

    /// Records what a generation ended with. Returns the workflow, or the outcome if there is none.
    fn take(&mut self, generated: Generated) -> Result<Result<Definition, Outcome>, ReconcileError> {
        match generated {
            Generated::Built(candidate) => Ok(self.built(*candidate)),
            Generated::Questions(questions) => Ok(Err(self.asks(&questions))),
            Generated::Abstained(abstention) => Ok(Err(self.abstains(&abstention))),
            Generated::Refused(why) => {
                self.set(ConditionType::Analysed, ConditionStatus::False, Reason::PromptRefused, &why);
                self.reach(PromptStage::Failed, Reason::PromptRefused, &why);
                Ok(Err(Outcome::Blocked(Reason::PromptRefused, why)))
            }
            Generated::Failed(failure) => Ok(Err(self.fails(failure))),
        }
    }

    fn analysed(&mut self, route: &Route) {
        let message = format!("{}: {}", route.name, route.reason);
        self.set(ConditionType::Analysed, ConditionStatus::True, Reason::PromptAnalysed, message);
        let kind = serde_json::to_value(route.kind).ok().and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
        self.status.route = Some(PromptRoute { kind, name: one_line(&route.name, 128), reason: one_line(&route.reason, LONGEST) });
    }

    fn built(&mut self, candidate: Candidate) -> Result<Definition, Outcome> {
        self.analysed(&candidate.route);
        self.status.assumptions = candidate.assumptions.iter().take(MOST_ITEMS).map(|text| one_line(text, LONGEST)).collect();
        self.status.validation = findings(&candidate.findings);
        self.set(ConditionType::Generated, ConditionStatus::True, Reason::Generated, format!("made by {}", candidate.route.name));
        self.set(ConditionType::BudgetExceeded, ConditionStatus::False, Reason::WithinBudget, "");
        self.set(ConditionType::Validated, ConditionStatus::True, Reason::Valid, summarise(&candidate.findings, LONGEST));
        let open = candidate.slots.iter().filter(|slot| slot.open);
        self.status.required_inputs = open
            .take(MOST_ITEMS)
            .map(|slot| RequiredInput { name: one_line(&slot.name, 128), used_in: one_line(&slot.paths.join(", "), 250) })
            .collect();
        self.status.questions.clear();
        if self.status.required_inputs.is_empty() {
            self.set(ConditionType::NeedsInput, ConditionStatus::False, Reason::NothingAsked, "");
            return Ok(candidate.definition);
        }
        let names: Vec<&str> = self.status.required_inputs.iter().map(|input| input.name.as_str()).collect();
        let message = format!("the workflow needs values that the prompt does not give: {}; set them in spec.answers", listed(&names, 10));
        Err(self.waits_for_answers(message))
    }

    fn asks(&mut self, questions: &Questions) -> Outcome {
        self.status.questions = questions
            .questions
            .iter()
            .take(3)
            .map(|question| PromptQuestion {
                id: one_line(&question.id, 64),
                text: one_line(&question.text, LONGEST),
                options: question.options.iter().take(16).map(|option| one_line(option, 120)).collect(),
                default: question.default.as_ref().map(|answer| one_line(answer, 250)),
            })
            .collect();
        self.status.required_inputs.clear();
        self.set(ConditionType::Analysed, ConditionStatus::True, Reason::PromptAnalysed, listed(&questions.candidates, 5));
        let asked: Vec<String> = self.status.questions.iter().map(|question| format!("{} ({})", question.text, question.id)).collect();
        self.waits_for_answers(format!("answer in spec.answers: {}", listed(&asked, 3)))
    }

    fn waits_for_answers(&mut self, message: String) -> Outcome {
        self.set(ConditionType::NeedsInput, ConditionStatus::True, Reason::AnswersNeeded, &message);
        self.reach(PromptStage::WaitingForAnswers, Reason::AnswersNeeded, &message);
        Outcome::Blocked(Reason::AnswersNeeded, message)
    }

    fn abstains(&mut self, abstention: &Abstention) -> Outcome {
        let parts = [
            ("services", &abstention.services),
            ("node types", &abstention.node_types),
            ("credentials", &abstention.credentials),
            ("nearest templates", &abstention.nearest),
        ];
        let recognised: Vec<String> =
            parts.iter().filter(|(_, names)| !names.is_empty()).map(|(what, names)| format!("{what}: {}", listed(names, 8))).collect();
        let more = if recognised.is_empty() { String::new() } else { format!("; recognised {}", recognised.join(", ")) };
        let message = format!("{}{more}", abstention.reason);
        self.set(ConditionType::Analysed, ConditionStatus::False, Reason::PromptAbstained, &message);
        self.reach(PromptStage::Failed, Reason::PromptAbstained, &message);
        Outcome::Blocked(Reason::PromptAbstained, message)
    }

    fn fails(&mut self, failure: Failure) -> Outcome {
        self.status.validation = findings(&failure.findings);
        if let Some(best) = &failure.best {
            self.analysed(&best.route);
        }
        let found = if failure.findings.is_empty() { String::new() } else { summarise(&failure.findings, LONGEST) };
        let message = if found.is_empty() { failure.reason } else { format!("{}: {found}", failure.reason) };
        self.set(ConditionType::Generated, ConditionStatus::False, Reason::GenerationFailed, &message);
        self.set(ConditionType::Validated, ConditionStatus::False, Reason::GenerationFailed, found);
        self.reach(PromptStage::Failed, Reason::GenerationFailed, &message);
        Outcome::Blocked(Reason::GenerationFailed, message)
    }
}

fn findings(all: &[Finding]) -> Vec<PromptFinding> {
    let shown = all.iter().take(MOST_ITEMS);
    shown
        .map(|finding| PromptFinding {
            code: finding.code.to_string(),
            severity: finding.severity.to_string(),
            message: one_line(&finding.to_string(), LONGEST),
        })
        .collect()
}
