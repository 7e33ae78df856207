use proptest::prelude::*;

use super::*;

fn review(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "operation": "CREATE", "namespace": "team-a", "name": "a",
            "kind": { "group": "weirkeeper.dev", "version": "v1alpha1", "kind": "Workflow" },
            "object": { "metadata": { "name": "a", "managedFields": [{ "x": 1 }] }, "spec": { "active": true } },
            "oldObject": null, "dryRun": false, "options": { "x": 1 },
        },
    });
    change(&mut review);
    review.to_string().into_bytes()
}

#[test]
fn a_review_is_read_without_the_owners_of_fields() {
    let Review { uid, kind, request } = read(&review(|_| {})).unwrap();
    assert_eq!((uid.len(), kind, request.operation), (36, Kind::Workflow, AdmissionOperation::Create));
    assert_eq!((request.namespace.as_str(), request.name.as_str()), ("team-a", "a"));
    assert_eq!(request.object, json!({ "metadata": { "name": "a" }, "spec": { "active": true } }));
    let deleted = read(&review(|review| {
        review["request"]["operation"] = json!("DELETE");
        review["request"]["object"] = Value::Null;
    }));
    assert_eq!(deleted.unwrap().request.operation, AdmissionOperation::Other);
    let scaled = read(&review(|review| review["request"]["subResource"] = json!("status")));
    assert!(scaled.unwrap().request.subresource);
    let generated = read(&review(|review| drop(review["request"].as_object_mut().unwrap().remove("name"))));
    assert_eq!(generated.unwrap().request.name, "a");
}

#[test]
fn what_is_no_review_is_refused_with_what_was_found() {
    let change = |path: &'static str, value: Value| move |review: &mut Value| *review.pointer_mut(path).unwrap() = value;
    for (body, why) in [
        (Vec::new(), "the body is not JSON"),
        (b"\xff\xfe\x00".to_vec(), "the body is not JSON"),
        (b"{\"apiVersion\":\"admission.k8s.io/v1\"".to_vec(), "the body is not JSON"),
        (b"[1, 2]".to_vec(), "apiVersion is no text"),
        ([review(|_| {}), b"x".to_vec()].concat(), "the body is not JSON"),
        (
            review(change("/apiVersion", json!("admission.k8s.io/v1beta1"))),
            "apiVersion is admission.k8s.io/v1beta1, and must be admission.k8s.io/v1",
        ),
        (review(change("/kind", json!("Pod"))), "kind is Pod"),
        (review(change("/request", Value::Null)), "request.uid is missing"),
        (review(change("/request/uid", json!(""))), "request.uid is missing"),
        (review(change("/request/uid", json!("x".repeat(500)))), "request.uid is missing or too long"),
    ] {
        let Err(Unread::NoReview(message)) = read(&body) else { panic!("{why}") };
        assert!(message.contains(why), "{message}");
    }
}

#[test]
fn a_review_without_a_usable_object_is_denied() {
    let nested = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let deep = String::from_utf8(review(|_| {})).unwrap().replace("\"active\":true", &format!("\"definition\":{}", nested(100_000)));
    for (body, why) in [
        (review(|review| review["request"]["object"] = Value::Null), "the review has no object"),
        (review(|review| review["request"]["object"] = json!("text")), "the review has no object"),
        (deep.clone().into_bytes(), "spec.definition.a.a"),
    ] {
        let Err(Unread::NoObject { uid, message }) = read(&body) else { panic!("{why}") };
        assert!(uid.starts_with("705ab4f5") && message.contains(why), "{message}");
    }
    let elsewhere = deep.replace("\"kind\":\"Workflow\"", "\"kind\":\"Pod\"");
    assert_eq!(read(elsewhere.as_bytes()).unwrap().kind, Kind::Other("Pod".to_owned()), "it is not examined");
}

#[test]
fn the_answer_repeats_the_uid_and_bounds_what_it_says() {
    let decision = AdmissionResponse { denied: Some("wrong".to_owned()), warnings: vec!["x".repeat(10_000)] };
    let answer = answer("u", &decision);
    let response = &answer["response"];
    assert_eq!((&response["uid"], &response["allowed"], &response["status"]["code"]), (&json!("u"), &json!(false), &json!(403)));
    assert_eq!(response["status"]["message"], "wrong");
    assert!(response["warnings"][0].as_str().unwrap().len() <= 256);
    let allowed = super::answer("u", &AdmissionResponse::allowed());
    assert_eq!(allowed["response"], json!({ "uid": "u", "allowed": true }));
}

proptest! {
    #[test]
    fn no_body_is_a_crash(body in proptest::collection::vec(any::<u8>(), 0..300), cut in 0usize..400, at in 0usize..400, byte in any::<u8>()) {
        let _ = read(&body);
        let mut whole = review(|_| {});
        let at = at % whole.len();
        whole[at] = byte;
        let _ = read(&whole);
        let _ = read(&whole[..cut.min(whole.len())]);
    }
}
