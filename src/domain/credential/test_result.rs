//! Result of n8n's test of a credential (n8n 2.39.10, measured): HTTP 200 in every case, and a message that may come from the service.

use super::confidential::Confidential;
use crate::api::credential_status::TestResult;
use crate::text::one_line;

/// n8n's message for a type without a test.
const NO_TEST: &str = "No testing function found for this credential.";
/// n8n's message for an OAuth2 credential that nobody has connected to an account.
const NOT_CONNECTED: &str = "This OAuth2 credential was not connected to an account.";
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

/// Returns a message of n8n or of a service on one line, unless it is empty or shows a value.
pub fn shown(message: &str, confidential: &Confidential) -> Option<String> {
    let message = one_line(message, SHOWN);
    (!message.is_empty() && !confidential.stands_in(&message)).then_some(message)
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn results_are_told_apart_by_n8ns_own_messages() {
        let none = Confidential::default();
        for (status, message, wanted) in [
            ("OK", "Connection Successful!", TestResult::Passed),
            ("Error", NO_TEST, TestResult::NotTestable),
            ("Error", NOT_CONNECTED, TestResult::NeedsAuthorization),
            ("Error", "Authorization failed", TestResult::Failed),
            ("", "", TestResult::Failed),
        ] {
            assert_eq!(test_result(status, message, &none).0, wanted, "{message}");
        }
    }

    #[test]
    fn a_message_that_shows_a_value_is_withheld() {
        let value = ["to", "ken", "-of-a-test"].concat();
        let hidden: Confidential = [SecretString::from(value.clone())].into_iter().collect();
        assert_eq!(test_result("Error", &format!("bad key {value}"), &hidden), (TestResult::Failed, None));
        assert_eq!(test_result("Error", "bad\nkey", &hidden), (TestResult::Failed, Some("bad key".to_owned())));
    }
}
