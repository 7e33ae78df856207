//! WorkflowPrompts that are never worked on, found before they are stored and before a model sees them.

use crate::api::prompt::WorkflowPrompt;
use crate::domain::prompt::answers;
use crate::generation::hostile::refusal;
use crate::generation::prompt::MAX_PROMPT;
use crate::validator::content::secret::holds_secret;

/// Returns why a WorkflowPrompt is never worked on, and what to do.
pub fn never_worked_on(prompt: &WorkflowPrompt) -> Option<String> {
    let text = &prompt.spec.prompt;
    if text.trim().is_empty() {
        return Some("spec.prompt is empty; say in a sentence what the workflow is to do".to_owned());
    }
    if text.len() > MAX_PROMPT {
        return Some(format!("spec.prompt has {} bytes, and at most {MAX_PROMPT} are read; say it shorter, or split it", text.len()));
    }
    if let Some(why) = refusal(text) {
        return Some(format!("spec.prompt is not worked on: {why}"));
    }
    let answers = match answers(prompt) {
        Ok(answers) => answers,
        Err(message) => return Some(message),
    };
    let secret = "contains what looks like a secret, which would be stored and sent to a model; replace it, and give it to n8n as a credential (spec.workflow.credentials)";
    if holds_secret(text) {
        return Some(format!("spec.prompt {secret}"));
    }
    answers.iter().find(|(_, answer)| holds_secret(answer)).map(|(id, _)| format!("the answer to {id:?} {secret}"))
}
