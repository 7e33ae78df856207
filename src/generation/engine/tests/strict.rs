//! The strict schema of answers: whatever a server that enforces it lets through is read.

use serde_json::{Map, Value, json};

use crate::generation::compact;
use crate::generation::engine::output::{Content, output_schema, read};
use crate::generation::extract::extract;

const DOCUMENTS: usize = 500;

/// Pseudo-random numbers, the same in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// Returns a document that a schema allows. Only texts differ from what a model writes: they are nonsense.
fn document(schema: &Value, root: &Value, dice: &mut Dice, depth: usize) -> Value {
    if let Some(name) = schema["$ref"].as_str() {
        let place = name.trim_start_matches('#');
        return document(root.pointer(place).unwrap_or_else(|| panic!("{name}")), root, dice, depth + 1);
    }
    let options = schema["anyOf"].as_array().or_else(|| schema["enum"].as_array());
    if let Some(options) = options {
        // Without end a value may hold values.
        let simple = options.iter().position(|option| option["type"] == "null" || option["type"] == "string").filter(|_| depth > 12);
        let chosen = &options[simple.unwrap_or_else(|| dice.roll(options.len()))];
        return if schema["anyOf"].is_array() { document(chosen, root, dice, depth + 1) } else { chosen.clone() };
    }
    if !schema["const"].is_null() {
        return schema["const"].clone();
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    assert!(!kinds.is_empty(), "{schema}");
    match kinds[dice.roll(kinds.len())] {
        "object" => {
            let properties = schema["properties"].as_object().unwrap();
            assert_eq!(schema["additionalProperties"], false, "{schema}");
            assert_eq!(schema["required"].as_array().map(Vec::len), Some(properties.len()), "strict schemas require each key: {schema}");
            let all = properties.iter().map(|(key, value)| (key.clone(), document(value, root, dice, depth + 1)));
            Value::Object(all.collect::<Map<String, Value>>())
        }
        "array" => (0..dice.roll(if depth > 12 { 1 } else { 4 })).map(|_| document(&schema["items"], root, dice, depth + 1)).collect(),
        "string" if schema["pattern"].is_string() => format!("n{}", dice.roll(1_000_000)).into(),
        "string" => ["", "webhook", "n1>n2", "{{n1.x}}", "?slot", "=x", "ü 🤖 \" \\ \n", "slack.message.post"][dice.roll(8)].into(),
        "integer" => json!(dice.roll(100)),
        "number" => json!(dice.roll(1000) as f64 / 7.0),
        "boolean" => json!(dice.roll(2) == 0),
        "null" => Value::Null,
        other => panic!("{other}: {schema}"),
    }
}

#[test]
fn what_the_strict_schema_allows_is_read() {
    for content in [Content::Workflow, Content::Change] {
        let schema = output_schema(content).strict;
        let (mut answers, mut workflows, mut forms) = (0, 0, 0);
        for seed in 0..DOCUMENTS {
            let text = document(&schema, &schema, &mut Dice(seed as u64), 0).to_string();
            let object = extract(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            let reply = match read(object) {
                Ok(reply) => reply,
                // A document without anything is allowed, and says nothing.
                Err(finding) => {
                    assert!(finding.message.contains("no workflow, no question and no refusal"), "{finding}: {text}");
                    continue;
                }
            };
            answers += 1;
            let Some(workflow) = reply.workflow else { continue };
            workflows += 1;
            forms += usize::from(compact::read(&workflow).is_ok());
        }
        println!(
            "{content:?}: {answers} of {DOCUMENTS} documents are answers, the others empty; {forms} of {workflows} workflows are compact ones"
        );
        assert!(answers * 100 >= DOCUMENTS * 80 && workflows > 100 && forms > 20, "{answers} {workflows} {forms}");
    }
}
