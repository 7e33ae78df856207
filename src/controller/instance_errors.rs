//! Errors that reconciliations of Workflows and credentials meet with their N8nInstance.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use kube::runtime::reflector::ObjectRef;

use super::context::Context;
use crate::api::reason::Reason;
use crate::domain::api_key::explained;
use crate::domain::error::ReconcileError;

/// Time during which an instance that a Workflow could not reach is not reconciled again on behalf of another Workflow.
const DOUBTED_FOR: Duration = Duration::from_secs(5);

impl Context {
    /// Takes note of an error of a reconciliation with an instance: an n8n that does not answer is checked, since its objects are woken when it
    /// does again, and an API key that it rejects is read again by the next attempt, for it may have been renewed. Explains the error by what
    /// is known of the key.
    pub fn note_error(&self, (namespace, name): (&str, &str), error: ReconcileError) -> ReconcileError {
        match error.reason {
            Reason::InstanceUnreachable | Reason::InstanceStarting => self.doubt_instance(namespace, name),
            Reason::Unauthorized | Reason::MissingScope => {
                let Some(instance) = self.instance(namespace, name) else { return error };
                self.connections.forget_key(&instance);
                let Some(status) = &instance.status else { return error };
                return explained(error, status.key_expires_at.as_deref(), &status.key_scopes, Timestamp::now());
            }
            _ => {}
        }
        error
    }

    /// Starts a reconciliation of an N8nInstance.
    pub fn ask_instance(&self, namespace: &str, name: &str) {
        // The receiver only goes away with the operator.
        let _ = self.wake_instance.send(ObjectRef::new(name).within(namespace));
    }

    /// Requests a reconciliation of an instance that a Workflow could not reach, unless the instance is known to be unreachable or one was
    /// requested within `DOUBTED_FOR`.
    fn doubt_instance(&self, namespace: &str, name: &str) {
        let Some(instance) = self.instance(namespace, name) else { return };
        let (uid, now) = (instance.metadata.uid.as_deref().unwrap_or_default(), Instant::now());
        let lately = self.remember(uid, |memory| {
            if memory.unreachable {
                return true;
            }
            let lately = memory.doubted.is_some_and(|at| now.duration_since(at) < DOUBTED_FOR);
            memory.doubted = memory.doubted.filter(|_| lately).or(Some(now));
            lately
        });
        if !lately {
            self.ask_instance(namespace, name);
        }
    }
}
