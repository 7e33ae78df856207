//! The workflow that n8n is asked about, made such that it can do no harm.

use serde_json::{Map, Value, json};

use crate::catalog::Catalog;
use crate::document::definition::{Definition, Node};
use crate::domain::mark;
use crate::domain::remote::WorkflowWrite;

/// The key of the telemetry tag that tells scratch workflows from others; its value is the run.
pub const TAG: &str = "weirkeeper.dev/scratch";
/// The name of the node that keeps a scratch workflow from being published.
pub const FENCE: &str = "Weirkeeper: never publish";
/// A workflow that no n8n has: n8n makes ids of 16 letters and digits.
const NOWHERE: &str = "weirkeeper-no-such-workflow";

/// A workflow to ask about, and what tells its fence in n8n's answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Scratch {
    /// What to create.
    pub write: WorkflowWrite,
    /// The name of the node that keeps it from being published.
    pub fence: String,
}

/// A definition as a scratch workflow.
///
/// - A node is added that calls a workflow which does not exist. n8n looks for that last, when it has nothing else against the
///   workflow, and then refuses to publish it: so no trigger is ever set up and nothing runs.
/// - Credentials are taken off: n8n then tells which ones it wants, and the workflow could not act if it ran.
/// - Paths and ids of webhooks get a prefix, so that a workflow that serves in that n8n is not in the way.
/// - Neither an owner's mark nor an error workflow is kept.
pub fn scratch(definition: &Definition, catalog: &Catalog, run: &str, number: usize) -> Scratch {
    let mut fence = FENCE.to_owned();
    while definition.node(&fence).is_some() {
        fence.push('!');
    }
    let mut nodes: Vec<Value> = definition.nodes.iter().map(|node| Value::Object(harmless(node, catalog, run))).collect();
    nodes.push(fence_node(&fence));
    let mut settings = definition.settings.clone();
    mark::strip(&mut settings);
    settings.remove("errorWorkflow");
    Scratch { write: write(run, number, nodes, Value::Object(definition.connections.clone()), settings, &definition.node_groups), fence }
}

/// The least workflow that n8n would publish but for the fence: it shows whether the fence holds.
pub fn fence(run: &str) -> Scratch {
    let start = json!({"id": "start", "name": "Start", "type": "n8n-nodes-base.executeWorkflowTrigger", "typeVersion": 1,
                       "position": [0, 0], "parameters": {}});
    let write = write(run, 0, vec![start, fence_node(FENCE)], json!({}), Map::new(), &[]);
    Scratch { write, fence: FENCE.to_owned() }
}

fn write(
    run: &str,
    number: usize,
    nodes: Vec<Value>,
    connections: Value,
    mut settings: Map<String, Value>,
    groups: &[Value],
) -> WorkflowWrite {
    settings.insert(mark::SETTING.to_owned(), json!([{"key": TAG, "value": run}]));
    WorkflowWrite {
        name: format!("Weirkeeper scratch {run} {number}: delete me"),
        nodes,
        connections,
        settings,
        node_groups: (!groups.is_empty()).then(|| groups.to_vec()),
    }
}

fn fence_node(name: &str) -> Value {
    json!({"id": "weirkeeper-fence", "name": name, "type": "n8n-nodes-base.executeWorkflow", "typeVersion": 1.1, "position": [0, -300],
           "parameters": {"workflowId": {"__rl": true, "mode": "id", "value": NOWHERE}}})
}

fn harmless(node: &Node, catalog: &Catalog, run: &str) -> Map<String, Value> {
    let mut map = node.0.clone();
    map.remove("credentials");
    let prefixed = |text: &str| format!("weirkeeper-{run}-{text}");
    if let Some(id) = node.webhook_id() {
        map.insert("webhookId".to_owned(), Value::from(prefixed(id)));
    }
    let listens = catalog.node(node.kind()).is_some_and(|kind| kind.variants.iter().any(|variant| !variant.webhooks.is_empty()));
    if let Some(Value::Object(parameters)) = map.get_mut("parameters").filter(|_| listens) {
        prefix_path(parameters, &prefixed);
        if let Some(Value::Object(options)) = parameters.get_mut("options") {
            prefix_path(options, &prefixed);
        }
    }
    map
}

fn prefix_path(map: &mut Map<String, Value>, prefixed: &impl Fn(&str) -> String) {
    if let Some(Value::String(path)) =
        map.get_mut("path").filter(|path| path.as_str().is_some_and(|path| !path.is_empty() && !path.starts_with('=')))
    {
        *path = prefixed(path.trim_start_matches('/'));
    }
}
