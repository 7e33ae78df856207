//! A balancer of connections, as a Service is one: each goes to the next backend that accepts it. What it carries stays encrypted.

use std::net::Ipv4Addr;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A running balancer. It is stopped when dropped, and open connections end with the test.
pub struct Balancer {
    /// Its port on 127.0.0.1.
    pub port: u16,
    accepting: JoinHandle<()>,
}

impl Balancer {
    /// Starts a balancer between the backends on these ports.
    pub async fn between(ports: &[u16]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let (port, ports) = (listener.local_addr().expect("an address").port(), ports.to_vec());
        let accepting = tokio::spawn(async move {
            for turn in 0.. {
                let Ok((client, _)) = listener.accept().await else { return };
                let order: Vec<u16> = ports.iter().cycle().skip(turn % ports.len()).take(ports.len()).copied().collect();
                tokio::spawn(carry(client, order));
            }
        });
        Self { port, accepting }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn carry(mut client: TcpStream, backends: Vec<u16>) {
    for port in backends {
        if let Ok(mut backend) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            let _ = (client.set_nodelay(true), backend.set_nodelay(true));
            // A broken connection ends the other one, too.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut backend).await;
            return;
        }
    }
}
