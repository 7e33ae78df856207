//! First step, reads Kubernetes: what a generation depends on.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;

use super::Reconciliation;
use crate::api::policy::WorkflowPolicySpec;
use crate::api::reason::Reason;
use crate::api::workflow::Workflow;
use crate::catalog::Catalog;
use crate::controller::connections::Connection;
use crate::controller::providers::{ModelConnection, Provided};
use crate::document::definition::Definition;
use crate::document::finding::summarise;
use crate::document::parse::read_text;
use crate::domain::error::ReconcileError;
use crate::domain::policies::{BUILT_IN, is_generated};
use crate::domain::prompt::{self, made::workflow_name};
use crate::kubernetes::catalogs::LoadedCatalog;
use crate::kubernetes::indexed_policy::IndexedPolicy;
use crate::kubernetes::objects;
use crate::validator::check::parse_and_check;
use crate::validator::policy::Policy;

/// Maximum length of findings in a message.
const FINDINGS_CHARS: usize = 1_000;
/// Maximum size of a definition in a ConfigMap.
const LARGEST_TEXT: usize = 1_100_000;

/// The models that are asked; None if there are none, and an error if the provider cannot be used.
pub(super) type Models = Result<Option<Arc<ModelConnection>>, ReconcileError>;

/// Facts that a generation depends on. Those that only a generation needs may be missing: the deployed workflow does not depend on them.
pub(super) struct Facts {
    catalog: LoadedCatalog,
    policies: Vec<Arc<IndexedPolicy>>,
    built_in: WorkflowPolicySpec,
    /// Connection of the instance.
    pub(super) connection: Arc<Connection>,
    /// The models that are asked.
    pub(super) models: Models,
    /// Answers and values that were given.
    pub(super) answers: BTreeMap<String, String>,
    /// Workflow that the spec names as the one to change.
    pub(super) base: Result<Option<Definition>, ReconcileError>,
    /// Workflow of the name of the one that is made.
    pub(super) workflow: Option<Workflow>,
}

impl Facts {
    /// Returns the catalogue of the instance.
    pub(super) fn catalog(&self) -> &Catalog {
        self.catalog.catalog()
    }

    /// Returns the rules for generated definitions.
    pub(super) fn policies(&self) -> Vec<Policy<'_>> {
        IndexedPolicy::rules_of(&self.policies, true, Some(&self.built_in))
    }

    /// Returns the rules for generated definitions by name.
    pub(super) fn rules(&self) -> Vec<(&str, &WorkflowPolicySpec)> {
        let own = self.policies.iter().filter_map(|policy| policy.rules(true)).map(|policy| (policy.name, policy.rules));
        own.chain([(BUILT_IN, &self.built_in)]).collect()
    }
}

impl Reconciliation<'_> {
    /// Returns the models that are asked.
    pub(super) async fn models(&self) -> Models {
        let Some(reference) = &self.prompt.spec.provider_ref else { return Ok(None) };
        let home = reference.namespace.as_deref().unwrap_or(self.namespace());
        Ok(match self.ctx.providers.for_prompt(self.namespace(), (home, &reference.name)).await? {
            Provided::Builtin => None,
            Provided::Model(models) => Some(models),
        })
    }

    /// Gathers what a generation depends on.
    pub(super) async fn gather(&self, models: Models) -> Result<Facts, ReconcileError> {
        let spec = &self.prompt.spec;
        let answers = prompt::answers(&self.prompt).map_err(|message| ReconcileError::invalid(Reason::InvalidPrompt, message))?;
        let home = spec.instance_ref.namespace.as_deref().unwrap_or(self.namespace());
        let connection = self.ctx.connections.for_workflow(self.namespace(), (home, &spec.instance_ref.name)).await?;
        let catalog = self.ctx.catalogs.of(&connection.instance).await?;
        let policies = self.ctx.stores.policies_of(self.namespace());
        if let Some(denial) = policies.iter().find_map(|policy| policy.unreadable()) {
            return Err(ReconcileError::denied(Reason::PolicyUnreadable, denial.message));
        }
        let built_in = IndexedPolicy::built_in(&policies, true).unwrap_or_default();
        let base = match &spec.base_workflow_ref {
            None => Ok(None),
            Some(base) => self.base(&base.name).await.map(Some),
        };
        let name = workflow_name(&self.prompt);
        let workflow = objects::get::<Workflow>(&self.ctx.client, Some(self.namespace()), name).await;
        let workflow = workflow.map_err(|error| objects::reconcile_error(&format!("read Workflow {name}"), &error))?;
        Ok(Facts { catalog, policies, built_in, connection, models, answers, base, workflow })
    }

    /// Reads the definition of the Workflow that is to be changed.
    async fn base(&self, name: &str) -> Result<Definition, ReconcileError> {
        let found = objects::get::<Workflow>(&self.ctx.client, Some(self.namespace()), name).await;
        let found = found.map_err(|error| objects::reconcile_error(&format!("read Workflow {name}"), &error))?;
        let missing = |what: String| ReconcileError::waiting(Reason::BaseNotFound, what);
        let found =
            found.ok_or_else(|| missing(format!("Workflow {name}, which spec.baseWorkflowRef names, does not exist in this namespace")))?;
        if name == workflow_name(&self.prompt) || is_generated(&found.metadata) {
            // Each delivery would change the base, and with it the inputs.
            return Err(unusable(name, "a WorkflowPrompt makes it; change that prompt instead"));
        }
        let value = match (found.spec.definition, found.spec.definition_from) {
            (Some(definition), _) => definition,
            (None, Some(from)) => {
                let (map, key) = (&from.config_map_key_ref.name, &from.config_map_key_ref.key);
                let read = objects::get::<ConfigMap>(&self.ctx.client, Some(self.namespace()), map).await;
                let read = read.map_err(|error| objects::reconcile_error(&format!("read ConfigMap {map}"), &error))?;
                let text = read.and_then(|read| read.data?.remove(key));
                let text =
                    text.ok_or_else(|| missing(format!("ConfigMap {map}, key {key}, which holds Workflow {name}, does not exist")))?;
                read_text(&text, LARGEST_TEXT).map_err(|findings| unusable(name, &summarise(&findings, FINDINGS_CHARS)))?.value
            }
            (None, None) if found.spec.template_ref.is_some() => {
                return Err(unusable(name, "it is made from a template; change its inputs, or the template, instead"));
            }
            (None, None) => return Err(unusable(name, "it has neither a definition nor a reference to one")),
        };
        let parsed = parse_and_check(&value).map_err(|findings| unusable(name, &summarise(&findings, FINDINGS_CHARS)))?;
        Ok(parsed.definition)
    }
}

fn unusable(name: &str, why: &str) -> ReconcileError {
    ReconcileError::invalid(Reason::BaseUnusable, format!("Workflow {name}, which spec.baseWorkflowRef names, cannot be changed: {why}"))
}
