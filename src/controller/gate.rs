//! Bounded concurrency with two lanes for each instance: a slow n8n delays only its own workflows, and a fresh edit
//! overtakes drift checks and the initial list after a restart.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// How soon a pass should start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody changed the object.
    Edit,
    /// Nothing changed that we know of.
    Routine,
}

/// Hands out places, so many at a time for each instance.
#[derive(Clone, Debug)]
pub struct Gate {
    places: usize,
    lanes: Arc<Mutex<HashMap<String, Lane>>>,
    closed: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Lane {
    taken: usize,
    edits: VecDeque<oneshot::Sender<()>>,
    routine: VecDeque<oneshot::Sender<()>>,
}

impl Lane {
    fn next(&mut self) -> Option<oneshot::Sender<()>> {
        self.edits.pop_front().or_else(|| self.routine.pop_front())
    }

    fn waiting(&self) -> usize {
        self.edits.len() + self.routine.len()
    }
}

/// A place; dropping it lets the next one in.
#[derive(Debug)]
pub struct Place {
    gate: Gate,
    key: String,
}

impl Gate {
    /// A gate with so many places for each instance, at least one.
    pub fn new(places: usize) -> Self {
        Self { places: places.max(1), lanes: Arc::default(), closed: Arc::default() }
    }

    /// Waits for a place; there is none any more once the gate is closed.
    pub async fn enter(&self, key: &str, urgency: Urgency) -> Option<Place> {
        let turn = {
            let mut lanes = self.lock();
            if self.closed.load(Ordering::SeqCst) {
                return None;
            }
            let lane = lanes.entry(key.to_owned()).or_default();
            if lane.taken < self.places {
                lane.taken += 1;
                None
            } else {
                let (sender, receiver) = oneshot::channel();
                match urgency {
                    Urgency::Edit => lane.edits.push_back(sender),
                    Urgency::Routine => lane.routine.push_back(sender),
                }
                Some(receiver)
            }
        };
        if let Some(turn) = turn {
            // The sender is dropped when the gate closes.
            turn.await.ok()?;
        }
        Some(Place { gate: self.clone(), key: key.to_owned() })
    }

    /// Lets nobody in any more: those who have a place end, those who wait go. Thousands may wait after a start, and an
    /// operator that is asked to end must not work through them first.
    pub fn close(&self) {
        let mut lanes = self.lock();
        self.closed.store(true, Ordering::SeqCst);
        for lane in lanes.values_mut() {
            lane.edits.clear();
            lane.routine.clear();
        }
    }

    /// How many wait, over all instances.
    pub fn waiting(&self) -> usize {
        self.lock().values().map(Lane::waiting).sum()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lanes = self.gate.lock();
        let Some(lane) = lanes.get_mut(&self.key) else { return };
        // A waiter that gave up leaves a closed channel behind; the place goes to the one after it.
        while let Some(next) = lane.next() {
            if next.send(()).is_ok() {
                return;
            }
        }
        lane.taken -= 1;
        if lane.taken == 0 {
            lanes.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_edit_overtakes_what_waits_longer() {
        let gate = Gate::new(1);
        let first = gate.enter("ops/main", Urgency::Routine).await;
        let (done, mut order) = tokio::sync::mpsc::unbounded_channel();
        for (name, urgency) in [("routine", Urgency::Routine), ("edit", Urgency::Edit)] {
            let (waiter, done) = (gate.clone(), done.clone());
            tokio::spawn(async move {
                let _place = waiter.enter("ops/main", urgency).await;
                done.send(name).unwrap();
            });
            while gate.waiting() < if name == "edit" { 2 } else { 1 } {
                tokio::task::yield_now().await;
            }
        }
        drop(first);
        assert_eq!(order.recv().await, Some("edit"));
        assert_eq!(order.recv().await, Some("routine"));
    }

    #[tokio::test]
    async fn a_closed_gate_sends_those_away_who_wait_and_lets_those_end_who_are_in() {
        let gate = Gate::new(1);
        let inside = gate.enter("ops/main", Urgency::Edit).await;
        let mut waiting = Box::pin(gate.enter("ops/main", Urgency::Routine));
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        gate.close();
        assert!(waiting.await.is_none() && gate.enter("ops/main", Urgency::Edit).await.is_none());
        drop(inside);
        assert_eq!(gate.waiting(), 0);
    }

    #[tokio::test]
    async fn one_instance_does_not_hold_up_another_and_a_waiter_may_give_up() {
        let gate = Gate::new(1);
        let slow = gate.enter("ops/slow", Urgency::Edit).await;
        drop(gate.enter("ops/fast", Urgency::Routine).await);
        let mut impatient = Box::pin(gate.enter("ops/slow", Urgency::Edit));
        assert!(futures::poll!(impatient.as_mut()).is_pending());
        drop(impatient);
        drop(slow);
        drop(gate.enter("ops/slow", Urgency::Routine).await);
        assert_eq!(gate.waiting(), 0);
    }
}
