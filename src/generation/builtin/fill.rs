//! Parameters of a node: fixed ones, those that come from the data, and slots for what only the user knows.

use serde_json::{Map, Value, json};

use super::given::{Source, resolve, slot};
use super::operations::parts;
use super::presets::PRESETS;
use super::words::is_among;
use crate::catalog::{Catalog, IssueKind, Kind, NodeVersion, Parameter, filled, issues};

const TEXTS: &str =
    "text message content body bodycontent textbody description comment note messagecontent prompt html messagetext details contentvalue";
const TITLES: &str = "title subject summary name messagetitle";
const RECIPIENTS: &str = "to sendto toemail toaddresses torecipients recipient recipients toaddress recipientphonenumber tonumber phonenumber sendtoaddress useremail";
const ADDRESSES: &str = "email emailaddress contactemail customeremail subscriberemail mail";
const CHANNELS: &str = "channel channelid chatid roomid room spaceid stream streamid channelname";
/// Values that belong to an item: they come from its data, and no user could give them once for all.
const OF_ITEM: &str = "firstname lastname givenname familyname start end date duedate amount price quantity currency total phone city \
     country zip street starttime endtime identifier requester value label company domain";

/// A place that the prompt names and that has its parameter.
pub(super) struct Placed {
    pub place: &'static str,
    pub name: String,
    /// The slot for its id, if n8n takes no name.
    pub slot: Option<String>,
}

/// Completes the parameters of a node. Returns the places that have one. `name` is its type with resource and operation, `full` the full name of its type.
///
/// # Errors
///
/// The name of a parameter for which there is no value that would be right.
pub(super) fn fill(
    name: &str,
    full: &str,
    operation: &str,
    set: &mut Map<String, Value>,
    source: &Source,
    catalog: &Catalog,
) -> Result<Vec<Placed>, String> {
    for (own, preset) in PRESETS {
        let fits = *own == name || own.strip_suffix(".*").is_some_and(|start| name.starts_with(start));
        let Some(Value::Object(preset)) = Some(*preset).filter(|_| fits).and_then(|preset| serde_json::from_str(preset).ok()) else {
            continue;
        };
        for (key, value) in preset {
            if let Some(value) = resolve(value, source) {
                set.entry(key).or_insert(value);
            }
        }
    }
    let Some(kind) = catalog.node(full) else { return Err(name.to_owned()) };
    let Some(facts) = kind.latest() else { return Err(name.to_owned()) };
    let version =
        facts.versions.iter().copied().find(|version| *version == kind.default_version).or(facts.versions.last().copied()).unwrap_or(1.0);
    let mut tried: Vec<String> = Vec::new();
    let mut placed: Vec<Placed> = Vec::new();
    for _ in 0..16 {
        let values = written(name, operation, set, facts);
        let Ok(full_values) = filled(facts, &values, version, full) else { return Err(name.to_owned()) };
        if place(facts, &full_values, (version, full), set, source, &mut placed)
            || unlimited(name, facts, &full_values, (version, full), set, source)
        {
            continue;
        }
        optional(facts, &full_values, set, source);
        let found = issues(facts, &full_values, version, full);
        let missing = found.iter().find(|issue| matches!(issue.kind, IssueKind::Missing));
        let Some(issue) = missing else { return unset(facts, &full_values, version, full).map(|()| placed) };
        let shown = |own: &&Parameter| own.name == issue.parameter && shows(own, &full_values, version, full);
        let parameter = facts.parameters.iter().map(|own| &**own).find(shown);
        let Some(parameter) = parameter.filter(|_| !issue.path.contains('.') && !tried.contains(&issue.path)) else {
            return Err(issue.path.clone());
        };
        tried.push(issue.path.clone());
        let value = value_of(parameter, source).ok_or_else(|| issue.parameter.clone())?;
        set.insert(issue.parameter.clone(), value);
    }
    Err(name.to_owned())
}

