//! Answers of every shape.

use serde_json::{Value, json};
use weirkeeper::generation::call::{Finish, Usage};
use weirkeeper::generation::extract::extract;
use weirkeeper::llm::ErrorKind;

use crate::model::{Asked, ModelServer, Reply, answer, complete, completion_body, http};
use crate::{GOOD, call, client};

/// A change to the body of a completion.
type Change = fn(&mut Value);

#[tokio::test]
async fn a_complete_answer_has_its_text_its_usage_and_the_name_of_the_model() {
    let server = ModelServer::completing(|asked| complete(asked, GOOD));
    let reply = client(&server).call(&call()).await.unwrap();
    let asked = &server.completions()[0];
    let input = u64::try_from(asked.body.len() / 4 + 1).unwrap();
    let usage = Usage { input, cached: input / 2, output: u64::try_from(GOOD.len() / 4 + 1).unwrap(), estimated: false };
    assert_eq!((reply.text.as_str(), reply.finish, reply.usage, reply.model.as_str()), (GOOD, Finish::Stop, usage, crate::MODEL));
    assert_eq!(asked.header("idempotency-key"), Some(call().key.as_str()));
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(asked.json()["max_tokens"], 400);
}

#[tokio::test]
async fn an_object_is_found_in_fences_prose_and_thoughts() {
    let texts = [
        format!("```json\n{GOOD}\n```"),
        format!("Here is your workflow:\n\n```\n{GOOD}\n```\nIt uses invented nodes."),
        format!("Sure! {GOOD}"),
        format!("<think>Should I? {{\"a\":1}}</think>\n{GOOD}"),
    ];
    for text in texts {
        let server = ModelServer::completing({
            let text = text.clone();
            move |asked| complete(asked, &text)
        });
        let reply = client(&server).call(&call()).await.unwrap();
        assert_eq!(reply.text, text, "the text is handed on as it is");
        assert!(extract(&reply.text).unwrap().contains_key("nodes"));
        assert_eq!(server.completions().len(), 1, "{text}: nothing was ignored");
    }
}

#[tokio::test]
async fn the_end_of_an_answer_is_known() {
    let table: [(Change, Finish); 5] = [
        (|body| body["choices"][0]["finish_reason"] = json!("length"), Finish::Length),
        (|body| body["choices"][0]["finish_reason"] = json!("content_filter"), Finish::Refused),
        (|body| body["choices"][0]["message"] = json!({ "content": null, "refusal": "I cannot help with that." }), Finish::Refused),
        (|body| body["choices"][0]["finish_reason"] = json!(null), Finish::Stop),
        (|body| body["choices"][0]["finish_reason"] = json!("something new"), Finish::Stop),
    ];
    for (change, finish) in table {
        let server = ModelServer::completing(move |asked| {
            let mut body = completion_body(asked, GOOD);
            change(&mut body);
            answer(200, &body)
        });
        let reply = client(&server).call(&call()).await.unwrap();
        assert_eq!((reply.finish, server.completions().len()), (finish, 1));
    }
}

#[tokio::test]
async fn a_question_that_a_filter_refuses_is_answered_as_refused() {
    let body = json!({ "error": { "code": "content_filter", "message": "The response was filtered due to the prompt", "status": 400 } });
    let server = ModelServer::replying(vec![answer(400, &body)]);
    let reply = client(&server).call(&call()).await.unwrap();
    assert_eq!((reply.finish, reply.usage, server.completions().len()), (Finish::Refused, Usage::default(), 1));
}

