//! Amounts in a day: reserved before a use, settled with the actual amount after it.
//!
//! Usage includes what is reserved, so a crash between the two loses at most the reservation and never the limit. The day is in UTC and
//! only moves on: a clock that goes back gives nobody a second day.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};

use crate::api::condition::whole_seconds;
use crate::api::quota::{MOST_RESERVATIONS, QuotaLimits, QuotaReservation, QuotaResource, WorkflowQuotaStatus};
use crate::domain::quota::Exceeded;

/// A use that is reserved.
#[derive(Clone, Copy, Debug)]
pub struct Use<'a> {
    /// Resource that is used.
    pub resource: QuotaResource,
    /// Identifies the use: a second reservation with the same key is the same use.
    pub key: &'a str,
    /// Amount, or an estimate of it.
    pub amount: i64,
}

/// Starts a new day if the recorded one is over: usage begins at zero, and reservations of the earlier day are dropped.
pub fn roll(status: &mut WorkflowQuotaStatus, now: Timestamp) {
    let today = now.to_zoned(TimeZone::UTC).date();
    if day(status).is_some_and(|day| day >= today) {
        return;
    }
    status.day = Some(today.to_string());
    status.reservations.clear();
    for resource in QuotaResource::ALL.into_iter().filter(|resource| resource.per_day()) {
        status.used.set(resource, None);
    }
}

/// Returns the time at which the recorded day ends.
pub fn ends(status: &WorkflowQuotaStatus) -> Option<Timestamp> {
    Some(day(status)?.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// Returns how long the recorded day still lasts by this clock.
pub fn left(status: &WorkflowQuotaStatus, now: Timestamp) -> SignedDuration {
    ends(status).map_or(SignedDuration::ZERO, |end| end.duration_since(now))
}

fn day(status: &WorkflowQuotaStatus) -> Option<Date> {
    status.day.as_ref()?.parse().ok()
}

/// Reserves an amount, unless the use is reserved already. Fails if the limit would be exceeded.
pub fn reserve(
    status: &mut WorkflowQuotaStatus,
    (quota, limits): (&str, &QuotaLimits),
    of: Use<'_>,
    now: Timestamp,
) -> Result<(), Exceeded> {
    roll(status, now);
    let Use { resource, key, amount } = of;
    let Some(limited) = limits.get(resource).filter(|_| position(status, resource, key).is_none()) else { return Ok(()) };
    let used = status.used.get(resource).unwrap_or(0);
    if used.saturating_add(amount) > limited {
        return Err(Exceeded { quota: quota.to_owned(), resource, requested: amount, used, limited, until: ends(status) });
    }
    status.used.set(resource, Some(used.saturating_add(amount)));
    // The oldest is not settled any more: its estimate counts until the end of the day.
    let surplus = (status.reservations.len() + 1).saturating_sub(MOST_RESERVATIONS);
    status.reservations.drain(..surplus);
    status.reservations.push(QuotaReservation { resource, key: key.to_owned(), amount, at: whole_seconds(now) });
    Ok(())
}

/// Replaces a reserved amount by the actual one, zero if nothing was used. A use that is not reserved, such as one of an earlier day,
/// changes nothing.
pub fn settle(status: &mut WorkflowQuotaStatus, of: Use<'_>) {
    let Some(at) = position(status, of.resource, of.key) else { return };
    let reserved = status.reservations.remove(at);
    let used = status.used.get(of.resource).unwrap_or(0);
    status.used.set(of.resource, Some(used.saturating_sub(reserved.amount).saturating_add(of.amount).max(0)));
}

/// Reports whether a use is reserved and not settled.
pub fn is_reserved(status: &WorkflowQuotaStatus, resource: QuotaResource, key: &str) -> bool {
    position(status, resource, key).is_some()
}

fn position(status: &WorkflowQuotaStatus, resource: QuotaResource, key: &str) -> Option<usize> {
    status.reservations.iter().position(|one| one.resource == resource && one.key == key)
}

#[cfg(test)]
mod tests;
