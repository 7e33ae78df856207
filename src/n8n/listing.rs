//! Lists, page by page.
//!
//! n8n pages by offset over a stable order, so a deletion between two pages would shift an item over the boundary, and a scan for ownership
//! marks would miss it. Each page therefore begins a little before the end of the previous one and must contain an item already seen; if it
//! does not, the reader steps back.
//!
//! n8n serves everything on one thread, and a page of large workflows takes seconds of it and megabytes here. So the size of pages follows
//! from the size of the items that were read, and a reader that is in no hurry leaves n8n as much time as it took.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::client::N8nClient;
use super::error::N8nError;
use super::item::{Listed, Unread, UnreadLog};
use super::operation::Operation;
use super::page::{LARGEST_PAGE, Page};
use crate::domain::remote::{LONGEST_ID, MemoryHold, RemoteCredential, RemoteSummary, RemoteWorkflow, Tag};

/// Maximum page size of n8n, which silently limits larger requests.
const PAGE: u64 = 250;
/// Number of items by which pages overlap.
const OVERLAP: u64 = 10;
/// Maximum number of times that one listing steps back because items disappeared between pages.
const STEPS_BACK: u32 = 20;
/// Maximum number of pages of a list.
const MOST_PAGES: u32 = 4_000;

/// Maximum number of items of a list, and of bytes of its pages.
const MOST_ITEMS: usize = 100_000;
const MOST_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// Maximum number of pages without a new item.
pub(super) const IDLE_PAGES: u32 = 20;
/// Size of a page, in bytes, that the reader aims at.
const USUAL_PAGE: u64 = 4 * 1024 * 1024;
/// Number of times that a page is read again after an error that may be over, once one page was read.
const MOST_RETRIES: u32 = 2;
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause between two pages.
const LONGEST_REST: Duration = Duration::from_secs(2);
/// Maximum duration of a list.
const LONGEST_LIST: Duration = Duration::from_secs(600);

/// Haste of a reader of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// Somebody waits for the list.
    Urgent,
    /// After each page n8n has as much time for others as the page took.
    Idle,
}

/// Items collected from a list, with the memory that they hold.
#[derive(Debug)]
pub struct List<R> {
    /// The items.
    pub items: Vec<R>,
    _memory: Vec<MemoryHold>,
}

#[cfg(test)]
impl<R> List<R> {
    /// Returns a list without items.
    pub fn empty() -> Self {
        Self { items: Vec::new(), _memory: Vec::new() }
    }
}

/// Content of n8n's cursors for these lists, in base64.
#[derive(Deserialize)]
struct Offset {
    offset: u64,
}

impl N8nClient {
    /// Lists all workflows that the key can see, including archived ones, without pinned data. Holds all of them in memory: prefer
    /// [`scan_workflows`](Self::scan_workflows) or [`list_summaries`](Self::list_summaries).
    ///
    /// # Errors
    /// Any error that prevents a complete list; there is no partial one.
    pub async fn list_workflows(&self) -> Result<Vec<RemoteWorkflow>, N8nError> {
        self.list_items(Operation::ListWorkflows, "workflows", &workflow_filter(None)?).await
    }

    /// Lists the workflows that carry a tag of exactly this name.
    ///
    /// # Errors
    /// See [`list_workflows`](Self::list_workflows).
    pub async fn list_workflows_tagged(&self, tag: &str) -> Result<Vec<RemoteWorkflow>, N8nError> {
        self.list_items(Operation::ListWorkflows, "workflows", &workflow_filter(Some(tag))?).await
    }

    /// Lists all workflows, or those with a tag, without their content, which is skipped while reading.
    ///
    /// # Errors
    /// See [`list_workflows`](Self::list_workflows).
    pub async fn list_summaries(&self, tag: Option<&str>) -> Result<Vec<RemoteSummary>, N8nError> {
        self.list_items(Operation::ListWorkflows, "workflows", &workflow_filter(tag)?).await
    }

    /// Passes every workflow once to `keep`, even if it cannot be read, and collects the results, holding one page in memory.
    ///
    /// # Errors
    /// See [`list_workflows`](Self::list_workflows).
    pub async fn scan_workflows<R: Send>(
        &self,
        tag: Option<&str>,
        keep: impl FnMut(Result<RemoteWorkflow, Unread>) -> Option<R> + Send,
    ) -> Result<Vec<R>, N8nError> {
        Ok(self.list(Operation::ListWorkflows, "workflows", &workflow_filter(tag)?, Haste::Urgent, keep).await?.items)
    }

