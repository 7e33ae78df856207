//! Certificates of the webhook: made by the operator, or read from a Secret that somebody else fills.
//!
//! Every replica reads the Secret by name every few seconds and serves what it holds. The leader alone writes: the Secret, if the
//! certificates are the operator's own, and the authorities in the configuration of the webhook.

mod configuration;
mod content;
mod issue;
mod keeper;
mod pair;
mod served;

pub use keeper::{CertificateMetrics, CertificateSettings, Certificates, Source};

/// Certificates for tests of other modules.
#[cfg(test)]
pub(super) mod testing {
    use std::sync::Arc;
    use std::time::Duration;

    use jiff::Timestamp;
    use rustls::sign::CertifiedKey;

    /// Returns a certificate for 127.0.0.1 and the authority to trust for it.
    pub(in crate::webhook) fn made() -> (Arc<CertifiedKey>, String) {
        let pair = super::issue::issue(&["127.0.0.1".to_owned()], Timestamp::now(), Duration::from_secs(3_600)).unwrap();
        (pair.certified.clone(), pair.authority())
    }
}
