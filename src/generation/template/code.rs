//! Parameters of nodes that hold code: a value in the middle of it would be code, too.

use std::collections::BTreeMap;

use crate::catalog::{Catalog, Kind, NodeVersion, Parameter};

/// Language of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    /// JavaScript or Python.
    Script,
    /// A command of a shell.
    Command,
    /// A query of a database.
    Query,
    /// HTML or CSS.
    Markup,
    /// JSON as text.
    Json,
}

impl Language {
    /// Reports whether a placeholder may stand for the whole text: the user then writes it, and it is not put together.
    pub(super) const fn takes_whole(self) -> bool {
        matches!(self, Self::Query | Self::Markup | Self::Json)
    }

    /// Says how a value gets there as data.
    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::Script => "put the value into a Set node before it, and read it there as $json",
            Self::Command => "a command takes no inputs; write a node that calls the service instead",
            Self::Query => "pass it as a query parameter ($1 with queryReplacement), or let the input be the whole query",
            Self::Markup => "put the value into a Set node before it, and refer to that",
            Self::Json => "use key and value parameters in place of JSON text, or put it into a Set node and write JSON.stringify",
        }
    }
}

/// Languages of the parameters of a node, by their names.
#[derive(Debug, Default)]
pub(super) struct Languages(BTreeMap<String, Language>);

impl Languages {
    /// Returns those of a node, as far as the catalogue knows it.
    pub(super) fn of(kind: &str, version: Option<f64>, catalog: &Catalog) -> Self {
        let mut found = Self::default();
        if let Some(facts) = catalog.node(kind)
            && let Some(facts) = facts.serving(version)
        {
            found.collect(facts);
        }
        found
    }

    fn collect(&mut self, facts: &NodeVersion) {
        facts.parameters.iter().for_each(|parameter| self.add(parameter));
    }

    fn add(&mut self, parameter: &Parameter) {
        if let Some(language) = language(parameter) {
            self.0.insert(parameter.name.clone(), language);
        }
        parameter.fields.iter().chain(parameter.groups.iter().flat_map(|group| &group.fields)).for_each(|inner| self.add(inner));
    }

    /// Returns the language of a parameter. Names of code are known in every node.
    pub(super) fn get(&self, name: &str) -> Option<Language> {
        match name {
            "jsCode" | "pythonCode" | "functionCode" => Some(Language::Script),
            "command" => Some(Language::Command),
            _ => self.0.get(name).copied(),
        }
    }
}

fn language(parameter: &Parameter) -> Option<Language> {
    match (parameter.bounds.editor.as_deref(), parameter.kind) {
        (Some("jsEditor" | "codeNodeEditor"), _) => Some(Language::Script),
        (Some("sqlEditor"), _) => Some(Language::Query),
        (Some("htmlEditor" | "cssEditor"), _) => Some(Language::Markup),
        (_, Kind::Json) => Some(Language::Json),
        _ => None,
    }
}
