//! Bounded concurrency with lanes for each instance: a slow n8n delays only its own workflows, what people changed overtakes
//! creates, drift checks and the initial list after a restart, and creates alone never take every place.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::domain::urgency::Urgency;

/// One place of so many is held free for urgent passes.
const PLACES_HELD_FREE: usize = 5;
/// Passes of one urgency have a turn after so many of others: neither edits nor creates without end hold up anybody for ever.
const LONGEST_STREAK: usize = 16;

/// Hands out places, so many at a time for each instance.
#[derive(Clone, Debug)]
pub struct InstanceSlots {
    places: usize,
    lanes: Arc<Mutex<HashMap<String, Lane>>>,
    closed: Arc<AtomicBool>,
}

/// Who waits for a place of one instance, and how many have one.
#[derive(Debug, Default)]
struct Lane {
    taken: usize,
    /// How many of them are not urgent.
    ordinary: usize,
    /// How many others had their turn since one of this urgency had.
    passed_over: [usize; Urgency::ALL.len()],
    next_ticket: u64,
    waiting: HashMap<u64, Waiter>,
    /// Tickets in the order of their turn. One that left or was moved to another queue is passed over.
    queues: [VecDeque<u64>; Urgency::ALL.len()],
    /// The ticket of each object that waits.
    tickets: HashMap<String, u64>,
}

#[derive(Debug)]
struct Waiter {
    object: String,
    urgency: Urgency,
    turn: oneshot::Sender<Slot>,
}

impl Lane {
    fn free(&self, places: usize, urgency: Urgency) -> bool {
        // Creates may all hang in a slow n8n, and what people wait for must not.
        self.taken < places && (urgency.is_urgent() || self.ordinary < places - places / PLACES_HELD_FREE)
    }

    fn take(&mut self, urgency: Urgency) {
        self.taken += 1;
        self.ordinary += usize::from(!urgency.is_urgent());
    }

    fn wait(&mut self, object: &str, urgency: Urgency, turn: oneshot::Sender<Slot>) -> u64 {
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        self.waiting.insert(ticket, Waiter { object: object.to_owned(), urgency, turn });
        self.tickets.insert(object.to_owned(), ticket);
        self.queues[urgency as usize].push_back(ticket);
        ticket
    }

    fn leave(&mut self, ticket: u64) -> Option<Waiter> {
        let waiter = self.waiting.remove(&ticket)?;
        if self.tickets.get(&waiter.object) == Some(&ticket) {
            self.tickets.remove(&waiter.object);
        }
        Some(waiter)
    }

    /// The next one for whom there is a place.
    fn next(&mut self, places: usize) -> Option<Waiter> {
        let mut order = Urgency::ALL;
        order.sort_by_key(|urgency| self.passed_over[*urgency as usize] < LONGEST_STREAK);
        for urgency in order {
            while let Some(ticket) = self.free(places, urgency).then(|| self.queues[urgency as usize].pop_front()).flatten() {
                if self.waiting.get(&ticket).is_some_and(|waiter| waiter.urgency == urgency) {
                    self.passed_over.iter_mut().for_each(|others| *others += 1);
                    self.passed_over[urgency as usize] = 0;
                    return self.leave(ticket);
                }
            }
        }
        None
    }

    fn promote(&mut self, object: &str, urgency: Urgency) -> bool {
        let Some(ticket) = self.tickets.get(object) else { return false };
        let Some(waiter) = self.waiting.get_mut(ticket).filter(|waiter| urgency < waiter.urgency) else { return false };
        waiter.urgency = urgency;
        self.queues[urgency as usize].push_back(*ticket);
        true
    }
}

/// A place; dropping it lets the next one in.
#[derive(Debug)]
pub struct Slot {
    slots: InstanceSlots,
    key: String,
    urgency: Urgency,
}

/// A turn that is waited for; dropping it gives it up.
struct Turn<'a> {
    slots: &'a InstanceSlots,
    key: &'a str,
    ticket: u64,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let left = self.slots.lock().get_mut(self.key).and_then(|lane| lane.leave(self.ticket));
        // Outside of the lock.
        drop(left);
    }
}

impl InstanceSlots {
    /// A gate with so many places for each instance, at least one.
    pub fn new(places: usize) -> Self {
        Self { places: places.max(1), lanes: Arc::default(), closed: Arc::default() }
    }

    /// Waits for a place for an object; there is none any more once the gate is closed. How urgent it is is asked while nobody can
    /// [promote](Self::promote) it, so that no change falls in between.
    pub async fn enter(&self, key: &str, object: &str, urgency: impl FnOnce() -> Urgency + Send) -> Option<Slot> {
        let (ticket, turn) = {
            let mut lanes = self.lock();
            if self.closed.load(Ordering::SeqCst) {
                return None;
            }
            let urgency = urgency();
            let lane = lanes.entry(key.to_owned()).or_default();
            if lane.free(self.places, urgency) {
                lane.take(urgency);
                return Some(Slot { slots: self.clone(), key: key.to_owned(), urgency });
            }
            let (sender, receiver) = oneshot::channel();
            (lane.wait(object, urgency, sender), receiver)
        };
        let _turn = Turn { slots: self, key, ticket };
        // The sender is dropped when the gate closes.
        turn.await.ok()
    }

    /// Lets an object that waits overtake those that are less urgent, and tells whether it waited.
    pub fn promote(&self, key: &str, object: &str, urgency: Urgency) -> bool {
        let promoted = self.lock().get_mut(key).is_some_and(|lane| lane.promote(object, urgency));
        if promoted {
            // It may take a place that is held free for it.
            self.hand_on(key);
        }
        promoted
    }

    /// Lets nobody in any more: those who have a place end, those who wait go. Thousands may wait after a start, and an
    /// operator that is asked to end must not work through them first.
    pub fn close(&self) {
        let mut lanes = self.lock();
        self.closed.store(true, Ordering::SeqCst);
        for lane in lanes.values_mut() {
            lane.waiting.clear();
            lane.tickets.clear();
        }
    }

    /// How many wait, over all instances.
    pub fn waiting(&self) -> usize {
        self.lock().values().map(|lane| lane.waiting.len()).sum()
    }

    /// Gives each free place to the next one who waits for it.
    fn hand_on(&self, key: &str) {
        let mut turns = Vec::new();
        if let Some(lane) = self.lock().get_mut(key) {
            while let Some(waiter) = lane.next(self.places) {
                lane.take(waiter.urgency);
                turns.push(waiter);
            }
        }
        for Waiter { urgency, turn, .. } in turns {
            // Whoever gave up meanwhile drops the place, and the next one has it.
            let _ = turn.send(Slot { slots: self.clone(), key: key.to_owned(), urgency });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        {
            let mut lanes = self.slots.lock();
            let Some(lane) = lanes.get_mut(&self.key) else { return };
            lane.taken -= 1;
            lane.ordinary -= usize::from(!self.urgency.is_urgent());
            if lane.taken == 0 && lane.waiting.is_empty() {
                lanes.remove(&self.key);
                return;
            }
        }
        self.slots.hand_on(&self.key);
    }
}

#[cfg(test)]
mod tests;
