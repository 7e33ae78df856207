//! Documents that are built to take long or much memory. Each of them once did, or is of a kind that does elsewhere.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Map, Value, json};
use weirkeeper::document::finding::{Finding, MAX_FINDINGS};

use crate::{reports, worked};

/// Time limit, in a debug build on a slow machine. Before the fixes these documents took minutes or hours.
const LONGEST: Duration = Duration::from_secs(30);
/// Maximum size of the text of all findings of one document, in bytes.
const LARGEST: usize = 64 << 20;

const SET: &str = "n8n-nodes-base.set";
const START: &str = "n8n-nodes-base.manualTrigger";

fn node(name: &str, kind: &str, version: f64, parameters: Value) -> Value {
    json!({ "name": name, "type": kind, "typeVersion": version, "position": [0, 0], "parameters": parameters })
}

fn to(name: &str) -> Value {
    json!({ "node": name, "type": "main", "index": 0 })
}

fn workflow(nodes: Vec<Value>, connections: impl IntoIterator<Item = (String, Value)>) -> Value {
    json!({ "nodes": nodes, "connections": connections.into_iter().collect::<Map<_, _>>() })
}

fn one(kind: &str, version: f64, parameters: Value) -> String {
    workflow(vec![node("A", kind, version, parameters)], []).to_string()
}

fn many(count: usize, kind: &str) -> Vec<Value> {
    (0..count).map(|at| node(&format!("node number {at}"), kind, 1.0, json!({}))).collect()
}

/// Validates the text and returns its findings.
fn ends(what: &str, text: String) -> Vec<Finding> {
    let (size, before) = (text.len(), worked());
    let findings: Vec<Finding> = reports(text).into_iter().flat_map(|report| report.findings).map(|placed| placed.finding).collect();
    let took = worked() - before;
    let long = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let reported: usize =
        findings.iter().map(|f| f.path.len() + f.message.len() + long(&f.node) + long(&f.got) + long(&f.want) + long(&f.suggestion)).sum();
    println!("{what}: {size} bytes, {} findings of {reported} bytes, {took:?}", findings.len());
    assert!(took < LONGEST, "{what} took {took:?}");
    assert!(reported < LARGEST && findings.len() < 4 * MAX_FINDINGS, "{what}: {} findings of {reported} bytes", findings.len());
    findings
}

#[test]
fn names_that_no_node_has_are_not_compared_with_all_nodes_without_end() {
    let nodes = many(2_500, START);
    let targets = (0..2_500).map(|at| {
        let targets: Vec<Value> = (0..5).map(|other| to(&format!("nodes numbr x{at}{other}"))).collect();
        (format!("node number {at}"), json!({ "main": [targets] }))
    });
    ends("unknown targets", workflow(nodes.clone(), targets).to_string());
    ends("unknown sources", workflow(nodes.clone(), (0..20_000).map(|at| (format!("nodes numbr x{at}"), json!({})))).to_string());
    let mut pinned = workflow(nodes, []);
    pinned["pinData"] = (0..20_000).map(|at| (format!("nodes numbr x{at}"), json!(1))).collect();
    ends("unknown pins", pinned.to_string());
    let long = "x".repeat(120);
    let mut alike: Vec<Value> = (0..3_000).map(|at| node(&format!("{long}{at:08}"), START, 1.0, json!({}))).collect();
    let texts: Vec<String> = (0..2_000).map(|at| format!("={{{{ $('{long}y{at:07}') }}}}")).collect();
    alike.push(node("A", START, 1.0, json!({ "a": texts })));
    let targets: Vec<Value> = (0..2_000).map(|at| to(&format!("{long}y{at:07}"))).collect();
    ends("names alike", workflow(alike, [("A".to_owned(), json!({ "main": [targets] }))]).to_string());
    let kinds = |prefix: &str| (0..3_000).map(|at| node(&format!("n{at}"), &format!("{prefix}{at}"), 1.0, json!({}))).collect();
    ends("unknown types", workflow(kinds("n8n-nodes-base.httpRequestq"), []).to_string());
    ends("unknown tools", workflow(kinds("nodes-base.slackMessageTool"), []).to_string());
}

