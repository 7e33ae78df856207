//! n8n after a restore from a backup: credentials that are gone, older, or have another id; and competitors for one. On the real n8n.

use std::path::{Path, PathBuf};

use kube::api::DeleteParams;
use serde_json::{Value, json};

use super::{KIND, ROTATED_WITHIN, credential, id, made, named, secret, until_reason, value};
use crate::harness::header_server::HeaderServer;
use crate::harness::stack::Stack;
use crate::harness::world::{World, condition, ready};

/// Number of credentials whose common disappearance means that another n8n answers.
const MANY: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_vanish_together_are_made_again_only_once_the_instance_is_accepted() {
    let world = World::on_real_n8n("cred-vanish").await;
    let mut before = Vec::new();
    for number in 0..MANY {
        before.push(id(&made(&world, &format!("v{number}"), &value("vanish")).await));
    }
    // A few that are missing are made again, so it must not look while only some are.
    world.operator.signal("STOP");
    for id in &before {
        assert_eq!(world.n8n.api("DELETE", &format!("/credentials/{id}"), None).await.status, 200);
    }
    world.operator.signal("CONT");
    let stalled = |object: &Value| condition(object, "Ready")["reason"] == "IdentityChanged";
    world.until_kind("N8nInstance", "main", "another n8n is suspected", stalled).await;
    for number in 0..MANY {
        assert!(named(&world.n8n, &format!("v{number} [wk-")).await.is_empty(), "nothing is made in an n8n that may be another one");
    }
    world.annotate("N8nInstance", "main", "reset-at", json!("accepted")).await;
    for (number, before) in before.iter().enumerate() {
        let again = |object: &Value| ready(object) && object["status"]["n8nCredentialId"] != json!(before);
        let object = world.until_kind(KIND, &format!("v{number}"), "it is made again", again).await;
        let found = named(&world.n8n, &format!("v{number} [wk-")).await;
        assert_eq!(found.iter().map(|one| one["id"].clone()).collect::<Vec<_>>(), [json!(id(&object))], "exactly one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_came_back_with_another_id_is_bound_by_its_mark() {
    let world = World::on_real_n8n("cred-moved").await;
    let before = id(&made(&world, "moved", &value("moved")).await);
    let name = world.n8n.api("GET", &format!("/credentials/{before}"), None).await.json()["name"].clone();
    // As an import of exported credentials leaves them: the same name, another id, older values.
    let body = json!({ "name": name, "type": "httpHeaderAuth", "data": { "name": "X-Api-Key", "value": "older" } });
    let after = world.n8n.api("POST", "/credentials", Some(body)).await.json()["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.n8n.api("DELETE", &format!("/credentials/{before}"), None).await.status, 200);
    let bound = |object: &Value| ready(object) && object["status"]["n8nCredentialId"] == json!(after);
    world.until_kind(KIND, "moved", "it is bound to the other id", bound).await;
    assert_eq!(named(&world.n8n, "moved [wk-").await.len(), 1, "none is made beside it");
    let written = world.n8n.api("GET", &format!("/credentials/{after}"), None).await.json();
    assert_ne!(written["updatedAt"], written["createdAt"], "the values of the Secret are written");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restore_of_n8ns_database_a_credential_has_the_value_of_the_secret_again() {
    // An n8n of its own, which is stopped and gets an older database.
    let own = Stack::own(&["--only-n8n"]);
    let world = World::at(&own.n8n_url(), &own.n8n_key(), "cred-backup", json!({ "interval": "5s" })).await;
    let (server, old, new) = (HeaderServer::start("x-api-key").await, value("old"), value("new"));
    server.accept(&[&old]);
    let object = made(&world, "kept", &old).await;
    let credential_id = id(&object);
    let path = format!("{}/kept", world.namespace);
    let mapping = json!([{ "name": "any", "existing": { "id": credential_id } }]);
    world
        .workflow(
            "call",
            json!({ "active": true, "definition": super::calling(&path, &server.url(), &credential_id), "credentials": mapping }),
        )
        .await;
    world.until_ready("call").await;
    assert_eq!(world.n8n.webhook("GET", &path).await.json()["accepted"], true);

    let database = database(&own);
    let backup = database.with_extension("backup");
    own.tell(&["stop", "n8n"]);
    copy(&database, &backup);
    own.tell(&["start", "n8n"]);
    secret(&world, "kept", json!({ "name": "X-Api-Key", "value": new })).await;
    let before = object["status"]["valuesHash"].clone();
    let written = |object: &Value| ready(object) && object["status"]["valuesHash"] != before;
    world.until_kind(KIND, "kept", "the new value is written", written).await;
    made(&world, "young", &value("young")).await;

    own.tell(&["stop", "n8n"]);
    copy(&backup, &database);
    own.tell(&["start", "n8n"]);
    // The older credential gets the value of today, and the younger one, which the backup does not have, is made again.
    server.accept(&[&new]);
    let started = std::time::Instant::now();
    while world.n8n.webhook("GET", &path).await.json()["accepted"] != true {
        assert!(started.elapsed() < 3 * ROTATED_WITHIN, "the older value is sent\n{}", world.operator.tail());
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    println!("restored: the value of the Secret is used {:?} after the restore", started.elapsed());
    world.until_event("kept", "DriftReverted", "changed in n8n").await;
    world.until_event("young", "DriftReverted", "created again").await;
    world.until_kind(KIND, "young", "Ready", ready).await;
    for name in ["kept", "young"] {
        assert_eq!(named(&world.n8n, &format!("{name} [wk-")).await.len(), 1, "{name}");
    }
}

/// Copies a database of SQLite in place of another one.
fn copy(from: &Path, to: &Path) {
    for part in ["", "-wal", "-shm"] {
        let [from, to] = [from, to].map(|path| PathBuf::from(format!("{}{part}", path.display())));
        match from.exists() {
            true => drop(std::fs::copy(from, to).expect("a database is copied")),
            false => drop(std::fs::remove_file(to)),
        }
    }
}

/// Returns the file with the database of an n8n.
fn database(stack: &Stack) -> PathBuf {
    let mut folders = vec![stack.dir.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_name() == "database.sqlite" {
                return path;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
            }
        }
    }
    panic!("no database below {}", stack.dir.display());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_objects_that_adopt_one_credential_at_once_exactly_one_has_it() {
    let world = World::on_real_n8n("cred-claims").await;
    let body = json!({ "name": "contested", "type": "httpHeaderAuth", "data": { "name": "X-A", "value": "theirs" } });
    let theirs = world.n8n.api("POST", "/credentials", Some(body)).await.json()["id"].as_str().expect("an id").to_owned();
    secret(&world, "own", json!({ "name": "X-Api-Key", "value": value("own") })).await;
    let spec = || json!({ "secretRef": { "name": "own" }, "adopt": { "id": theirs } });
    tokio::join!(credential(&world, "castor", spec()), credential(&world, "pollux", spec()));
    let decided = |object: &Value| ready(object) || condition(object, "Ready")["reason"] == "AlreadyClaimed";
    let mut names = Vec::new();
    for name in ["castor", "pollux"] {
        if ready(&world.until_kind(KIND, name, "it is decided", decided).await) {
            names.push(name);
        }
    }
    assert_eq!(names.len(), 1, "exactly one has it: {names:?}");
    let loser = if names[0] == "castor" { "pollux" } else { "castor" };
    until_reason(&world, loser, "Ready", "AlreadyClaimed").await;
    // The other one follows when it goes.
    world.api(KIND).delete(names[0], &DeleteParams::default()).await.expect("the API server deletes");
    let object = world.until_kind(KIND, loser, "Ready", ready).await;
    assert_eq!(id(&object), theirs);
}
