//! Files that a tool renders to manifests: templates of Helm, and inputs of Kustomize.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::document::finding::{Code, Finding, quoted};

use super::report::Source;

/// Marks of a Helm template that n8n itself does not write between braces.
const HELM: &[&str] =
    &[" .Values", " .Release.", " .Chart.", " .Files.", " .Capabilities.", " include \"", " define \"", " template \"", " toYaml "];

/// Reports whether a text is a Helm template.
pub(super) fn is_helm(text: &str) -> bool {
    let mut actions = text.split("{{").skip(1).filter_map(|rest| Some(rest.split_once("}}")?.0));
    actions.any(|action| {
        let dashed = action.starts_with("- ") || action.ends_with(" -");
        dashed
            || HELM.iter().any(|mark| format!(" {action}").contains(mark))
            || ["if ", "range ", "with "].iter().any(|word| action.trim_start().starts_with(word))
    })
}

/// Returns the finding of a template. If it was found in a folder, it is doubtful whether it was meant.
pub(super) fn helm(found: bool) -> Finding {
    let message =
        "this is a Helm template, which was not checked; validate the rendered manifests: helm template CHART | weirkeeper validate -";
    let finding = Finding::error(Code::SourceUnrendered, "", message);
    if found { Finding { severity: crate::document::finding::Severity::Warning, ..finding } } else { finding }
}

/// The kustomizations of a set of files.
#[derive(Default)]
pub(super) struct Kustomizations {
    /// Files that hold patches, and the folder of the kustomization that applies them.
    patches: BTreeMap<String, String>,
    /// Names of the generated ConfigMaps, and the folder of the kustomization.
    generated: BTreeMap<String, String>,
    /// Indexes of the files that are kustomizations.
    own: BTreeSet<usize>,
}

impl Kustomizations {
    /// Reads the kustomizations of a set.
    pub(super) fn of(sources: &[Source]) -> Self {
        let mut all = Self::default();
        for (number, source) in sources.iter().enumerate() {
            let (folder, file) = source.name.rsplit_once('/').unwrap_or((".", &source.name));
            if !["kustomization.yaml", "kustomization.yml", "Kustomization"].contains(&file) {
                continue;
            }
            all.own.insert(number);
            let read = source.text.as_ref().ok().and_then(|text| crate::document::parse::read_text(text, 1 << 20).ok());
            let Some(value) = read.map(|read| read.value) else { continue };
            for key in ["patches", "patchesStrategicMerge", "patchesJson6902"] {
                for patch in value[key].as_array().into_iter().flatten() {
                    if let Some(path) = patch.as_str().or(patch["path"].as_str()) {
                        all.patches.insert(normal(&format!("{folder}/{path}")), folder.to_owned());
                    }
                }
            }
            for generator in value["configMapGenerator"].as_array().into_iter().flatten() {
                if let Some(name) = generator["name"].as_str() {
                    all.generated.insert(name.to_owned(), folder.to_owned());
                }
            }
        }
        all
    }

    /// Reports whether a file is a kustomization, which is never a workflow.
    pub(super) fn is_own(&self, source: usize) -> bool {
        self.own.contains(&source)
    }

    /// Returns the finding of a file that is a patch.
    pub(super) fn patch(&self, name: &str) -> Option<Finding> {
        let folder = self.patches.get(&normal(name))?;
        let message = format!("this is a patch, which was not checked; validate the patched manifests: {}", rendered(folder));
        Some(Finding::warning(Code::SourceUnrendered, "", message))
    }

    /// Returns the fix for a ConfigMap that a kustomization generates.
    pub(super) fn generated(&self, name: &str) -> Option<String> {
        self.generated
            .get(name)
            .map(|folder| format!("the kustomization in {} generates it; validate its output: {}", quoted(folder), rendered(folder)))
    }
}

fn rendered(folder: &str) -> String {
    format!("kubectl kustomize {folder} | weirkeeper validate -")
}

/// Returns a path without `.` and `..`, as far as possible.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." if parts.last().is_some_and(|last| *last != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let start = if path.starts_with('/') { "/" } else { "" };
    format!("{start}{}", parts.join("/"))
}

/// Reports whether a document with another file name is a kustomization, by its keys.
pub(super) fn is_kustomization(value: &Value) -> bool {
    value["kind"] == "Kustomization" || value["apiVersion"].as_str().is_some_and(|version| version.starts_with("kustomize.config.k8s.io/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_helm_template_is_distinguished_from_n8n_expressions() {
        for text in [
            "a: {{ .Values.a }}",
            "{{- if .x }}\na: 1\n{{- end }}",
            "{{ include \"a\" . }}",
            "x: {{ .Release.Name }}",
            "{{ range $x := .y }}",
        ] {
            assert!(is_helm(text), "{text}");
        }
        for text in ["a: '={{ $json.a }}'", "a: \"={{ $('If').item.json.Values }}\"", "a: '{{ $now }}'", "a: '={{-1 + 2}}'", "no braces"] {
            assert!(!is_helm(text), "{text}");
        }
    }

    #[test]
    fn paths_are_compared_without_detours() {
        assert_eq!(normal("./a/../b/./c.yaml"), "b/c.yaml");
        assert_eq!((normal("../a"), normal("/a/../b")), ("../a".to_owned(), "/b".to_owned()));
    }
}
