use serde_json::json;

use super::*;
use crate::document::finding::Severity;
use crate::document::odd_paths::odd_paths;
use crate::document::parse::parse;

fn document(nodes: Value) -> Definition {
    parse(&json!({"nodes": nodes, "connections": {}})).unwrap().definition
}

fn node(kind: &str, version: f64, webhook_id: &str, parameters: Value) -> Value {
    json!({"name": "N", "type": kind, "typeVersion": version, "webhookId": webhook_id, "parameters": parameters})
}

fn served(node: Value) -> Vec<(String, String, bool)> {
    let endpoints = webhook_endpoints(&document(json!([node])));
    endpoints.into_iter().map(|e| (e.methods.join(","), e.url_path(), e.verifiable)).collect()
}

#[test]
fn endpoints_are_where_n8n_serves_them() {
    const WEBHOOK: &str = "n8n-nodes-base.webhook";
    const FORM: &str = "n8n-nodes-base.formTrigger";
    const CHAT: &str = "@n8n/n8n-nodes-langchain.chatTrigger";
    const MCP: &str = "@n8n/n8n-nodes-langchain.mcpTrigger";
    type Served = (&'static str, &'static str, bool);
    let cases: &[(&str, f64, Value, &[Served])] = &[
        (WEBHOOK, 2.0, json!({"path": "orders"}), &[("GET", "/webhook/orders", true)]),
        (WEBHOOK, 2.0, json!({"path": "/orders/", "httpMethod": "POST"}), &[("POST", "/webhook/orders", true)]),
        (WEBHOOK, 2.0, json!({}), &[("GET", "/webhook/w", true)]),
        (WEBHOOK, 2.0, json!({"path": "users/:id/orders"}), &[("GET", "/webhook/w/users/:id/orders", true)]),
        (WEBHOOK, 2.0, json!({"path": ":id"}), &[("GET", "/webhook/w/:id", true)]),
        (WEBHOOK, 2.0, json!({"path": "a:b"}), &[("GET", "/webhook/a:b", true)]),
        (WEBHOOK, 2.0, json!({"path": "=x{{ 1 }}"}), &[("GET", "/webhook/=x{{ 1 }}", false)]),
        (WEBHOOK, 2.0, json!({"path": "a", "httpMethod": "={{ 1 }}"}), &[("", "/webhook/a", false)]),
        (WEBHOOK, 2.0, json!({"path": "a", "multipleMethods": true}), &[("GET,POST", "/webhook/a", true)]),
        (
            WEBHOOK,
            2.0,
            json!({"path": "a", "multipleMethods": true, "httpMethod": ["PUT", "DELETE"]}),
            &[("PUT,DELETE", "/webhook/a", true)],
        ),
        (FORM, 2.2, json!({}), &[("GET,POST", "/form/w", true)]),
        (FORM, 2.2, json!({"options": {"path": "join"}}), &[("GET,POST", "/form/join", true)]),
        (FORM, 2.0, json!({"path": "join"}), &[("GET,POST", "/form/join", true)]),
        (FORM, 1.0, json!({"path": "join"}), &[("GET,POST", "/webhook/join/n8n-form", true)]),
        (CHAT, 1.1, json!({"public": true}), &[("GET,POST", "/webhook/w/chat", true)]),
        (CHAT, 1.1, json!({}), &[]),
        (MCP, 2.0, json!({"path": "tools"}), &[("GET,POST,DELETE", "/mcp/tools", true)]),
        (
            MCP,
            1.0,
            json!({"path": "tools"}),
            &[("GET", "/mcp/tools/sse", true), ("POST", "/mcp/tools/messages", true), ("DELETE", "/mcp/tools", true)],
        ),
        ("n8n-nodes-base.telegramTrigger", 1.0, json!({}), &[("POST", "/webhook/w/webhook", true)]),
        ("n8n-nodes-base.wait", 1.0, json!({"resume": "webhook"}), &[]),
        ("n8n-nodes-base.scheduleTrigger", 1.0, json!({}), &[]),
    ];
    for (kind, version, parameters, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|(m, p, v)| ((*m).to_owned(), (*p).to_owned(), *v)).collect();
        assert_eq!(served(node(kind, *version, "w", parameters.clone())), expected, "{kind} {parameters}");
    }
}

