//! Arguments of the operator; the environment is read here and nowhere else.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, ValueEnum};
use rustls::pki_types::ServerName;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::api::MANAGER;
use crate::api::duration::{HOUR, SECOND, Within};
use crate::controller;
use crate::http::LeaderFence;
use crate::kubernetes::scope::Scope;
use crate::text::is_label;
use crate::text::sha256::sha256_hex;
use crate::webhook::certificates::{CertificateSettings, Source};

type DeletionBound = Within<SECOND, { 168 * HOUR }>;
type ReconcileTimeout = Within<{ 10 * SECOND }, HOUR>;
type FullInterval = Within<{ 10 * SECOND }, { 24 * HOUR }>;
type CertificateLifetime = Within<{ 10 * SECOND }, { 87_600 * HOUR }>;
type LeaseDuration = Within<{ 5 * SECOND }, { 600 * SECOND }>;
type LivenessBound = Within<{ 10 * SECOND }, { 24 * HOUR }>;

/// Arguments of the operator.
#[derive(Args)]
pub(super) struct OperatorArguments {
    /// Address on which /livez, /readyz and /metrics are served. In a pod it must be reachable from outside: `0.0.0.0:8080`.
    #[arg(long, env = "WEIRKEEPER_LISTEN", default_value = "127.0.0.1:8080")]
    pub(super) listen: SocketAddr,
    /// Allow N8nInstances to point to loopback addresses; for tests and demos.
    #[arg(long, env = "WEIRKEEPER_ALLOW_LOOPBACK")]
    allow_loopback: bool,
    /// Maximum time that a deletion waits for an n8n that does not answer before the finalizer is removed.
    #[arg(long, env = "WEIRKEEPER_DELETION_BOUND", default_value = "10m", value_parser = DeletionBound::parse)]
    deletion_bound: DeletionBound,
    /// Maximum time of a single reconciliation before it is stopped and retried.
    #[arg(long, env = "WEIRKEEPER_RECONCILE_TIMEOUT", default_value = "10m", value_parser = ReconcileTimeout::parse)]
    reconcile_timeout: ReconcileTimeout,
    /// Maximum time without an event on a watch of Kubernetes, or with reconciliations running and none ending, before /livez fails.
    #[arg(long, env = "WEIRKEEPER_LIVENESS_BOUND", default_value = "15m", value_parser = LivenessBound::parse)]
    liveness_bound: LivenessBound,
    /// Maximum number of Workflows that are reconciled concurrently for each N8nInstance.
    #[arg(long, env = "WEIRKEEPER_CONCURRENCY", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=100))]
    concurrency: u16,
    /// Minimum time between two full reconciliations of a Workflow, with a check of its webhooks, while listings of its N8nInstance show that
    /// nothing changed (10s to 24h).
    #[arg(long, env = "WEIRKEEPER_FULL_INTERVAL", default_value = "1h", value_parser = FullInterval::parse)]
    full_interval: FullInterval,
    /// Reconcile only Workflows and N8nInstances with these labels, to divide them among several operators. An instance and its Workflows
    /// must belong to the same operator.
    #[arg(long, env = "WEIRKEEPER_WATCH_LABEL_SELECTOR")]
    watch_label_selector: Option<String>,
    /// Manage only objects in these namespaces, with a watch in each: a Role in each of them suffices. They must exist. Default: all. Separate
    /// several with commas, or repeat the flag.
    #[arg(long, env = "WEIRKEEPER_WATCH_NAMESPACES", value_delimiter = ',', value_parser = namespace)]
    watch_namespaces: Vec<String>,
    /// Leader election: only the operator that holds a Lease reconciles. Without it, two operators for the same objects both write.
    #[arg(long, env = "WEIRKEEPER_LEADER_ELECT", value_enum, default_value_t = LeaderElect::On)]
    leader_elect: LeaderElect,
    /// Name of the Lease. Default: `weirkeeper`, with a digest of the label selector if there is one, because operators that divide objects
    /// by label need one Lease each.
    #[arg(long, env = "WEIRKEEPER_LEASE_NAME")]
    lease_name: Option<String>,
    /// Namespace of the Lease. Default: the namespace that the operator runs in, and `weirkeeper-system` outside a cluster.
    #[arg(long, env = "WEIRKEEPER_LEASE_NAMESPACE")]
    lease_namespace: Option<String>,
    /// Duration of the Lease after its last renewal (5s to 10m). It is renewed five times as often, and the holder relies on it for two thirds.
    #[arg(long, env = "WEIRKEEPER_LEASE_DURATION", default_value = "15s", value_parser = LeaseDuration::parse)]
    lease_duration: LeaseDuration,
    /// Identity of this replica in the Lease; in a cluster the pod's name.
    #[arg(long, env = "HOSTNAME", default_value = "weirkeeper")]
    pub(super) identity: String,
    /// Serve the admission webhook on this address, for example `0.0.0.0:9443`. Default: not served.
    #[arg(long, env = "WEIRKEEPER_WEBHOOK_ADDRESS")]
    pub(super) webhook_address: Option<SocketAddr>,
    /// Origin of the webhook's certificate.
    #[arg(long, env = "WEIRKEEPER_WEBHOOK_CERTIFICATES", value_enum, default_value_t = WebhookCertificates::SelfSigned)]
    webhook_certificates: WebhookCertificates,
    /// Secret with the webhook's certificate, in the namespace of the operator (that of the Lease).
    #[arg(long, env = "WEIRKEEPER_WEBHOOK_SECRET", default_value = "weirkeeper-webhook")]
    webhook_secret: String,
    /// ValidatingWebhookConfiguration whose caBundle is kept, and compared with the certificate for /readyz.
    #[arg(long, env = "WEIRKEEPER_WEBHOOK_CONFIGURATION", default_value = "weirkeeper")]
    webhook_configuration: String,
    /// Service through which the API server calls the webhook, in the namespace of the operator; self-signed certificates are for its name.
    #[arg(long, env = "WEIRKEEPER_WEBHOOK_SERVICE", default_value = "weirkeeper-webhook")]
    webhook_service: String,
    /// Further host or address for self-signed certificates, for a webhook that is called by URL. Repeat it for several.
    #[arg(long, env = "WEIRKEEPER_WEBHOOK_HOST", value_delimiter = ',', value_parser = host)]
    webhook_host: Vec<String>,
    /// Lifetime of self-signed certificates. They are renewed when a third of it is left.
    #[arg(long, env = "WEIRKEEPER_WEBHOOK_CERTIFICATE_LIFETIME", default_value = "2160h", value_parser = CertificateLifetime::parse)]
    webhook_certificate_lifetime: CertificateLifetime,
    /// Count tokens and cost of language models by namespace, too: two more series for each namespace with WorkflowPrompts.
    #[arg(long, env = "WEIRKEEPER_METRICS_BY_NAMESPACE")]
    pub(super) metrics_by_namespace: bool,
    /// Set in every pod; shows that the operator runs in one.
    #[arg(long, env = "KUBERNETES_SERVICE_HOST", hide = true)]
    service_host: Option<String>,
    /// Format of log lines.
    #[arg(long, env = "WEIRKEEPER_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(super) log_format: LogFormat,
    /// Log directives in the syntax of tracing-subscriber, for example `debug` or `info,weirkeeper::n8n=debug`. Only the operator's own
    /// lines are logged, at any level.
    #[arg(long, env = "WEIRKEEPER_LOG", default_value = "info", value_parser = log_directives)]
    pub(super) log: String,
}

