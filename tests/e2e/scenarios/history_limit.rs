//! No edit is lost, however few versions are kept. On the stand-in.

use serde_json::{Value, json};

use crate::harness::n8n::{answering, id, set_value};
use crate::harness::world::{World, condition, ready};

async fn apply(world: &World, version: &str) -> Value {
    let definition = answering(&format!("{}/a", world.namespace), version);
    world.workflow("a", json!({ "active": true, "interval": "1s", "revisionHistoryLimit": 1, "definition": definition })).await;
    world.until_ready("a").await
}

fn versions(object: &Value, source: &str) -> Vec<i64> {
    let history = object["status"]["history"].as_array().into_iter().flatten();
    history.filter(|one| one["source"] == source).filter_map(|one| one["version"].as_i64()).collect()
}

/// Waits for some reconciliations, in which surplus versions would be dropped.
async fn reconcile_three_times(world: &World, word: &str) -> Value {
    for turn in 0..3 {
        let token = format!("{word}{turn}");
        world.annotate("Workflow", "a", "requested-at", json!(token)).await;
        world
            .until("a", "the requested reconciliation is over", |object| object["status"]["lastHandledRequestedAt"] == token.as_str())
            .await;
    }
    world.get("a").await
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_history_limit_of_one_the_newest_edit_is_kept_and_no_version_number_is_used_twice() {
    let (standin, world) = World::on_stand_in("limitone", json!({})).await;
    let id = id(&apply(&world, "1").await);
    for (edit, kept) in [("first", 2), ("second", 3)] {
        standin.ui_edit_draft(&id, |draft| set_value(draft, edit)).expect("the editor saves");
        standin.ui_publish(&id).expect("the editor publishes");
        world.until("a", "the edit is kept", |object| versions(object, "Drift").contains(&kept) && ready(object)).await;
        let after = reconcile_three_times(&world, edit).await;
        assert_eq!((versions(&after, "Definition"), versions(&after, "Drift").first()), (vec![1], Some(&kept)), "{after:#}");
    }
    let second = apply(&world, "2").await;
    assert_eq!(second["status"]["activeVersion"], 4, "{second:#}");
    let third = apply(&world, "3").await;
    assert_eq!(third["status"]["activeVersion"], 5, "{third:#}");
    // A version that is no longer stored gets a new number, and the edit can be published all the same.
    let back = apply(&world, "1").await;
    assert_eq!((&back["status"]["activeVersion"], &back["status"]["lastVersion"]), (&json!(6), &json!(6)), "{back:#}");
    assert!(versions(&reconcile_three_times(&world, "last").await, "Drift").contains(&3));
    world.annotate("Workflow", "a", "pinned-version", json!("3")).await;
    let pinned = world.until("a", "the edit is published", |object| object["status"]["activeVersion"] == 3 && ready(object)).await;
    assert!(condition(&pinned, "Ready")["message"].as_str().is_some_and(|message| message.contains("is pinned")));
    world.n8n.expect_version(&format!("{}/a", world.namespace), "second").await;
}
