//! Every rule of a WorkflowPolicy on the real API server: what it allows, what it denies, and what it cannot know. kubectl prints the same
//! sentence behind the webhook as the Workflow's condition says without it, and as `weirkeeper validate --policy` says offline.

mod cases;

use std::process::Command;
use std::time::Instant;

use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::harness::admission::{Admission, apply, delete_now, workflow};
use crate::harness::kubectl::Output;
use crate::harness::world::{PATIENCE, World, condition, current, ready};
use cases::{Case, Wanted, cases};

/// Applies the policy of a case and waits until the operator knows it.
async fn in_force(world: &World, rules: &Value) {
    let policy =
        json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowPolicy", "metadata": { "name": "rules" }, "spec": rules });
    world.apply(policy).await;
    let observed = |policy: &Value| policy["status"]["observedGeneration"] == policy["metadata"]["generation"];
    world.until_kind("WorkflowPolicy", "rules", "it is observed", observed).await;
}

/// A finding, as the command line reports it: its code, and the sentence in which every part of Weirkeeper says it.
struct Sentence {
    code: String,
    severity: String,
    text: String,
}

/// Returns what `weirkeeper validate --policy` finds.
fn offline(world: &World, case: &Case) -> Vec<Sentence> {
    let file = |name: &str| world.stack.dir.join(format!("{}-{name}", world.namespace));
    let (policy, definition) = (file("policy.json"), file("workflow.json"));
    let rules =
        json!({ "apiVersion": "weirkeeper.dev/v1alpha1", "kind": "WorkflowPolicy", "metadata": { "name": "rules" }, "spec": case.rules });
    std::fs::write(&policy, rules.to_string()).expect("a file");
    std::fs::write(&definition, case.definition.to_string()).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_weirkeeper"));
    command.args(["validate", "--no-config", "--output", "json", "--policy"]).arg(policy).arg(definition);
    let output = command.output().expect("the command runs");
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat())));
    let findings = report["findings"].as_array().expect("findings");
    findings.iter().filter(|finding| finding["severity"] != "info").map(sentence).collect()
}

/// Returns a finding as one line, as people read it.
fn sentence(finding: &Value) -> Sentence {
    let part = |key: &str| finding[key].as_str().filter(|text| !text.is_empty());
    let mut text = part("node").map(|node| format!("node \"{node}\": ")).unwrap_or_default();
    text.push_str(&part("path").map(|path| format!("{path}: ")).unwrap_or_default());
    text.push_str(part("message").expect("a message"));
    match (part("got"), part("want")) {
        (Some(got), Some(want)) => text.push_str(&format!(" (found {got}, want {want})")),
        (Some(got), None) => text.push_str(&format!(" (found {got})")),
        (None, Some(want)) => text.push_str(&format!(" (want {want})")),
        (None, None) => {}
    }
    text.push_str(&part("suggestion").map(|meant| format!("; did you mean \"{meant}\"?")).unwrap_or_default());
    let text_of = |key: &str| part(key).expect("text").to_owned();
    Sentence { code: text_of("code"), severity: text_of("severity"), text }
}

/// Reports whether a text says exactly these sentences, in any order, after a head such as `1 error: `.
fn says_exactly(text: &str, sentences: &[&Sentence]) -> bool {
    let Some((_, mut rest)) = text.split_once(": ") else { return sentences.is_empty() };
    let mut left: Vec<&str> = sentences.iter().map(|sentence| sentence.text.as_str()).collect();
    // The longest first: a sentence may begin with another one.
    left.sort_by_key(|text| std::cmp::Reverse(text.len()));
    while let Some(at) =
        left.iter().position(|text| rest.strip_prefix(text).is_some_and(|after| after.is_empty() || after.starts_with("; ")))
    {
        rest = rest[left.remove(at).len()..].trim_start_matches("; ");
    }
    left.is_empty() && rest.is_empty()
}

/// Checks that kubectl printed what was found offline: the errors as the reason of the denial, or else the warnings.
fn check_printed(case: &Case, found: &[Sentence], printed: &Output) -> String {
    let errors: Vec<&Sentence> = found.iter().filter(|sentence| sentence.severity == "error").collect();
    assert_eq!(printed.ok, errors.is_empty(), "{case}: {printed:?}");
    if !errors.is_empty() {
        let (_, message) = printed.err.split_once("admission webhook \"workflows.weirkeeper.dev\" denied the request: ").expect("a denial");
        let last = message.trim_end().lines().last().expect("a line").to_owned();
        assert!(says_exactly(&last, &errors), "{case}: kubectl printed\n{last}\nand not\n{}", texts(&errors));
        return printed.err.trim_end().to_owned();
    }
    let warnings: Vec<&str> = printed.err.lines().filter_map(|line| line.strip_prefix("Warning: ")).collect();
    for sentence in found {
        assert!(warnings.contains(&sentence.text.as_str()), "{case}: kubectl printed\n{warnings:#?}\nand not\n{}", sentence.text);
    }
    let ours: Vec<&str> = printed.err.lines().filter(|line| line.contains("WorkflowPolicy") || line.contains("in plain text")).collect();
    format!("{}{}", ours.iter().map(|line| format!("{line}\n")).collect::<String>(), printed.out.trim_end())
}

