//! A malicious n8n: whoever may create an N8nInstance chooses the server that answers.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::scripted::{Reply, Scripted, Seen, client_within, json, raw};
use super::super::{ExecutionQuery, Haste, N8nClient, N8nError};
use super::write;
use crate::http::Memory;

const MIB: usize = 1024 * 1024;

fn ok(body: &str) -> Reply {
    Reply::Keep(raw(200, "", "application/json", body))
}

/// Head of an answer with a content length.
fn head(length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n").into_bytes()
}

fn patient(server: &Scripted, memory: &Memory) -> N8nClient {
    let mut settings = server.settings();
    settings.request_timeout = Duration::from_secs(60);
    client_within(settings, memory)
}

/// Returns the number of a page from its cursor `c1`, `c2`, …; 0 without one.
fn page_number(seen: &Seen) -> usize {
    seen.query("cursor").map_or(0, |cursor| cursor.trim_start_matches('c').parse().unwrap())
}

fn protocol<T: std::fmt::Debug>(answer: Result<T, N8nError>) -> String {
    match answer {
        Err(N8nError::Protocol { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn ids_names_and_cursors_longer_than_n8ns_are_not_kept() {
    let long = "x".repeat(MIB / 2);
    let item = json!({ "id": "fine", "name": long, "type": long, "mode": long, "status": "error", "versionId": long,
        "tags": vec![json!({ "id": "t", "name": long }); 3] });
    let mut with_long_id = item.clone();
    with_long_id["id"] = json!(long);
    let page = json!({ "data": [item, with_long_id], "nextCursor": null }).to_string();
    let server = Scripted::start(move |_| ok(&page)).await;
    let n8n = patient(&server, &Memory::of_process());
    let summaries = n8n.list_summaries(None).await.unwrap();
    assert_eq!(summaries.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["fine"]);
    let one = &summaries[0];
    assert!([&one.name, &one.tags[2].name, one.version_id.as_ref().unwrap()].iter().all(|text| text.len() == 256));
    let credentials = n8n.list_credentials().await.unwrap().items;
    assert_eq!((credentials.len(), credentials[0].name.len(), credentials[0].kind.len()), (1, 256, 256));
    assert_eq!(n8n.list_tags().await.unwrap()[0].name.len(), 256);
    let executions = n8n.executions(&ExecutionQuery { limit: 10, ..Default::default() }).await.unwrap();
    assert_eq!((executions.len(), executions[0].mode.len()), (1, 256));
    let created = json!({ "id": "x".repeat(65) });
    let server = Scripted::start(move |_| json(200, created.clone())).await;
    let error = patient(&server, &Memory::of_process()).create_workflow(&write()).await.unwrap_err();
    assert!(matches!(error, N8nError::Protocol { .. }) && error.unanswered(), "{error:?}");

    let server = Scripted::start(|_| json(200, json!({ "data": [{ "id": "1" }], "nextCursor": "y".repeat(5_000) }))).await;
    let n8n = patient(&server, &Memory::of_process());
    assert!(protocol(n8n.list_summaries(None).await).starts_with("not the expected JSON"));
    assert_eq!(server.calls().len(), 1);
}

#[tokio::test]
async fn ids_that_n8n_never_gives_do_not_advance_a_list() {
    let server = Scripted::start(|seen| {
        let number = page_number(seen);
        json(200, json!({ "data": [{ "id": format!("{number:065}") }], "nextCursor": format!("c{}", number + 1) }))
    })
    .await;
    let n8n = patient(&server, &Memory::of_process());
    assert_eq!(protocol(n8n.list_summaries(None).await), "the cursor of the list does not advance");
    assert_eq!(server.calls().len(), 21);
}

#[tokio::test]
async fn empty_pages_of_executions_end_whatever_their_cursors_say() {
    let server = Scripted::start(|seen| {
        let number = page_number(seen);
        json(200, json!({ "data": [], "nextCursor": format!("c{}", number + 1) }))
    })
    .await;
    let n8n = patient(&server, &Memory::of_process());
    let query = ExecutionQuery { limit: 10, ..Default::default() };
    assert_eq!(protocol(n8n.executions(&query).await), "the cursor of the list does not advance");
    assert_eq!(server.calls().len(), 21);
}

#[tokio::test]
async fn a_list_without_end_ends_whatever_its_cursors_say() {
    // Each cursor is different; behind it is nothing, the same page, or ever new items.
    for (per_page, fresh, most) in [(0, false, 22), (250, false, 23), (1_000, true, 103)] {
        let server = Scripted::start(move |seen| {
            let number = page_number(seen);
            let id = |item: usize| if fresh { number * per_page + item } else { item };
            let data: Vec<Value> = (0..per_page).map(|item| json!({ "id": id(item) })).collect();
            json(200, json!({ "data": data, "nextCursor": format!("c{}", number + 1) }))
        })
        .await;
        let memory = Memory::of(192 * MIB, 256 * MIB);
        let said = protocol(patient(&server, &memory).list_summaries(None).await);
        assert!(said.contains("does not advance") || said.contains("exceeds the maximum length"), "{said}");
        assert!(server.calls().len() <= most, "{per_page}: {} pages were read", server.calls().len());
        assert_eq!(memory.left(), (192 * MIB, 256 * MIB), "all memory is released");
    }
    // Cursors that form a cycle.
    let mut served = 0;
    let server = Scripted::start(move |_| {
        served += 1;
        json(200, json!({ "data": [{ "id": served }], "nextCursor": (["a", "b", "c"][served % 3]) }))
    })
    .await;
    assert!(protocol(patient(&server, &Memory::of_process()).list_tags().await).contains("does not advance"));
    assert_eq!(server.calls().len(), 4);
}

#[tokio::test]
async fn an_item_that_would_take_a_hundred_times_its_text_affects_no_other() {
    let bomb = vec![r#"{"a":1}"#; 1_000_000].join(",");
    let items = [format!(r#"{{"id":"bomb","settings":{{"x":[{bomb}]}}}}"#), r#"{"id":"fine","name":"f"}"#.to_owned()];
    let server = Scripted::start(move |seen| {
        let cursor = seen.query("cursor").map(|cursor| serde_json::from_slice(&STANDARD.decode(cursor).unwrap()).unwrap());
        let from = cursor.map_or(0, |cursor: Value| usize::try_from(cursor["offset"].as_u64().unwrap()).unwrap());
        let to = (from + seen.query("limit").unwrap().parse::<usize>().unwrap()).min(items.len());
        let next = (to < items.len()).then(|| STANDARD.encode(json!({ "limit": 1, "offset": to }).to_string()));
        ok(&format!(r#"{{"data":[{}],"nextCursor":{}}}"#, items[from..to].join(","), json!(next)))
    })
    .await;
    let memory = Memory::of(192 * MIB, 256 * MIB);
    let list = patient(&server, &memory).survey_workflows(Haste::Urgent, |one| (one.id, one.settings.len())).await.unwrap();
    assert_eq!(list.items, [("bomb".to_owned(), 1), ("fine".to_owned(), 0)]);
    assert_eq!(server.calls().len(), 6, "the page is requested with fewer items until there is one");
    let kept = 256 * MIB - memory.left().1;
    assert!((1..4 * 1024).contains(&kept), "{kept}");
    drop(list);
    assert_eq!(memory.left().1, 256 * MIB);

    let workflow = format!(r#"{{"id":"bomb","nodes":[{{"x":[{}]}}]}}"#, vec![r#"{"a":1}"#; 500_000].join(","));
    let server = Scripted::start(move |_| ok(&workflow)).await;
    let n8n = patient(&server, &memory);
    let read = n8n.get_workflow("bomb").await.unwrap().unwrap();
    assert!(read.cut.as_deref().is_some_and(|path| path.starts_with("nodes[0].x[")), "{:?}", read.cut);
    let kept = 256 * MIB - memory.left().1;
    assert!((60 * MIB..=64 * MIB).contains(&kept), "{kept}");
    // The same n8n gets no more than its share, but another instance does.
    assert!(matches!(n8n.get_workflow("bomb").await, Err(N8nError::MemoryFull { .. })));
    assert!(patient(&server, &Memory::of_process()).get_workflow("bomb").await.is_ok());
    drop(read);
    assert!(n8n.get_workflow("bomb").await.is_ok());
}

#[tokio::test]
async fn large_answers_of_all_instances_share_one_memory_and_small_ones_wait_for_none() {
    let memory = Memory::of(32 * MIB, 256 * MIB);
    let stalled = Arc::new(AtomicUsize::new(0));
    let count = stalled.clone();
    let hostile = Scripted::start(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Reply::Stall([head(60 * MIB), vec![b' '; MIB]].concat())
    })
    .await;
    let large = json!({ "id": "a", "nodes": ["x".repeat(MIB)] });
    let good =
        Scripted::start(move |seen| if seen.target.contains("small") { json(200, json!({ "id": "a" })) } else { json(200, large.clone()) })
            .await;
    let holder = patient(&hostile, &memory);
    let holding = tokio::spawn(async move { holder.get_workflow("a").await });
    while memory.left().0 > 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // This client waits no longer than the timeout of its requests.
    let n8n = client_within(good.settings(), &memory);
    assert!(n8n.get_workflow("small").await.unwrap().is_some());
    let error = n8n.get_workflow("large").await.unwrap_err();
    assert!(matches!(error, N8nError::MemoryFull { .. }) && !error.unanswered(), "{error:?}");
    let error = n8n.create_workflow(&write()).await.unwrap_err();
    assert!(matches!(error, N8nError::MemoryFull { .. }) && error.unanswered(), "the write may have taken effect: {error:?}");
    let waiting = patient(&good, &memory);
    let waiting = tokio::spawn(async move { waiting.get_workflow("large").await });
    holding.abort();
    assert!(waiting.await.unwrap().unwrap().is_some(), "it continues when memory is available again");
    assert_eq!((stalled.load(Ordering::SeqCst), memory.left().0), (1, 32 * MIB));
}

#[tokio::test]
async fn an_answer_that_trickles_ends_with_its_request() {
    let server = Scripted::start(|_| Reply::Trickle(head(MIB))).await;
    let n8n = server.client();
    for error in [n8n.get_workflow("a").await.unwrap_err(), n8n.create_workflow(&write()).await.unwrap_err()] {
        assert!(matches!(error, N8nError::Timeout { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn nothing_is_asked_for_compressed_or_unpacked() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packer.write_all(format!(r#"{{"id":"a","name":"{}"}}"#, " ".repeat(20 * MIB)).as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    assert!(packed.len() < MIB);
    let server = Scripted::start(move |_| {
        let head = format!(
            "HTTP/1.1 200 X\r\ncontent-encoding: gzip\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            packed.len()
        );
        Reply::Keep([head.into_bytes(), packed.clone()].concat())
    })
    .await;
    assert_eq!(protocol(server.client().get_workflow("a").await), "not JSON");
    assert!(server.seen().iter().all(|seen| !seen.head.contains("accept-encoding")));
}
