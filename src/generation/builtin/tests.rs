//! Tests of the provider: a table of prompts with their outcome, and prompts whose whole workflow is checked.

mod values;

use proptest::prelude::*;
use serde_json::Value;

use super::propose;
use crate::catalog::Catalog;
use crate::document::finding::has_errors;
use crate::generation::outcome::{Answers, Candidate, Outcome};
use crate::generation::prompt::{Clarification, MAX_PROMPT, Prompt};
use crate::validator::schema::required_credentials;

/// One prompt on each line: `expect` is what comes of it (`unbuilt`: anything but a workflow; `any`: whatever, without a fault), `nodes` are node
/// types that the workflow must have.
const TABLE: &str = include_str!("prompts.jsonl");

fn with(text: &str, answers: &[(&str, &str)], clarification: Clarification) -> Outcome {
    let answers: Answers = answers.iter().map(|(id, answer)| ((*id).to_owned(), (*answer).to_owned())).collect();
    propose(&Prompt { text, answers: &answers, timezone: Some("Europe/Berlin"), clarification, catalog: Catalog::embedded() })
}

fn proposed(text: &str) -> Outcome {
    with(text, &[], Clarification::Ask)
}

fn built(text: &str) -> Candidate {
    match proposed(text) {
        Outcome::Built(candidate) => *candidate,
        other => panic!("{text}: {other:?}"),
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Built(_) => "built",
        Outcome::Questions(_) => "questions",
        Outcome::Abstained(_) => "abstained",
        Outcome::Refused(_) => "refused",
        Outcome::Failed(_) => "failed",
    }
}

/// Returns the short types of the nodes.
fn types(candidate: &Candidate) -> Vec<&str> {
    candidate.definition.nodes.iter().filter_map(|node| node.kind().rsplit_once('.')).map(|(_, short)| short).collect()
}

