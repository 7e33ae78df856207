//! Resources of a node and their operations, derived from the conditions of its parameters.

use serde_json::Value;

use super::model::{NodeVersion, Parameter};

impl NodeVersion {
    /// Returns the values of `operation` by `resource` (empty if the node has none, or a hidden one without a choice), derived from the
    /// conditions.
    pub fn operations(&self) -> Vec<(String, Vec<String>)> {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let all = |name: &str| self.parameters.iter().filter(move |p| p.name == name).map(|p| &**p).collect::<Vec<&Parameter>>();
        let resources: Vec<String> = all("resource").iter().flat_map(|p| p.options.values.iter().filter_map(text)).collect();
        let mut found: Vec<(String, Vec<String>)> = Vec::new();
        // A node with a single resource hides it.
        let hidden =
            all("resource").iter().find_map(|p| p.default.as_str()).filter(|_| resources.is_empty()).unwrap_or_default().to_owned();
        let resources = if resources.is_empty() { vec![String::new()] } else { resources };
        for resource in resources {
            let of = if resource.is_empty() { &hidden } else { &resource };
            if found.iter().any(|(name, _)| *name == resource) {
                continue;
            }
            let mut operations: Vec<String> = Vec::new();
            for parameter in all("operation").iter().filter(|p| p.display.admits("resource", of)) {
                for operation in parameter.options.values.iter().filter_map(text) {
                    if !operations.contains(&operation) {
                        operations.push(operation);
                    }
                }
            }
            found.push((resource, operations));
        }
        found
    }
}
