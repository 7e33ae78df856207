//! Fields of credential types, with those of the types that they extend.
//!
//! Source: `getCredentialsProperties` of n8n's `credentials-helper`, and `mergeNodeProperties` of n8n-workflow, as of n8n 2.39.10.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::display::{Around, shown};
use super::model::{CredentialType, Kind, Parameter, Shared};

/// The type for accounts, and those of its fields that types which extend it do not get (`doNotInherit`).
const ACCOUNT: &str = "oAuth2Api";
const OWN_OF_ACCOUNT: [&str; 3] = ["ignoreSSLIssues", "tokenExpiredStatusCode", "jweEnabled"];

/// Maximum depth of extended types; n8n's chains have at most three.
const DEEPEST: usize = 8;

/// A field of a credential type that people give a value.
#[derive(Clone, Debug, PartialEq)]
pub struct CredentialField {
    /// Name of the field, which is its key in a Secret.
    pub name: String,
    /// Kind of the value.
    pub kind: Kind,
    /// Value that n8n uses if there is none.
    pub default: Value,
    /// True if n8n refuses the credential without it.
    pub required: bool,
    /// True if it shows while all others have their defaults; otherwise it depends on the value of another field.
    pub shown: bool,
    /// Values of a choice.
    pub choices: Vec<Value>,
}

/// Returns the fields of a credential type, in n8n's order; `None` if the type is unknown. Fields that n8n hides are left out: it accepts no
/// value for them.
pub fn credential_fields(name: &str, facts_of: &dyn Fn(&str) -> Option<Arc<CredentialType>>) -> Option<Vec<CredentialField>> {
    let mut all = Vec::new();
    facts_of(name)?;
    merge(name, facts_of, DEEPEST, &mut all);
    let defaults: Map<String, Value> = all.iter().map(|one: &Shared| (one.name.clone(), one.default.clone())).collect();
    let around = Around::new(&defaults, 0.0, "");
    let field = |one: &Parameter| CredentialField {
        name: one.name.clone(),
        kind: one.kind,
        default: one.default.clone(),
        required: one.required,
        shown: shown(&one.display, &defaults, around),
        choices: one.options.values.clone(),
    };
    Some(all.iter().filter(|one| one.kind != Kind::Hidden).map(|one| field(one)).collect())
}

/// Adds the properties of a type: those of the types that it extends come first, and one of the same name is replaced in its place.
fn merge(name: &str, facts_of: &dyn Fn(&str) -> Option<Arc<CredentialType>>, depth: usize, all: &mut Vec<Shared>) {
    let Some(facts) = facts_of(name).filter(|_| depth > 0) else { return };
    for parent in &facts.extends {
        merge(parent, facts_of, depth - 1, all);
        if parent == ACCOUNT {
            all.retain(|property| !OWN_OF_ACCOUNT.contains(&property.name.as_str()));
        }
    }
    for property in &facts.properties {
        match all.iter_mut().find(|known| known.name == property.name) {
            Some(known) => *known = property.clone(),
            None => all.push(property.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn names(kind: &str, which: impl Fn(&CredentialField) -> bool) -> Vec<String> {
        let fields = Catalog::embedded().credential_fields(kind).unwrap();
        fields.into_iter().filter(which).map(|field| field.name).collect()
    }

    #[test]
    fn inherited_fields_are_listed_and_hidden_ones_are_not() {
        assert_eq!(names("httpHeaderAuth", |_| true), ["name", "value"]);
        assert_eq!(names("slackApi", |field| field.required), ["accessToken"]);
        let sheets = names("googleSheetsOAuth2Api", |field| field.required && field.shown);
        assert_eq!(sheets, ["clientId", "clientSecret"], "the addresses of Google are hidden in the type itself");
        assert!(!names("googleSheetsOAuth2Api", |_| true).contains(&"authUrl".to_owned()));
        let has = |kind: &str| names(kind, |_| true).contains(&"ignoreSSLIssues".to_owned());
        assert_eq!((has("oAuth2Api"), has("googleSheetsOAuth2Api")), (true, false), "a field of one type alone");
        assert!(Catalog::embedded().credential_fields("noSuchApi").is_none());
    }

    #[test]
    fn a_field_that_depends_on_another_shows_only_with_it() {
        let postgres = Catalog::embedded().credential_fields("postgres").unwrap();
        let shown = |name: &str| postgres.iter().find(|field| field.name == name).unwrap().shown;
        assert!(shown("password") && shown("sshTunnel") && !shown("sshHost"));
    }

    #[test]
    fn every_type_has_fields_that_a_secret_can_hold() {
        for entry in &Catalog::embedded().index().credentials {
            let fields = Catalog::embedded().credential_fields(&entry.name).unwrap();
            let key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            assert!(fields.iter().all(|field| !field.name.is_empty() && field.name.chars().all(key)), "{}", entry.name);
        }
    }
}
