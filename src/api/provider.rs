//! `ModelProvider`: language models, or what generates workflows without one.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::duration::{MINUTE, SECOND, Within};
use super::instance::{AllowedNamespaces, SecretKeyRef};
use super::money::Money;
use super::workflow::Interval;

/// A source of generated workflows: the built-in generator, or a server of language models with the API of OpenAI.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Serialize, Deserialize)]
// Printer columns share attribute names with the kind itself; clippy takes them for duplicates.
#[allow(clippy::duplicated_attributes)]
#[kube(
    group = "weirkeeper.dev",
    version = "v1alpha1",
    kind = "ModelProvider",
    namespaced,
    category = "n8n",
    shortname = "nmp",
    status = "ModelProviderStatus",
    derive = "PartialEq",
    doc = "A source of generated workflows: the built-in generator, or a server of language models with the API of OpenAI.",
    validation = kube::core::Rule::new("self.metadata.name.size() <= 63").message("metadata.name must be at most 63 characters long"),
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Model", type_ = "string", json_path = ".spec.models.complex.name"),
    printcolumn(name = "Status", type_ = "string", json_path = ".status.summary"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "URL", type_ = "string", json_path = ".spec.baseURL", priority = "1"),
    printcolumn(name = "Breaker", type_ = "string", json_path = ".status.breaker.state", priority = "1"),
    printcolumn(name = "Message", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].message"#, priority = "1")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = kube::core::Rule::new("self.type == 'Builtin' || (has(self.baseURL) && has(self.models))").message("type: OpenAI requires baseURL and models"),
    validation = kube::core::Rule::new("self.type == 'OpenAI' || !(has(self.baseURL) || has(self.models) || has(self.apiKeySecretRef) || has(self.caBundle) || has(self.limits))").message("type: Builtin calls no server: remove baseURL, models, apiKeySecretRef, caBundle and limits")
)]
pub struct ModelProviderSpec {
    /// Generator: `Builtin` (templates and patterns of Weirkeeper: no server, no key, no cost) or `OpenAI` (a server with OpenAI's
    /// chat completions, such as OpenAI, vLLM, Ollama, llama.cpp or a gateway). Defaults to `Builtin`.
    #[serde(default, rename = "type")]
    pub kind: ProviderType,
    /// Base URL of the API, the part before `/chat/completions`, for example `https://api.openai.com/v1` or `http://ollama.ai.svc:11434/v1`.
    /// Prompts and the key are sent to this origin only.
    #[serde(default, rename = "baseURL", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 8, max = 2048), regex(pattern = r"^https?://[^\s]+$"))]
    #[x_kube(validation = kube::core::Rule::new("!self.matches('/chat/completions/*$')").message("baseURL is the part of the URL before /chat/completions"))]
    pub base_url: Option<String>,
    /// Secret in the same namespace that holds the key of the server. It is read again about once a minute. Without it no key is sent, as
    /// local servers expect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_secret_ref: Option<SecretKeyRef>,
    /// PEM-encoded certificate authorities to trust for `baseURL`, instead of the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub ca_bundle: Option<String>,
    /// Models that are asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Models>,
    /// Limits on the requests to the server. Defaults to 4 concurrent requests and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ProviderLimits>,
    /// Maximum time for an answer, with its retries and the wait for a turn under `limits`, from 1s to 15m. Defaults to 2m.
    #[serde(default = "default_request_timeout")]
    pub request_timeout: ModelTimeout,
    /// Strongest way of asking for JSON that is tried: `StrictSchema`, `Schema`, `Tool`, `JSON` or `Text`; each weaker one is used if the
    /// server refuses or ignores those before it. `Auto` begins with `StrictSchema`. Defaults to `Auto`.
    #[serde(default)]
    pub output: OutputChoice,
    /// Namespaces whose WorkflowPrompts may refer to this provider. Its own namespace always may. Defaults to its own namespace only.
    #[serde(default)]
    pub allowed_namespaces: AllowedNamespaces,
    /// Interval between checks of the server, from 1s to 24h. A check asks for the list of models and costs nothing. Defaults to 5m.
    #[serde(default = "default_interval")]
    pub interval: Interval,
}

