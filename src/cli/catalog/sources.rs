//! Determines what each node type can reach, from the compiled sources of n8n's own node packages and everything that they load.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use crate::catalog::Capability;
use crate::catalog::capability::{Source, context_functions, source};

/// Folders of n8n's own node packages, and the functions that n8n passes to nodes.
pub(super) struct Sources {
    packages: Vec<(String, PathBuf)>,
    contexts: Option<BTreeSet<String>>,
    seen: BTreeMap<PathBuf, Option<Source>>,
}

impl Sources {
    /// `workflow` is the folder of `n8n-workflow`, which declares what n8n passes to nodes.
    pub(super) fn new(packages: Vec<(String, PathBuf)>, workflow: Option<&Path>) -> Self {
        let declarations = workflow.and_then(|folder| {
            ["dist/cjs/interfaces.d.ts", "dist/interfaces.d.ts"].iter().find_map(|file| std::fs::read_to_string(folder.join(file)).ok())
        });
        let contexts = declarations.map(|text| context_functions(&text)).filter(|contexts| contexts.contains("executeWorkflow"));
        Self { packages, contexts, seen: BTreeMap::new() }
    }

    /// Returns what each node type of a package can reach. `known` is the package's `dist/known/nodes.json`.
    pub(super) fn reaches(&mut self, folder: &Path, known: &Value) -> BTreeMap<String, BTreeSet<Capability>> {
        let one = |(name, entry): (&String, &Value)| Some((name.clone(), folder.join(entry["sourcePath"].as_str()?)));
        let files: Vec<(String, PathBuf)> = known.as_object().into_iter().flatten().filter_map(one).collect();
        files.into_iter().map(|(name, file)| (name, self.of(file))).collect()
    }

    fn of(&mut self, file: PathBuf) -> BTreeSet<Capability> {
        let mut found = BTreeSet::new();
        let (mut open, mut seen) = (vec![file], BTreeSet::new());
        while let Some(file) = open.pop() {
            if !seen.insert(file.clone()) {
                continue;
            }
            let Some(source) = self.read(&file).cloned() else {
                found.insert(Capability::Unreviewed);
                continue;
            };
            found.extend(source.capabilities);
            for module in source.loads {
                match self.locate(&file, &module) {
                    Some(next) if next.extension().is_some_and(|kind| kind == "json") => {}
                    Some(next) => open.push(next),
                    None => drop(found.insert(Capability::Unreviewed)),
                }
            }
        }
        found
    }

    /// Reads a file once; `None` if it cannot be read, or if the functions that n8n passes to nodes are not known.
    fn read(&mut self, file: &Path) -> Option<&Source> {
        if !self.seen.contains_key(file) {
            let name = self.name(file);
            let text = std::fs::read_to_string(file).ok();
            let found = text.zip(self.contexts.as_ref()).map(|(text, contexts)| source(&name, &text, contexts));
            self.seen.insert(file.to_owned(), found);
        }
        self.seen.get(file)?.as_ref()
    }

    /// Returns the name of a file in a review: its path with the package, without `dist` and the extension.
    fn name(&self, file: &Path) -> String {
        let inside =
            |(name, folder): &(String, PathBuf)| Some(format!("{name}/{}", file.strip_prefix(folder.join("dist")).ok()?.display()));
        let name = self.packages.iter().find_map(inside).unwrap_or_else(|| file.display().to_string());
        name.strip_suffix(".js").map(str::to_owned).unwrap_or(name)
    }

    /// Returns the file that Node.js would load.
    fn locate(&self, from: &Path, module: &str) -> Option<PathBuf> {
        let path = if module.starts_with('.') {
            tidy(&from.parent()?.join(module))
        } else {
            let (folder, rest) =
                self.packages.iter().find_map(|(name, folder)| Some((folder, module.strip_prefix(&format!("{name}/"))?)))?;
            tidy(&folder.join(rest))
        };
        let with = |ending: &str| PathBuf::from(format!("{}{ending}", path.display()));
        [path.clone(), with(".js"), with(".json"), path.join("index.js")].into_iter().find(|file| file.is_file())
    }
}

/// Returns a path without `.` and `..`.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(tidy.pop()),
            part => tidy.push(part),
        }
    }
    tidy
}
