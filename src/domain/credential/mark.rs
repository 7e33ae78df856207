//! The mark in the name of a credential: which object it belongs to.
//!
//! The name is the only part of a credential that n8n accepts at creation and shows in lists (n8n 2.39.10, measured: a client's id is refused, there
//! are no tags, and values are never returned). A short hash of each part of the identity is appended to it.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Digits of the mark: no letters that are mistaken for others.
const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Beginning of the mark at the end of a name, and its end.
const OPENING: &str = " [wk-";
const CLOSING: char = ']';
/// Number of digits for the cluster, for namespace and name, and for the UID.
const LENGTHS: [usize; 3] = [5, 6, 7];

/// Maximum length of a name without its mark, in characters, so that n8n's limit of 128 is kept.
pub const LONGEST_NAME: usize = 100;

/// Mark of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CredentialMark {
    cluster: String,
    place: String,
    uid: String,
}

impl CredentialMark {
    /// Returns the mark of an object. `cluster` is the UID of the cluster's `kube-system`.
    pub fn of(cluster: &str, uid: &str, namespace: &str, name: &str) -> Self {
        let [of_cluster, of_place, of_uid] = LENGTHS;
        Self { cluster: digits(&[cluster], of_cluster), place: digits(&[namespace, name], of_place), uid: digits(&[cluster, uid], of_uid) }
    }

    /// Returns the mark at the end of a name; None if there is none.
    pub fn in_name(name: &str) -> Option<Self> {
        let (_, mark) = split(name)?;
        let (cluster, rest) = mark.split_at(LENGTHS[0]);
        let (place, uid) = rest.split_at(LENGTHS[1]);
        Some(Self { cluster: cluster.to_owned(), place: place.to_owned(), uid: uid.to_owned() })
    }

    /// Returns a name with this mark.
    pub fn mark(&self, name: &str) -> String {
        format!("{name}{OPENING}{self}{CLOSING}")
    }

    /// Reports whether both are marks of one cluster.
    pub fn same_cluster(&self, other: &Self) -> bool {
        self.cluster == other.cluster
    }

    /// Reports whether both are marks of objects with the same namespace and name in one cluster.
    pub fn same_place(&self, other: &Self) -> bool {
        self.same_cluster(other) && self.place == other.place
    }

    /// Reports whether it is the mark of an object with the same namespace and name as `restored` has, in the cluster from which that was
    /// restored.
    pub fn restored_as(&self, restored: &Self, from: Option<&str>) -> bool {
        self.place == restored.place && from.is_some_and(|from| digits(&[from], LENGTHS[0]) == self.cluster)
    }
}

impl fmt::Display for CredentialMark {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}{}", self.cluster, self.place, self.uid)
    }
}

/// Returns a name without its mark.
pub fn unmarked(name: &str) -> &str {
    split(name).map_or(name, |(before, _)| before)
}

fn split(name: &str) -> Option<(&str, &str)> {
    let (before, mark) = name.strip_suffix(CLOSING)?.rsplit_once(OPENING)?;
    let fits = mark.len() == LENGTHS.iter().sum::<usize>() && mark.bytes().all(|digit| DIGITS.contains(&digit));
    fits.then_some((before, mark))
}

/// Returns the first digits of the hash of some texts, with their lengths, so that no other division of them has the same hash.
fn digits(parts: &[&str], many: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(many).map(|byte| char::from(DIGITS[usize::from(byte % 32)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_at_the_end_of_a_name_only() {
        let mark = CredentialMark::of("cluster", "uid", "team-a", "slack");
        let name = mark.mark("Slack [production]");
        assert_eq!(CredentialMark::in_name(&name), Some(mark.clone()));
        assert_eq!(unmarked(&name), "Slack [production]");
        for none in ["Slack", "Slack [wk-abc]", "", "[wk-]", &format!("{name} copy"), &name.to_uppercase()] {
            assert_eq!(CredentialMark::in_name(none), None, "{none}");
            assert_eq!(unmarked(none), none);
        }
        assert!(mark.mark(&"x".repeat(LONGEST_NAME)).chars().count() <= 128);
        assert!(mark.mark("x").chars().count() >= 3);
    }

    #[test]
    fn each_part_of_the_identity_has_its_own_digits() {
        let mark = CredentialMark::of("c", "u", "team-a", "slack");
        let recreated = CredentialMark::of("c", "v", "team-a", "slack");
        assert!(mark != recreated && mark.same_place(&recreated));
        for other in [CredentialMark::of("c", "u", "team-as", "lack"), CredentialMark::of("d", "u", "team-a", "slack")] {
            assert!(mark != other && !mark.same_place(&other), "{other}");
        }
        let lost = CredentialMark::of("lost", "w", "team-a", "slack");
        assert!(lost.restored_as(&mark, Some("lost")) && !lost.restored_as(&mark, Some("other")) && !lost.restored_as(&mark, None));
    }
}
