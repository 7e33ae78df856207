//! Decisions about the webhook's own certificate, of which a Secret holds the one in use and, during a renewal, the next one.
//!
//! A renewal has two steps, so that no API server ever meets a certificate that it does not trust: the next certificate is stored and its
//! authority added to the trusted ones (staged), and only when these were published for a while is it put into use (promoted). The authority
//! of the certificate before stays trusted until the renewal after.

use std::time::Duration;

use jiff::Timestamp;

/// Time by which the validity of a new certificate begins before it is made: clocks differ, and may be set back.
pub const BACKDATED: Duration = Duration::from_secs(48 * 60 * 60);
/// Longest time between staging and promotion.
const LONGEST_OVERLAP: Duration = Duration::from_secs(60);

/// Validity of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First moment at which it is valid.
    pub from: Timestamp,
    /// Last moment at which it is valid.
    pub until: Timestamp,
}

impl Validity {
    /// Reports whether a time is within the validity.
    pub fn covers(&self, now: Timestamp) -> bool {
        self.from <= now && now <= self.until
    }

    fn left(&self, now: Timestamp) -> Duration {
        Duration::try_from(self.until.duration_since(now)).unwrap_or_default()
    }
}

/// A certificate with its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Its validity.
    pub validity: Validity,
    /// Set if it is valid for every host under which the webhook is called.
    pub names_fit: bool,
}

impl CertificateFacts {
    fn serves(&self, now: Timestamp) -> bool {
        self.names_fit && self.validity.covers(now)
    }
}

/// Content of the Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// There is no Secret.
    Absent,
    /// The Secret was made by somebody else and must not be overwritten.
    Foreign,
    /// The Secret is the operator's own, and what it holds cannot be used.
    Broken,
    /// The Secret holds a certificate whose authority is among the trusted ones.
    Usable {
        /// The certificate in use.
        current: CertificateFacts,
        /// The next certificate, during a renewal.
        next: Option<CertificateFacts>,
    },
}

/// Trust of the API server in the next certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// The configuration of the webhook names its authority, or there is no configuration.
    Yes,
    /// The configuration does not name its authority yet.
    No,
}

/// Facts for the decision.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The present time.
    pub now: Timestamp,
    /// Lifetime of new certificates.
    pub lifetime: Duration,
    /// Content of the Secret.
    pub stored: Stored,
    /// The certificate that this process serves.
    pub served: Option<CertificateFacts>,
    /// Trust of the API server in the next certificate.
    pub announced: Announced,
}

/// Change to the Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing is to be written.
    Keep,
    /// Write a new certificate and put it into use at once: there is none that somebody may still rely on.
    Create,
    /// Write the served certificate again, together with the next one.
    Restore,
    /// Add the next certificate, or replace it.
    Stage,
    /// Put the next certificate into use.
    Promote,
    /// Write nothing: the Secret belongs to somebody else.
    Refuse,
}

/// Decides what the leader writes to the Secret.
pub fn decide(facts: &Facts) -> Step {
    let now = facts.now;
    let served = facts.served.is_some_and(|served| served.serves(now));
    match &facts.stored {
        Stored::Foreign => Step::Refuse,
        Stored::Absent | Stored::Broken if served => Step::Restore,
        Stored::Absent | Stored::Broken => Step::Create,
        // Somebody stored what is not valid: API servers trust what is served, and are not to lose that meanwhile.
        Stored::Usable { current, next } if served && !current.validity.covers(now) && !next.is_some_and(|next| next.serves(now)) => {
            Step::Restore
        }
        Stored::Usable { current, next: Some(next) } => match (next.serves(now), facts.announced) {
            (false, _) => Step::Stage,
            (true, Announced::Yes) if !current.serves(now) || waited(next.validity, facts) => Step::Promote,
            (true, _) => Step::Keep,
        },
        Stored::Usable { current, next: None } => match current.serves(now) && !is_due(current.validity, facts) {
            true => Step::Keep,
            false => Step::Stage,
        },
    }
}

/// Reports whether a renewal is due: a third of the lifetime is left, or far more than all of it, because the clock or the lifetime changed.
fn is_due(validity: Validity, facts: &Facts) -> bool {
    let left = validity.left(facts.now);
    left < facts.lifetime / 3 || left > facts.lifetime * 2
}

/// Reports whether a staged certificate was announced long enough for every API server to have read the configuration. The time of staging
/// is that at which the certificate was made; it may be in the future if the clock was set back.
fn waited(next: Validity, facts: &Facts) -> bool {
    let made = next.from + BACKDATED;
    facts.now.duration_since(made).unsigned_abs() >= overlap(facts.lifetime)
}

