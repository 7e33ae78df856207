//! Writes to a credential in n8n, and detection of changes that somebody else made there.

use crate::api::workflow::DriftPolicy;

/// Credential types that n8n itself updates when an access token expires: nodes ask for one before a request (`preAuthentication` in n8n
/// 2.39.10). OAuth types are told by their schema.
const RENEWED_BY_N8N: [&str; 13] = [
    "atlassianServiceAccountApi",
    "auth0ManagementApi",
    "baserowApi",
    "ciscoUmbrellaApi",
    "crowdStrikeOAuth2Api",
    "formIoApi",
    "githubAppApi",
    "metabaseApi",
    "microsoftEntraServicePrincipalApi",
    "salesforceJwtApi",
    "venafiTlsProtectDatacenterApi",
    "wekanApi",
    "zscalerZiaApi",
];

/// Reports whether n8n itself updates credentials of a type, so that a later time of update is no edit.
pub fn is_renewed_by_n8n(kind: &str, oauth: bool) -> bool {
    oauth || RENEWED_BY_N8N.contains(&kind)
}

/// State of a credential, as known and as desired.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Name in n8n.
    pub name: &'a str,
    /// Time of the last update, as n8n says.
    pub updated_at: Option<&'a str>,
    /// Name that was last confirmed.
    pub confirmed_name: Option<&'a str>,
    /// Time of the last update that was last confirmed.
    pub confirmed_update: Option<&'a str>,
    /// Hash of the values that were last confirmed.
    pub confirmed_hash: Option<&'a str>,
    /// True if values were sent and their confirmation was not recorded.
    pub unconfirmed: bool,
    /// Name that it should have.
    pub wanted_name: &'a str,
    /// Hash of the values that it should have.
    pub wanted_hash: &'a str,
    /// True if n8n itself updates credentials of the type.
    pub renewed_by_n8n: bool,
    /// Policy for changes by others.
    pub policy: DriftPolicy,
    /// True if changes were reverted so often that they are left for now.
    pub contested: bool,
}

/// Writes, and changes by others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The values are written.
    pub values: bool,
    /// The name is written.
    pub name: bool,
    /// Somebody else changed the credential in n8n.
    pub drifted: bool,
    /// The change is left.
    pub left: bool,
}

impl Plan {
    /// Reports whether nothing is written.
    pub const fn is_empty(self) -> bool {
        !self.values && !self.name
    }
}

/// Decides the writes.
pub fn plan(facts: Facts<'_>) -> Plan {
    let rotated = facts.confirmed_hash != Some(facts.wanted_hash);
    let known = facts.confirmed_hash.is_some() && !facts.unconfirmed;
    let touched = known && !facts.renewed_by_n8n && facts.confirmed_update.is_some() && facts.confirmed_update != facts.updated_at;
    let renamed = known && facts.confirmed_name.is_some_and(|name| name != facts.name) && facts.name != facts.wanted_name;
    let drifted = touched || renamed;
    let left = drifted && !rotated && (facts.policy != DriftPolicy::Revert || facts.contested);
    // A rename in the editor changes the time of update too, and nothing tells it from an edit of the values.
    let values = rotated || facts.unconfirmed || (touched && !left);
    Plan { values, name: facts.name != facts.wanted_name && !(left && renamed), drifted, left }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEADY: Facts<'static> = Facts {
        name: "Slack",
        updated_at: Some("1"),
        confirmed_name: Some("Slack"),
        confirmed_update: Some("1"),
        confirmed_hash: Some("h"),
        unconfirmed: false,
        wanted_name: "Slack",
        wanted_hash: "h",
        renewed_by_n8n: false,
        policy: DriftPolicy::Revert,
        contested: false,
    };

    fn shown(facts: Facts<'_>) -> (bool, bool, bool, bool) {
        let plan = plan(facts);
        assert_eq!(plan.is_empty(), !plan.values && !plan.name);
        (plan.values, plan.name, plan.drifted, plan.left)
    }

    #[test]
    fn nothing_is_written_while_nothing_changes() {
        assert_eq!(shown(STEADY), (false, false, false, false));
    }

    #[test]
    fn a_changed_secret_is_written_whatever_the_policy() {
        for policy in [DriftPolicy::Revert, DriftPolicy::Report, DriftPolicy::Ignore] {
            assert_eq!(shown(Facts { wanted_hash: "i", policy, ..STEADY }), (true, false, false, false));
            assert_eq!(shown(Facts { wanted_hash: "i", updated_at: Some("2"), policy, ..STEADY }), (true, false, true, false));
        }
        assert_eq!(shown(Facts { wanted_name: "Mail", ..STEADY }), (false, true, false, false), "another name in the spec is no drift");
    }

    #[test]
    fn an_edit_is_put_right_or_left_by_policy() {
        // A restored n8n may show an earlier time.
        for updated_at in [Some("2"), Some("0"), None] {
            assert_eq!(shown(Facts { updated_at, ..STEADY }), (true, false, true, false));
            assert_eq!(shown(Facts { updated_at, policy: DriftPolicy::Report, ..STEADY }), (false, false, true, true));
            assert_eq!(shown(Facts { updated_at, contested: true, ..STEADY }), (false, false, true, true));
        }
        let renamed = Facts { name: "Mine", updated_at: Some("2"), ..STEADY };
        assert_eq!(shown(renamed), (true, true, true, false));
        assert_eq!(shown(Facts { policy: DriftPolicy::Ignore, ..renamed }), (false, false, true, true));
    }

    #[test]
    fn what_n8n_renews_itself_is_no_edit() {
        assert!(
            is_renewed_by_n8n("metabaseApi", false) && is_renewed_by_n8n("slackOAuth2Api", true) && !is_renewed_by_n8n("postgres", false)
        );
        assert_eq!(shown(Facts { updated_at: Some("2"), renewed_by_n8n: true, ..STEADY }), (false, false, false, false));
        let renamed = Facts { name: "Mine", updated_at: Some("2"), renewed_by_n8n: true, ..STEADY };
        assert_eq!(shown(renamed), (false, true, true, false), "tokens stay when a name is put right");
    }

    #[test]
    fn an_interrupted_write_is_repeated_and_is_no_drift() {
        assert_eq!(shown(Facts { unconfirmed: true, updated_at: Some("2"), ..STEADY }), (true, false, false, false));
        let adopted = Facts { confirmed_hash: None, confirmed_name: None, confirmed_update: None, name: "Theirs", ..STEADY };
        assert_eq!(shown(adopted), (true, true, false, false));
    }
}
