//! Keeps the certificate: reads, renews, announces and serves it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ObjectReference, Secret};
use kube::api::PostParams;
use kube::runtime::events::EventType;
use kube::{Api, Client, Resource};
use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use rustls::server::ResolvesServerCert;
use tracing::{info, warn};

use super::configuration::Configuration;
use super::content::{Content, is_own};
use super::issue::issue;
use super::pair::{Pair, Trust};
use super::served::Served;
use crate::api::reason::Reason;
use crate::domain::certificates::{Announced, Facts, Step, Stored, decide, overlap};
use crate::http::LeaderFence;
use crate::kubernetes::events::Events;
use crate::kubernetes::objects;

/// Longest time between two readings of the Secret.
const PERIOD: Duration = Duration::from_secs(10);
/// Shortest time between two readings.
const SHORTEST_PERIOD: Duration = Duration::from_millis(200);
/// Time between two readings while there is no valid certificate to serve.
const IMPATIENT: Duration = Duration::from_secs(1);
/// Time limit of one round.
const ROUND: Duration = Duration::from_secs(20);

/// Reason why the API server cannot use the webhook while the served certificate is not valid.
const NOT_VALID: &str = "the webhook's certificate is not valid now";

/// Origin of the certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The operator makes and renews it.
    SelfSigned,
    /// Somebody writes it to the Secret; the operator copies `ca.crt`, if there is one, to the configuration of the webhook.
    Secret,
    /// cert-manager writes the Secret and the configuration of the webhook.
    CertManager,
}

/// Settings of the certificate.
#[derive(Clone, Debug)]
pub struct CertificateSettings {
    /// Origin of the certificate.
    pub source: Source,
    /// Namespace of the Secret.
    pub namespace: String,
    /// Name of the Secret.
    pub secret: String,
    /// Name of the ValidatingWebhookConfiguration.
    pub configuration: String,
    /// Hosts under which the API server calls the webhook.
    pub names: Vec<String>,
    /// Lifetime of certificates that the operator makes.
    pub lifetime: Duration,
}

/// Metrics of the certificate.
#[derive(Clone, Debug)]
pub struct CertificateMetrics {
    expires: IntGauge,
    errors: IntCounterVec,
}

impl CertificateMetrics {
    /// Registers the metrics.
    ///
    /// # Errors
    ///
    /// If they are registered already.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let expires = IntGauge::new(
            "weirkeeper_webhook_certificate_expiry_timestamp_seconds",
            "Time at which the served certificate of the admission webhook expires; 0 while there is none.",
        )?;
        let errors = Opts::new("weirkeeper_webhook_certificate_errors_total", "Failed steps of keeping the webhook's certificate.");
        let errors = IntCounterVec::new(errors, &["step"])?;
        registry.register(Box::new(expires.clone()))?;
        registry.register(Box::new(errors.clone()))?;
        Ok(Self { expires, errors })
    }
}

/// The certificate of the webhook.
pub struct Certificates {
    client: Client,
    settings: CertificateSettings,
    fence: LeaderFence,
    served: Arc<Served>,
    metrics: CertificateMetrics,
    events: Events,
    /// Reason why the webhook cannot be used, as of the last round.
    waiting_for: Mutex<Option<String>>,
    /// The last error, which is logged once.
    logged: Mutex<String>,
}

/// A failed step.
struct StepError {
    step: &'static str,
    message: String,
}

impl StepError {
    fn kubernetes(step: &'static str, attempt: &str, error: &kube::Error) -> Self {
        Self { step, message: objects::reconcile_error(attempt, error).message }
    }
}

impl Certificates {
    /// Returns the certificate of a webhook; nothing is served before [`Certificates::keep`] has read or made one. Writes are made while
    /// the fence permits them.
    pub fn new(client: Client, settings: CertificateSettings, fence: LeaderFence, metrics: CertificateMetrics) -> Self {
        Self {
            events: Events::new(client.clone()),
            client,
            settings,
            fence,
            served: Arc::default(),
            metrics,
            waiting_for: Mutex::new(Some("the webhook has no certificate yet".to_owned())),
            logged: Mutex::default(),
        }
    }

    /// Returns the resolver for the TLS server.
    pub fn resolver(&self) -> Arc<dyn ResolvesServerCert> {
        self.served.clone()
    }

    /// Returns why the API server cannot use the webhook; None if it can, as far as this replica knows. A certificate also expires while
    /// Kubernetes cannot be reached.
    pub fn waiting_for(&self) -> Option<String> {
        if self.served.get().is_some_and(|served| !served.is_valid()) {
            return Some(NOT_VALID.to_owned());
        }
        let waiting = self.waiting_for.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let error = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        Some(if error.is_empty() { waiting } else { format!("{waiting}: {error}") })
    }

