//! A balancer of connections, as a Service is one: each goes to the next backend that accepts it. What it carries stays encrypted.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A running balancer. It is stopped when dropped, and open connections end with the test.
pub struct Balancer {
    /// Its port on 127.0.0.1.
    pub port: u16,
    backends: Arc<Mutex<Vec<Backend>>>,
    accepting: JoinHandle<()>,
}

/// A backend, and the number of its open connections.
#[derive(Clone)]
struct Backend {
    port: u16,
    open: Arc<AtomicUsize>,
}

impl Balancer {
    /// Starts a balancer between the backends on these ports.
    pub async fn between(ports: &[u16]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let backends: Vec<Backend> = ports.iter().map(|port| Backend { port: *port, open: Arc::default() }).collect();
        let backends = Arc::new(Mutex::new(backends));
        let current = backends.clone();
        let accepting = tokio::spawn(async move {
            for turn in 0_usize.. {
                let Ok((client, _)) = listener.accept().await else { return };
                let mut order = current.lock().expect("no thread panicked").clone();
                let first = turn % order.len().max(1);
                order.rotate_left(first);
                tokio::spawn(carry(client, order));
            }
        });
        Self { port, backends, accepting }
    }

    /// Sends no new connections to a backend from now on. Those that are open stay, as with an endpoint that leaves a Service.
    pub fn withdraw(&self, port: u16) {
        self.backends.lock().expect("no thread panicked").retain(|backend| backend.port != port);
    }

    /// Sends connections to a backend, as to an endpoint that became ready.
    pub fn admit(&self, port: u16) {
        self.backends.lock().expect("no thread panicked").push(Backend { port, open: Arc::default() });
    }

    /// Returns the number of open connections to a backend.
    pub fn open(&self, port: u16) -> usize {
        let backends = self.backends.lock().expect("no thread panicked");
        backends.iter().filter(|backend| backend.port == port).map(|backend| backend.open.load(Ordering::Relaxed)).sum()
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(mut client: TcpStream, backends: Vec<Backend>) {
    for Backend { port, open } in backends {
        if let Ok(mut backend) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            let _ = (client.set_nodelay(true), backend.set_nodelay(true));
            open.fetch_add(1, Ordering::Relaxed);
            // A broken connection ends the other one, too.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut backend).await;
            open.fetch_sub(1, Ordering::Relaxed);
            return;
        }
    }
}
