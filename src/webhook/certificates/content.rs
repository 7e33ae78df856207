//! Content of the Secret that holds the webhook's certificate.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ObjectMeta;

use super::pair::{Pair, Trust};
use crate::api::MANAGER;
use crate::domain::certificates::Stored;

/// Label of the Secrets that the operator made and may overwrite.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
const CHAIN: &str = "tls.crt";
const KEY: &str = "tls.key";
const AUTHORITIES: &str = "ca.crt";
const NEXT_CHAIN: &str = "next.crt";
const NEXT_KEY: &str = "next.key";

/// Content of a Secret with a certificate.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Content {
    /// The certificate in use.
    pub(super) current: Pair,
    /// The certificate that follows it.
    pub(super) next: Option<Pair>,
    /// Authorities to trust, as PEM; empty if the Secret names none.
    pub(super) authorities: String,
}

/// Reports whether the operator made a Secret.
pub(super) fn is_own(secret: &Secret) -> bool {
    secret.metadata.labels.as_ref().and_then(|labels| labels.get(MANAGED_BY)).is_some_and(|manager| manager == MANAGER)
}

impl Content {
    /// Reads the content of a Secret.
    ///
    /// # Errors
    ///
    /// If the certificate or its key is missing or unreadable. A next certificate that is unreadable counts as none.
    pub(super) fn read(secret: &Secret) -> Result<Self, String> {
        let empty = ByteString::default();
        let part = |key: &str| &secret.data.as_ref().and_then(|data| data.get(key)).unwrap_or(&empty).0;
        let missing: Vec<&str> = [CHAIN, KEY].into_iter().filter(|key| part(key).is_empty()).collect();
        if !missing.is_empty() {
            return Err(format!("it has no {}", missing.join(" and no ")));
        }
        Ok(Self {
            current: Pair::parse(part(CHAIN), part(KEY))?,
            next: Pair::parse(part(NEXT_CHAIN), part(NEXT_KEY)).ok(),
            authorities: String::from_utf8_lossy(part(AUTHORITIES)).into_owned(),
        })
    }

    /// Returns the facts about this content for decisions.
    pub(super) fn stored(&self, names: &[String]) -> Stored {
        let trust = |pair: &Pair| pair.trusted_by(self.authorities.as_bytes(), names);
        match trust(&self.current) {
            Trust::None => Stored::Broken,
            found => Stored::Usable { current: self.current.facts(found), next: self.next.as_ref().map(|next| next.facts(trust(next))) },
        }
    }

    /// Returns the content with a certificate in use that nothing precedes.
    pub(super) fn of(current: Pair) -> Self {
        Self { authorities: current.authority(), current, next: None }
    }

    /// Returns the content with a next certificate, whose authority is trusted from now on.
    pub(super) fn staged(current: Pair, next: Pair) -> Self {
        Self { authorities: format!("{}{}", next.authority(), current.authority()), current, next: Some(next) }
    }

    /// Returns the content with the next certificate in use. Both authorities stay trusted, because other replicas read it later.
    pub(super) fn promoted(self) -> Self {
        match self.next {
            Some(next) => Self { current: next, next: None, authorities: self.authorities },
            None => self,
        }
    }