/// Returns the shortest time between staging and promotion.
pub fn overlap(lifetime: Duration) -> Duration {
    (lifetime / 30).min(LONGEST_OVERLAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600;
    const DAY: i64 = 24 * HOUR;
    const LIFETIME: i64 = 90 * DAY;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    /// Returns a certificate that was made at a time.
    fn made(seconds: i64) -> CertificateFacts {
        let from = at(seconds) - BACKDATED;
        CertificateFacts { validity: Validity { from, until: at(seconds + LIFETIME) }, names_fit: true }
    }

    fn step(now: i64, stored: Stored, served: Option<CertificateFacts>, announced: Announced) -> Step {
        let lifetime = Duration::from_secs(LIFETIME.unsigned_abs());
        decide(&Facts { now: at(now), lifetime, stored, served, announced })
    }

    fn holding(current: CertificateFacts, next: Option<CertificateFacts>) -> Stored {
        Stored::Usable { current, next }
    }

    #[test]
    fn a_certificate_is_renewed_in_two_steps_at_two_thirds_of_its_life() {
        let current = made(0);
        let elsewhere = CertificateFacts { names_fit: false, ..current };
        for (now, stored, announced, wanted, why) in [
            (0, holding(current, None), Announced::No, Step::Keep, "it is new"),
            (60 * DAY - 1, holding(current, None), Announced::No, Step::Keep, "a third is left"),
            (60 * DAY + 1, holding(current, None), Announced::No, Step::Stage, "less than a third is left"),
            (60 * DAY + 2, holding(current, Some(made(60 * DAY + 1))), Announced::No, Step::Keep, "nobody trusts the next one yet"),
            (61 * DAY, holding(current, Some(made(60 * DAY + 1))), Announced::No, Step::Keep, "nobody trusts the next one yet"),
            (60 * DAY + 2, holding(current, Some(made(60 * DAY + 1))), Announced::Yes, Step::Keep, "API servers may not have read it"),
            (60 * DAY + 70, holding(current, Some(made(60 * DAY + 1))), Announced::Yes, Step::Promote, "they have"),
            (91 * DAY, holding(current, None), Announced::No, Step::Stage, "it has expired"),
            (91 * DAY, holding(current, Some(made(91 * DAY))), Announced::No, Step::Keep, "the next one would not be trusted either"),
            (91 * DAY, holding(current, Some(made(91 * DAY))), Announced::Yes, Step::Promote, "nothing is lost by not waiting"),
            (200 * DAY, holding(current, Some(made(60 * DAY))), Announced::Yes, Step::Stage, "both have expired"),
            (DAY, holding(elsewhere, None), Announced::No, Step::Stage, "the host of the webhook changed"),
            (DAY, holding(elsewhere, Some(made(DAY))), Announced::Yes, Step::Promote, "the one in use serves nobody"),
        ] {
            assert_eq!(step(now, stored, Some(current), announced), wanted, "{now}: {why}");
        }
    }

    #[test]
    fn a_clock_that_jumps_leads_to_a_certificate_that_is_valid_now() {
        let current = made(0);
        for (now, stored, wanted, why) in [
            (-DAY, holding(current, None), Step::Keep, "set back by a day, it is still valid"),
            (-3 * DAY, holding(current, None), Step::Stage, "set back by three days, it is not valid yet"),
            (-3 * DAY, holding(current, Some(made(-3 * DAY))), Step::Promote, "and its successor need not wait"),
            (-400 * DAY, holding(current, Some(made(0))), Step::Stage, "the next one is not valid yet either"),
            (DAY, holding(made(-DAY), Some(made(2 * DAY))), Step::Promote, "staged before the clock was set back"),
        ] {
            assert_eq!(step(now, stored, Some(current), Announced::Yes), wanted, "{now}: {why}");
        }
        let much = CertificateFacts { validity: Validity { until: at(1_000 * DAY), ..current.validity }, names_fit: true };
        assert_eq!(step(0, holding(much, None), None, Announced::Yes), Step::Stage, "it lives far longer than any new one");
    }

    #[test]
    fn a_secret_that_is_gone_or_broken_is_written_again_from_what_is_served() {
        let served = Some(made(0));
        for (stored, served, wanted) in [
            (Stored::Absent, None, Step::Create),
            (Stored::Absent, served, Step::Restore),
            (Stored::Broken, None, Step::Create),
            (Stored::Broken, served, Step::Restore),
            (Stored::Broken, Some(made(-100 * DAY)), Step::Create),
            (holding(made(-100 * DAY), None), served, Step::Restore),
            (holding(made(-100 * DAY), Some(made(-100 * DAY))), served, Step::Restore),
            (holding(made(10 * DAY), None), served, Step::Restore),
            (holding(made(-100 * DAY), None), Some(made(-100 * DAY)), Step::Stage),
            (Stored::Foreign, None, Step::Refuse),
            (Stored::Foreign, served, Step::Refuse),
        ] {
            assert_eq!(step(DAY, stored.clone(), served, Announced::No), wanted, "{stored:?} {served:?}");
        }
    }

    #[test]
    fn short_lifetimes_have_short_overlaps() {
        assert_eq!(overlap(Duration::from_secs(30)), Duration::from_secs(1));
        assert_eq!(overlap(Duration::from_secs(90 * 86_400)), Duration::from_secs(60));
    }
}
