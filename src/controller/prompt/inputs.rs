//! Inputs of the engine. Those from the past (the workflow that is changed, the conversation) are stored when the generation begins, so
//! that the same generation always asks the same.

use serde_json::{Value, json};

use super::Reconciliation;
use super::facts::Facts;
use crate::api::condition::{ConditionStatus, ConditionType, find};
use crate::api::prompt::{Clarification, Tier};
use crate::api::prompt_status::PromptGeneration;
use crate::api::workflow::Workflow;
use crate::api::workflow_status::{VersionRecord, VersionSource};
use crate::document::canonical;
use crate::document::definition::Definition;
use crate::domain::error::ReconcileError;
use crate::domain::prompt::asked::plain_hash;
use crate::domain::prompt::conversation::{self, Said};
use crate::domain::prompt::made::is_made_by;
use crate::domain::prompt::repair::in_effect;
use crate::domain::stored_body;
use crate::generation::engine::{self, ExecutionFailure, Inventory, MOST_ATTEMPTS, Provider, Request, Turn};
use crate::generation::prompt::Clarification as Asking;
use crate::kubernetes::prompt_records::{self, Kept, inputs_name};
use crate::kubernetes::{objects, revisions};
use crate::validator::check::parse_and_check;
use crate::validator::policy::Policy;

/// Number of edits in n8n that a model reads, the latest.
const MOST_EDITS: usize = 3;

/// Inputs of the engine.
pub(super) struct Inputs {
    base: Option<Definition>,
    failure: Option<ExecutionFailure>,
    conversation: Vec<Turn>,
    inventory: Inventory,
    identity: Option<String>,
    attempts: u32,
    salt: String,
}

impl Inputs {
    /// Returns the request for the engine.
    pub(super) fn request<'a>(&'a self, work: &'a Reconciliation<'_>, facts: &'a Facts, policies: &'a [Policy<'a>]) -> Request<'a> {
        let spec = &work.prompt.spec;
        Request {
            prompt: &spec.prompt,
            answers: &facts.answers,
            timezone: spec.timezone.as_deref(),
            clarification: match spec.clarification {
                // Nobody is asked what would repair a workflow: the proposal is what people decide on.
                _ if self.failure.is_some() => Asking::Never,
                Clarification::Ask => Asking::Ask,
                Clarification::AssumeDefaults => Asking::AssumeDefaults,
                Clarification::Never => Asking::Never,
            },
            tier: match spec.tier {
                Tier::Auto => engine::Tier::Auto,
                Tier::Simple => engine::Tier::Simple,
                Tier::Complex => engine::Tier::Complex,
            },
            base: self.base.as_ref(),
            failure: self.failure.as_ref(),
            conversation: &self.conversation,
            inventory: &self.inventory,
            policies,
            catalog: facts.catalog(),
            provider: self.identity.as_deref().map_or(Provider::Builtin, |identity| Provider::Model { identity }),
            attempts: self.attempts,
            salt: &self.salt,
        }
    }
}

impl Reconciliation<'_> {
    /// Returns what is given to the engine for what is asked for now.
    pub(super) async fn inputs(&self, facts: &Facts, asked: &str) -> Result<Inputs, ReconcileError> {
        let models = facts.models.clone()?;
        let mut base = facts.base.clone()?;
        let plain = plain_hash(&self.prompt, &self.status);
        let repairs: Vec<_> = in_effect(&self.status, &plain).collect();
        let mut conversation = Vec::new();
        // A model changes what was deployed before, so that the rest of it stays. Patterns build it anew.
        if models.is_some() && self.status.earlier(asked).next().is_some() {
            let past = self.past(facts, asked).await?;
            base = if repairs.is_empty() { base.or(past.base) } else { past.base };
            conversation = past.conversation;
        }
        let failure = repairs.last().filter(|_| base.is_some()).map(|one| ExecutionFailure {
            node: one.node.clone().unwrap_or_default(),
            message: one.message.clone(),
            input_shape: one.input_shape.clone().unwrap_or_default(),
        });
        let spec = &self.prompt.spec;
        let mapped = spec.workflow.credentials.iter();
        let credentials = mapped.map(|one| (one.kind.clone().unwrap_or_else(|| one.name.clone()), one.name.clone())).collect();
        let attempts = spec.limits.attempts.and_then(|attempts| u32::try_from(attempts).ok()).unwrap_or(MOST_ATTEMPTS);
        let repaired = u32::try_from(repairs.len()).unwrap_or(MOST_ATTEMPTS);
        Ok(Inputs {
            base,
            failure,
            conversation,
            inventory: Inventory { credentials, ..Inventory::default() },
            identity: models.as_ref().map(|models| models.identity()),
            // A repair is one of the attempts.
            attempts: attempts.saturating_sub(repaired).max(1),
            salt: self.status.begun_again_at.clone().unwrap_or_default(),
        })
    }

