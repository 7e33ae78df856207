//! Manifests of an N8nCredential and of its Secret that people fill in.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::api::credential::PLACEHOLDER;
use crate::api::workflow::InstanceRef;
use crate::catalog::{Catalog, CredentialField, Kind};
use crate::document::yaml;
use crate::text::{listed, one_line};

/// Maximum length of a comment, and number of names in it.
const LONGEST_COMMENT: usize = 300;
const MOST_NAMES: usize = 20;

/// A credential whose manifests are to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skeleton {
    /// Name of the N8nCredential and of its Secret.
    pub name: String,
    /// Namespace of both, if it is known.
    pub namespace: Option<String>,
    /// N8nInstance of the credential.
    pub instance: InstanceRef,
    /// Type of the credential in n8n.
    pub kind: String,
    /// Name in n8n, if it is not that of the object.
    pub display_name: Option<String>,
    /// Id of the credential in n8n that is taken over.
    pub adopt: Option<String>,
    /// Lines for people above the manifests.
    pub comments: Vec<String>,
}

impl Skeleton {
    /// Returns the N8nCredential.
    pub fn credential(&self) -> Value {
        let mut spec = json!({ "instanceRef": self.instance, "type": self.kind, "secretRef": { "name": self.name } });
        if let Some(name) = &self.display_name {
            spec["displayName"] = json!(name);
        }
        if let Some(id) = &self.adopt {
            spec["adopt"] = json!({ "id": id });
        }
        json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "N8nCredential", "metadata": self.metadata(), "spec": spec })
    }

    fn metadata(&self) -> Value {
        let mut metadata = json!({ "name": self.name });
        if let Some(namespace) = &self.namespace {
            metadata["namespace"] = json!(namespace);
        }
        metadata
    }

    /// Returns both manifests as YAML. Each value that a person has to give is [`PLACEHOLDER`]; no value of n8n's is in them.
    pub fn text(&self, catalog: &Catalog) -> String {
        let mut out = String::from("---\n");
        for comment in &self.comments {
            let _ = writeln!(out, "# {}", one_line(comment, LONGEST_COMMENT));
        }
        out.push_str(&yaml::document(&self.credential()));
        out.push_str("---\n");
        out.push_str(&self.secret(catalog));
        out
    }

    /// Returns the N8nCredential alone, for a credential that n8n has: a Secret to fill in could overwrite its values when it is applied by
    /// mistake, so its keys are only named.
    pub fn adopting(&self, catalog: &Catalog) -> String {
        let fields = catalog.credential_fields(&self.kind).unwrap_or_default();
        let wanted: Vec<&str> = wanted(&fields).iter().map(|field| field.name.as_str()).collect();
        let optional = fields.iter().filter(|field| !wanted.contains(&field.name.as_str()));
        let optional: Vec<&str> = optional.map(|field| field.name.as_str()).collect();
        let mut out = String::from(
            "---\n# n8n never returns the values of a credential: put those that it has, or new ones, into the Secret below.\n",
        );
        if !wanted.is_empty() {
            let more = if optional.is_empty() { String::new() } else { format!("; it can have: {}", listed(&optional, MOST_NAMES)) };
            let _ = writeln!(out, "# It needs the keys: {}{more}.", listed(&wanted, MOST_NAMES));
        }
        out.push_str(&yaml::document(&self.credential()));
        out
    }

    /// Returns the Secret. Fields that may be left out are comments.
    fn secret(&self, catalog: &Catalog) -> String {
        let mut out = String::new();
        let fields = catalog.credential_fields(&self.kind);
        let _ = match &fields {
            Some(_) => writeln!(out, "# The keys are the fields of the type {}. Replace each {PLACEHOLDER}.", self.kind),
            None => writeln!(
                out,
                "# The catalogue has no type {}: write its fields as keys, as `GET /api/v1/credentials/schema/{}` of n8n lists them.",
                one_line(&self.kind, LONGEST_COMMENT),
                one_line(&self.kind, LONGEST_COMMENT)
            ),
        };
        let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": self.metadata() });
        out.push_str(&yaml::document(&secret));
        let fields = fields.unwrap_or_default();
        let wanted = wanted(&fields);
        if wanted.is_empty() {
            out.push_str("stringData: {}\n");
        } else {
            out.push_str("stringData:\n");
        }
        for field in &wanted {
            let value = match as_text(&field.default) {
                Some(text) if !field.required => text,
                _ => PLACEHOLDER.to_owned(),
            };
            let _ = writeln!(out, "  {}{}", entry(&field.name, &value), hint(field));
        }
        let optional = fields.iter().filter(|field| field.shown && !wanted.iter().any(|one| one.name == field.name));
        for field in optional {
            let value = as_text(&field.default).unwrap_or_default();
            let _ = writeln!(out, "  # {}{}", entry(&field.name, &value), hint(field));
        }
        let dependent: Vec<&str> = fields.iter().filter(|field| !field.shown).map(|field| field.name.as_str()).collect();
        if !dependent.is_empty() {
            let _ = writeln!(out, "  # Needed only with certain values of the others: {}", listed(&dependent, MOST_NAMES));
        }
        out
    }
}

