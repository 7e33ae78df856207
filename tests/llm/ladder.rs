//! Ways of asking for JSON: found out by refusals and by answers that ignore the schema, and remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use weirkeeper::api::provider::OutputMode;
use weirkeeper::llm::{ErrorKind, ModelSettings, Settings};

use crate::model::{Asked, MODEL, ModelServer, Reply, answer, complete, refuse};
use crate::{GOOD, call, client, client_of, settings};

fn modes(server: &ModelServer) -> Vec<&'static str> {
    server.completions().iter().map(Asked::output_mode).collect()
}

/// Returns a server that refuses each way of asking until it accepts one.
fn accepting(accepted: &'static str, refusal: Reply) -> ModelServer {
    ModelServer::completing(move |asked| {
        if asked.output_mode() != accepted {
            return refusal.clone();
        }
        if accepted == "Tool" {
            let call = json!({ "id": "1", "type": "function", "function": { "name": "workflow", "arguments": GOOD } });
            let message = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
            return answer(200, &json!({ "choices": [{ "message": message, "finish_reason": "tool_calls" }] }));
        }
        complete(asked, GOOD)
    })
}

#[tokio::test]
async fn refused_ways_of_asking_are_left_once_and_for_all() {
    let schema = "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model";
    let steps = ["StrictSchema", "Schema", "Tool", "JSON", "Text"];
    for (number, accepted) in steps.into_iter().enumerate() {
        for refusal in [
            refuse(400, Value::Null, schema),
            answer(400, &json!({ "error": { "code": 400, "message": "unable to generate parser for this template" } })),
            answer(422, &json!({ "detail": [{ "msg": "extra fields not permitted", "loc": ["body", "response_format"] }] })),
            refuse(404, 404, "No endpoints found that support the requested response_format"),
            refuse(500, 500, "tool_choice and response_format are not implemented"),
        ] {
            let server = accepting(accepted, refusal);
            let client = client(&server);
            let reply = client.call(&call()).await.unwrap();
            assert_eq!(reply.text, GOOD);
            assert_eq!(modes(&server), steps[..=number]);
            client.call(&call()).await.unwrap();
            assert_eq!(modes(&server).len(), number + 2, "the second call begins where the first one ended");
            let mode = client.output_modes()[MODEL];
            assert_eq!(mode.as_str(), accepted);
            let sent = server.completions();
            assert!(
                number == 0 || sent[0].header("idempotency-key") != sent[number].header("idempotency-key"),
                "another body, another key"
            );
        }
    }
}

#[tokio::test]
async fn what_is_remembered_is_begun_with_and_what_is_configured_bounds_it() {
    let known = |output, remembered| {
        let server = ModelServer::completing(|asked| complete(asked, GOOD));
        let model = ModelSettings { output: remembered, ..ModelSettings::named(MODEL) };
        (client_of(Settings { output, complex: model, ..settings(&server) }), server)
    };
    for (output, remembered, first) in [
        (OutputMode::StrictSchema, Some(OutputMode::Json), "JSON"),
        (OutputMode::Tool, None, "Tool"),
        (OutputMode::Tool, Some(OutputMode::StrictSchema), "Tool"),
        (OutputMode::StrictSchema, None, "StrictSchema"),
    ] {
        let (client, server) = known(output, remembered);
        client.call(&call()).await.unwrap();
        assert_eq!(modes(&server), [first]);
    }
}

#[tokio::test]
async fn an_ignored_schema_is_asked_for_in_the_question_and_both_answers_are_counted() {
    let server = ModelServer::completing(|asked| match asked.output_mode() {
        "StrictSchema" => complete(asked, "Sure! I would begin with a schedule and then send a message."),
        _ => complete(asked, GOOD),
    });
    let changes = Arc::new(AtomicUsize::new(0));
    let counted = changes.clone();
    let client = client(&server).on_change(move || {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let reply = client.call(&call()).await.unwrap();
    assert_eq!((reply.text.as_str(), modes(&server)), (GOOD, vec!["StrictSchema", "JSON"]));
    let asked = server.completions();
    let input: usize = asked.iter().map(|one| one.body.len() / 4 + 1).sum();
    assert_eq!(reply.usage.input, u64::try_from(input).unwrap());
    assert!(asked[1].json()["messages"][1]["content"].as_str().unwrap().contains("JSON Schema"));
    assert_eq!((client.output_modes()[MODEL], changes.load(Ordering::SeqCst)), (OutputMode::Json, 1));
    client.call(&call()).await.unwrap();
    assert_eq!(changes.load(Ordering::SeqCst), 1, "nothing new");
}

#[tokio::test]
async fn a_model_that_ignores_everything_costs_two_calls_at_first_and_then_one() {
    let server = ModelServer::completing(|asked| complete(asked, "I would rather talk about it."));
    let client = client(&server);
    let reply = client.call(&call()).await.unwrap();
    assert_eq!((reply.text.as_str(), modes(&server)), ("I would rather talk about it.", vec!["StrictSchema", "JSON"]));
    client.call(&call()).await.unwrap();
    assert_eq!(modes(&server), ["StrictSchema", "JSON", "Text"]);
    assert!(client.output_modes().is_empty(), "it has obeyed none");
}

#[tokio::test]
async fn an_answer_that_was_cut_off_says_nothing_about_the_schema() {
    let server = ModelServer::completing(|asked| {
        let mut body = crate::model::completion_body(asked, "{\"name\":\"Rep");
        body["choices"][0]["finish_reason"] = json!("length");
        answer(200, &body)
    });
    let client = client(&server);
    client.call(&call()).await.unwrap();
    client.call(&call()).await.unwrap();
    assert_eq!(modes(&server), ["StrictSchema", "StrictSchema"]);
}

#[tokio::test]
async fn parameters_that_a_model_refuses_are_sent_otherwise() {
    let server = ModelServer::completing(|asked| {
        let body = asked.json();
        if body.get("max_tokens").is_some() {
            let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
            refuse(400, "unsupported_parameter", message)
        } else if body.get("temperature").is_some() {
            refuse(400, "unsupported_value", "Unsupported value: 'temperature' does not support 0.2 with this model.")
        } else if body["messages"][0]["role"] == "system" {
            refuse(400, 400, "System role not supported")
        } else {
            complete(asked, GOOD)
        }
    });
    let client = client(&server);
    client.call(&call()).await.unwrap();
    client.call(&call()).await.unwrap();
    let asked = server.completions();
    assert_eq!(asked.len(), 5);
    let last = asked[4].json();
    assert_eq!((&last["max_completion_tokens"], &last["messages"][0]["role"]), (&json!(400), &json!("user")));
    assert_eq!(asked[4].output_mode(), "StrictSchema");
}

#[tokio::test]
async fn a_server_that_refuses_everything_is_quoted_with_its_first_reason() {
    let server = ModelServer::completing(|asked| match asked.output_mode() {
        "StrictSchema" => refuse(400, Value::Null, "the first reason"),
        _ => refuse(400, Value::Null, "another reason"),
    });
    let error = client(&server).call(&call()).await.unwrap_err();
    assert!(error.kind == ErrorKind::Rejected && error.message.contains("the first reason") && !error.may_have_been_paid, "{error:?}");
    assert_eq!(server.completions().len(), 5);
}
