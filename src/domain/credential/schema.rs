//! n8n's schema of a credential type, as `GET /credentials/schema/{type}` returns it: a JSON Schema whose types are those of n8n's forms.

use std::collections::BTreeMap;

use serde_json::Value;

/// Field that holds the tokens of an OAuth credential once a person has connected an account; n8n writes it.
const TOKENS: &str = "oauthTokenData";

/// Fields of a credential type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSchema {
    fields: BTreeMap<String, FieldType>,
    required: Vec<String>,
    conditions: Vec<Condition>,
    oauth: bool,
}

/// Type of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Text.
    Text,
    /// One of some texts.
    Choice(Vec<String>),
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// JSON, which n8n keeps as text.
    JsonText,
    /// A nested object or list.
    Nested,
}

/// Fields that are required if another field has one of some values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) field: String,
    pub(super) values: Vec<Value>,
    pub(super) required: Vec<String>,
}

impl CredentialSchema {
    /// Reads a schema; None if it is none. Conditions of other forms are left to n8n.
    pub fn parse(schema: &Value) -> Option<Self> {
        let properties = schema["properties"].as_object()?;
        let mut fields: BTreeMap<String, FieldType> =
            properties.iter().filter_map(|(name, property)| Some((name.clone(), field_type(property)?))).collect();
        let oauth = fields.remove(TOKENS).is_some();
        let conditions = schema["allOf"].as_array().into_iter().flatten().filter_map(condition).collect();
        Some(Self { fields, required: texts(&schema["required"]), conditions, oauth })
    }

    /// Returns the type of a field.
    pub fn field(&self, name: &str) -> Option<&FieldType> {
        self.fields.get(name)
    }

    /// Returns the names of the fields.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().map(String::as_str)
    }

    /// Reports whether a person has to connect an account, or n8n renews tokens.
    pub fn is_oauth(&self) -> bool {
        self.oauth
    }

    /// Returns the names of required fields, given the values of others as n8n would compare them.
    pub(super) fn required<'a>(&'a self, holds: impl Fn(&str, &[Value]) -> bool + 'a) -> impl Iterator<Item = &'a str> {
        let conditional = self.conditions.iter().filter(move |condition| holds(&condition.field, &condition.values));
        let conditional = conditional.flat_map(|condition| &condition.required);
        self.required.iter().chain(conditional).map(String::as_str)
    }
}

/// Returns the type of a field; None for what only decorates a form.
fn field_type(property: &Value) -> Option<FieldType> {
    let choices = texts(&property["enum"]);
    Some(match property["type"].as_str()? {
        "notice" | "button" | "callout" | "hidden" => return None,
        "number" => FieldType::Number,
        "boolean" => FieldType::Boolean,
        "json" => FieldType::JsonText,
        "collection" | "fixedCollection" | "multiOptions" | "object" | "array" => FieldType::Nested,
        _ if !choices.is_empty() => FieldType::Choice(choices),
        _ => FieldType::Text,
    })
}

fn condition(part: &Value) -> Option<Condition> {
    let (field, wanted) = part["if"]["properties"].as_object()?.iter().next()?;
    let values = wanted["enum"].as_array()?.clone();
    let required = part["then"]["allOf"].as_array()?.iter().flat_map(|one| texts(&one["required"])).collect();
    Some(Condition { field: field.clone(), values, required })
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
