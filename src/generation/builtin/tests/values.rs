//! Values within the workflows: times, channels, recipients, conditions and texts are those of the prompt.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{built, proposed, word};
use crate::generation::outcome::{Candidate, Outcome};

/// Prompts with the expected parameters in `values`: by the short type of a node (`slack`, the second `slack#2`), a slash, and a JSON pointer into its
/// parameters. `edges` are connections between such nodes, `timezone` is that of the settings.
const SIMPLE: &str = include_str!("../../../../tests/fixtures/prompts/simple.jsonl");

/// Returns the nodes by their short types, with a number from the second of a type.
fn nodes(candidate: &Candidate) -> BTreeMap<String, Value> {
    let mut found: BTreeMap<String, Value> = BTreeMap::new();
    for node in &candidate.definition.nodes {
        let short = node.kind().rsplit('.').next().unwrap_or_default().to_owned();
        let key = (1..).map(|at| if at == 1 { short.clone() } else { format!("{short}#{at}") }).find(|key| !found.contains_key(key));
        found.insert(key.unwrap(), serde_json::to_value(node).unwrap());
    }
    found
}

/// Returns the connections between nodes by their short types, with the number of an output beyond the first.
fn edges(candidate: &Candidate) -> Vec<String> {
    let nodes = nodes(candidate);
    let key = |name: &Value| nodes.iter().find(|(_, node)| node["name"] == *name).map(|(key, _)| key.clone()).unwrap_or_default();
    let connections = serde_json::to_value(&candidate.definition).unwrap()["connections"].clone();
    let mut found = Vec::new();
    for (from, outputs) in connections.as_object().unwrap() {
        for (at, targets) in outputs["main"].as_array().into_iter().flatten().enumerate() {
            for target in targets.as_array().into_iter().flatten() {
                let output = if at == 0 { String::new() } else { format!(".{at}") };
                found.push(format!("{}{output}>{}", key(&json!(from)), key(&target["node"])));
            }
        }
    }
    found
}

/// Returns what is wrong with the workflow of a line of the fixture.
fn complaints(row: &Value) -> Vec<String> {
    let text = row["prompt"].as_str().unwrap();
    let candidate = match proposed(text) {
        Outcome::Built(candidate) => *candidate,
        other => return vec![format!("{text}: {}", word(&other))],
    };
    let (nodes, edges) = (nodes(&candidate), edges(&candidate));
    let mut found = Vec::new();
    for (path, wanted) in row["values"].as_object().into_iter().flatten() {
        let (key, pointer) = path.split_once('/').unwrap();
        let own = nodes.get(key).and_then(|node| node["parameters"].pointer(&format!("/{pointer}"))).unwrap_or(&Value::Null);
        if own != wanted {
            found.push(format!("{text}: {path} is {own}, not {wanted}"));
        }
    }
    for edge in row["edges"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !edges.iter().any(|own| own == edge) {
            found.push(format!("{text}: no connection {edge} among {edges:?}"));
        }
    }
    let zone = candidate.compact.and_then(|compact| compact.settings.timezone);
    if let Some(wanted) = row["timezone"].as_str().filter(|wanted| zone.as_deref() != Some(*wanted)) {
        found.push(format!("{text}: the time zone is {zone:?}, not {wanted}"));
    }
    found
}

#[test]
fn the_values_of_the_fixture_are_those_of_its_prompts() {
    let rows = SIMPLE.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let rows: Vec<Value> = rows.filter(|row| row["values"].is_object()).collect();
    let wrong: Vec<String> = rows.iter().flat_map(complaints).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let values: usize = rows.iter().map(|row| row["values"].as_object().unwrap().len()).sum();
    assert!(rows.len() >= 80 && values >= 3 * rows.len(), "{} prompts with {values} values", rows.len());
}

#[test]
fn a_prompt_with_a_word_that_nothing_accounts_for_is_not_built() {
    for text in [
        "Every day at 9 get the unresolved tickets from Freshdesk and post them to Slack #support",
        "When a payment fails in Stripe, notify Slack #billing unless the customer is a test account",
        "Every day at 9 post the orders of last week from https://shop.example/api/orders to Slack #sales",
        "Every month on the first Monday at 9 post \"Inventory\" to Slack #ops",
        "Every 90 minutes post \"Drink\" to Slack #ops",
        "When a task is completed in Asana, add a row to Google Sheets",
        "When a new mail about contracts arrives in Gmail, post it to Slack #legal",
        "When an urgent Zendesk ticket is created, post it to Slack #support",
        "When a high priority Freshdesk ticket is created, post it to Slack #support",
        "When an order with more than 3 items arrives in WooCommerce, post it to Slack #sales",
        "When a Calendly meeting of type Demo is booked, post it to Slack #sales",
        "When the webhook /lead is called and the score is over 10 or the plan is gold, post it to Slack #sales",
        "When a new tag is added in ActiveCampaign, add it to the Postgres table tags",
        "Every day at 9 am at 6 pm post \"Hello\" to Slack #all",
    ] {
        assert_ne!(word(&proposed(text)), "built", "{text}");
    }
}

