//! Node types that n8n derives while it loads: a `…Tool` of each node that an agent can use, and a `…HitlTool` of each node that can ask a
//! person and wait.

use std::sync::Arc;

use serde_json::Value;

use super::display::{Display, Match, Rule};
use super::model::{Kind, LEFT_OUT, NodeType, NodeVersion, Options, Parameter, Shared};
use super::plan::Planned;
use super::ports::{Port, Ports, RequiredInputs};

const SEND_AND_WAIT: &str = "sendAndWait";

/// Kind of a derived node type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Derived {
    /// A tool for agents.
    Tool,
    /// A tool by which a person approves the call of another tool.
    Review,
}

/// Returns the node type from which n8n would derive this one, and how.
pub fn origin(name: &str) -> Option<(&str, Derived)> {
    match name.strip_suffix("HitlTool") {
        Some(base) => Some((base, Derived::Review)),
        None => name.strip_suffix("Tool").map(|base| (base, Derived::Tool)),
    }
}

/// Returns the derived node type; `None` if no version allows it.
pub fn derive(base: &NodeType, how: Derived) -> Option<NodeType> {
    let fits = |variant: &&NodeVersion| match how {
        Derived::Tool => variant.usable_as_tool,
        Derived::Review => can_review(&base.name, variant),
    };
    let variants: Vec<NodeVersion> = base.variants.iter().filter(fits).map(|variant| variant_of(variant, how)).collect();
    if variants.is_empty() {
        return None;
    }
    let (suffix, display_name) = match how {
        Derived::Tool => ("Tool", format!("{} Tool", base.display_name)),
        Derived::Review => ("HitlTool", base.display_name.clone()),
    };
    Some(NodeType { name: format!("{}{suffix}", base.name), display_name, variants, ..base.clone() })
}

/// Reports whether a version can ask a person and wait for the answer.
pub fn can_review(name: &str, variant: &NodeVersion) -> bool {
    !name.ends_with("Tool") && !variant.webhooks.is_empty() && waits(&variant.parameters).is_some()
}

/// Returns the parameter that offers to wait.
fn waits(parameters: &[Shared]) -> Option<&Shared> {
    parameters.iter().find(|parameter| parameter.name == "operation" && parameter.options.values.iter().any(|value| value == SEND_AND_WAIT))
}

fn variant_of(variant: &NodeVersion, how: Derived) -> NodeVersion {
    let tool = |label: &str, required: bool, only: &[&str]| Port {
        kind: "ai_tool".to_owned(),
        label: label.to_owned(),
        required,
        only: only.iter().map(|name| (*name).to_owned()).collect(),
        ..Port::default()
    };
    let agents = ["@n8n/n8n-nodes-langchain.agent", "@n8n/n8n-nodes-langchain.agentTool"];
    let (inputs, outputs, parameters) = match how {
        Derived::Tool => (Vec::new(), vec![tool("", false, &[])], tool_parameters(&variant.parameters)),
        Derived::Review => {
            (vec![tool("Tool", true, &[])], vec![tool("Human review", false, &agents)], review_parameters(&variant.parameters))
        }
    };
    NodeVersion {
        inputs: Ports::Fixed(inputs),
        outputs: Ports::Fixed(outputs),
        required_inputs: RequiredInputs::Any,
        usable_as_tool: false,
        parameters,
        plan: Planned::default(),
        ..variant.clone()
    }
}

fn tool_parameters(own: &[Shared]) -> Vec<Shared> {
    let has = |name: &str| own.iter().any(|parameter| parameter.name == name);
    if has("toolDescription") {
        return own.to_vec();
    }
    let mut added = Vec::new();
    let mut description = text("toolDescription", LEFT_OUT);
    if has("resource") || has("operation") {
        let values = ["auto", "manual"].map(Value::from).to_vec();
        added.push(shared(Parameter {
            name: "descriptionType".to_owned(),
            kind: Kind::Options,
            default: Value::from("auto"),
            no_data_expression: true,
            options: Options { values, ..Options::default() },
            ..Parameter::default()
        }));
        let manual = Rule("descriptionType".to_owned(), vec![Match::Is(Value::from("manual"))]);
        description.display = Display { show: vec![manual], hide: Vec::new() };
    }
    added.push(shared(description));
    added.extend(own.iter().cloned());
    added
}

fn review_parameters(own: &[Shared]) -> Vec<Shared> {
    let resource = waits(own).and_then(|operation| {
        let rule = operation.display.show.iter().find(|Rule(key, _)| key == "resource")?;
        rule.1.iter().find_map(|one| if let Match::Is(value) = one { Some(value.clone()) } else { None })
    });
    let mut found = vec![shared(text("message", &format!("={LEFT_OUT}")))];
    for parameter in own {
        match (parameter.name.as_str(), &resource) {
            ("resource", Some(resource)) => found.push(hidden("resource", resource.clone())),
            ("resource", None) | ("message", _) => {}
            ("operation", _) => found.push(hidden("operation", Value::from(SEND_AND_WAIT))),
            ("responseType", _) => found.push(hidden("responseType", Value::from("approval"))),
            _ => found.push(parameter.clone()),
        }
    }
    found
}

fn shared(parameter: Parameter) -> Shared {
    Shared(Arc::new(parameter))
}

fn text(name: &str, default: &str) -> Parameter {
    Parameter { name: name.to_owned(), default: Value::from(default), required: true, ..Parameter::default() }
}

fn hidden(name: &str, default: Value) -> Shared {
    shared(Parameter { name: name.to_owned(), kind: Kind::Hidden, default, ..Parameter::default() })
}
