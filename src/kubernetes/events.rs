//! Events of the API `events.k8s.io/v1`. kube's own recorder folds all events of one reason into the note of the first; here each note is
//! kept, and only the same note sent again within [`SERIES`] becomes a count.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::{Event, EventSeries};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::runtime::events::EventType;
use kube::{Api, Client};
use serde_json::json;

use crate::api::MANAGER;
use crate::api::reason::Reason;
use crate::text::one_line;

/// Maximum length of a note: the API server accepts 1 kB.
const NOTE_BYTES: usize = 1000;
/// Maximum length of the object's name in the name of an event; both names may have 253 characters.
const NAME_BYTES: usize = 220;
/// Time since the last occurrence within which the same note continues a series.
const SERIES: Duration = Duration::from_secs(360);

/// Writes events.
pub struct Events {
    client: Client,
    series: Mutex<HashMap<Key, Series>>,
}

/// Identity of a series: the object's UID, the reason, and the note.
type Key = (String, Reason, String);

/// An event that was written.
struct Series {
    name: String,
    count: i32,
    last: Instant,
}

impl Events {
    /// Returns a writer without a history of events.
    pub fn new(client: Client) -> Self {
        Self { client, series: Mutex::default() }
    }

    /// Writes an event, or increases the count of the same event within [`SERIES`].
    pub async fn send(&self, about: &ObjectReference, kind: EventType, reason: Reason, mut note: String) -> Result<(), kube::Error> {
        note = one_line(&note, NOTE_BYTES);
        note.truncate(note.floor_char_boundary(NOTE_BYTES));
        let namespace = about.namespace.as_deref().unwrap_or("default");
        let api = Api::<Event>::namespaced(self.client.clone(), namespace);
        let key = (about.uid.clone().unwrap_or_default(), reason, note);
        let now = MicroTime(Timestamp::now());
        if let Some((name, count)) = self.again(&key) {
            let series = EventSeries { count, last_observed_time: now.clone() };
            match api.patch(&name, &PatchParams::default(), &Patch::Merge(json!({ "series": series }))).await {
                // Events live for an hour by default, and people delete them.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                other => return other.map(drop),
            }
        }
        let event = event(about, kind, reason, &key.2, now);
        let name = event.metadata.name.clone().unwrap_or_default();
        api.create(&PostParams::default(), &event).await?;
        self.lock().insert(key, Series { name, count: 1, last: Instant::now() });
        Ok(())
    }

    /// Returns the name and the new count of the event that continues a series. Series that ended are forgotten.
    fn again(&self, key: &Key) -> Option<(String, i32)> {
        let mut series = self.lock();
        series.retain(|_, series| series.last.elapsed() < SERIES);
        let series = series.get_mut(key)?;
        series.count = series.count.saturating_add(1);
        series.last = Instant::now();
        Some((series.name.clone(), series.count))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Series>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn event(about: &ObjectReference, kind: EventType, reason: Reason, note: &str, now: MicroTime) -> Event {
    let object = about.name.as_deref().unwrap_or(MANAGER);
    let begin = object[..object.floor_char_boundary(NAME_BYTES)].trim_end_matches(['.', '-']);
    let kind = match kind {
        EventType::Normal => "Normal",
        EventType::Warning => "Warning",
    };
    Event {
        metadata: ObjectMeta {
            name: Some(format!("{begin}.{:x}", now.0.as_nanosecond())),
            namespace: about.namespace.clone(),
            ..ObjectMeta::default()
        },
        type_: Some(kind.to_owned()),
        action: Some("Reconcile".to_owned()),
        reason: Some(reason.as_str().to_owned()),
        note: Some(note.to_owned()),
        regarding: Some(about.clone()),
        event_time: Some(now),
        reporting_controller: Some(MANAGER.to_owned()),
        reporting_instance: Some(MANAGER.to_owned()),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_event_fits_for_any_object_name() {
        let about = ObjectReference { name: Some(format!("{}.{}", "a".repeat(219), "b".repeat(33))), ..ObjectReference::default() };
        let event = event(&about, EventType::Normal, Reason::Succeeded, "version 1 is published", MicroTime(Timestamp::now()));
        let name = event.metadata.name.unwrap();
        assert!(name.len() <= 253 && name.starts_with(&format!("{}.1", "a".repeat(219))), "{name}");
    }
}
