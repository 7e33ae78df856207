//! Tests of a credential by n8n: after its values were written, at the test interval, and on request. A failing test changes nothing in n8n.

use jiff::Timestamp;

use super::reconciliation::Reconciliation;
use super::values::Wanted;
use crate::api::condition::{ConditionStatus, ConditionType, whole_seconds};
use crate::api::credential_status::{CredentialTest, TestResult};
use crate::api::reason::Reason;
use crate::controller::connections::Connection;
use crate::domain::conditions::Outcome;
use crate::domain::credential::test_result::{test_is_due, test_result};
use crate::domain::error::ReconcileError;
use crate::n8n::N8nError;

/// Tests the credential if a test is due, and returns the outcome of the reconciliation.
pub(super) async fn test(rec: &mut Reconciliation<'_>, connection: &Connection, wanted: &Wanted) -> Result<Outcome, ReconcileError> {
    let id = rec.status.n8n_credential_id.clone().unwrap_or_default();
    if is_due(rec, &wanted.hash) {
        rec.release_slot();
        let (result, message) = match connection.client.test_credential(&id).await {
            Ok(answer) => test_result(&answer.status, &answer.message, &rec.confidential),
            // n8n waits for the service.
            Err(N8nError::Timeout { after, .. }) => (TestResult::Failed, Some(format!("no answer within {} s", after.as_secs()))),
            Err(error) => return Err(error.into()),
        };
        let result = match result {
            TestResult::NeedsAuthorization if wanted.values.fetches_its_token(&rec.spec().kind) => TestResult::NotTestable,
            other => other,
        };
        rec.ctx.metrics.credential_tested(result);
        let test = CredentialTest {
            result,
            time: whole_seconds(Timestamp::now()),
            values_hash: Some(wanted.hash.clone()),
            message: message.filter(|_| result == TestResult::Failed),
        };
        // n8n is asked again and again whether an account is connected; that nothing changed is not worth a write.
        let still = |before: &CredentialTest| {
            result == TestResult::NeedsAuthorization && (before.result, &before.values_hash) == (test.result, &test.values_hash)
        };
        if !rec.status.test.as_ref().is_some_and(still) {
            rec.status.test = Some(test);
        }
        rec.status.needs_authorization = result == TestResult::NeedsAuthorization;
    }
    Ok(outcome(rec, &id))
}

/// Reports whether a test is due.
fn is_due(rec: &Reconciliation<'_>, hash: &str) -> bool {
    let interval = rec.spec().test_interval.map(|interval| interval.get());
    rec.is_requested() || test_is_due(rec.status.test.as_ref(), hash, interval, Timestamp::now())
}

/// Sets condition Tested from the last test and returns the outcome.
fn outcome(rec: &mut Reconciliation<'_>, id: &str) -> Outcome {
    let Some((result, words)) = rec.status.test.as_ref().map(|test| (test.result, test.message.clone())) else {
        rec.set_condition(ConditionType::Tested, ConditionStatus::Unknown, Reason::NotTested, Reason::NotTested.meaning());
        return Outcome::Ready(format!("credential {id} in n8n holds the values"));
    };
    let (status, reason) = match result {
        TestResult::Passed => (ConditionStatus::True, Reason::TestPassed),
        TestResult::Failed => (ConditionStatus::False, Reason::TestFailed),
        TestResult::NotTestable => (ConditionStatus::Unknown, Reason::NotTestable),
        TestResult::NeedsAuthorization => (ConditionStatus::False, Reason::NeedsAuthorization),
    };
    let name = rec.status.name.clone().unwrap_or_default();
    let message = match (result, words) {
        (TestResult::Failed, Some(words)) => format!("n8n's test of credential {id} failed: {words}"),
        (TestResult::Failed, None) => {
            format!("n8n's test of credential {id} failed; its message is empty or repeats a value, so it is not shown")
        }
        (TestResult::NeedsAuthorization, _) => format!(
            "nobody has connected an account to credential {id}: open {name:?} under Credentials in n8n's editor and connect it; it is noticed within a minute"
        ),
        (TestResult::Passed, _) => "n8n tested the credential, and the service accepts it".to_owned(),
        (TestResult::NotTestable, _) => "n8n cannot test it: only executions show whether the service accepts it".to_owned(),
    };
    rec.set_condition(ConditionType::Tested, status, reason, &message);
    match result {
        TestResult::Passed => Outcome::Ready(format!("credential {id} in n8n holds the values, and its test passed")),
        TestResult::NotTestable => Outcome::Ready(format!("credential {id} in n8n holds the values; n8n cannot test it")),
        TestResult::Failed | TestResult::NeedsAuthorization => Outcome::Blocked(reason, message),
    }
}
