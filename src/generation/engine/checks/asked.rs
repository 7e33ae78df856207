//! Checks against the plain words of the request, whatever effects the model lists: the services that it names, and that one message is meant.

use super::effects;
use crate::catalog::Catalog;
use crate::document::finding::{Code, Finding, quoted};
use crate::document::json_path;
use crate::generation::builtin;
use crate::generation::engine::graph::Flow;
use crate::generation::hostile::fold;

/// Words that say that there is one of something.
const ONE: &[&str] = &["one", "single", "einzige", "einzigen", "einer", "seul", "seule", "sola", "unica", "unico"];
/// Names of messages.
const MESSAGES: &[&str] = &[
    "message",
    "mail",
    "email",
    "summary",
    "digest",
    "notification",
    "report",
    "post",
    "nachricht",
    "zusammenfassung",
    "bericht",
    "resume",
    "rapport",
    "mensaje",
    "correo",
    "resumen",
];
/// Services whose models are reached through other nodes.
const MODELS: &[&str] = &["Perplexity", "Mistral AI", "Jina AI"];
/// Node types that reach any service.
const ANY: &[&str] = &["httpRequest", "httpRequestTool", "toolHttpRequest", "graphql", "mcpClientTool", "executeWorkflow", "toolWorkflow"];

/// Plain words of a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// Names of services, each with the node types that reach it.
    services: Vec<(String, Vec<String>)>,
    /// True if one message is meant.
    one_message: bool,
}

impl Asked {
    /// Reads a request for a new workflow.
    pub(crate) fn of(prompt: &str, catalog: &Catalog) -> Self {
        let folded = fold(prompt);
        let words: Vec<&str> = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let one = |at: usize| ONE.contains(&words[at]) && words[at + 1..].iter().take(2).any(|word| MESSAGES.contains(word));
        let services = builtin::services(prompt, catalog).into_iter().filter(|(name, _)| !MODELS.contains(&name.as_str())).collect();
        Self { services, one_message: (0..words.len()).any(one) }
    }
}

pub(super) fn check(flow: &Flow<'_>, asked: &Asked, findings: &mut Vec<Finding>) {
    let short = |kind: &str| kind.rsplit_once('.').map_or(kind, |(_, short)| short).trim_end_matches("Tool").to_lowercase();
    let used: Vec<String> = (0..flow.compact.nodes.len()).map(|at| short(flow.short(at))).collect();
    let any = (0..flow.compact.nodes.len()).any(|at| ANY.contains(&flow.short(at)));
    for (name, kinds) in &asked.services {
        // A vector store, a memory or a tool of the service has its name within.
        let reached =
            kinds.iter().map(|kind| short(kind)).any(|kind| used.iter().any(|own| own.contains(kind.trim_end_matches("trigger"))));
        if !reached && !any {
            let message =
                format!("the request names {}, and no node uses it; add the node, unless the request only mentions it", quoted(name));
            findings.push(Finding::warning(Code::ServiceUnused, "nodes", message));
        }
    }
    let sends: Vec<usize> = (0..flow.compact.nodes.len()).filter(|at| tells(flow, *at)).collect();
    if asked.one_message && !sends.is_empty() && sends.iter().all(|at| effects::is_repeated(flow, *at)) {
        for at in sends {
            let message =
                "the request asks for one message, and this node sends one for each item; put an aggregate before it, or the flag once";
            let path = json_path::index("nodes", at);
            if !findings.iter().any(|finding| finding.code == Code::SentPerItem && finding.path == path) {
                findings.push(Finding::warning(Code::SentPerItem, path, message).at_node(&flow.compact.nodes[at].name));
            }
        }
    }
}

/// Reports whether a node sends a message.
fn tells(flow: &Flow<'_>, at: usize) -> bool {
    let parameter = |key: &str| {
        flow.node(at).and_then(|node| node.parameter(key)).and_then(serde_json::Value::as_str).unwrap_or_default().to_lowercase()
    };
    let (resource, operation) = (parameter("resource"), parameter("operation"));
    let sends = ["send", "post", "push", "create", ""].iter().any(|word| operation == *word) || operation.starts_with("send");
    flow.short(at) == "emailSend" || sends && ["message", "sms", "mail", "email"].iter().any(|word| resource.contains(word))
}
