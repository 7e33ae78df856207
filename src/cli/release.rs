//! `weirkeeper release`: removes Weirkeeper's finalizers from all objects, so that uninstalling neither hangs nor changes n8n.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use clap::Args;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ApiResource, DynamicObject, GetParams, ListParams, Patch, PatchParams};
use kube::core::Request;
use kube::{Api, Client, Resource};
use serde::Deserialize;
use serde_json::json;

use crate::api::credential::N8nCredential;
use crate::api::instance::N8nInstance;
use crate::api::workflow::Workflow;
use crate::api::{CREDENTIAL_FINALIZER, INSTANCE_FINALIZER, MANAGER, WORKFLOW_FINALIZER};
use crate::cli::cluster::{self, ClusterError};

/// Number of objects per page of a list.
const PAGE: u32 = 500;
/// Maximum number of attempts for an object that changes meanwhile.
const TRIES: usize = 5;
/// Time within which a running operator renews its lease, at least: by default it does every three seconds.
const RENEWED_WITHIN: Duration = Duration::from_secs(6);
/// The same for the longest duration of a lease.
const LONGEST_PAUSE: Duration = Duration::from_secs(240);

/// Selection of the objects to release.
#[derive(Args)]
pub struct ReleaseArguments {
    /// Release only objects in this namespace. Default: all namespaces.
    #[arg(long, short)]
    namespace: Option<String>,
    /// Print what would be released, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Name of the operator's Lease, by which a running operator is found in any namespace.
    #[arg(long, value_name = "NAME", default_value = "weirkeeper")]
    lease_name: String,
    /// Look for the Lease in this namespace only. Default: all namespaces.
    #[arg(long, value_name = "NAMESPACE")]
    lease_namespace: Option<String>,
    /// Release only objects with these labels, as the operator with the same `--watch-label-selector` managed.
    #[arg(long, short = 'l', value_name = "LABELS")]
    selector: Option<String>,
}

/// Reason for which not all objects were released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// No cluster can be used.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The system refuses a thread or a socket.
    #[error("start: {0}")]
    Start(#[from] std::io::Error),
    /// Kubernetes refused a call.
    #[error("{0}: {1}")]
    Kubernetes(String, kube::Error),
    /// Kubernetes sent an unexpected answer.
    #[error("read the list of {0}: {1}")]
    List(&'static str, serde_json::Error),
    /// An operator is running and would add the finalizers again.
    #[error(
        "an operator is still running and would add the finalizers again: {0} is renewed by {1}; stop it first, for example with kubectl scale --replicas=0 (see docs/uninstall.md)"
    )]
    Running(String, String),
    /// Some objects kept their finalizer.
    #[error("{0} objects could not be released: {1}")]
    Left(usize, String),
}

/// The fields of an object that are needed. All others, however deep, are skipped.
#[derive(Deserialize)]
struct Bare {
    metadata: Meta,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    name: String,
    namespace: String,
    uid: String,
    resource_version: String,
    #[serde(default)]
    finalizers: Vec<String>,
}

impl fmt::Display for Meta {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.namespace, self.name)
    }
}

#[derive(Deserialize)]
struct Page {
    metadata: PageMeta,
    /// `null` in the API server's answer if a list of metadata is empty.
    items: Option<Vec<Bare>>,
}

#[derive(Deserialize)]
struct PageMeta {
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// Releases the objects and prints them to standard output. `proxy` is the proxy of the environment.
///
/// # Errors
/// If an operator is running, Kubernetes refuses a call, or an object keeps its finalizer.
pub fn run(arguments: &ReleaseArguments, proxy: Option<&str>) -> Result<(), ReleaseError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(release(arguments, proxy))
}

async fn release(arguments: &ReleaseArguments, proxy: Option<&str>) -> Result<(), ReleaseError> {
    let config = cluster::find(proxy, |said| eprintln!("weirkeeper: {said}")).await?;
    let client = Client::try_from(config).map_err(failed("connect to the cluster"))?;
    if !arguments.dry_run {
        stopped(&client, arguments).await?;
    }
    let (mut released, mut left) = (0, Vec::new());
    // Instances last: one without its finalizer is deleted, and leaves what is bound to it without a connection.
    for (kind, resource, finalizer) in [
        ("Workflow", ApiResource::erase::<Workflow>(&()), WORKFLOW_FINALIZER),
        ("N8nCredential", ApiResource::erase::<N8nCredential>(&()), CREDENTIAL_FINALIZER),
        ("N8nInstance", ApiResource::erase::<N8nInstance>(&()), INSTANCE_FINALIZER),
    ] {
        for object in list(&client, &resource, kind, arguments).await? {
            if !object.finalizers.iter().any(|one| one == finalizer) {
                continue;
            }
            let done = if arguments.dry_run { Ok(()) } else { remove_finalizer(&client, &resource, object.clone(), finalizer).await };
            match done {
                Ok(()) => {
                    released += 1;
                    println!("{kind} {object} {}", if arguments.dry_run { "would be released" } else { "released" });
                }
                Err(error) => left.push(format!("{kind} {object}: {error}")),
            }
        }
    }
    if !left.is_empty() {
        return Err(ReleaseError::Left(left.len(), left.join("; ")));
    }
    match arguments.dry_run {
        true => println!("{released} objects would be released; nothing was changed"),
        false => println!("{released} objects released; their workflows and credentials stay in n8n as they are"),
    }
    Ok(())
}

fn failed(attempt: &str) -> impl Fn(kube::Error) -> ReleaseError {
    let attempt = attempt.to_owned();
    move |error| ReleaseError::Kubernetes(attempt.clone(), error)
}

