//! The main operations on the real components: apply, edit, unpublish, delete.

use serde_json::json;

use crate::harness::n8n::{answering, bad_cron};
use crate::harness::stack::{NOTHING_GOES_OFFLINE, PUBLICATION_SERVICE, left_out};
use crate::harness::world::{World, condition};

#[tokio::test(flavor = "multi_thread")]
async fn an_applied_workflow_answers_its_webhook_and_an_edit_becomes_version_2() {
    let world = World::on_real_n8n("sync").await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "1") })).await;
    let first = world.until_ready("a").await;
    assert_eq!(first["status"]["activeVersion"], 1);
    assert_eq!(first["status"]["webhookURLs"][0], format!("{}/webhook/{path}", world.n8n.webhooks));
    world.n8n.expect_version(&path, "1").await;
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "2") })).await;
    let second = world.until_ready("a").await;
    assert_eq!(second["status"]["activeVersion"], 2);
    assert_eq!(second["status"]["n8nWorkflowId"], first["status"]["n8nWorkflowId"]);
    world.n8n.expect_version(&path, "2").await;
    world.workflow("a", json!({ "active": false, "definition": answering(&path, "2") })).await;
    world.until_ready("a").await;
    world.n8n.expect_no_workflow(&path).await;
    world.delete("a").await;
    assert!(world.n8n.marked(&world.namespace, "a").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_takes_the_workflow_offline_is_rolled_back() {
    if left_out(PUBLICATION_SERVICE, NOTHING_GOES_OFFLINE) {
        return;
    }
    let world = World::on_real_n8n("rollback").await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "1") })).await;
    world.until_ready("a").await;
    world.workflow("a", json!({ "active": true, "definition": bad_cron(answering(&path, "2")) })).await;
    let observed = world.until_reason("a", "RolledBack", "RolledBack").await;
    assert_eq!(condition(&observed, "Stalled")["status"], "True");
    assert!(condition(&observed, "Ready")["message"].as_str().unwrap().contains("Invalid cron expression"));
    world.n8n.expect_version(&path, "1").await;
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "3") })).await;
    world.until_ready("a").await;
    world.n8n.expect_version(&path, "3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_probe_rolls_back_to_a_version_that_is_still_baking() {
    let world = World::on_real_n8n("baking").await;
    let path = format!("{}/a", world.namespace);
    let checked = |version: &str| {
        let check = json!({ "bakeTime": "10m", "probes": [{ "node": "Webhook", "expectedJSON": { "version": "1" } }] });
        json!({ "active": true, "definition": answering(&path, version), "healthCheck": check })
    };
    world.workflow("a", checked("1")).await;
    let first = world.until_ready("a").await;
    assert_eq!(first["status"]["history"][0]["result"], "Deployed");
    world.workflow("a", checked("2")).await;
    let back = world.until_reason("a", "RolledBack", "RolledBack").await;
    assert_eq!(back["status"]["history"][0]["reason"], "ProbeFailed");
    world.n8n.expect_version(&path, "1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_wait_and_get_show_readiness_version_and_status() {
    let world = World::on_real_n8n("kubectl").await;
    let path = format!("{}/a", world.namespace);
    world.workflow("a", json!({ "active": true, "definition": answering(&path, "1") })).await;
    let kubectl = |arguments: &[&str]| crate::harness::kubectl::kubectl(&world, arguments, None).text();
    kubectl(&["wait", "nwf/a", "--for=condition=Ready", "--timeout=60s"]);
    kubectl(&["wait", "nwf/a", "--for=condition=Stalled=false", "--timeout=60s"]);
    let table = kubectl(&["get", "nwf"]);
    let columns: Vec<&str> = table.lines().next().expect("a header").split_whitespace().collect();
    assert_eq!(columns, ["NAME", "READY", "REASON", "PUBLISHED", "VERSION", "STATUS", "AGE"]);
    assert!(table.lines().nth(1).expect("a line").contains("version 1 is published"), "{table}");
    let id = world.get("a").await["status"]["n8nWorkflowId"].as_str().expect("an id").to_owned();
    assert!(kubectl(&["get", "nwf", "-o", "wide"]).contains(&id));
    assert!(kubectl(&["get", "n8n"]).contains("n8ninstance.weirkeeper.dev/main"), "the category lists both kinds");
    assert!(kubectl(&["explain", "nwf.spec.driftPolicy"]).contains("the workflow was changed in n8n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn webhook_urls_in_the_status_work_for_paths_with_special_characters() {
    let world = World::on_real_n8n("addresses").await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let odd = ["question?x=1", "number#one", "percent%20twenty", "two words", "größe/日本", "a+b&c=d", "quote\"<>|{}[]^`\\"];
    for (at, path) in odd.iter().enumerate() {
        let name = format!("a{at}");
        let definition = answering(&format!("{}/{path}", world.namespace), "1");
        // A probe calls the address, too.
        let check = json!({ "bakeTime": "10m", "probes": [{ "node": "Webhook", "expectedJSON": { "version": "1" } }] });
        world.workflow(&name, json!({ "active": true, "definition": definition, "healthCheck": check })).await;
    }
    for (at, path) in odd.iter().enumerate() {
        let object = world.until_ready(&format!("a{at}")).await;
        assert_eq!(condition(&object, "Live")["status"], "True", "{path}: {object:#}");
        let address = object["status"]["webhookURLs"][0].as_str().unwrap();
        let answer = http.get(address).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}: {address}");
        assert_eq!(answer.url().as_str(), address, "{path}: a client writes the address otherwise");
    }
    world.workflow("lost", json!({ "active": true, "definition": answering(&format!("{}/a/../b", world.namespace), "1") })).await;
    let lost = world.until_reason("lost", "Ready", "InvalidDefinition").await;
    assert!(condition(&lost, "Ready")["message"].as_str().unwrap().contains("which clients resolve before n8n sees it"), "{lost:#}");
}
