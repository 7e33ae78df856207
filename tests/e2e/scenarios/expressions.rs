//! Expressions and scripts compared with n8n's own parser, as built by the stack.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use weirkeeper::document::finding::Code;
use weirkeeper::validator::check::parse_and_check;
use weirkeeper::validator::content::check_content;

use crate::harness::stack::say;

const EXPRESSIONS: &[&str] = &[
    "=text",
    "={{ $json.a }}",
    "={{ $json.a }} and {{ $json['b c'] }}",
    "={{ {a: 1, b: {c: 2} } }}",
    "={{ {a: {b: 1}} }}",
    r"={{ {a: {b: 1\}} }}",
    "={{ [1, 2].map(x => x * 2) }}",
    "={{ $if($json.a, 1, 2) }}",
    "={{ $json.a.toTitleCase() }}",
    "={{ $json.a?.b ?? 'c' }}",
    "={{ $json.a ? 'b' : 'c' }}",
    "={{ `a ${$json.b} c` }}",
    "={{ $('A').item.json.a; 1 }}",
    "={{ (() => { const a = 1; return a })() }}",
    "={{ /a\\/b/g.test($json.c) }}",
    "={{ 'a' // comment\n }}",
    "={{ new Date().toISOString() }}",
    "={{ 'text' }}",
    "=a {{ $json.b",
    r"=\{{ not code }}",
    r"=\\{{ $json.a }}",
    "={{ async () => { await x } }}",
    "={{ }}",
    "={{ /* nothing */ }}",
    "={{ $json. }}",
    "={{ $json.a b }}",
    "={{ if ($json.a) { 1 } }}",
    "={{ const a = 1; a }}",
    "={{ return 1 }}",
    "={{ function a() {} }}",
    "={{ $json.a }",
    "={{ (1 }}",
    "={{ 'a }}",
    "={{ $.a }}",
    "={{ $json.constructor }}",
    "=a .constructor {{ 1 }}",
    "={{ {{ $json.a }} }}",
    "={{ $json.<a> }}",
    "={{ a => }}",
    "={{ import('a') }}",
    "={{ 1 +  }}",
    "={{ #a }}",
    "={{ let }}",
];

const BODIES: &[&str] = &[
    "return items",
    "return await x.all()",
    "for (const a of b) { await a }",
    "with (a) { b }",
    "var a = 010",
    "return [\n",
    "return 1 }",
    "const a",
    "let x: string = 'a'",
    "import a from 'b'",
    "export const a = 1",
    "class A { #b; c() { return this.#b } }",
    "a ??= b",
    "return 1 // the end",
    "const { a, ...b } = c; label: for (;;) { break label }",
    "yield = 1",
    "await = 1",
    "return `a ${b",
];

fn refused(kind: &str, text: &str) -> bool {
    let (node, key) = if kind == "body" { ("n8n-nodes-base.function", "functionCode") } else { ("n8n-nodes-base.set", "a") };
    let document = json!({"nodes": [{"name": "A", "type": node, "parameters": {key: text}}], "connections": {}});
    let findings = check_content(&parse_and_check(&document).expect("a workflow").definition, None);
    let syntax = |code| matches!(code, Code::ExpressionSyntax | Code::ExpressionUnclosed | Code::ScriptSyntax);
    findings.iter().any(|finding| finding.is_error() && syntax(finding.code))
}

/// Returns the expressions and scripts of real workflows, if the corpora are present.
fn published() -> Vec<(&'static str, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/dev");
    if !folder.is_dir() {
        assert!(std::env::var_os("CI").is_none(), "there are no corpora in {}", folder.display());
        say("left out: expressions and scripts of real workflows: there are no corpora in ../shared/corpora");
    }
    let files = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let texts = files.filter_map(|file| std::fs::read_to_string(file.path()).ok());
    let mut found = Vec::new();
    for document in texts.filter_map(|text| serde_json::from_str::<Value>(&text).ok()) {
        for node in document["nodes"].as_array().into_iter().flatten().filter(|node| node["type"] != "n8n-nodes-base.stickyNote") {
            collect(&node["parameters"], &mut found);
            let scripts = [&node["parameters"]["jsCode"], &node["parameters"]["functionCode"]].into_iter().filter_map(Value::as_str);
            found.extend(scripts.filter(|code| !code.starts_with('=')).map(|code| ("body", code.to_owned())));
        }
    }
    found
}

fn collect(value: &Value, found: &mut Vec<(&'static str, String)>) {
    match value {
        Value::String(text) if text.starts_with('=') => found.push(("expression", text.clone())),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(map) => map.values().for_each(|value| collect(value, found)),
        _ => {}
    }
}

fn answers(items: &[(&str, String)]) -> Vec<String> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/expressions.mjs");
    let mut node = Command::new("node").arg(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("node runs");
    let mut stdin = node.stdin.take().expect("its stdin");
    stdin.write_all(json!(items).to_string().as_bytes()).expect("node reads");
    drop(stdin);
    let output = node.wait_with_output().expect("node ends");
    serde_json::from_slice(&output.stdout).expect("a list of messages")
}

#[test]
fn expressions_and_scripts_are_refused_when_n8n_refuses_them_and_only_then() {
    let own = |kind, texts: &[&str]| texts.iter().map(|text| (kind, (*text).to_owned())).collect::<Vec<_>>();
    let items = [own("expression", EXPRESSIONS), own("body", BODIES), published()].concat();
    let answers = answers(&items);
    assert_eq!(answers.len(), items.len());
    let disagreements: Vec<String> = items
        .iter()
        .zip(&answers)
        .filter(|((kind, text), answer)| refused(kind, text) == answer.is_empty())
        .map(|((kind, text), answer)| format!("{kind} {text:?}: n8n says {answer:?}"))
        .collect();
    let taken = answers.iter().filter(|answer| answer.is_empty()).count();
    println!("n8n takes {taken} and refuses {}; {} disagreements", answers.len() - taken, disagreements.len());
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}