#[tokio::test]
async fn a_usage_that_is_missing_or_cannot_be_true_is_estimated() {
    let table: [Change; 7] = [
        |body| drop(body.as_object_mut().unwrap().remove("usage")),
        |body| body["usage"] = json!(null),
        |body| body["usage"] = json!({ "prompt_tokens": 0, "completion_tokens": 0 }),
        |body| body["usage"] = json!({ "prompt_tokens": -1, "completion_tokens": -1 }),
        |body| body["usage"] = json!({ "prompt_tokens": 1_000_000_000, "completion_tokens": 1_000_000_000 }),
        |body| body["usage"] = json!({ "prompt_tokens": "lots", "completion_tokens": "few" }),
        |body| body["usage"] = json!([1, 2, 3]),
    ];
    for change in table {
        let server = ModelServer::completing(move |asked| {
            let mut body = completion_body(asked, GOOD);
            change(&mut body);
            answer(200, &body)
        });
        let usage = client(&server).call(&call()).await.unwrap().usage;
        let question = u64::try_from(server.completions()[0].body.len()).unwrap();
        assert!(usage.estimated && usage.input == question.div_ceil(3) && usage.output == 10, "{usage:?} of {question}");
    }
    let server = ModelServer::completing(|asked| {
        let mut body = completion_body(asked, GOOD);
        body["usage"]["prompt_tokens"] = json!(body["usage"]["prompt_tokens"].to_string());
        answer(200, &body)
    });
    assert!(!client(&server).call(&call()).await.unwrap().usage.estimated, "a number in quotes is a number");
}

#[tokio::test]
async fn what_is_no_completion_cannot_be_used_and_is_not_paid_for_twice() {
    let html = |status| Reply::Send(http(status, "", "text/html", "<!doctype html><title>Sign in</title>"));
    let stream = "data: {\"choices\":[]}\n\ndata: [DONE]\n\n";
    for (reply, kind) in [
        (html(200), ErrorKind::NotApi),
        (Reply::Send(http(200, "", "text/event-stream", stream)), ErrorKind::NotApi),
        (Reply::Send(http(200, "", "text/plain", "OK")), ErrorKind::NotApi),
        (answer(200, &json!({ "choices": [] })), ErrorKind::Unusable),
        (answer(200, &json!([])), ErrorKind::Unusable),
        (answer(200, &json!({ "object": "list", "data": [] })), ErrorKind::Unusable),
        (answer(200, &json!({ "choices": [{ "message": { "content": null }, "finish_reason": "stop" }] })), ErrorKind::Unusable),
    ] {
        let server = ModelServer::replying(vec![reply]);
        let error = client(&server).call(&call()).await.unwrap_err();
        assert!(error.kind == kind && error.may_have_been_paid, "{error:?}");
        assert_eq!(server.completions().len(), 1, "{error}");
    }
}

#[tokio::test]
async fn a_wrong_content_type_does_no_harm() {
    let server = ModelServer::completing(|asked| Reply::Send(http(200, "", "text/html", &completion_body(asked, GOOD).to_string())));
    assert_eq!(client(&server).call(&call()).await.unwrap().text, GOOD);
}

#[tokio::test]
async fn a_lone_surrogate_and_deep_nesting_do_no_harm() {
    let server = ModelServer::completing(|asked| {
        let body = completion_body(asked, "half a pair: HALF").to_string().replace("HALF", "\\ud83d");
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        Reply::Send(http(200, "", "application/json", &body.replacen('{', &format!("{{\"deep\":{deep},"), 1)))
    });
    let mut without_schema = call();
    without_schema.output = None;
    assert_eq!(client(&server).call(&without_schema).await.unwrap().text, "half a pair: \u{fffd}");
}

#[tokio::test]
async fn bytes_that_are_no_text_do_no_harm() {
    let server = ModelServer::completing(|asked| {
        let body = completion_body(asked, "half a letter: HALF").to_string();
        let at = body.find("HALF").unwrap();
        let mut bytes = body.into_bytes();
        bytes.splice(at..at + 4, [0xc3, b'!', 0xff, b'?']);
        let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", bytes.len()).into_bytes();
        answer.extend(bytes);
        Reply::Send(answer)
    });
    let mut without_schema = call();
    without_schema.output = None;
    assert_eq!(client(&server).call(&without_schema).await.unwrap().text, "half a letter: \u{fffd}!\u{fffd}?");
}

#[tokio::test]
async fn the_same_wrong_answer_is_handed_on_each_time() {
    let wrong = r#"{"name":"Report","nodes":["n8n-nodes-base.telepathy"]}"#;
    let server = ModelServer::completing(move |asked: &Asked| complete(asked, wrong));
    let client = client(&server);
    for _ in 0..2 {
        assert_eq!(client.call(&call()).await.unwrap().text, wrong);
    }
    assert_eq!(server.completions().len(), 2);
}
