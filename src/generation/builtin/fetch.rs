//! Data from addresses and feeds, and which items of it count.

use serde_json::{Value, json};

use super::clauses::Clause;
use super::data::Data;
use super::flow::Flow;
use super::records;
use super::starts::{is_feed, map, subject};
use super::stuck::Stuck;
use super::tokens::Kind;
use super::words::Act;
use super::world::harmless;
use crate::generation::compact::OnError;

/// Reads the feed or the address that a clause takes its items from: `send the articles of the feed … to Telegram`.
pub(super) fn read_first(flow: &mut Flow<'_>, clause: &Clause) -> Result<(), Stuck> {
    let at = clause.items.iter().position(|item| item.noun == Some("feed") || item.kind == Kind::Url);
    let from =
        |at: usize| clause.items[..at].iter().rev().take(4).any(|item| item.is(&["from", "of", "aus", "von", "de", "du", "del", "desde"]));
    let Some(at) =
        at.filter(|at| from(*at) && matches!(flow.nodes.last().map(|node| node.kind.as_str()), Some("scheduleTrigger" | "manualTrigger")))
    else {
        return Ok(());
    };
    match clause.items.iter().any(|item| item.noun == Some("feed") || is_feed(item)) {
        true => feed(flow, clause),
        false => http(flow, clause, Act::Get, &clause.items[at].text),
    }
}

/// Words for items that are new.
pub(super) const FRESH: &str = "new since newly neue neuen neuesten nouveaux nouvelles nuevos nuevas";

/// Keeps only the items that earlier executions have not had.
pub(super) fn unseen(flow: &mut Flow<'_>) {
    if flow.nodes.iter().any(|node| node.kind == "removeDuplicates") {
        return;
    }
    let known = ["id", "link", "key"].iter().find_map(|noun| flow.data.field(noun).map(|field| flow.data.code(&field.path)));
    let value = known.unwrap_or_else(|| format!("JSON.stringify({})", flow.data.object()));
    let set = json!({"operation": "removeItemsSeenInPreviousExecutions", "dedupeValue": format!("{{{{{value}}}}}")});
    let id = flow.node("removeDuplicates", "Only New", map(set));
    flow.extend(&id);
    flow.assume("An item is new if no earlier execution had it; the first execution has them all");
}

pub(super) fn limit(flow: &mut Flow<'_>, clause: &Clause) {
    // `the last 7 days` is no number of items.
    let period = |at: usize| {
        clause.items.get(at + 2).is_some_and(|next| {
            next.is(&["day", "days", "hours", "hour", "weeks", "months", "minutes", "tage", "stunden", "jours", "heures", "dias", "horas"])
        })
    };
    let top = clause
        .items
        .windows(2)
        .enumerate()
        .find(|(at, pair)| !period(*at) && pair[0].is(&["top", "first", "latest", "newest", "last", "ersten", "premiers", "primeros"]))
        .map(|(_, pair)| pair);
    let before = clause.items.windows(2).find(|pair| {
        pair[0].number().is_some()
            && (pair[1].is(&["most", "newest", "latest", "best", "top", "first", "last", "neuesten", "derniers", "ultimos"])
                || pair[1].service.is_some())
    });
    let count = top
        .and_then(|pair| pair[1].number())
        .or_else(|| before.and_then(|pair| pair[0].number()))
        .filter(|count| (1.0..=1000.0).contains(count) && count.fract() == 0.0);
    if let Some(count) = count {
        let id = flow.node("limit", "Limit", map(json!({"maxItems": count as u64})));
        flow.extend(&id);
    }
}

