//! Schema pieces that the derive cannot express.

use schemars::{Schema, SchemaGenerator, json_schema};

/// A JSON object of any content, kept by the API server as it is.
pub fn free_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// Any JSON value, kept by the API server as it is.
pub fn free_value(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}
