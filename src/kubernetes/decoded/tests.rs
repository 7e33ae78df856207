use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures::{StreamExt, TryStreamExt};
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::*;

/// Returns a client to which the API server answers one text after another.
fn client(answers: &[String]) -> Client {
    let answers = Arc::new(Mutex::new(answers.iter().cloned().collect::<VecDeque<_>>()));
    let answer = tower::service_fn(move |_: Request<Body>| {
        let text = answers.lock().unwrap().pop_front().unwrap();
        async move { Ok::<_, std::convert::Infallible>(axum::http::Response::new(Body::from(text.into_bytes()))) }
    });
    Client::new(answer, "default")
}

fn nested(levels: usize) -> String {
    format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels))
}

/// Returns a Workflow whose definition nests `levels` deep, and its managedFields a little deeper, as the API server keeps it.
fn workflow(name: &str, levels: usize) -> String {
    let meta = json!({ "name": name, "namespace": "n", "uid": name, "resourceVersion": "7", "generation": 1 }).to_string();
    let meta = meta.trim_end_matches('}');
    format!(
        "{{\"apiVersion\":\"weirkeeper.dev/v1alpha1\",\"kind\":\"Workflow\",\"metadata\":{meta},\"managedFields\":[{{\"manager\":\"m\",\"operation\":\"Apply\",\
         \"fieldsV1\":{{\"f:spec\":{{\"f:definition\":{0}}}}}}}]}},\"spec\":{{\"instanceRef\":{{\"name\":\"main\"}},\"definition\":{0}}},\
         \"status\":{{\"n8nWorkflowId\":\"W1\"}}}}",
        nested(levels)
    )
}

const LEVELS_OF_A_REPORT: [usize; 3] = [118, 140, 9_000];

#[tokio::test]
async fn an_object_that_nests_too_deep_stops_neither_a_list_nor_a_watch() {
    for levels in LEVELS_OF_A_REPORT {
        let (deep, flat) = (workflow("deep", levels), workflow("flat", 3));
        let list = format!("{{\"kind\":\"WorkflowList\",\"metadata\":{{\"resourceVersion\":\"9\"}},\"items\":[{deep},{flat}]}}");
        let events = format!("{{\"type\":\"ADDED\",\"object\":{deep}}}\n{{\"type\":\"MODIFIED\",\"object\":{flat}}}\n");
        let api = Api::<Decoded<IndexedWorkflow>>::all(client(&[list, events]));
        let listed = api.list(&ListParams::default()).await.unwrap();
        let seen: Vec<String> = listed.iter().map(|one| one.0.as_ref().unwrap().name().to_owned()).collect();
        assert_eq!(seen, ["deep", "flat"]);
        let indexed = listed.items[0].0.as_ref().unwrap();
        assert_eq!((indexed.instance(), indexed.status.n8n_workflow_id.as_deref()), (("n", "main"), Some("W1")));
        let watched = api.watch(&WatchParams::default(), "9").await.unwrap().boxed();
        let events: Vec<WatchEvent<Decoded<IndexedWorkflow>>> = watched.try_collect().await.unwrap();
        assert!(matches!(&events[..], [WatchEvent::Added(deep), WatchEvent::Modified(flat)]
            if deep.name_any() == "deep" && flat.0.is_ok()));
    }
}

#[tokio::test]
async fn the_error_names_where_an_object_nests_too_deep() {
    let api = Api::<Decoded<Workflow>>::namespaced(client(&[workflow("deep", 140), workflow("fine", 100)]), "n");
    let undecodable = api.get("deep").await.unwrap().0.unwrap_err();
    assert!(
        undecodable.why.starts_with("spec.definition.a.a") && undecodable.why.contains("… nests deeper than 120 levels"),
        "{}",
        undecodable.why
    );
    assert_eq!((undecodable.metadata.name.as_deref(), undecodable.data["status"]["n8nWorkflowId"].as_str()), (Some("deep"), Some("W1")));
    assert!(api.get("fine").await.unwrap().0.is_ok());
}

#[test]
fn of_metadata_that_do_not_fit_what_the_object_is_found_by_is_kept() {
    let text = json!({ "metadata": { "name": "a", "namespace": "n", "uid": "u", "resourceVersion": "3", "labels": 7,
        "managedFields": "none" }, "spec": [] });
    let undecodable = serde_json::from_str::<Decoded<Workflow>>(&text.to_string()).unwrap().0.unwrap_err();
    assert_eq!((undecodable.metadata.name.as_deref(), undecodable.metadata.resource_version.as_deref()), (Some("a"), Some("3")));
    for odd in ["null", "[]", "7", "{\"metadata\":null}"] {
        assert!(serde_json::from_str::<Decoded<Workflow>>(odd).unwrap().0.is_err(), "{odd}");
    }
    assert!(!format!("{undecodable:?}").contains("spec"));
}

/// Lists an object of a kind that nests deep, beside a flat one, and returns the names.
async fn listed<K>(kind: &str, deep: &str, flat: &str) -> Vec<String>
where
    K: Decode + kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug,
{
    let object = |name: &str, spec: &str| {
        format!(
            "{{\"apiVersion\":\"weirkeeper.dev/v1alpha1\",\"kind\":\"{kind}\",\"metadata\":{{\"name\":\"{name}\",\"namespace\":\"n\",\"uid\":\"{name}\"}},\"spec\":{spec}}}"
        )
    };
    let items = format!("{},{}", object("deep", deep), object("flat", flat));
    let list = format!("{{\"kind\":\"{kind}List\",\"metadata\":{{\"resourceVersion\":\"9\"}},\"items\":[{items}]}}");
    let listed = Api::<Decoded<K>>::all(client(&[list])).list(&ListParams::default()).await.unwrap();
    listed.items.iter().map(ResourceExt::name_any).collect()
}

#[tokio::test]
async fn deep_templates_prompts_and_credentials_are_listed_too() {
    for levels in LEVELS_OF_A_REPORT {
        let deep = nested(levels);
        let definition = format!("{{\"definition\":{deep}}}");
        assert_eq!(listed::<IndexedTemplate>("WorkflowTemplate", &definition, "{}").await, ["deep", "flat"]);
        let probe = format!("{{\"prompt\":\"a\",\"workflow\":{{\"healthCheck\":{{\"probes\":[{{\"expectedJSON\":{deep}}}]}}}}}}");
        assert_eq!(listed::<IndexedPrompt>("WorkflowPrompt", &probe, "{}").await, ["deep", "flat"]);
        assert_eq!(listed::<WorkflowPrompt>("WorkflowPrompt", &probe, "{}").await, ["deep", "flat"]);
        assert_eq!(listed::<IndexedCredential>("N8nCredential", &definition, "{}").await, ["deep", "flat"]);
    }
}
