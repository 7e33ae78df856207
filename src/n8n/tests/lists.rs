//! Lists: complete, without repetition, and never endless.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::scripted::{Reply, Scripted, Seen, json, raw};
use super::super::{ExecutionQuery, N8nError};
use crate::domain::remote::ExecutionStatus;

type Store = Arc<Mutex<Vec<String>>>;

fn store(count: usize) -> Store {
    Arc::new(Mutex::new((0..count).map(|n| format!("w{n:05}")).collect()))
}

/// Returns a page as n8n does, for the query or the cursor.
fn page(items: &[String], seen: &Seen) -> Value {
    let cursor: Value =
        seen.query("cursor").map(|cursor| serde_json::from_slice(&STANDARD.decode(cursor).unwrap()).unwrap()).unwrap_or_default();
    let number = |name: &str| cursor[name].as_u64().map(|n| usize::try_from(n).unwrap());
    let offset = number("offset").unwrap_or(0);
    let limit = number("limit").unwrap_or_else(|| seen.query("limit").unwrap().parse().unwrap());
    let data: Vec<Value> = items
        .iter()
        .skip(offset)
        .take(limit)
        .map(|id| json!({ "id": id, "name": id, "nodes": [{ "big": "x" }], "settings": { "a": 1 } }))
        .collect();
    let next = (items.len() > offset + limit).then(|| STANDARD.encode(json!({ "limit": limit, "offset": offset + limit }).to_string()));
    json!({ "data": data, "nextCursor": next })
}

async fn listing(store: &Store, mut between: impl FnMut(usize, &mut Vec<String>) + Send + 'static) -> Scripted {
    let store = store.clone();
    let mut served = 0;
    Scripted::start(move |seen| {
        let mut items = store.lock().unwrap();
        let page = page(&items, seen);
        served += 1;
        between(served, &mut items);
        json(200, page)
    })
    .await
}

#[tokio::test]
async fn a_long_list_is_read_completely_and_once() {
    let store = store(1_003);
    let server = listing(&store, |_, _| {}).await;
    let list = server.client().list_summaries(Some("weirkeeper")).await.unwrap();
    assert_eq!(list.iter().map(|w| w.id.clone()).collect::<Vec<_>>(), *store.lock().unwrap());
    assert_eq!(list[0].settings["a"], 1);
    assert_eq!(server.calls().len(), 5);
    for seen in server.seen() {
        assert_eq!(seen.query("excludePinnedData").as_deref(), Some("true"));
        assert_eq!(seen.query("tags").as_deref(), Some("weirkeeper"));
        assert_eq!(seen.query("limit").as_deref(), Some("250"));
    }
}

#[tokio::test]
async fn nothing_is_missed_when_items_vanish_between_pages() {
    for vanishing in [1, 9, 10, 11, 100, 249, 250] {
        let store = store(700);
        let server = listing(&store, move |served, items| {
            if served <= 2 {
                items.drain(..vanishing.min(items.len()));
            }
        })
        .await;
        let list = server.client().list_workflows().await.unwrap();
        let found: BTreeSet<String> = list.iter().map(|w| w.id.clone()).collect();
        assert_eq!(found.len(), list.len());
        let missed: Vec<String> = store.lock().unwrap().iter().filter(|id| !found.contains(*id)).cloned().collect();
        assert!(missed.is_empty(), "{vanishing} vanished and {missed:?} were missed");
    }
}

#[tokio::test]
async fn nothing_is_missed_when_the_rest_of_the_list_shrinks_away() {
    let store = store(260);
    let server = listing(&store, |served, items| {
        if served == 1 {
            items.drain(..30);
        }
    })
    .await;
    let list = server.client().list_summaries(None).await.unwrap();
    assert_eq!(list.len(), 260);
}

#[tokio::test]
async fn nothing_is_listed_twice_when_items_appear_between_pages() {
    let store = store(600);
    let server = listing(&store, |served, items| items.insert(0, format!("a{served}"))).await;
    let list = server.client().list_summaries(None).await.unwrap();
    let found: BTreeSet<&str> = list.iter().map(|w| w.id.as_str()).collect();
    assert_eq!((found.len(), list.len()), (600, 600));
}

