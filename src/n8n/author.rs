//! Author of the answer to a call of a production webhook (n8n 2.39.10, measured): the workflow, n8n itself, or something in front of it.

use reqwest::header::{CONTENT_SECURITY_POLICY, HeaderValue, WWW_AUTHENTICATE};

use super::answer::{Answer, find};
use super::error::MESSAGE_CHARS;
use crate::domain::probe_answer::{Author, of_an_outage};
use crate::text::one_line;

/// Beginning of the header with which n8n sandboxes every answer of a workflow. n8n's own refusals do not have it; older releases set it on
/// HTML only, and `N8N_INSECURE_DISABLE_WEBHOOK_IFRAME_SANDBOX` turns it off.
const SANDBOX: &str = "sandbox allow-";
/// n8n's message if a run fails before anything was answered.
const FAILED: &str = "Error in workflow";
/// n8n's message if it could not run the workflow at all, for example because its database or its queue is unavailable.
const NOT_RUN: &str = "There was a problem executing the workflow";
/// Beginnings of n8n's messages for a webhook that is not registered at the moment: n8n removes webhooks while it publishes.
const GONE: [&str; 3] = ["The requested webhook ", "Published version not found", "Active version not found"];
/// Beginning of n8n's message for a method that the webhook does not have.
const OTHER_METHOD: &str = "This webhook is not registered for ";
/// Bodies with which a webhook node refuses unauthenticated callers, and its challenges.
const NOT_LET_IN: [&[u8]; 2] = [b"Authorization data is wrong!", b"Authorization is required!"];
const REALMS: [&str; 2] = ["realm=\"Webhook\"", "realm=\"n8n Webhook\""];
/// n8n's message to every call while its database is unavailable.
const NO_DATABASE: &str = "Database is not ready!";

/// Message for a ready n8n whose production webhooks are served by webhook processors only.
pub(super) const NO_WEBHOOKS: &str = "n8n serves no production webhooks at that address; set \
                                      spec.webhookCheckURL of the N8nInstance to the address of its webhook processor";

/// Returns the author of an answer of an n8n that is ready.
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
        // Any server without such an address answers 404, and so does one that hides it.
        404 if !message.starts_with(OTHER_METHOD) => Author::Unclear("HTTP 404, which does not come from n8n".to_owned()),
        401 | 403 | 407 if !lets_nobody_in(answer) => {
            Author::Unclear(format!("HTTP {status}, which may come from a gateway in front of n8n"))
        }
        300..=399 => Author::Unclear(format!("HTTP {status}, a redirect that the workflow did not send")),
        _ if of_an_outage(status) => Author::Unclear(format!("HTTP {status}, which may come from a proxy or from n8n itself")),
        _ if is_page(answer) => Author::Unclear(format!("HTTP {status} with a page that the workflow did not send")),
        _ => Author::Workflow,
    }
}

/// Reports whether a webhook node refused the caller for lack of authentication.
fn lets_nobody_in(answer: &Answer) -> bool {
    let asks = answer.headers.get(WWW_AUTHENTICATE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    REALMS.iter().any(|realm| asks.contains(realm)) || NOT_LET_IN.iter().any(|words| find(&answer.body, words).is_some())
}

/// Reports whether n8n is up but its database is not.
pub(super) fn lacks_its_database(answer: &Answer) -> bool {
    answer.status.as_u16() == 503
        && answer.complaint().and_then(|complaint| complaint.message).is_some_and(|message| message == NO_DATABASE)
}

/// Reports whether the body is the editor's start page, which n8n sends for every path that it does not know.
pub(super) fn is_editor(answer: &Answer) -> bool {
    find(&answer.body, b"n8n:config:").is_some() && is_page(answer)
}

fn is_page(answer: &Answer) -> bool {
    let start = &answer.body[..answer.body.len().min(1024)].to_ascii_lowercase();
    find(start, b"<html").is_some() || find(start, b"<!doctype html").is_some()
}
