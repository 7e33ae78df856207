//! The parsed imports of the crate, by file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use syn::visit::{self, Visit};
use syn::{Attribute, ItemMod, ItemUse, Macro, UseTree};

use crate::{is_test, read, rust_files};

/// The modules that the code of a file uses; in src, the shipped code.
pub(crate) struct Uses {
    pub(crate) file: String,
    pub(crate) modules: BTreeSet<String>,
}

/// The imports of every shipped file of src, by its module (`domain::plan` for src/domain/plan.rs). They are parsed once.
pub(crate) static IMPORTS: LazyLock<BTreeMap<String, Uses>> =
    LazyLock::new(|| imports("src/", rust_files("src").into_iter().filter(|path| !is_test(path) && path != "src/main.rs").collect()));

/// Returns the imports of the files of a crate whose root file is in `folder`, by module.
pub(crate) fn imports(folder: &str, files: Vec<String>) -> BTreeMap<String, Uses> {
    let known: BTreeSet<String> = files.iter().map(|path| module_of(path, folder)).collect();
    let uses = |file: String| {
        let module = module_of(&file, folder);
        let parsed = syn::parse_file(&read(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let modules = paths_in(&parsed, &module).iter().filter_map(|path| resolved(path, &known)).filter(|used| *used != module).collect();
        (module, Uses { file, modules })
    };
    files.into_iter().map(uses).collect()
}

/// Returns the module of a file; empty for the root of the crate.
fn module_of(path: &str, folder: &str) -> String {
    let inside = path.trim_start_matches(folder).trim_end_matches(".rs");
    if ["lib", "main"].contains(&inside) { String::new() } else { inside.replace('/', "::") }
}

/// Returns the module that a path leads into, such as `domain::plan` for `domain::plan::Step::Publish`.
fn resolved(path: &str, known: &BTreeSet<String>) -> Option<String> {
    let mut rest = path;
    while !known.contains(rest) {
        rest = rest.rsplit_once("::")?.0;
    }
    (!rest.is_empty()).then(|| rest.to_owned())
}

/// Returns the paths in a file that lead into this crate, from its root; a path that begins with a name of the file's own module is
/// resolved as its child.
pub(crate) fn paths_in(file: &syn::File, module: &str) -> Vec<String> {
    let mut reader = Reader { module: module.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect(), found: Vec::new() };
    reader.visit_file(file);
    reader.found
}

struct Reader {
    module: Vec<String>,
    found: Vec<String>,
}

impl Reader {
    fn note(&mut self, segments: &[String]) {
        let mut base = self.module.clone();
        let rest = match segments.first().map(String::as_str) {
            Some("crate") => {
                base.clear();
                &segments[1..]
            }
            Some("self") => &segments[1..],
            Some("super") => {
                let ups = segments.iter().take_while(|segment| *segment == "super").count();
                base.truncate(base.len().saturating_sub(ups));
                &segments[ups..]
            }
            _ => segments,
        };
        base.extend(rest.iter().cloned());
        self.found.push(base.join("::"));
    }

    fn tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: String| [before, &[name]].concat();
        match tree {
            UseTree::Path(path) => self.tree(&path.tree, &with(path.ident.to_string())),
            UseTree::Name(name) => self.note(&with(name.ident.to_string())),
            UseTree::Rename(name) => self.note(&with(name.ident.to_string())),
            UseTree::Glob(_) => self.note(before),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(item, before)),
        }
    }
}

fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|condition| condition == "test")
    })
}

/// Reports whether an item is compiled for tests only.
pub(crate) fn is_for_tests(item: &syn::Item) -> bool {
    match item {
        syn::Item::Fn(one) => for_tests(&one.attrs),
        syn::Item::Impl(one) => for_tests(&one.attrs),
        syn::Item::Use(one) => for_tests(&one.attrs),
        syn::Item::Mod(one) => for_tests(&one.attrs),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.tree(&item.tree, &[]);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 {
            let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
            self.note(&segments);
        }
        visit::visit_path(self, path);
    }

    /// The content of a macro is not parsed: its paths are found in its text.
    fn visit_macro(&mut self, made: &'ast Macro) {
        let text = made.tokens.to_string().replace(" :: ", "::");
        for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).filter(|word| word.contains("::")) {
            let segments: Vec<String> = word.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
            self.note(&segments);
        }
        visit::visit_macro(self, made);
    }
}

/// Returns the circles of a graph, the largest first.
pub(crate) fn circles(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<Vec<String>> {
    let reached = |from: &str| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(at) = next.pop() {
            for to in edges.get(&at).into_iter().flatten() {
                if seen.insert(to.clone()) {
                    next.push(to.clone());
                }
            }
        }
        seen
    };
    let reach: BTreeMap<&String, BTreeSet<String>> = edges.keys().map(|from| (from, reached(from))).collect();
    let mut found: BTreeSet<Vec<String>> = BTreeSet::new();
    for (from, reachable) in &reach {
        let circle: Vec<String> = reachable.iter().filter(|to| reach.get(to).is_some_and(|back| back.contains(*from))).cloned().collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    found
}
