//! A constant stream of applies, in which every moment without admission would be a refusal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use kube::Api;
use kube::api::{DynamicObject, PostParams};
use serde_json::json;

use crate::harness::admission::workflow;
use crate::harness::n8n::answering;
use crate::harness::world::World;

/// A stream of creates, each a dry run, until it is dropped.
pub struct Stream {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU32>,
    refused: Arc<std::sync::Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Stream {
    /// Begins the stream.
    pub fn of(world: &World) -> Self {
        let (stop, sent, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)), Arc::default());
        let api: Api<DynamicObject> = world.api("Workflow");
        let object = workflow("stream", json!({ "definition": answering(&format!("{}/s", world.namespace), "1") }));
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        let (stopped, counted, noted): (_, _, Arc<std::sync::Mutex<Vec<String>>>) = (stop.clone(), sent.clone(), Arc::clone(&refused));
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let params = PostParams { dry_run: true, ..PostParams::default() };
                if let Err(error) = api.create(&params, &object).await {
                    noted.lock().expect("no thread panicked").push(error.to_string());
                }
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self { stop, sent, refused, task }
    }

    /// Ends the stream and returns how many were sent and the refusals.
    pub async fn end(self) -> (u32, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await.expect("the stream ends");
        (self.sent.load(Ordering::Relaxed), self.refused.lock().expect("no thread panicked").clone())
    }
}
