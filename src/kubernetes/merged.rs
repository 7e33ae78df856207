//! The watches of several namespaces as one: a complete list of all of them first, then the changes.

use std::collections::{HashMap, HashSet};

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use kube::Resource;
use kube::runtime::reflector::ObjectRef;
use kube::runtime::watcher::{Error, Event};

/// Merges watches. `known` returns the last known state of an object, for those that are missing in a later list of their namespace. A single
/// watch stays as it is.
pub(super) fn merged<K>(
    mut watches: Vec<BoxStream<'static, Result<Event<K>, Error>>>,
    known: impl Fn(&ObjectRef<K>) -> Option<K> + Send + 'static,
) -> BoxStream<'static, Result<Event<K>, Error>>
where
    K: Resource<DynamicType = ()> + Clone + Send + 'static,
{
    if watches.len() == 1 {
        return watches.swap_remove(0);
    }
    let mut merge = Merge::new(watches.len());
    let numbered = watches.into_iter().enumerate().map(|(at, watch)| watch.map(move |event| (at, event)).boxed());
    stream::select_all(numbered)
        .flat_map(move |(at, event)| {
            let steps = match event {
                Ok(event) => merge.on(at, event).into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            stream::iter(steps)
        })
        .filter_map(move |step| {
            std::future::ready(match step {
                Ok(Step::Event(event)) => Some(Ok(event)),
                Ok(Step::Gone(object)) => known(&object).map(|object| Ok(Event::Delete(object))),
                Err(error) => Some(Err(error)),
            })
        })
        .boxed()
}

/// Consequence of an event of one watch.
enum Step<K: Resource<DynamicType = ()>> {
    Event(Event<K>),
    /// The object is missing in a new list.
    Gone(ObjectRef<K>),
}

struct Merge<K: Resource<DynamicType = ()>> {
    watches: Vec<One<K>>,
    /// The objects by now, until each first list is complete.
    first: Option<HashMap<ObjectRef<K>, K>>,
}

/// State of one watch.
struct One<K: Resource<DynamicType = ()>> {
    objects: HashSet<ObjectRef<K>>,
    /// Objects of a list that is not complete.
    listing: HashSet<ObjectRef<K>>,
    complete: bool,
}

impl<K: Resource<DynamicType = ()>> Merge<K> {
    fn new(watches: usize) -> Self {
        let one = || One { objects: HashSet::new(), listing: HashSet::new(), complete: false };
        Self { watches: std::iter::repeat_with(one).take(watches).collect(), first: Some(HashMap::new()) }
    }

    fn on(&mut self, at: usize, event: Event<K>) -> Vec<Step<K>> {
        let Some(watch) = self.watches.get_mut(at) else { return Vec::new() };
        let mut steps = Vec::new();
        match event {
            // Objects of an interrupted list are known too: the next complete one may lack them.
            Event::Init => watch.objects.extend(watch.listing.drain()),
            Event::InitApply(object) => {
                watch.listing.insert(ObjectRef::from_obj(&object));
                steps.push(Step::Event(Event::Apply(object)));
            }
            Event::InitDone => {
                let listed = std::mem::take(&mut watch.listing);
                steps.extend(watch.objects.difference(&listed).cloned().map(Step::Gone));
                watch.objects = listed;
                watch.complete = true;
            }
            Event::Apply(object) => {
                watch.objects.insert(ObjectRef::from_obj(&object));
                steps.push(Step::Event(Event::Apply(object)));
            }
            Event::Delete(object) => {
                watch.objects.remove(&ObjectRef::from_obj(&object));
                steps.push(Step::Event(Event::Delete(object)));
            }
        }
        let Some(first) = &mut self.first else { return steps };
        for step in steps {
            match step {
                Step::Event(Event::Apply(object)) => drop(first.insert(ObjectRef::from_obj(&object), object)),
                Step::Event(Event::Delete(object)) => drop(first.remove(&ObjectRef::from_obj(&object))),
                Step::Gone(object) => drop(first.remove(&object)),
                Step::Event(_) => {}
            }
        }
        if !self.watches.iter().all(|watch| watch.complete) {
            return Vec::new();
        }
        let objects = self.first.take().unwrap_or_default().into_values().map(Event::InitApply);
        std::iter::once(Event::Init).chain(objects).chain([Event::InitDone]).map(Step::Event).collect()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::ResourceExt;
    use kube::api::ObjectMeta;

    use super::*;

    fn object(namespace: &str, name: &str) -> ConfigMap {
        let metadata = ObjectMeta { name: Some(name.to_owned()), namespace: Some(namespace.to_owned()), ..ObjectMeta::default() };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    /// Returns what an event of a watch leads to.
    fn seen(merge: &mut Merge<ConfigMap>, at: usize, event: Event<ConfigMap>) -> Vec<String> {
        let named = |word: &str, object: &ConfigMap| format!("{word} {}/{}", object.namespace().unwrap(), object.name_any());
        let mut seen: Vec<_> = merge
            .on(at, event)
            .iter()
            .map(|step| match step {
                Step::Event(Event::Init) => "< list".to_owned(),
                Step::Event(Event::InitApply(object)) => named("with", object),
                Step::Event(Event::InitDone) => "~ complete".to_owned(),
                Step::Event(Event::Apply(object)) => named("changed", object),
                Step::Event(Event::Delete(object)) => named("deleted", object),
                Step::Gone(object) => format!("gone {}/{}", object.namespace.as_deref().unwrap(), object.name),
            })
            .collect();
        seen.sort();
        seen
    }

    #[test]
    fn the_first_list_is_complete_when_that_of_each_namespace_is() {
        let mut merge = Merge::new(2);
        for event in [Event::Init, Event::InitApply(object("a", "1")), Event::InitApply(object("a", "2")), Event::InitDone] {
            assert!(seen(&mut merge, 0, event).is_empty());
        }
        // Changes in the meantime are part of the list.
        for event in [Event::Delete(object("a", "1")), Event::Apply(object("a", "3"))] {
            assert!(seen(&mut merge, 0, event).is_empty());
        }
        // A list that begins anew.
        for event in [Event::Init, Event::InitApply(object("b", "0")), Event::Init, Event::InitApply(object("b", "1"))] {
            assert!(seen(&mut merge, 1, event).is_empty());
        }
        assert!(seen(&mut merge, 0, Event::Init).is_empty());
        assert!(seen(&mut merge, 0, Event::InitApply(object("a", "3"))).is_empty());
        assert!(seen(&mut merge, 0, Event::InitDone).is_empty());
        assert_eq!(seen(&mut merge, 1, Event::InitDone), ["< list", "with a/3", "with b/1", "~ complete"]);
    }

    #[test]
    fn a_later_list_of_one_namespace_leaves_the_others_alone() {
        let mut merge = Merge::new(2);
        for (at, namespace) in [(0, "a"), (1, "b")] {
            seen(&mut merge, at, Event::Init);
            seen(&mut merge, at, Event::InitApply(object(namespace, "1")));
            seen(&mut merge, at, Event::InitDone);
        }
        assert_eq!(seen(&mut merge, 0, Event::Apply(object("a", "2"))), ["changed a/2"]);
        assert!(seen(&mut merge, 0, Event::Init).is_empty());
        assert_eq!(seen(&mut merge, 0, Event::InitApply(object("a", "3"))), ["changed a/3"]);
        assert_eq!(seen(&mut merge, 1, Event::Delete(object("b", "1"))), ["deleted b/1"]);
        assert_eq!(seen(&mut merge, 0, Event::InitDone), ["gone a/1", "gone a/2"]);
    }
}
