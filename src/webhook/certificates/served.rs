//! The certificate that this process serves. It is replaced without a restart: connections that are open keep the one they began with.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::pair::Pair;

/// The served certificate; none before the first one is read.
#[derive(Debug, Default)]
pub(in crate::webhook) struct Served(Mutex<Option<Arc<Pair>>>);

impl Served {
    /// Returns the served certificate.
    pub(super) fn get(&self) -> Option<Arc<Pair>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the served certificate. Returns false if it is the same.
    pub(super) fn set(&self, pair: &Pair) -> bool {
        let mut served = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let same = served.as_ref().is_some_and(|before| **before == *pair);
        if !same {
            *served = Some(Arc::new(pair.clone()));
        }
        !same
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.get().map(|pair| pair.certified.clone())
    }
}
