//! The broken fixtures of the page of findings on the real n8n: it does with each what the table says.

use std::path::Path;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::n8n::{Answer, N8n};
use crate::harness::stack::{Stack, rand};

const FEED: &str = "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>t</title><item><title>a</title>\
                    <link>https://a.example</link><pubDate>Mon, 06 Sep 2021 00:01:00 +0000</pubDate></item></channel></rss>";

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Offers a feed for the trigger that polls one: n8n reads it once before it publishes.
pub async fn feed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 4096]).await;
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", FEED.len());
            let _ = stream.write_all(format!("{head}{FEED}").as_bytes()).await;
        }
    });
    format!("http://{address}/")
}

struct Bench {
    n8n: N8n,
    /// Ids of credentials by type: n8n publishes nothing without those that its nodes require.
    credentials: Value,
    feed: String,
    /// Distinguishes the webhook paths of this run.
    own: String,
}

impl Bench {
    async fn new() -> Self {
        let stack = Stack::shared();
        let n8n = N8n::new(&stack.n8n_url(), &stack.n8n_key());
        let own = format!("{:x}", rand());
        let mut credentials = json!({});
        for (kind, data) in [
            ("httpHeaderAuth", json!({"name": "x-key", "value": "x"})),
            ("ollamaApi", json!({"baseUrl": "http://127.0.0.1:9"})),
            ("redis", json!({"host": "127.0.0.1", "port": 9, "database": 0, "user": "", "password": ""})),
            ("slackApi", json!({"accessToken": "x"})),
        ] {
            let body = json!({"name": format!("fixtures {own}"), "type": kind, "data": data});
            let made = n8n.api("POST", "/credentials", Some(body)).await;
            assert_eq!(made.status, 200, "{kind}: {}", made.text);
            credentials[kind] = made.json()["id"].clone();
        }
        Self { n8n, credentials, feed: feed().await, own }
    }

    /// Returns what n8n does with a file: refuse to `create` or to `publish` it, or `published`; `never` if it cannot be sent.
    async fn answer_of_n8n(&self, text: &str) -> (&'static str, String) {
        let Ok(mut document) = serde_json::from_str::<Value>(text) else { return ("never", String::new()) };
        if let Some(fields) = document.as_object_mut() {
            fields.remove("active");
        }
        for node in document.get_mut("nodes").and_then(Value::as_array_mut).into_iter().flatten() {
            let credentials = node.get_mut("credentials").and_then(Value::as_object_mut);
            for (kind, reference) in credentials.into_iter().flatten() {
                if let (Some(fields), Some(id)) = (reference.as_object_mut(), self.credentials.get(kind)) {
                    fields.insert("id".to_owned(), id.clone());
                }
            }
            let path = format!("fixtures/{}", self.own);
            for (parameter, value) in [("feedUrl", &self.feed), ("path", &path)] {
                if let Some(own) = node.pointer_mut(&format!("/parameters/{parameter}")) {
                    *own = json!(value);
                }
            }
        }
        let made = self.n8n.api("POST", "/workflows", Some(document)).await;
        if made.status != 200 {
            return ("create", refusal(&made));
        }
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let published = self.n8n.api("POST", &format!("/workflows/{id}/publish"), Some(json!({}))).await;
        self.n8n.api("DELETE", &format!("/workflows/{id}"), None).await;
        (if published.status == 200 { "published" } else { "publish" }, refusal(&published))
    }
}

fn refusal(answer: &Answer) -> String {
    format!("{} {}", answer.status, answer.json()["message"])
}

#[tokio::test]
async fn n8n_responds_to_each_broken_fixture_as_the_table_lists() {
    let bench = Bench::new().await;
    let mut complaints = Vec::new();
    let table = read("broken/table.tsv");
    let mut sound: Vec<&str> = Vec::new();
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [file, counterpart, .., wanted] = cells[..] else { panic!("{line}") };
        sound.push(counterpart);
        // Rows with these results are published; docs/findings.md describes the consequences.
        let wanted = if matches!(wanted, "run" | "takes" | "loses") { "published" } else { wanted };
        let (did, answer) = bench.answer_of_n8n(&read(&format!("broken/{file}"))).await;
        if did != wanted {
            complaints.push(format!("{file}: want {wanted}, got {did}: {answer}"));
        }
    }
    sound.sort_unstable();
    sound.dedup();
    for file in sound {
        let (did, answer) = bench.answer_of_n8n(&read(&format!("sound/{file}"))).await;
        if did != "published" {
            complaints.push(format!("{file}: {did}: {answer}"));
        }
    }
    for id in bench.credentials.as_object().unwrap().values() {
        bench.n8n.api("DELETE", &format!("/credentials/{}", id.as_str().unwrap()), None).await;
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
