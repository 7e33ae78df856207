//! The scratch workflow that n8n is asked about, made so that it can do no harm.

use serde_json::{Map, Value, json};

use weirkeeper::catalog::Catalog;
use weirkeeper::document::definition::{Definition, Node};
use weirkeeper::domain::mark;
use weirkeeper::domain::remote::WorkflowWrite;

/// Key of the telemetry tag that marks scratch workflows; its value is the run.
pub(crate) const TAG: &str = "weirkeeper.dev/scratch";
/// Name of the node that keeps a scratch workflow from being published.
pub(crate) const FENCE: &str = "Weirkeeper: never publish";
/// Id of a workflow that exists in no n8n: n8n's ids have 16 letters and digits.
const NOWHERE: &str = "weirkeeper-no-such-workflow";

/// A scratch workflow, with the name of its fence in n8n's answers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scratch {
    /// Body of the create.
    pub(crate) write: WorkflowWrite,
    /// Name of the node that keeps the workflow from being published.
    pub(crate) fence: String,
}

/// Turns a definition into a scratch workflow.
///
/// - A node is added that calls a workflow which does not exist. n8n checks that last, after all other checks have passed, and then refuses
///   to publish the workflow, so no trigger is ever set up and nothing runs.
/// - Credentials are removed: n8n then reports which ones it requires, and the workflow could not act if it ran.
/// - Paths and ids of webhooks get a prefix, so that they do not conflict with published workflows in that n8n.
/// - The ownership mark and the error workflow are removed.
pub(crate) fn scratch(definition: &Definition, catalog: &Catalog, run: &str, number: usize) -> Scratch {
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

/// Returns the smallest workflow that n8n would publish without the fence: it shows whether the fence holds.
pub(crate) fn fence(run: &str) -> Scratch {
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