#[test]
fn connections_are_not_followed_for_each_pair_of_nodes() {
    let webhook = |at: usize| node(&format!("w{at}"), "n8n-nodes-base.webhook", 2.0, json!({ "path": format!("p{at}") }));
    let respond = |at: usize| node(&format!("r{at}"), "n8n-nodes-base.respondToWebhook", 1.1, json!({}));
    let count = 1_500;
    let mut nodes: Vec<Value> = (0..count).map(webhook).chain((0..count).map(respond)).collect();
    nodes.push(node("m", "n8n-nodes-base.merge", 3.0, json!({})));
    let fan = (0..count).map(|at| (format!("w{at}"), json!({ "main": [[to("m")]] })));
    let chain = (1..count).map(|at| (format!("r{}", at - 1), json!({ "main": [[to(&format!("r{at}"))]] })));
    let whole = fan.chain(chain).chain([("m".to_owned(), json!({ "main": [[to("r0")]] }))]);
    ends("webhooks and answers", workflow(nodes, whole).to_string());
    for (what, kind, parameters) in
        [("references", SET, json!({ "a": "={{ $('s1999').item }}" })), ("loops", "n8n-nodes-base.splitInBatches", json!({}))]
    {
        let nodes = (0..2_000).map(|at| node(&format!("s{at}"), kind, 3.0, parameters.clone()));
        let back =
            (1..2_000).map(|at| (format!("s{}", at - 1), json!({ "main": [[to(&format!("s{at}"))], [to(&format!("s{}", at / 2))]] })));
        ends(what, workflow([node("t", START, 1.0, json!({}))].into_iter().chain(nodes).collect(), back).to_string());
    }
    let text: String = (0..20_000).map(|at| format!("{{{{ $('q{at}') }}}}")).collect();
    ends("references of one text", one(SET, 3.4, json!({ "a": format!("={text}") })));
    let everywhere: Vec<Value> = (0..30_000).map(|at| to(&format!("node number {}", at % 50))).collect();
    let findings =
        ends("connections", workflow(many(50, SET), [("node number 0".to_owned(), json!({ "main": [everywhere] }))]).to_string());
    assert!(findings.iter().any(|finding| finding.path == "connections" && finding.is_error()), "there are too many to be looked at");
}

#[test]
fn long_keys_and_names_are_not_repeated_in_each_finding() {
    let long = "k".repeat(256 << 10);
    let texts = vec!["{{ $json.a }}"; 4_000];
    ends("a long key", one(START, 1.0, json!({ &long: texts })));
    ends("a long name", workflow(vec![node(&long, START, 1.0, json!({ "a": texts }))], []).to_string());
    ends("a key of quotes", one(START, 1.0, json!({ "\"]".repeat(50_000): texts })));
    ends("many values below a long key", format!("{{\"nodes\": [], \"connections\": {{}}, \"{long}\": [{}1]}}", "1,".repeat(100_000)));
    let deep = |inner: &str| format!("{}{inner}{}", format!("{{\"{}\":", "k".repeat(79)).repeat(100), "}".repeat(100));
    let twice = deep(&format!("{{{}\"a\":1}}", "\"a\":1,".repeat(50_000)));
    ends("keys twice", format!("{{\"nodes\": [], \"connections\": {{}}, \"settings\": {twice}}}"));
    let methods: Vec<String> = (0..20_000).map(|at| format!("A{}", at % 10_000)).collect();
    ends(
        "methods of a long path",
        one("n8n-nodes-base.webhook", 2.0, json!({ "path": long, "httpMethod": methods, "multipleMethods": true })),
    );
    let paths = (0..2_000).map(|at| node(&format!("w{at}"), "n8n-nodes-base.webhook", 2.0, json!({ "path": format!("p{at}") })));
    ends("paths", workflow(paths.collect(), []).to_string());
}

#[test]
fn the_number_of_findings_is_bounded() {
    let keys = |count: usize| (0..count).map(|at| (format!("slackApi{at}"), json!(1))).collect::<Map<_, _>>();
    let empty = format!("{{\"nodes\": [{}1], \"connections\": {{}}}}", "1,".repeat(200_000));
    assert!(ends("no nodes", empty).len() < 10);
    assert!(ends("too many nodes", workflow(many(10_000, SET), []).to_string()).iter().any(Finding::is_error));
    let mut unknown = node("A", "n8n-nodes-base.httpRequest", 4.2, Value::Object(keys(30_000)));
    unknown["credentials"] = (0..30_000).map(|at| (format!("slackApi{at}"), json!({ "secret": "x" }))).collect();
    unknown.as_object_mut().unwrap().extend(keys(30_000));
    let mut unknown = workflow(vec![unknown], []);
    unknown["settings"] = Value::Object(keys(30_000));
    assert!(ends("keys that nobody knows", unknown.to_string()).iter().any(|finding| finding.code.as_str() == "findings-too-many"));
    let entries = |entry: Value| Value::from(vec![entry; 30_000]);
    ends(
        "entries",
        one(
            "n8n-nodes-base.httpRequest",
            4.2,
            json!({ "sendHeaders": true, "headerParameters": { "parameters": entries(json!({"n": 1})) } }),
        ),
    );
    ends("entries of an old Set", one(SET, 1.0, json!({ "values": { "string": entries(json!({ "x": 1 })) } })));
    ends("a text for entries", one(SET, 1.0, json!({ "values": { "string": "x".repeat(512 << 10) } })));
    ends("rules", one("n8n-nodes-base.switch", 3.0, json!({ "rules": { "values": entries(json!({})) } })));
    let ports: Vec<Value> = (0..10_000).map(|at| json!({ "type": format!("k{at}") })).collect();
    let code = node("A", "@n8n/n8n-nodes-langchain.code", 1.0, json!({ "inputs": { "input": ports }, "outputs": { "output": ports } }));
    let edges = vec![to("A"); 5_000];
    ends("ports", workflow(vec![code], [("A".to_owned(), json!({ "main": [edges] }))]).to_string());
    ends(
        "groups",
        json!({ "nodes": [], "connections": {}, "nodeGroups": vec![json!({ "id": "a", "name": "b", "nodeIds": ["x"] }); 20_000] })
            .to_string(),
    );
    let object = r#"{"apiVersion":"weirkeeper.dev/v1alpha1","kind":"Workflow","metadata":{"name":"a"},"spec":{"a":1,"a":1}}"#;
    ends("objects", format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{}{object}]}}", format!("{object},").repeat(1_000)));
    ends(
        "intervals",
        one(
            "n8n-nodes-base.scheduleTrigger",
            1.2,
            json!({ "rule": { "interval": entries(json!({ "field": "cronExpression", "expression": "x" })) } }),
        ),
    );
}

