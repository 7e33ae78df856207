//! The stand-in compared with the real n8n: the same requests to both, and the same responses except for random values.
//!
//! It starts an n8n of its own, because other tests would change the lists of the two sides.

mod projects;
mod publishing;
mod resources;
mod saving;
mod webhooks;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::caller::{Caller, client};

/// One of the two, with its responses.
struct Side {
    url: String,
    key: String,
    /// A project that is not the one of the key's owner.
    second_project: String,
    client: reqwest::Client,
    lines: Vec<(String, u16, Value)>,
}

impl Side {
    fn new(url: String, key: String, second_project: String) -> Self {
        Self { url, key, second_project, client: client(), lines: Vec::new() }
    }

    /// Sends a request, records the response under a label, and returns its body.
    async fn call(&mut self, label: &str, method: &str, path: &str, body: Option<Value>) -> Value {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.client.request(method, format!("{}{path}", self.url));
        // Webhooks would pass the key on to executions.
        let request = match path.starts_with("/api/") {
            true => request.header("X-N8N-API-KEY", &self.key),
            false => request,
        };
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let html = response.headers().get("content-type");
        let html = html.is_some_and(|kind| kind.to_str().unwrap_or_default().contains("html"));
        let text = response.text().await.unwrap();
        let body: Value = match serde_json::from_str(&text) {
            Ok(body) => body,
            Err(_) if html && text.contains("<html") => json!("a page"),
            Err(_) => json!(text),
        };
        self.lines.push((label.to_owned(), status, body.clone()));
        body
    }

    async fn api(&mut self, label: &str, method: &str, path: &str, body: Option<Value>) -> Value {
        let path = format!("/api/v1{path}");
        self.call(label, method, &path, body).await
    }
}

impl Side {
    /// Sends a write to the workflows with a key, a content type and a body of any kind.
    async fn raw(&mut self, label: &str, header: (&str, &str), kind: Option<&str>, body: String) {
        let url = format!("{}/api/v1/workflows", self.url);
        let key = if header.1.is_empty() { &self.key } else { header.1 };
        let request = self.client.post(url).header(header.0, key).body(body);
        let request = match kind {
            Some(kind) => request.header("content-type", kind),
            None => request,
        };
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(json!(text.contains("<html")));
        self.lines.push((label.to_owned(), status, body));
    }
}

/// Replaces random values by the order in which they occurred, and drops irrelevant ones.
fn masked(lines: &[(String, u16, Value)]) -> Vec<(String, u16, Value)> {
    let mut names = BTreeMap::new();
    let mut mask = |value: &Value| mask(value, &mut names);
    lines.iter().map(|(label, status, body)| (label.clone(), *status, mask(body))).collect()
}

fn is_random(text: &str) -> bool {
    let letters = text.chars().filter(char::is_ascii_alphanumeric).count();
    let uuid = text.len() == 36 && letters == 32 && text.matches('-').count() == 4;
    let mixed = |is: fn(&char) -> bool| text.chars().any(|letter| is(&letter));
    let nano = text.len() == 16 && letters == 16 && mixed(char::is_ascii_uppercase) && mixed(char::is_ascii_lowercase);
    uuid || nano
}

fn mask(value: &Value, names: &mut BTreeMap<String, String>) -> Value {
    const SILENT: [&str; 13] = [
        "authors",
        "project",
        "userId",
        "stacktrace",
        "executionTime",
        "startTime",
        "timestamp",
        "stack",
        "jsonSizeBytes",
        "tracingContext",
        "nextCursor",
        "binaryDataSizeBytes",
        "storedAt",
    ];
    match value {
        Value::String(text) if text.contains(" Owner <") => json!("an owner"),
        Value::String(text) if text.parse::<jiff::Timestamp>().is_ok() => json!("a time"),
        Value::String(text) if is_random(text) => {
            let next = format!("#{}", names.len());
            json!(names.entry(text.clone()).or_insert(next))
        }
        // Executions are counted.
        Value::String(text) if text.parse::<u64>().is_ok() => json!("a number"),
        Value::String(text) => {
            // Ids within messages.
            let words = text.split_inclusive([' ', '"']).map(|word| {
                let bare = word.trim_end_matches([' ', '"']);
                match names.get(bare) {
                    Some(name) => word.replace(bare, name),
                    None => word.to_owned(),
                }
            });
            json!(words.collect::<String>())
        }
        Value::Array(items) => items.iter().map(|item| mask(item, names)).collect(),
        Value::Object(fields) => {
            let is_publication = fields.contains_key("event");
            let shown = fields
                .iter()
                .filter(|(name, _)| !SILENT.contains(&name.as_str()))
                .filter(|(name, _)| !(is_publication && *name == "id"))
                .map(|(name, value)| (name.clone(), mask(value, names)));
            Value::Object(shown.collect())
        }
        other => other.clone(),
    }
}

/// Collects the paths at which two responses differ.
fn differences(at: &str, left: &Value, right: &Value, found: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            let names: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for name in names {
                let at = format!("{at}.{name}");
                match (left.get(name), right.get(name)) {
                    (Some(left), Some(right)) => differences(&at, left, right, found),
                    (left, right) => found.push(format!("{at}: n8n {left:?}, stand-in {right:?}")),
                }
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                differences(&format!("{at}[{index}]"), left, right, found);
            }
        }
        _ if left == right => {}
        _ => found.push(format!("{at}: n8n {left}, stand-in {right}")),
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}

fn with(document: &Value, field: &str, value: Value) -> Value {
    let mut document = document.clone();
    document[field] = value;
    document
}

#[tokio::test]
async fn it_agrees_with_the_real_n8n() {
    let stack = crate::harness::stack::Stack::own(&["--only-n8n"]);
    let mut real = Side::new(stack.n8n_url(), stack.n8n_key(), crate::scenarios::projects::second_project(&stack).await);
    let standin = Caller::plain().standin;
    let mut ours = Side::new(standin.url(), standin.api_key().to_owned(), standin.add_project());
    let mut found = Vec::new();
    macro_rules! chapter {
        ($($room:ident :: $name:ident,)*) => {$(
            for side in [&mut real, &mut ours] {
                side.lines.clear();
                $room::$name(side).await;
            }
            let (left, right) = (masked(&real.lines), masked(&ours.lines));
            assert_eq!(left.len(), right.len());
            for ((label, status, left), (_, other, right)) in left.iter().zip(&right) {
                let at = format!("{}: {label}", stringify!($name));
                if status != other {
                    found.push(format!("{at}: n8n {status}, stand-in {other}: {left} / {right}"));
                } else {
                    differences(&at, left, right, &mut found);
                }
            }
        )*};
    }
    chapter!(
        saving::creating,
        saving::saving,
        publishing::publishing,
        webhooks::paths,
        projects::moving,
        resources::others,
        resources::doors,
        webhooks::runs,
    );
    assert!(found.is_empty(), "{} differences:\n{}", found.len(), found.join("\n"));
}
