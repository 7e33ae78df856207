use super::*;

fn attempting(now: Timestamp) -> StatusRecord {
    let mut status = StatusRecord::default();
    status.announce(Intent::new(IntentOperation::Deploy, "digest", None, now));
    status
}

#[test]
fn a_failed_attempt_is_counted_once_however_often_it_is_asked_about() {
    let now = Timestamp::UNIX_EPOCH;
    let mut status = attempting(now);
    let attempts = |status: &StatusRecord| status.intent.as_ref().map(|intent| intent.attempts);
    let mut counted = false;
    for _ in 0..3 {
        assert!(!status.count_failed_attempt(&mut counted, now));
        assert_eq!((attempts(&status), counted), (Some(1), true));
    }
    // The next attempt.
    counted = false;
    status.count_failed_attempt(&mut counted, now);
    status.count_failed_attempt(&mut counted, now);
    assert_eq!(attempts(&status), Some(2));
}

#[test]
fn asking_late_about_an_attempt_that_is_counted_makes_it_no_failure_of_the_version() {
    let (start, later) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(3600).unwrap());
    let mut status = attempting(start);
    for _ in 0..2 {
        assert!(!status.count_failed_attempt(&mut false, start));
    }
    let mut counted = true;
    assert!(!status.count_failed_attempt(&mut counted, later), "two attempts are not enough, however long ago");
    assert!(status.count_failed_attempt(&mut false, later), "three are, over this time");
}
