//! Descriptions of node types and credential types as text and as JSON.

use serde_json::{Map, Value, json};

use crate::catalog::display::{Compare, Condition, Match, Rule};
use crate::catalog::ports::{Count, Entry, Is, Test};
use crate::catalog::{Capability, CredentialType, Display, Kind, NodeType, NodeVersion, Parameter, Port, Ports, Shared};

/// Maximum number of values that are printed as text.
const MOST_VALUES: usize = 12;

pub fn human(node: &NodeType, facts: &NodeVersion, reaches: Option<&[Capability]>) -> String {
    let versions: Vec<String> = node.versions().iter().map(f64::to_string).collect();
    let mut text = format!("{} ({})\n", node.name, node.display_name);
    text += &format!("  versions     {}; new nodes get {}\n", versions.join(", "), node.default_version);
    let shown: Vec<String> = facts.versions.iter().map(f64::to_string).collect();
    text += &format!("  shown here   {}\n", shown.join(", "));
    let traits: Vec<&str> = [
        (facts.trigger, "trigger"),
        (facts.polling, "polls"),
        (facts.usable_as_tool, "usable as tool"),
        (facts.hidden, "hidden: n8n does not offer it any more"),
    ]
    .into_iter()
    .filter_map(|(holds, word)| holds.then_some(word))
    .collect();
    if !traits.is_empty() {
        text += &format!("  is           {}\n", traits.join(", "));
    }
    let reaches = match reaches {
        None => "not reviewed".to_owned(),
        Some([]) => "nothing outside its own definition".to_owned(),
        Some(reaches) => reaches.iter().map(|one| one.words()).collect::<Vec<_>>().join(", "),
    };
    text += &format!("  reaches      {reaches}\n");
    text += &format!("  inputs       {}\n", ports_human(&facts.inputs));
    text += &format!("  outputs      {}\n", ports_human(&facts.outputs));
    for credential in &facts.credentials {
        let required = if credential.required { "required" } else { "optional" };
        text += &format!("  credential   {} ({required}){}\n", credential.name, when(&credential.display));
    }
    for webhook in &facts.webhooks {
        text += &format!("  webhook      {} {}\n", webhook.method, webhook.path);
    }
    for (resource, operations) in facts.operations().iter().filter(|(_, operations)| !operations.is_empty()) {
        let label = if resource.is_empty() { "operations" } else { resource };
        text += &format!("  {label:<12} {}\n", operations.join(", "));
    }
    if !facts.parameters.is_empty() {
        text += "parameters\n";
        facts.parameters.iter().for_each(|parameter| parameter_human(parameter, 1, &mut text));
    }
    text
}

fn ports_human(ports: &Ports) -> String {
    let list = |ports: Vec<String>| if ports.is_empty() { "none".to_owned() } else { ports.join(", ") };
    match ports {
        Ports::Fixed(ports) => list(ports.iter().map(port_human).collect()),
        Ports::Unknown => "unknown, computed by n8n".to_owned(),
        Ports::Cases(cases) => {
            let cases = cases.iter().map(|case| {
                let ports = list(case.ports.iter().map(entry_human).collect());
                if case.when.is_empty() { ports } else { format!("{ports} when {}", tests_human(&case.when)) }
            });
            cases.collect::<Vec<String>>().join("; else ")
        }
    }
}

fn port_human(port: &Port) -> String {
    let mut text = port.kind.clone();
    if !port.label.is_empty() {
        text += &format!(" {:?}", port.label);
    }
    if port.required {
        text += " (required)";
    }
    text
}

fn entry_human(entry: &Entry) -> String {
    let many = match &entry.count {
        Count::One => String::new(),
        Count::Number(path, otherwise) => format!(" x {path} (or {otherwise})"),
        Count::Items(path) | Count::ItemsOrOne(path) | Count::Parts(path, _) => format!(" for each of {path}"),
        Count::Declared(path) => return format!("as {path} declares"),
    };
    let condition = if entry.when.is_empty() { String::new() } else { format!(" [{}]", tests_human(&entry.when)) };
    format!("{}{many}{condition}", port_human(&entry.port))
}