/// Leader election on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LeaderElect {
    /// The holder of the Lease reconciles, the others stand by.
    On,
    /// No Lease is taken.
    Off,
}

/// Origin of the webhook's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum WebhookCertificates {
    /// The operator makes it, keeps it in the Secret and renews it.
    SelfSigned,
    /// Somebody else keeps the Secret: `tls.crt`, `tls.key` and, if the operator is to write the caBundle, `ca.crt`.
    Secret,
    /// cert-manager keeps the Secret, and writes the caBundle because of its annotation.
    CertManager,
}

/// Namespace of config/rbac, in which an operator has its Lease.
const NAMESPACE: &str = "weirkeeper-system";

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line.
    Json,
}

impl OperatorArguments {
    /// Reports whether this replica must hold the lease before it reconciles.
    pub(super) fn elects(&self) -> bool {
        self.leader_elect == LeaderElect::On
    }

    /// Returns the name of the lease.
    pub(super) fn lease_name(&self) -> String {
        match (&self.lease_name, self.selector()) {
            (Some(name), _) => name.clone(),
            (None, None) => MANAGER.to_owned(),
            (None, Some(selector)) => {
                format!("{MANAGER}-{}", &sha256_hex(selector)[..10])
            }
        }
    }

    /// Returns the namespace of the lease; `own` is the namespace of the cluster configuration. Outside a cluster that is only the current
    /// namespace of somebody's kubectl, so it is not used.
    pub(super) fn lease_namespace(&self, own: &str) -> String {
        let default = if self.service_host.is_some() { own } else { NAMESPACE };
        self.lease_namespace.clone().unwrap_or_else(|| default.to_owned())
    }