/// Timeout of a call of a model.
pub type ModelTimeout = Within<SECOND, { 15 * MINUTE }>;

fn default_request_timeout() -> ModelTimeout {
    ModelTimeout::from_secs(120)
}

fn default_interval() -> Interval {
    Interval::from_secs(300)
}

/// Generator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ProviderType {
    /// Templates and patterns of Weirkeeper.
    #[default]
    Builtin,
    /// A server with OpenAI's chat completions.
    OpenAI,
}

/// Models of a provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Models {
    /// The cheaper model, which is asked for simple workflows. Defaults to `complex`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simple: Option<Model>,
    /// The more capable model, which is asked for other workflows, and last after failed attempts.
    pub complex: Model,
}

impl Models {
    /// Returns the cheaper model.
    pub fn simple(&self) -> &Model {
        self.simple.as_ref().unwrap_or(&self.complex)
    }
}

/// A model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = kube::core::Rule::new("has(self.inputPricePerMillion) == has(self.outputPricePerMillion)").message("give both inputPricePerMillion and outputPricePerMillion, or neither"),
    validation = kube::core::Rule::new("!has(self.cachedInputPricePerMillion) || has(self.inputPricePerMillion)").message("cachedInputPricePerMillion requires inputPricePerMillion")
)]
pub struct Model {
    /// Name of the model on the server.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// Maximum number of tokens of question and answer together. Defaults to no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 256, max = 100_000_000))]
    pub context_tokens: Option<i64>,
    /// Maximum number of tokens of an answer, if the model has a lower one than Weirkeeper asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 16, max = 1_000_000))]
    pub maximum_output_tokens: Option<i64>,
    /// Price of a million tokens of questions, a decimal number in quotes such as `"0.15"`, in the currency that `costPerDay` of
    /// WorkflowQuotas is in. Without prices calls count as free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_price_per_million: Option<Money>,
    /// Price of a million tokens of questions that the server had in a cache. Defaults to `inputPricePerMillion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached_input_price_per_million: Option<Money>,
    /// Price of a million tokens of answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_price_per_million: Option<Money>,
}

/// Limits on the requests to a server, shared by all namespaces that use the provider.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderLimits {
    /// Maximum number of requests in a minute. Defaults to no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_minute: Option<i64>,
    /// Maximum number of tokens in a minute. Before a request its question is estimated and its answer counted as long as it may become.
    /// Defaults to no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1000, max = 2_000_000_000))]
    pub tokens_per_minute: Option<i64>,
    /// Maximum number of concurrent requests. Defaults to 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub concurrency: Option<i64>,
}

/// Strongest way of asking for JSON that is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OutputChoice {
    /// The strongest that the server supports.
    #[default]
    Auto,
    /// A schema that the server enforces.
    StrictSchema,
    /// A schema.
    Schema,
    /// The parameters of a tool that the model must call.
    Tool,
    /// Any JSON; the schema stands in the question.
    #[serde(rename = "JSON")]
    Json,
    /// Text; the schema stands in the question.
    Text,
}

impl OutputChoice {
    /// Returns the way of asking with which a call begins.
    pub const fn top(self) -> OutputMode {
        match self {
            Self::Auto | Self::StrictSchema => OutputMode::StrictSchema,
            Self::Schema => OutputMode::Schema,
            Self::Tool => OutputMode::Tool,
            Self::Json => OutputMode::Json,
            Self::Text => OutputMode::Text,
        }
    }
}

/// Way of asking a model for JSON, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OutputMode {
    /// A schema that the server enforces.
    StrictSchema,
    /// A schema.
    Schema,
    /// The parameters of a tool that the model must call.
    Tool,
    /// Any JSON; the schema stands in the question.
    #[serde(rename = "JSON")]
    Json,
    /// Text; the schema stands in the question.
    Text,
}

impl OutputMode {
    /// Every way of asking, strongest first.
    pub const ALL: [Self; 5] = [Self::StrictSchema, Self::Schema, Self::Tool, Self::Json, Self::Text];

