//! The client of language models against a real server: llama.cpp with a small model. `make test` runs these tests; they are ignored where the
//! stack was built without Python.

// A panic is how a test fails, so preconditions are expected.
#![allow(clippy::expect_used, clippy::unwrap_used)]

#[path = "../model/llama.rs"]
mod llama;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Trial};
use llama::{LLAMA_MODEL, LlamaServer};
use serde_json::{Value, json};
use weirkeeper::api::provider::OutputMode;
use weirkeeper::catalog::Catalog;
use weirkeeper::generation::call::{Finish, Message, ModelCall, ModelTier, OutputSchema, Role, Stage};
use weirkeeper::generation::engine::{Inventory, Provider, Request, Step, Tier, step};
use weirkeeper::generation::extract::extract;
use weirkeeper::generation::outcome::Answers;
use weirkeeper::generation::prompt::Clarification;
use weirkeeper::http::ApiKey;
use weirkeeper::llm::{ErrorKind, ModelClient, ModelMetrics, Settings};

/// A test, which is given the server.
type Test = fn(&LlamaServer);

const TESTS: &[(&str, Test)] = &[
    ("a_schema_is_obeyed_and_the_usage_is_that_of_the_server", a_schema_is_obeyed_and_the_usage_is_that_of_the_server),
    ("a_repeated_question_is_found_in_the_cache", a_repeated_question_is_found_in_the_cache),
    ("a_wrong_key_is_refused", a_wrong_key_is_refused),
    ("an_unusable_schema_is_left_for_the_next_weaker_way", an_unusable_schema_is_left_for_the_next_weaker_way),
    ("an_answer_ends_at_the_maximum_length", an_answer_ends_at_the_maximum_length),
    ("a_question_that_is_too_long_says_so", a_question_that_is_too_long_says_so),
    ("a_check_finds_the_model", a_check_finds_the_model),
    ("a_model_keeps_to_the_schema_of_workflows_as_far_as_it_gets", a_model_keeps_to_the_schema_of_workflows_as_far_as_it_gets),
];