/// Returns the fields that a person has to give: the required ones, and for a type that declares none, its texts.
fn wanted(fields: &[CredentialField]) -> Vec<&CredentialField> {
    let shown = || fields.iter().filter(|field| field.shown);
    let required: Vec<&CredentialField> = shown().filter(|field| field.required).collect();
    if required.is_empty() { shown().filter(|field| matches!(field.kind, Kind::String | Kind::Json)).collect() } else { required }
}

/// Returns a default value as the text of a Secret, unless it is empty.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Returns a key and its value on one line; every value of a Secret is text.
fn entry(name: &str, value: &str) -> String {
    let value = one_line(value, LONGEST_COMMENT);
    if value == PLACEHOLDER { format!("{name}: {value}") } else { format!("{name}: {}", Value::from(value)) }
}

/// Returns the comment behind a field: whether it is required, its kind, if that is not text, and its values.
fn hint(field: &CredentialField) -> String {
    let choices: Vec<String> = field.choices.iter().filter_map(as_text).map(|text| one_line(&text, 60)).collect();
    let kind = match field.kind {
        _ if !choices.is_empty() => Some(format!("one of {}", listed(&choices, MOST_NAMES))),
        Kind::Number => Some("a number".to_owned()),
        Kind::Boolean => Some("true or false".to_owned()),
        Kind::Json => Some("JSON".to_owned()),
        _ => None,
    };
    let parts: Vec<String> = field.required.then(|| "required".to_owned()).into_iter().chain(kind).collect();
    if parts.is_empty() { String::new() } else { format!("  # {}", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skeleton(kind: &str) -> Skeleton {
        Skeleton {
            name: "crm".into(),
            namespace: Some("team-a".into()),
            instance: InstanceRef { name: "main".into(), namespace: Some("n8n".into()) },
            kind: kind.into(),
            display_name: Some("CRM".into()),
            adopt: None,
            comments: vec!["for node \"A\"\nof Workflow a".into()],
        }
    }

    #[test]
    fn the_manifests_name_each_field_and_no_value() {
        let expected = "\
---
# for node \"A\" of Workflow a
apiVersion: weirkeeper.dev/v1alpha1
kind: N8nCredential
metadata:
  name: crm
  namespace: team-a
spec:
  instanceRef:
    name: main
    namespace: n8n
  displayName: CRM
  type: slackApi
  secretRef:
    name: crm
---
# The keys are the fields of the type slackApi. Replace each REPLACE-ME.
apiVersion: v1
kind: Secret
metadata:
  name: crm
  namespace: team-a
stringData:
  accessToken: REPLACE-ME  # required
  # signatureSecret: \"\"
";
        assert_eq!(skeleton("slackApi").text(Catalog::embedded()), expected);
    }

    #[test]
    fn a_type_without_required_fields_shows_its_texts_with_their_defaults() {
        let text = skeleton("postgres").text(Catalog::embedded());
        for line in [
            "\n  host: \"localhost\"\n",
            "\n  password: REPLACE-ME\n",
            "\n  # port: \"5432\"  # a number\n",
            "\n  # ssl: \"disable\"  # one of allow, disable, require\n",
            "\n  # sshTunnel: \"false\"  # true or false\n",
            "\n  # Needed only with certain values of the others: sshAuthenticateWith, sshHost,",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
    }

    #[test]
    fn every_skeleton_is_yaml_that_fits_its_kind() {
        let kinds = Catalog::embedded().index().credentials.iter().map(|entry| entry.name.as_str());
        for kind in kinds.chain(["someCommunityApi"]) {
            let text = skeleton(kind).text(Catalog::embedded());
            let source = super::super::Source { name: kind.to_owned(), text: Ok(text.clone()), found: false };
            let reports = super::super::validate(&[source], Catalog::embedded());
            assert!(reports.len() == 1 && reports[0].findings.is_empty(), "{kind}: {:?}\n{text}", reports[0].findings);
        }
    }
}
