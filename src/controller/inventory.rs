//! One listing of an instance serves everybody who asked before it began: a thousand creates cost a handful of scans.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::domain::identity::Sighting;
use crate::domain::mark::Mark;
use crate::n8n::{N8nClient, N8nError};

/// What a listing showed.
#[derive(Debug)]
pub struct Listing {
    /// Every workflow with the mark that it carries.
    pub seen: Vec<Sighting>,
}

impl Listing {
    /// The ids in the listing.
    pub fn ids(&self) -> HashSet<&str> {
        self.seen.iter().map(|sighting| sighting.id.as_str()).collect()
    }

    /// The ids of workflows that carry the mark of an object.
    pub fn marked(&self, uid: &str) -> Vec<&str> {
        self.seen
            .iter()
            .filter(|sighting| sighting.mark.as_ref().is_some_and(|mark| mark.uid == uid))
            .map(|sighting| sighting.id.as_str())
            .collect()
    }
}

/// Lists an instance, once for all that wait.
#[derive(Debug, Default)]
pub struct Inventory {
    tickets: AtomicU64,
    last: Mutex<Option<Scan>>,
}

#[derive(Debug)]
struct Scan {
    /// Tickets up to this one were taken before the scan began.
    covers: u64,
    result: Result<Arc<Listing>, N8nError>,
}

impl Inventory {
    /// A listing that began after this call did.
    pub async fn scan(&self, client: &N8nClient) -> Result<Arc<Listing>, N8nError> {
        let ticket = self.tickets.fetch_add(1, Ordering::SeqCst) + 1;
        let mut last = self.last.lock().await;
        if let Some(scan) = last.as_ref().filter(|scan| scan.covers >= ticket) {
            return scan.result.clone();
        }
        let covers = self.tickets.load(Ordering::SeqCst);
        let result = client.list_summaries(None).await.map(|workflows| {
            let seen = workflows.into_iter().map(|workflow| Sighting { mark: Mark::of(&workflow.settings), id: workflow.id }).collect();
            Arc::new(Listing { seen })
        });
        *last = Some(Scan { covers, result: result.clone() });
        result
    }
}