    /// Returns the label selector, if it selects anything.
    pub(super) fn selector(&self) -> Option<&str> {
        self.watch_label_selector.as_deref().map(str::trim).filter(|selector| !selector.is_empty())
    }

    /// Returns the restriction of the objects that are managed.
    pub(super) fn scope(&self) -> Scope {
        let mut namespaces = self.watch_namespaces.clone();
        namespaces.sort();
        namespaces.dedup();
        Scope { selector: self.selector().map(str::to_owned), namespaces }
    }

    /// Returns the duration of the Lease.
    pub(super) fn lease_duration(&self) -> Duration {
        self.lease_duration.get()
    }

    /// Returns the settings of the webhook's certificate; `namespace` is that of the operator.
    pub(super) fn certificates(&self, namespace: &str) -> CertificateSettings {
        let service = format!("{}.{namespace}.svc", self.webhook_service);
        CertificateSettings {
            source: match self.webhook_certificates {
                WebhookCertificates::SelfSigned => Source::SelfSigned,
                WebhookCertificates::Secret => Source::Secret,
                WebhookCertificates::CertManager => Source::CertManager,
            },
            namespace: namespace.to_owned(),
            secret: self.webhook_secret.clone(),
            configuration: self.webhook_configuration.clone(),
            names: std::iter::once(service).chain(self.webhook_host.clone()).collect(),
            lifetime: self.webhook_certificate_lifetime.get(),
        }
    }

    /// Returns the time without progress after which this process counts as dead.
    pub(super) fn liveness_bound(&self) -> Duration {
        self.liveness_bound.get()
    }

    /// Returns the settings of the controllers.
    pub(super) fn controller(&self, fence: LeaderFence, own_namespace: String) -> controller::Settings {
        controller::Settings {
            own_namespace,
            allow_loopback: self.allow_loopback,
            deletion_bound: self.deletion_bound.get(),
            reconcile_timeout: self.reconcile_timeout.get(),
            concurrency: usize::from(self.concurrency),
            full_interval: self.full_interval.get(),
            selector: self.selector().map(str::to_owned),
            fence,
        }
    }
}

/// Reports whether people asked for output without colour (<https://no-color.org>).
pub(super) fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Returns the proxy that the environment names for TLS connections.
pub(super) fn https_proxy() -> Option<String> {
    ["HTTPS_PROXY", "https_proxy"].iter().find_map(|name| std::env::var(name).ok().filter(|proxy| !proxy.is_empty()))
}

/// Returns the API key of n8n for commands. It is read only from the environment, because an argument would show in the list of processes.
pub(super) fn n8n_api_key() -> Option<String> {
    std::env::var("WEIRKEEPER_N8N_API_KEY").ok()
}

/// Returns the key of a server of language models for commands. It is read only from the environment, because an argument would show in the
/// list of processes.
pub(super) fn model_key() -> Option<String> {
    ["WEIRKEEPER_MODEL_KEY", "OPENAI_API_KEY"].iter().find_map(|name| std::env::var(name).ok().filter(|key| !key.trim().is_empty()))
}

/// Parses the name of a namespace.
fn namespace(text: &str) -> Result<String, String> {
    match text.len() <= 63 && is_label(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("{text:?} is not the name of a namespace: write lowercase letters, digits and hyphens, at most 63")),
    }
}

/// Parses a host of a certificate.
fn host(text: &str) -> Result<String, String> {
    match ServerName::try_from(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("{text:?} is neither a DNS name nor an IP address; write the host alone, without scheme and port")),
    }
}

