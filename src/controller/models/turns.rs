//! Turns of calls, shared between providers: a slow provider takes a part of what is free, so that the others always get one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// The turns of this process.
#[derive(Clone, Debug)]
pub(super) struct Turns(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// Calls of each provider that have a turn, and those that wait for one.
    in_use: HashMap<String, usize>,
    waiting: HashMap<String, VecDeque<oneshot::Sender<Turn>>>,
}

/// A turn; dropping it passes it on.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
    provider: String,
}

impl Turns {
    /// Returns so many free turns.
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Mutex::new(State { free: most, in_use: HashMap::new(), waiting: HashMap::new() })))
    }

    /// Waits for a turn of a call of this provider.
    pub(super) async fn take(&self, provider: &str) -> Turn {
        loop {
            let (given, turn) = oneshot::channel();
            self.state().waiting.entry(provider.to_owned()).or_default().push_back(given);
            self.pass_on();
            if let Ok(turn) = turn.await {
                return turn;
            }
        }
    }

    /// Gives free turns to calls that wait: to a provider only as long as it has fewer than are free.
    fn pass_on(&self) {
        loop {
            let mut state = self.state();
            let Some(provider) = state.next() else { return };
            let Some(given) = state.waiting.get_mut(&provider).and_then(VecDeque::pop_front) else { return };
            if state.waiting.get(&provider).is_some_and(VecDeque::is_empty) {
                state.waiting.remove(&provider);
            }
            state.free -= 1;
            *state.in_use.entry(provider.clone()).or_default() += 1;
            drop(state);
            // A call that does not wait any more drops its turn, which is then passed on.
            drop(given.send(Turn { turns: self.clone(), provider }));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Returns the provider whose call is next: of those that may have one more, the one that has the fewest.
    fn next(&self) -> Option<String> {
        let in_use = |provider: &String| self.in_use.get(provider).copied().unwrap_or(0);
        let may = self.waiting.keys().filter(|provider| in_use(provider) < self.free);
        may.min_by_key(|provider| in_use(provider)).cloned()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        {
            let mut state = self.turns.state();
            state.free += 1;
            if let Some(in_use) = state.in_use.get_mut(&self.provider) {
                *in_use -= 1;
                if *in_use == 0 {
                    state.in_use.remove(&self.provider);
                }
            }
        }
        self.turns.pass_on();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn a_provider_whose_calls_hang_leaves_turns_for_the_others() {
        let turns = Turns::new(32);
        let mut slow = Vec::new();
        while let Some(turn) = turns.take("slow").now_or_never() {
            slow.push(turn);
        }
        assert_eq!(slow.len(), 16);
        let mut quick = Vec::new();
        while let Some(turn) = turns.take("quick").now_or_never() {
            quick.push(turn);
        }
        assert_eq!(quick.len(), 8);
        for provider in ["third", "fourth", "fifth"] {
            assert!(turns.take(provider).now_or_never().is_some());
        }
    }

    #[tokio::test]
    async fn a_turn_that_ends_is_given_to_the_provider_that_has_the_fewest() {
        let turns = Turns::new(2);
        let first = turns.take("a").await;
        let (mut more, mut other) = (Box::pin(turns.take("a")), Box::pin(turns.take("b")));
        assert!(more.as_mut().now_or_never().is_none(), "one of the two is left for others");
        let second = other.as_mut().now_or_never().unwrap();
        assert!(more.as_mut().now_or_never().is_none());
        drop(first);
        assert!(more.as_mut().now_or_never().is_some());
        drop(second);
        assert!(turns.state().in_use.is_empty());
        assert_eq!(turns.state().free, 2);
    }

    #[tokio::test]
    async fn a_call_that_is_given_up_loses_no_turn() {
        let turns = Turns::new(2);
        let first = turns.take("a").await;
        let mut given_up = Box::pin(turns.take("a"));
        assert!(given_up.as_mut().now_or_never().is_none());
        drop(given_up);
        drop(first);
        assert_eq!(turns.state().free, 2);
        assert!(turns.state().waiting.is_empty());
    }
}
