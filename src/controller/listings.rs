//! Listings of an instance. A listing is shared by all callers that asked before it began, and for a while by later callers that cannot
//! have anything in n8n that is missing from it: a thousand creates cost a handful of scans.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::runtime::shared_read::SharedRead;
use crate::document::routes::{Answer, Route, answers, collide};
use crate::domain::identity::ListedWorkflow;
use crate::domain::mark::Mark;
use crate::domain::remote::RemoteSummary;
use crate::domain::sweep::Shown;
use crate::n8n::{Haste, List, N8nClient, N8nError};

/// Maximum age of a listing for an object that was never sent to n8n.
const GOOD_FOR: Duration = Duration::from_secs(30);

/// Time that a sent create is remembered: far longer than it takes to appear in a listing.
const SENT_FOR: Duration = Duration::from_secs(3600);

/// Content of a listing.
#[derive(Debug)]
pub struct Listing {
    /// When its first page was requested.
    pub began: Instant,
    /// Every workflow with the mark that it carries.
    pub seen: List<ListedWorkflow>,
    /// Every workflow as it is shown, by id.
    pub shown: HashMap<Box<str>, Shown>,
    /// Routes that n8n stores, by the first parts of their addresses.
    routes: HashMap<String, Vec<ListedRoute>>,
}

/// A route of a workflow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRoute {
    /// The workflow's id.
    pub id: String,
    /// Its route.
    pub route: Route,
}

impl Listing {
    /// Returns a listing of an instance without workflows.
    #[cfg(test)]
    pub fn empty(began: Instant, seen: List<ListedWorkflow>) -> Self {
        Self { began, seen, shown: HashMap::new(), routes: HashMap::new() }
    }

    /// Returns the ids in the listing.
    pub fn ids(&self) -> HashSet<&str> {
        self.seen.items.iter().map(|listed| listed.id.as_str()).collect()
    }

    /// Returns the routes of each workflow, by id.
    pub fn routes_by_id(&self) -> HashMap<&str, Vec<&Route>> {
        let mut by_id: HashMap<&str, Vec<&Route>> = HashMap::new();
        for other in self.routes.values().flatten() {
            let routes = by_id.entry(&other.id).or_default();
            // A template is stored under two parts.
            if !routes.contains(&&other.route) {
                routes.push(&other.route);
            }
        }
        by_id
    }

    /// Returns the routes of other workflows that collide with these, ordered by workflow id.
    pub fn conflicting_routes(&self, own: Option<&str>, wanted: &[Route]) -> Vec<ListedRoute> {
        let beside = |wanted: &Route, other: &&ListedRoute| Some(other.id.as_str()) != own && collide(wanted, &other.route);
        let below = |wanted| parts(wanted).filter_map(|part| self.routes.get(part)).flatten().filter(move |other| beside(wanted, other));
        let mut found: Vec<ListedRoute> = wanted.iter().flat_map(below).cloned().collect();
        found.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        found
    }

    /// Reports whether a call reaches this workflow and cannot reach another one.
    pub fn leads_to(&self, own: &str, method: &str, path: &str) -> bool {
        let first = path.split_once('/').map_or(path, |(first, _)| first);
        let table: Vec<Route> = self.routes.get(first).into_iter().flatten().map(|other| other.route.clone()).collect();
        let owns = |route: &Route| self.routes[first].iter().any(|other| other.id == own && other.route == *route);
        matches!(answers(&table, method, path), Answer::One(route) if owns(route))
    }

    /// Returns the ids of workflows that carry the mark of an object.
    pub fn marked(&self, uid: &str) -> Vec<&str> {
        self.seen
            .items
            .iter()
            .filter(|listed| listed.mark.as_ref().is_some_and(|mark| mark.uid == uid))
            .map(|listed| listed.id.as_str())
            .collect()
    }
}

/// Returns the first parts of a route's addresses.
fn parts(route: &Route) -> impl Iterator<Item = &str> {
    [Some(route.first()), route.literal()].into_iter().flatten()
}

/// Listings of an instance, each for all who wait for it.
#[derive(Debug, Default)]
pub struct Listings {
    shared: SharedRead<Listing, N8nError>,
    /// Objects for which a create was sent, and when.
    sent: Mutex<HashMap<String, Instant>>,
}

impl Listings {
    /// Returns a listing that began after this call.
    pub async fn scan(&self, client: &N8nClient) -> Result<Arc<Listing>, N8nError> {
        self.shared.read(survey(client, Haste::Urgent)).await
    }

    /// Returns a listing that is at most half a minute old.
    pub async fn recent(&self, client: &N8nClient) -> Result<Arc<Listing>, N8nError> {
        match self.shared.recent(GOOD_FOR) {
            Some(listing) => Ok(listing),
            None => self.scan(client).await,
        }
    }

    /// Returns a listing that begins now. Nobody waits for it: those who do read one of their own, and do not have to wait for its end.
    pub async fn sweep(&self, client: &N8nClient, haste: Haste) -> Result<Arc<Listing>, N8nError> {
        self.shared.read_beside(survey(client, haste)).await
    }

    /// Drops a listing that is too old for anybody. That of a large instance takes megabytes.
    pub fn expire(&self) {
        self.shared.expire(GOOD_FOR);
    }

    /// Returns a listing for an object that has neither an id nor an intent in its status. Either nothing was ever created for it, or its
    /// status was lost: then the created workflow is in any listing, unless this process created it since.
    pub async fn scan_for_newcomer(&self, client: &N8nClient, uid: &str) -> Result<Arc<Listing>, N8nError> {
        if self.was_sent(uid) { self.scan(client).await } else { self.recent(client).await }
    }

    /// Records that a create is about to be sent for an object.
    pub fn sending(&self, uid: &str) {
        let (now, mut sent) = (Instant::now(), self.sent.lock().unwrap_or_else(PoisonError::into_inner));
        sent.retain(|_, at| now.duration_since(*at) < SENT_FOR);
        sent.insert(uid.to_owned(), now);
    }

    fn was_sent(&self, uid: &str) -> bool {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).contains_key(uid)
    }
}

async fn survey(client: &N8nClient, haste: Haste) -> Result<Listing, N8nError> {
    let began = Instant::now();
    let mut routes: HashMap<String, Vec<ListedRoute>> = HashMap::new();
    let mut shown = HashMap::new();
    let keep = |workflow: RemoteSummary| {
        for route in &workflow.kept_routes().routes {
            let other = ListedRoute { id: workflow.id.clone(), route: route.clone() };
            for part in parts(&other.route).collect::<HashSet<_>>() {
                routes.entry(part.to_owned()).or_default().push(other.clone());
            }
        }
        shown.insert(workflow.id.as_str().into(), Shown::of(&workflow));
        ListedWorkflow { mark: Mark::of(&workflow.settings), id: workflow.id }
    };
    let seen = client.survey_workflows(haste, keep).await?;
    Ok(Listing { began, seen, shown, routes })
}

#[cfg(test)]
mod tests;