#[tokio::test]
async fn a_page_that_is_too_large_is_read_in_smaller_ones() {
    let store = store(300);
    let items = store.clone();
    let server = Scripted::start(move |seen| {
        let page = page(&items.lock().unwrap(), seen);
        if page["data"].as_array().unwrap().len() > 50 {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 65 * 1024 * 1024);
            Reply::Close([head.into_bytes(), vec![b' '; 65 * 1024 * 1024]].concat())
        } else {
            json(200, page)
        }
    })
    .await;
    let mut settings = server.settings();
    settings.request_timeout = std::time::Duration::from_secs(20);
    let list = super::super::scripted::client(settings).list_summaries(None).await.unwrap();
    assert_eq!(list.len(), 300);
}

#[tokio::test]
async fn a_cursor_that_does_not_advance_is_an_error_and_not_a_loop() {
    let stuck = |cursor: &str| {
        let cursor = cursor.to_owned();
        Scripted::start(move |_| json(200, json!({ "data": [{ "id": "1" }], "nextCursor": cursor })))
    };
    // n8n's own cursor for `limit=0`, and an opaque one.
    for cursor in [STANDARD.encode(r#"{"limit":0,"offset":0}"#), "opaque".into()] {
        let server = stuck(&cursor).await;
        let n8n = server.client();
        assert!(matches!(n8n.list_workflows().await, Err(N8nError::Protocol { .. })), "{cursor}");
        assert!(matches!(n8n.list_tags().await, Err(N8nError::Protocol { .. })), "{cursor}");
        let query = ExecutionQuery { limit: 500, ..Default::default() };
        assert!(matches!(n8n.executions(&query).await, Err(N8nError::Protocol { .. })), "{cursor}");
        assert!(server.calls().len() < 12);
    }
}

#[tokio::test]
async fn an_opaque_cursor_is_followed_as_it_is() {
    let server = Scripted::start(|seen| match seen.query("cursor").as_deref() {
        None => json(200, json!({ "data": [{ "id": 1, "name": "a" }], "nextCursor": "x" })),
        Some("x") => json(200, json!({ "data": [{ "id": 2, "name": "b" }], "nextCursor": "y" })),
        _ => json(200, json!({ "data": [], "nextCursor": null })),
    })
    .await;
    let names: Vec<String> = server.client().list_tags().await.unwrap().into_iter().map(|t| t.name).collect();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test]
async fn a_failing_page_fails_the_list() {
    let store = store(600);
    let items = store.clone();
    let mut served = 0;
    let server = Scripted::start(move |seen| {
        served += 1;
        if served < 3 { json(200, page(&items.lock().unwrap(), seen)) } else { Reply::Keep(raw(500, "", "text/html", "")) }
    })
    .await;
    assert!(matches!(server.client().list_summaries(None).await, Err(N8nError::Server { .. })));
    let comma = server.client().list_workflows_tagged("a,b").await;
    assert!(matches!(comma, Err(N8nError::Unsendable { .. })));
}

#[tokio::test]
async fn executions_are_read_up_to_the_limit() {
    let server = Scripted::start(|seen| {
        let last: u64 = seen.query("cursor").map_or(1_000, |c| c.parse().unwrap());
        let limit: u64 = seen.query("limit").unwrap().parse().unwrap();
        let data: Vec<Value> = (last - limit..last)
            .rev()
            .map(|id| json!({ "id": id.to_string(), "status": "error", "mode": "webhook", "workflowId": "w" }))
            .collect();
        json(200, json!({ "data": data, "nextCursor": (last - limit).to_string() }))
    })
    .await;
    let query = ExecutionQuery {
        workflow_id: Some("w".into()),
        status: Some(ExecutionStatus::Error),
        started_after: Some("2026-11-21T03:40:00.123456Z".parse().unwrap()),
        started_before: Some("2026-11-21T04:00:00Z".parse().unwrap()),
        limit: 300,
    };
    let found = server.client().executions(&query).await.unwrap();
    assert_eq!((found.len(), found[0].id.as_str(), found[299].id.as_str()), (300, "999", "700"));
    assert_eq!(
        server.calls(),
        [
            "GET /api/v1/executions?limit=250&workflowId=w&status=error&startedAfter=2026-11-21T03%3A40%3A00.123Z&startedBefore=2026-11-21T04%3A00%3A00.000Z",
            "GET /api/v1/executions?limit=50&workflowId=w&status=error&startedAfter=2026-11-21T03%3A40%3A00.123Z&startedBefore=2026-11-21T04%3A00%3A00.000Z&cursor=750",
        ]
    );
    let none = ExecutionQuery { limit: 0, ..query };
    assert!(server.client().executions(&none).await.unwrap().is_empty());
}

#[tokio::test]
async fn executions_are_filtered_by_the_clock_of_n8n() {
    for (ahead, there) in [(-600, "03:30:00"), (0, "03:40:00"), (3600, "04:40:00")] {
        let server = Scripted::start(move |_| {
            let date = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(ahead);
            let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&date).unwrap();
            Reply::Keep(raw(200, &format!("date: {date}\r\n"), "application/json", r#"{"data":[],"nextCursor":null}"#))
        })
        .await;
        let query = ExecutionQuery { started_after: Some("2026-11-21T03:40:00Z".parse().unwrap()), limit: 1, ..Default::default() };
        // n8n's clock is known from the first answer on. A second more or less may pass between two readings of a clock.
        let client = server.client();
        client.executions(&ExecutionQuery { limit: 1, ..Default::default() }).await.unwrap();
        client.executions(&query).await.unwrap();
        let asked = server.seen()[1].query("startedAfter").unwrap();
        let (asked, there) =
            (asked.parse::<jiff::Timestamp>().unwrap(), format!("2026-11-21T{there}Z").parse::<jiff::Timestamp>().unwrap());
        assert!((asked - there).get_seconds().abs() <= 1, "{asked} {there}");
    }
}

#[tokio::test]
async fn a_failure_is_one_short_line() {
    let server = Scripted::start(|seen| {
        let error = match seen.target.rsplit('/').next().unwrap().split('?').next().unwrap() {
            "1" => json!({ "message": format!("line\n{}", "x".repeat(900)), "node": { "name": "HTTP", "parameters": {} } }),
            "2" => json!({ "message": "", "description": "described", "node": "Code" }),
            "3" => Value::Null,
            "4" => return json(200, json!({ "id": "4", "status": "crashed", "data": null })),
            _ => return json(200, json!({ "id": "5", "status": "success", "data": { "resultData": { "runData": {} } } })),
        };
        let data = json!({ "resultData": { "runData": { "HTTP": [{}] }, "lastNodeExecuted": "Last", "error": error } });
        json(200, json!({ "id": 7, "status": "error", "data": data }))
    })
    .await;
    let n8n = server.client();
    let failure = |id: &'static str| {
        let n8n = n8n.clone();
        async move { n8n.execution_failure(id).await.unwrap().map(|f| (f.node, f.message)) }
    };
    let (node, message) = failure("1").await.unwrap();
    assert_eq!((node.as_deref(), message.chars().count()), (Some("HTTP"), 300));
    assert!(message.starts_with("line xxx") && message.ends_with('…'));
    assert_eq!(failure("2").await, Some((Some("Code".into()), "described".into())));
    assert_eq!(failure("3").await, Some((Some("Last".into()), "n8n kept no details of the failure".into())));
    assert!(failure("4").await.unwrap().1.contains("n8n stopped"));
    assert_eq!(failure("5").await, None);
}

#[tokio::test]
async fn the_input_of_a_failed_node_is_the_output_that_it_was_given_in_its_last_run() {
    let server = Scripted::start(|seen| {
        let items = |text: &str| json!([{ "json": { "text": text } }]);
        let failed = |source: Value| json!({ "source": [source], "error": { "message": "no" } });
        let before = json!([{ "data": { "main": [items("first"), items("other")] } }, { "data": { "main": [null, items("second")] } }]);
        let runs = match seen.target.rsplit('/').next().unwrap().split('?').next().unwrap() {
            "1" => json!({ "If": before, "Send": [failed(json!({ "previousNode": "If" })),
                failed(json!({ "previousNode": "If", "previousNodeOutput": 1, "previousNodeRun": 1 }))] }),
            "2" => json!({ "Send": [failed(json!({ "previousNode": "Gone", "previousNodeOutput": 70 }))] }),
            "3" => json!({ "Send": [{ "source": [null] }] }),
            _ => json!([7]),
        };
        json(200, json!({ "status": "error", "data": { "resultData": { "runData": runs, "error": { "message": "no", "node": "Send" } } } }))
    })
    .await;
    let n8n = server.client();
    let run = n8n.failed_run("1").await.unwrap().unwrap();
    assert_eq!((run.failure.node.as_deref(), run.failure.message.as_str()), (Some("Send"), "no"));
    assert_eq!(run.input, Some(vec![json!({ "text": "second" })]));
    for without in ["2", "3", "4"] {
        assert_eq!(n8n.failed_run(without).await.unwrap().unwrap().input, None, "{without}");
    }
}

#[tokio::test]
async fn a_tag_that_exists_is_found_and_one_that_cannot_exist_is_refused() {
    let server = Scripted::start(|seen| match seen.method.as_str() {
        "POST" => json(409, json!({ "message": "Tag already exists" })),
        _ => json(200, json!({ "data": [{ "id": "t1", "name": "Mine" }, { "id": "t2", "name": "mine" }] })),
    })
    .await;
    assert_eq!(server.client().create_tag("mine").await.unwrap().id, "t2");
    assert!(matches!(server.client().create_tag("other").await, Err(N8nError::Refused { status: 409, .. })));
}

#[tokio::test]
async fn an_unreadable_item_affects_no_other_and_is_named() {
    let deep = format!("{}1{}", "[".repeat(500), "]".repeat(500));
    let items = format!(
        r#"{{"id":"half","name":"\ud83d","settings":{{"timezone":"\ude00"}}}},{{"id":"deep","name":"d","nodes":{deep},"settings":{{"a":{deep}}}}},
           {{"id":"odd","name":"Odd one","nodes":"none","settings":7}},{{"name":"no id"}},7,{{"id":"fine","name":"f","nodes":[],"settings":{{"a":1}}}}"#
    );
    let page = format!(r#"{{"data":[{items}],"nextCursor":null}}"#);
    let server = Scripted::start(move |_| Reply::Keep(raw(200, "", "application/json", &page))).await;
    let n8n = server.client();
    let summaries = n8n.list_summaries(None).await.unwrap();
    assert_eq!(summaries.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["half", "deep", "odd", "fine"]);
    assert_eq!((summaries[0].settings["timezone"].as_str(), summaries[3].settings["a"].as_i64()), (Some("\u{fffd}"), Some(1)));
    let mut unread = Vec::new();
    let read = n8n
        .scan_workflows(None, |item| match item {
            Ok(workflow) => Some((workflow.id, workflow.cut.is_some())),
            Err(one) => {
                unread.push((one.id, one.name));
                None
            }
        })
        .await
        .unwrap();
    assert_eq!(read, [("half".to_owned(), false), ("deep".to_owned(), true), ("fine".to_owned(), false)]);
    assert_eq!(unread, [("odd".into(), "Odd one".into()), (String::new(), "no id".into()), (String::new(), String::new())]);
    let tags = n8n.list_tags().await.unwrap();
    assert_eq!(tags.len(), 4, "every item with the fields of a tag is read");
}

#[tokio::test]
async fn an_execution_that_cannot_be_read_is_left_out() {
    let page =
        json!({ "data": [{ "id": 1, "status": "success", "startedAt": "soon" }, { "id": 2, "status": "error" }], "nextCursor": null });
    let server = Scripted::start(move |_| json(200, page.clone())).await;
    let query = ExecutionQuery { limit: 10, ..ExecutionQuery::default() };
    let found = server.client().executions(&query).await.unwrap();
    assert_eq!(found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["2"]);
}
