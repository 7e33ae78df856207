//! Which mails of a mailbox start the workflow.

use serde_json::{Map, Value, json};

use super::beside;
use super::flow::Flow;
use super::mails::{self, Mails};
use super::reading::Item;

/// Returns the search by which IMAP tells only of the mails from a sender or to an address; `None` if all are meant.
fn search(mails: &Mails) -> Option<String> {
    let rule = |key: &str, address: &Option<String>| address.as_ref().map(|address| json!([key, address]));
    let rules: Vec<Value> = rule("FROM", &mails.from).into_iter().chain(rule("TO", &mails.to)).collect();
    let all = || std::iter::once(Value::from("UNSEEN")).chain(rules.clone()).collect();
    (!rules.is_empty()).then(|| Value::Array(all()).to_string())
}

/// Has a trigger of mails tell only of those from a sender or to an address.
///
/// # Errors
///
/// The restriction, where a trigger has no parameter for it.
pub(super) fn filter(short: &str, mails: &Mails, set: &mut Map<String, Value>) -> Result<(), String> {
    let mut filters = set.get("filters").and_then(Value::as_object).cloned().unwrap_or_default();
    filters.extend(mails.from.as_ref().map(|from| ("sender".to_owned(), from.as_str().into())));
    match short {
        "gmailTrigger" => {
            let own = filters.get("q").and_then(Value::as_str).map(str::to_owned);
            let query: Vec<String> = mails.to.iter().map(|to| format!("to:{to}")).chain(own).collect();
            filters.extend((!query.is_empty()).then(|| ("q".to_owned(), query.join(" ").into())));
        }
        "microsoftOutlookTrigger" if mails.to.is_none() => {}
        _ if mails.from.is_none() && mails.to.is_none() => return Ok(()),
        _ => return Err("whose mails are meant".to_owned()),
    }
    if !filters.is_empty() {
        set.insert("filters".to_owned(), Value::Object(filters));
    }
    Ok(())
}

/// Adds the trigger of a mailbox that is read by IMAP.
pub(super) fn imap(flow: &mut Flow<'_>, items: &[Item], attached: bool) {
    let mails = mails::of_start(items);
    let options = search(&mails).map(|search| ("customEmailConfig".to_owned(), search.into()));
    let mut set = Map::from_iter([("options".to_owned(), Value::Object(options.into_iter().collect()))]);
    if attached {
        set.insert("downloadAttachments".to_owned(), Value::Bool(true));
    }
    let id = flow.node("emailReadImap", "New Mail", set);
    match mails.mailbox {
        Some(own) => flow.assume(format!("Mails are read by IMAP from the mailbox of {own}")),
        None => flow.assume("Mails are read from a mailbox by IMAP"),
    }
    flow.begin(&id, "emailReadImap", None, "mail");
    if attached {
        beside::only_with_file(flow, "Object.keys($binary ?? {}).length > 0");
        flow.data.binary = Some("attachment_0".to_owned());
        flow.file = Some((id, "attachment_0".to_owned()));
    }
}