    /// Keeps the certificate until the process ends.
    pub async fn keep(&self) {
        loop {
            let wrote = match tokio::time::timeout(ROUND, self.round()).await {
                Ok(Ok(wrote)) => {
                    self.note(None);
                    wrote
                }
                Ok(Err(error)) => {
                    self.note(Some(&error));
                    false
                }
                Err(_) => {
                    self.note(Some(&StepError { step: "read", message: "Kubernetes does not answer".to_owned() }));
                    false
                }
            };
            if !wrote {
                tokio::time::sleep(self.period()).await;
            }
        }
    }

    fn period(&self) -> Duration {
        // Several readings fit between the announcement of a certificate and its use.
        let period = (overlap(self.settings.lifetime) / 3).clamp(SHORTEST_PERIOD, PERIOD);
        if self.served.get().is_some_and(|served| served.is_valid()) { period } else { period.min(IMPATIENT) }
    }

    /// Counts an error, and logs it unless it is the same as before.
    fn note(&self, error: Option<&StepError>) {
        let message = error.map_or_else(String::new, |error| {
            self.metrics.errors.with_label_values(&[error.step]).inc();
            error.message.clone()
        });
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if *logged != message {
            match message.is_empty() {
                true => info!("the webhook's certificate is kept again"),
                false => warn!(error = message, "cannot keep the webhook's certificate"),
            }
            *logged = message;
        }
    }

    /// Reads the Secret and the configuration, and takes the next step. Returns whether something was written, so that the next round
    /// follows at once.
    async fn round(&self) -> Result<bool, StepError> {
        let CertificateSettings { namespace, secret: name, configuration, names, .. } = &self.settings;
        let secret = objects::get::<Secret>(&self.client, Some(namespace), name).await;
        let secret = secret.map_err(|error| StepError::kubernetes("read", &format!("read Secret {namespace}/{name}"), &error))?;
        let found = Configuration::read(&self.client, configuration).await;
        let found = found
            .map_err(|error| StepError::kubernetes("read", &format!("read ValidatingWebhookConfiguration {configuration}"), &error))?;
        let content = secret.as_ref().map(Content::read);
        let readable = content.as_ref().and_then(|content| content.as_ref().ok());
        if let Some(content) = readable.filter(|content| self.may_serve(content, secret.as_ref(), found.as_ref())) {
            self.serve(&content.current);
        }
        let waiting = self.waits(found.as_ref(), names);
        *self.waiting_for.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
        let writes = match self.settings.source {
            Source::SelfSigned => self.renew(secret.as_ref(), content.as_ref(), found.as_ref()).await?,
            Source::Secret | Source::CertManager => {
                let lacks = match &content {
                    None => Some("it does not exist".to_owned()),
                    Some(Err(why)) => Some(why.clone()),
                    Some(Ok(content)) if content.current.is_valid() => None,
                    Some(Ok(_)) => Some("its certificate is not valid now; renew it".to_owned()),
                };
                lacks.map_or(Ok(false), |why| Err(StepError { step: "secret", message: format!("Secret {namespace}/{name}: {why}") }))?
            }
        };
        let announces = match (readable, &found) {
            (Some(content), Some(found)) if !writes => self.announce(secret.as_ref(), content, found).await?,
            _ => false,
        };
        Ok(writes || announces)
    }

    /// Reports whether the stored certificate may replace the served one. As long as the API server trusts the served one and not the
    /// stored one, it may not.
    fn may_serve(&self, content: &Content, secret: Option<&Secret>, found: Option<&Configuration>) -> bool {
        let names = &self.settings.names;
        if self.settings.source == Source::SelfSigned
            && (!secret.is_some_and(is_own) || content.current.trusted_by(content.authorities.as_bytes(), names) == Trust::None)
        {
            return false;
        }
        if self.is_worse(content) {
            return false;
        }
        let (Some(served), Some(found)) = (self.served.get(), found) else { return true };
        let useful = served.is_valid() && found.trusts(&served, names);
        !useful || found.trusts(&content.current, names)
    }

    /// Reports whether the stored certificate is not valid now, and the served one is.
    fn is_worse(&self, content: &Content) -> bool {
        !content.current.is_valid() && self.served.get().is_some_and(|served| served.is_valid())
    }

    fn serve(&self, pair: &Pair) {
        self.metrics.expires.set(pair.validity.until.as_second());
        if self.served.set(pair) {
            info!(until = %pair.validity.until, "the webhook serves a new certificate");
        }
    }

    /// Returns why the API server cannot use the webhook.
    fn waits(&self, found: Option<&Configuration>, names: &[String]) -> Option<String> {
        let Some(served) = self.served.get() else { return Some("the webhook has no certificate yet".to_owned()) };
        let name = &self.settings.configuration;
        found
            .filter(|found| !found.trusts(&served, names))
            .map(|_| format!("the caBundle of ValidatingWebhookConfiguration {name} does not trust the webhook's certificate"))
    }

