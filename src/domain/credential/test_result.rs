//! Tests of a credential by n8n (2.39.10, measured): HTTP 200 in every case, and a message that may come from the service.

use std::time::Duration;

use jiff::Timestamp;

use super::confidential::Confidential;
use crate::api::credential_status::{CredentialTest, TestResult};
use crate::text::one_line;

/// n8n's message for a type without a test.
const NO_TEST: &str = "No testing function found for this credential.";
/// n8n's message for an OAuth2 credential that nobody has connected to an account.
const NOT_CONNECTED: &str = "This OAuth2 credential was not connected to an account.";
/// n8n's message where a test of another credential ended during this one: all tests share an entry in n8n (2.39.10, measured).
const COLLIDED: &str = "Node not found";
/// Longest message of a test that is shown.
const SHOWN: usize = 300;

/// Returns the result of a test, and its message if that shows none of the values.
pub fn test_result(status: &str, message: &str, confidential: &Confidential) -> (TestResult, Option<String>) {
    let result = match (status, message) {
        ("OK", _) => TestResult::Passed,
        (_, NO_TEST) => TestResult::NotTestable,
        (_, NOT_CONNECTED) => TestResult::NeedsAuthorization,
        _ => TestResult::Failed,
    };
    (result, shown(message, confidential))
}

/// Reports whether n8n gave no result, because it tested another credential at the same moment.
pub fn collided(status: &str, message: &str) -> bool {
    status != "OK" && message == COLLIDED
}

/// Returns a message of n8n or of a service on one line, unless it is empty or shows a value.
pub fn shown(message: &str, confidential: &Confidential) -> Option<String> {
    let message = one_line(message, SHOWN);
    (!message.is_empty() && !confidential.stands_in(&message)).then_some(message)
}

/// Time after which a failed test is repeated: the service may have been out of order. Wrong passwords that are tried more often may lock an
/// account.
const FAILED_AGAIN: Duration = Duration::from_secs(600);
/// Time after which n8n is asked again whether a person has connected an account; it asks no service.
const CONNECTED_AGAIN: Duration = Duration::from_secs(20);
/// Shortest time until a test that is due.
const SOON: Duration = Duration::from_secs(1);

/// Returns the time between two tests; None if there is no other one.
fn period(result: TestResult, interval: Option<Duration>) -> Option<Duration> {
    match result {
        TestResult::NotTestable => None,
        TestResult::Passed => interval,
        TestResult::Failed => Some(interval.unwrap_or(FAILED_AGAIN).min(FAILED_AGAIN)),
        TestResult::NeedsAuthorization => Some(CONNECTED_AGAIN),
    }
}

fn age(test: &CredentialTest, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(test.time.0)).unwrap_or_default()
}

/// Reports whether a test is due, given the last one and the hash of the values. Whether an account is connected is always asked: the time of
/// the first answer is kept.
pub fn test_is_due(last: Option<&CredentialTest>, hash: &str, interval: Option<Duration>, now: Timestamp) -> bool {
    match last.filter(|test| test.values_hash.as_deref() == Some(hash)) {
        None => true,
        Some(test) if test.result == TestResult::NeedsAuthorization => true,
        Some(test) => period(test.result, interval).is_some_and(|period| age(test, now) >= period),
    }
}

/// Returns the time until the test after this one; None if there is no other one.
pub fn until_test(last: &CredentialTest, interval: Option<Duration>, now: Timestamp) -> Option<Duration> {
    let period = period(last.result, interval)?;
    Some(match last.result {
        TestResult::NeedsAuthorization => period,
        _ => period.saturating_sub(age(last, now)).max(SOON),
    })
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn results_are_distinguished_by_n8ns_own_messages() {
        let none = Confidential::default();
        for (status, message, wanted) in [
            ("OK", "Connection Successful!", TestResult::Passed),
            ("Error", NO_TEST, TestResult::NotTestable),
            ("Error", NOT_CONNECTED, TestResult::NeedsAuthorization),
            ("Error", "Authorization failed", TestResult::Failed),
            ("", "", TestResult::Failed),
        ] {
            assert_eq!(test_result(status, message, &none).0, wanted, "{message}");
            assert!(!collided(status, message));
        }
        assert!(collided("Error", "Node not found") && !collided("Error", "404 - Node not found"));
    }

    #[test]
    fn a_test_is_repeated_by_its_interval_after_a_failure_and_until_an_account_is_connected() {
        use TestResult::{Failed, NeedsAuthorization, NotTestable, Passed};
        let hour = Some(Duration::from_secs(3600));
        for (result, interval, age, due, left) in [
            (Passed, None, 1_000_000, false, None),
            (Passed, hour, 3599, false, Some(1)),
            (Passed, hour, 3600, true, Some(1)),
            (Passed, hour, 600, false, Some(3000)),
            (Failed, None, 599, false, Some(1)),
            (Failed, hour, 600, true, Some(1)),
            (Failed, Some(Duration::from_secs(60)), 60, true, Some(1)),
            (NotTestable, hour, 1_000_000, false, None),
            (NeedsAuthorization, None, 1_000_000, true, Some(20)),
            (NeedsAuthorization, hour, 0, true, Some(20)),
        ] {
            let time = crate::api::condition::whole_seconds(Timestamp::UNIX_EPOCH);
            let test = CredentialTest { result, time, values_hash: Some("h".to_owned()), message: None };
            let now = Timestamp::from_second(age).unwrap();
            assert_eq!(test_is_due(Some(&test), "h", interval, now), due, "{result:?} {interval:?} {age}");
            assert_eq!(until_test(&test, interval, now), left.map(Duration::from_secs), "{result:?} {interval:?} {age}");
            assert!(test_is_due(Some(&test), "other", interval, now), "other values are tested at once");
        }
        assert!(test_is_due(None, "h", None, Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn a_message_that_shows_a_value_is_withheld() {
        let value = ["to", "ken", "-of-a-test"].concat();
        let hidden: Confidential = [SecretString::from(value.clone())].into_iter().collect();
        assert_eq!(test_result("Error", &format!("bad key {value}"), &hidden), (TestResult::Failed, None));
        assert_eq!(test_result("Error", "bad\nkey", &hidden), (TestResult::Failed, Some("bad key".to_owned())));
    }
}
