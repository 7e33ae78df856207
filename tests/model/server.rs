//! A scripted server of language models on loopback: raw TCP, so that it can be as unkind as real servers and gateways are, in ways that no HTTP
//! library offers. It runs in a thread of its own, so that tests with and without a runtime can use it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// Name of the model that the server has.
pub const MODEL: &str = "scripted-1";

/// A received request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The path with the query.
    pub target: String,
    /// Lower-case header names and values, one per line.
    pub head: String,
    /// The body.
    pub body: String,
    /// Time at which the request was complete.
    pub at: Instant,
}

impl Asked {
    /// Returns the body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Reports whether a completion is asked for.
    pub fn is_completion(&self) -> bool {
        self.method == "POST" && self.target.ends_with("/chat/completions") && self.json().get("messages").is_some()
    }

    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
    }

    /// Returns the way in which JSON is asked for, as status and manifests spell it.
    pub fn output_mode(&self) -> &'static str {
        let body = self.json();
        match body["response_format"]["type"].as_str() {
            Some("json_schema") if body["response_format"]["json_schema"]["strict"] == true => "StrictSchema",
            Some("json_schema") => "Schema",
            Some("json_object") => "JSON",
            _ if body["tools"].is_array() => "Tool",
            _ => "Text",
        }
    }
}

/// Reaction to a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Sends these bytes and keeps the connection open.
    Send(Vec<u8>),
    /// Sends these bytes and closes the connection.
    Close(Vec<u8>),
    /// Sends these bytes, and nothing more for longer than any test waits.
    Hang(Vec<u8>),
    /// Sends these bytes, then one of the others in each pause.
    Drip(Vec<u8>, Vec<u8>, Duration),
    /// Sends these bytes, then blanks without an end.
    Endless(Vec<u8>),
    /// Waits before it reacts.
    After(Duration, Box<Reply>),
}

/// Returns an HTTP answer.
pub fn http(status: u16, headers: &str, content_type: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

/// Returns an answer in JSON.
pub fn answer(status: u16, body: &Value) -> Reply {
    Reply::Send(http(status, "", "application/json", &body.to_string()))
}

/// Returns an answer in JSON with headers, each of which ends a line.
pub fn answer_with(status: u16, headers: &str, body: &Value) -> Reply {
    Reply::Send(http(status, headers, "application/json", &body.to_string()))
}

/// Returns an error as OpenAI writes it.
pub fn refuse(status: u16, code: impl Into<Value>, message: &str) -> Reply {
    answer(status, &json!({ "error": { "message": message, "type": "invalid_request_error", "param": null, "code": code.into() } }))
}

/// Returns the body of a completion with this text, and a usage that can be true of a question of ordinary length.
pub fn completion_body(asked: &Asked, text: &str) -> Value {
    let (input, output) = (asked.body.len() / 4 + 1, text.len() / 4 + 1);
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_790_000_000, "model": MODEL,
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": text }, "logprobs": null, "finish_reason": "stop" }],
        "usage": {
            "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
            "prompt_tokens_details": { "cached_tokens": input / 2 },
        },
    })
}

/// Returns a completion with this text.
pub fn complete(asked: &Asked, text: &str) -> Reply {
    answer(200, &completion_body(asked, text))
}

/// Returns the list of models.
pub fn models(names: &[&str]) -> Reply {
    let data: Vec<Value> = names.iter().map(|name| json!({ "id": name, "object": "model", "owned_by": "tests" })).collect();
    answer(200, &json!({ "object": "list", "data": data }))
}

/// Answers everything that is not a completion as an ordinary server does.
pub fn ordinary(asked: &Asked) -> Reply {
    match (asked.method.as_str(), asked.target.ends_with("/models")) {
        ("GET", true) => models(&[MODEL]),
        ("POST", _) => refuse(400, Value::Null, "you must provide messages"),
        _ => refuse(404, Value::Null, "no such path"),
    }
}

/// A running server; it ends when it is dropped.
pub struct ModelServer {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    _stop: oneshot::Sender<()>,
}

impl ModelServer {
    /// Starts a server. The script answers one request after the other, whatever the connection.
    pub fn start(script: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        let (stop, stopped) = oneshot::channel::<()>();
        let (started, address) = std::sync::mpsc::channel();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = asked.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
                started.send(listener.local_addr().expect("an address")).expect("the test waits for the address");
                let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
                let accept = async {
                    while let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(serve(stream, script.clone(), log.clone()));
                    }
                };
                tokio::select! {
                    () = accept => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address: address.recv().expect("the server starts"), asked, _stop: stop }
    }

    /// Starts a server that answers completions by the script and everything else as an ordinary server does.
    pub fn completing(mut script: impl FnMut(&Asked) -> Reply + Send + 'static) -> Self {
        Self::start(move |asked| if asked.is_completion() { script(asked) } else { ordinary(asked) })
    }

    /// Starts a server that answers completions with these replies, the last of them for ever.
    pub fn replying(replies: Vec<Reply>) -> Self {
        let mut replies = replies.into_iter();
        let mut last = None;
        Self::completing(move |_| {
            last = replies.next().or_else(|| last.take());
            last.clone().expect("at least one reply")
        })
    }

    /// Returns the base URL, as providers are configured with.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Returns the requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics here").clone()
    }

    /// Returns the requests for completions so far.
    pub fn completions(&self) -> Vec<Asked> {
        self.asked().into_iter().filter(Asked::is_completion).collect()
    }
}

type Script = Box<dyn FnMut(&Asked) -> Reply + Send>;

async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>, log: Arc<Mutex<Vec<Asked>>>) {
    let mut buffer = Vec::new();
    while let Some(asked) = receive(&mut stream, &mut buffer).await {
        let mut reply = (script.lock().expect("no script panics"))(&asked);
        log.lock().expect("no test panics here").push(asked);
        while let Reply::After(pause, then) = reply {
            tokio::time::sleep(pause).await;
            reply = *then;
        }
        if !react(&mut stream, reply).await {
            return;
        }
    }
}

/// Sends a reply, and reports whether the connection stays open.
async fn react(stream: &mut TcpStream, reply: Reply) -> bool {
    match reply {
        Reply::Send(bytes) => stream.write_all(&bytes).await.is_ok(),
        Reply::Close(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            false
        }
        Reply::Hang(bytes) => {
            let _ = stream.write_all(&bytes).await;
            std::future::pending().await
        }
        Reply::Drip(bytes, others, pause) => {
            let _ = stream.write_all(&bytes).await;
            for byte in others {
                tokio::time::sleep(pause).await;
                if stream.write_all(&[byte]).await.is_err() {
                    return false;
                }
            }
            true
        }
        Reply::Endless(bytes) => {
            let _ = stream.write_all(&bytes).await;
            while stream.write_all(&[b' '; 16 * 1024]).await.is_ok() {}
            false
        }
        Reply::After(..) => true,
    }
}

/// Reads a request; None at the end of the connection.
async fn receive(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Asked> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ').map(str::to_owned);
    let (method, target) = (first.next()?, first.next()?);
    let named = |line: &str| line.split_once(':').map(|(name, value)| format!("{}:{value}", name.to_ascii_lowercase()));
    let head: Vec<String> = lines.filter_map(named).collect();
    let length = head.iter().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0_usize);
    while buffer.len() < head_end + 4 + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let rest = buffer.split_off(head_end + 4 + length);
    let body = String::from_utf8_lossy(&buffer[head_end + 4..]).into_owned();
    *buffer = rest;
    Some(Asked { method, target, head: head.join("\n"), body, at: Instant::now() })
}