/// Sets the parameters for places that the prompt names: to the name where n8n takes one, and otherwise to a slot for the id. Reports whether it changed
/// any.
fn place(
    facts: &NodeVersion,
    values: &Map<String, Value>,
    (version, full): (f64, &str),
    set: &mut Map<String, Value>,
    source: &Source,
    placed: &mut Vec<Placed>,
) -> bool {
    let mut changed = false;
    for (place, name) in &source.places {
        if placed.iter().any(|own| own.place == *place && own.name == *name) {
            continue;
        }
        let fits = |own: &&Parameter| {
            is_for(&own.name, place)
                && matches!(own.kind, Kind::String | Kind::ResourceLocator | Kind::Options)
                && shows(own, values, version, full)
        };
        let Some(parameter) = facts.parameters.iter().map(|own| &**own).find(fits) else { continue };
        let open = set.get(&parameter.name).is_none_or(|value| value.as_str().is_some_and(|text| text.starts_with('?')));
        let own = matches!(*place, "channel" | "chat") && source.channel.is_some();
        if own || set.get(&parameter.name).and_then(Value::as_str) == Some(name) {
            placed.push(Placed { place, name: name.clone(), slot: None });
        }
        if !open || own || parameter.kind == Kind::Options && !parameter.options.open {
            continue;
        }
        let by_name = parameter.modes.iter().any(|mode| !mode.list && mode.name == "name");
        let free = parameter.kind == Kind::String
            && matches!(*place, "table" | "collection" | "topic" | "queue" | "bucket" | "index" | "stream" | "repository");
        // Supabase lists its tables by their names.
        let listed = *place == "table" && source.service == "supabase";
        let text = |text: &str| Value::from(text);
        let slot = slot(source, &parameter.name);
        let mut new = vec![(parameter.name.clone(), text(&slot))];
        let mut named = true;
        if *place == "repository" && (by_name || free) {
            let (owner, own) = name.rsplit_once('/').map_or((None, name.as_str()), |(owner, own)| (Some(owner), own));
            new = vec![(parameter.name.clone(), text(own))];
            new.extend(owner.map(|owner| ("owner".to_owned(), text(owner))));
        } else if by_name && *place == "channel" {
            new = vec![(parameter.name.clone(), text(&format!("#{name}")))];
        } else if by_name && *place == "tab" {
            new = vec![(parameter.name.clone(), json!({"__rl": true, "mode": "name", "value": name}))];
        } else if by_name && *place == "table" || free || listed {
            new = vec![(parameter.name.clone(), text(name))];
        } else {
            named = false;
        }
        placed.push(Placed { place, name: name.clone(), slot: (!named).then_some(slot) });
        for (parameter, value) in new {
            changed |= set.insert(parameter, value.clone()).as_ref() != Some(&value);
        }
    }
    changed
}

/// Has a list read whole, where n8n would stop after the first hundred. Lists without an end, such as those of messages, are only read whole if the
/// prompt says so. Reports whether it changed anything.
fn unlimited(
    name: &str,
    facts: &NodeVersion,
    values: &Map<String, Value>,
    (version, full): (f64, &str),
    set: &mut Map<String, Value>,
    source: &Source,
) -> bool {
    const ENDLESS: &[&str] =
        &["message", "history", "replies", "tweet", "post", "video", "activity", "execution", "log", "comment", "search"];
    let endless = set.contains_key("limit") || name.split('.').any(|part| ENDLESS.contains(&part));
    let mut own = facts.parameters.iter().filter(|own| own.name == "returnAll");
    if set.contains_key("returnAll") || endless && !source.all || !own.any(|own| shows(own, values, version, full)) {
        return false;
    }
    set.remove("limit");
    set.insert("returnAll".to_owned(), Value::Bool(true));
    true
}