    /// Returns what a generation takes from the past: as it was stored when the generation began, or else as it is now, which is then stored.
    async fn past(&self, facts: &Facts, asked: &str) -> Result<Past, ReconcileError> {
        let name = inputs_name(self.uid(), asked);
        let stored = prompt_records::read(&self.ctx.client, self.namespace(), &name, self.uid()).await;
        let stored = stored.map_err(|error| objects::reconcile_error("read the inputs of the generation", &error))?;
        if let Some(past) = stored.as_ref().and_then(Past::read) {
            return Ok(past);
        }
        let mut turns = Vec::new();
        let mut base = None;
        let earlier: Vec<&PromptGeneration> = self.status.earlier(asked).collect();
        let deployed = earlier.iter().find(|one| one.deployed).map(|one| one.revision.as_str());
        for generation in earlier.iter().rev() {
            let data = prompt_records::read(&self.ctx.client, self.namespace(), &generation.revision, self.uid()).await;
            let data = data.map_err(|error| objects::reconcile_error("read the stored proposal", &error))?;
            turns.extend(conversation::of(generation, data.as_ref()));
            if deployed == Some(generation.revision.as_str()) {
                // One that cannot be read is made again from the prompt alone.
                base = data.and_then(|data| stored_body::decode(&data).ok());
            }
        }
        if let Some(deployed) = &base
            && let Some(workflow) = facts.workflow.as_ref().filter(|workflow| is_made_by(&workflow.metadata, &self.prompt))
        {
            turns.extend(self.edits(workflow, deployed).await?);
            base = edited_base(workflow, deployed).or(base);
        }
        let past = Past { base, conversation: turns.into_iter().map(|Said { user, text }| Turn { user, text }).collect() };
        self.keep((&name, Kept::ForATime), &past.to_json()).await?;
        Ok(past)
    }

    /// Returns what people changed in n8n since the workflow was deployed: what stands there now, and what was overwritten.
    async fn edits(&self, workflow: &Workflow, deployed: &Definition) -> Result<Vec<Said>, ReconcileError> {
        let Some(status) = &workflow.status else { return Ok(Vec::new()) };
        let since = self.status.deployed_at();
        let (uid, mut turns) = (workflow.metadata.uid.as_deref().unwrap_or_default(), Vec::new());
        let is_edit = |one: &&VersionRecord| one.source == VersionSource::Drift && since.is_none_or(|since| one.created_at.0 >= since);
        for edit in status.history.iter().filter(is_edit).take(MOST_EDITS) {
            let body = revisions::read(&self.ctx.client, self.namespace(), &edit.revision, uid).await;
            let body = body.map_err(|error| objects::reconcile_error("read an edit made in n8n", &error))?;
            let edited = body.and_then(|body| stored_body::decode(&body).ok());
            turns.extend(edited.and_then(|edited| conversation::edited(deployed, &edited, "was reverted")));
        }
        let drifted = find(&status.conditions, ConditionType::Drifted).filter(|one| one.status == ConditionStatus::True);
        turns.extend(
            drifted.map(|one| Said { user: true, text: format!("a person changed in n8n, which is still there: {}", one.message) }),
        );
        Ok(turns)
    }
}

/// Inputs of a generation from the past.
struct Past {
    base: Option<Definition>,
    conversation: Vec<Turn>,
}

impl Past {
    fn to_json(&self) -> Value {
        let turns: Vec<Value> = self.conversation.iter().map(|turn| json!([turn.user, turn.text])).collect();
        json!({ "inputs": { "base": self.base.as_ref().map(stored_body::encode), "conversation": turns } })
    }

    fn read(stored: &Value) -> Option<Self> {
        let inputs = stored["inputs"].as_object()?;
        let base = match &inputs["base"] {
            Value::Null => None,
            body => Some(stored_body::decode(body).ok()?),
        };
        let turns: Vec<(bool, String)> = serde_json::from_value(inputs["conversation"].clone()).ok()?;
        Some(Self { base, conversation: turns.into_iter().map(|(user, text)| Turn { user, text }).collect() })
    }
}

/// Returns the definition in the Workflow, if people changed it after it was deployed.
fn edited_base(workflow: &Workflow, deployed: &Definition) -> Option<Definition> {
    let edited = parse_and_check(workflow.spec.definition.as_ref()?).ok()?.definition;
    let settings = edited.settings.keys().chain(deployed.settings.keys()).cloned().collect();
    (canonical::digest((&edited).into(), &settings) != canonical::digest(deployed.into(), &settings)).then_some(edited)
}
