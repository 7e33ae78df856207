//! Differences between two catalogues, and which of them break workflows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Catalog;
use super::model::{CredentialUse, NodeType, NodeVersion, Parameter, Shared};

/// A difference between two catalogues.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// The node type or credential type.
    pub subject: String,
    /// Kind of the change.
    pub code: &'static str,
    /// The affected part, such as a version or a parameter.
    pub part: String,
    /// True if workflows that used it stop working or are refused.
    pub breaking: bool,
}

/// Returns the differences between two catalogues, sorted.
pub fn compare(before: &Catalog, after: &Catalog) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut add = |subject: &str, code: &'static str, part: String, breaking: bool| {
        changes.push(Change { subject: subject.to_owned(), code, part, breaking });
    };
    let names = |catalog: &Catalog| catalog.index().nodes.iter().map(|entry| entry.name.clone()).collect::<BTreeSet<_>>();
    let (old, new) = (names(before), names(after));
    let added: BTreeMap<String, String> =
        new.difference(&old).filter_map(|name| after.node(name).map(|node| (node.display_name.clone(), name.clone()))).collect();
    for name in old.difference(&new) {
        let renamed = before.node(name).and_then(|node| added.get(&node.display_name));
        match renamed {
            Some(to) => add(name, "typeRenamed", to.clone(), true),
            None => add(name, "typeRemoved", String::new(), true),
        }
    }
    new.difference(&old).for_each(|name| add(name, "typeAdded", String::new(), false));
    for name in old.intersection(&new) {
        if let (Some(old), Some(new)) = (before.node(name), after.node(name)) {
            node(&old, &new, &mut |code, part, breaking| add(name, code, part, breaking));
        }
        if let (Some(old), Some(new)) = (before.reaches(name), after.reaches(name)) {
            // Namespaces other than the instance's own need a grant for it from now on.
            new.iter().filter(|reach| !old.contains(reach)).for_each(|reach| add(name, "reachGrew", reach.words().to_owned(), true));
        }
    }
    let names = |catalog: &Catalog| catalog.index().credentials.iter().map(|entry| entry.name.clone()).collect::<BTreeSet<_>>();
    let (old, new) = (names(before), names(after));
    old.difference(&new).for_each(|name| add(name, "credentialTypeRemoved", String::new(), true));
    new.difference(&old).for_each(|name| add(name, "credentialTypeAdded", String::new(), false));
    for name in old.intersection(&new) {
        if let (Some(old), Some(new)) = (before.credential(name), after.credential(name)) {
            parameters(&old.properties, &new.properties, "", &mut |code, part, breaking| add(name, code, part, breaking));
            let lost: Vec<&str> = new.scopes.iter().filter(|scope| !old.scopes.contains(scope)).map(String::as_str).collect();
            if !lost.is_empty() {
                // A token that was granted before does not cover the new scopes.
                add(name, "scopesAdded", lost.join(" "), true);
            }
        }
    }
    changes.sort();
    changes.dedup();
    changes
}

type AddChange<'a> = dyn FnMut(&'static str, String, bool) + 'a;

fn node(old: &NodeType, new: &NodeType, add: &mut AddChange<'_>) {
    let kept: BTreeSet<String> = new.versions().iter().map(f64::to_string).collect();
    for version in old.versions() {
        if !kept.contains(&version.to_string()) {
            add("versionRemoved", version.to_string(), new.versioned);
        }
    }
    let known: BTreeSet<String> = old.versions().iter().map(f64::to_string).collect();
    kept.difference(&known).for_each(|version| add("versionAdded", version.clone(), false));
    let hidden = |node: &NodeType| node.variants.iter().all(|variant| variant.hidden);
    if hidden(new) && !hidden(old) {
        add("typeHidden", String::new(), false);
    }
    let tool = |node: &NodeType| node.variants.iter().any(|variant| variant.usable_as_tool);
    if tool(old) && !tool(new) {
        add("toolRemoved", format!("{}Tool", old.name), true);
    }
    // Comparing one version of each description is enough: the other versions share it.
    let mut seen: Vec<(usize, usize)> = Vec::new();
    for version in old.versions() {
        let (Some(before), Some(after)) = (old.version(version), new.serving(Some(version))) else { continue };
        let pair = (std::ptr::from_ref(before) as usize, std::ptr::from_ref(after) as usize);
        if !seen.contains(&pair) {
            seen.push(pair);
            variant(before, after, version, add);
        }
    }
}

fn variant(old: &NodeVersion, new: &NodeVersion, version: f64, add: &mut AddChange<'_>) {
    let at = format!("v{version}");
    if old.inputs != new.inputs {
        add("inputsChanged", at.clone(), true);
    }
    if old.outputs != new.outputs {
        add("outputsChanged", at.clone(), true);
    }
    parameters(&old.parameters, &new.parameters, &at, add);
    let named = |list: &[CredentialUse]| list.iter().map(|one| one.name.clone()).collect::<BTreeSet<_>>();
    let (before, after) = (named(&old.credentials), named(&new.credentials));
    before.difference(&after).for_each(|name| add("credentialRemoved", format!("{at} {name}"), true));
    for credential in new.credentials.iter().filter(|credential| !before.contains(&credential.name)) {
        // A credential with conditions is an alternative that a node has to choose.
        add("credentialAdded", format!("{at} {}", credential.name), credential.required && credential.display.is_empty());
    }
}