    /// Passes the summary of every workflow once to `keep`, and collects the results.
    ///
    /// # Errors
    /// See [`list_workflows`](Self::list_workflows).
    pub async fn survey_workflows<R: Send>(
        &self,
        haste: Haste,
        mut keep: impl FnMut(RemoteSummary) -> R + Send,
    ) -> Result<List<R>, N8nError> {
        let mut log = UnreadLog::default();
        let operation = Operation::ListWorkflows;
        let keep = |item: Result<RemoteSummary, Unread>| log.note(operation, item).map(&mut keep);
        self.list(operation, "workflows", &workflow_filter(None)?, haste, keep).await
    }

    /// Lists all tags.
    ///
    /// # Errors
    /// Any error that prevents a complete list.
    pub async fn list_tags(&self) -> Result<Vec<Tag>, N8nError> {
        self.list_items(Operation::ListTags, "tags", &[]).await
    }

    /// Lists all credentials that the key can see, without secrets.
    ///
    /// # Errors
    /// Any error that prevents a complete list.
    pub async fn list_credentials(&self) -> Result<List<RemoteCredential>, N8nError> {
        self.list_readable(Operation::ListCredentials, "credentials", &[]).await
    }

    async fn list_items<T: Listed>(&self, operation: Operation, what: &str, filter: &[(&str, &str)]) -> Result<Vec<T>, N8nError> {
        Ok(self.list_readable(operation, what, filter).await?.items)
    }

    /// Returns all items that can be read; the others are logged.
    async fn list_readable<T: Listed>(&self, operation: Operation, what: &str, filter: &[(&str, &str)]) -> Result<List<T>, N8nError> {
        let mut log = UnreadLog::default();
        self.list(operation, what, filter, Haste::Urgent, |item| log.note(operation, item)).await
    }

    async fn list<T: Listed, R>(
        &self,
        operation: Operation,
        what: &str,
        filter: &[(&str, &str)],
        haste: Haste,
        mut keep: impl FnMut(Result<T, Unread>) -> Option<R> + Send,
    ) -> Result<List<R>, N8nError> {
        let mut seen = HashSet::new();
        let mut kept = List { items: Vec::new(), _memory: Vec::new() };
        // Only workflows are large enough for their size to matter.
        let sized = operation == Operation::ListWorkflows;
        let known = if sized { self.inner.bytes_per_workflow.load(Ordering::Relaxed) } else { 0 };
        let mut position = Position { size: fitting(known), most: fitting(known), offset: Some(0), cursor: None, overlap: 0 };
        let (mut steps_back, mut idle, mut bytes, mut cursors, mut retries) = (0, 0, 0, HashSet::new(), 0);
        let started = Instant::now();
        for _ in 0..MOST_PAGES {
            if started.elapsed() > LONGEST_LIST {
                return Err(protocol(operation, "the list takes too long"));
            }
            let mut request = self.api(operation, Method::GET, &[what])?;
            if position.size > 1 {
                request.http.limit = LARGEST_PAGE;
            }
            for (name, value) in filter {
                request = request.query(name, value);
            }
            request = request.query("limit", &position.size.to_string());
            if let Some(cursor) = &position.cursor {
                request = request.query("cursor", cursor);
            }
            let asked = Instant::now();
            let (page, size): (Page<T>, usize) = match self.send_json_sized(request).await {
                Err(N8nError::AnswerTooLarge { .. }) if position.shrink() => continue,
                Err(error) if !seen.is_empty() && retries < MOST_RETRIES && may_be_over(&error) => {
                    retries += 1;
                    tokio::time::sleep(RETRY_PAUSE * retries).await;
                    continue;
                }
                answer => answer?,
            };
            let took = asked.elapsed();
            retries = 0;
            bytes += size as u64;
            if sized && !page.items.is_empty() {
                let each = (size as u64).div_ceil(page.items.len() as u64);
                self.inner.bytes_per_workflow.store(each, Ordering::Relaxed);
                position.most = fitting(each);
            }
            if bytes > MOST_BYTES || seen.len() > MOST_ITEMS {
                return Err(protocol(operation, "the list exceeds the maximum length"));
            }
            // A smaller page may contain what was left out.
            if page.full && position.shrink() {
                continue;
            }
            if position.overlap > 0 && !page.items.iter().any(|item| seen.contains(item.id())) {
                steps_back += 1;
                if steps_back > STEPS_BACK {
                    return Err(protocol(operation, "the list changed faster than it could be read"));
                }
                position.step_back();
                continue;
            }
            let (mut advanced, mut weight) = (false, 0);
            for item in page.items {
                // An item without an id cannot be deduplicated.
                if item.id().is_empty() || seen.insert(item.id().to_owned()) {
                    // Ids that n8n never gives say nothing about the position in the list.
                    advanced |= (1..=LONGEST_ID).contains(&item.id().len());
                    weight += item.weight();
                    kept.items.extend(keep(item.read()));
                }
            }
            if weight > 0 {
                kept._memory.push(self.inner.http.memory.keep(weight).ok_or(N8nError::MemoryFull { operation })?);
            }
            let Some(cursor) = page.next_cursor else { return Ok(kept) };
            idle = if advanced { 0 } else { idle + 1 };
            if idle > IDLE_PAGES || !cursors.insert(cursor.clone()) && position.offset.is_none() {
                return Err(protocol(operation, STUCK));
            }
            position.advance(cursor).map_err(|reason| protocol(operation, reason))?;
            if haste == Haste::Idle {
                tokio::time::sleep(took.min(LONGEST_REST)).await;
            }
        }
        Err(protocol(operation, "the list does not end"))
    }
}

