//! Explanation of n8n's refusal of an API key, from what is known of the key.

use jiff::Timestamp;

use crate::api::reason::Reason;

use crate::domain::error::ReconcileError;

/// Scopes that the API key of an instance needs.
pub const SCOPES: [&str; 10] = [
    "workflow:create",
    "workflow:read",
    "workflow:update",
    "workflow:delete",
    "workflow:list",
    "workflow:activate",
    "workflow:deactivate",
    "credential:list",
    "execution:list",
    "execution:read",
];

/// Returns the needed scopes that a key lacks.
pub fn missing_scopes(granted: &[String]) -> Vec<&'static str> {
    SCOPES.into_iter().filter(|scope| !granted.iter().any(|one| one == scope)).collect()
}

/// Completes n8n's refusal of an API key with the time at which the key expired, if known, or with every scope that the key lacks, so that
/// the owner learns of all of them at once. `scopes` are the scopes of the key; empty when they are not known.
#[must_use]
pub fn explained(mut reconcile_error: ReconcileError, expires_at: Option<&str>, scopes: &[String], now: Timestamp) -> ReconcileError {
    let expired = expires_at.and_then(|at| at.parse::<Timestamp>().ok()).filter(|at| *at <= now);
    let missing = if scopes.is_empty() { Vec::new() } else { missing_scopes(scopes) };
    match (reconcile_error.reason, expired) {
        (Reason::Unauthorized, Some(at)) => reconcile_error.message.push_str(&format!("; the key expired at {at}")),
        (Reason::MissingScope, _) if missing.len() > 1 => {
            reconcile_error.message.push_str(&format!("; the API key lacks these scopes that Weirkeeper needs: {}", missing.join(", ")));
        }
        _ => {}
    }
    reconcile_error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_a_known_expiry_and_every_missing_scope() {
        let now: Timestamp = "2030-01-02T00:00:00Z".parse().unwrap();
        let all: Vec<String> = SCOPES.iter().map(|scope| (*scope).to_owned()).collect();
        let message = |reason, expires: Option<&str>, scopes: &[String]| {
            explained(ReconcileError::denied(reason, "no"), expires, scopes, now).message
        };
        assert_eq!(message(Reason::Unauthorized, Some("2030-01-01T00:00:00Z"), &all), "no; the key expired at 2030-01-01T00:00:00Z");
        assert_eq!(message(Reason::Unauthorized, Some("2030-01-03T00:00:00Z"), &all), "no", "the key has not expired yet");
        assert_eq!(message(Reason::Unauthorized, None, &all), "no");
        let lacking = "no; the API key lacks these scopes that Weirkeeper needs: workflow:activate, workflow:deactivate";
        let granted: Vec<String> = all.iter().filter(|scope| !scope.contains("activate")).cloned().collect();
        assert_eq!(message(Reason::MissingScope, None, &granted), lacking);
        assert_eq!(message(Reason::MissingScope, None, &all[1..]), "no", "n8n's message names the only missing scope already");
        assert_eq!(message(Reason::MissingScope, None, &[]), "no", "the scopes of the key are not known");
    }
}
