//! `WorkflowQuota`: limits on what the Workflows of a namespace may use.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::money::Money;

/// Limits on the Workflows of this namespace. Several quotas of a namespace all apply.
#[derive(CustomResource, KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
// Printer columns share attribute names with the kind itself; clippy takes them for duplicates.
#[allow(clippy::duplicated_attributes)]
#[kube(
    group = "weirkeeper.dev",
    version = "v1alpha1",
    kind = "WorkflowQuota",
    plural = "workflowquotas",
    namespaced,
    category = "n8n",
    shortname = "n8nq",
    status = "WorkflowQuotaStatus",
    derive = "PartialEq",
    doc = "Limits on the number of Workflows in this namespace, of published ones, and of deployments and the use of language models in a day.",
    printcolumn(name = "Request", type_ = "string", json_path = ".status.summary"),
    printcolumn(name = "Exceeded", type_ = "string", json_path = r#".status.conditions[?(@.type=="Exceeded")].status"#),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#, priority = "1"),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Exceeded")].message"#, priority = "1")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkflowQuotaSpec {
    /// Limit of each resource; at least one. A resource without a limit is not limited by this quota. A limit below the current usage
    /// takes nothing away.
    pub hard: QuotaLimits,
}

/// Limit of each resource.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct QuotaLimits {
    /// Number of Workflows that may have a workflow in n8n.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub workflows: Option<i64>,
    /// Number of Workflows that may be published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub active_workflows: Option<i64>,
    /// Number of new versions that may be sent to n8n in a day (UTC). Rollbacks and the reversion of drift are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub deployments_per_day: Option<i64>,
    /// Number of prompts, and of changed prompts, that may be given to a language model in a day (UTC). What is built without a model is
    /// not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub generations_per_day: Option<i64>,
    /// Number of tokens of language models, of questions and answers, in a day (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000_000_000i64))]
    pub tokens_per_day: Option<i64>,
    /// Cost of language models in a day (UTC), in the currency of the ModelProviders' prices, such as `"5.00"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_per_day: Option<Money>,
}

/// Resource that a quota can limit. The name is the one in `spec.hard`, in the status, and in messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum QuotaResource {
    /// Workflows in n8n.
    #[serde(rename = "workflows")]
    Workflows,
    /// Published Workflows.
    #[serde(rename = "activeWorkflows")]
    ActiveWorkflows,
    /// New versions in a day.
    #[serde(rename = "deploymentsPerDay")]
    DeploymentsPerDay,
    /// Prompts that are given to a language model in a day.
    #[serde(rename = "generationsPerDay")]
    GenerationsPerDay,
    /// Tokens of language models in a day.
    #[serde(rename = "tokensPerDay")]
    TokensPerDay,
    /// Cost of language models in a day. Amounts are millionths.
    #[serde(rename = "costPerDay")]
    CostPerDay,
}

impl QuotaResource {
    /// Every resource, in the order in which they are shown.
    pub const ALL: [Self; 6] =
        [Self::Workflows, Self::ActiveWorkflows, Self::DeploymentsPerDay, Self::GenerationsPerDay, Self::TokensPerDay, Self::CostPerDay];

    /// Returns the name of the resource.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Workflows => "workflows",
            Self::ActiveWorkflows => "activeWorkflows",
            Self::DeploymentsPerDay => "deploymentsPerDay",
            Self::GenerationsPerDay => "generationsPerDay",
            Self::TokensPerDay => "tokensPerDay",
            Self::CostPerDay => "costPerDay",
        }
    }

    /// Reports whether the resource is an amount in a day, and not a number of objects.
    pub const fn per_day(self) -> bool {
        !matches!(self, Self::Workflows | Self::ActiveWorkflows)
    }

    /// Returns an amount of the resource as people write it.
    pub fn shown(self, amount: i64) -> String {
        match self {
            Self::CostPerDay => Money::from_micros(amount).to_string(),
            _ => amount.to_string(),
        }
    }
}

impl QuotaLimits {
    /// Returns the limit of a resource; of the cost in millionths.
    pub const fn get(&self, resource: QuotaResource) -> Option<i64> {
        match resource {
            QuotaResource::Workflows => self.workflows,
            QuotaResource::ActiveWorkflows => self.active_workflows,
            QuotaResource::DeploymentsPerDay => self.deployments_per_day,
            QuotaResource::GenerationsPerDay => self.generations_per_day,
            QuotaResource::TokensPerDay => self.tokens_per_day,
            QuotaResource::CostPerDay => match self.cost_per_day {
                Some(cost) => Some(cost.micros()),
                None => None,
            },
        }
    }
}

