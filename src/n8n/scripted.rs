//! A scripted n8n on loopback for tests: raw TCP, so that it can misbehave in ways no HTTP library offers.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{ClientSettings, N8nClient, N8nMetrics};
use crate::http::{ApiKey, Memory};

pub(crate) const KEY: &str = "the-secret-key";

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Lower-case header names and values, one per line.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn carries_key(&self) -> bool {
        self.head.contains(KEY)
    }

    /// Returns a decoded query parameter.
    pub(crate) fn query(&self, name: &str) -> Option<String> {
        let url = url::Url::parse(&format!("http://x{}", self.target)).unwrap();
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

/// Reaction of the server to a request.
pub(crate) enum Reply {
    /// Send these bytes and keep the connection open for the next request.
    Keep(Vec<u8>),
    /// Send these bytes and close the connection.
    Close(Vec<u8>),
    /// Send nothing, for longer than any test waits.
    Hang,
    /// Send these bytes and then nothing more.
    Stall(Vec<u8>),
    /// Send these bytes and then one blank after the other.
    Trickle(Vec<u8>),
}

pub(crate) fn raw(status: u16, headers: &str, content_type: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

pub(crate) fn json(status: u16, body: Value) -> Reply {
    Reply::Keep(raw(status, "", "application/json", &body.to_string()))
}

pub(crate) fn html(status: u16, body: &str) -> Reply {
    Reply::Keep(raw(status, "", "text/html; charset=utf-8", body))
}

pub(crate) fn with_headers(status: u16, headers: &str) -> Reply {
    Reply::Keep(raw(status, headers, "text/plain", ""))
}

pub(crate) fn ready() -> Reply {
    json(200, serde_json::json!({ "status": "ok" }))
}

/// A running server.
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Scripted {
    /// Starts a server that runs until the test ends. The script answers one request after the other, whatever the connection.
    pub(crate) async fn start(script: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(script));
        let log = seen.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log) = (script.clone(), log.clone());
                tokio::spawn(serve(stream, move |request: Seen| {
                    let reply = (script.lock().unwrap())(&request);
                    log.lock().unwrap().push(request);
                    reply
                }));
            }
        });
        Self { address, seen }
    }

    /// Returns the requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Returns method and target of the requests so far.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.seen().iter().map(|seen| format!("{} {}", seen.method, seen.target)).collect()
    }

    /// Waits until it has been asked this often.
    pub(crate) async fn until_asked(&self, times: usize) {
        while self.seen.lock().unwrap().len() < times {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(crate) fn settings(&self) -> ClientSettings {
        settings(&format!("http://{}", self.address))
    }

    pub(crate) fn client(&self) -> N8nClient {
        client(self.settings())
    }
}

/// Returns the result of something that needs no further request.
pub(crate) async fn at_once<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(1), what).await.expect("it waits for a request that it does not need")
}

pub(crate) fn settings(url: &str) -> ClientSettings {
    ClientSettings {
        url: url.parse().unwrap(),
        api_key: ApiKey::parse(KEY).unwrap(),
        ca_bundle: None,
        trust_named_in: "spec.caBundle",
        request_timeout: Duration::from_secs(2),
        requests_per_second: None,
        max_concurrent_requests: NonZeroU32::new(4).unwrap(),
        webhook_check_url: None,
        allow_loopback: true,
    }
}

pub(crate) fn client(settings: ClientSettings) -> N8nClient {
    N8nClient::new(settings, N8nMetrics::register(&prometheus::Registry::new()).unwrap()).unwrap()
}

pub(crate) fn client_within(settings: ClientSettings, memory: &Memory) -> N8nClient {
    N8nClient::within(settings, N8nMetrics::register(&prometheus::Registry::new()).unwrap(), memory.clone()).unwrap()
}

async fn serve(mut stream: TcpStream, mut reply: impl FnMut(Seen) -> Reply) {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await {
        match reply(request) {
            Reply::Keep(bytes) => stream.write_all(&bytes).await.unwrap_or_default(),
            Reply::Close(bytes) => {
                stream.write_all(&bytes).await.unwrap_or_default();
                return;
            }
            Reply::Hang => tokio::time::sleep(Duration::from_secs(60)).await,
            Reply::Stall(bytes) => {
                stream.write_all(&bytes).await.unwrap_or_default();
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            Reply::Trickle(bytes) => {
                stream.write_all(&bytes).await.unwrap_or_default();
                while stream.write_all(b" ").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    let mut chunk = [0; 65536];
    loop {
        if let Some(seen) = take_request(buffer) {
            return Some(seen);
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}

fn take_request(buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = buffer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let (line, head) = text.split_once("\r\n").unwrap_or((&text, ""));
    let head = head.to_lowercase();
    let length =
        head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |length| length.trim().parse::<usize>().unwrap());
    if buffer.len() < end + 4 + length {
        return None;
    }
    let body = String::from_utf8_lossy(&buffer[end + 4..end + 4 + length]).into_owned();
    buffer.drain(..end + 4 + length);
    let mut words = line.split(' ');
    Some(Seen { method: words.next()?.into(), target: words.next()?.into(), head, body })
}