#[test]
fn endpoints_that_need_a_missing_webhook_id_are_not_verifiable() {
    let found = served(node("n8n-nodes-base.webhook", 2.0, "", json!({})));
    assert_eq!(found, [("GET".to_owned(), "/webhook/".to_owned(), false)]);
    let found = served(node("n8n-nodes-base.telegramTrigger", 1.0, "", json!({})));
    assert!(!found[0].2);
}

#[test]
fn a_disabled_node_serves_nothing() {
    let mut hook = node("n8n-nodes-base.webhook", 2.0, "w", json!({"path": "a"}));
    hook["disabled"] = json!(true);
    assert_eq!(served(hook), []);
}

#[test]
fn an_address_is_encoded_part_by_part() {
    let address =
        |path: &str| webhook_endpoints(&document(json!([node("n8n-nodes-base.webhook", 2.0, "w", json!({ "path": path }))])))[0].address();
    for (path, wanted) in [
        ("orders/new", "/webhook/orders/new"),
        ("a?x", "/webhook/a%3Fx"),
        ("a#b", "/webhook/a%23b"),
        ("a%20b", "/webhook/a%2520b"),
        ("a b", "/webhook/a%20b"),
        ("über/日本", "/webhook/%C3%BCber/%E6%97%A5%E6%9C%AC"),
        ("a\\b\"<>|{}[]^`", "/webhook/a%5Cb%22%3C%3E%7C%7B%7D%5B%5D%5E%60"),
        ("a+b&c=d;e,f@g:h!i$j'(k)*~", "/webhook/a+b&c=d;e,f@g:h!i$j'(k)*~"),
        ("orders/:id", "/webhook/w/orders/:id"),
    ] {
        assert_eq!(address(path), wanted, "{path}");
    }
}

#[test]
fn an_unreachable_path_is_an_error_and_a_partly_reachable_one_a_warning() {
    let message = |path: Value, id: &str, disabled: bool| {
        let mut hook = node("n8n-nodes-base.webhook", 2.0, id, json!({ "path": path }));
        hook["disabled"] = json!(disabled);
        odd_paths(&document(json!([hook]))).iter().map(|finding| finding.severity).collect::<Vec<_>>()
    };
    for path in ["a/../b", ".", "..", "./a", "a/.", "//a", "a/./b", "a\tb", "a//", "a\nb"] {
        assert_eq!((message(json!(path), "w", false), message(json!(path), "w", true)), (vec![Severity::Error], vec![]), "{path}");
    }
    assert_eq!(message(json!("a//b"), "w", false), [Severity::Warning], "n8n serves it as it stands");
    for path in ["a", "/a/", "a/b.json", "a..b", "...", "", "a?x", "%2e%2e", "=a/../b", ":id", "a b", " a ", "-", "．．"] {
        assert_eq!(message(json!(path), "w", false), [], "{path}");
    }
    for id in [".\t.", ".", "..", "a/b", "a\\b", ":x", " w", "w ", "/w", "\u{1}", "w\n"] {
        for path in ["", "users/:id"] {
            assert_eq!(message(json!(path), id, false), [Severity::Error], "{id:?} {path}");
        }
        assert_eq!(message(json!("orders"), id, false), [], "the id is no part of the address");
    }
    let form = node("n8n-nodes-base.formTrigger", 1.0, "", json!({}));
    assert_eq!(odd_paths(&document(json!([form]))), [], "a form that gets an id");
    let chat = node("@n8n/n8n-nodes-langchain.chatTrigger", 1.1, "..", json!({ "public": true }));
    assert_eq!(odd_paths(&document(json!([chat]))).len(), 1);
}

