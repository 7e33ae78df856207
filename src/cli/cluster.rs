//! Selection of the cluster that the operator or a command connects to.

use kube::Config;
use kube::config::InferConfigError;

/// Reason for which no cluster can be used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No cluster is configured, or the configuration cannot be used.
    #[error("find the cluster: {0}")]
    Unnamed(#[from] InferConfigError),
    /// The kubeconfig uses a proxy.
    #[error(
        "the kubeconfig connects through a proxy (proxy-url), which Weirkeeper does not support: remove proxy-url and run this where the API server can be reached directly"
    )]
    Proxied,
}

/// Finds the cluster of the environment: KUBECONFIG, or else the one that this pod runs in. Weirkeeper uses no proxy, neither to n8n nor to
/// Kubernetes: a proxy in the environment (`proxy`) is ignored with a warning.
///
/// # Errors
/// If no cluster is configured, or the kubeconfig itself requires a proxy.
pub async fn find(proxy: Option<&str>, say: impl FnOnce(&str)) -> Result<Config, ClusterError> {
    let mut config = Config::infer().await?;
    let asked = config.proxy_url.take();
    if asked.is_some() && asked != proxy.and_then(|proxy| proxy.parse().ok()) {
        return Err(ClusterError::Proxied);
    }
    if asked.is_some() {
        say("HTTPS_PROXY is set but ignored: the API server must be reachable without a proxy");
    }
    Ok(config)
}