/// Lists all objects of a kind. Only the needed fields are read, so that an object that cannot be decoded is released too.
async fn list(
    client: &Client,
    resource: &ApiResource,
    kind: &'static str,
    arguments: &ReleaseArguments,
) -> Result<Vec<Meta>, ReleaseError> {
    let (mut all, mut next) = (Vec::new(), None);
    loop {
        let mut params = ListParams::default().limit(PAGE);
        params.continue_token = next;
        params.label_selector = arguments.selector.clone();
        let attempt = format!("list every {kind}");
        let request = Request::new(DynamicObject::url_path(resource, arguments.namespace.as_deref())).list_metadata(&params);
        let request = request.map_err(|error| failed(&attempt)(kube::Error::BuildRequest(error)))?;
        let text = match client.request_text(request).await {
            // The CRD is deleted already, and with it all objects.
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(all),
            text => text.map_err(failed(&attempt))?,
        };
        let page: Page = serde_json::from_str(&text).map_err(|error| ReleaseError::List(kind, error))?;
        all.extend(page.items.into_iter().flatten().map(|item| item.metadata));
        next = page.metadata.next.filter(|token| !token.is_empty());
        if next.is_none() {
            return Ok(all);
        }
    }
}

/// Removes a finalizer from an object. The resource version protects finalizers that others added in between.
async fn remove_finalizer(client: &Client, resource: &ApiResource, mut object: Meta, finalizer: &str) -> Result<(), kube::Error> {
    let request = Request::new(DynamicObject::url_path(resource, Some(&object.namespace)));
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let mut tries = TRIES;
    loop {
        object.finalizers.retain(|one| one != finalizer);
        let patch =
            json!({ "metadata": { "uid": object.uid, "resourceVersion": object.resource_version, "finalizers": object.finalizers } });
        let patch = request.patch_metadata(&object.name, &params, &Patch::Merge(patch)).map_err(kube::Error::BuildRequest)?;
        // The answer is not decoded: managed fields may be too deep for that.
        match client.request_text(patch).await {
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 && tries > 0 => tries -= 1,
            other => return other.map(drop),
        }
        let get = request.get_metadata(&object.name, &GetParams::default()).map_err(kube::Error::BuildRequest)?;
        let now = match client.request_text(get).await {
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            text => serde_json::from_str::<Bare>(&text?).map_err(kube::Error::SerdeError)?.metadata,
        };
        // A new object of the same name has its own finalizers.
        if now.uid != object.uid {
            return Ok(());
        }
        object.finalizers = now.finalizers;
        object.resource_version = now.resource_version;
    }
}

/// A lease: its holder, the time of its last renewal, and its duration.
type LeaseState = (String, Option<MicroTime>, Duration);

/// Checks that no operator is running: no operator's lease is renewed for a while.
async fn stopped(client: &Client, arguments: &ReleaseArguments) -> Result<(), ReleaseError> {
    let before = leases(client, arguments).await?;
    let Some(longest) = before.values().map(|(_, _, duration)| *duration).max() else { return Ok(()) };
    // A lease is renewed five times in its duration; a foreign record of years must not let the command hang.
    let pause = (longest * 2 / 5).clamp(RENEWED_WITHIN, LONGEST_PAUSE);
    eprintln!("weirkeeper: checking for {} s whether an operator still renews its lease", pause.as_secs());
    tokio::time::sleep(pause).await;
    for (lease, (holder, renewed, _)) in leases(client, arguments).await? {
        if before.get(&lease).is_none_or(|(_, earlier, _)| *earlier != renewed) {
            return Err(ReleaseError::Running(format!("Lease {lease}"), holder));
        }
    }
    Ok(())
}

/// Returns the leases of operators that are held.
async fn leases(client: &Client, arguments: &ReleaseArguments) -> Result<BTreeMap<String, LeaseState>, ReleaseError> {
    let api = match &arguments.lease_namespace {
        Some(namespace) => Api::<Lease>::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let found = api.list(&ListParams::default()).await.map_err(failed("look for the operator's Lease"))?;
    let active = found.items.into_iter().filter_map(|lease| {
        let (own, spec) = (lease.metadata.name.filter(|own| is_operators(own, &arguments.lease_name))?, lease.spec?);
        let holder = spec.holder_identity.filter(|holder| !holder.is_empty())?;
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or_default();
        let name = format!("{}/{own}", lease.metadata.namespace.unwrap_or_default());
        Some((name, (holder, spec.renew_time, Duration::from_secs(seconds))))
    });
    Ok(active.collect())
}

/// Reports whether a lease has the name, or the name with the digest of a label selector, as operators that divide objects by label have.
fn is_operators(lease: &str, name: &str) -> bool {
    let rest = lease.strip_prefix(name);
    let digest =
        |rest: &str| rest.strip_prefix('-').is_some_and(|digest| digest.len() == 10 && digest.bytes().all(|c| c.is_ascii_hexdigit()));
    rest.is_some_and(|rest| rest.is_empty() || digest(rest))
}

#[cfg(test)]
mod tests {
    use super::is_operators;

    #[test]
    fn operators_that_divide_objects_by_label_have_leases_of_their_own() {
        for lease in ["weirkeeper", "weirkeeper-0123abcdef"] {
            assert!(is_operators(lease, "weirkeeper"), "{lease}");
        }
        for lease in ["weirkeeper-", "weirkeeper-backup", "weirkeepers", "other-0123abcdef", "kube-scheduler"] {
            assert!(!is_operators(lease, "weirkeeper"), "{lease}");
        }
    }
}
