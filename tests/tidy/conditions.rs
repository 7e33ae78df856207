//! Decisions rest on status fields and on values, never on conditions, their messages or their transition times, which are for people and
//! tools: only the files below may read them.

use std::collections::BTreeSet;

use syn::visit::{self, Visit};
use syn::{BinOp, Expr, ExprBinary, ExprField, ExprMethodCall, Macro, Member, Pat, Path};

use crate::imports::{is_for_tests, paths_in};
use crate::{hold, is_test, read, rust_files};

/// The files that read conditions, and the reason.
const READERS: &[(&str, &str)] = &[
    ("src/api/condition.rs", "merges updates into the conditions of an object"),
    ("src/domain/conditions.rs", "derives the conditions that are reported from those that were reported before"),
    ("src/domain/summary.rs", "shortens a report for printer columns"),
    ("src/domain/transitions.rs", "selects the changes of a report that become events"),
    ("src/controller/workflow/report.rs", "reports: events, and the metric of rollbacks"),
    ("src/controller/workflow/reconciliation.rs", "keeps the message of a condition that stays as it is"),
    ("src/domain/prompt/repair.rs", "a WorkflowPrompt follows Ready of its Workflow, as any other tool would"),
    ("src/controller/prompt/deliver.rs", "a WorkflowPrompt follows Ready of its Workflow, as any other tool would"),
    ("src/controller/prompt/inputs.rs", "a model reads what the Workflow of the prompt reports as changed in n8n"),
    ("src/kubernetes/indexed_provider.rs", "a WorkflowPrompt waits until its ModelProvider is Ready, as any other tool would"),
];

/// Layers that decide or act.
const LAYERS: [&str; 6] = ["api", "domain", "kubernetes", "controller", "webhook", "app"];

#[test]
fn nothing_decides_by_conditions() {
    let mut complaints = Vec::new();
    let mut readers = BTreeSet::new();
    for path in rust_files("src").into_iter().filter(|path| !is_test(path)) {
        if !LAYERS.iter().any(|layer| path.starts_with(&format!("src/{layer}/")) || path == format!("src/{layer}.rs")) {
            continue;
        }
        let found = reads_in(&syn::parse_file(&read(&path)).unwrap_or_else(|error| panic!("{path}: {error}")));
        if READERS.iter().any(|(reader, _)| *reader == path) {
            readers.extend((!found.is_empty()).then_some(path));
        } else {
            complaints.extend(found.iter().map(|what| format!("{path}: {what}")));
        }
    }
    complaints.extend(READERS.iter().filter(|(path, _)| !readers.contains(*path)).map(|(path, _)| format!("{path}: reads none")));
    hold("decide by a field of the status or by a value; conditions are for people and tools", &complaints);
}

/// Returns what a file reads of conditions, outside its tests.
fn reads_in(file: &syn::File) -> BTreeSet<String> {
    let mut reader = Reader::default();
    reader.visit_file(file);
    let finds = paths_in(file, "").iter().any(|path| path.ends_with("condition::find"));
    reader.found.extend(finds.then(|| "looks up a condition".to_owned()));
    reader.found
}

#[derive(Default)]
struct Reader {
    found: BTreeSet<String>,
}

impl Reader {
    fn note(&mut self, what: &str) {
        self.found.insert(what.to_owned());
    }
}

fn is_of_conditions(path: &Path) -> bool {
    path.segments.iter().any(|segment| segment.ident == "ConditionType" || segment.ident == "ConditionStatus")
}

fn names_a_condition(expression: &Expr) -> bool {
    match expression {
        Expr::Path(path) => is_of_conditions(&path.path),
        Expr::Reference(reference) => names_a_condition(&reference.expr),
        _ => false,
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_expr_binary(&mut self, binary: &'ast ExprBinary) {
        let compares = matches!(binary.op, BinOp::Eq(_) | BinOp::Ne(_));
        if compares && (names_a_condition(&binary.left) || names_a_condition(&binary.right)) {
            self.note("compares the type or the status of a condition");
        }
        visit::visit_expr_binary(self, binary);
    }

    fn visit_pat(&mut self, pattern: &'ast Pat) {
        if matches!(pattern, Pat::Path(path) if is_of_conditions(&path.path)) {
            self.note("matches the type or the status of a condition");
        }
        visit::visit_pat(self, pattern);
    }

    fn visit_expr_field(&mut self, field: &'ast ExprField) {
        if matches!(&field.member, Member::Named(name) if name == "last_transition_time") {
            self.note("reads a transition time");
        }
        visit::visit_expr_field(self, field);
    }

    fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
        let goes_through = ["iter", "into_iter", "first", "last", "get"].iter().any(|method| call.method == method);
        if goes_through && matches!(&*call.receiver, Expr::Field(field) if is_conditions(field)) {
            self.note("goes through conditions");
        }
        visit::visit_expr_method_call(self, call);
    }

    /// The content of a macro is not parsed.
    fn visit_macro(&mut self, made: &'ast Macro) {
        let text = made.tokens.to_string();
        if made.path.is_ident("matches") && (text.contains("ConditionType") || text.contains("ConditionStatus")) {
            self.note("matches the type or the status of a condition");
        }
    }
}

/// Reports whether a field holds the conditions of an object; a type of its own may have a field of that name.
fn is_conditions(field: &ExprField) -> bool {
    let own = matches!(&*field.base, Expr::Path(path) if path.path.is_ident("self"));
    !own && matches!(&field.member, Member::Named(name) if name == "conditions")
}

#[test]
fn reads_of_conditions_are_found_in_all_their_forms() {
    for (code, reads) in [
        ("fn f() { if one.status == ConditionStatus::True {} }", true),
        ("fn f() { matches!(one.kind, ConditionType::Ready) }", true),
        ("fn f() { match one.status { ConditionStatus::True => 1, _ => 2 } }", true),
        ("use crate::api::condition::{ConditionType, find};", true),
        ("fn f() { status.conditions.iter().any(is_ready) }", true),
        ("fn f() { old.last_transition_time.clone() }", true),
        ("fn f() { set(ConditionType::Ready, ConditionStatus::True) }", false),
        ("fn f() { hide(status.conditions.iter_mut()) }", false),
        ("#[cfg(test)] mod tests { fn f() { one.status == ConditionStatus::True } }", false),
    ] {
        assert_eq!(!reads_in(&syn::parse_file(code).unwrap()).is_empty(), reads, "{code}");
    }
}
