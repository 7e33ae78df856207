//! Expressions and Code nodes: whether they parse, and their references.

use serde_json::Value;

use crate::document::definition::{Definition, Node};
use crate::document::finding::{Code, Finding, Severity, is_full};
use crate::document::javascript::{Fault, Goal, Script, read};
use crate::document::json_path::Step;
use crate::validator::content::graph::Graph;
use crate::validator::content::nodes::{nodes, parameter_path};
use crate::validator::content::reference::References;
use crate::validator::content::strings::each_string;
use crate::validator::content::{bare, expression, moustache};
use crate::validator::schema::{Reading, Resolved};

/// Maximum number of faults that are reported for one expression.
const MAX_FAULTS: usize = 5;

pub(super) fn check(definition: &Definition, graph: &Graph<'_>, resolved: &Resolved<'_>, findings: &mut Vec<Finding>) {
    let mut references = References::new(definition, graph);
    for (index, node) in nodes(definition) {
        let Some(parameters) = node.parameters() else { continue };
        let scripts = scripts(node);
        each_string(parameters, |trail, text, _| {
            let braced = text.contains("{{");
            let alone = !braced && bare::may_be(text) && bare::is_variable(text);
            // Code is checked as code below, whatever else it looks like.
            if !(braced || alone) || is_full(findings) || scripts.iter().any(|(_, code)| std::ptr::eq(*code, text)) {
                return;
            }
            let (at, before) = (&|| trail.path(&parameter_path(index, &[])), findings.len());
            if let Some(expression) = text.strip_prefix('=').filter(|_| braced) {
                check_expression(index, node, expression, at, &mut references, findings);
                if findings.len() == before {
                    return;
                }
                // Most texts are sound: only for the others is it determined how n8n reads them.
                let reading = resolved.reading(index, trail.steps());
                if reading.is_plain(text) {
                    findings.truncate(before);
                }
                if reading.is_template() {
                    check_template(index, node, text, at, &mut references, findings);
                }
                return unless_read(&reading, &mut findings[before..]);
            }
            let reading = resolved.reading(index, trail.steps());
            if reading.is_template() {
                check_template(index, node, text, at, &mut references, findings);
            } else if alone && (matches!(reading, Reading::Unknown) || reading.takes_expressions()) {
                let message = "this is outside of {{ }}, so n8n takes it for plain text; wrap it in ={{ … }}";
                findings.push(Finding::warning(Code::ExpressionWithoutBraces, at(), message).at_node(node.name()));
            } else if braced && moustache::lacks_equals(&reading, text) {
                let message = "{{ }} without a leading = is sent literally; add = in front to make it an expression";
                findings.push(Finding::warning(Code::ExpressionWithoutEquals, at(), message).at_node(node.name()));
            }
        });
        for (keys, code) in scripts {
            let before = findings.len();
            let code = code.strip_prefix('=').unwrap_or(code);
            check_code(index, node, &|| parameter_path(index, keys), code, &mut references, findings);
            unless_read(&resolved.reading(index, keys.iter().map(|key| Step::Key(key))), &mut findings[before..]);
        }
    }
}

/// Turns errors into warnings for a text that n8n drops when it loads the node and never evaluates.
fn unless_read(reading: &Reading<'_>, findings: &mut [Finding]) {
    if matches!(reading, Reading::Dropped) {
        findings.iter_mut().for_each(|finding| finding.severity = Severity::Warning);
    }
}

/// Checks a query or a page in which the node evaluates `{{ }}` by itself: only its references are reported, since other braces may be
/// meant literally.
fn check_template(
    index: usize,
    node: &Node,
    text: &str,
    at: &dyn Fn() -> String,
    references: &mut References<'_>,
    findings: &mut Vec<Finding>,
) {
    let closed = expression::pieces(text).into_iter().filter(|piece| piece.closed);
    let scripts: Vec<Script> = closed.filter_map(|piece| read(&piece.code, Goal::Expression).ok()).collect();
    if !scripts.is_empty() {
        references.check(index, node, at, &scripts, findings);
    }
}

fn check_expression(
    index: usize,
    node: &Node,
    text: &str,
    at: &dyn Fn() -> String,
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
        findings.push(error(Code::ExpressionSyntax, "n8n refuses expressions with .constructor; remove it".into()));
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
                format!("the expression at line {line}, column {column} is empty; write one or remove {{{{ }}}}"),
            ),
            Fault::Statement => {
                let message =
                    format!("the content of {{{{ }}}} at line {line}, column {column} is a statement; n8n requires an expression");
                error(Code::ExpressionSyntax, message)
            }
            Fault::Syntax { offset, problem } => {
                let (line, column) = expression::position(text, piece.start + offset);
                error(Code::ExpressionSyntax, format!("the expression does not parse at line {line}, column {column}: {problem}"))
            }
        });
    }
    if !scripts.is_empty() {
        references.check(index, node, at, &scripts, findings);
        References::check_names(node, at, &scripts, findings);
    }
}

fn check_code(
    index: usize,
    node: &Node,
    at: &dyn Fn() -> String,
    code: &str,
    references: &mut References<'_>,
    findings: &mut Vec<Finding>,
) {
    match read(code, Goal::Body) {
        Ok(script) => references.check(index, node, at, &[script], findings),
        Err(Fault::Syntax { offset, problem }) => {
            let (line, column) = expression::position(code, offset);
            let message = format!("the JavaScript does not parse at line {line}, column {column}: {problem}");
            let finding = Finding { severity: references.severity(index, node), ..Finding::error(Code::ScriptSyntax, at(), message) };
            findings.push(finding.at_node(node.name()));
        }
        Err(_) => findings.push(unread(node, at())),
    }
}

fn unread(node: &Node, at: String) -> Finding {
    Finding::warning(Code::ScriptUnread, at, "the code is too large or too deeply nested to be checked; split it").at_node(node.name())
}

/// Returns the parameters of a node that hold JavaScript, with their keys.
///
/// n8n puts each into `async function() { … }`, without a leading `=` if it has one: none of them takes expressions.
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
        "n8n-nodes-base.aiTransform" => &[JS_CODE],
        _ => &[],
    };
    let text = |keys: &'static [&'static str]| {
        let (first, rest) = keys.split_first()?;
        let value = rest.iter().try_fold(node.parameter(first)?, |value, key| value.get(*key))?;
        value.as_str().map(|code| (keys, code))
    };
    keys.iter().filter_map(|keys| text(keys)).collect()
}