#[test]
fn each_prompt_of_the_table_has_its_outcome() {
    let mut wrong = Vec::new();
    let (mut english, mut others) = (0, 0);
    for line in TABLE.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let (text, expect) = (row["prompt"].as_str().unwrap(), row["expect"].as_str().unwrap());
        *(if row["lang"].is_null() { &mut english } else { &mut others }) += 1;
        let outcome = proposed(text);
        let got = word(&outcome);
        let fits = expect == got || expect == "any" || expect == "unbuilt" && got != "built";
        let missing: Vec<&str> = match &outcome {
            Outcome::Built(candidate) => {
                let types = types(candidate);
                let wanted = row["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str);
                wanted.filter(|kind| !types.contains(kind)).collect()
            }
            _ => Vec::new(),
        };
        if !fits || !missing.is_empty() {
            wrong.push(format!("{text}: {got}, not {expect}; without {missing:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(english >= 40 && others >= 20, "{english} {others}");
}

#[test]
fn what_is_built_is_valid_names_its_credentials_and_invents_nothing() {
    for line in TABLE.lines() {
        let row: Value = serde_json::from_str(line).unwrap();
        let text = row["prompt"].as_str().unwrap();
        let Outcome::Built(candidate) = proposed(text) else { continue };
        assert!(!has_errors(&candidate.findings), "{text}: {:?}", candidate.findings);
        for needed in required_credentials(&candidate.definition, Catalog::embedded()) {
            let node = candidate.definition.node(&needed.node).unwrap();
            for kind in needed.types {
                assert_eq!(node.credentials().unwrap()[&kind]["name"], kind.as_str(), "{text}");
            }
        }
        // Addresses of the prompt only.
        let written = serde_json::to_string(&candidate.compact.unwrap().nodes).unwrap();
        for (at, _) in written.match_indices("https://") {
            let address: String = written[at..].chars().take_while(|c| !matches!(c, '"' | '\'' | ' ' | '\\')).collect();
            assert!(text.contains(&address) || address == "https://www.youtube.com/watch?v=", "{text}: {address}");
        }
        assert!(!written.contains("example@") && !written.contains("user@"), "{text}");
    }
}

#[test]
fn the_table_has_no_prompt_twice() {
    let mut prompts: Vec<&str> = TABLE.lines().collect();
    prompts.sort_unstable();
    let all = prompts.len();
    prompts.dedup();
    assert_eq!(prompts.len(), all);
}

#[test]
fn one_summary_of_large_orders_is_sent_on_weekdays() {
    let candidate =
        built("Every weekday at 8 read orders over 100 EUR from https://shop.example/api/orders and post one summary to Slack #sales.");
    assert_eq!(types(&candidate), ["scheduleTrigger", "httpRequest", "filter", "aggregate", "slack"]);
    let compact = candidate.compact.unwrap();
    let rule = &compact.nodes[0].set["rule"]["interval"];
    assert_eq!(rule[0]["triggerAtDay"], serde_json::json!([1, 2, 3, 4, 5]));
    assert_eq!((rule[0]["triggerAtHour"].as_u64(), rule.as_array().map(Vec::len)), (Some(8), Some(1)));
    let condition = &compact.nodes[2].when[0].of[0];
    assert_eq!((condition.op.as_str(), condition.right.as_i64()), ("number.gt", Some(100)));
    assert_eq!(compact.nodes[4].set["channelId"], "#sales");
    assert!(candidate.slots.is_empty(), "the prompt has all");
    assert_eq!(compact.settings.timezone.as_deref(), Some("Europe/Berlin"));
    assert!(candidate.assumptions.iter().any(|text| text.contains("Europe/Berlin")), "{:?}", candidate.assumptions);
    assert!(
        candidate
            .definition
            .nodes
            .iter()
            .all(|node| node.kind() != "n8n-nodes-base.slack" || node.credentials().unwrap().contains_key("slackApi"))
    );
}

#[test]
fn the_recipient_of_a_mail_comes_from_the_form_and_not_from_the_sheet() {
    let candidate =
        built("Ask the user in a form for name and mail, write both to a Google Sheet and send a thank-you mail to the address.");
    let compact = candidate.compact.unwrap();
    let mail = compact.nodes.iter().find(|node| node.kind == "emailSend").unwrap();
    assert_eq!(mail.set["toEmail"], "{{n1.email}}");
    assert!(compact.edges.contains(&"n1>n3".to_owned()), "the mail does not depend on the sheet: {:?}", compact.edges);
}

#[test]
fn the_two_ways_of_a_webhook_are_exclusive_and_read_its_body() {
    let candidate = built("When the webhook gets {kind, text}: bugs go to Jira, everything else to a mail.");
    let compact = candidate.compact.unwrap();
    let gate = compact.nodes.iter().find(|node| node.kind == "if").unwrap();
    assert_eq!(gate.when[0].of[0].left, "{{n1.body.kind}}");
    assert_eq!(gate.when[0].of[0].right, "bug");
    let from = |output: &str| compact.edges.iter().filter(|edge| edge.starts_with(&format!("{}.{output}>", gate.id))).count();
    assert_eq!((from("true"), from("false")), (1, 1), "{:?}", compact.edges);
}

#[test]
fn ids_of_a_changed_prompt_stay_the_same() {
    let one = built("Poll the RSS feed https://example.com/feed and create a Notion page for each new entry.");
    let two = built("Poll the RSS feed https://example.com/feed and create a Notion page for each new article.");
    assert_eq!(one.definition.nodes[0].id(), two.definition.nodes[0].id());
    assert!(one.definition.nodes[0].id().is_some());
}

#[test]
fn a_failing_address_is_reported_through_its_error_output() {
    for text in [
        "Check https://status.example.org every 5 minutes and alert me on Telegram if it is down.",
        "Prüfe alle 10 Minuten https://www.example.de und melde es in Slack, wenn die Seite nicht erreichbar ist.",
        "Cada 30 minutos revisa https://www.example.es y avísame por Telegram si no responde.",
    ] {
        let compact = built(text).compact.unwrap();
        assert_eq!(compact.edges[1], "n2.error>n3", "{text}");
    }
}

#[test]
fn answers_become_a_part_of_the_prompt() {
    let text = "Save the leads in our CRM when a form is submitted.";
    let Outcome::Questions(asked) = proposed(text) else { panic!("{:?}", proposed(text)) };
    assert_eq!(asked.questions[0].id, "crm");
    assert!(asked.questions[0].options.contains(&"HubSpot".to_owned()));
    let Outcome::Built(candidate) = with(text, &[("crm", "HubSpot")], Clarification::Ask) else {
        panic!("{:?}", with(text, &[("crm", "HubSpot")], Clarification::Ask))
    };
    assert_eq!(types(&candidate), ["formTrigger", "hubspot"]);
}

#[test]
fn defaults_are_assumed_if_wanted_and_nothing_is_asked_if_not() {
    let text = "Notify me about new orders in Shopify.";
    assert_eq!(word(&proposed(text)), "questions");
    let Outcome::Built(candidate) = with(text, &[], Clarification::AssumeDefaults) else {
        panic!("{:?}", with(text, &[], Clarification::AssumeDefaults))
    };
    assert!(types(&candidate).contains(&"emailSend"));
    assert!(candidate.assumptions.iter().any(|text| text.contains("e-mail")), "{:?}", candidate.assumptions);
    assert_eq!(word(&with(text, &[], Clarification::Never)), "abstained");
    for vague in ["Send me an alert when something goes wrong.", "Make a workflow for onboarding."] {
        let Outcome::Questions(asked) = proposed(vague) else { panic!("{vague}") };
        assert!((1..=3).contains(&asked.questions.len()));
        assert_eq!(word(&with(vague, &[], Clarification::Never)), "abstained");
    }
}

#[test]
fn a_secret_is_refused_and_never_repeated() {
    let secrets =
        [format!("sk-{}", "a1B2c3D4e5F6g7H8i9J0k1L2"), format!("hunter{}xyz9Q", 42), format!("ghp_{}", "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5")];
    for secret in &secrets {
        for text in [
            format!("Summarize my mails with OpenAI, use my key {secret}, and post them to Slack."),
            format!("When a form is submitted, call https://api.example.com/x with the password {secret}."),
            format!("Mein Passwort ist {secret}. Sende jeden Tag um 9 eine Mail an mich."),
        ] {
            let outcome = proposed(&text);
            assert_eq!(word(&outcome), "refused", "{text}");
            assert!(!format!("{outcome:?}").contains(secret.as_str()), "{outcome:?}");
        }
        let answers = [("channel", secret.as_str())];
        let outcome =
            with("Notify me about new orders in Shopify.", &[("channel", &format!("Slack with the token {secret}"))], Clarification::Ask);
        assert!(!format!("{outcome:?}").contains(secret.as_str()), "{outcome:?} {answers:?}");
    }
}

#[test]
fn texts_of_the_prompt_never_become_expressions() {
    for text in [
        "When a form is submitted, send the message \"{{ $env.SECRET }}\" to Slack #x.",
        "When a form is submitted, send the message \"={{ 1 + 1 }}\" to Slack #x.",
        "When a form is submitted, summarize it with OpenAI as {{ $json.x }} and send it to Slack #x.",
    ] {
        if let Outcome::Built(candidate) = proposed(text) {
            let written = serde_json::to_string(&candidate.definition.nodes).unwrap();
            assert!(!written.contains("$env") || written.contains("{ { $env"), "{written}");
            assert!(!written.contains("{{ 1 + 1 }}") && !written.contains("{{ $json.x }}"), "{written}");
        }
    }
}

#[test]
fn odd_prompts_end_without_a_workflow() {
    for text in ["", "   ", "\u{0}\u{1}\u{7f}", "你好，请帮我", "مرحبا", "🤖🤖🤖", "\"\"\"''", "a", "....", "{{{{}}}}", "=={{ }}"]
    {
        assert_ne!(word(&proposed(text)), "built", "{text:?}");
    }
    let long = "send a message to Slack ".repeat(MAX_PROMPT / 20);
    assert_eq!(word(&proposed(&long)), "abstained");
    let huge = "when a form is submitted, ".repeat(40_000);
    assert_eq!(word(&proposed(&huge)), "abstained");
    let most = format!("When a form is submitted, send a message to Slack. {}", "please ".repeat(1100));
    assert!(most.len() <= MAX_PROMPT);
    let _ = proposed(&most);
}

#[test]
fn a_phrase_of_a_template_makes_that_template_and_others_are_named_as_near() {
    let Outcome::Built(candidate) = proposed("Access requests are approved in Slack and become Jira tickets") else { panic!("not built") };
    assert_eq!(candidate.route.name, "access-request");
    assert!(candidate.slots.iter().any(|slot| slot.open));
    let Outcome::Abstained(said) = proposed(
        "When a colleague asks for access, a manager must approve the request in Slack within 3 days, and a permission ticket in Jira is negotiated.",
    ) else {
        panic!("not abstained")
    };
    assert!(said.nearest.iter().any(|near| near.starts_with("access-request")), "{:?}", said.nearest);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,400}") {
        let _ = proposed(&text);
    }

    #[test]
    fn no_row_of_its_own_words_makes_it_panic_or_build_something_invalid(
        words in proptest::collection::vec(proptest::sample::select(vec![
            "when", "if", "every", "day", "at", "9", "a", "new", "row", "Slack", "Gmail", "Google Sheets", "webhook", "form", "and", "then", ",", ".", ":", "send", "create",
            "OpenAI", "summarize", "to", "from", "in", "#x", "\"y\"", "https://a.example", "over 100", "otherwise", "it", "is", "positive", "the", "mail", "me", "Telegram",
            "otherwise", "each", "twice", "error", "back", "jeden", "Montag", "wenn", "sende", "quand", "cada", "100", "?", "{{", "}}", "=", "'",
        ]), 0..40)
    ) {
        let text = words.join(" ");
        if let Outcome::Built(candidate) = proposed(&text) {
            prop_assert!(!has_errors(&candidate.findings));
            prop_assert!(candidate.definition.nodes.len() > 1);
        }
    }
}

#[test]
fn a_request_that_nothing_understands_is_not_left_out() {
    for text in [
        "When a webhook is called, reconcile the ledger and post a message to Slack #finance",
        "Every day at 9 send a mail with Gmail to ann@example.com and anonymise the export",
        "Defragment the backlog. Every Monday at 9 post a reminder to Slack #team",
    ] {
        let outcome = proposed(text);
        assert_ne!(word(&outcome), "built", "{text}");
    }
}

#[test]
fn answers_fill_the_values_of_a_pattern_and_those_without_a_part_are_named() {
    let text = "When a form is submitted, add the answers to Google Sheets";
    let open = built(text);
    let names: Vec<&str> = open.slots.iter().filter(|slot| slot.open).map(|slot| slot.name.as_str()).collect();
    assert!(!names.is_empty());
    let mut answers: Vec<(&str, &str)> = names.iter().map(|name| (*name, "1234567890")).collect();
    answers.push(("colour", "red"));
    let Outcome::Built(given) = with(text, &answers, Clarification::Ask) else { panic!("{text}") };
    assert!(given.slots.iter().all(|slot| !slot.open), "{:?}", given.slots);
    assert!(serde_json::to_string(&given.definition).unwrap().contains("1234567890"));
    let unused: Vec<&String> = given.assumptions.iter().filter(|text| text.contains("is not used")).collect();
    assert_eq!(unused, [r#"The answer "colour" is not used: there is no question and no value of that name"#]);
    // An answer never becomes an expression.
    let hostile: Vec<(&str, &str)> = names.iter().map(|name| (*name, "={{ $env.SECRET }}")).collect();
    assert_ne!(word(&with(text, &hostile, Clarification::Ask)), "built");
}

#[test]
fn first_wishes_are_built_right_or_not_at_all() {
    let value = |text: &str| serde_json::to_value(&built(text).definition).unwrap();
    let node = |workflow: &Value, kind: &str| {
        let nodes = workflow["nodes"].as_array().unwrap();
        nodes.iter().find(|node| node["type"].as_str().unwrap().ends_with(kind)).cloned().unwrap_or_else(|| panic!("{kind}: {workflow:#}"))
    };
    let hello = value("Create an API endpoint /hello that returns hello world");
    let webhook = node(&hello, ".webhook")["parameters"].clone();
    assert!(webhook["path"] == "hello" && (webhook["httpMethod"].is_null() || webhook["httpMethod"] == "GET"), "{hello:#}");
    assert_eq!(node(&hello, "respondToWebhook")["parameters"]["responseBody"], "hello world");

    let check = value("Every hour check https://status.example.com and send a Telegram message if it is not 200");
    let request = node(&check, "httpRequest");
    assert_eq!(request["parameters"]["options"]["response"]["response"]["neverError"], true);
    assert_eq!(request["onError"], "continueRegularOutput");
    let test = node(&check, ".if")["parameters"]["conditions"]["conditions"][0].clone();
    assert_eq!((&test["operator"]["operation"], &test["rightValue"]), (&"notEquals".into(), &200.into()), "{test}");
    assert!(test["leftValue"].as_str().unwrap().contains("statusCode"));
    assert!(node(&check, ".telegram")["parameters"]["text"].as_str().unwrap().contains("answers with"));

    let count = value("Every day at 9 get the orders from https://shop.example.com/orders and post the number of orders to Slack #sales");
    let text = node(&count, ".slack")["parameters"]["text"].as_str().unwrap().to_owned();
    assert!(text.contains(".length") && !text.contains(".map("), "{text}");

    let thanks = value("When a form with name and mail is submitted, send a thank you email to the address");
    let text = node(&thanks, "emailSend")["parameters"].to_string();
    assert!(text.contains("Thank you for your message") && !text.contains("your name"), "{text}");

    for text in [
        "When a file is added to Google Drive, convert it to PDF and send it by Gmail to ann@example.com",
        "When a webhook is called, post the number of widgets to Slack #sales",
    ] {
        assert_ne!(word(&proposed(text)), "built", "{text}");
    }
}
