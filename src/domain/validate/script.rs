//! Expressions and Code nodes: whether they parse, and what they refer to.

use serde_json::Value;

use crate::domain::definition::{Definition, Node};
use crate::domain::finding::{Code, Finding, is_full};
use crate::domain::path;
use crate::domain::validate::graph::Graph;
use crate::domain::validate::javascript::{Fault, Goal, Script, read};
use crate::domain::validate::reference::References;
use crate::domain::validate::strings::each_string;
use crate::domain::validate::{expression, moustache, nodes, parameter_path};

/// How many faults are told of one expression.
const MAX_FAULTS: usize = 5;

pub(super) fn check(definition: &Definition, graph: &Graph<'_>, findings: &mut Vec<Finding>) {
    let mut references = References::new(definition, graph);
    for (index, node) in nodes(definition) {
        let Some(parameters) = node.parameters() else { continue };
        let base = path::key(&path::index("nodes", index), "parameters");
        each_string(parameters, |trail, text, _| {
            if is_full(findings) {
                return;
            }
            if let Some(expression) = text.strip_prefix('=') {
                let at = || trail.path(&base);
                check_expression(index, node, expression, at, &mut references, findings);
            } else if moustache::lacks_equals(node.kind(), trail, text) {
                let message = "{{ }} without a leading = is sent as it stands; put = in front to make it an expression";
                findings.push(Finding::warning(Code::ExpressionWithoutEquals, trail.path(&base), message).at_node(node.name()));
            }
        });
        for (keys, code) in scripts(node) {
            check_code(index, node, &parameter_path(index, keys), code, &mut references, findings);
        }
    }
}

fn check_expression(
    index: usize,
    node: &Node,
    text: &str,
    at: impl Fn() -> String,
    references: &mut References<'_>,
    findings: &mut Vec<Finding>,
) {
    let pieces = expression::pieces(text);
    if pieces.is_empty() {
        return;
    }
    let error = |code, message: String| {
        Finding { severity: references.severity(index, node), ..Finding::error(code, at(), message) }.at_node(node.name())
    };
    if expression::is_barred(text) {
        findings.push(error(Code::ExpressionSyntax, "n8n refuses an expression with .constructor in it; leave it out".into()));
        return;
    }
    let mut scripts = Vec::new();
    let mut faults = 0;
    for piece in &pieces {
        let fault = match read(&piece.code, Goal::Expression) {
            Ok(script) => {
                if let Some(reason) = script.barred {
                    findings.push(error(Code::ExpressionSyntax, reason.into()));
                }
                scripts.push(script);
                if !piece.closed {
                    let message = "{{ has no }}; n8n takes the rest of the text for code, so close it where the code ends";
                    findings.push(Finding::warning(Code::ExpressionUnclosed, at(), message).at_node(node.name()));
                }
                continue;
            }
            Err(fault) => fault,
        };
        faults += 1;
        if faults > MAX_FAULTS {
            continue;
        }
        let (line, column) = expression::position(text, piece.start);
        findings.push(match fault {
            _ if !piece.closed => {
                error(Code::ExpressionUnclosed, format!("the {{{{ at line {line}, column {column} has no }}}}; close it"))
            }
            Fault::Unread => unread(node, at()),
            Fault::Empty => error(
                Code::ExpressionSyntax,
                format!("the expression at line {line}, column {column} is empty; write one or take {{{{ }}}} away"),
            ),
            Fault::Statement => {
                let message = format!("what stands in {{{{ }}}} at line {line}, column {column} is a statement; n8n wants an expression");
                error(Code::ExpressionSyntax, message)
            }
            Fault::Syntax { offset, problem } => {
                let (line, column) = expression::position(text, piece.start + offset);
                error(Code::ExpressionSyntax, format!("the expression does not parse at line {line}, column {column}: {problem}"))
            }
        });
    }
    if !scripts.is_empty() {
        references.check(index, node, &at(), &scripts, findings);
        References::check_names(node, &at(), &scripts, findings);
    }
}

fn check_code(index: usize, node: &Node, at: &str, code: &str, references: &mut References<'_>, findings: &mut Vec<Finding>) {
    match read(code, Goal::Body) {
        Ok(script) => references.check(index, node, at, &[Script { free: Default::default(), ..script }], findings),
        Err(Fault::Syntax { offset, problem }) => {
            let (line, column) = expression::position(code, offset);
            let message = format!("the JavaScript does not parse at line {line}, column {column}: {problem}");
            let finding = Finding { severity: references.severity(index, node), ..Finding::error(Code::ScriptSyntax, at, message) };
            findings.push(finding.at_node(node.name()));
        }
        Err(_) => findings.push(unread(node, at.to_owned())),
    }
}

fn unread(node: &Node, at: String) -> Finding {
    Finding::warning(Code::ScriptUnread, at, "the code is too large or too deeply nested to be checked; divide it").at_node(node.name())
}

/// The parameters of a node that hold JavaScript, with their keys.
///
/// n8n puts each into `async function() { … }`.
fn scripts(node: &Node) -> Vec<(&'static [&'static str], &str)> {
    const JS_CODE: &[&str] = &["jsCode"];
    const FUNCTION_CODE: &[&str] = &["functionCode"];
    const EXECUTE: &[&str] = &["code", "execute", "code"];
    const SUPPLY: &[&str] = &["code", "supplyData", "code"];
    let python = |language: &Value| language.as_str().is_none_or(|language| language != "javaScript");
    let keys: &[&'static [&'static str]] = match node.kind() {
        "n8n-nodes-base.code" | "@n8n/n8n-nodes-langchain.toolCode" if node.parameter("language").is_some_and(python) => &[],
        "n8n-nodes-base.code" | "@n8n/n8n-nodes-langchain.toolCode" | "n8n-nodes-base.codeTool" => &[JS_CODE],
        "n8n-nodes-base.function" | "n8n-nodes-base.functionItem" => &[FUNCTION_CODE],
        "@n8n/n8n-nodes-langchain.code" => &[EXECUTE, SUPPLY],
        _ => &[],
    };
    let text = |keys: &'static [&'static str]| {
        let (first, rest) = keys.split_first()?;
        let value = rest.iter().try_fold(node.parameter(first)?, |value, key| value.get(*key))?;
        // Where it starts with = it is an expression that makes the code.
        value.as_str().filter(|code| !code.starts_with('=')).map(|code| (keys, code))
    };
    keys.iter().filter_map(|keys| text(keys)).collect()
}
