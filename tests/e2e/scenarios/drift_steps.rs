//! Random sequences of API calls that change workflows in n8n: each is seen within one interval, whether listings replace reads or not, and
//! ends with what the policies for drift ask for. `WEIRKEEPER_SEED` repeats a sequence, and `WEIRKEEPER_ROUNDS` runs several.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::projects::second_project;
use crate::harness::credentials::stand_in;
use crate::harness::dice::Dice;
use crate::harness::n8n::{N8n, answering, id, set_value};
use crate::harness::relay::Relay;
use crate::harness::stack::{Stack, rand};
use crate::harness::world::{World, condition, ready};
use crate::standin::{Options, StandIn};

/// Workflows that are changed, and those that are not: enough are due for a listing to replace reads.
const CHANGED: usize = 24;
const UNTOUCHED: usize = 12;
/// Every so many have a credential, which is changed as well.
const WITH_CREDENTIAL: usize = 4;
/// Workflows that may be deleted in a round: when more vanish together, nothing is written until somebody says that it is the right n8n.
const MOST_DELETED: usize = 5;
/// Time beyond an interval that a debug build on a busy machine takes to list, to read and to write back.
const SLACK: Duration = Duration::from_secs(40);
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The n8n whose workflows are changed.
struct Target {
    url: String,
    key: String,
    project: String,
}

/// A change of a workflow by a call of the API. The numbers make changes distinct.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    SaveDraft(u64),
    SaveAndPublish(u64),
    Rename(u64),
    Setting(u64),
    Describe(u64),
    RemoveTags,
    AddTag,
    RemoveMark,
    Archive,
    Unarchive,
    Unpublish,
    PublishEarlier,
    Transfer,
    Delete,
    RenameCredential,
    DeleteCredential,
}

impl Step {
    fn any(dice: &mut Dice, credential: bool) -> Self {
        let number = dice.roll(1 << 30);
        match dice.roll(if credential { 16 } else { 14 }) {
            0 => Self::SaveDraft(number),
            1 => Self::SaveAndPublish(number),
            2 => Self::Rename(number),
            3 => Self::Setting(number),
            4 => Self::Describe(number),
            5 => Self::RemoveTags,
            6 => Self::AddTag,
            7 => Self::RemoveMark,
            8 => Self::Archive,
            9 => Self::Unarchive,
            10 => Self::Unpublish,
            11 => Self::PublishEarlier,
            12 => Self::Transfer,
            13 => Self::Delete,
            14 => Self::RenameCredential,
            _ => Self::DeleteCredential,
        }
    }
}