pub(super) const STUCK: &str = "the cursor of the list does not advance";

/// Returns the number of items of this size that a page should have; 0 is an unknown size.
fn fitting(bytes_each: u64) -> u64 {
    USUAL_PAGE.checked_div(bytes_each).map_or(PAGE, |items| items.clamp(1, PAGE))
}

/// Reports whether the same page may be readable a moment later. A server that cannot be reached or is starting is left to the caller.
fn may_be_over(error: &N8nError) -> bool {
    matches!(error, N8nError::Timeout { .. } | N8nError::HalfAnswered { .. } | N8nError::Server { .. } | N8nError::MemoryFull { .. })
}

/// Position of the next page.
struct Position {
    size: u64,
    /// Maximum size, by the size of the items that were read.
    most: u64,
    /// The offset, known as long as the cursors have the format that the client can read and write.
    offset: Option<u64>,
    cursor: Option<String>,
    /// Number of items of the page that must have been seen before.
    overlap: u64,
}

impl Position {
    /// Advances to n8n's cursor, minus the overlap.
    fn advance(&mut self, next: String) -> Result<(), &'static str> {
        let read = STANDARD.decode(&next).ok().and_then(|json| serde_json::from_slice::<Offset>(&json).ok());
        match (self.offset, read) {
            (Some(current), Some(Offset { offset })) => {
                let overlap = OVERLAP.min(self.size / 2);
                // The items that made pages too large may be behind.
                self.size = (self.size * 5).min(self.most);
                if offset <= current + overlap {
                    return Err(STUCK);
                }
                self.go_to(offset - overlap, overlap);
                Ok(())
            }
            _ if self.cursor.as_ref() == Some(&next) => Err(STUCK),
            _ => {
                *self = Self { offset: None, cursor: Some(next), overlap: 0, ..*self };
                Ok(())
            }
        }
    }

    /// Steps back half a page, because the items that the page should have repeated are gone.
    fn step_back(&mut self) {
        let offset = self.offset.unwrap_or(0).saturating_sub((self.size / 2).max(1));
        self.go_to(offset, if offset == 0 { 0 } else { self.overlap });
    }

    /// Requests fewer items at the same position. `false` if that is not possible.
    fn shrink(&mut self) -> bool {
        let Some(offset) = self.offset.filter(|_| self.size > 1) else {
            return false;
        };
        self.size = (self.size / 5).max(1);
        self.go_to(offset, self.overlap);
        true
    }

    fn go_to(&mut self, offset: u64, overlap: u64) {
        self.offset = Some(offset);
        self.overlap = overlap;
        self.cursor = (offset > 0).then(|| STANDARD.encode(json!({ "limit": self.size, "offset": offset }).to_string()));
    }
}

fn workflow_filter(tag: Option<&str>) -> Result<Vec<(&str, &str)>, N8nError> {
    let mut filter = vec![("excludePinnedData", "true")];
    if let Some(tag) = tag {
        // n8n would read a comma as "and".
        if tag.is_empty() || tag.contains(',') {
            return Err(N8nError::Unsendable {
                operation: Operation::ListWorkflows,
                reason: "a tag to filter by must not be empty or contain a comma",
            });
        }
        filter.push(("tags", tag));
    }
    Ok(filter)
}

pub(super) fn protocol(operation: Operation, reason: &str) -> N8nError {
    N8nError::Protocol { operation, reason: reason.into() }
}
