//! Values of a credential: text from Secrets and manifests, converted to the types of n8n's schema. No message and no `Debug` shows one.

use std::fmt;

use secrecy::zeroize::Zeroize;
use secrecy::{ExposeSecret, SecretString};
use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};
use serde_json::{Number, Value};

use super::schema::{CredentialSchema, FieldType};
use crate::api::credential::PLACEHOLDER;
use crate::document::finding::quoted;
use crate::text::listed;
use crate::text::similar::nearest;

/// Fields with JSON as text whose texts n8n evaluates one by one, by type (2.39.10, `resolveCredentialJsonLeaves`); the schema does not say it.
const EVALUATED_JSON: [(&str, &str); 1] = [("httpTemplatedCustomAuth", "placeholderValues")];
/// Maximum number of unknown fields that a message names.
const MOST_NAMES: usize = 10;

/// A field with its text and where that comes from.
#[derive(Clone)]
pub struct GivenField {
    /// Name of the field.
    pub field: String,
    /// Its text.
    pub text: SecretString,
    /// Where the text is: `key password of Secret db`.
    pub place: String,
}

/// Values of a credential by field, in order.
pub struct CredentialValues(Vec<(String, TypedValue)>);

enum TypedValue {
    Text(SecretString),
    Number(Number),
    Boolean(bool),
    /// JSON that was parsed once without an error.
    Nested(SecretString),
}

impl fmt::Debug for CredentialValues {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.0.iter().map(|(field, _)| field)).finish()
    }
}

impl fmt::Debug for GivenField {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("GivenField").field("field", &self.field).field("place", &self.place).finish_non_exhaustive()
    }
}

impl Serialize for CredentialValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (field, value) in &self.0 {
            match value {
                TypedValue::Text(text) => map.serialize_entry(field, text.expose_secret())?,
                TypedValue::Number(number) => map.serialize_entry(field, number)?,
                TypedValue::Boolean(flag) => map.serialize_entry(field, flag)?,
                TypedValue::Nested(json) => {
                    let value: Value = serde_json::from_str(json.expose_secret()).map_err(|_| S::Error::custom("a value is not JSON"))?;
                    map.serialize_entry(field, &value)?;
                }
            }
        }
        map.end()
    }
}

impl CredentialValues {
    /// Reports whether n8n fetches a token itself at the first use, so that nobody has to connect an account although n8n's test says so: the
    /// grant of OAuth's client credentials, which is the default of one type (n8n 2.39.10).
    pub fn fetches_its_token(&self, kind: &str) -> bool {
        match self.0.iter().find(|(field, _)| field == "grantType") {
            Some((_, TypedValue::Text(grant))) => grant.expose_secret() == "clientCredentials",
            Some(_) => false,
            None => kind == "databricksOAuth2Api",
        }
    }

    /// Passes the values as JSON to a function, in the order of the fields, and clears the copy.
    pub fn with_json<R>(&self, read: impl FnOnce(&[u8]) -> R) -> R {
        let mut json = serde_json::to_vec(self).unwrap_or_default();
        let result = read(&json);
        json.zeroize();
        result
    }
}

