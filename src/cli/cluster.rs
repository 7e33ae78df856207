//! The cluster that the operator or a command works on.

use kube::Config;
use kube::config::InferConfigError;

/// Why there is no cluster to work on.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// None is named, or what names it cannot be used.
    #[error("find the cluster: {0}")]
    Unnamed(#[from] InferConfigError),
    /// The kubeconfig leads through a proxy.
    #[error(
        "the kubeconfig reaches its cluster through a proxy (proxy-url), and Weirkeeper uses none: take proxy-url out and run this where the API server can be reached directly"
    )]
    Proxied,
}

/// Finds the cluster of the environment: KUBECONFIG, else the one that this pod runs in. Weirkeeper uses no proxy, neither to n8n nor to
/// Kubernetes: one that the environment names for everything (`proxy`) is left aside, and said.
///
/// # Errors
/// Where no cluster is named, or the kubeconfig itself asks for a proxy.
pub async fn find(proxy: Option<&str>, say: impl FnOnce(&str)) -> Result<Config, ClusterError> {
    let mut config = Config::infer().await?;
    let asked = config.proxy_url.take();
    if asked.is_some() && asked != proxy.and_then(|proxy| proxy.parse().ok()) {
        return Err(ClusterError::Proxied);
    }
    if asked.is_some() {
        say("HTTPS_PROXY is set and not used: the API server has to be reached without a proxy");
    }
    Ok(config)
}