/// Reports whether a parameter is for a place.
fn is_for(parameter: &str, place: &str) -> bool {
    let words = parts(parameter);
    let has = |word: &str| words.iter().any(|own| own == word || own.strip_suffix('s') == Some(word));
    let other = words.iter().any(|word| matches!(word.as_str(), "new" | "has" | "create" | "type" | "mode"));
    let fits = match place {
        "tab" => has("sheet"),
        "database" => has("database") || parameter == "dataSourceId",
        // OneDrive has files in the folder of this parameter.
        "folder" => has("folder") || parameter == "parentId",
        place => has(place),
    };
    fits && !other
}

/// Finds a required id that n8n would take as 0.
fn unset(facts: &NodeVersion, values: &Map<String, Value>, version: f64, full: &str) -> Result<(), String> {
    let zero = |own: &&Parameter| {
        own.required
            && own.kind == Kind::Number
            && values.get(&own.name).and_then(Value::as_f64) == Some(0.0)
            && shows(own, values, version, full)
    };
    let ends = |own: &&Parameter| own.name.to_lowercase().ends_with("id");
    facts.parameters.iter().map(|own| &**own).find(|own| zero(own) && ends(own)).map_or(Ok(()), |own| Err(own.name.clone()))
}

fn shows(parameter: &Parameter, values: &Map<String, Value>, version: f64, full: &str) -> bool {
    crate::catalog::shown(&parameter.display, values, crate::catalog::Around::new(values, version, full))
}

/// Returns the parameters as n8n writes them, as far as the check for missing ones needs it.
fn written(name: &str, operation: &str, set: &Map<String, Value>, facts: &NodeVersion) -> Map<String, Value> {
    let mut values = set.clone();
    let mut words = name.split('.').skip(1);
    if let (Some(resource), Some(_)) = (words.next(), words.next()) {
        values.entry("resource".to_owned()).or_insert_with(|| resource.into());
    }
    if !operation.is_empty() {
        values.entry("operation".to_owned()).or_insert_with(|| operation.into());
    }
    for parameter in facts.parameters.iter().filter(|own| own.kind == Kind::ResourceLocator) {
        let Some(value) = values.get_mut(&parameter.name).filter(|value| value.is_string()) else { continue };
        let free = parameter.modes.iter().find(|mode| !mode.list && mode.patterns.is_empty()).map_or("id", |mode| mode.name.as_str());
        *value = json!({"__rl": true, "mode": free, "value": value.take()});
    }
    values
}

/// Sets texts and titles that n8n does not require.
fn optional(facts: &NodeVersion, values: &Map<String, Value>, set: &mut Map<String, Value>, source: &Source) {
    // Without a mapping n8n writes rows without values.
    for mapper in facts.parameters.iter().filter(|own| own.kind == Kind::ResourceMapper && values.contains_key(&own.name)) {
        set.entry(mapper.name.clone()).or_insert_with(automatic);
    }
    for (name, value) in values {
        if set.contains_key(name) || value.as_str() != Some("") {
            continue;
        }
        let own = facts.parameters.iter().find(|own| own.name == *name && own.kind == Kind::String && !own.no_data_expression);
        let folded = name.to_lowercase();
        let address = is_among(ADDRESSES, &folded) || is_among(RECIPIENTS, &folded);
        if let Some(own) = own.filter(|_| address || matches!(folded.as_str(), "fromemail" | "from" | "sender" | "fromaddress")) {
            let value = if address { value_of(own, source) } else { Some(slot(source, name).into()) };
            if let Some(value) = value {
                set.insert(name.clone(), value);
            }
            continue;
        }
        let text = if is_among(TEXTS, &folded) {
            &source.text
        } else if is_among(TITLES, &folded) {
            &source.title
        } else {
            continue;
        };
        if own.is_some() && !text.is_empty() {
            set.insert(name.clone(), text.as_str().into());
        }
    }
}

