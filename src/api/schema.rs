//! Schemas that the derive cannot express.

use schemars::{Schema, SchemaGenerator, json_schema};

/// A JSON object with any content, stored by the API server unchanged.
pub fn free_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// Any JSON value, stored by the API server unchanged.
pub fn free_value(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
}

/// Required labels: at least one, with the length limits of Kubernetes.
pub fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "minProperties": 1, "maxProperties": 16, "additionalProperties": { "type": "string", "maxLength": 63 } })
}

/// Labels of an object that is made.
pub fn object_labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "maxProperties": 32, "additionalProperties": { "type": "string", "maxLength": 63 } })
}

/// Texts by id.
pub fn short_texts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "maxProperties": 32, "additionalProperties": { "type": "string", "maxLength": 2048 } })
}

/// Values of the parameters in a URL's path.
pub fn path_parameters(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "maxProperties": 16, "additionalProperties": { "type": "string", "maxLength": 256 } })
}

/// Digest of each setting's value.
pub fn setting_digests(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "maxProperties": 64, "additionalProperties": { "type": "string", "maxLength": 16 } })
}

/// Values by the name of an input.
pub fn input_values(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": { "x-kubernetes-preserve-unknown-fields": true },
    })
}