fn tests_human(tests: &[Test]) -> String {
    let one = |Test(path, is): &Test| match is {
        Is::In(values) => format!("{path} = {}", values_human(values)),
        Is::NotIn(values) => format!("{path} is not {}", values_human(values)),
        Is::AbsentOrIn(values) => format!("{path} = {} or absent", values_human(values)),
        Is::Truthy => format!("{path} is set"),
        Is::FalsyOr(values) => format!("{path} = {} or not set", values_human(values)),
        Is::HasKey(keys) => format!("{path} has {}", keys.join(" or ")),
        Is::AtLeast(bound) => format!("{path} >= {bound}"),
    };
    tests.iter().map(one).collect::<Vec<String>>().join(" and ")
}

fn values_human(values: &[Value]) -> String {
    values.iter().map(value_human).collect::<Vec<String>>().join("|")
}

fn value_human(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains(char::is_whitespace) => text.clone(),
        other => other.to_string(),
    }
}

fn when(display: &Display) -> String {
    let rule = |Rule(key, any): &Rule| format!("{key} {}", any.iter().map(match_human).collect::<Vec<String>>().join(" or "));
    let parts = display.show.iter().map(rule).chain(display.hide.iter().map(|one| format!("not ({})", rule(one))));
    let text = parts.collect::<Vec<String>>().join(", ");
    if text.is_empty() { text } else { format!("  when {text}") }
}

fn match_human(one: &Match) -> String {
    match one {
        Match::Is(value) => format!("= {}", value_human(value)),
        Match::Condition(Condition { compare }) => match compare {
            Compare::Eq(value) => format!("= {}", value_human(value)),
            Compare::Not(value) => format!("is not {}", value_human(value)),
            Compare::Gte(value) => format!(">= {value}"),
            Compare::Lte(value) => format!("<= {value}"),
            Compare::Gt(value) => format!("> {value}"),
            Compare::Lt(value) => format!("< {value}"),
            Compare::Between { from, to } => format!("from {from} to {to}"),
            Compare::Includes(part) => format!("contains {part:?}"),
            Compare::StartsWith(part) => format!("starts with {part:?}"),
            Compare::EndsWith(part) => format!("ends with {part:?}"),
            Compare::Regex(pattern) => format!("matches {pattern:?}"),
            Compare::Exists(_) => "is set".to_owned(),
        },
    }
}

fn parameter_human(parameter: &Parameter, depth: usize, text: &mut String) {
    let mut line = format!("{}{}: {}", "  ".repeat(depth), parameter.name, kind_of(parameter.kind));
    if parameter.required {
        line += ", required";
    }
    if !parameter.options.values.is_empty() {
        let values = &parameter.options.values;
        line += &format!(" ({}", values_human(&values[..values.len().min(MOST_VALUES)]));
        if values.len() > MOST_VALUES {
            line += &format!(" and {} more", values.len() - MOST_VALUES);
        }
        line += ")";
    }
    if parameter.options.open {
        line += " (others from the service)";
    }
    if !parameter.modes.is_empty() {
        line += &format!(" (by {})", parameter.modes.iter().map(|mode| mode.name.as_str()).collect::<Vec<&str>>().join("|"));
    }
    if !matches!(&parameter.default, Value::Null) && parameter.default != json!("") && parameter.default != json!({}) {
        line += &format!(" = {}", parameter.default);
    }
    line += &when(&parameter.display);
    text.push_str(&line);
    text.push('\n');
    parameter.fields.iter().for_each(|field| parameter_human(field, depth + 1, text));
    for group in &parameter.groups {
        text.push_str(&format!("{}{}:\n", "  ".repeat(depth + 1), group.name));
        group.fields.iter().for_each(|field| parameter_human(field, depth + 2, text));
    }
}

