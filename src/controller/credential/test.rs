//! Tests of a credential by n8n: after its values were written, at the test interval, and on request. A failing test changes nothing in n8n.

use std::time::Duration;

use jiff::Timestamp;

use super::reconciliation::Reconciliation;
use super::values::Wanted;
use crate::api::condition::{ConditionStatus, ConditionType, whole_seconds};
use crate::api::credential_status::{CredentialTest, TestResult};
use crate::api::reason::Reason;
use crate::controller::connections::Connection;
use crate::domain::backoff::spread;
use crate::domain::conditions::Outcome;
use crate::domain::credential::test_result::{collided, test_is_due, test_result};
use crate::domain::error::ReconcileError;
use crate::n8n::{CredentialTestAnswer, N8nError};

/// Number of repetitions of a test that another one disturbed, before the reconciliation ends.
const TURNS: u64 = 4;
/// Pause before such a repetition: longer than most tests take.
const PAUSE: Duration = Duration::from_secs(2);

/// Tests the credential if a test is due, and returns the outcome of the reconciliation.
pub(super) async fn test(rec: &mut Reconciliation<'_>, connection: &Connection, wanted: &Wanted) -> Result<Outcome, ReconcileError> {
    let id = rec.status.n8n_credential_id.clone().unwrap_or_default();
    if is_due(rec, &wanted.hash) {
        rec.release_slot();
        let (result, message) = match tested(rec, connection, &id).await {
            Ok(answer) if collided(&answer.status, &answer.message) => {
                return Err(ReconcileError::transient(
                    Reason::RequestFailed,
                    format!(
                        "n8n gave no result of its test of credential {id}, because it tested others at the same moment; it is repeated"
                    ),
                ));
            }
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

/// Has n8n test the credential, again where a test of another one disturbed it.
async fn tested(rec: &Reconciliation<'_>, connection: &Connection, id: &str) -> Result<CredentialTestAnswer, N8nError> {
    for turn in 0..TURNS {
        let answer = connection.client.test_credential(id).await?;
        if !collided(&answer.status, &answer.message) {
            return Ok(answer);
        }
        tokio::time::sleep(spread(PAUSE, &rec.uid(), turn)).await;
    }
    connection.client.test_credential(id).await
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
