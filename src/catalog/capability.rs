//! Capabilities that the implementation of a node type has beyond the workflow's own definition: other workflows, agents, data tables,
//! shared memory, files of n8n's host. n8n's descriptions do not declare them, so they are read from the compiled sources when a catalogue
//! is made.
//!
//! The analysis is an allow-list. A source file is harmless if each module that it loads, each name that it takes from n8n's own packages
//! and each function of n8n's contexts that it mentions is on a list in `reviewed.rs`. Everything else counts: names that are known to be
//! dangerous, and anything that has not been reviewed, as [`Capability::Unreviewed`].

pub(super) mod kind;

use std::collections::BTreeSet;

use super::reviewed;

use crate::text::sha256::sha256_hex;

pub use kind::Capability;

/// A source file of a node package: the modules of its own package that it loads, and its own capabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Modules that are files of n8n's node packages: relative ones, and those that begin with the name of such a package.
    pub loads: BTreeSet<String>,
    /// Capabilities of the file itself.
    pub capabilities: BTreeSet<Capability>,
}

/// Analyses a source file. `name` is its path with the package, without `dist` and the file extension; `contexts` are the functions that
/// n8n passes to nodes.
pub fn source(name: &str, text: &str, contexts: &BTreeSet<String>) -> Source {
    let mut found = Source::default();
    let mut mentioned = BTreeSet::new();
    for (module, variable) in modules(text) {
        let Some(module) = module else {
            mentioned.insert(Capability::Unreviewed);
            continue;
        };
        if module.starts_with('.') || reviewed::NODE_PACKAGES.iter().any(|package| within(&module, package)) {
            found.loads.insert(module);
        } else if reviewed::is_own(&module) {
            match variable {
                Some(variable) => mentioned.extend(taken(text, &variable).iter().filter_map(|name| reviewed::own(&module, name))),
                None => drop(mentioned.insert(Capability::Unreviewed)),
            }
        } else {
            mentioned.extend(reviewed::module(&module));
        }
    }
    let words: BTreeSet<&str> = words(text).collect();
    mentioned.extend(words.iter().filter_map(|word| reviewed::word(word, contexts.contains(*word))));
    if ["process.env", "process[", "eval(", "new Function("].iter().any(|code| text.contains(code)) {
        mentioned.insert(Capability::Unreviewed);
    }
    found.capabilities = match reviewed::file(name, &fingerprint(text)) {
        Some(capabilities) => capabilities.iter().copied().collect(),
        None => mentioned,
    };
    found
}

/// Returns the fingerprint that a review of a file applies to: that of its text, without the line that names its source map.
pub fn fingerprint(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("//# sourceMappingURL"));
    sha256_hex(lines.collect::<Vec<_>>().join("\n"))[..16].to_owned()
}

/// Returns the functions that n8n passes to nodes: every method that the type declarations of `n8n-workflow` declare. Methods that begin
/// with `$` are left out: they belong to expressions, which every node may use.
pub fn context_functions(declarations: &str) -> BTreeSet<String> {
    let method = |line: &str| {
        let line = line.trim_start().trim_start_matches("readonly ");
        let name: String = line.chars().take_while(|letter| is_word(*letter)).collect();
        let rest = line[name.len()..].trim_start_matches('?');
        let called = rest.starts_with('(') || rest.starts_with('<') || rest.starts_with(": (") || rest.starts_with(": <");
        (called && !name.is_empty() && !name.starts_with('$')).then_some(name)
    };
    declarations.lines().filter(|line| line.starts_with("    ")).filter_map(method).collect()
}

fn within(module: &str, package: &str) -> bool {
    module.strip_prefix(package).is_some_and(|rest| rest.starts_with('/'))
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == '$'
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !is_word(letter)).filter(|word| !word.is_empty())
}

/// Returns the modules that a file loads, each with the variable that holds it. The module is `None` if its name is computed.
fn modules(text: &str) -> Vec<(Option<String>, Option<String>)> {
    let mut found = Vec::new();
    for call in ["require(", "import(", " from "] {
        for (at, _) in text.match_indices(call) {
            let before = &text[..at];
            if before.ends_with(|letter: char| is_word(letter) || letter == '.') && call != " from " {
                continue;
            }
            let rest = text[at + call.len()..].trim_start();
            let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''));
            let name = quote.and_then(|quote| rest[1..].split_once(quote)).map(|(name, _)| name.to_owned());
            match name {
                // The word also occurs in prose; a statement names a module.
                None if call == " from " => {}
                Some(name) if call == " from " => {
                    let line = before.rsplit('\n').next().unwrap_or_default().trim_start();
                    if line.starts_with("import ") || line.starts_with("export ") {
                        found.push((Some(name), None));
                    }
                }
                name => found.push((name, variable(before))),
            }
        }
    }
    found
}

