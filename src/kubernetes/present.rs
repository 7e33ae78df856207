//! Objects of a watch that are gone: those that it reports as deleted, and those that were deleted while it was broken, which only a new
//! list lacks.

use std::collections::HashSet;
use std::hash::Hash;

use kube::Resource;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::Event;

/// Objects that a watch last reported.
pub struct Present<K: Resource<DynamicType = ()>> {
    known: HashSet<ObjectRef<K>>,
    /// Objects of a list that is not complete yet.
    listed: HashSet<ObjectRef<K>>,
}

impl<K: Resource<DynamicType = ()>> Default for Present<K> {
    fn default() -> Self {
        Self { known: HashSet::new(), listed: HashSet::new() }
    }
}

impl<K: Resource<DynamicType = ()> + Clone> Present<K>
where
    ObjectRef<K>: Hash + Eq + Clone,
{
    /// Processes an event, and returns the objects that are gone with it.
    pub fn gone(&mut self, event: &Event<K>) -> Vec<ObjectRef<K>> {
        match event {
            Event::Init => self.listed.clear(),
            Event::InitApply(object) => drop(self.listed.insert(ObjectRef::from_obj(object))),
            Event::InitDone => {
                let before = std::mem::replace(&mut self.known, std::mem::take(&mut self.listed));
                return before.difference(&self.known).cloned().collect();
            }
            Event::Apply(object) => drop(self.known.insert(ObjectRef::from_obj(object))),
            Event::Delete(object) => {
                let gone = ObjectRef::from_obj(object);
                self.known.remove(&gone);
                return vec![gone];
            }
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::api::ObjectMeta;

    use super::*;

    fn object(name: &str, version: &str) -> ConfigMap {
        let text = |text: &str| Some(text.to_owned());
        let uid = Some(format!("uid-of-{name}"));
        let metadata = ObjectMeta { name: text(name), namespace: text("n"), uid, resource_version: text(version), ..ObjectMeta::default() };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    #[test]
    fn an_object_that_is_gone_is_named_with_its_uid() {
        let mut present = Present::default();
        let mut gone =
            |event: Event<ConfigMap>| -> Vec<Option<String>> { present.gone(&event).into_iter().map(|one| one.extra.uid).collect() };
        for event in [Event::Init, Event::InitApply(object("a", "1")), Event::InitDone, Event::Apply(object("b", "2"))] {
            assert!(gone(event).is_empty());
        }
        assert_eq!(gone(Event::Delete(object("b", "3"))), [Some("uid-of-b".to_owned())]);
        assert!(gone(Event::Init).is_empty());
        assert_eq!(gone(Event::InitDone), [Some("uid-of-a".to_owned())]);
    }

    #[test]
    fn objects_deleted_while_a_watch_was_broken_are_missing_in_the_next_list() {
        let mut present = Present::default();
        let mut gone = |event: Event<ConfigMap>| -> Vec<String> { present.gone(&event).into_iter().map(|one| one.name).collect() };
        let none: [&str; 0] = [];
        for event in [Event::Init, Event::InitApply(object("a", "1")), Event::InitApply(object("b", "2")), Event::InitDone] {
            assert_eq!(gone(event), none, "nothing was known before");
        }
        assert_eq!(gone(Event::Apply(object("c", "3"))), none);
        assert_eq!(gone(Event::Delete(object("b", "4"))), ["b"]);
        for event in [Event::Init, Event::InitApply(object("a", "9"))] {
            assert_eq!(gone(event), none, "the list is not complete");
        }
        assert_eq!(gone(Event::InitDone), ["c"]);
        assert_eq!(gone(Event::Delete(object("a", "9"))), ["a"]);
    }
}
