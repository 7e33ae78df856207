//! New certificates. Each has an authority of its own, whose key is forgotten once it has signed: nobody can sign another one.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};

use super::pair::Pair;
use crate::domain::certificates::BACKDATED;

/// Makes a certificate for some names, with a chain to its own authority.
///
/// # Errors
///
/// If a name is neither a DNS name nor an address.
pub(super) fn issue(names: &[String], now: Timestamp, lifetime: Duration) -> Result<Pair, String> {
    let failed = |error: rcgen::Error| format!("cannot make a certificate for {}: {error}", names.join(", "));
    let (from, until) = (SystemTime::from(now) - BACKDATED, SystemTime::from(now) + lifetime);
    let mut authority = CertificateParams::new(Vec::new()).map_err(failed)?;
    // Two authorities that are trusted at the same time differ in name.
    authority.distinguished_name.push(DnType::CommonName, format!("weirkeeper-webhook-ca-{:x}", now.as_microsecond()));
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (authority.not_before, authority.not_after) = (from.into(), until.into());
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().map_err(failed)?).map_err(failed)?;

    let mut params = CertificateParams::new(names).map_err(failed)?;
    params.distinguished_name.push(DnType::CommonName, "weirkeeper-webhook");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    (params.not_before, params.not_after) = (from.into(), until.into());
    let key = KeyPair::generate().map_err(failed)?;
    let certificate = params.signed_by(&key, &authority).map_err(failed)?;
    let chain = format!("{}{}", certificate.pem(), authority.pem());
    Pair::parse(chain.as_bytes(), key.serialize_pem().as_bytes())
}