#[test]
fn texts_that_look_like_something_at_every_byte_are_read_in_proportion() {
    let mega = |piece: &str| piece.repeat((128 << 10) / piece.len());
    for piece in [
        "sk-1abcdefgh.",
        "sk-my-1abcdefgh.",
        "eyJ.",
        "token='",
        "\"'",
        "://a:b",
        "Bearer a1",
        "?key=a1",
        " constructor",
        "{{",
        "\\}}",
        "{{1}}",
        "{{}}",
        "\\{{",
        "-----BEGIN ",
        "hooks.slack.com/services/",
        "é",
        "=",
        "$('A')",
    ] {
        ends(piece, one(START, 1.0, json!({ "a": mega(piece), "b": format!("={{{{ {} }}}}", mega(piece)) })));
        ends(piece, one("n8n-nodes-base.code", 2.0, json!({ "jsCode": mega(piece) })));
    }
    let cron = json!({ "field": "cronExpression", "expression": format!("{}* * * * *", mega("*,")) });
    ends("cron", one("n8n-nodes-base.scheduleTrigger", 1.2, json!({ "rule": { "interval": [cron] } })));
}

#[test]
fn code_at_the_nesting_limit_is_read_in_proportion() {
    // Contexts that hide brackets from the count of open ones.
    for (open, close) in
        [("(a=", ")"), ("(\")\",", ")"), ("(a=')',", ")"), ("async(", ")"), ("({a:", "})"), ("[a=", "]"), ("(a={b:", "})"), ("a<(", ")")]
    {
        for depth in [60, 190, 1_000] {
            let code = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let texts = vec![format!("={{{{ {code} }}}}"); (16 << 10) / code.len() + 1];
            ends(open, one(START, 1.0, json!({ "a": texts })));
            ends(open, one("n8n-nodes-base.code", 2.0, json!({ "jsCode": code })));
        }
    }
}

#[test]
fn yaml_bombs_and_deep_nesting_are_refused() {
    let grows: String =
        (b'b'..b'k').map(|at| format!("{}: &{0} [{}]\n", at as char, format!("*{},", (at - 1) as char).repeat(9))).collect();
    ends("aliases", format!("a: &a [x, x, x, x, x, x, x, x, x]\n{grows}nodes: *j\n"));
    ends("lists", format!("a: {}", "[".repeat(50_000)));
    ends("maps", format!("nodes: {}", "{a: ".repeat(50_000)));
    ends("dashes", "- ".repeat(100_000));
    ends("indents", (0..800).map(|at| format!("{}a:\n", " ".repeat(at))).collect());
    ends("documents", "--- [\n".repeat(10_000));
    ends("anchors", format!("nodes:\n{}", (0..10_000).map(|at| format!("- &a{at} {{name: x}}\n- *a{at}\n")).collect::<String>()));
    ends("brackets", format!("{{\"nodes\": {}", "[".repeat(500_000)));
}

/// Returns the processor time of the child processes that have ended.
fn children_worked() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let ticks = stat.rsplit(')').next().unwrap().split_whitespace().skip(13).take(2).map(|ticks| ticks.parse::<u64>().unwrap());
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

#[test]
fn a_document_on_one_line_is_shown_to_people_without_reading_it_again_for_each_finding() {
    let mut unknown = node("A", START, 1.0, json!({}));
    unknown.as_object_mut().unwrap().extend((0..30_000).map(|at| (format!("key{at}"), json!(1))));
    let before = children_worked();
    let mut command = Command::new(env!("CARGO_BIN_EXE_weirkeeper"));
    let mut child = command.args(["validate", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(workflow(vec![unknown], []).to_string().as_bytes()).unwrap();
    let shown = child.wait_with_output().unwrap().stdout;
    let took = children_worked() - before;
    assert!(String::from_utf8(shown).unwrap().contains("findings-too-many"));
    assert!(took < LONGEST, "{took:?}");
}
