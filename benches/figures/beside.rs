//! The same workflows through the npm package n8n-mcp, the best-known other validator, where somebody has it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::validator;

/// The folder of the package, such as `node_modules/n8n-mcp`.
const PLACE: &str = "WEIRKEEPER_N8N_MCP";

pub fn measure() {
    let Some(place) = std::env::var_os(PLACE) else {
        println!("beside: left out, since {PLACE} does not name the folder of the npm package n8n-mcp");
        return;
    };
    let own = validator::throughput();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/figures/n8n-mcp.mjs");
    let mut node = Command::new("node")
        .arg(script)
        .arg(place)
        .env("N8N_MCP_TELEMETRY_DISABLED", "true")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("node runs");
    let texts = serde_json::to_vec(&validator::workflows().1).expect("texts are JSON");
    node.stdin.take().expect("it has an input").write_all(&texts).expect("it reads");
    let message = node.wait_with_output().expect("it ends");
    let Ok(reported) = serde_json::from_slice::<Value>(&message.stdout) else {
        println!("beside: left out, since n8n-mcp could not be run from the folder that {PLACE} names");
        return;
    };
    let other = reported["perSecond"].as_f64().unwrap_or(f64::NAN);
    println!(
        "beside: n8n-mcp {} on Node.js {}: {other:.0} of the same workflows a second of processor time; the validator is {:.0} times as fast",
        reported["version"].as_str().unwrap_or_default(),
        reported["node"].as_str().unwrap_or_default(),
        own / other
    );
}
