//! Tests of many credentials at once, on the real n8n: it keeps one entry for all tests, so that they disturb each other.

use std::time::Instant;

use serde_json::json;

use super::{KIND, credential, secret, value};
use crate::harness::session_server::SessionServer;
use crate::harness::world::{World, ready};

const MANY: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_n8n_tests_at_the_same_moment_all_pass() {
    let world = World::on_real_n8n("cred-at-once").await;
    let mut servers = Vec::new();
    for number in 0..MANY {
        let server = SessionServer::start().await;
        let name = format!("c{number}");
        secret(&world, &name, json!({ "url": server.url(), "username": "reader", "password": value("at-once") })).await;
        servers.push(server);
    }
    let started = Instant::now();
    for number in 0..MANY {
        let name = format!("c{number}");
        credential(&world, &name, json!({ "type": "metabaseApi", "secretRef": { "name": name } })).await;
    }
    for number in 0..MANY {
        let object = world.until_kind(KIND, &format!("c{number}"), "Ready", ready).await;
        assert_eq!(object["status"]["test"]["result"], "Passed", "{object}");
    }
    let metrics = world.operator.get("/metrics").await.1;
    let tests = metrics.lines().filter(|line| line.starts_with("weirkeeper_credential_tests_total"));
    println!("{MANY} credentials were tested at once: all passed after {:?}; {:?}", started.elapsed(), tests.collect::<Vec<_>>());
    assert!(!metrics.contains(r#"weirkeeper_credential_tests_total{result="Failed"}"#), "{metrics}");
}