/// Compares parameters by name. Several parameters of one name count as one that has the properties of any of them.
fn parameters(old: &[Shared], new: &[Shared], at: &str, add: &mut AddChange<'_>) {
    let by_name = |list: &[Shared]| {
        let mut found: BTreeMap<String, Vec<Shared>> = BTreeMap::new();
        list.iter().for_each(|parameter| found.entry(parameter.name.clone()).or_default().push(parameter.clone()));
        found
    };
    let (before, after) = (by_name(old), by_name(new));
    for (name, olds) in &before {
        let place = if at.is_empty() { name.clone() } else { format!("{at} {name}") };
        let Some(news) = after.get(name) else {
            add("parameterRemoved", place, true);
            continue;
        };
        let any = |list: &[Shared], of: fn(&Parameter) -> bool| list.iter().any(|parameter| of(parameter));
        if any(news, must_be_set) && !any(olds, must_be_set) {
            add("parameterRequired", place.clone(), true);
        }
        if !olds.iter().any(|one| news.iter().any(|other| one.kind == other.kind)) {
            add("parameterKind", place.clone(), true);
        }
        let offered =
            |list: &[Shared]| list.iter().flat_map(|one| one.options.values.iter().map(Value::to_string)).collect::<BTreeSet<_>>();
        if !any(news, |parameter| parameter.options.open) {
            for value in offered(olds).difference(&offered(news)) {
                add("optionRemoved", format!("{place} {value}"), true);
            }
        }
        let inside = |list: &[Shared]| -> Vec<Shared> {
            let groups = list.iter().flat_map(|one| one.groups.iter().flat_map(|group| group.fields.iter().cloned()));
            list.iter().flat_map(|one| one.fields.iter().cloned()).chain(groups).collect()
        };
        parameters(&inside(olds), &inside(news), &place, add);
    }
    for (name, news) in after.iter().filter(|(name, _)| !before.contains_key(*name)) {
        let place = if at.is_empty() { name.clone() } else { format!("{at} {name}") };
        add("parameterAdded", place, news.iter().any(|parameter| must_be_set(parameter)));
    }
}

/// Reports whether n8n refuses a node without a value for this parameter: it is required and shows unconditionally.
fn must_be_set(parameter: &Parameter) -> bool {
    parameter.required && parameter.display.is_empty()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::capability::Capability::{self, Files, Memory};
    use super::super::{RawPackage, distil, pack};
    use super::*;

    fn catalog(nodes: Value) -> Catalog {
        reaching(nodes, &[])
    }

    /// Returns a catalogue whose type `p.a` has these capabilities.
    fn reaching(nodes: Value, reaches: &[Capability]) -> Catalog {
        let package = RawPackage {
            name: "p".into(),
            version: "1.0.0".into(),
            nodes: serde_json::from_value(nodes).unwrap(),
            reaches: BTreeMap::from([("a".into(), reaches.iter().copied().collect())]),
            ..RawPackage::default()
        };
        Catalog::from_bytes(pack::pack(&distil(&[package]), None, vec![("p".into(), "1.0.0".into())]).unwrap()).unwrap()
    }

    fn changes(before: Value, after: Value) -> Vec<(String, &'static str, String, bool)> {
        let found = compare(&catalog(before), &catalog(after));
        found.into_iter().map(|change| (change.subject, change.code, change.part, change.breaking)).collect()
    }

    fn node(properties: Value) -> Value {
        json!([{"name": "a", "displayName": "A", "version": [1, 2], "inputs": ["main"], "outputs": ["main"], "properties": properties}])
    }

    #[test]
    fn equal_catalogues_have_no_changes() {
        assert_eq!(changes(node(json!([])), node(json!([]))), []);
    }

    #[test]
    fn a_new_capability_of_a_type_is_breaking() {
        let of = |reaches: &[Capability]| reaching(node(json!([])), reaches);
        let found = compare(&of(&[Memory]), &of(&[Memory, Files]));
        let wanted = Change { subject: "p.a".into(), code: "reachGrew", part: Files.words().into(), breaking: true };
        assert_eq!(found, [wanted]);
        assert_eq!(compare(&of(&[Memory, Files]), &of(&[])), []);
    }

    #[test]
    fn a_removed_type_is_breaking_and_one_of_the_same_display_name_is_a_rename() {
        let b = json!([{"name": "b", "displayName": "A", "version": 1, "properties": []}]);
        let found = changes(node(json!([])), b);
        assert!(found.contains(&("p.a".into(), "typeRenamed", "p.b".into(), true)), "{found:?}");
        assert!(found.contains(&("p.b".into(), "typeAdded", String::new(), false)), "{found:?}");
        assert_eq!(changes(node(json!([])), json!([])), [("p.a".into(), "typeRemoved", String::new(), true)]);
    }

    #[test]
    fn removed_parameters_and_options_are_breaking_and_added_ones_only_if_required() {
        let before = node(json!([
            {"name": "x", "type": "string"},
            {"name": "o", "type": "options", "options": [{"name": "1", "value": "a"}, {"name": "2", "value": "b"}]},
            {"name": "c", "type": "collection", "options": [{"name": "in", "type": "string"}]},
        ]));
        let after = node(json!([
            {"name": "o", "type": "options", "required": true, "options": [{"name": "1", "value": "a"}]},
            {"name": "c", "type": "collection", "options": [{"name": "in", "type": "number"}]},
            {"name": "free", "type": "string"},
            {"name": "must", "type": "string", "required": true},
        ]));
        let found: Vec<(&str, String, bool)> =
            changes(before, after).into_iter().map(|(_, code, part, breaks)| (code, part, breaks)).collect();
        assert_eq!(
            found,
            [
                ("optionRemoved", "v1 o \"b\"".into(), true),
                ("parameterAdded", "v1 free".into(), false),
                ("parameterAdded", "v1 must".into(), true),
                ("parameterKind", "v1 c in".into(), true),
                ("parameterRemoved", "v1 x".into(), true),
                ("parameterRequired", "v1 o".into(), true),
            ]
        );
    }
}