pub(super) fn http(flow: &mut Flow<'_>, clause: &Clause, act: Act, url: &str) -> Result<(), Stuck> {
    let written = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(|method| clause.items.iter().any(|item| item.text == *method));
    let pings = clause.items.iter().any(|item| item.is(&["ping", "pings", "pinge"]));
    let method =
        written.unwrap_or(if !pings && matches!(act, Act::Send | Act::Create | Act::Upload | Act::Update) { "POST" } else { "GET" });
    let with = clause.items.iter().any(|item| item.is(&["with", "mit", "avec", "con"]));
    // `call … with it` hands the data over.
    let method = if act == Act::Call && with && !flow.data.hollow && written.is_none() { "POST" } else { method };
    let reads = method == "GET";
    let mut set = json!({"url": harmless(url), "method": method});
    // A schedule has no data that anybody asked to send.
    let tells = !flow.data.hollow || flow.made.is_some();
    if !reads && tells && method != "DELETE" {
        let body = match (&flow.made, flow.data.node.is_empty()) {
            (Some(made), _) => format!("{{{{ JSON.stringify({{ text: {made} }}) }}}}"),
            (None, _) => format!("{{{{ JSON.stringify({}) }}}}", flow.data.object()),
        };
        set["sendBody"] = Value::Bool(true);
        set["specifyBody"] = "json".into();
        set["jsonBody"] = body.into();
    }
    let of_file = reads && is_file(url, act);
    if of_file {
        set["options"] = json!({"response": {"response": {"responseFormat": "file"}}});
    }
    let name = if reads { "Get Data" } else { "HTTP Request" };
    let id = flow.node("httpRequest", name, map(set));
    if reads {
        flow.extend(&id);
        // `send a GET request to …` is all that is asked for.
        flow.effects += usize::from(act == Act::Call || act == Act::Send && written.is_some());
        let noun = subject(&clause.items).unwrap_or("result").to_owned();
        let many = !clause.items.iter().any(|item| {
            item.is(&[
                "check",
                "checks",
                "ping",
                "prufe",
                "verifie",
                "comprueba",
                "revisa",
                "checked",
                "uberwache",
                "surveille",
                "vigila",
                "monitor",
            ])
        });
        if of_file {
            flow.turn_to(Data { noun: "file".to_owned(), binary: Some("data".to_owned()), ..Data::of(&id, "httpRequest.file", None) });
            flow.file = Some((id, "data".to_owned()));
            return Ok(());
        }
        flow.turn_to(Data { many, noun, ..Data::of(&id, "httpRequest", None) });
        records::inline_filter(flow, clause).map_err(|_| Stuck::Condition(clause.text()))?;
        limit(flow, clause);
    } else {
        flow.attach(&id);
        flow.effects += 1;
    }
    Ok(())
}

/// Reports whether what an address gives is a file rather than data.
fn is_file(url: &str, act: Act) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or(url).to_lowercase();
    let ending = path.rsplit_once('.').map(|(_, ending)| ending).unwrap_or_default();
    act == Act::Download || ["pdf", "zip", "png", "jpg", "jpeg", "gif", "docx", "csv", "xlsx", "xls", "gz", "mp3", "mp4"].contains(&ending)
}

pub(super) fn feed(flow: &mut Flow<'_>, clause: &Clause) -> Result<(), Stuck> {
    let url = clause.items.iter().find(|item| item.kind == Kind::Url).map_or_else(|| "?feed-url".to_owned(), |item| item.text.clone());
    let id = flow.node("rssFeedRead", "Read Feed", map(json!({"url": url})));
    flow.extend(&id);
    flow.turn_to(Data { many: true, noun: "article".to_owned(), ..Data::of(&id, "rssFeedRead", None) });
    if clause.items.iter().any(|item| item.among(FRESH)) {
        unseen(flow);
    }
    limit(flow, clause);
    Ok(())
}

/// Makes the branch go on where a node fails, as a condition such as `if it is down` asks.
pub(super) fn on_failure(flow: &mut Flow<'_>) -> Option<()> {
    let id = flow.data.node.clone();
    let node = flow.by_id(&id).filter(|node| node.kind == "httpRequest")?;
    node.on_error = Some(OnError::Output);
    "error".clone_into(&mut flow.data.noun);
    flow.tail = format!("{id}.error");
    let url = node_url(flow, &id);
    flow.made = Some(Value::String(format!("{url} does not answer")).to_string());
    Some(())
}

/// Makes the answer of an address its status, whatever that is: also none.
pub(super) fn watch_status(flow: &mut Flow<'_>) -> Option<()> {
    let id = flow.data.node.clone();
    let node = flow.by_id(&id).filter(|node| node.kind == "httpRequest")?;
    node.on_error = Some(OnError::Continue);
    node.set.insert("options".to_owned(), json!({"response": {"response": {"fullResponse": true, "neverError": true}}}));
    flow.data.many = false;
    let said = Value::String(format!("{} answers with ", node_url(flow, &id)));
    flow.made = Some(format!("{said} + ({} ?? 'nothing')", flow.data.code("statusCode")));
    Some(())
}

fn node_url(flow: &Flow<'_>, id: &str) -> String {
    flow.get(id).and_then(|node| node.set.get("url")).and_then(Value::as_str).unwrap_or("The address").to_owned()
}
