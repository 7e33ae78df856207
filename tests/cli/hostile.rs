//! Commands against a malicious n8n, scripted on loopback.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Folder;

const MIB: usize = 1024 * 1024;

/// Starts a server that answers every request with a status and a body, and returns its URL.
fn serve(answer: impl Fn() -> (u16, String) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            // A client that closes the connection early is none of the test's business.
            thread::spawn(move || reply(stream, &*answer).ok());
        }
    });
    url
}

fn reply(mut stream: TcpStream, answer: &dyn Fn() -> (u16, String)) -> io::Result<()> {
    let lines = BufReader::new(stream.try_clone()?).lines();
    lines.take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty())).for_each(drop);
    let (status, body) = answer();
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

/// Starts an n8n with one workflow of this name.
fn one_workflow(name: &str) -> String {
    let node = json!({ "name": "A", "type": "n8n-nodes-base.noOp", "typeVersion": 1, "position": [0, 0], "parameters": {} });
    let workflow = json!({ "id": "W1", "name": name, "active": false, "nodes": [node], "connections": {}, "settings": {}, "tags": [] });
    let page = json!({ "data": [workflow], "nextCursor": Value::Null }).to_string();
    serve(move || (200, page.clone()))
}

/// Returns a key that no n8n issued.
fn key() -> String {
    format!("echoed-{:032x}", std::process::id())
}

fn import(folder: &Folder, url: &str, more: &[&str]) -> (i32, String, String) {
    let arguments = [&["import", "--instance", "main", "--all", "--url", url], more].concat();
    folder.run_with(&[("WEIRKEEPER_N8N_API_KEY", &key())], &arguments, "")
}

#[test]
fn ids_of_megabytes_cost_little_memory() {
    let pages = AtomicUsize::new(0);
    let long = "x".repeat(4 * MIB);
    let url = serve(move || {
        let page = pages.fetch_add(1, Ordering::SeqCst);
        let next = if page < 24 { format!("\"c{page}\"") } else { "null".to_owned() };
        let item = format!(r#"{{"id":"{page}{long}","name":"a","nodes":[],"connections":{{}},"settings":{{}}}}"#);
        (200, format!(r#"{{"data":[{item}],"nextCursor":{next}}}"#))
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_weirkeeper"));
    command.args(["import", "--instance", "main", "--all", "--url", &url]).env("WEIRKEEPER_N8N_API_KEY", key());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        peak = resident(child.id()).max(peak);
        thread::sleep(Duration::from_millis(5));
    }
    println!("at most {peak} MiB");
    assert!((1..160).contains(&peak), "{peak} MiB");
}

#[test]
fn a_list_that_brings_nothing_new_ends() {
    let pages = Arc::new(AtomicUsize::new(0));
    let count = pages.clone();
    let url = serve(move || {
        let page = count.fetch_add(1, Ordering::SeqCst);
        let item = json!({ "id": "same", "name": "a", "nodes": [], "connections": {}, "settings": {} });
        (200, json!({ "data": [item], "nextCursor": (page < 500).then(|| format!("c{page}")) }).to_string())
    });
    let folder = Folder::new("import-endless", &[("x", "")]);
    let (code, _, message) = import(&folder, &url, &[]);
    let pages = pages.load(Ordering::SeqCst);
    assert!(code == 1 && pages < 50 && message.contains("does not advance"), "{pages} pages: {message}");
}

/// Returns the peak memory of a process in MiB; 0 when it has ended.
fn resident(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or_default() / 1024
}

#[test]
fn an_import_with_force_replaces_a_link_and_not_its_target() {
    let folder = Folder::new("import-link", &[("theirs", "theirs"), ("out/other", "")]);
    std::os::unix::fs::symlink(folder.path().join("theirs"), folder.path().join("out/orders.yaml")).unwrap();
    let (code, _, message) = import(&folder, &one_workflow("orders"), &["--output-dir", "out", "--force"]);
    assert_eq!(code, 0, "{message}");
    assert_eq!(std::fs::read_to_string(folder.path().join("theirs")).unwrap(), "theirs");
    assert!(folder.path().join("out/orders.yaml").symlink_metadata().unwrap().is_file());
}

#[test]
fn no_file_of_an_import_has_the_name_of_a_device() {
    let folder = Folder::new("import-device", &[("out/other", "")]);
    let (code, _, message) = import(&folder, &one_workflow("Con"), &["--output-dir", "out"]);
    assert_eq!(code, 0, "{message}");
    let names: Vec<_> = std::fs::read_dir(folder.path().join("out")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.contains(&"con-.yaml".into()) && !names.contains(&"con.yaml".into()), "{names:?}");
}

#[test]
fn a_key_that_n8n_echoes_is_not_printed() {
    let folder = Folder::new("import-echo", &[("x", "")]);
    let url = serve(|| (400, json!({ "message": format!("bad key {}", key()) }).to_string()));
    let (code, _, message) = import(&folder, &url, &[]);
    assert!(code == 1 && message.contains("bad key") && !message.contains(&key()), "{message}");
}

#[test]
fn addresses_of_the_network_itself_are_not_called_however_they_are_written() {
    let folder = Folder::new("import-address", &[("x", "")]);
    for host in ["fec0::1", "::ffff:0:169.254.169.254"] {
        let (code, _, message) = import(&folder, &format!("http://[{host}]:9"), &[]);
        assert!(code == 1 && message.contains("is not allowed"), "{host}: {message}");
    }
}
