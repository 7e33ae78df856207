//! A certificate with its key, as a Secret of type `kubernetes.io/tls` holds it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, Error};
use x509_parser::parse_x509_certificate;

use crate::domain::certificates::{CertificateFacts, Validity};

/// A certificate with its key.
#[derive(Clone)]
pub(super) struct Pair {
    /// The certificate and the chain to its authority.
    pub(super) chain_pem: String,
    pub(super) key_pem: String,
    /// The same for the TLS library.
    pub(super) certified: Arc<CertifiedKey>,
    pub(super) validity: Validity,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Pair").field("validity", &self.validity).finish_non_exhaustive()
    }
}

impl PartialEq for Pair {
    fn eq(&self, other: &Self) -> bool {
        (&self.chain_pem, &self.key_pem) == (&other.chain_pem, &other.key_pem)
    }
}

/// Relation of trusted authorities to a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// They trust it for every name.
    Full,
    /// They trust it, but it is not valid for some name.
    OtherNames,
    /// They do not trust it.
    None,
}

impl Pair {
    /// Reports whether the certificate is valid at this moment.
    pub(super) fn is_valid(&self) -> bool {
        self.validity.covers(Timestamp::now())
    }

    /// Parses a certificate chain and its key. No message repeats the key.
    ///
    /// # Errors
    ///
    /// If a part is missing or is no PEM, or the key belongs to another certificate.
    pub(super) fn parse(chain: &[u8], key: &[u8]) -> Result<Self, String> {
        let certificates = certificates(chain).map_err(|error| format!("tls.crt is not a list of PEM certificates: {error}"))?;
        let first = certificates.first().ok_or("tls.crt holds no certificate")?;
        let validity = validity(first)?;
        let private = PrivateKeyDer::from_pem_slice(key).map_err(|_| "tls.key holds no PEM private key")?;
        let certified = CertifiedKey::from_der(certificates, private, &default_provider())
            .map_err(|error| format!("tls.key does not belong to the certificate in tls.crt: {error}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Self { chain_pem: text(chain), key_pem: text(key), certified: Arc::new(certified), validity })
    }

    /// Returns the trust of a list of authorities in this certificate: now, or when it is valid.
    pub(super) fn trusted_by(&self, authorities: &[u8], names: &[String]) -> Trust {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates(authorities).unwrap_or_default());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::new(default_provider())).build();
        let (Ok(verifier), [first, chain @ ..]) = (verifier, self.certified.cert.as_slice()) else { return Trust::None };
        // Only the authorities have to be valid now; validity of the certificate is checked elsewhere.
        let at = Timestamp::now().clamp(self.validity.from, self.validity.until);
        let at = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(at.as_second()).unwrap_or_default()));
        let mut trust = Trust::Full;
        for name in names {
            let Ok(name) = ServerName::try_from(name.as_str()) else { return Trust::OtherNames };
            match verifier.verify_server_cert(first, chain, &name, &[], at) {
                Ok(_) => {}
                Err(Error::InvalidCertificate(CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. })) => {
                    trust = Trust::OtherNames;
                }
                Err(_) => return Trust::None,
            }
        }
        trust
    }

    /// Returns the facts about this certificate for decisions.
    pub(super) fn facts(&self, trust: Trust) -> CertificateFacts {
        CertificateFacts { validity: self.validity, names_fit: trust == Trust::Full }
    }

    /// Returns the last certificate of the chain as PEM: that of its authority.
    pub(super) fn authority(&self) -> String {
        let last = self.chain_pem.rfind("-----BEGIN CERTIFICATE-----");
        last.map_or_else(String::new, |at| self.chain_pem[at..].to_owned())
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| error.to_string())
}

fn validity(certificate: &CertificateDer<'_>) -> Result<Validity, String> {
    let unread = |_| "tls.crt holds something else than a certificate".to_owned();
    let (_, parsed) = parse_x509_certificate(certificate).map_err(unread)?;
    let at = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).map_err(|error| error.to_string());
    Ok(Validity { from: at(parsed.validity().not_before)?, until: at(parsed.validity().not_after)? })
}
