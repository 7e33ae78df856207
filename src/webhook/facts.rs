//! Facts in memory that an answer rests on: stores that watches fill, and catalogues that were read.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::ObjectRef;
use serde::Deserialize;
use serde_json::Value;

use super::prompts;
use super::review::Kind;
use super::template;
use crate::api::quota::QuotaResource;
use crate::api::workflow::Workflow;
use crate::catalog::Catalog;
use crate::domain::admission::grants::InstanceFacts;
use crate::domain::admission::workflow::{WorkflowFacts, workflow};
use crate::domain::admission::{AdmissionResponse, Request, passes, rules};
use crate::domain::policies::is_generated_object;
use crate::domain::quota::Limits;
use crate::domain::quota::places::{Candidate, refusal};
use crate::domain::validation::ValidationContext;
use crate::kubernetes::catalogs::Catalogs;
use crate::kubernetes::indexed_policy::IndexedPolicy;
use crate::kubernetes::indexed_quota::IndexedQuota;
use crate::kubernetes::stores::Stores;

/// Time between two looks at the catalogues in ConfigMaps.
const CATALOGS_FRESH_FOR: Duration = Duration::from_secs(60);

/// Everything that answers rest on.
pub struct Facts {
    stores: Arc<Stores>,
    catalogs: Catalogs,
}

impl Facts {
    /// Returns the facts in these stores, with catalogues of their own.
    pub fn new(stores: Arc<Stores>, catalogs: Catalogs) -> Self {
        Self { stores, catalogs }
    }

    /// Reads the catalogues that N8nInstances name, and again when their ConfigMaps change, until the process ends.
    pub async fn keep_catalogs(&self) {
        self.stores.synced().await;
        loop {
            for instance in self.stores.instances.store().state().iter().filter(|instance| instance.spec.catalog_ref.is_some()) {
                // One that cannot be read is reported in the status of its instance.
                let _ = self.catalogs.refresh(instance).await;
            }
            tokio::time::sleep(CATALOGS_FRESH_FOR).await;
        }
    }

    /// Decides a request.
    ///
    /// # Errors
    ///
    /// With what the stores wait for, if they are not complete: nothing may be denied, or allowed, for what is not known yet.
    pub fn decide(&self, kind: &Kind, request: &Request) -> Result<AdmissionResponse, String> {
        let namespace = self.namespace(&request.namespace);
        let deleting = namespace.as_ref().is_some_and(|namespace| namespace.metadata.deletion_timestamp.is_some());
        if passes(request, deleting) && !(*kind == Kind::WorkflowPrompt && prompts::answers_changed(request)) {
            return Ok(AdmissionResponse::allowed());
        }
        match kind {
            Kind::Other(kind) => {
                let warning = format!("Weirkeeper has no rules for {kind}; remove that kind from its ValidatingWebhookConfiguration");
                return Ok(AdmissionResponse { denied: None, warnings: vec![warning] });
            }
            Kind::N8nInstance => return Ok(rules::instance(&request.object)),
            Kind::N8nCredential => return Ok(rules::credential(&request.object)),
            Kind::ModelProvider => return Ok(rules::provider(&request.object)),
            Kind::WorkflowPolicy => return Ok(rules::policy(&request.object, Catalog::embedded())),
            Kind::WorkflowPrompt => return Ok(prompts::prompt(&request.object)),
            Kind::WorkflowQuota => return Ok(rules::quota(&request.object)),
            Kind::WorkflowTemplate => return Ok(template::review(&request.object)),
            Kind::Workflow => {}
        }
        if !self.stores.is_synced() {
            return Err("the caches are not synced yet; the failure policy of the webhook decides".to_owned());
        }
        Ok(self.workflow(request, namespace.as_deref()))
    }

    fn namespace(&self, name: &str) -> Option<Arc<PartialObjectMeta<Namespace>>> {
        self.stores.namespaces.store().get(&ObjectRef::new(name))
    }