/// Converts fields to the types of a schema.
///
/// # Errors
/// One message for each field that is unknown, missing or of another type.
pub fn typed(schema: &CredentialSchema, kind: &str, given: &[GivenField]) -> Result<CredentialValues, Vec<String>> {
    let (mut values, mut faults, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    if given.is_empty() && schema.names().next().is_some() {
        faults.push(format!("the Secret has no key; {}", fields_of(schema, kind)));
    }
    for GivenField { field, text, place } in given {
        match schema.field(field) {
            None => match nearest(field, schema.names()) {
                Some(name) => {
                    faults.push(format!("{kind} has no field {}, which {place} would be: did you mean {}?", quoted(field), quoted(name)));
                }
                None => unknown.push(quoted(field)),
            },
            Some(_) if text.expose_secret().trim() == PLACEHOLDER => {
                faults.push(format!("{place} is still {PLACEHOLDER}; write the value of field {} there", quoted(field)));
            }
            Some(wanted) => match convert(wanted, text.expose_secret(), EVALUATED_JSON.contains(&(kind, field))) {
                Ok(value) => values.push((field.clone(), value)),
                Err(expected) => faults.push(format!("field {} must be {expected}; {place} is not", quoted(field))),
            },
        }
    }
    let holds =
        |field: &str, wanted: &[Value]| values.iter().any(|(name, value)| name == field && wanted.iter().any(|one| equals(value, one)));
    let mut missing: Vec<&str> = schema.required(holds).filter(|field| !filled(given, field)).collect();
    missing.sort_unstable();
    missing.dedup();
    faults.extend(missing.iter().map(|field| {
        let lack = if given.iter().any(|one| one.field == **field) { "empty" } else { "missing" };
        format!("field {} is {lack}, which {kind} requires", quoted(field))
    }));
    if !unknown.is_empty() {
        let (unknown, fields) = (listed(&unknown, MOST_NAMES), fields_of(schema, kind));
        faults.push(format!("{kind} has no field {unknown}; {fields}; spec.data takes single keys of a Secret that has others"));
    }
    values.sort_by(|(one, _), (other, _)| one.cmp(other));
    if faults.is_empty() { Ok(CredentialValues(values)) } else { Err(faults) }
}

/// Reports whether a field is given with a text that is not empty: n8n takes an empty one for a required field, and nodes then fail.
fn filled(given: &[GivenField], field: &str) -> bool {
    given.iter().any(|one| one.field == field && !one.text.expose_secret().trim().is_empty())
}

fn fields_of(schema: &CredentialSchema, kind: &str) -> String {
    format!("the fields of {kind} are {}", schema.names().collect::<Vec<_>>().join(", "))
}

/// Converts a text; `evaluated` says whether n8n evaluates texts in it, should it be JSON as text. The error says what is expected.
fn convert(wanted: &FieldType, text: &str, evaluated: bool) -> Result<TypedValue, String> {
    // Some editors begin a file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = one_line_text(text);
    Ok(match wanted {
        FieldType::Text => TypedValue::Text(literal(line)),
        FieldType::Choice(choices) if choices.iter().any(|choice| choice == line) => TypedValue::Text(line.into()),
        FieldType::Choice(choices) => return Err(format!("one of {}", choices.join(", "))),
        FieldType::Number => TypedValue::Number(serde_json::from_str(line.trim()).map_err(|_| "a number".to_owned())?),
        FieldType::Boolean => TypedValue::Boolean(line.trim().parse().map_err(|_| "true or false".to_owned())?),
        FieldType::JsonText | FieldType::Nested => {
            let mut json: Value = serde_json::from_str(text).map_err(|_| "JSON".to_owned())?;
            let nested = matches!(wanted, FieldType::Nested);
            let changed = (nested || evaluated) && literal_texts(&mut json);
            // Without a change, the text is sent as it is written.
            let text = if changed { json.to_string() } else { text.to_owned() };
            if nested { TypedValue::Nested(text.into()) } else { TypedValue::Text(one_line_text(&text).into()) }
        }
    })
}

/// Returns a text as n8n has to store it. n8n evaluates a text that begins with `=` (2.39.10, measured): one with `{{` is meant as an expression;
/// of any other, such as a password, n8n would drop the `=`, so it gets one more.
fn literal(text: &str) -> SecretString {
    if is_swallowed(text) { format!("={text}").into() } else { text.into() }
}

fn is_swallowed(text: &str) -> bool {
    text.starts_with('=') && !text.contains("{{")
}

/// Changes each text in JSON as [`literal`] does, and reports whether one was changed.
fn literal_texts(json: &mut Value) -> bool {
    match json {
        Value::String(text) if is_swallowed(text) => {
            text.insert(0, '=');
            true
        }
        // All are changed, not the first alone.
        Value::Array(parts) => parts.iter_mut().map(literal_texts).filter(|changed| *changed).count() > 0,
        Value::Object(parts) => parts.values_mut().map(literal_texts).filter(|changed| *changed).count() > 0,
        _ => false,
    }
}

/// Returns the text without the line break that editors and `echo` leave at the end of a single line. A text of several lines, such as a private
/// key, stays as it is.
fn one_line_text(text: &str) -> &str {
    let line = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    if line.contains('\n') { text } else { line }
}

fn equals(value: &TypedValue, wanted: &Value) -> bool {
    match value {
        TypedValue::Text(text) => wanted == text.expose_secret(),
        TypedValue::Number(number) => wanted.as_number() == Some(number),
        TypedValue::Boolean(flag) => wanted == flag,
        TypedValue::Nested(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A schema in the form in which n8n 2.39.10 returns them.
    fn schema() -> CredentialSchema {
        let schema = json!({
            "additionalProperties": false, "type": "object", "required": ["host"],
            "properties": {
                "host": { "type": "string" }, "port": { "type": "number" }, "sshTunnel": { "type": "boolean" },
                "ssl": { "type": "string", "enum": ["allow", "disable", "require"] }, "json": { "type": "json" },
                "headers": { "type": "fixedCollection" }, "sshHost": { "type": "string" }, "warning": { "type": "notice" },
                "oauthTokenData": { "type": "json" },
            },
            "allOf": [
                { "if": { "properties": { "sshTunnel": { "enum": [true] } }, "required": ["sshTunnel"] }, "then": { "allOf": [{ "required": ["sshHost"] }] } },
                { "if": { "properties": { "ssl": { "const": ["x"] } } }, "then": { "allOf": [{ "required": ["never"] }] } },
            ],
        });
        CredentialSchema::parse(&schema).unwrap()
    }

    fn given(fields: &[(&str, &str)]) -> Result<Value, Vec<String>> {
        let fields: Vec<GivenField> = fields
            .iter()
            .map(|(field, text)| GivenField {
                field: (*field).to_owned(),
                text: (*text).into(),
                place: format!("key {field} of Secret db"),
            })
            .collect();
        typed(&schema(), "postgres", &fields).map(|values| values.with_json(|json| serde_json::from_slice(json).unwrap()))
    }

    #[test]
    fn texts_are_converted_to_the_types_of_the_schema() {
        let values = given(&[
            ("port", "5432\n"),
            ("host", "db.svc\n"),
            ("sshTunnel", "false"),
            ("ssl", "require"),
            ("json", r#"{"a":1}"#),
            ("headers", r#"{ "values": [{ "name": "a", "value": "b" }] }"#),
        ]);
        let wanted = json!({ "headers": { "values": [{ "name": "a", "value": "b" }] }, "host": "db.svc", "json": r#"{"a":1}"#,
            "port": 5432, "ssl": "require", "sshTunnel": false });
        assert_eq!(values, Ok(wanted));
        let several = "line one\nline two\n";
        assert_eq!(given(&[("host", several)]), Ok(json!({ "host": several })), "a private key keeps its line breaks");
    }

    #[test]
    fn each_fault_names_its_field_and_no_value() {
        let value = ["not", "-", "shown"].concat();
        let faults =
            given(&[("Host", &value), ("port", &value), ("sshTunnel", &value), ("ssl", &value), ("json", &value), ("zzz", &value)]);
        let faults = faults.unwrap_err().join("\n");
        assert!(!faults.contains(&value), "{faults}");
        for wanted in [
            r#"did you mean "host"?"#,
            r#"field "port" must be a number; key port of Secret db is not"#,
            r#"field "sshTunnel" must be true or false"#,
            r#"field "ssl" must be one of allow, disable, require"#,
            r#"field "json" must be JSON"#,
            r#"postgres has no field "zzz""#,
            r#"field "host" is missing, which postgres requires"#,
        ] {
            assert!(faults.contains(wanted), "{wanted}: {faults}");
        }
        assert_eq!(faults.lines().count(), 7, "{faults}");
    }

    #[test]
    fn a_value_that_is_still_to_be_filled_in_is_not_sent() {
        let faults = given(&[("host", "REPLACE-ME\n"), ("port", "5432")]).unwrap_err();
        assert_eq!(faults, [r#"key host of Secret db is still REPLACE-ME; write the value of field "host" there"#]);
    }

    #[test]
    fn a_text_reaches_the_service_as_it_is_unless_it_is_an_expression() {
        for (text, wanted) in [
            ("=abc", "==abc"),
            ("==", "==="),
            ("a=b", "a=b"),
            ("={{ $secrets.vault.token }}", "={{ $secrets.vault.token }}"),
            ("{{ x }}", "{{ x }}"),
            ("\u{feff}abc\r\n", "abc"),
        ] {
            assert_eq!(given(&[("host", text)]), Ok(json!({ "host": wanted })), "{text}");
        }
    }

    #[test]
    fn texts_within_json_are_literal_where_n8n_evaluates_them() {
        let nested = r#"{ "values": [{ "name": "=a", "value": "={{ 1 }}" }, { "name": "b=", "value": 2 }] }"#;
        let literal = json!({ "values": [{ "name": "==a", "value": "={{ 1 }}" }, { "name": "b=", "value": 2 }] });
        assert_eq!(given(&[("host", "h"), ("headers", nested)]), Ok(json!({ "headers": literal, "host": "h" })));
        let json = r#"{"key": "=a", "keys": ["==b", "={{ 1 }}"]}"#;
        assert_eq!(given(&[("host", "h"), ("json", json)]), Ok(json!({ "host": "h", "json": json })), "n8n does not look into it");

        let schema = CredentialSchema::parse(&json!({ "properties": { "placeholderValues": { "type": "json" } } })).unwrap();
        for (text, wanted) in [(json, r#"{"key":"==a","keys":["===b","={{ 1 }}"]}"#), (r#"{ "key": "a" }"#, r#"{ "key": "a" }"#)] {
            let field = GivenField { field: "placeholderValues".into(), text: text.into(), place: "x".into() };
            let values = typed(&schema, "httpTemplatedCustomAuth", &[field]).unwrap();
            let sent: Value = values.with_json(|json| serde_json::from_slice(json).unwrap());
            assert_eq!(sent["placeholderValues"], wanted);
        }
    }

    #[test]
    fn a_secret_without_keys_or_with_empty_or_foreign_ones_is_reported() {
        assert!(given(&[]).unwrap_err()[0].starts_with("the Secret has no key; the fields of postgres are headers, host,"));
        assert_eq!(given(&[("host", "\n")]).unwrap_err(), [r#"field "host" is empty, which postgres requires"#]);
        let faults = given(&[("host", "a"), ("tls.crt", "x"), ("ca.crt", "y")]).unwrap_err();
        assert!(faults.len() == 1 && faults[0].starts_with(r#"postgres has no field "tls.crt", "ca.crt"; the fields of"#), "{faults:?}");
    }

    #[test]
    fn a_field_may_be_required_by_the_value_of_another() {
        assert!(given(&[("host", "a"), ("sshTunnel", "false")]).is_ok());
        let faults = given(&[("host", "a"), ("sshTunnel", "true")]).unwrap_err();
        assert!(faults.len() == 1 && faults[0].contains("sshHost"), "{faults:?}");
        assert!(given(&[("host", "a"), ("ssl", "require")]).is_ok(), "other forms of conditions are left to n8n");
    }

    #[test]
    fn a_grant_of_client_credentials_needs_nobody() {
        let grants = json!({ "type": "string", "enum": ["authorizationCode", "clientCredentials"] });
        let schema = json!({ "properties": { "grantType": grants, "scope": { "type": "string" } } });
        let schema = CredentialSchema::parse(&schema).unwrap();
        let field = |field: &str, text: &str| GivenField { field: field.into(), text: text.into(), place: "x".into() };
        let given = |grant: &str| field("grantType", grant);
        let none = || vec![field("scope", "read")];
        for (fields, kind, wanted) in [
            (vec![given("clientCredentials")], "oAuth2Api", true),
            (vec![given("authorizationCode")], "databricksOAuth2Api", false),
            (none(), "databricksOAuth2Api", true),
            (none(), "oAuth2Api", false),
        ] {
            assert_eq!(typed(&schema, kind, &fields).unwrap().fetches_its_token(kind), wanted, "{kind}");
        }
    }

    #[test]
    fn neither_decorations_nor_tokens_are_fields_that_are_given() {
        assert!(schema().is_oauth());
        let faults = given(&[("host", "a"), ("warning", "x"), ("oauthTokenData", "{}")]).unwrap_err();
        assert!(faults.len() == 1 && faults[0].contains(r#""warning", "oauthTokenData""#), "{faults:?}");
    }

    #[test]
    fn values_do_not_show_themselves() {
        let value = ["not", "-", "shown"].concat();
        let field = GivenField { field: "host".into(), text: value.as_str().into(), place: "key host of Secret db".into() };
        let values = typed(&schema(), "postgres", std::slice::from_ref(&field)).unwrap();
        let shown = format!("{field:?} {values:?}");
        assert!(shown.contains("host") && !shown.contains(&value), "{shown}");
    }
}