/// A workflow under test.
struct Subject {
    name: String,
    path: String,
    id: String,
    credential: Option<String>,
    /// A draft that nobody published is reported and kept, in later rounds, too.
    draft: bool,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_random_change_in_n8n_is_seen_within_an_interval_with_listings_and_without() {
    let on_stand_in = async |name: &str, interval: u64| {
        let standin = StandIn::start(Options::default());
        let target = Target { url: standin.url(), key: standin.api_key().to_owned(), project: standin.add_project() };
        run(name, &target, Duration::from_secs(interval)).await;
    };
    // Below half a minute, no listing replaces a read.
    futures::join!(on_stand_in("drift-swept", 30), on_stand_in("drift-alone", 20));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_random_change_in_a_real_n8n_is_seen_within_an_interval() {
    let own = Stack::own(&["--only-n8n"]);
    let target = Target { url: own.n8n_url(), key: own.n8n_key(), project: second_project(&own).await };
    run("drift-real", &target, Duration::from_secs(30)).await;
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

async fn run(name: &str, target: &Target, interval: Duration) {
    let seed = number("WEIRKEEPER_SEED").unwrap_or_else(rand).max(1);
    let rounds = number("WEIRKEEPER_ROUNDS").unwrap_or(1);
    println!("{name}: WEIRKEEPER_SEED={seed}");
    let world = World::bare(Stack::shared(), name, &target.url, &target.key).await;
    let n8n = Relay::to(&target.url);
    world.instance("main", &n8n.url, &target.key, json!({ "interval": "1h" })).await;
    let extra = world.n8n.api("POST", "/tags", Some(json!({ "name": format!("extra {:x}", rand() >> 24) }))).await.json();
    let extra = extra["id"].as_str().expect("a tag").to_owned();
    // The first one tells the project in which workflows are created.
    let mut subjects = vec![subject(&world, 0, None, interval).await];
    let home = world.n8n.workflow(&subjects[0].id).await["shared"][0]["projectId"].as_str().expect("a project").to_owned();
    let all = CHANGED + UNTOUCHED;
    let rest = stream::iter(0..all).map(|number| subject(&world, number, Some(&home), interval)).buffered(8);
    subjects = rest.collect().await;
    for round in 0..rounds {
        let mut dice = Dice(seed.wrapping_add(round).max(1));
        // All were confirmed at least once since they were Ready.
        tokio::time::sleep(interval + Duration::from_secs(5)).await;
        let mut deleted = 0;
        let plans: Vec<(u64, Vec<Step>)> = subjects[..CHANGED]
            .iter()
            .map(|subject| {
                let count = 1 + dice.roll(3);
                let mut steps: Vec<Step> = (0..count).map(|_| Step::any(&mut dice, subject.credential.is_some())).collect();
                for step in steps.iter_mut().filter(|step| **step == Step::Delete) {
                    deleted += 1;
                    if deleted > MOST_DELETED {
                        *step = Step::Archive;
                    }
                }
                (dice.roll(u64::try_from(interval.as_millis()).expect("a short interval")), steps)
            })
            .collect();
        let target = (target.project.as_str(), extra.as_str());
        stream::iter(subjects[..CHANGED].iter().zip(&plans))
            .for_each_concurrent(CHANGED, |(subject, (delay, steps))| {
                let (world, n8n) = (&world, &n8n);
                async move {
                    tokio::time::sleep(Duration::from_millis(*delay)).await;
                    let context = format!("{name} of {}, WEIRKEEPER_SEED={seed}, round {round}: {steps:?}", subject.name);
                    change_and_watch(world, n8n, subject, steps, target, interval, &context).await;
                }
            })
            .await;
        for (subject, (_, steps)) in subjects.iter_mut().zip(&plans) {
            subject.id = id(&world.until_ready(&subject.name).await);
            subject.draft |= leave_a_draft(steps);
        }
    }
    let kinds: BTreeMap<String, usize> =
        n8n.since(0).iter().filter(|one| one.path == "/api/v1/workflows").fold(BTreeMap::new(), |mut all, one| {
            *all.entry(one.method.to_string()).or_default() += 1;
            all
        });
    println!("{name}: {rounds} rounds of {CHANGED} random changes were seen; listings and creates: {kinds:?}");
}

/// Changes a workflow, and expects that the operator looks at it within one interval and ends with what the spec asks for.
async fn change_and_watch(
    world: &World,
    n8n: &Relay,
    subject: &Subject,
    steps: &[Step],
    target: (&str, &str),
    interval: Duration,
    context: &str,
) {
    let (mut changed, mut lost) = (None, false);
    for step in steps {
        let before = (n8n.count(), Instant::now());
        // An earlier step may rule it out: what is archived or deleted cannot be saved.
        if apply(&world.n8n, subject, *step, target).await {
            changed = Some(before);
            lost |= matches!(step, Step::RenameCredential | Step::DeleteCredential);
        }
    }
    let Some((from, at)) = changed else { return };
    let own = format!("/api/v1/workflows/{}", subject.id);
    loop {
        // Nothing is asked before: dozens of these wait side by side.
        let seen = n8n.has_passed_since(from, |one| one.method == "GET" && one.path == own);
        let object = if seen { world.get(&subject.name).await } else { Value::Null };
        let converged = if lost {
            condition(&object, "CredentialsReady")["reason"] == "CredentialNotFound"
        } else {
            has_converged(world, subject, steps, &object).await
        };
        if converged {
            break;
        }
        assert!(at.elapsed() < interval + SLACK, "{context}: read: {seen}, not converged\n{object:#}\n{}", world.operator.tail());
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    if let Some(credential) = &subject.credential {
        restore(&world.n8n, credential).await;
        let at = Instant::now();
        while !ready(&world.get(&subject.name).await) {
            assert!(at.elapsed() < interval + SLACK, "{context}: the credential is there again\n{}", world.operator.tail());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// Reports whether n8n and the status are as they should be after these steps.
async fn has_converged(world: &World, subject: &Subject, steps: &[Step], object: &Value) -> bool {
    let Some(id) = object["status"]["n8nWorkflowId"].as_str() else { return false };
    let workflow = world.n8n.workflow(id).await;
    let drifted = condition(object, "Drifted")["reason"] == "DraftEdited";
    let published = if drifted && (subject.draft || leave_a_draft(steps)) { &workflow["activeVersion"] } else { &workflow };
    let value = &published["nodes"][1]["parameters"]["assignments"]["assignments"][0]["value"];
    let mark = workflow["settings"]["customTelemetryTags"].to_string();
    let tagged = workflow["tags"].as_array().is_some_and(|tags| tags.iter().any(|tag| tag["name"] == "swept"));
    *value == "1"
        && workflow["active"] == true
        && workflow["isArchived"] == false
        && workflow["name"] == format!("Answers {}", subject.path)
        && workflow["settings"]["executionOrder"] == "v1"
        && workflow["shared"][0]["projectId"] == object["spec"]["project"]["id"]
        && mark.contains(&subject.name)
        && tagged
        && ready(object)
}

fn leave_a_draft(steps: &[Step]) -> bool {
    steps.iter().any(|step| matches!(step, Step::SaveDraft(_) | Step::SaveAndPublish(_) | Step::PublishEarlier | Step::Unarchive))
}

async fn subject(world: &World, number: usize, project: Option<&str>, interval: Duration) -> Subject {
    let (name, path) = (format!("w{number:02}"), format!("{}/{number}", world.namespace));
    let with_credential = project.is_some() && number < CHANGED && number % WITH_CREDENTIAL == 1;
    let credential = format!("{name} of {}", world.namespace);
    let mut definition = answering(&path, "1");
    let mut spec = json!({ "active": true, "interval": format!("{}s", interval.as_secs()), "tags": ["swept"] });
    if with_credential {
        stand_in(&world.n8n, "httpHeaderAuth", &credential).await;
        definition["nodes"][0]["parameters"]["authentication"] = json!("headerAuth");
        definition["nodes"][0]["credentials"] = json!({ "httpHeaderAuth": { "id": "OLD", "name": "theirs" } });
        spec["credentials"] = json!([{ "name": "theirs", "existing": { "name": credential } }]);
    }
    if let Some(project) = project {
        spec["project"] = json!({ "id": project });
    }
    spec["definition"] = definition;
    world.workflow(&name, spec).await;
    let id = id(&world.until_ready(&name).await);
    Subject { name, path, id, credential: with_credential.then_some(credential), draft: false }
}

async fn credential_id(n8n: &N8n, name: &str) -> Option<String> {
    let listed = n8n.api("GET", "/credentials?limit=250", None).await.json();
    let found = listed["data"].as_array()?.iter().find(|one| one["name"] == name)?;
    Some(found["id"].as_str()?.to_owned())
}

/// Creates the credential again if it is gone or has another name.
async fn restore(n8n: &N8n, credential: &str) {
    if credential_id(n8n, credential).await.is_none() {
        stand_in(n8n, "httpHeaderAuth", credential).await;
    }
}

/// Makes a change, and returns whether n8n made it.
async fn apply(n8n: &N8n, subject: &Subject, step: Step, (project, extra): (&str, &str)) -> bool {
    let at = format!("/workflows/{}", subject.id);
    let send = |method: &'static str, path: String, body: Value| async move {
        let answer = n8n.api(method, &path, (!body.is_null()).then_some(body)).await;
        (200..300).contains(&answer.status)
    };
    let workflow = n8n.workflow(&subject.id).await;
    if workflow["id"] != subject.id.as_str() {
        return false;
    }
    let save = |publish: bool, change: &dyn Fn(&mut Value)| {
        let mut workflow = workflow.clone();
        change(&mut workflow);
        let mut body = json!({ "name": workflow["name"], "nodes": workflow["nodes"], "connections": workflow["connections"], "settings": workflow["settings"] });
        if workflow["description"].is_string() {
            body["description"] = workflow["description"].clone();
        }
        send("PUT", format!("{at}?publishIfActive={publish}"), body)
    };
    match step {
        Step::SaveDraft(number) => save(false, &|one| set_value(one, &number.to_string())).await,
        Step::SaveAndPublish(number) => save(true, &|one| set_value(one, &number.to_string())).await,
        Step::Rename(number) => save(false, &|one| one["name"] = json!(format!("Renamed {number}"))).await,
        Step::Setting(_) => save(false, &|one| one["settings"]["executionOrder"] = json!("v0")).await,
        Step::Describe(number) => save(false, &|one| one["description"] = json!(number.to_string())).await,
        Step::RemoveMark => save(false, &|one| one["settings"]["customTelemetryTags"] = json!([])).await,
        Step::RemoveTags => send("PUT", format!("{at}/tags"), json!([])).await,
        Step::AddTag => {
            let mut all: Vec<Value> = workflow["tags"].as_array().into_iter().flatten().map(|tag| json!({ "id": tag["id"] })).collect();
            let new = json!({ "id": extra });
            let adds = !all.contains(&new);
            all.push(new);
            adds && send("PUT", format!("{at}/tags"), json!(all)).await
        }
        Step::Archive => send("POST", format!("{at}/archive"), json!({})).await,
        Step::Unarchive => {
            let archived = send("POST", format!("{at}/archive"), json!({})).await;
            archived && send("POST", format!("{at}/unarchive"), json!({})).await
        }
        Step::Unpublish => send("POST", format!("{at}/unpublish"), json!({})).await,
        Step::PublishEarlier => {
            let before = workflow["versionId"].clone();
            save(true, &|one| set_value(one, "later")).await && send("POST", format!("{at}/publish"), json!({ "versionId": before })).await
        }
        Step::Transfer => send("PUT", format!("{at}/transfer"), json!({ "destinationProjectId": project })).await,
        Step::Delete => {
            n8n.delete(&subject.id).await;
            true
        }
        Step::RenameCredential | Step::DeleteCredential => {
            let name = subject.credential.as_deref().expect("it has a credential");
            let Some(id) = credential_id(n8n, name).await else { return false };
            if step == Step::DeleteCredential {
                return send("DELETE", format!("/credentials/{id}"), Value::Null).await;
            }
            send("PATCH", format!("/credentials/{id}"), json!({ "name": format!("other {:x}", rand()) })).await
        }
    }
}