    /// Returns the next weaker way of asking.
    pub const fn weaker(self) -> Option<Self> {
        match self {
            Self::StrictSchema => Some(Self::Schema),
            Self::Schema => Some(Self::Tool),
            Self::Tool => Some(Self::Json),
            Self::Json => Some(Self::Text),
            Self::Text => None,
        }
    }

    /// Returns the name, as manifests and metrics spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StrictSchema => "StrictSchema",
            Self::Schema => "Schema",
            Self::Tool => "Tool",
            Self::Json => "JSON",
            Self::Text => "Text",
        }
    }
}

/// Observed state of the ModelProvider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ModelProviderStatus {
    /// `metadata.generation` that this status was last updated for; -1 before the first reconciliation.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,
    /// Short form of the message of condition Ready, for printer columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 80))]
    pub summary: Option<String>,
    /// How each model is asked for JSON, as found out by its answers. Forgotten when `baseURL`, `output` or the model changes, and on
    /// `weirkeeper.dev/reset-at`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub models: Vec<ModelStatus>,
    /// Circuit breaker of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaker: Option<BreakerStatus>,
    /// Settings for which `models` was probed: a digest of `baseURL` and `output`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub observed_server: Option<String>,
    /// Time since which the server could not be asked. Ready stays True for three intervals from then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"), length(max = 64))]
    pub unverified_since: Option<Time>,
    /// Value of the annotation `weirkeeper.dev/requested-at` that was last handled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_requested_at: Option<String>,
    /// Value of the annotation `weirkeeper.dev/reset-at` that was last handled.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub last_handled_reset_at: Option<String>,
    /// Conditions of the ModelProvider: Ready, Reconciling, Stalled and Reachable.
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl Default for ModelProviderStatus {
    fn default() -> Self {
        Self {
            observed_generation: -1,
            summary: None,
            models: Vec::new(),
            breaker: None,
            observed_server: None,
            unverified_since: None,
            last_handled_requested_at: None,
            last_handled_reset_at: None,
            conditions: Vec::new(),
        }
    }
}

/// How a model is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelStatus {
    /// Name of the model.
    #[schemars(length(max = 256))]
    pub name: String,
    /// Way of asking for JSON that the model obeyed.
    pub output: OutputMode,
}

/// Circuit breaker of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BreakerStatus {
    /// State: `Closed` (requests are sent), `Open` (the server failed several times in succession, and no request is sent for a while) or
    /// `HalfOpen` (one request is sent to find out whether it works again).
    pub state: BreakerState,
    /// Time from which a request is sent again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", extend("format" = "date-time"), length(max = 64))]
    pub open_until: Option<Time>,
}

/// State of a circuit breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BreakerState {
    /// Requests are sent.
    Closed,
    /// No request is sent.
    Open,
    /// One request is sent.
    HalfOpen,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_of_asking_has_one_spelling_and_the_weakest_is_last() {
        for pair in OutputMode::ALL.windows(2) {
            assert_eq!(pair[0].weaker(), Some(pair[1]));
        }
        assert_eq!(OutputMode::Text.weaker(), None);
        for mode in OutputMode::ALL {
            let name = serde_json::to_value(mode).unwrap();
            assert_eq!(name, mode.as_str());
            let choice: OutputChoice = serde_json::from_value(name).unwrap();
            assert_eq!(choice.top(), mode);
        }
        assert_eq!(OutputChoice::default().top(), OutputMode::StrictSchema);
    }

    #[test]
    fn a_provider_without_a_spec_is_the_built_in_one() {
        let spec: ModelProviderSpec = serde_json::from_str("{}").unwrap();
        assert_eq!((spec.kind, spec.request_timeout.get().as_secs()), (ProviderType::Builtin, 120));
        let models = serde_json::json!({ "complex": { "name": "large", "inputPricePerMillion": "0.5", "outputPricePerMillion": "1.5" } });
        let models: Models = serde_json::from_value(models).unwrap();
        assert_eq!(models.simple().name, "large");
    }
}
