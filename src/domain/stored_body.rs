//! Stored bodies of versions: the content of a ControllerRevision, from which any kept version can be sent again.

use std::io::{Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Map, Value, json};

use crate::document::definition::Definition;
use crate::document::parse::{MOST_LEVELS, too_deep};

/// Size in bytes of JSON from which bodies are compressed.
const COMPRESS_FROM: usize = 16 * 1024;
/// Maximum size of a decompressed body: n8n itself accepts at most 16 MiB.
const LARGEST: u64 = 16 * 1024 * 1024;

/// A stored body that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the stored body cannot be read: {0}")]
pub struct Unreadable(String);

/// Encodes a definition as the content of a ControllerRevision.
pub fn encode(definition: &Definition) -> Value {
    let body = definition.update_body();
    let deep = too_deep(&body, MOST_LEVELS).is_some();
    let body = Value::Object(body);
    let text = body.to_string();
    // Compressed, its nesting does not add to that of the object around it.
    if text.len() < COMPRESS_FROM && !deep {
        return json!({ "definition": body });
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing into a Vec cannot fail; if it did, the uncompressed form would do.
    match encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()) {
        Ok(packed) => json!({ "gzip": STANDARD.encode(packed) }),
        Err(_) => json!({ "definition": body }),
    }
}

/// Decodes the result of `encode`.
pub fn decode(data: &Value) -> Result<Definition, Unreadable> {
    let unreadable = |why: &dyn std::fmt::Display| Unreadable(why.to_string());
    let body: Map<String, Value> = match (data["definition"].as_object(), data["gzip"].as_str()) {
        (Some(body), _) => body.clone(),
        (None, Some(packed)) => {
            let packed = STANDARD.decode(packed).map_err(|error| unreadable(&error))?;
            let mut text = String::new();
            GzDecoder::new(packed.as_slice()).take(LARGEST).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
            serde_json::from_str(&text).map_err(|error| unreadable(&error))?
        }
        (None, None) => return Err(Unreadable("it has neither `definition` nor `gzip`".to_owned())),
    };
    Ok(from_parts(body))
}

/// Makes a definition from the parts of an n8n body; absent parts are empty.
fn from_parts(mut body: Map<String, Value>) -> Definition {
    let array = |value: Option<Value>| match value {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    let object = |value: Option<Value>| match value {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    };
    Definition {
        name: body.remove("name").and_then(|name| name.as_str().map(str::to_owned)),
        nodes: array(body.remove("nodes")).into_iter().map(|node| object(Some(node)).into()).collect(),
        connections: object(body.remove("connections")),
        settings: object(body.remove("settings")),
        node_groups: array(body.remove("nodeGroups")),
        ..Definition::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(padding: usize) -> Definition {
        let nodes = json!([{ "name": "A", "type": "t", "parameters": { "text": "x".repeat(padding) } }]);
        from_parts(json!({ "nodes": nodes, "connections": {}, "settings": { "executionOrder": "v1" } }).as_object().unwrap().clone())
    }

    #[test]
    fn bodies_round_trip_and_large_ones_are_compressed() {
        for (padding, packed) in [(10, false), (100_000, true)] {
            let data = encode(&definition(padding));
            assert_eq!(data.get("gzip").is_some(), packed);
            assert_eq!(decode(&data).unwrap(), definition(padding));
        }
    }

    #[test]
    fn a_deeply_nested_body_is_compressed_so_that_its_levels_do_not_add_up() {
        let mut deep = definition(1);
        deep.settings.insert("a".into(), (0..115).fold(json!(1), |inner, _| json!([inner])));
        let data = encode(&deep);
        assert!(data.get("gzip").is_some());
        assert_eq!(decode(&data).unwrap(), deep);
    }

    #[test]
    fn a_damaged_body_is_an_error() {
        for data in [json!({}), json!({ "gzip": "%%%" }), json!({ "gzip": "AAAA" })] {
            assert!(decode(&data).is_err(), "{data}");
        }
    }
}