/// Returns the variable that a module is assigned to, as the TypeScript compiler writes it.
fn variable(before: &str) -> Option<String> {
    let before = before.trim_end_matches("__importDefault(").trim_end_matches("__importStar(").trim_end();
    let before = before.strip_suffix('=')?.trim_end();
    let start = before.rfind(|letter: char| !is_word(letter)).map_or(0, |at| at + 1);
    let (declaration, name) = before.split_at(start);
    (declaration.ends_with("const ") && !name.is_empty()).then(|| name.to_owned())
}

/// Returns the names that are taken from a module; `*` if the module itself is passed on.
fn taken(text: &str, variable: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices(variable) {
        let rest = &text[at + variable.len()..];
        let whole = !text[..at].ends_with(is_word) && !rest.starts_with(is_word);
        if !whole || rest.trim_start().starts_with("= ") {
            continue;
        }
        let name: String = rest.strip_prefix('.').unwrap_or_default().chars().take_while(|letter| is_word(*letter)).collect();
        found.insert(if name.is_empty() { "*".to_owned() } else { name });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Capability> {
        let contexts = context_functions(
            "interface IExecuteFunctions {\n    executeWorkflow(a: b): c;\n    getNode(): INode;\n    teleport?: (x: y) => z;\n}\n",
        );
        source("n8n-nodes-base/nodes/X/X.node", text, &contexts).capabilities.into_iter().collect()
    }

    #[test]
    fn only_what_the_lists_allow_is_harmless() {
        use Capability::{Agents, Code, DataTables, Files, Memory, Unreviewed, Workflows};
        for (text, wanted) in [
            ("const get_1 = __importDefault(require(\"lodash/get\"));\nthis.getNode();", vec![]),
            ("const n = require(\"n8n-workflow\"); await this.executeWorkflow({ id })", vec![Workflows]),
            ("const f = this['executeWorkflow'];", vec![Workflows]),
            ("await this.executeAgent(x)", vec![Agents]),
            ("ctx.helpers.getDataTableProxy(id)", vec![DataTables]),
            ("const fs_1 = require(\"node:fs/promises\");", vec![Files]),
            ("require('child_process').exec(x)", vec![Code]),
            ("this.teleport(x)", vec![Unreviewed]),
            ("const x_1 = require(\"left-pad\");", vec![Unreviewed]),
            ("const x = require(name);", vec![Unreviewed]),
            ("const x = await import(`${name}`);", vec![Unreviewed]),
            ("import fs from 'fs';", vec![Files]),
            ("const { HOME } = process.env;", vec![Unreviewed]),
            ("const ai_1 = require(\"@n8n/ai-utilities\");\n(0, ai_1.logWrapper)(x);", vec![]),
            ("const ai_1 = require(\"@n8n/ai-utilities\");\nai_1.MemoryVectorStoreManager.getInstance();", vec![Memory]),
            ("const ai_1 = require(\"@n8n/ai-utilities\");\nai_1.newThing();", vec![Unreviewed]),
            ("const { newThing } = require(\"@n8n/ai-utilities\");", vec![Unreviewed]),
            ("const core_1 = require(\"n8n-core\");\nuse(core_1);", vec![Unreviewed]),
            ("// files from 'here' and require nothing", vec![]),
        ] {
            assert_eq!(of(text), wanted, "{text}");
        }
    }

    #[test]
    fn modules_of_node_packages_are_followed() {
        let text = "const a_1 = require(\"./GenericFunctions\");\nconst b_1 = require(\"n8n-nodes-base/dist/nodes/Code/Sandbox\");";
        let found = source("x", text, &BTreeSet::new());
        assert_eq!(found.loads.into_iter().collect::<Vec<_>>(), ["./GenericFunctions", "n8n-nodes-base/dist/nodes/Code/Sandbox"]);
        assert!(found.capabilities.is_empty());
    }

    #[test]
    fn a_review_applies_to_the_reviewed_text_only() {
        let text = "a\n//# sourceMappingURL=x.js.map\n";
        assert_eq!(fingerprint(text), fingerprint("a\n//# sourceMappingURL=y.js.map"));
        assert_ne!(fingerprint(text), fingerprint("b\n"));
    }
}
