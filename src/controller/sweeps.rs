//! Which Workflows a listing of their instance confirms in place of a reconciliation of each.
//!
//! A reconciliation that finds everything in order notes what a listing shows of the workflow then. As long as later listings show the same
//! and nothing else changed, there is nothing to reconcile. A listing costs n8n a twentieth of a read of each workflow alone (measured), so
//! one is read when enough Workflows are due; it confirms all others on the instance, too. Any reason to reconcile that is not the time
//! [asks](Sweeps::ask) for a reconciliation.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::listings::Listing;
use crate::domain::backoff;
use crate::domain::sweep::Fingerprint;

/// Shortest interval that listings are read for. A Workflow with a shorter one is reconciled each time.
pub const SHORTEST: Duration = Duration::from_secs(30);
/// Shortest time between two listings.
const SPACING: Duration = Duration::from_secs(20);
/// Share of the interval after which an object is due.
const EARLY: f64 = 0.9;
/// Minimum number of Workflows that are due when a listing is read: fewer cost n8n next to nothing.
const FEWEST: usize = 10;
/// Number of workflows that n8n lists in the time that it takes to read one alone (measured).
const LISTED_PER_READ: usize = 20;
/// Time for which a listing serves the N8nInstance, too.
const FRESH: Duration = Duration::from_secs(5);
/// Number of starts of n8n that are remembered.
const MOST_STARTS: usize = 8;
/// Seconds between two full reconciliations for each Workflow of a large instance: with a read of the workflow and a check of its webhooks
/// they send n8n less than one request a second.
const SECONDS_EACH: f64 = 2.5;

/// Workflow that was found in order, with the time.
#[derive(Clone, Debug)]
pub struct Covered {
    /// State of the workflow as a listing showed it.
    pub fingerprint: Fingerprint,
    /// Hash of the parts of the object that a reconciliation reacts to.
    pub change: Option<u64>,
    /// When n8n was last known to hold it.
    pub confirmed: Instant,
    /// `spec.interval`.
    pub interval: Duration,
}

impl Covered {
    /// Returns when it is to be confirmed again. A listing takes a while, and everything is to be seen within the interval.
    fn due(&self) -> Instant {
        self.confirmed + self.interval.mul_f64(EARLY)
    }
}

/// Facts about an object whose time has come.
pub struct Due<'a> {
    /// The instance, as namespace/name.
    pub instance: &'a str,
    /// The object's UID.
    pub uid: &'a str,
    /// See [`Covered::change`].
    pub change: Option<u64>,
    /// See [`Covered::interval`].
    pub interval: Duration,
}

/// Appearance in a listing of an object that is covered, or waits to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The same as a reconciliation saw, with this hash of the object.
    Fingerprint(Fingerprint, Option<u64>),
    /// State of the status: no reconciliation of this process looked at it yet.
    Status,
}

#[derive(Debug, Default)]
struct Entry {
    /// Number of reasons to reconcile so far. A reconciliation covers its object only if none came while it ran.
    asked: u64,
    covered: Option<Covered>,
    /// When the next full reconciliation is due.
    full: Option<Instant>,
    /// Set while the object waits for a listing.
    awaits: bool,
}

impl Entry {
    /// Records a reason to reconcile: no listing covers the object any more.
    fn ask(&mut self) {
        *self = Self { asked: self.asked + 1, ..Self::default() };
    }
}

#[derive(Debug, Default)]
struct Fleet {
    objects: HashMap<String, Entry>,
    /// Number of workflows in the last listing.
    listed: usize,
    /// When the last listing began, or was tried.
    tried: Option<Instant>,
    /// Set while a listing is requested or read.
    sweeping: bool,
    /// Number of Workflows of the instance, and when they were counted.
    counted: Option<(Instant, usize)>,
    /// Marks of the starts of n8n that were seen, the latest first. Several main processes behind one address have one each.
    start_marks: Vec<String>,
    credentials: Option<BTreeMap<String, u64>>,
    inspected: Option<Instant>,
    fresh: Option<(Instant, Arc<Listing>)>,
}

/// Which Workflows listings confirm, for each instance.
pub struct Sweeps {
    fleets: Mutex<HashMap<String, Fleet>>,
    wanted: UnboundedSender<String>,
    full_interval: Duration,
}

