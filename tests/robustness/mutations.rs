//! Small changes to documents as people, programs and attackers make them.

use serde_json::{Map, Value, json};

use crate::dice::Dice;

/// Texts that mean something to one of the checks.
const PIECES: &[&str] = &[
    "={{ $json.a }}",
    "={{ $('A').item.json.b }}",
    "{{",
    "}}",
    "={{",
    "\\",
    "'",
    "\"",
    "`",
    "${",
    "(",
    ")",
    "[",
    "{",
    "=>",
    "//",
    "/*",
    "Bearer ",
    "sk-",
    "eyJ",
    "password=\"",
    "://a:b@",
    "*/5 * * * *",
    "0 0 31 2 *",
    "-1",
    "é",
    "\u{0}",
    "\u{202e}",
    "😀",
    "\n",
    "=",
    ".constructor",
    "$fromAI('a')",
    "$node[\"A\"]",
    "__rl",
    "n8n-nodes-base.",
    "Tool",
    "HitlTool",
    "[0]",
    ".",
    "/",
];
/// Keys that one of the checks reads.
const KEYS: &[&str] = &[
    "name",
    "type",
    "typeVersion",
    "parameters",
    "credentials",
    "nodes",
    "connections",
    "settings",
    "main",
    "ai_tool",
    "node",
    "index",
    "position",
    "id",
    "disabled",
    "webhookId",
    "value",
    "mode",
    "__rl",
    "options",
    "values",
    "rules",
    "assignments",
    "conditions",
    "path",
    "operation",
    "resource",
    "jsCode",
    "rule",
    "interval",
    "pollTimes",
    "item",
    "nodeGroups",
    "pinData",
    "timezone",
    "kind",
    "apiVersion",
];

/// Returns a value of any kind, sometimes an extreme one.
pub fn odd(dice: &mut Dice) -> Value {
    match dice.roll(16) {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(0),
        3 => json!(-1),
        4 => json!(i64::MIN),
        5 => json!(u64::MAX),
        6 => json!(1e308),
        7 => json!(0.1),
        8 => json!(""),
        9 => json!([]),
        10 => json!({}),
        11 => json!([[[null]], {}, ""]),
        12 => json!({ "": { "": [] }, "a.b[0]": 1 }),
        13 => json!({ "__rl": true, "mode": *dice.pick(&["id", "list", "url", "x"]), "value": *dice.pick(PIECES) }),
        14 => json!([*dice.pick(PIECES), 1, { *dice.pick(KEYS): *dice.pick(PIECES) }]),
        _ => Value::from(words(dice)),
    }
}

fn words(dice: &mut Dice) -> String {
    (0..dice.roll(8)).map(|_| *dice.pick(PIECES)).collect()
}

/// Changes a document in a few places; `other` is a source of parts.
pub fn change(document: &mut Value, other: &Value, dice: &mut Dice) {
    for _ in 0..=dice.roll(6) {
        let part = somewhere(other, dice).clone();
        let place = somewhere_in(document, dice);
        match dice.roll(9) {
            0 => *place = odd(dice),
            1 => *place = part,
            2 => *place = retyped(place.take(), dice),
            3 => delete(place, dice),
            4 => swap(place, dice),
            5 => repeat(place, dice),
            6 => rename(place, dice),
            7 => insert(place, part, dice),
            _ => edit(place, dice),
        }
    }
}

fn somewhere<'a>(mut value: &'a Value, dice: &mut Dice) -> &'a Value {
    loop {
        let inner = match value {
            Value::Object(map) if !map.is_empty() => map.values().nth(at(dice, map.len())),
            Value::Array(items) => items.get(at(dice, items.len())),
            _ => None,
        };
        match inner {
            Some(inner) if dice.roll(6) > 0 => value = inner,
            _ => return value,
        }
    }
}

fn somewhere_in<'a>(value: &'a mut Value, dice: &mut Dice) -> &'a mut Value {
    let ends = dice.roll(6) == 0;
    let place = match value {
        Value::Object(map) if !ends && !map.is_empty() => at(dice, map.len()),
        Value::Array(items) if !ends && !items.is_empty() => at(dice, items.len()),
        _ => return value,
    };
    let inner = match value {
        Value::Object(map) => map.values_mut().nth(place),
        Value::Array(items) => items.get_mut(place),
        _ => None,
    };
    somewhere_in(inner.expect("it has one"), dice)
}