#[test]
fn a_check_path_has_a_placeholder_for_each_parameter() {
    let hook = node("n8n-nodes-base.webhook", 2.0, "w", json!({"path": "users/:id/orders"}));
    assert_eq!(webhook_endpoints(&document(json!([hook])))[0].check_path(), "/webhook/w/users/0/orders");
}

#[test]
fn the_routes_that_n8n_keeps_are_known_whatever_serves_there() {
    let kept = |kind: &str, version: f64, id: &str, parameters: Value| {
        let kept = kept_routes(&document(json!([node(kind, version, id, parameters)])));
        let routes: Vec<String> = kept.routes.iter().map(|route| format!("{} {} {}", route.method, route.address(), route.owns)).collect();
        (routes.join(", "), kept.computed)
    };
    let hook = |parameters: Value| kept("n8n-nodes-base.webhook", 2.0, "w", parameters);
    let known = |routes: &str| (routes.to_owned(), Vec::<String>::new());
    let computed = || (String::new(), vec!["N".to_owned()]);
    assert_eq!(hook(json!({ "path": "orders" })), known("GET orders false"));
    assert_eq!(hook(json!({ "path": "w" })), known("GET w true"));
    assert_eq!(hook(json!({})), known("GET w true"));
    assert_eq!(hook(json!({ "path": "u/:id" })), known("GET w/u/:id true"));
    assert_eq!(hook(json!({ "path": 17 })), known("GET 17 false"));
    assert_eq!(hook(json!({ "path": "a", "httpMethod": "GET,POST" })), known("GET a false, POST a false"));
    assert_eq!(hook(json!({ "path": "a", "httpMethod": ["PUT,GET"] })), known("GET a false, PUT a false"));
    // n8n converts these to text when it publishes.
    for path in [json!("={{ 'a' }}"), json!(["a"]), json!({ "a": 1 }), json!(true), json!(1.5)] {
        assert_eq!(hook(json!({ "path": path })), computed(), "{path}");
    }
    for method in [json!("={{ 'GET' }}"), json!(["={{ 'GET' }}"]), json!({}), json!([["GET"]])] {
        assert_eq!(hook(json!({ "path": "a", "httpMethod": method })), computed(), "{method}");
    }
    // A chat that only the editor may use still has its routes.
    let chat = "@n8n/n8n-nodes-langchain.chatTrigger";
    assert_eq!(kept(chat, 1.1, "w", json!({})), known("GET w/chat true, POST w/chat true"));
    assert_eq!(kept("n8n-nodes-base.formTrigger", 2.2, "w", json!({ "options": { "path": ["a"] } })), computed());
    // The same entry as a webhook's: the first segment of the URL does not tell them apart.
    let form = kept("n8n-nodes-base.formTrigger", 2.2, "w", json!({ "options": { "path": "join" } }));
    assert_eq!(form, known("GET join false, POST join false"));
}

#[test]
fn two_nodes_on_one_method_and_path_conflict_whatever_their_kind() {
    let hook = |name: &str, path: &str, method: &str| {
        json!({"name": name, "type": "n8n-nodes-base.webhook", "typeVersion": 2, "webhookId": name,
            "parameters": {"path": path, "httpMethod": method}})
    };
    let form = json!({"name": "F", "type": "n8n-nodes-base.formTrigger", "typeVersion": 2.2,
        "parameters": {"options": {"path": "c"}}});
    let definition = document(json!([
        hook("1", "a", "GET"),
        hook("2", "/a", "GET"),
        hook("3", "a", "POST"),
        hook("4", "b/:x", "GET"),
        hook("5", "b/:x", "GET"),
        hook("6", "c", "POST"),
        form
    ]));
    let found: Vec<String> = endpoint_conflicts(&definition).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            r#"node "2": nodes[1].parameters.path: GET /webhook/a is already served by node "1""#,
            r#"node "F": nodes[6].parameters.path: POST /form/c is already served by node "6""#,
        ]
    );
}
