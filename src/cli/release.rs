//! `weirkeeper release`: takes our finalizers off every object, so that uninstalling neither hangs nor touches n8n.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use clap::Args;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::Request;
use kube::{Api, Client, Resource};
use serde::Deserialize;
use serde_json::json;

use crate::api::instance::N8nInstance;
use crate::api::workflow::Workflow;
use crate::api::{INSTANCE_FINALIZER, MANAGER, WORKFLOW_FINALIZER};
use crate::cli::cluster::{self, ClusterError};

/// How many objects are listed at a time.
const PAGE: u32 = 500;
/// How often an object is read again that changed meanwhile.
const TRIES: usize = 5;
/// An operator renews its lease every three seconds; one that did not within this time is gone.
const RENEWED_WITHIN: Duration = Duration::from_secs(6);

/// What to release.
#[derive(Args)]
pub struct ReleaseArguments {
    /// Only the objects of this namespace. Default: all.
    #[arg(long, short)]
    namespace: Option<String>,
    /// Say what would be released, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// The name of the operator's Lease, by which a running one is found in any namespace.
    #[arg(long, value_name = "NAME", default_value = "weirkeeper")]
    lease_name: String,
}

/// Why not everything was released.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// There is no cluster to work on.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The machine refuses a thread or a socket.
    #[error("start: {0}")]
    Start(#[from] std::io::Error),
    /// Kubernetes refused a call.
    #[error("{0}: {1}")]
    Kubernetes(String, kube::Error),
    /// Kubernetes answered something else.
    #[error("read the list of {0}: {1}")]
    List(&'static str, serde_json::Error),
    /// An operator would put the finalizers on again.
    #[error(
        "an operator still runs and would put the finalizers on again: {0} is renewed by {1}; stop it first, for example with kubectl scale --replicas=0, and look at docs/uninstall.md"
    )]
    Running(String, String),
    /// Objects that kept their finalizer.
    #[error("{0} objects could not be released: {1}")]
    Left(usize, String),
}

/// The part of an object that is needed. Anything else, however deep, is skipped.
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
    /// The API server answers `null` where a list of metadata is empty.
    items: Option<Vec<Bare>>,
}

#[derive(Deserialize)]
struct PageMeta {
    #[serde(rename = "continue")]
    next: Option<String>,
}

/// Releases, and says on standard output what. `proxy` is the one that the environment names.
///
/// # Errors
/// When an operator runs, Kubernetes refuses a call, or an object keeps its finalizer.
pub fn run(arguments: &ReleaseArguments, proxy: Option<&str>) -> Result<(), ReleaseError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(release(arguments, proxy))
}

async fn release(arguments: &ReleaseArguments, proxy: Option<&str>) -> Result<(), ReleaseError> {
    let config = cluster::find(proxy, |said| eprintln!("weirkeeper: {said}")).await?;
    let client = Client::try_from(config).map_err(failed("connect to the cluster"))?;
    if !arguments.dry_run {
        stopped(&client, &arguments.lease_name).await?;
    }
    let (mut released, mut left) = (0, Vec::new());
    // Workflows first: an instance without its finalizer goes, and leaves them without a connection.
    for (kind, resource, finalizer) in [
        ("Workflow", ApiResource::erase::<Workflow>(&()), WORKFLOW_FINALIZER),
        ("N8nInstance", ApiResource::erase::<N8nInstance>(&()), INSTANCE_FINALIZER),
    ] {
        for object in list(&client, &resource, kind, arguments.namespace.as_deref()).await? {
            if !object.finalizers.iter().any(|one| one == finalizer) {
                continue;
            }
            let done = if arguments.dry_run { Ok(()) } else { let_go(&client, &resource, object.clone(), finalizer).await };
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
        false => println!("{released} objects released; their workflows stay in n8n as they are"),
    }
    Ok(())
}

fn failed(attempt: &str) -> impl Fn(kube::Error) -> ReleaseError {
    let attempt = attempt.to_owned();
    move |error| ReleaseError::Kubernetes(attempt.clone(), error)
}

/// Every object of a kind. Objects are read as far as is needed, so that one that nothing else can read is released too.
async fn list(client: &Client, resource: &ApiResource, kind: &'static str, namespace: Option<&str>) -> Result<Vec<Meta>, ReleaseError> {
    let (mut all, mut next) = (Vec::new(), None);
    loop {
        let mut params = ListParams::default().limit(PAGE);
        params.continue_token = next;
        let attempt = format!("list every {kind}");
        let request = Request::new(DynamicObject::url_path(resource, namespace)).list_metadata(&params);
        let request = request.map_err(|error| failed(&attempt)(kube::Error::BuildRequest(error)))?;
        let text = match client.request_text(request).await {
            // The CRDs are gone already, and every object with them.
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

/// Takes a finalizer off an object. The resource version keeps one of somebody else that came in between.
async fn let_go(client: &Client, resource: &ApiResource, mut object: Meta, finalizer: &str) -> Result<(), kube::Error> {
    let api = Api::<DynamicObject>::namespaced_with(client.clone(), &object.namespace, resource);
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let mut tries = TRIES;
    loop {
        object.finalizers.retain(|one| one != finalizer);
        let patch =
            json!({ "metadata": { "uid": object.uid, "resourceVersion": object.resource_version, "finalizers": object.finalizers } });
        match api.patch_metadata(&object.name, &params, &Patch::Merge(patch)).await {
            Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
            Err(kube::Error::Api(status)) if status.code == 409 && tries > 0 => tries -= 1,
            other => return other.map(drop),
        }
        let Some(now) = api.get_metadata_opt(&object.name).await? else { return Ok(()) };
        // One of the same name that was created since has its own finalizers.
        if now.metadata.uid.as_deref() != Some(object.uid.as_str()) {
            return Ok(());
        }
        object.finalizers = now.metadata.finalizers.unwrap_or_default();
        object.resource_version = now.metadata.resource_version.unwrap_or_default();
    }
}

/// Makes sure that no operator works: none of their leases is renewed while we look.
async fn stopped(client: &Client, name: &str) -> Result<(), ReleaseError> {
    let before = leases(client, name).await?;
    if before.is_empty() {
        return Ok(());
    }
    eprintln!("weirkeeper: looks for {} s whether an operator still renews its lease", RENEWED_WITHIN.as_secs());
    tokio::time::sleep(RENEWED_WITHIN).await;
    for (lease, (holder, renewed)) in leases(client, name).await? {
        if before.get(&lease).is_none_or(|(_, earlier)| *earlier != renewed) {
            return Err(ReleaseError::Running(format!("Lease {lease}"), holder));
        }
    }
    Ok(())
}

/// The leases that operators hold, with the holder and when each was renewed last.
async fn leases(client: &Client, name: &str) -> Result<BTreeMap<String, (String, Option<MicroTime>)>, ReleaseError> {
    let found = Api::<Lease>::all(client.clone()).list(&ListParams::default()).await.map_err(failed("look for the operator's Lease"))?;
    let held = found.items.into_iter().filter_map(|lease| {
        let (own, spec) = (lease.metadata.name.filter(|own| is_operators(own, name))?, lease.spec?);
        let holder = spec.holder_identity.filter(|holder| !holder.is_empty())?;
        Some((format!("{}/{own}", lease.metadata.namespace.unwrap_or_default()), (holder, spec.renew_time)))
    });
    Ok(held.collect())
}

/// Whether a lease has the name, or the name with the digest of a label selector, as each of several operators that divide objects has.
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