impl Sweeps {
    /// Creates a service without objects. `wanted` receives the instances of which a listing is to be read; `full_interval` is the time
    /// between full reconciliations of an object that listings confirm.
    pub fn new(wanted: UnboundedSender<String>, full_interval: Duration) -> Self {
        Self { fleets: Mutex::default(), wanted, full_interval }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Fleet>> {
        self.fleets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a reason to reconcile an object.
    pub fn ask(&self, instance: &str, uid: &str) {
        let mut fleets = self.lock();
        let entry = fleets.entry(instance.to_owned()).or_default().objects.entry(uid.to_owned()).or_default();
        entry.ask();
    }

    /// Returns the number of reasons so far, when a reconciliation begins.
    pub fn begin(&self, instance: &str, uid: &str) -> u64 {
        self.lock().entry(instance.to_owned()).or_default().objects.entry(uid.to_owned()).or_default().asked
    }

    /// Ends a reconciliation: listings cover the object if everything was in order and no reason to reconcile came meanwhile.
    pub fn end(&self, instance: &str, uid: &str, asked: u64, covered: Option<Covered>) {
        let mut fleets = self.lock();
        let fleet = fleets.entry(instance.to_owned()).or_default();
        let period = self.period(fleet.objects.len());
        let entry = fleet.objects.entry(uid.to_owned()).or_default();
        if entry.asked == asked {
            let full = covered.as_ref().map(|_| Instant::now() + backoff::spread(period, uid, entry.asked));
            *entry = Entry { asked: entry.asked + 1, covered, full, awaits: false };
        }
    }

    fn period(&self, objects: usize) -> Duration {
        self.full_interval.max(Duration::from_secs_f64(objects as f64 * SECONDS_EACH))
    }

    /// Forgets an object that is gone.
    pub fn forget(&self, uid: &str) {
        for fleet in self.lock().values_mut() {
            fleet.objects.remove(uid);
        }
    }

    /// Forgets an instance that is gone.
    pub fn forget_instance(&self, instance: &str) {
        self.lock().remove(instance);
    }

    /// Returns how long an object needs no reconciliation; None if it needs one. One that is due waits for a listing if that costs n8n less.
    pub fn pass(&self, due: &Due<'_>, now: Instant) -> Option<Duration> {
        let mut fleets = self.lock();
        let fleet = fleets.get_mut(due.instance)?;
        let entry = fleet.objects.get(due.uid)?;
        let covered = entry.covered.as_ref().filter(|covered| covered.change == due.change && covered.interval == due.interval)?;
        let full = entry.full.filter(|full| *full > now)?;
        let left = covered.due().saturating_duration_since(now);
        if !left.is_zero() {
            return Some(left.min(full - now));
        }
        if due.interval < SHORTEST || !fleet.pays(now) {
            return None;
        }
        fleet.objects.get_mut(due.uid)?.awaits = true;
        self.want(fleet, due.instance);
        Some(due.interval.mul_f64(EARLY))
    }

    /// Lets an object that no reconciliation of this process looked at wait for a listing, if enough Workflows do. `count` counts those of the
    /// instance.
    pub fn pass_first(&self, due: &Due<'_>, now: Instant, count: impl FnOnce() -> usize) -> Option<Duration> {
        let mut fleets = self.lock();
        let fleet = fleets.entry(due.instance.to_owned()).or_default();
        let fresh = fleet.counted.filter(|(at, _)| now.duration_since(*at) < Duration::from_secs(1));
        let (_, objects) = *fleet.counted.insert(fresh.unwrap_or_else(|| (now, count())));
        let is_new = fleet.objects.get(due.uid).is_none_or(|entry| entry.asked == 0 && entry.covered.is_none() && !entry.awaits);
        if !is_new || objects < FEWEST || due.interval < SHORTEST || fleet.tried.is_some() && !fleet.sweeping {
            return None;
        }
        fleet.objects.entry(due.uid.to_owned()).or_default().awaits = true;
        self.want(fleet, due.instance);
        Some(due.interval.mul_f64(EARLY))
    }

    fn want(&self, fleet: &mut Fleet, instance: &str) {
        if !std::mem::replace(&mut fleet.sweeping, true) {
            // The receiver only goes away with the operator.
            let _ = self.wanted.send(instance.to_owned());
        }
    }

    /// Notes that a listing begins, and returns whether it is the first one, for which objects wait.
    pub fn started(&self, instance: &str) -> bool {
        self.lock().get_mut(instance).is_none_or(|fleet| fleet.tried.replace(Instant::now()).is_none())
    }

    /// Evaluates a listing. `confirms` says whether it confirms an object, and as which state; the UIDs of all others are returned: they need a
    /// reconciliation.
    pub fn evaluate(&self, instance: &str, listing: &Listing, mut confirms: impl FnMut(&str, Expected) -> Option<Covered>) -> SweepResult {
        let mut fleets = self.lock();
        let fleet = fleets.entry(instance.to_owned()).or_default();
        fleet.listed = listing.shown.len();
        fleet.tried = Some(Instant::now());
        let period = self.period(fleet.objects.len());
        let mut result = SweepResult::default();
        for (uid, entry) in &mut fleet.objects {
            let expected = match &entry.covered {
                // A reconciliation saw it after the listing began.
                Some(covered) if covered.confirmed > listing.began => continue,
                Some(covered) => Expected::Fingerprint(covered.fingerprint, covered.change),
                None if entry.awaits => Expected::Status,
                None => continue,
            };
            let covered = confirms(uid, expected).map(|covered| Covered { confirmed: listing.began, ..covered });
            entry.awaits = false;
            if covered.is_some() {
                result.confirmed += 1;
                entry.full.get_or_insert_with(|| listing.began + backoff::spread(period, uid, entry.asked));
                entry.covered = covered;
            } else {
                entry.ask();
                result.differing.insert(uid.clone());
            }
        }
        result
    }

    /// Ends a sweep. Objects that still wait get a reconciliation: returns their UIDs.
    pub fn ended(&self, instance: &str, listing: Option<Arc<Listing>>) -> HashSet<String> {
        let mut fleets = self.lock();
        let Some(fleet) = fleets.get_mut(instance) else { return HashSet::new() };
        fleet.sweeping = false;
        fleet.fresh = listing.map(|listing| (Instant::now(), listing));
        let mut waiting = HashSet::new();
        for (uid, entry) in fleet.objects.iter_mut().filter(|(_, entry)| entry.awaits) {
            entry.ask();
            waiting.insert(uid.clone());
        }
        waiting
    }

    /// Takes the listing of a sweep that has just ended.
    pub fn take_fresh(&self, instance: &str) -> Option<Arc<Listing>> {
        let fresh = self.lock().get_mut(instance)?.fresh.take();
        fresh.filter(|(at, _)| at.elapsed() < FRESH).map(|(_, listing)| listing)
    }

    /// Records when n8n was started, as far as that shows. If it was started again since the last time, its webhooks have to be checked:
    /// returns the UIDs of all objects that listings cover, which need a reconciliation now. `away` says that it did not answer meanwhile:
    /// then it counts as started again unless it shows that it was not.
    pub fn started_again(&self, instance: &str, start_mark: Option<String>, away: bool) -> HashSet<String> {
        let mut fleets = self.lock();
        let fleet = fleets.entry(instance.to_owned()).or_default();
        let again = match &start_mark {
            Some(now) if fleet.start_marks.contains(now) => false,
            Some(_) => away || !fleet.start_marks.is_empty(),
            None => away,
        };
        if let Some(now) = start_mark.filter(|now| !fleet.start_marks.contains(now)) {
            fleet.start_marks.truncate(MOST_STARTS - 1);
            fleet.start_marks.insert(0, now);
        }
        let covered = fleet.objects.iter_mut().filter(|(_, entry)| again && entry.covered.is_some());
        let asked = covered.map(|(uid, entry)| {
            entry.ask();
            uid.clone()
        });
        asked.collect()
    }

    /// Records a digest of the credentials of each type, and returns the types whose credentials changed since the last time; None if that is
    /// not known.
    pub fn credentials_changed(&self, instance: &str, now: Option<BTreeMap<String, u64>>) -> Option<HashSet<String>> {
        let mut fleets = self.lock();
        let fleet = fleets.entry(instance.to_owned()).or_default();
        let before = std::mem::replace(&mut fleet.credentials, now);
        let (before, now) = (before?, fleet.credentials.as_ref()?);
        let kinds = before.keys().chain(now.keys());
        Some(kinds.filter(|kind| before.get(*kind) != now.get(*kind)).cloned().collect())
    }

    /// Records a check of the N8nInstance, and returns when the last one was.
    pub fn inspected(&self, instance: &str) -> Option<Instant> {
        self.lock().entry(instance.to_owned()).or_default().inspected.replace(Instant::now())
    }

    /// Reports whether a check of the N8nInstance is due soon, so that it can use the listing of a sweep.
    pub fn inspection_is_due(&self, instance: &str, interval: Duration) -> bool {
        let fleets = self.lock();
        fleets.get(instance).and_then(|fleet| fleet.inspected).is_some_and(|at| at.elapsed() > interval.mul_f64(0.7))
    }

    /// Returns the number of objects that listings confirm.
    pub fn covered(&self) -> usize {
        self.lock().values().flat_map(|fleet| fleet.objects.values()).filter(|entry| entry.covered.is_some()).count()
    }
}

impl Fleet {
    /// Reports whether enough objects are due, now or within a quarter of their interval, for a listing to cost less than their reads.
    fn pays(&self, now: Instant) -> bool {
        if self.sweeping {
            return true;
        }
        if self.tried.is_some_and(|tried| now.duration_since(tried) < SPACING) {
            return false;
        }
        let due = |covered: &Covered| covered.interval >= SHORTEST && covered.due() <= now + covered.interval / 4;
        let due = self.objects.values().filter_map(|entry| entry.covered.as_ref()).filter(|covered| due(covered)).count();
        due >= FEWEST.max(self.listed / LISTED_PER_READ)
    }
}

/// Result of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SweepResult {
    /// Number of objects that it confirmed.
    pub confirmed: usize,
    /// UIDs of the objects that need a reconciliation.
    pub differing: HashSet<String>,
}

#[cfg(test)]
mod tests;