#[test]
fn a_word_that_left_no_trace_in_the_workflow_is_named() {
    for (text, word) in [
        ("When a commit is pushed to main on GitHub, call https://deploy.example.com/hook", "main"),
        ("When I star an email in Gmail, create a task in Todoist", "star"),
        ("When a Freshdesk ticket is created or updated, post it to Slack #support", "or"),
        ("Every Friday at 17:00 send a weekly summary of closed Jira issues to team@acme.example", "weekly"),
        (
            "When a Zendesk ticket is created, summarize it with OpenAI and post the summary and the requester to Slack #support",
            "requester",
        ),
        ("When a new row is added to my Google Sheet, send an SMS with Twilio to the number in the row", "number"),
        ("When a payment over 1000 EUR fails in Stripe, create a high priority Jira issue in project FIN", "high"),
        ("Turn every voice message of our WhatsApp number into text with OpenAI and mail the text to office@example.com", "voice"),
        ("Whenever a booking is cancelled in Calendly, delete the contact from Pipedrive and notify #sales in Slack", "delete"),
    ] {
        let Outcome::Abstained(abstention) = proposed(text) else { panic!("{text}: built") };
        assert!(abstention.reason.contains(word), "{text}: {}", abstention.reason);
    }
}

#[test]
fn a_text_that_a_node_makes_is_in_what_follows() {
    let text = "Transcribe audio files that are put into a Google Drive folder with OpenAI and save the text in a Google Doc";
    assert_ne!(word(&proposed(text)), "built", "a document is made without its text");
}

/// Returns the only interval of a workflow's schedule.
fn interval(text: &str) -> Value {
    let nodes = nodes(&built(text));
    let intervals = nodes["scheduleTrigger"]["parameters"]["rule"]["interval"].as_array().unwrap().clone();
    assert_eq!(intervals.len(), 1, "{text}");
    intervals[0].clone()
}

const DAYS: [[&str; 4]; 7] = [
    ["Sunday", "Sonntag", "dimanche", "domingo"],
    ["Monday", "Montag", "lundi", "lunes"],
    ["Tuesday", "Dienstag", "mardi", "martes"],
    ["Wednesday", "Mittwoch", "mercredi", "miércoles"],
    ["Thursday", "Donnerstag", "jeudi", "jueves"],
    ["Friday", "Freitag", "vendredi", "viernes"],
    ["Saturday", "Samstag", "samedi", "sábado"],
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_time_of_a_prompt_is_that_of_the_schedule(day in 0_usize..7, hour in 0_u32..24, minute in 0_u32..60, channel in "[a-z]{3,9}") {
        let [english, german, french, spanish] = DAYS[day];
        let half = format!("{}:{minute:02}{}", if hour % 12 == 0 { 12 } else { hour % 12 }, if hour < 12 { "am" } else { "pm" });
        for text in [
            format!("Every {english} at {hour}:{minute:02} post \"Hello team\" to Slack #{channel}"),
            format!("On {english}s at {half} post \"Hello team\" to Slack #{channel}"),
            format!("{english} {hour}:{minute:02}: post \"Hello team\" to Slack #{channel}"),
            format!("Jeden {german} um {hour}:{minute:02} Uhr die Nachricht \"Hello team\" in Slack #{channel} posten"),
            format!("Chaque {french} à {hour}h{minute:02} envoie le message \"Hello team\" dans Slack #{channel}"),
            format!("Cada {spanish} a las {hour}:{minute:02} envía el mensaje \"Hello team\" a Slack #{channel}"),
        ] {
            let wanted = json!({"field": "weeks", "weeksInterval": 1, "triggerAtDay": [day], "triggerAtHour": hour, "triggerAtMinute": minute});
            prop_assert_eq!(interval(&text), wanted, "{}", text);
            let slack = nodes(&built(&text))["slack"]["parameters"].clone();
            prop_assert_eq!(&slack["channelId"]["value"], &json!(format!("#{channel}")), "{}", text);
            prop_assert_eq!(&slack["text"], "Hello team", "{}", text);
        }
    }

    #[test]
    fn a_number_of_a_prompt_is_that_of_the_condition(limit in 2_u32..100_000, more in any::<bool>(), user in "[a-z]{2,8}") {
        let (word, operation) = if more { ("over", "gt") } else { ("below", "lt") };
        let text = format!(
            "When a webhook receives an order, if the total is {word} {limit} send an email to {user}@shop.example, otherwise post it to Slack #orders"
        );
        let candidate = built(&text);
        let nodes = nodes(&candidate);
        let test = nodes["if"]["parameters"]["conditions"]["conditions"][0].clone();
        prop_assert_eq!((&test["operator"]["operation"], &test["rightValue"]), (&json!(operation), &json!(limit)), "{}", text);
        prop_assert!(test["leftValue"].as_str().unwrap().contains("total"), "{}", test);
        prop_assert_eq!(&nodes["emailSend"]["parameters"]["toEmail"], &json!(format!("{user}@shop.example")));
        let edges = edges(&candidate);
        prop_assert!(edges.contains(&"if>emailSend".to_owned()) && edges.contains(&"if.1>slack".to_owned()), "{:?}", edges);
    }

    #[test]
    fn the_zone_and_the_address_of_a_prompt_are_kept(hour in 1_u32..24, path in "[a-z]{3,10}", method in prop::sample::select(vec!["GET", "POST", "PUT", "DELETE"])) {
        let text = format!("Every day at {hour}:15 New York time send a {method} request to https://api.shop.example/{path}");
        let candidate = built(&text);
        let http = nodes(&candidate)["httpRequest"]["parameters"].clone();
        prop_assert_eq!((&http["url"], &http["method"]), (&json!(format!("https://api.shop.example/{path}")), &json!(method)), "{}", text);
        prop_assert!(http["sendBody"].is_null(), "{}", http);
        let zone = candidate.compact.unwrap().settings.timezone;
        prop_assert_eq!(zone.as_deref(), Some("America/New_York"));
    }
}