/// Returns the mapping by which each field goes into the column of its name.
fn automatic() -> Value {
    json!({"mappingMode": "autoMapInputData", "value": {}, "matchingColumns": [], "schema": []})
}

/// Returns a value for a required parameter.
fn value_of(parameter: &Parameter, source: &Source) -> Option<Value> {
    let folded: String = parameter.name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    let text = |text: &str| (!text.is_empty()).then(|| Value::from(text));
    match parameter.kind {
        Kind::Number => {
            return source.data.read(&folded).filter(|_| source.data.field(&folded).is_some()).map(|code| format!("{{{{{code}}}}}").into());
        }
        Kind::Boolean => return Some(Value::Bool(false)),
        Kind::Options | Kind::MultiOptions if !parameter.options.open => return None,
        Kind::ResourceMapper => return Some(automatic()),
        Kind::Collection | Kind::FixedCollection | Kind::Json => return None,
        _ => {}
    }
    if is_among(CHANNELS, &folded) {
        let chat = source.chat.as_ref().map(|chat| format!("{{{{{chat}}}}}"));
        let channel = source.channel.clone();
        return Some(channel.or(chat).unwrap_or_else(|| slot(source, &parameter.name)).into());
    }
    if is_among(RECIPIENTS, &folded)
        && source.recipient.is_none()
        && source.chat.is_none()
        && ["phone", "number"].iter().any(|part| folded.contains(part))
    {
        // Nobody is called at a mail address.
        return Some(source.field("phone").map_or_else(|| slot(source, "recipient").into(), |code| format!("{{{{{code}}}}}").into()));
    }
    if is_among(RECIPIENTS, &folded) {
        let address = source.address.as_ref().map(|code| format!("{{{{{code}}}}}"));
        let chat = source.chat.as_ref().map(|chat| format!("{{{{{chat}}}}}"));
        return Some(source.recipient.clone().or(chat).or(address).unwrap_or_else(|| slot(source, "recipient")).into());
    }
    if is_among(ADDRESSES, &folded) {
        return source.address.as_ref().map(|code| format!("{{{{{code}}}}}").into());
    }
    if is_among(TEXTS, &folded) {
        return text(&source.text);
    }
    if is_among(TITLES, &folded) {
        return text(&source.title);
    }
    if matches!(folded.as_str(), "query" | "searchtext" | "q" | "keyword") {
        return Some(source.search.clone().unwrap_or_else(|| slot(source, &parameter.name)).into());
    }
    if matches!(folded.as_str(), "translateto" | "targetlanguage" | "target") {
        return Some(source.language.clone().unwrap_or_else(|| slot(source, "language")).into());
    }
    if folded.starts_with("binary") || folded == "inputdatafieldname" {
        return source.data.binary.clone().map(Value::from);
    }
    if is_among(OF_ITEM, &folded) || parameter.kind == Kind::DateTime {
        let word = match folded.as_str() {
            "lastname" | "familyname" => "name".to_owned(),
            _ => parts(&parameter.name).concat(),
        };
        let known = source.field(&word);
        let open = source.data.open.as_ref().and_then(|_| source.data.read(&parameter.name));
        return known.or(open).map(|code| format!("{{{{{code}}}}}").into());
    }
    // The id of the record itself cannot be a fixed value.
    if !source.own_id.is_empty() && is_own_id(&folded, &source.own_id) {
        return source
            .data
            .field("id")
            .filter(|_| source.data.service == source.service)
            .map(|field| format!("{{{{{}}}}}", source.data.code(&field.path)).into());
    }
    Some(slot(source, &parameter.name).into())
}

/// Reports whether a parameter is the id of a record of the resource.
fn is_own_id(name: &str, resource: &str) -> bool {
    let resource = resource.to_lowercase();
    matches!(name, "id" | "recordid" | "pageid" | "rowid" | "itemid" | "documentid" | "key")
        || name == resource
        || name.strip_suffix("id") == Some(resource.as_str())
}
