//! Expiry of the API key of an instance.

use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::condition::{ConditionStatus, ConditionType, ConditionUpdate};
use crate::api::instance::{N8nInstance, N8nInstanceStatus};
use crate::api::reason::Reason;
use crate::controller::connections::Connection;
use crate::controller::context::Context;
use crate::http::ApiKey;
use crate::n8n::key_expiry;

/// Keys that expire sooner than this are reported.
const EXPIRING: Duration = Duration::from_secs(14 * 24 * 3600);

/// When a key expires.
pub(super) struct Expiry {
    /// Set if that is soon.
    pub(super) soon: bool,
    pub(super) message: String,
}

impl Expiry {
    /// Returns the condition that reports it.
    pub(super) fn condition(self) -> ConditionUpdate {
        let (status, reason) =
            if self.soon { (ConditionStatus::True, Reason::KeyExpiring) } else { (ConditionStatus::False, Reason::KeyNotExpiring) };
        ConditionUpdate::new(ConditionType::KeyExpiring, status, reason, self.message)
    }
}

/// Records when the key expires, and returns whether that is soon. None if the key cannot be read.
pub(super) async fn expiry(
    ctx: &Context,
    instance: &N8nInstance,
    connection: &Connection,
    status: &mut N8nInstanceStatus,
) -> Option<Expiry> {
    let secret = &instance.spec.api_key_secret_ref;
    let key = ctx.secrets.get(&connection.namespace(), &secret.name, &secret.key).await.ok().flatten()?;
    let expiry = key_expiry(&ApiKey::parse(&key).ok()?);
    status.key_expires_at = expiry.map(|at| at.to_string());
    ctx.metrics.key_expires(&connection.namespace(), &instance.name_any(), expiry);
    let Some(expiry) = expiry else { return Some(Expiry { soon: false, message: "the API key does not expire".to_owned() }) };
    let soon = Duration::try_from(expiry.duration_since(Timestamp::now())).unwrap_or_default() < EXPIRING;
    let todo = format!(": create a new one in n8n and store it in Secret {}", secret.name);
    Some(Expiry { soon, message: format!("the API key expires at {expiry}{}", if soon { todo.as_str() } else { "" }) })
}