fn kind_of(kind: Kind) -> String {
    serde_json::to_value(kind).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

pub fn json(node: &NodeType, facts: &NodeVersion, reaches: Option<&[Capability]>) -> Value {
    let operations: Map<String, Value> = facts.operations().into_iter().map(|(resource, values)| (resource, json!(values))).collect();
    json!({
        "type": node.name,
        "displayName": node.display_name,
        "versions": node.versions(),
        "defaultVersion": node.default_version,
        "shownVersions": facts.versions,
        "trigger": facts.trigger,
        "polling": facts.polling,
        "hidden": facts.hidden,
        "usableAsTool": facts.usable_as_tool,
        "maxNodes": facts.max_nodes,
        "reaches": reaches,
        "inputs": ports_json(&facts.inputs),
        "outputs": ports_json(&facts.outputs),
        "credentials": facts.credentials.iter().map(|one| json!({
            "name": one.name, "required": one.required, "when": display_json(&one.display),
        })).collect::<Vec<Value>>(),
        "webhooks": facts.webhooks.iter().map(|one| json!({
            "name": one.name, "method": one.method, "path": one.path, "fullPath": one.full_path, "restart": one.restart,
        })).collect::<Vec<Value>>(),
        "operations": operations,
        "parameters": facts.parameters.iter().map(|parameter| parameter_json(parameter)).collect::<Vec<Value>>(),
    })
}

fn ports_json(ports: &Ports) -> Value {
    let port = |port: &Port| json!({"kind": port.kind, "label": port.label, "required": port.required, "maxConnections": port.most});
    match ports {
        Ports::Fixed(ports) => ports.iter().map(port).collect(),
        Ports::Unknown | Ports::Cases(_) => Value::from(ports_human(ports)),
    }
}

fn display_json(display: &Display) -> Value {
    let rules = |rules: &[Rule]| {
        rules.iter().map(|Rule(key, any)| (key.clone(), serde_json::to_value(any).unwrap_or_default())).collect::<Map<String, Value>>()
    };
    let sides = [("show", rules(&display.show)), ("hide", rules(&display.hide))];
    Value::Object(sides.into_iter().filter(|(_, side)| !side.is_empty()).map(|(name, side)| (name.to_owned(), side.into())).collect())
}

fn parameter_json(parameter: &Parameter) -> Value {
    let inside = |list: &[Shared]| list.iter().map(|parameter| parameter_json(parameter)).collect::<Vec<Value>>();
    let mut described = json!({"name": parameter.name, "type": kind_of(parameter.kind), "default": parameter.default});
    let mut add = |key: &str, value: Value| described[key] = value;
    if parameter.required {
        add("required", true.into());
    }
    if !parameter.display.is_empty() {
        add("when", display_json(&parameter.display));
    }
    if !parameter.options.values.is_empty() {
        add("options", json!(parameter.options.values));
    }
    if parameter.options.open {
        add("otherOptions", true.into());
    }
    if !parameter.modes.is_empty() {
        add("modes", parameter.modes.iter().map(|mode| json!({"name": mode.name, "patterns": mode.patterns})).collect());
    }
    if parameter.bounds.multiple == Some(true) {
        add("multiple", true.into());
    }
    if !parameter.fields.is_empty() {
        add("fields", inside(&parameter.fields).into());
    }
    if !parameter.groups.is_empty() {
        add(
            "groups",
            parameter.groups.iter().map(|group| (group.name.clone(), inside(&group.fields).into())).collect::<Map<_, _>>().into(),
        );
    }
    described
}

pub fn credential_human(facts: &CredentialType) -> String {
    let mut text = format!("{} ({})\n", facts.name, facts.display_name);
    if !facts.extends.is_empty() {
        text += &format!("  extends      {}\n", facts.extends.join(", "));
    }
    text += &format!("  tested       {}\n", if facts.testable { "n8n can test it" } else { "n8n cannot test it" });
    for scope in &facts.scopes {
        text += &format!("  scope        {scope}\n");
    }
    text += "properties\n";
    facts.properties.iter().for_each(|property| parameter_human(property, 1, &mut text));
    text
}

pub fn credential_json(facts: &CredentialType) -> Value {
    json!({
        "credentialType": facts.name,
        "displayName": facts.display_name,
        "extends": facts.extends,
        "scopes": facts.scopes,
        "testable": facts.testable,
        "properties": facts.properties.iter().map(|property| parameter_json(property)).collect::<Vec<Value>>(),
    })
}
