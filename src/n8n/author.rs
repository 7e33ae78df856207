//! Who answered the call of a production webhook (n8n 2.39.10, measured): the workflow, n8n itself, or something before it.

use reqwest::header::{CONTENT_SECURITY_POLICY, HeaderValue, WWW_AUTHENTICATE};

use super::answer::{Answer, find};
use super::error::MESSAGE_CHARS;
use crate::domain::probe_answer::{Author, of_an_outage};
use crate::text::one_line;

/// n8n locks up in a sandbox whatever a workflow answers, and says so in a header that begins so. Its own refusals do not have it;
/// older releases have it on HTML only, and `N8N_INSECURE_DISABLE_WEBHOOK_IFRAME_SANDBOX` turns it off.
const SANDBOX: &str = "sandbox allow-";
/// What n8n answers where a run ends with an error before anything was answered.
const FAILED: &str = "Error in workflow";
/// What it answers where it could not run the workflow at all, such as when its database or its queue is away.
const NOT_RUN: &str = "There was a problem executing the workflow";
/// Its words for a webhook that it does not have at that moment: n8n takes webhooks away while it publishes.
const GONE: [&str; 3] = ["The requested webhook ", "Published version not found", "Active version not found"];
/// Its words for a method that the webhook does not have.
const OTHER_METHOD: &str = "This webhook is not registered for ";
/// What a webhook node says to callers that it does not let in, and how it asks them to say who they are.
const NOT_LET_IN: [&[u8]; 2] = [b"Authorization data is wrong!", b"Authorization is required!"];
const REALMS: [&str; 2] = ["realm=\"Webhook\"", "realm=\"n8n Webhook\""];
/// What it answers to every call while its database is away.
const NO_DATABASE: &str = "Database is not ready!";

/// An n8n that is ready answers so where only webhook processors serve production webhooks.
pub(super) const NO_WEBHOOKS: &str = "n8n serves no production webhooks at that address; name the address of its webhook \
                                      processor in spec.webhookCheckURL of the N8nInstance";

/// Who gave an answer of an n8n that is ready.
pub(super) fn author(answer: &Answer) -> Author {
    let status = answer.status.as_u16();
    let policy = answer.headers.get(CONTENT_SECURITY_POLICY).and_then(|value: &HeaderValue| value.to_str().ok());
    if policy.is_some_and(|policy| policy.starts_with(SANDBOX)) {
        return Author::Workflow;
    }
    if answer.is_starting() || is_editor(answer) {
        return Author::Other(NO_WEBHOOKS.to_owned());
    }
    let message = answer.complaint().and_then(|complaint| complaint.message).unwrap_or_default();
    match status {
        500 if message == FAILED => Author::Workflow,
        500 if message == NOT_RUN => Author::Other("n8n could not run the workflow at that moment".to_owned()),
        404 if GONE.iter().any(|words| message.starts_with(words)) => {
            Author::Other(format!("n8n says: {}", one_line(&message, MESSAGE_CHARS)))
        }
        // Whoever has no such address says so too, and whoever guards one.
        404 if !message.starts_with(OTHER_METHOD) => Author::Unclear("HTTP 404, which is not n8n's own".to_owned()),
        401 | 403 | 407 if !lets_nobody_in(answer) => Author::Unclear(format!("HTTP {status}, with which a gate before n8n answers too")),
        300..=399 => Author::Unclear(format!("HTTP {status}, a redirect that the workflow did not send")),
        _ if of_an_outage(status) => Author::Unclear(format!("HTTP {status}, which a proxy or n8n itself answers too")),
        _ if is_page(answer) => Author::Unclear(format!("HTTP {status} with a page that is not the workflow's")),
        _ => Author::Workflow,
    }
}

/// Whether a webhook node that wants authentication turns a caller away.
fn lets_nobody_in(answer: &Answer) -> bool {
    let asks = answer.headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    REALMS.iter().any(|realm| asks.contains(realm)) || NOT_LET_IN.iter().any(|words| find(&answer.body, words).is_some())
}

/// Whether n8n is up and its database is not.
pub(super) fn lacks_its_database(answer: &Answer) -> bool {
    answer.status.as_u16() == 503
        && answer.complaint().and_then(|complaint| complaint.message).is_some_and(|message| message == NO_DATABASE)
}

/// Whether the body is the start page of the editor, which n8n sends to whoever asks for a path that it does not know.
pub(super) fn is_editor(answer: &Answer) -> bool {
    find(&answer.body, b"n8n:config:").is_some() && is_page(answer)
}

fn is_page(answer: &Answer) -> bool {
    let start = &answer.body[..answer.body.len().min(1024)].to_ascii_lowercase();
    find(start, b"<html").is_some() || find(start, b"<!doctype html").is_some()
}
