//! Bounded concurrency with a queue for each instance: a slow n8n delays only its own workflows, users' changes overtake creates, drift
//! checks and the initial list after a restart, and creates alone never take every slot.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::domain::urgency::Urgency;

/// One slot in this many is reserved for urgent reconciliations.
const RESERVED_SHARE: usize = 5;
/// Reconciliations of one urgency have a turn after this many of others: neither endless edits nor endless creates starve the rest.
const LONGEST_STREAK: usize = 16;

/// Hands out a limited number of slots for each instance.
#[derive(Clone, Debug)]
pub struct InstanceSlots {
    slots: usize,
    instances: Arc<Mutex<HashMap<String, InstanceQueue>>>,
    closed: CancellationToken,
}

/// Queue of one instance, and the number of its slots in use.
#[derive(Debug, Default)]
struct InstanceQueue {
    taken: usize,
    /// Number of taken slots that are not urgent.
    ordinary: usize,
    /// Number of turns of others since the last turn of each urgency.
    passed_over: [usize; Urgency::ALL.len()],
    next_ticket: u64,
    waiting: HashMap<u64, Waiter>,
    /// Tickets in the order of their turn. Tickets that left or moved to another queue are skipped.
    queues: [VecDeque<u64>; Urgency::ALL.len()],
    /// Ticket of each waiting object.
    tickets: HashMap<String, u64>,
}

#[derive(Debug)]
struct Waiter {
    object: String,
    urgency: Urgency,
    turn: oneshot::Sender<Slot>,
}

impl InstanceQueue {
    fn free(&self, slots: usize, urgency: Urgency) -> bool {
        // Creates may all hang in a slow n8n, and urgent reconciliations must not wait for them.
        self.taken < slots && (urgency.is_urgent() || self.ordinary < slots - slots / RESERVED_SHARE)
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

    /// Returns the next waiter for which a slot is free.
    fn next(&mut self, slots: usize) -> Option<Waiter> {
        let mut order = Urgency::ALL;
        order.sort_by_key(|urgency| self.passed_over[*urgency as usize] < LONGEST_STREAK);
        for urgency in order {
            while let Some(ticket) = self.free(slots, urgency).then(|| self.queues[urgency as usize].pop_front()).flatten() {
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

/// A slot; dropping it admits the next waiter.
#[derive(Debug)]
pub struct Slot {
    slots: InstanceSlots,
    key: String,
    urgency: Urgency,
}

/// A turn that is waited for; dropping it gives it up.
struct Waiting<'a> {
    slots: &'a InstanceSlots,
    key: &'a str,
    ticket: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let left = self.slots.lock().get_mut(self.key).and_then(|queue| queue.leave(self.ticket));
        // Outside of the lock.
        drop(left);
    }
}

impl InstanceSlots {
    /// Creates slots, at least one for each instance.
    pub fn new(slots: usize) -> Self {
        Self { slots: slots.max(1), instances: Arc::default(), closed: CancellationToken::new() }
    }

    /// Waits for a slot for an object; returns None once the slots are closed. The urgency is computed under the lock, so that no
    /// [promotion](Self::promote) is lost in between.
    pub async fn enter(&self, key: &str, object: &str, urgency: impl FnOnce() -> Urgency + Send) -> Option<Slot> {
        let (ticket, turn) = {
            let mut instances = self.lock();
            if self.closed.is_cancelled() {
                return None;
            }
            let urgency = urgency();
            let queue = instances.entry(key.to_owned()).or_default();
            if queue.free(self.slots, urgency) {
                queue.take(urgency);
                return Some(Slot { slots: self.clone(), key: key.to_owned(), urgency });
            }
            let (sender, receiver) = oneshot::channel();
            (queue.wait(object, urgency, sender), receiver)
        };
        let _turn = Waiting { slots: self, key, ticket };
        self.closed.run_until_cancelled(turn).await?.ok()
    }

    /// Moves a waiting object ahead of less urgent ones, and reports whether it was waiting.
    pub fn promote(&self, key: &str, object: &str, urgency: Urgency) -> bool {
        let promoted = self.lock().get_mut(key).is_some_and(|queue| queue.promote(object, urgency));
        if promoted {
            // It may take a slot that is reserved for urgent reconciliations.
            self.hand_on(key);
        }
        promoted
    }

    /// Closes the slots: running reconciliations end, waiting ones are dropped. Thousands may wait after a start, and an operator that is
    /// shutting down must not work through them first.
    pub fn close(&self) {
        self.closed.cancel();
    }

    /// Returns the number of waiters over all instances.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.lock().values().map(|queue| queue.waiting.len()).sum()
    }

    /// Gives each free slot to the next waiter.
    fn hand_on(&self, key: &str) {
        let mut turns = Vec::new();
        if let Some(queue) = self.lock().get_mut(key) {
            while let Some(waiter) = queue.next(self.slots) {
                queue.take(waiter.urgency);
                turns.push(waiter);
            }
        }
        for Waiter { urgency, turn, .. } in turns {
            // A waiter that gave up meanwhile drops the slot, and the next one gets it.
            let _ = turn.send(Slot { slots: self.clone(), key: key.to_owned(), urgency });
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, InstanceQueue>> {
        self.instances.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        {
            let mut instances = self.slots.lock();
            let Some(queue) = instances.get_mut(&self.key) else { return };
            queue.taken -= 1;
            queue.ordinary -= usize::from(!self.urgency.is_urgent());
            if queue.taken == 0 && queue.waiting.is_empty() {
                instances.remove(&self.key);
                return;
            }
        }
        self.slots.hand_on(&self.key);
    }
}

#[cfg(test)]
mod tests;
