//! Faults between a client and n8n, selected by rules.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;

use super::reply::Reply;
use super::store::Random;

/// Effect on a request that a rule selects.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The response is delayed. Further rules still apply.
    Delay(Duration),
    /// The request waits until the gate is opened, and then proceeds. Further rules still apply.
    Held(Gate),
    /// This response instead of n8n's; nothing takes effect.
    Respond { status: u16, content_type: String, body: String, headers: Vec<(String, String)> },
    /// The connection closes; nothing takes effect.
    DropBefore,
    /// The request takes effect, and the connection closes without a response.
    DropAfter,
    /// The client loses its connection, and the request takes effect later nevertheless.
    LateApply { after: Duration, caller: Caller },
    /// The request takes effect, and the response breaks off in the middle.
    HalfBody,
    /// The response of a starting n8n to everything under `/api`.
    Html404,
    /// No response, ever; nothing takes effect.
    Hang,
}

/// A gate at which requests wait until a test opens it.
#[derive(Clone, Debug)]
pub(crate) struct Gate(Arc<Semaphore>);

impl Gate {
    pub(crate) fn shut() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Passes waiting and later requests.
    pub(crate) fn open(&self) {
        self.0.close();
    }

    pub(super) async fn pass(&self) {
        // A closed semaphore is an open gate, and it never has a permit before that.
        let _ = self.0.acquire().await;
    }
}

/// The state of the client of a late request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    Disconnected,
    /// Waits until its own timeout.
    KeptWaiting,
}

impl Fault {
    /// A JSON refusal, such as a proxy's or n8n's own.
    pub(crate) fn json(status: u16, message: &str) -> Self {
        Self::Respond {
            status,
            content_type: "application/json; charset=utf-8".to_owned(),
            body: serde_json::json!({ "message": message }).to_string(),
            headers: Vec::new(),
        }
    }

    /// n8n's response for a webhook that it does not have.
    pub(crate) fn not_registered() -> Self {
        Self::Respond {
            status: 404,
            content_type: "application/json; charset=utf-8".to_owned(),
            body: serde_json::json!({ "code": 404, "message": "The requested webhook \"PATCH x\" is not registered." }).to_string(),
            headers: Vec::new(),
        }
    }

    /// n8n's answer to OPTIONS for a path that is not registered.
    pub(crate) fn names_no_methods() -> Self {
        let headers = vec![("access-control-allow-methods".to_owned(), "OPTIONS".to_owned())];
        Self::Respond { status: 204, content_type: "text/plain".to_owned(), body: String::new(), headers }
    }

    /// A 429 or 503 with `Retry-After`.
    pub(crate) fn retry_after(status: u16, seconds: u64) -> Self {
        Self::Respond {
            status,
            content_type: "text/plain".to_owned(),
            body: "Too many requests".to_owned(),
            headers: vec![("retry-after".to_owned(), seconds.to_string())],
        }
    }

    /// The page of a proxy in front of n8n.
    pub(crate) fn bad_gateway() -> Self {
        Self::Respond {
            status: 502,
            content_type: "text/html".to_owned(),
            body: "<html><head><title>502 Bad Gateway</title></head></html>".to_owned(),
            headers: Vec::new(),
        }
    }

    pub(crate) fn reply(&self) -> Option<Reply> {
        let Self::Respond { status, content_type, body, headers } = self else {
            return None;
        };
        let mut reply = Reply::new(*status, content_type, body.clone());
        reply.headers.clone_from(headers);
        Some(reply)
    }
}

/// Selection among the matching requests of a rule.
#[derive(Clone, Debug)]
enum When {
    Always,
    /// Only this one, counted from 1 since the rule was added.
    Nth(usize),
    /// This many from the first.
    First(usize),
    /// All but this many from the first.
    After(usize),
    Chance(f64),
}

/// A rule: selected requests that match get the fault.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    method: String,
    path: String,
    when: When,
    seed: u64,
    fault: Fault,
}

impl Rule {
    /// `method` may be `*`. In `path` a `*` stands for one segment and a final `**` for any rest; the query is ignored. By default the rule
    /// selects every matching request.
    pub(crate) fn on(method: &str, path: &str, fault: Fault) -> Self {
        Self { method: method.to_owned(), path: path.to_owned(), when: When::Always, seed: 0, fault }
    }

    pub(crate) fn nth(mut self, nth: usize) -> Self {
        self.when = When::Nth(nth);
        self
    }

    pub(crate) fn once(self) -> Self {
        self.nth(1)
    }

    pub(crate) fn times(mut self, count: usize) -> Self {
        self.when = When::First(count);
        self
    }

    pub(crate) fn after(mut self, count: usize) -> Self {
        self.when = When::After(count);
        self
    }

    /// Selects by chance, reproducible by the seed and the order of requests.
    pub(crate) fn with_chance(mut self, chance: f64, seed: u64) -> Self {
        self.when = When::Chance(chance);
        self.seed = seed;
        self
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        (self.method == "*" || self.method == method) && path_matches(&self.path, path)
    }
}

pub(crate) fn path_matches(pattern: &str, path: &str) -> bool {
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        match (wanted, segments.next()) {
            ("**", _) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(segment)) if wanted == segment => {}
            _ => return false,
        }
    }
    segments.next().is_none()
}

struct Armed {
    rule: Rule,
    seen: usize,
    fired: usize,
    random: Random,
}

/// The rules in force.
#[derive(Default)]
pub(crate) struct Faults(Mutex<Vec<Armed>>);

/// The faults that apply to a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate {
    pub delay: Duration,
    pub gates: Vec<Gate>,
    pub fault: Option<Fault>,
}

impl Faults {
    fn rules(&self) -> std::sync::MutexGuard<'_, Vec<Armed>> {
        self.0.lock().expect("no test panics while it holds this")
    }

    /// Adds a rule after the existing ones, and returns its number for [`Faults::fired`].
    pub(crate) fn add(&self, rule: Rule) -> usize {
        let mut rules = self.rules();
        rules.push(Armed { random: Random::new(rule.seed), rule, seen: 0, fired: 0 });
        rules.len() - 1
    }

    pub(crate) fn clear(&self) {
        self.rules().clear();
    }

    /// Returns the number of requests that a rule has selected.
    pub(crate) fn fired(&self, rule: usize) -> usize {
        self.rules().get(rule).map_or(0, |armed| armed.fired)
    }

    /// The first rule that picks a request decides; delays add up on the way.
    pub(crate) fn decide(&self, method: &str, path: &str) -> Fate {
        let mut fate = Fate::default();
        for armed in self.rules().iter_mut() {
            if !armed.rule.matches(method, path) {
                continue;
            }
            armed.seen += 1;
            let picked = match armed.rule.when {
                When::Always => true,
                When::Nth(nth) => armed.seen == nth,
                When::First(count) => armed.seen <= count,
                When::After(count) => armed.seen > count,
                When::Chance(chance) => armed.random.fraction() < chance,
            };
            if !picked {
                continue;
            }
            armed.fired += 1;
            match &armed.rule.fault {
                Fault::Delay(delay) => fate.delay += *delay,
                Fault::Held(gate) => fate.gates.push(gate.clone()),
                fault => {
                    fate.fault = Some(fault.clone());
                    break;
                }
            }
        }
        fate
    }
}
