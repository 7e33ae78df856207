//! Schemas of the kinds of the group as the API server serves them. Every authenticated user may read them, so that the operator needs no
//! permission on CRDs.

use std::collections::BTreeMap;

use hyper::Request;
use kube::Client;
use serde_json::Value;

use crate::api::{GROUP, VERSION};

/// Returns the schema of each kind; empty if no CRD is installed.
///
/// # Errors
/// If the API server does not answer or refuses.
pub async fn served_schemas(client: &Client) -> Result<BTreeMap<String, Value>, kube::Error> {
    let request = Request::get(format!("/openapi/v3/apis/{GROUP}/{VERSION}")).body(Vec::new()).map_err(kube::Error::HttpError)?;
    let document: Value = match client.request(request).await {
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(BTreeMap::new()),
        answer => answer?,
    };
    let schemas = document["components"]["schemas"].as_object().into_iter().flatten();
    Ok(schemas.filter_map(|(_, schema)| Some((kind(schema)?.to_owned(), schema.clone()))).collect())
}

/// Returns the kind that a schema of the document describes, if it is one of the group and no list.
fn kind(schema: &Value) -> Option<&str> {
    let described = schema["x-kubernetes-group-version-kind"].as_array()?.iter().find(|one| one["group"] == GROUP)?;
    described["kind"].as_str().filter(|_| schema["properties"].get("items").is_none())
}
