//! Pages of lists: their size follows from the size of what is on them, and one that fails is read again.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::scripted::{Reply, Scripted, Seen, client, html, json as reply, ready};
use super::super::{Haste, N8nError};

/// A list of `count` workflows of so many bytes; `answer` may answer the request with this number otherwise.
async fn list(count: usize, bytes: usize, mut answer: impl FnMut(usize) -> Option<Reply> + Send + 'static) -> Scripted {
    let mut asked = 0;
    Scripted::start(move |seen: &Seen| {
        if seen.target.starts_with("/healthz") {
            return ready();
        }
        asked += 1;
        answer(asked).unwrap_or_else(|| page(count, bytes, seen))
    })
    .await
}

fn page(count: usize, bytes: usize, seen: &Seen) -> Reply {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let cursor: Value =
        seen.query("cursor").map(|text| serde_json::from_slice(&STANDARD.decode(text).unwrap()).unwrap()).unwrap_or_default();
    let limit = cursor["limit"].as_u64().map_or_else(|| seen.query("limit").unwrap().parse().unwrap(), |limit| limit as usize);
    let from = cursor["offset"].as_u64().unwrap_or(0) as usize;
    let text = "x".repeat(bytes);
    let items: Vec<Value> = (from..count.min(from + limit)).map(|id| json!({ "id": format!("w{id}"), "staticData": text })).collect();
    let next = (count > from + limit).then(|| STANDARD.encode(json!({ "limit": limit, "offset": from + limit }).to_string()));
    reply(200, json!({ "data": items, "nextCursor": next }))
}

fn sizes(server: &Scripted) -> Vec<u64> {
    server.seen().iter().filter_map(|seen| seen.query("limit")?.parse().ok()).collect()
}

#[tokio::test]
async fn pages_of_large_workflows_are_small_and_the_next_list_begins_with_such_a_page() {
    let server = list(100, 200_000, |_| None).await;
    let mut settings = server.settings();
    settings.request_timeout = Duration::from_secs(30);
    let n8n = client(settings);
    assert_eq!(n8n.list_summaries(None).await.unwrap().len(), 100);
    let first = sizes(&server);
    // The first page of 250 would take 20 MB, which is not read.
    assert_eq!(first[..2], [250, 50]);
    assert!(first[2..].iter().all(|size| *size <= 20), "{first:?}");
    assert_eq!(n8n.list_summaries(None).await.unwrap().len(), 100);
    let second = &sizes(&server)[first.len()..];
    assert!(second.iter().all(|size| *size <= 20), "{second:?}");
}

#[tokio::test]
async fn a_page_that_fails_is_read_again_and_not_the_whole_list() {
    let server = list(700, 10, |asked| (asked == 2).then(|| html(502, "bad gateway"))).await;
    assert_eq!(server.client().list_summaries(None).await.unwrap().len(), 700);
    assert_eq!(sizes(&server).len(), 4, "three pages and the one that failed");
    // Not for ever, and not if n8n does not answer at all.
    let server = list(700, 10, |asked| (asked > 1).then(|| html(500, "broken"))).await;
    assert!(matches!(server.client().list_summaries(None).await, Err(N8nError::Server { .. })));
    assert_eq!(sizes(&server).len(), 4);
    let server = list(700, 10, |_| Some(html(500, "broken"))).await;
    assert!(server.client().list_summaries(None).await.is_err());
    assert_eq!(sizes(&server).len(), 1);
}

#[tokio::test]
async fn a_reader_in_no_hurry_leaves_n8n_the_time_that_a_page_took() {
    let pause = Duration::from_millis(60);
    let server = list(700, 10, move |_| {
        std::thread::sleep(pause);
        None
    })
    .await;
    let mut settings = server.settings();
    settings.max_concurrent_requests = NonZeroU32::MIN;
    let n8n = client(settings);
    let started = Instant::now();
    n8n.survey_workflows(Haste::Urgent, |one| one.id).await.unwrap();
    let urgent = started.elapsed();
    assert!(urgent >= pause * 3, "{urgent:?}");
    let started = Instant::now();
    n8n.survey_workflows(Haste::Idle, |one| one.id).await.unwrap();
    // Two pauses between three pages.
    assert!(started.elapsed() >= pause * 5, "{:?} and {urgent:?}", started.elapsed());
}
