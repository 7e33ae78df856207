//! Names of objects, derived from the names of workflows in n8n.

use std::collections::{BTreeMap, HashSet};

use crate::text::sha256::sha256_hex;

/// Maximum length of a name: a DNS label of 63 characters, less the suffix of a ConfigMap's name.
const LONGEST: usize = 50;

/// Facts that a name is derived from.
#[derive(Clone, Debug)]
pub struct Known {
    /// Id in n8n.
    pub id: String,
    /// Name in n8n; need not be unique.
    pub name: String,
    /// Time of creation, as n8n writes it.
    pub created_at: String,
    /// Name of the object that already manages it, from its mark.
    pub object: Option<String>,
}

/// Returns a unique name for each id: a DNS label. Of several workflows with one name, the oldest keeps it and the others get a suffix
/// derived from their id, so that a workflow created later renames none. Pass all workflows of the instance, whichever are imported.
pub fn names(mut known: Vec<Known>) -> BTreeMap<String, String> {
    known.sort_by(|a, b| (a.object.is_none(), &a.created_at, &a.id).cmp(&(b.object.is_none(), &b.created_at, &b.id)));
    let mut used = HashSet::new();
    let mut names = BTreeMap::new();
    for one in known {
        let plain = one.object.unwrap_or_else(|| label(&one.name, "workflow"));
        let (mut name, mut salt) = (plain.clone(), one.id.clone());
        // A workflow may already have the suffixed name of another one.
        while !used.insert(name.clone()) {
            name = suffixed(&plain, &salt);
            salt.push('+');
        }
        names.insert(one.id, name);
    }
    names
}

fn suffixed(plain: &str, id: &str) -> String {
    let hash = &sha256_hex(id)[..8];
    let start: String = plain.chars().take(LONGEST - hash.len() - 1).collect();
    format!("{}-{hash}", start.trim_end_matches(['-', '.']))
}

/// Returns a name as a DNS label: characters other than letters and digits of ASCII become dashes; German umlauts are spelt out. `otherwise`
/// is the label of a name of which nothing is left.
pub fn label(name: &str, otherwise: &str) -> String {
    let mut out = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            c if c.is_ascii_alphanumeric() => out.push(c),
            'ä' => out.push_str("ae"),
            'ö' => out.push_str("oe"),
            'ü' => out.push_str("ue"),
            'ß' => out.push_str("ss"),
            _ if !out.is_empty() && !out.ends_with('-') => out.push('-'),
            _ => {}
        }
    }
    out.truncate(LONGEST);
    let out = out.trim_end_matches('-');
    if out.is_empty() { otherwise.to_owned() } else { out.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(id: &str, name: &str, created_at: &str) -> Known {
        Known { id: id.into(), name: name.into(), created_at: created_at.into(), object: None }
    }

    #[test]
    fn names_are_labels() {
        let long = "x".repeat(80);
        for (name, wanted) in [
            ("Order intake (v2)", "order-intake-v2"),
            ("  Über / Größe!  ", "ueber-groesse"),
            ("日本", "workflow"),
            ("", "workflow"),
            (&long, &long[..50]),
        ] {
            assert_eq!(label(name, "workflow"), wanted, "{name}");
        }
    }

    #[test]
    fn no_name_is_given_twice_whatever_workflows_are_called() {
        let twins = vec![known("a", "sync", "1"), known("b", "sync", "2")];
        let taken = names(twins.clone())["b"].clone();
        let all = names([twins, vec![known("c", &taken, "0")]].concat());
        assert_eq!((all["c"].as_str(), all.values().collect::<HashSet<_>>().len()), (taken.as_str(), 3), "{all:?}");
    }

    #[test]
    fn a_later_workflow_of_the_same_name_renames_no_other() {
        let old = known("b", "Sync", "2026-01-01T00:00:00.000Z");
        let new = known("a", "sync", "2026-02-01T00:00:00.000Z");
        let both = names(vec![new.clone(), old.clone()]);
        assert_eq!(both["b"], "sync");
        assert_eq!(names(vec![old])["b"], "sync");
        assert!(both["a"].starts_with("sync-") && both["a"].len() == 13, "{both:?}");
        let managed = Known { object: Some("sync".into()), ..new };
        assert_eq!(names(vec![managed, known("b", "Sync", "2026-01-01T00:00:00.000Z")])["a"], "sync");
    }
}
