//! The messages of calls. What rarely changes comes first, so that a server can cache it: rules and grammar, the catalogue, common
//! signatures; then what belongs to the request, the user's prompt last.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::catalogue;
use super::denied::Denied;
use super::fence::{cut, fence, fenced};
use super::likely;
use super::request::{RULES, Request};
use crate::generation::call::{Message, Role};
use crate::generation::compact::Compact;
use crate::generation::prompt::Clarification;
use crate::text::one_line;
use crate::validator::content::secret::{REMOVED, without_secrets};

/// Bytes of the messages that a call is to have at most, so that it stays below 12,000 tokens: almost 4 bytes are a token of such text.
const ROOM: usize = 42_000;
/// Bytes of the signatures in a message, at least and at most.
const SIGNATURES: (usize, usize) = (2_500, 9_500);
/// Bytes of the earlier conversation and of the inventory.
const MOST_EARLIER: usize = 4_000;
const MOST_INVENTORY: usize = 2_500;

/// Task of a model call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Write the whole workflow.
    Write,
    /// Write the nodes and edges without parameters.
    Plan,
    /// Change the present workflow.
    Edit,
    /// Repair the present workflow, which failed when it ran.
    Mend,
}

/// Returns the messages of a first call.
pub(super) fn first(request: &Request<'_>, denied: &Denied<'_>, task: Task, base: Option<&Compact>) -> Vec<Message> {
    let system = system(request, denied);
    let before = circumstances(request, denied, base);
    let prompt = format!("{}\n\n{}", task_text(task), fenced("request", request.prompt));
    let room = ROOM.saturating_sub(system.len() + before.len() + prompt.len()).clamp(SIGNATURES.0, SIGNATURES.1);
    let asked = format!("{} {}", request.prompt, request.answers.values().cloned().collect::<Vec<_>>().join(" "));
    let signatures = likely::signatures(&asked, request.catalog, denied, room);
    let mut user = String::new();
    if !signatures.is_empty() {
        let _ = write!(user, "# Signatures of operations that may fit\n\n{signatures}\n");
    }
    user.push_str(&before);
    user.push_str(&prompt);
    vec![Message { role: Role::System, text: system }, Message { role: Role::User, text: user }]
}

/// Returns the first message of every call: it depends on the catalogue and the policies alone.
fn system(request: &Request<'_>, denied: &Denied<'_>) -> String {
    let rules = rules(request, denied);
    format!(
        "{rules}\n# Node types\n\nName: its resources, or .operations. A sub-node is connected to an AI node.\n\n{}\n# Signatures\n\n`*` is required, `:kind` of \
         values other than text, `=` choices, the default first, `[…]` when it applies, `{{…}}` an object, `group[]{{…}}` a list in a group.\n\n{}",
        catalogue::lines(request.catalog, denied),
        catalogue::core(request.catalog, denied),
    )
}

/// Returns the rules without the examples of node types that are denied.
pub(super) fn rules(request: &Request<'_>, denied: &Denied<'_>) -> String {
    let denied_type = |line: &str| {
        let (_, rest) = line.split_once("\"use\": \"")?;
        let short = rest.split(['"', '.']).next()?;
        request.catalog.whole_names(short).first().filter(|kind| denied.denies(kind)).cloned()
    };
    let example = |line: &str| line.starts_with("`{\"");
    RULES.lines().filter(|line| !example(line) || denied_type(line).is_none()).fold(String::new(), |text, line| text + line + "\n")
}

fn task_text(task: Task) -> &'static str {
    match task {
        Task::Write => "Write the workflow for this request.",
        Task::Plan => {
            "Plan the workflow for this request: all nodes with `use` and a telling `as`, the edges, settings, and `when` where a node decides. Leave `set` empty; \
             the parameters are asked for next."
        }
        Task::Edit => {
            "Change the present workflow as this request says, and nothing else. Return `change`, with `workflow` null: `nodes` are those that are new or change, \
             each in full and a changed one with its id; `remove` the ids of those to remove; `edges` the full list if any edge changes, else null; `settings` and \
             `name` if they change, else null. Keep ids and names of nodes."
        }
        Task::Mend => {
            "The present workflow was made for this request, and failed as described above. Change what is needed for it to do what was asked, and nothing else. Return \
             `change`, with `workflow` null: `nodes` are those that are new or change, each in full and a changed one with its id; `remove` the ids of those to remove; \
             `edges` the full list if any edge changes, else null; `settings` and `name` if they change, else null. Keep ids and names of nodes."
        }
    }
}