    /// Returns the Secret with this content. `version` is that of the Secret that it replaces.
    pub(super) fn secret(&self, namespace: &str, name: &str, version: Option<String>) -> Secret {
        let mut data = BTreeMap::new();
        let mut put = |key: &str, text: &str| drop(data.insert(key.to_owned(), ByteString(text.as_bytes().to_vec())));
        put(CHAIN, &self.current.chain_pem);
        put(KEY, &self.current.key_pem);
        put(AUTHORITIES, &self.authorities);
        if let Some(next) = &self.next {
            put(NEXT_CHAIN, &next.chain_pem);
            put(NEXT_KEY, &next.key_pem);
        }
        Secret {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(namespace.to_owned()),
                labels: Some(BTreeMap::from([(MANAGED_BY.to_owned(), MANAGER.to_owned())])),
                resource_version: version,
                ..ObjectMeta::default()
            },
            type_: Some("kubernetes.io/tls".to_owned()),
            data: Some(data),
            ..Secret::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::webhook::certificates::issue::issue;

    const LIFETIME: Duration = Duration::from_secs(86_400);

    fn names() -> Vec<String> {
        vec!["weirkeeper-webhook.weirkeeper-system.svc".to_owned(), "127.0.0.1".to_owned()]
    }

    fn made() -> Pair {
        issue(&names(), Timestamp::now(), LIFETIME).unwrap()
    }

    #[test]
    fn what_is_written_is_read_back_and_trusted_for_its_names() {
        let (first, second) = (made(), made());
        let other = vec!["elsewhere.example".to_owned()];
        for content in [Content::of(first.clone()), Content::staged(first.clone(), second.clone())] {
            let read = Content::read(&content.secret("n", "s", None)).unwrap();
            assert_eq!(read, content);
            assert!(matches!(read.stored(&names()), Stored::Usable { current, .. } if current.names_fit));
            assert!(matches!(read.stored(&other), Stored::Usable { current, .. } if !current.names_fit));
            assert!(is_own(&content.secret("n", "s", None)) && !is_own(&Secret::default()));
        }
        let promoted = Content::staged(first.clone(), second.clone()).promoted();
        assert_eq!((&promoted.current, &promoted.next), (&second, &None));
        assert_eq!(first.trusted_by(promoted.authorities.as_bytes(), &names()), Trust::Full, "replicas may still serve it");
        assert_eq!(first.trusted_by(second.authority().as_bytes(), &names()), Trust::None);
    }

    #[test]
    fn half_written_and_mixed_up_secrets_are_refused_with_the_reason() {
        let whole = Content::of(made()).secret("n", "s", None);
        let with = |change: &dyn Fn(&mut BTreeMap<String, ByteString>)| {
            let mut secret = whole.clone();
            change(secret.data.as_mut().unwrap());
            Content::read(&secret).map(|content| content.stored(&names()))
        };
        let put = |key: &'static str, value: String| {
            move |data: &mut BTreeMap<String, ByteString>| {
                data.insert(key.to_owned(), ByteString(value.clone().into_bytes()));
            }
        };
        for (change, why) in [
            (Box::new(|data: &mut BTreeMap<_, _>| data.clear()) as Box<dyn Fn(&mut BTreeMap<_, _>)>, "it has no tls.crt and no tls.key"),
            (Box::new(|data: &mut BTreeMap<_, _>| drop(data.remove(KEY))), "it has no tls.key"),
            (Box::new(put(CHAIN, "half".to_owned())), "tls.crt holds no certificate"),
            (Box::new(put(CHAIN, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned())), "tls.crt"),
            (Box::new(put(KEY, "half".to_owned())), "tls.key holds no PEM private key"),
            (Box::new(put(KEY, made().key_pem)), "tls.key does not belong to the certificate in tls.crt"),
        ] {
            let message = with(&change).unwrap_err();
            assert!(message.contains(why), "{message}");
            assert!(!message.contains("PRIVATE KEY-----"), "{message}");
        }
        let stranger = made().authority();
        assert_eq!(with(&put(AUTHORITIES, stranger)), Ok(Stored::Broken), "its authority is not among the trusted ones");
        assert_eq!(with(&put(AUTHORITIES, String::new())), Ok(Stored::Broken));
        assert!(matches!(with(&put(NEXT_CHAIN, "half".to_owned())), Ok(Stored::Usable { next: None, .. })));
    }

    #[test]
    fn the_validity_is_that_of_the_certificate() {
        let before = Timestamp::now();
        let pair = issue(&names(), before, LIFETIME).unwrap();
        assert_eq!(pair.validity.until.as_second(), (before + LIFETIME).as_second());
        assert!(pair.validity.covers(before - Duration::from_secs(86_400)), "clocks may be a day behind");
        assert!(
            issue(&["n\u{e4}me.example".to_owned()], before, LIFETIME).is_err_and(|message| message.contains("cannot make a certificate"))
        );
    }
}