fn at(dice: &mut Dice, count: usize) -> usize {
    usize::try_from(dice.roll(count.max(1) as u64)).unwrap()
}

/// Returns the value in another form: as text, in a list, under a key, its number, its first part.
fn retyped(value: Value, dice: &mut Dice) -> Value {
    match (dice.roll(5), value) {
        (0, value) => Value::from(value.to_string()),
        (1, value) => json!([value]),
        (2, value) => json!({ *dice.pick(KEYS): value }),
        (3, Value::Array(items)) => items.into_iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
        (3, Value::Object(map)) => map.into_iter().map(|(_, inner)| inner).collect(),
        (4, Value::String(text)) => Value::from(text.len()),
        (_, value) => value,
    }
}

fn delete(place: &mut Value, dice: &mut Dice) {
    match place {
        Value::Object(map) if !map.is_empty() => {
            let key = map.keys().nth(at(dice, map.len())).cloned();
            key.map(|key| map.remove(&key));
        }
        Value::Array(items) if !items.is_empty() => drop(items.remove(at(dice, items.len()))),
        other => *other = Value::Null,
    }
}

fn swap(place: &mut Value, dice: &mut Dice) {
    match place {
        Value::Array(items) if items.len() > 1 => {
            let (one, two) = (at(dice, items.len()), at(dice, items.len()));
            items.swap(one, two);
        }
        Value::Object(map) if map.len() > 1 => {
            let keys: Vec<String> = map.keys().cloned().collect();
            let (one, two) = (dice.pick(&keys).clone(), dice.pick(&keys).clone());
            let (first, second) = (map[&one].clone(), map[&two].clone());
            map.insert(one, second);
            map.insert(two, first);
        }
        _ => {}
    }
}

fn repeat(place: &mut Value, dice: &mut Dice) {
    match place {
        Value::Array(items) if !items.is_empty() && items.len() < 200 => {
            let item = items[at(dice, items.len())].clone();
            items.extend(std::iter::repeat_n(item, at(dice, 30)));
        }
        Value::String(text) if text.len() < 2_000 => *text = text.repeat(1 + at(dice, 12)),
        _ => {}
    }
}

fn rename(place: &mut Value, dice: &mut Dice) {
    let Value::Object(map) = place else { return };
    let Some(key) = map.keys().nth(at(dice, map.len())).cloned() else { return };
    let to = match dice.roll(4) {
        0 => key.to_uppercase(),
        1 => format!("{key}{}", dice.pick(PIECES)),
        2 => words(dice),
        _ => (*dice.pick(KEYS)).to_owned(),
    };
    if let Some(inner) = map.remove(&key) {
        map.insert(to, inner);
    }
}

fn insert(place: &mut Value, part: Value, dice: &mut Dice) {
    match place {
        Value::Object(map) => drop(map.insert((*dice.pick(KEYS)).to_owned(), part)),
        Value::Array(items) => items.insert(at(dice, items.len() + 1), part),
        other => *other = Value::Object(Map::from_iter([((*dice.pick(KEYS)).to_owned(), part)])),
    }
}

/// Changes a text by inserting and removing pieces.
pub fn edit(place: &mut Value, dice: &mut Dice) {
    match place {
        Value::String(text) => text_edit(text, dice),
        Value::Number(_) => *place = odd(dice),
        Value::Bool(truth) => *truth = !*truth,
        _ => {}
    }
}

/// Truncates or repeats any text, or inserts something.
pub fn text_edit(text: &mut String, dice: &mut Dice) {
    let boundary = |text: &str, dice: &mut Dice| {
        let mut place = at(dice, text.len() + 1);
        while !text.is_char_boundary(place) {
            place -= 1;
        }
        place
    };
    let (one, two) = (boundary(text, dice), boundary(text, dice));
    let range = one.min(two)..one.max(two);
    match dice.roll(4) {
        0 => text.truncate(one),
        1 => text.replace_range(range, ""),
        2 if range.len() < 1_000 => {
            let again = text[range].to_owned();
            text.insert_str(two, &again);
        }
        _ => text.insert_str(one, &words(dice)),
    }
}
