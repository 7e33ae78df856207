//! Proxies in the environment or in a kubeconfig, which Weirkeeper does not use.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::Folder;

/// Starts an API server without objects; returns the requests that it received, and its kubeconfig.
fn api_server(more: &str) -> (Arc<Mutex<Vec<String>>>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut lines = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            // Without an answer about schemas, an operator on a cluster without CRDs does not wait for them.
            let code = if request.contains(" /openapi/") { 500 } else { 404 };
            heard.lock().unwrap().push(request);
            lines.find(String::is_empty);
            let body =
                json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "nothing here", "code": code }).to_string();
            let head = format!("HTTP/1.1 {code} Here\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
            connection.write_all(format!("{head}connection: close\r\n\r\n{body}").as_bytes()).unwrap();
        }
    });
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: here\ncontexts: [{{ name: here, context: {{ cluster: here, user: me }} }}]\n\
         clusters:\n- name: here\n  cluster:\n    server: http://127.0.0.1:{port}\n{more}users: [{{ name: me, user: {{}} }}]\n"
    );
    (asked, kubeconfig)
}

#[test]
fn the_operator_and_commands_ignore_a_proxy_in_the_environment() {
    let (asked, kubeconfig) = api_server("");
    let folder = Folder::new("proxy", &[("kubeconfig", &kubeconfig)]);
    let at = folder.path().join("kubeconfig");
    for name in ["HTTPS_PROXY", "https_proxy"] {
        let environment = [("KUBECONFIG", at.to_str().unwrap()), (name, "http://way.example:3128")];
        let (code, _, message) = folder.run_with(&environment, &["operator", "--listen", "127.0.0.1:0", "--leader-elect", "off"], "");
        assert!(code == 1 && message.contains("read namespace kube-system"), "{message}");
        assert!(message.contains("HTTPS_PROXY is set but ignored") && !message.contains("way.example"), "{message}");
        let (code, reported, message) = folder.run_with(&environment, &["release", "--dry-run"], "");
        assert!(code == 0 && reported.starts_with("0 objects would be released"), "{reported}{message}");
    }
    let asked = asked.lock().unwrap();
    assert!(asked.iter().any(|line| line.starts_with("GET /api/v1/namespaces/kube-system ")), "{asked:?}");
}

#[test]
fn a_kubeconfig_with_a_proxy_is_refused_with_an_explanation() {
    let (asked, kubeconfig) = api_server("    proxy-url: http://way.example:3128\n");
    let folder = Folder::new("proxied", &[("kubeconfig", &kubeconfig)]);
    let at = folder.path().join("kubeconfig");
    for environment in [&[("HTTPS_PROXY", "http://other.example:3128")][..], &[]] {
        let environment = [environment, &[("KUBECONFIG", at.to_str().unwrap())]].concat();
        let (code, _, message) = folder.run_with(&environment, &["operator", "--listen", "127.0.0.1:0", "--leader-elect", "off"], "");
        assert!(
            code == 1 && message.contains("through a proxy (proxy-url), which Weirkeeper does not support: remove proxy-url"),
            "{message}"
        );
    }
    assert!(asked.lock().unwrap().is_empty());
}