    /// Makes and renews the operator's own certificates.
    async fn renew(
        &self,
        secret: Option<&Secret>,
        content: Option<&Result<Content, String>>,
        found: Option<&Configuration>,
    ) -> Result<bool, StepError> {
        let CertificateSettings { namespace, secret: name, names, lifetime, .. } = &self.settings;
        let served = self.served.get();
        let (now, stored) = (Timestamp::now(), stored(secret, content, names));
        let next = content.and_then(|content| content.as_ref().ok()).and_then(|content| content.next.as_ref());
        let trusted = match (found, next) {
            (Some(found), Some(next)) => found.trusts(next, names),
            _ => true,
        };
        let facts = Facts {
            now,
            lifetime: *lifetime,
            stored,
            served: served.as_ref().map(|pair| pair.facts(pair.trusted_by(pair.authority().as_bytes(), names))),
            announced: if trusted { Announced::Yes } else { Announced::No },
        };
        let step = decide(&facts);
        if step == Step::Refuse {
            let message = format!(
                "Secret {namespace}/{name} was not made by the operator, so it is not overwritten; delete it, choose another name with --webhook-secret, or use it with --webhook-certificates secret"
            );
            return Err(StepError { step: "secret", message });
        }
        if step == Step::Keep || !self.fence.holds() {
            return Ok(false);
        }
        let make = || issue(names, now, *lifetime).map_err(|message| StepError { step: "issue", message });
        let current = content.and_then(|content| content.as_ref().ok()).filter(|_| matches!(facts.stored, Stored::Usable { .. }));
        let (written, reason, note) = match (step, served, current) {
            (Step::Restore, Some(served), _) => (
                Content::staged((*served).clone(), make()?),
                Reason::CertificateRestored,
                "the Secret of the webhook's certificate was deleted or damaged; it was written again, and the certificate is renewed",
            ),
            (Step::Stage, _, Some(current)) => (
                Content::staged(current.current.clone(), make()?),
                Reason::CertificateRenewed,
                "the next certificate of the webhook was made; it is used once the API server trusts it",
            ),
            (Step::Promote, _, Some(current)) => {
                (current.clone().promoted(), Reason::CertificateRenewed, "the next certificate of the webhook is used from now on")
            }
            _ => (Content::of(make()?), Reason::CertificateRenewed, "a certificate of the webhook was made"),
        };
        self.write(secret, &written).await?;
        info!(?step, until = %written.current.validity.until, "{note}");
        let kind = if step == Step::Restore { EventType::Warning } else { EventType::Normal };
        self.publish(written.secret(namespace, name, None).object_ref(&()), kind, reason, note).await;
        Ok(true)
    }

    /// Writes the Secret, unless somebody else has written it since it was read.
    async fn write(&self, before: Option<&Secret>, content: &Content) -> Result<(), StepError> {
        let CertificateSettings { namespace, secret: name, .. } = &self.settings;
        let api = Api::<Secret>::namespaced(self.client.clone(), namespace);
        let version = before.and_then(|secret| secret.metadata.resource_version.clone());
        let secret = content.secret(namespace, name, version);
        let written = match before {
            // The type of a Secret is immutable.
            Some(before) => api.replace(name, &PostParams::default(), &Secret { type_: before.type_.clone(), ..secret }).await,
            None => api.create(&PostParams::default(), &secret).await,
        };
        written.map(drop).map_err(|error| StepError::kubernetes("write", &format!("write Secret {namespace}/{name}"), &error))
    }

    /// Copies the authorities of the Secret to the configuration of the webhook, if they differ.
    async fn announce(&self, secret: Option<&Secret>, content: &Content, found: &Configuration) -> Result<bool, StepError> {
        let usable = match self.settings.source {
            Source::CertManager => false,
            Source::Secret => !content.authorities.trim().is_empty() && !self.is_worse(content),
            Source::SelfSigned => {
                secret.is_some_and(is_own)
                    && content.current.trusted_by(content.authorities.as_bytes(), &self.settings.names) != Trust::None
            }
        };
        if !usable || found.names(&content.authorities) || !self.fence.holds() {
            return Ok(false);
        }
        let name = &self.settings.configuration;
        found.put(&self.client, &content.authorities).await.map_err(|error| {
            StepError::kubernetes("announce", &format!("write the caBundle of ValidatingWebhookConfiguration {name}"), &error)
        })?;
        let note = "wrote the authorities of the webhook's certificate to the caBundle";
        info!(configuration = name, "{note}");
        self.publish(found.object_ref(), EventType::Normal, Reason::CABundleWritten, note).await;
        Ok(true)
    }

    /// Writes an event. It is not worth an error: the log says the same.
    async fn publish(&self, about: ObjectReference, kind: EventType, reason: Reason, note: &str) {
        if let Err(error) = self.events.send(&about, kind, reason, note.to_owned()).await {
            warn!(%error, "cannot write an event");
        }
    }
}

fn stored(secret: Option<&Secret>, content: Option<&Result<Content, String>>, names: &[String]) -> Stored {
    match (secret, content) {
        (Some(secret), _) if !is_own(secret) => Stored::Foreign,
        (Some(_), Some(Ok(content))) => content.stored(names),
        (Some(_), _) => Stored::Broken,
        (None, _) => Stored::Absent,
    }
}