fn circumstances(request: &Request<'_>, denied: &Denied<'_>, base: Option<&Compact>) -> String {
    let mut out = String::new();
    let constraints = constraints(request, denied);
    if !constraints.is_empty() {
        let _ = write!(out, "# Constraints\n\n{constraints}\n");
    }
    if !request.inventory.is_empty() {
        let _ = write!(out, "# What exists\n\n{}\n\n", fenced("inventory", cut(&inventory(request), MOST_INVENTORY)));
    }
    if let Some(base) = base {
        let value = redacted(&json!(base));
        let _ = write!(out, "# Present workflow\n\n{}\n\n", fence("workflow", &value.to_string()));
    }
    if let Some(failure) = request.failure {
        let text = format!(
            "node: {}\nerror: {}\nshape of its input: {}",
            one_line(&failure.node, 200),
            one_line(&failure.message, 1_000),
            one_line(&failure.input_shape, 1_500)
        );
        let _ = write!(out, "# What failed when it ran\n\n{}\n\n", fenced("failure", &text));
    }
    let earlier = earlier(request);
    if !earlier.is_empty() {
        let _ = write!(out, "# Earlier\n\n{}\n\n", fenced("conversation", &earlier));
    }
    if !request.answers.is_empty() {
        let lines: Vec<String> =
            request.answers.iter().map(|(id, answer)| format!("{}: {}", one_line(id, 60), one_line(answer, 1_000))).collect();
        let _ = write!(out, "# Answers to your questions\n\n{}\n\n", fenced("answers", &lines.join("\n")));
    }
    out
}

/// Returns what the model must keep to in this request, from its settings and the policies.
fn constraints(request: &Request<'_>, denied: &Denied<'_>) -> String {
    let mut out = String::new();
    match request.clarification {
        Clarification::Ask => {}
        Clarification::AssumeDefaults => out.push_str("- Ask only what has no safe default; assume the rest and say so.\n"),
        Clarification::Never => out.push_str("- Ask nothing; assume what is usual and say so.\n"),
    }
    if let Some(zone) = request.timezone {
        let _ = writeln!(out, "- The time zone is {}: set it in settings.", one_line(zone, 60));
    }
    for rules in denied.rules() {
        if let Some(prefix) = &rules.webhook_path_prefix {
            let _ = writeln!(out, "- Paths of webhooks and forms begin with {prefix}/.");
        }
        if let Some(interval) = &rules.minimum_schedule_interval {
            let _ = writeln!(out, "- Nothing starts more often than every {} seconds.", interval.get().as_secs());
        }
        if let Some(hosts) = &rules.allowed_hosts {
            let _ = writeln!(out, "- HTTP requests go to these hosts only: {}.", one_line(&hosts.join(", "), 800));
        }
        if let Some(most) = rules.maximum_nodes {
            let _ = writeln!(out, "- At most {most} nodes.");
        }
    }
    out
}

fn inventory(request: &Request<'_>) -> String {
    let name = |text: &str| one_line(text, 80);
    let mut out = String::new();
    let mut line = |what: &str, names: Vec<String>| {
        if !names.is_empty() {
            let _ = writeln!(out, "{what}: {}", names.join("; "));
        }
    };
    line("credentials", request.inventory.credentials.iter().map(|(kind, own)| format!("{} ({})", name(own), name(kind))).collect());
    line("data tables", request.inventory.data_tables.iter().map(|own| name(own)).collect());
    line("workflows", request.inventory.workflows.iter().map(|own| name(own)).collect());
    out
}

/// Returns the last turns that fit.
fn earlier(request: &Request<'_>) -> String {
    let mut lines = Vec::new();
    let mut left = MOST_EARLIER;
    for turn in request.conversation.iter().rev() {
        let line = format!("{}: {}", if turn.user { "user" } else { "result" }, one_line(&turn.text, 1_200));
        if line.len() > left {
            break;
        }
        left -= line.len();
        lines.push(line);
    }
    lines.reverse();
    lines.join("\n")
}

/// Returns a value whose texts hold no secrets.
pub(super) fn redacted(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(without_secrets(text).0),
        Value::Array(items) => Value::Array(items.iter().map(redacted).collect()),
        Value::Object(map) => {
            // A header or parameter: {"name": "X-API-Key", "value": "…"}.
            let named = map.get("name").or_else(|| map.get("key")).and_then(Value::as_str);
            let secret = |key: &str, text: &str| {
                let announced = format!("{}: {text}", if key == "value" { named.unwrap_or_default() } else { key });
                without_secrets(&announced).1 > 0
            };
            let clean = |(key, value): (&String, &Value)| {
                let value = match value {
                    Value::String(text) if !text.contains(char::is_whitespace) && secret(key, text) => Value::from(REMOVED),
                    other => redacted(other),
                };
                (without_secrets(key).0, value)
            };
            Value::Object(map.iter().map(clean).collect())
        }
        other => other.clone(),
    }
}