    fn workflow(&self, request: &Request, namespace: Option<&PartialObjectMeta<Namespace>>) -> AdmissionResponse {
        let reference = &request.object["spec"]["instanceRef"];
        let home = reference["namespace"].as_str().unwrap_or(&request.namespace);
        let instance = self.stores.instances.store().get(&ObjectRef::new(reference["name"].as_str().unwrap_or_default()).within(home));
        let loaded = instance.as_ref().and_then(|instance| self.catalogs.known(instance));
        let instead = match (&instance, &loaded) {
            (Some(_), None) => Some("the N8nInstance's own catalogue is not read yet, so the built-in one is used"),
            (_, Some(loaded)) if loaded.error.is_some() => {
                Some("the N8nInstance's own catalogue cannot be read, so the built-in one is used")
            }
            _ => None,
        };
        let status = instance.as_ref().and_then(|instance| instance.status.as_ref());
        let given = instance.as_ref().and_then(|instance| instance.spec.n8n_version.as_deref());
        let n8n = status.and_then(|status| status.n8n_version.as_deref()).or(given);
        let catalog = match &loaded {
            Some(loaded) => loaded.catalog(),
            None => Catalog::embedded(),
        };
        let (policies, quotas) = (self.stores.policies_of(&request.namespace), self.stores.quotas_of(&request.namespace));
        let generated = is_generated_object(&request.object);
        let built_in = IndexedPolicy::built_in(&policies, generated);
        let rules = IndexedPolicy::rules_of(&policies, generated, built_in.as_ref());
        let none = BTreeMap::new();
        let labels = namespace.map(|namespace| namespace.metadata.labels.as_ref().unwrap_or(&none));
        let references_of = |name: &str| {
            self.stores.workflows.store().get(&ObjectRef::new(name).within(&request.namespace)).map(|indexed| indexed.references())
        };
        let credential_of =
            |name: &str| Some(self.stores.credentials.store().get(&ObjectRef::new(name).within(&request.namespace))?.named());
        let facts = WorkflowFacts {
            context: ValidationContext { catalog, n8n, instead },
            instance: InstanceFacts { namespace: home, spec: instance.as_ref().map(|instance| &instance.spec), labels },
            policies: &rules,
            exceeded: self.exceeded(request, &quotas),
            used_up: used_up(&quotas),
            references_of: &references_of,
            credential_of: &credential_of,
        };
        let rendered = template::rendered(request, catalog);
        let mut decision = workflow(rendered.as_ref().unwrap_or(request), &facts);
        template::check(request, &self.stores, (catalog, labels), &mut decision);
        decision.warnings.splice(0..0, unreadable(&policies, &quotas));
        decision
    }

    /// Returns the limit that the object would exceed. Nothing is reserved: the same review gets the same answer, and the controllers are
    /// the ones who count.
    fn exceeded(&self, request: &Request, quotas: &[Arc<IndexedQuota>]) -> Option<String> {
        let namespace = &request.namespace;
        let limits = Limits::of(quotas.iter().filter_map(|quota| quota.limits()));
        if limits.is_empty() {
            return None;
        }
        let read = |object: &Value| Workflow::deserialize(object).ok();
        let (after, before) = (read(&request.object)?, read(&request.old));
        let stored = self.stores.workflows.store().state_filter(|indexed| indexed.namespace() == namespace);
        let others: Vec<Candidate<'_>> = stored.iter().map(|indexed| indexed.candidate(None)).collect();
        let before = before.as_ref().map(|before| Candidate::of(before, None));
        refusal(&limits, &others, before.as_ref(), &Candidate::of(&after, None)).map(|exceeded| exceeded.to_string())
    }
}

/// Returns warnings about rules and limits of the namespace that cannot be read, most likely because a newer version wrote them: they are
/// not off because of that.
fn unreadable(policies: &[Arc<IndexedPolicy>], quotas: &[Arc<IndexedQuota>]) -> Vec<String> {
    let policies = policies.iter().filter_map(|policy| Some(policy.unreadable()?.message));
    policies.chain(quotas.iter().filter_map(|quota| quota.unreadable())).collect()
}

/// Returns the limit of the day that keeps a new version from being deployed today.
fn used_up(quotas: &[Arc<IndexedQuota>]) -> Option<String> {
    let mut used_up = quotas.iter().filter_map(|quota| quota.used_up(QuotaResource::DeploymentsPerDay, Timestamp::now()));
    used_up.next().map(|exceeded| exceeded.to_string())
}
