//! Trust that the n8n at the URL of an instance is the one that its Workflows are bound to.

use url::Url;

use crate::api::instance::N8nInstance;
use crate::api::reason::Reason;
use crate::domain::error::ReconcileError;

/// Checks that writes to the instance are trusted. The origin may have changed a moment ago, seen only by this reconciliation: the URL of
/// the client is compared with the origin that the owner vouched for.
pub fn check(instance: &N8nInstance, suspect: bool) -> Result<(), ReconcileError> {
    let status = instance.status.as_ref();
    let bound = status.and_then(|status| status.bound_origin.as_deref());
    let moved = bound.is_some_and(|bound| origin(&instance.spec.url).ok().as_deref() != Some(bound));
    let seen = status.map(|status| status.observed_generation) == instance.metadata.generation;
    if moved && !seen {
        return Err(ReconcileError::transient(
            Reason::Progressing,
            "the instance's URL changed to another origin; nothing is written until the N8nInstance is reconciled",
        ));
    }
    if suspect || status.is_some_and(|status| status.identity_suspect) {
        return Err(emptied());
    }
    if moved {
        return Err(moved_away(None));
    }
    Ok(())
}

/// Returns the error for an origin from which many of its bound workflows vanished together.
pub fn emptied() -> ReconcileError {
    ReconcileError::denied(
        Reason::IdentityChanged,
        "many managed workflows vanished together (more than 5, and more than 10 %): another n8n, or an emptied one, seems to answer at spec.url of the N8nInstance. Nothing is written to it until the annotation weirkeeper.dev/reset-at is set on the N8nInstance",
    )
}

/// Returns the error for a URL whose origin is not the one that workflows are bound to; the bound origin is named to the instance's owner
/// only.
pub fn moved_away(bound: Option<&str>) -> ReconcileError {
    let bound = bound.unwrap_or("the one");
    ReconcileError::denied(
        Reason::OriginChanged,
        format!(
            "spec.url of the N8nInstance leads to another origin than {bound} to which its workflows are bound. Nothing is written to it: set the URL back, or set the annotation weirkeeper.dev/reset-at on the N8nInstance if the workflows are there"
        ),
    )
}

/// Returns the origin of a URL: scheme, host and port.
pub fn origin(url: &str) -> Result<String, url::ParseError> {
    Ok(Url::parse(url)?.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reason(url: &str, generation: i64, suspect: bool) -> Option<Reason> {
        let instance: N8nInstance = serde_json::from_value(json!({
            "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nInstance", "metadata": { "name": "main", "generation": generation },
            "spec": { "url": url, "apiKeySecretRef": { "name": "main" } },
            "status": { "observedGeneration": 1, "boundOrigin": "https://n8n.example", "conditions": [] },
        }))
        .unwrap();
        check(&instance, suspect).err().map(|error| error.reason)
    }

    #[test]
    fn only_the_origin_that_was_vouched_for_is_written_to() {
        for same in ["https://n8n.example", "https://n8n.example:443/prefix/"] {
            assert_eq!(reason(same, 2, false), None, "{same}");
        }
        assert_eq!(reason("https://n8n.example", 1, true), Some(Reason::IdentityChanged));
        for other in ["https://n8n.example:8443", "http://n8n.example", "https://other.example"] {
            assert_eq!(reason(other, 2, false), Some(Reason::Progressing), "{other}: not reconciled yet");
            assert_eq!(reason(other, 1, false), Some(Reason::OriginChanged), "{other}");
        }
    }
}