/// Parses directives of tracing-subscriber more strictly than it does: it takes a misspelt level for the name of a target, and a missing
/// level for `error`, and then logs next to nothing.
fn log_directives(text: &str) -> Result<String, String> {
    let is_level = |word: &str| !word.is_empty() && word.parse::<LevelFilter>().is_ok();
    // Directives for spans contain commas and equal signs.
    let parts: Vec<&str> = if text.contains('[') { Vec::new() } else { text.split(',').map(str::trim).collect() };
    for part in parts {
        let fits = match part.split_once('=') {
            Some((target, level)) => !target.trim().is_empty() && is_level(level.trim()),
            None => is_level(part),
        };
        if !fits {
            return Err(format!(
                "{part:?} is not a log directive: write a level (off, error, warn, info, debug, trace) or target=level, for example info,weirkeeper=debug"
            ));
        }
    }
    EnvFilter::try_new(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        operator: OperatorArguments,
    }

    fn parsed(flags: &[&str]) -> OperatorArguments {
        Line::try_parse_from([&["operator"], flags].concat()).unwrap().operator
    }

    #[test]
    fn log_directives_that_would_silence_the_log_are_refused() {
        for good in ["info", "INFO", "off", "info,weirkeeper=debug", "warn,kube=off", "info,weirkeeper[workflow{name=a}]=trace"] {
            assert_eq!(log_directives(good).as_deref(), Ok(good));
        }
        for bad in ["", "nonsense", "nonsense=", "inof", "info,", "weirkeeper=loud", "=info", "info,weirkeeper"] {
            assert!(log_directives(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_operator_outside_the_cluster_listens_on_loopback_and_uses_the_same_lease() {
        let by_hand = OperatorArguments { service_host: None, ..parsed(&[]) };
        assert!(by_hand.listen.ip().is_loopback() && by_hand.elects());
        assert_eq!((by_hand.lease_name().as_str(), by_hand.lease_namespace("default").as_str()), ("weirkeeper", NAMESPACE));
        let in_cluster = OperatorArguments { service_host: Some("10.0.0.1".to_owned()), ..parsed(&[]) };
        assert_eq!(in_cluster.lease_namespace("operators"), "operators");
        assert_eq!(parsed(&["--lease-namespace", "mine"]).lease_namespace("operators"), "mine");
        assert!(!parsed(&["--leader-elect", "off"]).elects());
    }

    #[test]
    fn the_webhook_is_off_by_default_and_its_certificate_names_the_service() {
        assert_eq!(parsed(&[]).webhook_address, None);
        let given =
            parsed(&["--webhook-address", "127.0.0.1:9443", "--webhook-host", "127.0.0.1", "--webhook-certificate-lifetime", "30s"]);
        let certificates = given.certificates("ops");
        assert_eq!(certificates.names, ["weirkeeper-webhook.ops.svc", "127.0.0.1"]);
        assert_eq!((certificates.source, certificates.lifetime.as_secs()), (Source::SelfSigned, 30));
        for wrong in [["--webhook-host", "https://a"], ["--webhook-certificate-lifetime", "1s"], ["--webhook-certificates", "none"]] {
            assert!(Line::try_parse_from([&["operator"], &wrong[..]].concat()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn namespaces_are_names_and_each_counts_once() {
        let given = parsed(&["--watch-namespaces", "team-b,team-a", "--watch-namespaces", "team-b"]);
        assert_eq!(given.scope().namespaces, ["team-a", "team-b"]);
        assert!(parsed(&[]).scope().namespaces.is_empty());
        for wrong in ["", "a,", "Team", "a b", "-a", "a/b", &"a".repeat(64)] {
            assert!(Line::try_parse_from(["operator", "--watch-namespaces", wrong]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn operators_that_divide_objects_by_label_have_a_lease_each() {
        let named = |selector: &str| parsed(&["--watch-label-selector", selector]).lease_name();
        assert_eq!(named("shard=a"), named(" shard=a "));
        assert!(named("shard=a") != named("shard=b") && named("shard=a").starts_with("weirkeeper-"));
        assert_eq!(named(" "), "weirkeeper");
        assert_eq!(parsed(&["--watch-label-selector", "a=b", "--lease-name", "mine"]).lease_name(), "mine");
    }
}
