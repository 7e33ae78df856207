//! The ValidatingWebhookConfiguration through which the API server finds the webhook, and the authorities that it names.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{ValidatingWebhook, ValidatingWebhookConfiguration};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde_json::json;

use super::pair::{Pair, Trust};
use crate::api::{GROUP, MANAGER};

/// The configuration, as it was last read.
#[derive(Clone, Debug)]
pub(super) struct Configuration(ValidatingWebhookConfiguration);

impl Configuration {
    /// Reads the configuration of a name.
    pub(super) async fn read(client: &Client, name: &str) -> Result<Option<Self>, kube::Error> {
        let found = Api::<ValidatingWebhookConfiguration>::all(client.clone()).get_opt(name).await?;
        Ok(found.map(Self).filter(|found| found.own().next().is_some()))
    }

    /// Returns the webhooks that are the operator's own; others in the same configuration are left alone.
    fn own(&self) -> impl Iterator<Item = &ValidatingWebhook> {
        let suffix = format!(".{GROUP}");
        self.0.webhooks.iter().flatten().filter(move |webhook| webhook.name.ends_with(&suffix))
    }

    /// Returns a reference to the configuration.
    pub(super) fn object_ref(&self) -> ObjectReference {
        self.0.object_ref(&())
    }

    fn bundle(webhook: &ValidatingWebhook) -> &[u8] {
        webhook.client_config.ca_bundle.as_ref().map_or(&[], |bundle| &bundle.0)
    }

    /// Reports whether every webhook trusts a certificate.
    pub(super) fn trusts(&self, pair: &Pair, names: &[String]) -> bool {
        self.own().all(|webhook| pair.trusted_by(Self::bundle(webhook), names) != Trust::None)
    }

    /// Reports whether every webhook names exactly these authorities.
    pub(super) fn names(&self, authorities: &str) -> bool {
        self.own().all(|webhook| Self::bundle(webhook) == authorities.as_bytes())
    }

    /// Writes the authorities into every webhook, unless the configuration was changed since it was read.
    pub(super) async fn put(&self, client: &Client, authorities: &str) -> Result<(), kube::Error> {
        let bundle = ByteString(authorities.as_bytes().to_vec());
        let webhooks: Vec<_> = self.own().map(|webhook| json!({ "name": webhook.name, "clientConfig": { "caBundle": bundle } })).collect();
        // Webhooks merge by name, so no other field is written.
        let patch = json!({ "metadata": { "resourceVersion": self.0.metadata.resource_version }, "webhooks": webhooks });
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let name = self.0.metadata.name.as_deref().unwrap_or_default();
        let api = Api::<ValidatingWebhookConfiguration>::all(client.clone());
        api.patch(name, &params, &Patch::Strategic(patch)).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::webhook::certificates::issue::issue;

    #[test]
    fn only_the_webhooks_of_the_group_count() {
        let names = vec!["127.0.0.1".to_owned()];
        let pair = issue(&names, Timestamp::now(), Duration::from_secs(600)).unwrap();
        let webhook = |name: &str, bundle: &str| {
            json!({ "name": name, "admissionReviewVersions": ["v1"], "sideEffects": "None",
                "clientConfig": { "url": "https://127.0.0.1", "caBundle": ByteString(bundle.as_bytes().to_vec()) } })
        };
        let ours = |bundles: [&str; 2]| {
            let all = [webhook("a.weirkeeper.dev", bundles[0]), webhook("a.example", "theirs"), webhook("b.weirkeeper.dev", bundles[1])];
            Configuration(serde_json::from_value(json!({ "metadata": { "name": "weirkeeper" }, "webhooks": all })).unwrap())
        };
        let authority = pair.authority();
        let both = ours([&authority, &authority]);
        assert!(both.trusts(&pair, &names) && both.names(&authority));
        for lacking in [ours([&authority, ""]), ours(["half", &authority])] {
            assert!(!lacking.trusts(&pair, &names) && !lacking.names(&authority));
        }
    }
}
