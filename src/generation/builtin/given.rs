//! Values that a prompt and the data before a node give for its parameters.

use serde_json::{Map, Value};

use super::data::{Data, Wanted};
use super::operations::parts;

/// Source of the values of a node.
#[derive(Clone, Debug, Default)]
pub(super) struct Source {
    /// Text of a message or of a document.
    pub text: String,
    pub title: String,
    /// Code of the e-mail address that the item has.
    pub address: Option<String>,
    /// A literal address, or `?slot`, if the user is the recipient.
    pub recipient: Option<String>,
    /// Code of the chat that the item comes from, if the node answers there.
    pub chat: Option<String>,
    /// A channel that the prompt names.
    pub channel: Option<String>,
    /// Words of the prompt that a search is for.
    pub search: Option<String>,
    /// Name of a city that the prompt has.
    pub city: Option<String>,
    /// Language to translate into, as two letters.
    pub language: Option<String>,
    pub data: Data,
    /// Fields that the prompt names.
    pub wanted: Vec<Wanted>,
    /// Names that the prompt gives to places, by the words that parameters have for them.
    pub places: Vec<(&'static str, String)>,
    /// The service of the node.
    pub service: String,
    /// Resource whose record the operation is about, if it is about one that exists.
    pub own_id: String,
    /// True if the prompt asks for all of a list.
    pub all: bool,
    /// Prefix of the names of slots.
    pub prefix: String,
}

impl Source {
    /// Returns the code of a field that the prompt names, or that the data has.
    pub(super) fn field(&self, noun: &str) -> Option<String> {
        let named = self.wanted.iter().find(|one| one.is(noun)).map(|one| one.code.clone());
        named.or_else(|| self.data.field(noun).map(|field| self.data.code(&field.path)))
    }
}

/// Returns the first or the last name of a person, of whom the data may have the whole name.
fn half_of_name(source: &Source, half: &str) -> Option<String> {
    if let Some(code) = source.field(&format!("{half}name")) {
        return Some(format!("{{{{{code}}}}}"));
    }
    // An order has a name, too.
    let half_only = |one: &Wanted| one.is("firstname") || one.is("lastname");
    let named = source.wanted.iter().find(|one| one.is("name") && !half_only(one)).map(|one| one.code.clone());
    let person = source.data.field("name").filter(|field| field.label == "Name" && source.data.field("email").is_some());
    let code = named.or_else(|| person.map(|field| source.data.code(&field.path)))?;
    let part = if half == "first" { "split(' ')[0]" } else { "split(' ').slice(1).join(' ')" };
    Some(format!("{{{{ String({code} ?? '').{part} }}}}"))
}

/// Returns a slot for a value that the user gives.
pub(super) fn slot(source: &Source, parameter: &str) -> String {
    let mut words = parts(parameter);
    if words.len() > 1 && words.last().is_some_and(|last| last == "id") {
        words.pop();
    }
    let prefix = parts(&source.prefix);
    let words: Vec<String> = prefix.iter().chain(words.iter().filter(|word| !prefix.contains(word))).cloned().collect();
    format!("?{}", words.join("-"))
}

/// Replaces `@text` and such words within a preset; `None` if there is no value.
pub(super) fn resolve(value: Value, source: &Source) -> Option<Value> {
    let some = |text: &str| (!text.is_empty()).then(|| Value::from(text));
    let braced = |code: &Option<String>| code.as_ref().map(|code| Value::from(format!("{{{{{code}}}}}")));
    match value {
        Value::String(text) => match text.as_str() {
            "@text" => some(&source.text),
            "@title" => some(&source.title),
            "@address" => braced(&source.address),
            "@chat" => braced(&source.chat),
            "@binary" => source.data.binary.clone().map(Value::from),
            "@id" => source.data.field("id").map(|field| format!("{{{{{}}}}}", source.data.code(&field.path)).into()),
            "@city" => source.city.clone().map(Value::from),
            "@json" => Some(format!("{{{{ JSON.stringify({}) }}}}", source.data.object()).into()),
            "@object" => Some(format!("{{{{{}}}}}", source.data.object()).into()),
            "@first" | "@last" => half_of_name(source, &text[1..]).map(Value::from),
            other => match other.strip_prefix("@field:") {
                Some(noun) => source.field(noun).map(|code| format!("{{{{{code}}}}}").into()),
                None => Some(text.into()),
            },
        },
        Value::Object(map) => {
            let (keys, of_value) = (map.len(), map.contains_key("value"));
            let map: Map<String, Value> = map.into_iter().filter_map(|(key, value)| Some((key, resolve(value, source)?))).collect();
            let says = keys == 0 || !map.is_empty() && (!of_value || map.contains_key("value"));
            says.then_some(Value::Object(map))
        }
        Value::Array(items) => {
            let items: Vec<Value> = items.into_iter().filter_map(|item| resolve(item, source)).collect();
            (!items.is_empty()).then_some(Value::Array(items))
        }
        other => Some(other),
    }
}