/// Amount of each resource that the quota limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct QuotaAmounts {
    /// Number of Workflows that have a workflow in n8n or are about to get one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub workflows: Option<i64>,
    /// Number of Workflows that are published or are about to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub active_workflows: Option<i64>,
    /// Number of new versions in the day that `day` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub deployments_per_day: Option<i64>,
    /// Number of prompts that were given to a language model in the day that `day` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub generations_per_day: Option<i64>,
    /// Number of tokens of language models in the day that `day` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub tokens_per_day: Option<i64>,
    /// Cost of language models in the day that `day` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_per_day: Option<Money>,
}

impl QuotaAmounts {
    /// Returns the amount of a resource; of the cost in millionths.
    pub const fn get(&self, resource: QuotaResource) -> Option<i64> {
        match resource {
            QuotaResource::Workflows => self.workflows,
            QuotaResource::ActiveWorkflows => self.active_workflows,
            QuotaResource::DeploymentsPerDay => self.deployments_per_day,
            QuotaResource::GenerationsPerDay => self.generations_per_day,
            QuotaResource::TokensPerDay => self.tokens_per_day,
            QuotaResource::CostPerDay => match self.cost_per_day {
                Some(cost) => Some(cost.micros()),
                None => None,
            },
        }
    }

    /// Sets the amount of a resource.
    pub const fn set(&mut self, resource: QuotaResource, amount: Option<i64>) {
        match resource {
            QuotaResource::Workflows => self.workflows = amount,
            QuotaResource::ActiveWorkflows => self.active_workflows = amount,
            QuotaResource::DeploymentsPerDay => self.deployments_per_day = amount,
            QuotaResource::GenerationsPerDay => self.generations_per_day = amount,
            QuotaResource::TokensPerDay => self.tokens_per_day = amount,
            QuotaResource::CostPerDay => {
                self.cost_per_day = match amount {
                    Some(micros) => Some(Money::from_micros(micros)),
                    None => None,
                }
            }
        }
    }
}

/// Observed state of the WorkflowQuota.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct WorkflowQuotaStatus {
    /// `metadata.generation` that this status was last updated for; -1 before the first reconciliation.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Usage and limit of each resource in one line, for printer columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub summary: Option<String>,
    /// Limits that are enforced.
    pub hard: QuotaAmounts,
    /// Usage. Amounts in a day include the reserved ones.
    pub used: QuotaAmounts,
    /// Limit minus usage; zero if the usage exceeds the limit.
    pub remaining: QuotaAmounts,
    /// Day (UTC) that the amounts in a day are about. It never goes back: while the operator's clock shows an earlier day, usage is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 10), regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    pub day: Option<String>,
    /// Amounts that were reserved before a use whose outcome is not known yet. They are part of `used`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128))]
    pub reservations: Vec<QuotaReservation>,
    /// Conditions of the WorkflowQuota: Ready, Reconciling, Stalled and Exceeded.
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl Default for WorkflowQuotaStatus {
    fn default() -> Self {
        Self {
            observed_generation: -1,
            summary: None,
            hard: QuotaAmounts::default(),
            used: QuotaAmounts::default(),
            remaining: QuotaAmounts::default(),
            day: None,
            reservations: Vec::new(),
            conditions: Vec::new(),
        }
    }
}

/// Maximum number of reservations in a status.
pub const MOST_RESERVATIONS: usize = 128;

/// An amount that was reserved before its use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaReservation {
    /// Resource that is used.
    pub resource: QuotaResource,
    /// Identifies the use, so that a repetition after a crash is counted once: for a deployment the UID of the Workflow and the number of
    /// the version.
    #[schemars(length(min = 1, max = 128))]
    pub key: String,
    /// Reserved amount, of the cost in millionths; an estimate if the actual amount is only known after the use.
    #[schemars(range(min = 0))]
    pub amount: i64,
    /// Time of the reservation.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub at: Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_resource_has_one_spelling_and_its_own_field() {
        for (number, resource) in QuotaResource::ALL.into_iter().enumerate() {
            let number = i64::try_from(number).unwrap();
            let name = resource.as_str();
            assert_eq!(serde_json::to_value(resource).unwrap(), name);
            let written = match resource {
                QuotaResource::CostPerDay => serde_json::json!(resource.shown(number)),
                _ => serde_json::json!(number),
            };
            let limits: QuotaLimits = serde_json::from_value(serde_json::json!({ name: written })).unwrap();
            assert_eq!(limits.get(resource), Some(number));
            let mut amounts = QuotaAmounts::default();
            amounts.set(resource, Some(number));
            assert_eq!(
                (serde_json::to_value(&amounts).unwrap(), amounts.get(resource)),
                (serde_json::json!({ name: written }), Some(number))
            );
        }
    }

    #[test]
    fn a_limit_of_an_unknown_resource_is_refused_and_one_in_a_newer_status_is_not() {
        assert!(serde_json::from_str::<WorkflowQuotaSpec>(r#"{ "hard": { "workflow": 3 } }"#).is_err());
        assert!(serde_json::from_str::<WorkflowQuotaStatus>(r#"{ "used": { "gpuHoursPerDay": 3 } }"#).is_ok());
    }
}
