//! Classes of failed writes to n8n: a failure of the version, one that only repetition would prove, or no failure of the version.

use crate::api::reason::Reason;
use crate::controller::connections::errors;
use crate::domain::error::ReconcileError;
use crate::domain::failure::FailureClass;
use crate::n8n::{Denial, N8nError, Operation};

/// n8n's messages for a version that it will never publish (n8n 2.39.10, measured).
const REFUSALS: [&str; 5] =
    ["has no trigger node", "Unrecognized node type", "is not available in version", "Cannot publish workflow", "Invalid cron expression"];
/// n8n's messages for a definition that it will never save (2.39.10, measured). Others can come from a database that is busy or shuts
/// down.
const UNSAVEABLE: [&str; 3] = ["request/body", "Workflow structure is invalid", "Workflow name must be"];
/// n8n's message for a trigger that could not be started: the service of a version that was good before may be down today.
const NOT_STARTED: &str = "There was a problem activating the workflow";

/// Returns the class of a failed write.
pub(super) fn read(error: &N8nError) -> FailureClass {
    let publishing = matches!(error.operation(), Operation::Publish);
    match error {
        N8nError::Refused { message, .. } if publishing => refused_publication(message),
        // An archived workflow accepts no writes; it was archived a moment ago, and the next reconciliation unarchives it.
        N8nError::Refused { message, operation, .. }
            if !matches!(operation, Operation::UpdateWorkflow | Operation::CreateWorkflow) || message.contains("archived workflow") =>
        {
            FailureClass::Nothing(ReconcileError::transient(Reason::NotSynced, error.to_string()))
        }
        N8nError::Refused { message, .. } => {
            let words = format!("n8n refuses to save the definition: {message}");
            if UNSAVEABLE.iter().any(|lasting| message.contains(lasting)) {
                return FailureClass::Never(Reason::RejectedByN8n, words);
            }
            FailureClass::Perhaps(Reason::RejectedByN8n, words.clone(), ReconcileError::transient(Reason::RejectedByN8n, words))
        }
        // The definition is far smaller than n8n's limit, so a proxy answers.
        N8nError::TooLarge { .. } => FailureClass::Perhaps(Reason::RejectedByN8n, error.to_string(), error.clone().into()),
        N8nError::Forbidden { denial: Denial::SavedAsDraft { .. }, .. } => FailureClass::Nothing(ReconcileError::denied(
            Reason::MissingScope,
            "the API key lacks the scope workflow:activate: the draft was saved and not published; give the key that scope",
        )),
        N8nError::Server { message, .. } if publishing => {
            let cause = message.as_deref().unwrap_or("an internal error");
            let words = format!("n8n fails to publish: {cause}; a trigger that cannot reach its service fails like this");
            FailureClass::Perhaps(Reason::PublishRefused, words, error.clone().into())
        }
        N8nError::Timeout { .. } | N8nError::HalfAnswered { .. } if publishing => {
            let error = ReconcileError::transient(Reason::PublishUnconfirmed, error.to_string());
            FailureClass::Perhaps(Reason::PublishUnconfirmed, format!("publication was not confirmed: {error}"), error)
        }
        error => FailureClass::Nothing(errors::project_error(error.clone())),
    }
}

fn refused_publication(message: &str) -> FailureClass {
    let words = format!("n8n refuses to publish: {message}");
    let waits = |words: &str| {
        ReconcileError::waiting(Reason::WebhookPathTaken, format!("{words}; it is published automatically when the path is free"))
    };
    if REFUSALS.iter().any(|update| message.contains(update)) && !message.contains("which is not published") {
        return FailureClass::Never(Reason::PublishRefused, words);
    }
    if message.contains(NOT_STARTED) {
        return FailureClass::NotNow(Reason::PublishRefused, words);
    }
    // Of the two errors for a path in use, this one leaves the published version alone, so waiting costs nothing. The other ("already
    // taken", of parameterised paths) takes it offline with each attempt, and so it is not retried for ever.
    if message.contains("conflict with one of the webhooks") {
        return FailureClass::Nothing(waits(&words));
    }
    if message.contains("is already taken") {
        return FailureClass::Perhaps(Reason::PublishRefused, words.clone(), waits(&words));
    }
    if message.contains("which is not published") {
        return FailureClass::Nothing(ReconcileError::waiting(Reason::ReferenceNotPublished, words));
    }
    // Other messages can be about a moment, such as a user unpublishing just then.
    FailureClass::Perhaps(Reason::PublishRefused, words.clone(), ReconcileError::transient(Reason::PublishUnconfirmed, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(operation: Operation, message: &str) -> FailureClass {
        read(&N8nError::Refused { operation, status: 400, message: message.to_owned() })
    }

    #[test]
    fn only_n8ns_own_words_about_the_version_decide_about_it() {
        let publish = |message| refused(Operation::Publish, message);
        assert!(matches!(publish("Unrecognized node type: x.y"), FailureClass::Never(Reason::PublishRefused, _)));
        assert!(matches!(publish("There was a problem activating the workflow: \"Invalid cron expression\""), FailureClass::Never(..)));
        assert!(matches!(publish("There was a problem activating the workflow: \"ECONNREFUSED\""), FailureClass::NotNow(..)));
        assert!(matches!(publish("The URL path is already taken. Please change it"), FailureClass::Perhaps(..)));
        assert!(matches!(publish("Words that nobody measured"), FailureClass::Perhaps(..)));
        assert!(matches!(publish("There is a conflict with one of the webhooks."), FailureClass::Nothing(_)));
        let child = "Cannot publish workflow: Node \"Call\" references workflow 1 (\"sub\") which is not published. Please";
        assert!(matches!(publish(child), FailureClass::Nothing(error) if error.reason == Reason::ReferenceNotPublished));
        for operation in [Operation::UpdateWorkflow, Operation::CreateWorkflow] {
            assert!(matches!(refused(operation, "request/body/nodes/0 ..."), FailureClass::Never(Reason::RejectedByN8n, _)));
            // Message of an n8n that was being stopped.
            assert!(matches!(refused(operation, "request for lock canceled"), FailureClass::Perhaps(Reason::RejectedByN8n, ..)));
        }
        assert!(matches!(refused(Operation::Unarchive, "Workflow is not archived."), FailureClass::Nothing(_)));
    }

    #[test]
    fn errors_of_the_connection_or_the_key_do_not_fail_the_version() {
        let operation = Operation::Publish;
        let silent = [
            N8nError::Connect { operation, reason: "refused".into() },
            N8nError::Unauthorized { operation },
            N8nError::RateLimited { operation, retry_after: None },
            N8nError::NotReady { operation, status: 503, retry_after: None },
            N8nError::Server { operation: Operation::UpdateWorkflow, status: 500, message: None },
        ];
        for error in silent {
            assert!(matches!(read(&error), FailureClass::Nothing(_)), "{error}");
        }
        assert!(matches!(read(&N8nError::Server { operation, status: 500, message: None }), FailureClass::Perhaps(..)));
    }
}