fn texts(sentences: &[&Sentence]) -> String {
    sentences.iter().map(|sentence| sentence.text.as_str()).collect::<Vec<_>>().join("\n")
}

/// Checks the expectation of a case against what was found offline.
fn check_offline(case: &Case, found: &[Sentence]) {
    let of_rules: Vec<(&str, &str)> = found
        .iter()
        .filter(|sentence| sentence.code.starts_with("policy-") || sentence.code == "secret-literal")
        .map(|sentence| (sentence.code.as_str(), sentence.severity.as_str()))
        .collect();
    let wanted = match case.wanted {
        Wanted::Allowed => vec![],
        Wanted::Denied(code) => vec![(code, "error")],
        Wanted::Warned(code) => vec![(code, "warning")],
    };
    assert_eq!(of_rules, wanted, "{case}");
    let others = found.iter().filter(|sentence| sentence.severity == "error" && !sentence.code.starts_with("policy-"));
    let others: Vec<&str> = others.map(|sentence| sentence.code.as_str()).filter(|code| *code != "secret-literal").collect();
    assert!(others.is_empty(), "{case}: the definition has no other errors: {others:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_and_the_condition_say_the_same_words_about_every_rule() {
    let (_standin, mut world) = World::on_stand_in("rules-said", json!({})).await;
    world.until_kind("N8nInstance", "main", "Ready", ready).await;
    let admission = Admission::in_front(&mut world, "Fail", &[]).await;
    let cases = cases();
    let mut table = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let name = format!("w{number:02}");
        let found = offline(&world, case);
        check_offline(case, &found);
        in_force(&world, &case.rules).await;
        let printed = apply(&world, &workflow(&name, json!({ "definition": case.definition })), &[]);
        table.push((check_printed(case, &found, &printed), found));
        if printed.ok {
            delete_now(&world, "Workflow", &name).await;
        }
    }

    // The same without a webhook: everything is stored, and the condition decides.
    admission.configurations(&world).delete(&admission.name, &DeleteParams::default()).await.expect("the configuration is deleted");
    world.operator.restart_with(&[]);
    for (number, (case, (printed, found))) in cases.iter().zip(&table).enumerate() {
        let name = format!("x{number:02}");
        in_force(&world, &case.rules).await;
        stored(&world, &workflow(&name, json!({ "definition": case.definition }))).await;
        let decided = |object: &Value| current(object) && !condition(object, "Validated").is_null();
        let object = world.until(&name, "it is evaluated", decided).await;
        let said = condition(&object, "Validated");
        let message = said["message"].as_str().expect("a message");
        let reason = if matches!(case.wanted, Wanted::Denied(_)) { "PolicyDenied" } else { "Valid" };
        assert_eq!(said["reason"], reason, "{case}: {said:#}");
        let all: Vec<&Sentence> = found.iter().collect();
        assert!(found.is_empty() || says_exactly(message, &all), "{case}: the condition says\n{message}\nand not\n{}", texts(&all));
        if matches!(case.wanted, Wanted::Denied(_)) {
            assert_eq!(
                (&condition(&object, "Stalled")["status"], &condition(&object, "Stalled")["message"]),
                (&json!("True"), &said["message"])
            );
            assert_eq!(
                (&object["status"]["deniedBy"], &object["status"]["n8nWorkflowId"]),
                (&json!(["rules"]), &Value::Null),
                "{object:#}"
            );
        }
        println!(
            "{case}\n  policy:    {}\n  kubectl:   {}\n  condition: {message}\n",
            case.rules,
            printed.replace('\n', "\n             ")
        );
        delete_now(&world, "Workflow", &name).await;
    }
    println!("rules: {} cases, each with the same words by kubectl, in the condition and offline", cases.len());
}

/// Stores an object with kubectl. The API server may call a webhook for a moment after its configuration is gone.
async fn stored(world: &World, object: &Value) {
    let started = Instant::now();
    loop {
        let applied = apply(world, object, &[]);
        if applied.ok {
            return;
        }
        assert!(applied.err.contains("failed calling webhook") && started.elapsed() < PATIENCE, "{applied:?}");
    }
}
