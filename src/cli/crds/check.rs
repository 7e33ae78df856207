//! `weirkeeper crds --check`: the installed CRDs compared with those of this version.

use std::process::ExitCode;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, Client};

use crate::api::{VERSION, crds};
use crate::cli::cluster::{self, ClusterError};
use crate::cli::connection;
use crate::domain::crd_difference::{APPLY, CrdDifference};

/// Reason for which the CRDs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// No cluster can be used.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The runtime cannot start.
    #[error(transparent)]
    Start(#[from] connection::ConnectionError),
    /// The API server does not answer or refuses.
    #[error("read CRD {0}: {1}")]
    Read(String, kube::Error),
}

/// Prints one line for each CRD and what to do. The exit code is 0 if all are those of this version, 1 if not.
///
/// # Errors
/// If the CRDs cannot be read.
pub fn run(proxy: Option<&str>) -> Result<ExitCode, CheckError> {
    let own = crds::all();
    let installed = connection::runtime()?.block_on(read(&own, proxy))?;
    let mut states = Vec::new();
    for (own, found) in own.iter().zip(installed) {
        let (state, line) = compare(own, found.as_ref());
        println!("{}: {line}", own.metadata.name.as_deref().unwrap_or_default());
        states.push(state);
    }
    if states.contains(&State::Newer) {
        println!("\nAt least one CRD is newer than this version: do not apply this version's, upgrade the operator instead.");
    } else if states.iter().any(|state| *state != State::Same) {
        println!("\nApply the CRDs of this version before the operator starts: {APPLY}");
    }
    Ok(ExitCode::from(u8::from(states.iter().any(|state| *state != State::Same))))
}

async fn read(own: &[CustomResourceDefinition], proxy: Option<&str>) -> Result<Vec<Option<CustomResourceDefinition>>, CheckError> {
    let config = cluster::find(proxy, |said| eprintln!("weirkeeper: warning: {said}")).await?;
    let failed = |error| CheckError::Read("all".to_owned(), error);
    let api: Api<CustomResourceDefinition> = Api::all(Client::try_from(config).map_err(failed)?);
    let mut found = Vec::new();
    for own in own {
        let name = own.metadata.name.as_deref().unwrap_or_default();
        found.push(api.get_opt(name).await.map_err(|error| CheckError::Read(name.to_owned(), error))?);
    }
    Ok(found)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Same,
    Older,
    Newer,
}

fn compare(own: &CustomResourceDefinition, installed: Option<&CustomResourceDefinition>) -> (State, String) {
    let Some(installed) = installed else { return (State::Older, "not installed".to_owned()) };
    let stored = installed.status.as_ref().and_then(|status| status.stored_versions.clone()).unwrap_or_default();
    let others: Vec<&str> = stored.iter().map(String::as_str).filter(|version| *version != VERSION).collect();
    if !others.is_empty() {
        return (State::Newer, format!("objects are stored as {}, which this version does not read", others.join(", ")));
    }
    let Some(schema) = crds::schema(installed) else { return (State::Older, format!("does not serve {VERSION}")) };
    let difference = CrdDifference::between(&crds::schema(own).unwrap_or_default(), &schema);
    if difference.is_empty() {
        return (State::Same, "as in this version".to_owned());
    }
    let state = if difference.unknown.is_empty() { State::Older } else { State::Newer };
    (state, difference.describe())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_state_is_reported_with_its_fields() {
        let own = crds::all().remove(1);
        let changed = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut crd = serde_json::to_value(&own).unwrap();
            change(&mut crd);
            serde_json::from_value::<CustomResourceDefinition>(crd).unwrap()
        };
        let spec = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
        let older = changed(&|crd| {
            crd.pointer_mut(spec).unwrap().as_object_mut().unwrap().remove("suspend");
        });
        let newer = changed(&|crd| crd.pointer_mut(spec).unwrap()["canary"] = json!({ "type": "string" }));
        let stored = changed(&|crd| {
            crd["status"] =
                json!({ "storedVersions": ["v1alpha1", "v1"], "acceptedNames": { "kind": "", "plural": "" }, "conditions": [] });
        });
        assert_eq!(compare(&own, Some(&own)), (State::Same, "as in this version".to_owned()));
        assert_eq!(compare(&own, None), (State::Older, "not installed".to_owned()));
        assert_eq!(compare(&own, Some(&older)), (State::Older, "lacks spec.suspend".to_owned()));
        assert_eq!(compare(&own, Some(&newer)), (State::Newer, "has unknown spec.canary".to_owned()));
        assert_eq!(compare(&own, Some(&stored)).0, State::Newer);
    }
}
