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

/// Labels that something must have: at least one, as long as Kubernetes lets them be.
pub fn labels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "minProperties": 1, "maxProperties": 16, "additionalProperties": { "type": "string", "maxLength": 63 } })
}

/// Values of the parts of a URL's path.
pub fn path_parameters(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "maxProperties": 16, "additionalProperties": { "type": "string", "maxLength": 256 } })
}

/// A digest of the value of each setting.
pub fn setting_digests(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "maxProperties": 64, "additionalProperties": { "type": "string", "maxLength": 16 } })
}
