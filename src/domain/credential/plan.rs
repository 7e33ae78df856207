//! Writes to a credential in n8n, and detection of changes that somebody else made there.

use jiff::{SignedDuration, Timestamp};

use crate::api::workflow::DriftPolicy;

/// Credential types that n8n itself updates when an access token expires: nodes ask for one before a request (`preAuthentication` in n8n
/// 2.39.10). The schema of a type says whether it is OAuth.
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

/// Tokens that n8n writes into a credential by itself, so that a later time of update proves no edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tokens {
    /// The type has none.
    None,
    /// A session that n8n opens with the other values: other values need another session.
    Session,
    /// Those of an account that a person connected, which nothing but the person can replace.
    Account,
}

impl Tokens {
    /// Returns the tokens of a type; `oauth` says whether its schema has a place for those of an account.
    pub fn of(kind: &str, oauth: bool) -> Self {
        match oauth {
            true => Self::Account,
            false if RENEWED_BY_N8N.contains(&kind) => Self::Session,
            false => Self::None,
        }
    }
}

/// Minimum time between two writes of values that did not change to a credential that n8n itself updates. n8n writes a credential as a whole, so
/// that a token that it renews in the same moment would be lost; and every renewal would cause a write.
const REWRITTEN_AGAIN: SignedDuration = SignedDuration::from_hours(24);
/// Minimum age of an update by n8n before the values are written again: other executions may be renewing the token, too.
const QUIET: SignedDuration = SignedDuration::from_mins(1);

/// Reports whether the values of a credential that n8n itself updated may be written again. `updated_at` is n8n's time of the update.
pub fn may_rewrite(written: Option<Timestamp>, updated_at: Option<&str>, asked: bool, now: Timestamp) -> bool {
    let updated: Option<Timestamp> = updated_at.and_then(|time| time.parse().ok());
    let quiet = updated.is_none_or(|updated| now.duration_since(updated) >= QUIET);
    let again = written.is_none_or(|written| now.duration_since(written) >= REWRITTEN_AGAIN);
    asked || (quiet && again)
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
    /// Tokens that n8n writes by itself.
    pub tokens: Tokens,
    /// True if values that n8n may have changed itself may be written again: see [`may_rewrite`].
    pub may_rewrite: bool,
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
    /// The values that n8n has beside the written ones stay, such as tokens.
    pub partial: bool,
    /// The values are written because n8n renewed a token or somebody edited them: n8n shows no difference between the two.
    pub renewed_or_edited: bool,
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
    let updated = known && facts.confirmed_update.is_some() && facts.confirmed_update != facts.updated_at;
    let touched = updated && facts.tokens == Tokens::None;
    let renamed = known && facts.confirmed_name.is_some_and(|name| name != facts.name) && facts.name != facts.wanted_name;
    let drifted = touched || renamed;
    let left = drifted && !rotated && (facts.policy != DriftPolicy::Revert || facts.contested);
    // n8n renewed a token, or somebody edited the values: writing them is right in both cases, as long as the tokens stay.
    // Only a person changes a name.
    let rewritten = updated && !touched && !left && facts.policy == DriftPolicy::Revert && (facts.may_rewrite || renamed);
    // A rename in the editor changes the time of update too, and nothing tells it from an edit of the values.
    let values = rotated || facts.unconfirmed || (touched && !left) || rewritten;
    let partial = values
        && match facts.tokens {
            Tokens::None => false,
            // A session that was opened with other values has to go.
            Tokens::Session => !rotated && !facts.unconfirmed,
            Tokens::Account => true,
        };
    let name = facts.name != facts.wanted_name && !(left && renamed);
    Plan { values, name, drifted, left, partial, renewed_or_edited: rewritten && !renamed && !rotated }
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
        tokens: Tokens::None,
        may_rewrite: true,
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
    fn what_n8n_renews_itself_is_no_edit_and_is_written_again_without_its_tokens() {
        for (kind, oauth, tokens) in [
            ("metabaseApi", false, Tokens::Session),
            ("slackOAuth2Api", true, Tokens::Account),
            ("crowdStrikeOAuth2Api", false, Tokens::Session),
            ("postgres", false, Tokens::None),
        ] {
            assert_eq!(Tokens::of(kind, oauth), tokens, "{kind}");
        }
        for tokens in [Tokens::Session, Tokens::Account] {
            let renewed = Facts { updated_at: Some("2"), tokens, ..STEADY };
            assert_eq!((shown(renewed), plan(renewed).partial), ((true, false, false, false), true), "no drift is reported");
            assert!(plan(renewed).renewed_or_edited);
            assert_eq!(shown(Facts { may_rewrite: false, ..renewed }), (false, false, false, false));
            assert_eq!(shown(Facts { policy: DriftPolicy::Report, ..renewed }), (false, false, false, false));
            assert_eq!(shown(Facts { tokens, ..STEADY }), (false, false, false, false), "nothing was updated");
            let renamed = Facts { name: "Mine", may_rewrite: false, ..renewed };
            assert_eq!((shown(renamed), plan(renamed).partial), ((true, true, true, false), true), "a renamed one was edited");
            assert!(!plan(renamed).renewed_or_edited);
            let rotated = plan(Facts { wanted_hash: "i", ..renewed });
            assert_eq!((rotated.values, rotated.partial), (true, tokens == Tokens::Account), "a session belongs to the old values");
        }
    }

    #[test]
    fn values_are_written_again_once_a_day_when_n8n_is_quiet_or_on_request() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let day = 24 * 3600;
        for (written, updated, asked, now, wanted) in [
            (Some(0), "1970-01-01T00:30:00.123Z", false, day, true),
            (Some(1), "1970-01-01T00:30:00.123Z", false, day, false),
            (Some(1), "1970-01-01T00:30:00.123Z", true, day, true),
            (Some(0), "1970-01-01T23:59:30.000Z", false, day, false),
            (Some(0), "no time", false, day, true),
            (None, "1970-01-01T00:30:00.123Z", false, day, true),
        ] {
            assert_eq!(may_rewrite(written.map(at), Some(updated), asked, at(now)), wanted, "{written:?} {updated} {asked}");
        }
    }

    #[test]
    fn an_interrupted_write_is_repeated_and_is_no_drift() {
        assert_eq!(shown(Facts { unconfirmed: true, updated_at: Some("2"), ..STEADY }), (true, false, false, false));
        let adopted = Facts { confirmed_hash: None, confirmed_name: None, confirmed_update: None, name: "Theirs", ..STEADY };
        assert_eq!(shown(adopted), (true, true, false, false));
    }
}
