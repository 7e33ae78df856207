//! Conditions in the shape of `metav1.Condition`, with kstatus meaning.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::reason::Reason;

/// The condition types that Weirkeeper writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// The object does what its spec asks for.
    Ready,
    /// Work is under way or will be retried without anybody's help.
    Reconciling,
    /// A person has to act; retries go on all the same.
    Stalled,
    /// The definition was read and found valid.
    Validated,
    /// Every credential that the definition uses is mapped to one on the instance.
    CredentialsReady,
    /// n8n holds what should be there, as read back.
    Synced,
    /// Every production webhook of the published version is registered.
    Live,
    /// Real executions and probes go well.
    Healthy,
    /// n8n holds something else than what we put there.
    Drifted,
    /// The last good version serves in place of the spec's.
    RolledBack,
    /// An N8nInstance answers and accepts the key.
    Reachable,
    /// The catalogue of node types is the one that was asked for, and of the N8nInstance's version of n8n.
    CatalogReady,
    /// The API key of an N8nInstance expires within 14 days.
    KeyExpiring,
}

/// `True`, `False` or `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// The condition holds.
    True,
    /// It does not hold.
    False,
    /// It cannot be told now.
    Unknown,
}

/// One observation of the object's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What the condition is about.
    #[serde(rename = "type")]
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, in one word of the documented catalogue.
    #[schemars(length(min = 1, max = 64), regex(pattern = r"^[A-Z][A-Za-z0-9]*$"))]
    pub reason: String,
    /// Why, for people: what is wrong, where, and what to do.
    #[schemars(length(max = 4096))]
    pub message: String,
    /// When `status` last changed.
    #[schemars(with = "String", extend("format" = "date-time"), length(max = 64))]
    pub last_transition_time: Time,
    /// The generation of the spec that was looked at.
    #[serde(default)]
    #[schemars(with = "i64", range(min = -1))]
    pub observed_generation: i64,
}

/// What a pass wants to say about one condition; `merge` turns it into a `Condition`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionUpdate {
    /// Which condition.
    pub kind: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, in one word.
    pub reason: Reason,
    /// Why, in a sentence.
    pub message: String,
}

/// The longest message that a condition carries, in bytes.
pub const MESSAGE_LIMIT: usize = 2048;

impl ConditionUpdate {
    /// A verdict with a message cut to what a condition carries.
    pub fn new(kind: ConditionType, status: ConditionStatus, reason: Reason, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if message.len() > MESSAGE_LIMIT {
            let end = (0..=MESSAGE_LIMIT - 3).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
            message.truncate(end);
            message.push_str("...");
        }
        Self { kind, status, reason, message }
    }
}

/// Puts verdicts into a list of conditions: each verdict replaces its type, of several on one type the last counts, the
/// time moves only when the status does, and types that no verdict speaks of are removed.
pub fn merge(old: &[Condition], verdicts: &[ConditionUpdate], generation: i64, now: Timestamp) -> Vec<Condition> {
    let last = |at: usize| !verdicts[at + 1..].iter().any(|later| later.kind == verdicts[at].kind);
    let mut merged: Vec<Condition> = verdicts
        .iter()
        .enumerate()
        .filter_map(|(at, verdict)| last(at).then_some(verdict))
        .map(|verdict| {
            let before = find(old, verdict.kind).filter(|before| before.status == verdict.status);
            Condition {
                kind: verdict.kind,
                status: verdict.status,
                reason: verdict.reason.as_str().to_owned(),
                message: verdict.message.clone(),
                last_transition_time: before.map_or_else(|| whole_seconds(now), |before| before.last_transition_time.clone()),
                observed_generation: generation,
            }
        })
        .collect();
    merged.sort_by_key(|condition| condition.kind);
    merged
}

/// The condition of a type, if it is there.
pub fn find(conditions: &[Condition], kind: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.kind == kind)
}

/// As fine as n8n tells when an execution started.
pub fn milliseconds(now: Timestamp) -> MicroTime {
    MicroTime(Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now))
}

/// Kubernetes keeps whole seconds; writing finer ones would differ from what is read back.
pub fn whole_seconds(now: Timestamp) -> Time {
    Time(Timestamp::from_second(now.as_second()).unwrap_or(now))
}
