//! The log of requests on the wire.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use hyper::body::Bytes;
use serde_json::Value;

use super::reply::Reply;
use super::request::Request;

/// A request that arrived completely, whatever its outcome.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub number: u64,
    pub at: Instant,
    pub method: String,
    pub path: String,
    pub query: String,
    /// None while it runs, and if the client got no response.
    pub status: Option<u16>,
    pub body_size: usize,
    /// Kept for writes.
    pub body: Bytes,
    /// The workflow of the request; for a create, the one that it created.
    pub workflow_id: Option<String>,
}

impl Entry {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Reports whether it could change anything: not a read, and under the API.
    pub(crate) fn is_write(&self) -> bool {
        !["GET", "HEAD", "OPTIONS"].contains(&self.method.as_str()) && self.path.starts_with("/api/")
    }
}

#[derive(Default)]
struct Log {
    entries: BTreeMap<u64, Entry>,
    next: u64,
}

#[derive(Default)]
pub(crate) struct WireLog(Mutex<Log>);

fn workflow_in(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/api/v1/workflows/")?;
    rest.split('/').next().filter(|id| !id.is_empty())
}

impl WireLog {
    fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.0.lock().expect("no test panics while it holds this")
    }

    pub(crate) fn begin(&self, request: &Request, keep_bodies: bool) -> u64 {
        let mut log = self.log();
        let number = log.next;
        log.next += 1;
        let keeps = keep_bodies && request.method != "GET";
        let entry = Entry {
            number,
            at: Instant::now(),
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.raw_query.clone(),
            status: None,
            body_size: request.body.len(),
            body: if keeps { request.body.clone() } else { Bytes::new() },
            workflow_id: workflow_in(&request.path).map(str::to_owned),
        };
        log.entries.insert(number, entry);
        number
    }

    /// Records which workflow a create created, which may be long after the client was lost.
    pub(crate) fn done(&self, number: u64, reply: &Reply) {
        if let Some(entry) = self.log().entries.get_mut(&number)
            && (entry.method.as_str(), entry.path.as_str(), reply.status) == ("POST", "/api/v1/workflows", 200)
        {
            // Views begin with the id.
            let text = std::str::from_utf8(&reply.body).unwrap_or_default();
            let id = text.strip_prefix("{\"id\":\"");
            let id = id.and_then(|rest| rest.split('"').next());
            entry.workflow_id = id.map(str::to_owned);
        }
    }

    pub(crate) fn answered(&self, number: u64, status: u16) {
        if let Some(entry) = self.log().entries.get_mut(&number) {
            entry.status = Some(status);
        }
    }

    /// Returns everything since the last [`WireLog::clear`], in order of arrival.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.log().entries.values().cloned().collect()
    }

    /// Returns the requests that could change something.
    pub(crate) fn writes(&self) -> Vec<Entry> {
        let log = self.log();
        log.entries.values().filter(|entry| entry.is_write()).cloned().collect()
    }

    /// Counts requests with this method (`*` is any) and a path with this prefix.
    pub(crate) fn count(&self, method: &str, prefix: &str) -> usize {
        let log = self.log();
        log.entries.values().filter(|entry| method == "*" || entry.method == method).filter(|entry| entry.path.starts_with(prefix)).count()
    }

    pub(crate) fn clear(&self) {
        self.log().entries.clear();
    }

    /// Counts the requests for each workflow.
    pub(crate) fn requests_per_workflow(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for entry in self.log().entries.values() {
            if let Some(id) = &entry.workflow_id {
                *counts.entry(id.clone()).or_default() += 1;
            }
        }
        counts
    }
}