fn main() {
    let packages = LlamaServer::packages();
    // One server for all: a start takes seconds.
    let server = Arc::new(std::sync::OnceLock::new());
    let trials = TESTS.iter().map(|(name, test)| {
        let (server, packages) = (server.clone(), packages.clone());
        let run = move || {
            test(server.get_or_init(|| LlamaServer::start(&packages.expect("the packages"))));
            Ok(())
        };
        Trial::test(*name, run).with_ignored_flag(LlamaServer::packages().is_none())
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

fn client(server: &LlamaServer, key: &str) -> ModelClient {
    let settings = Settings {
        key: Some(ApiKey::parse(key).unwrap()),
        timeout: Duration::from_secs(240),
        allow_loopback: true,
        ..Settings::new(server.base_url().parse().unwrap(), LLAMA_MODEL)
    };
    ModelClient::new(settings, ModelMetrics::register(&prometheus::Registry::new()).unwrap()).unwrap()
}

fn call(text: &str, schema: Value, maximum_output_tokens: u32) -> ModelCall {
    let message = |role, text: &str| Message { role, text: text.to_owned() };
    ModelCall {
        key: "k".to_owned(),
        stage: Stage::Plan,
        tier: ModelTier::Simple,
        messages: vec![message(Role::System, "You answer with JSON."), message(Role::User, text)],
        output: Some(OutputSchema { name: "answer".to_owned(), strict: schema.clone(), schema }),
        maximum_output_tokens,
    }
}

fn yes_or_no() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "required": ["answer"],
        "properties": { "answer": { "type": "string", "enum": ["yes", "no"] } },
    })
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn a_schema_is_obeyed_and_the_usage_is_that_of_the_server(server: &LlamaServer) {
    let client = client(server, server.key());
    let reply = wait(client.call(&call("Is the sky green?", yes_or_no(), 40))).unwrap();
    let answer = extract(&reply.text).unwrap();
    assert!(answer["answer"] == "yes" || answer["answer"] == "no", "{}", reply.text);
    assert!(reply.finish == Finish::Stop && !reply.usage.estimated && reply.usage.output <= 40, "{reply:?}");
    assert_eq!(client.output_modes()[LLAMA_MODEL], OutputMode::StrictSchema);
    assert_eq!(reply.model, LLAMA_MODEL);
}

fn a_repeated_question_is_found_in_the_cache(server: &LlamaServer) {
    let client = client(server, server.key());
    let rules = "Rules that stay the same for each question, and are long enough to be worth it. ".repeat(6);
    let question = call(&rules, yes_or_no(), 40);
    wait(client.call(&question)).unwrap();
    let usage = wait(client.call(&question)).unwrap().usage;
    assert!(usage.cached > 0 && usage.cached <= usage.input && !usage.estimated, "{usage:?}");
}

fn a_wrong_key_is_refused(server: &LlamaServer) {
    let wrong: String = server.key().chars().rev().collect();
    let client = client(server, &wrong);
    let error = wait(client.call(&call("?", yes_or_no(), 40))).unwrap_err();
    assert!(error.kind == ErrorKind::Unauthorized && !error.may_have_been_paid && !error.message.contains(&wrong), "{error:?}");
    assert_eq!(wait(client.check()).unwrap_err().kind, ErrorKind::Unauthorized);
}

fn an_unusable_schema_is_left_for_the_next_weaker_way(server: &LlamaServer) {
    let client = client(server, server.key());
    let mut question = call("Is the sky green?", yes_or_no(), 40);
    question.output.as_mut().unwrap().strict = json!({ "type": "nonsense" });
    let reply = wait(client.call(&question)).unwrap();
    assert!(extract(&reply.text).unwrap().contains_key("answer") && !reply.usage.estimated, "{reply:?}");
    assert_eq!(client.output_modes()[LLAMA_MODEL], OutputMode::Schema);
}

fn an_answer_ends_at_the_maximum_length(server: &LlamaServer) {
    let client = client(server, server.key());
    let mut question = call("Tell a long story.", yes_or_no(), 6);
    question.output = None;
    let reply = wait(client.call(&question)).unwrap();
    assert_eq!((reply.finish, reply.usage.output), (Finish::Length, 6));
}

fn a_question_that_is_too_long_says_so(server: &LlamaServer) {
    let client = client(server, server.key());
    let error = wait(client.call(&call(&"many different words in one question ".repeat(1_500), yes_or_no(), 40))).unwrap_err();
    assert!(error.kind == ErrorKind::TooLong && !error.may_have_been_paid, "{error:?}");
}

fn a_check_finds_the_model(server: &LlamaServer) {
    let listed = wait(client(server, server.key()).check()).unwrap();
    assert!(listed.lists && listed.missing.is_empty(), "{listed:?}");
}

/// Maximum number of tokens of an answer about a workflow: this model repeats itself without end if it does not come to one soon.
const ANSWER_TOKENS: u32 = 160;

/// The server takes the strict schema of workflows; answers begin as it says, and those that end are read.
fn a_model_keeps_to_the_schema_of_workflows_as_far_as_it_gets(server: &LlamaServer) {
    const PROMPTS: [&str; 6] = [
        "Answer a webhook",
        "Ask a question",
        "Refuse",
        // The model repeats what it is shown, and so comes to an end.
        r#"Answer with exactly this: {"assumptions": [], "effects": [], "questions": [], "refusal": "no", "workflow": null}"#,
        r#"Say no. The answer is {"assumptions": [], "effects": [], "questions": [], "refusal": "It is not allowed.", "workflow": null}"#,
        r#"Repeat: {"assumptions": [], "effects": ["a request is answered"], "questions": [], "refusal": null, "workflow": null}"#,
    ];
    let client = client(server, server.key());
    let request = Request {
        prompt: "Build the frobnication gateway.",
        answers: &Answers::new(),
        timezone: None,
        clarification: Clarification::Ask,
        tier: Tier::Auto,
        base: None,
        failure: None,
        conversation: &[],
        inventory: &Inventory::default(),
        policies: &[],
        catalog: Catalog::embedded(),
        provider: Provider::Model { identity: "llama" },
        salt: "",
        attempts: 1,
    };
    let Step::Call(calls) = step(&request, &BTreeMap::new()) else { panic!("a model is to be asked") };
    let schema = calls[0].output.clone().unwrap();
    let (mut ended, mut read, mut cut, mut partly) = (0, 0, 0, 0);
    for prompt in PROMPTS {
        // The rules take more than the model reads; the schema is what is tried here.
        let mut question = call(prompt, yes_or_no(), ANSWER_TOKENS);
        question.output = Some(schema.clone());
        let reply = wait(client.call(&question)).unwrap();
        // Only an answer that ended confirms the way of asking.
        assert!(client.output_modes().get(LLAMA_MODEL).is_none_or(|mode| *mode == OutputMode::StrictSchema), "the server takes the schema");
        match (reply.finish, extract(&reply.text)) {
            (Finish::Stop, answer) => {
                ended += 1;
                read += usize::from(answer.is_ok_and(|answer| answer.contains_key("workflow") && answer.contains_key("questions")));
            }
            _ => {
                cut += 1;
                partly += usize::from(reply.text.trim_start().starts_with('{'));
            }
        }
    }
    println!(
        "of {} answers of at most {} tokens under the strict schema {ended} ended, of which {read} are read; {cut} were cut off, of which {partly} had \
         begun as they must",
        PROMPTS.len(),
        ANSWER_TOKENS
    );
    assert_eq!((read, partly), (ended, cut));
}
