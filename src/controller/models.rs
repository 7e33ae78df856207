//! Calls of language models that are running: in tasks of their own, at most so many at once, so that no reconciliation waits for a model, and
//! no provider for another.

mod turns;

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use kube::runtime::reflector::ObjectRef;
use prometheus::IntGauge;
use tokio::sync::mpsc::UnboundedSender;
use tracing::{Instrument, info_span};

use turns::Turns;

use crate::generation::call::{ModelCall, ModelReply};
use crate::kubernetes::indexed_prompt::IndexedPrompt;
use crate::llm::{ErrorKind, ModelClient, ModelError};

/// Maximum number of calls at once, of all providers together. One alone may have half of them.
const MOST: usize = 32;

/// State of a call.
#[derive(Clone, Debug)]
pub enum CallState {
    /// It waits for a turn or for its answer.
    Running,
    /// It has ended.
    Done(Result<ModelReply, ModelError>),
}

/// Calls by the UID of the prompt and the hash of the question.
#[derive(Default)]
struct Calls(HashMap<(String, String), CallState>);

type Followers = HashMap<(String, String), Vec<ObjectRef<IndexedPrompt>>>;

/// A call that is to be made.
pub struct Asking {
    /// UID of the prompt.
    pub uid: String,
    /// The prompt.
    pub prompt: ObjectRef<IndexedPrompt>,
    /// Key of the provider, by which turns are shared.
    pub provider: String,
    /// Client of the provider.
    pub client: Arc<ModelClient>,
    /// The question.
    pub call: ModelCall,
}

/// The calls of this process.
pub struct ModelQueue {
    calls: Arc<Mutex<Calls>>,
    turns: Turns,
    /// Prompts that wait for the answer to a question that another prompt has sent, by namespace and hash.
    followers: Mutex<Followers>,
    waiting: IntGauge,
    wake: UnboundedSender<ObjectRef<IndexedPrompt>>,
}

impl ModelQueue {
    /// Creates the queue; `waiting` follows the number of calls that are running, and `wake` starts a reconciliation when one has ended.
    pub fn new(waiting: IntGauge, wake: UnboundedSender<ObjectRef<IndexedPrompt>>) -> Self {
        Self { calls: Arc::default(), turns: Turns::new(MOST), followers: Mutex::default(), waiting, wake }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        lock(&self.calls)
    }

    /// Returns the state of a call; None if this process does not know it.
    pub fn state(&self, uid: &str, key: &str) -> Option<CallState> {
        self.calls().0.get(&(uid.to_owned(), key.to_owned())).cloned()
    }

    /// Forgets a call whose answer is recorded.
    pub fn forget(&self, uid: &str, key: &str) {
        self.calls().0.remove(&(uid.to_owned(), key.to_owned()));
    }

    /// Forgets the calls of a prompt that is gone; one that waits for its turn is not sent any more.
    pub fn forget_prompt(&self, uid: &str) {
        self.calls().0.retain(|(of, _), _| of != uid);
    }

    /// Wakes this prompt when the question that another prompt has sent is answered, lost or not sent.
    pub fn follow(&self, prompt: ObjectRef<IndexedPrompt>, key: &str) {
        let at = (prompt.namespace.clone().unwrap_or_default(), key.to_owned());
        let mut followers = lock(&self.followers);
        let all = followers.entry(at).or_default();
        if !all.contains(&prompt) {
            all.push(prompt);
        }
    }

    /// Wakes the prompts that wait for the answer to this question.
    pub fn wake_followers(&self, namespace: &str, key: &str) {
        for prompt in lock(&self.followers).remove(&(namespace.to_owned(), key.to_owned())).into_iter().flatten() {
            // The receiver only goes away with the operator.
            let _ = self.wake.send(prompt);
        }
    }

    /// Starts a call, unless it is known already.
    pub fn start(&self, asking: Asking) {
        let Asking { uid, prompt, provider, client, call } = asking;
        let id = (uid, call.key.clone());
        if self.calls().0.contains_key(&id) {
            return;
        }
        self.calls().0.insert(id.clone(), CallState::Running);
        self.waiting.inc();
        let (calls, turns, waiting, wake) = (self.calls.clone(), self.turns.clone(), self.waiting.clone(), self.wake.clone());
        let span = info_span!("model", namespace = prompt.namespace, prompt = prompt.name, stage = call.stage.as_str());
        let asking = async move {
            let _turn = turns.take(&provider).await;
            if !lock(&calls).0.contains_key(&id) {
                waiting.dec();
                return;
            }
            let answer = AssertUnwindSafe(client.call(&call)).catch_unwind().await;
            let answer = answer.unwrap_or_else(|_| Err(lost("the call panicked, which is a bug in Weirkeeper")));
            // The prompt may be gone meanwhile.
            if let Some(state) = lock(&calls).0.get_mut(&id) {
                *state = CallState::Done(answer);
            }
            waiting.dec();
            // The receiver only goes away with the operator.
            let _ = wake.send(prompt);
        };
        tokio::spawn(asking.instrument(span));
    }
}

/// Returns the error of a call whose answer will never be known.
pub fn lost(message: &str) -> ModelError {
    ModelError { kind: ErrorKind::Unusable, message: message.to_owned(), retry_after: None, may_have_been_paid: true }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
