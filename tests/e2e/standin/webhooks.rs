//! Production webhooks: the paths of a version, their conflicts, and the routing of a request.

use serde_json::Value;

use super::node_types::{self, kind, name, parameter, short, text_parameter};
use super::store::World;

/// A registered production webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    pub workflow_id: String,
    pub node: String,
    pub method: String,
    /// Without slashes at either end.
    pub path: String,
    /// Present if the path has parameters: such a path is only served below this id.
    pub webhook_id: Option<String>,
    pub is_form: bool,
}

impl Hook {
    /// Returns the path that callers use.
    pub(crate) fn public_path(&self) -> String {
        match &self.webhook_id {
            Some(id) => format!("{id}/{}", self.path),
            None => self.path.clone(),
        }
    }

    fn key(&self) -> (String, String) {
        (self.method.clone(), self.path.clone())
    }
}

fn without_slashes(path: &str) -> &str {
    let path = path.trim();
    let path = path.strip_prefix('/').unwrap_or(path);
    path.strip_suffix('/').unwrap_or(path)
}

/// Returns the production webhooks of a node.
pub(crate) fn hooks_of(workflow_id: &str, node: &Value) -> Vec<Hook> {
    let opens = node_types::is_trigger(kind(node)) && node_types::has_webhook(node);
    if node_types::is_disabled(node) || !opens {
        return Vec::new();
    }
    let webhook_id = node.get("webhookId").and_then(Value::as_str).unwrap_or_default();
    let or_id = |path: &str| {
        let path = without_slashes(path);
        if path.is_empty() { webhook_id } else { path }.to_owned()
    };
    let both = || vec!["GET".to_owned(), "POST".to_owned()];
    let (methods, path, is_form) = match short(kind(node)) {
        "webhook" => (methods_of(node), or_id(text_parameter(node, "path")), false),
        "formTrigger" if node_types::version(node) < 2.0 => {
            let path = format!("{}/n8n-form", text_parameter(node, "path"));
            (both(), or_id(&path), false)
        }
        "formTrigger" => {
            let options = parameter(node, "options").and_then(|options| options.get("path"));
            let own = text_parameter(node, "path");
            let path = if own.is_empty() { options.and_then(Value::as_str).unwrap_or_default() } else { own };
            (both(), or_id(path), true)
        }
        "chatTrigger" => (both(), format!("{webhook_id}/chat"), false),
        "mcpTrigger" => (both(), or_id(text_parameter(node, "path")), false),
        // Triggers of other services, which n8n registers there before it serves them here.
        _ => (vec!["POST".to_owned()], format!("{webhook_id}/webhook"), false),
    };
    let dynamic = path.starts_with(':') || path.contains("/:");
    methods
        .into_iter()
        .map(|method| Hook {
            workflow_id: workflow_id.to_owned(),
            node: name(node).to_owned(),
            method,
            path: path.clone(),
            webhook_id: (dynamic && !webhook_id.is_empty()).then(|| webhook_id.to_owned()),
            is_form,
        })
        .collect()
}

fn methods_of(node: &Value) -> Vec<String> {
    match parameter(node, "httpMethod") {
        Some(Value::String(method)) if !method.is_empty() => vec![method.clone()],
        Some(Value::Array(methods)) => methods.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => vec!["GET".to_owned()],
    }
}

impl World {
    /// Returns the hook that a request reaches: a literal path first, then one with parameters.
    pub(crate) fn find_hook(&self, method: &str, path: &str) -> Option<&Hook> {
        self.webhooks.get(&(method.to_owned(), path.to_owned())).or_else(|| self.find_dynamic(path, |hook| hook.method == method))
    }

    fn find_dynamic(&self, path: &str, wanted: impl Fn(&Hook) -> bool) -> Option<&Hook> {
        let (id, rest) = path.split_once('/')?;
        let segments: Vec<&str> = rest.split('/').collect();
        let fixed = |hook: &Hook| {
            let parts: Vec<&str> = hook.path.split('/').collect();
            let fixed: Vec<&str> = parts.iter().copied().filter(|part| !part.starts_with(':')).collect();
            (parts.len() == segments.len() && fixed.iter().all(|part| segments.contains(part))).then_some(fixed.len())
        };
        self.webhooks
            .values()
            .filter(|hook| hook.webhook_id.as_deref() == Some(id) && wanted(hook))
            .filter_map(|hook| Some((fixed(hook)?, hook)))
            .max_by_key(|(fixed, hook)| (*fixed, std::cmp::Reverse(hook.path.clone())))
            .map(|(_, hook)| hook)
    }

    /// Returns the methods under which a path is registered, for the hint in a 404.
    pub(crate) fn methods_at(&self, path: &str) -> Vec<String> {
        let mut methods: Vec<String> = self.webhooks.values().filter(|hook| hook.path == path).map(|hook| hook.method.clone()).collect();
        if methods.is_empty() {
            methods.extend(self.find_dynamic(path, |_| true).map(|hook| hook.method.clone()));
        }
        methods.sort();
        methods
    }

    /// Reports the conflicts that n8n detects before it affects the running version: the same method and path, elsewhere or twice inside.
    /// It does not detect that two paths with parameters will collide.
    pub(crate) fn has_conflict(&self, hooks: &[Hook]) -> bool {
        hooks.iter().enumerate().any(|(index, hook)| {
            let path = hook.public_path();
            let twice = hooks[..index].iter().any(|other| other.method == hook.method && other.public_path() == path);
            let elsewhere = self.find_hook(&hook.method, &path).is_some_and(|other| other.workflow_id != hook.workflow_id);
            twice || elsewhere
        })
    }

    /// Registers hooks one by one; `Err` names the node whose path another workflow has.
    pub(crate) fn add_webhooks(&mut self, hooks: Vec<Hook>) -> Result<(), String> {
        for hook in hooks {
            match self.webhooks.get(&hook.key()) {
                Some(other) if other.workflow_id != hook.workflow_id => return Err(hook.node),
                _ => self.webhooks.insert(hook.key(), hook),
            };
        }
        Ok(())
    }

    pub(crate) fn remove_webhooks(&mut self, workflow: &str) {
        self.webhooks.retain(|_, hook| hook.workflow_id != workflow);
    }
}

/// Returns n8n's message for a path that is not registered under this method.
pub(crate) fn not_registered(method: &str, path: &str, methods: &[String]) -> (String, &'static str) {
    if let Some((last, others)) = methods.split_last() {
        let methods = if others.is_empty() { last.clone() } else { format!("{} or {last}", others.join(", ")) };
        let message = format!("This webhook is not registered for {method} requests. Did you mean to make a {methods} request?");
        return (message, "");
    }
    (
        format!("The requested webhook \"{method} {path}\" is not registered."),
        "The workflow must be active for a production URL to run successfully. You can activate the workflow \
         using the toggle in the top-right of the editor. Note that unlike test URL calls, production URL calls \
         aren't shown on the canvas (only in the executions list)",
    )
}
