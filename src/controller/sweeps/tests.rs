use super::*;
use crate::n8n::List;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

const MINUTE: Duration = Duration::from_secs(60);
/// Time after which an object that waits for a listing is due again.
const WAIT: Duration = Duration::from_secs(54);
const AT: &str = "n/main";

fn sweeps() -> (Sweeps, UnboundedReceiver<String>) {
    let (wanted, requests) = unbounded_channel();
    (Sweeps::new(wanted, Duration::from_secs(3_600)), requests)
}

fn covered(confirmed: Instant, interval: Duration) -> Covered {
    Covered { fingerprint: [1; 16], change: Some(1), confirmed, interval }
}

fn due(uid: &str, interval: Duration) -> Due<'_> {
    Due { instance: AT, uid, change: Some(1), interval }
}

fn cover(sweeps: &Sweeps, objects: usize, confirmed: Instant, interval: Duration) {
    for object in 0..objects {
        let uid = object.to_string();
        let asked = sweeps.begin(AT, &uid);
        sweeps.end(AT, &uid, asked, Some(covered(confirmed, interval)));
    }
}

fn listing(began: Instant) -> Listing {
    Listing::empty(began, List::empty())
}

#[tokio::test]
async fn an_object_that_is_covered_needs_nothing_until_its_interval_has_passed_and_then_waits_for_a_listing_with_the_others() {
    let ((sweeps, mut requests), now) = (sweeps(), Instant::now());
    cover(&sweeps, 20, now, MINUTE);
    let at = |second| now + Duration::from_secs(second);
    assert_eq!(sweeps.pass(&due("0", MINUTE), at(10)), Some(Duration::from_secs(44)));
    assert!(requests.try_recv().is_err());
    assert_eq!(sweeps.pass(&due("0", MINUTE), at(54)), Some(WAIT), "it waits for the listing");
    assert_eq!(requests.try_recv().as_deref(), Ok(AT));
    assert_eq!(sweeps.pass(&due("1", MINUTE), at(55)), Some(WAIT));
    assert!(requests.try_recv().is_err(), "one listing for all");
    sweeps.started(AT);
    let result = sweeps.evaluate(AT, &listing(at(54)), |uid, expected| {
        assert_eq!(expected, Expected::Fingerprint([1; 16], Some(1)));
        (uid != "7").then(|| covered(now, MINUTE))
    });
    assert_eq!(result, SweepResult { confirmed: 19, differing: HashSet::from(["7".to_owned()]) });
    assert!(sweeps.ended(AT, None).is_empty());
    assert_eq!(sweeps.pass(&due("7", MINUTE), at(55)), None, "it differs");
    assert_eq!(sweeps.pass(&due("1", MINUTE), at(60)), Some(Duration::from_secs(48)), "from the beginning of the listing");
}

#[test]
fn few_objects_or_short_intervals_or_a_list_that_costs_more_are_not_worth_a_listing() {
    let now = Instant::now();
    let at = |second| now + Duration::from_secs(second);
    for (objects, interval, listed, waits) in
        [(9, 60, 9, false), (10, 60, 10, true), (10, 60, 201, true), (10, 60, 240, false), (12, 60, 240, true), (100, 20, 100, false)]
    {
        let (sweeps, interval) = (sweeps().0, Duration::from_secs(interval));
        cover(&sweeps, objects, now, interval);
        sweeps.lock().get_mut(AT).unwrap().listed = listed;
        assert_eq!(sweeps.pass(&due("0", interval), at(60)).is_some(), waits, "{objects} {interval:?} {listed}");
    }
    // Others whose time has not come do not count, and a listing that was just tried is not tried again.
    let (sweeps, _requests) = sweeps();
    cover(&sweeps, 20, now, MINUTE * 60);
    cover(&sweeps, 9, now, MINUTE);
    assert_eq!(sweeps.pass(&due("0", MINUTE), at(60)), None);
    cover(&sweeps, 20, now, MINUTE);
    sweeps.lock().get_mut(AT).unwrap().tried = Some(at(50));
    assert_eq!(sweeps.pass(&due("0", MINUTE), at(60)), None);
}

#[test]
fn any_other_reason_to_reconcile_wins_over_a_listing() {
    let ((sweeps, _requests), now) = (sweeps(), Instant::now());
    cover(&sweeps, 20, now, MINUTE);
    let later = now + Duration::from_secs(1);
    let other = Due { change: Some(2), ..due("0", MINUTE) };
    assert_eq!(sweeps.pass(&other, later), None, "the object was changed");
    assert_eq!(sweeps.pass(&due("0", MINUTE * 2), later), None, "another interval");
    sweeps.ask(AT, "1");
    assert_eq!(sweeps.pass(&due("1", MINUTE), later), None, "something asked for it");
    // A reason that comes while a reconciliation runs is not lost.
    let asked = sweeps.begin(AT, "2");
    sweeps.ask(AT, "2");
    sweeps.end(AT, "2", asked, Some(covered(now, MINUTE)));
    assert_eq!(sweeps.pass(&due("2", MINUTE), later), None);
    // A reconciliation that found something out of order.
    let asked = sweeps.begin(AT, "3");
    sweeps.end(AT, "3", asked, None);
    assert_eq!(sweeps.pass(&due("3", MINUTE), later), None);
    assert_eq!(sweeps.pass(&due("4", MINUTE), now + Duration::from_secs(3_601)), None, "a full reconciliation is due");
    assert_eq!(sweeps.covered(), 17);
    sweeps.forget("5");
    assert_eq!(sweeps.pass(&due("5", MINUTE), later), None);
}

#[test]
fn a_listing_that_fails_leaves_every_object_to_a_reconciliation_of_its_own() {
    let ((sweeps, mut requests), now) = (sweeps(), Instant::now());
    cover(&sweeps, 20, now, MINUTE);
    for uid in ["0", "1"] {
        assert!(sweeps.pass(&due(uid, MINUTE), now + MINUTE).is_some());
    }
    assert!(requests.try_recv().is_ok());
    sweeps.lock().get_mut(AT).unwrap().tried = Some(now + MINUTE);
    assert_eq!(sweeps.ended(AT, None), HashSet::from(["0".to_owned(), "1".to_owned()]));
    assert_eq!(sweeps.pass(&due("0", MINUTE), now + MINUTE), None);
    assert_eq!(sweeps.pass(&due("2", MINUTE), now + MINUTE), None, "the next listing is not tried at once");
}

#[test]
fn a_listing_says_nothing_about_what_was_reconciled_since_it_began() {
    let ((sweeps, _requests), now) = (sweeps(), Instant::now());
    let began = now.checked_sub(Duration::from_secs(1)).unwrap();
    cover(&sweeps, 1, now, MINUTE);
    assert_eq!(sweeps.evaluate(AT, &listing(began), |_, _| None), SweepResult::default());
}

#[test]
fn after_a_start_objects_wait_for_the_first_listing_if_they_are_enough() {
    let ((sweeps, mut requests), now) = (sweeps(), Instant::now());
    assert_eq!(sweeps.pass_first(&due("0", MINUTE), now, || 9), None);
    let (sweeps, mut second) = {
        requests.close();
        self::sweeps()
    };
    for uid in ["0", "1", "2"] {
        assert_eq!(sweeps.pass_first(&due(uid, MINUTE), now, || 10), Some(WAIT));
    }
    assert!(second.try_recv().is_ok() && second.try_recv().is_err());
    assert!(sweeps.started(AT));
    let result =
        sweeps.evaluate(AT, &listing(now), |uid, expected| (expected == Expected::Status && uid == "0").then(|| covered(now, MINUTE)));
    assert_eq!((result.confirmed, result.differing.len()), (1, 2));
    assert!(sweeps.ended(AT, None).is_empty());
    assert!(sweeps.pass(&due("0", MINUTE), now).is_some());
    assert_eq!(sweeps.pass_first(&due("1", MINUTE), now, || 10), None, "it differs");
    assert_eq!(sweeps.pass_first(&due("3", MINUTE), now, || 10), None, "it came later");
}

#[test]
fn a_start_of_n8n_asks_for_reconciliations_of_all_that_listings_cover() {
    let ((sweeps, _requests), now) = (sweeps(), Instant::now());
    cover(&sweeps, 2, now, MINUTE);
    let mark = |text: &str| Some(text.to_owned());
    assert_eq!(sweeps.started_again(AT, mark("a"), false).len(), 0, "seen for the first time");
    assert_eq!(sweeps.started_again(AT, mark("a"), true).len(), 0, "away, and not started again");
    assert_eq!(sweeps.started_again(AT, None, false).len(), 0);
    assert_eq!(sweeps.started_again(AT, mark("b"), false).len(), 2);
    assert_eq!(sweeps.pass(&due("0", MINUTE), now), None);
    cover(&sweeps, 2, now, MINUTE);
    assert_eq!(sweeps.started_again(AT, mark("a"), false).len(), 0, "another main process that was seen before");
    assert_eq!(sweeps.started_again(AT, None, true).len(), 2, "away, and nothing tells");
}

#[test]
fn changes_of_credentials_are_reported_by_type_once_there_is_something_to_compare_with() {
    let sweeps = sweeps().0;
    let of = |pairs: &[(&str, u64)]| Some(pairs.iter().map(|(kind, digest)| ((*kind).to_owned(), *digest)).collect());
    assert_eq!(sweeps.credentials_changed(AT, of(&[("a", 1), ("b", 1)])), None);
    assert_eq!(sweeps.credentials_changed(AT, of(&[("a", 1), ("b", 1)])), Some(HashSet::new()));
    let changed = sweeps.credentials_changed(AT, of(&[("a", 2), ("c", 1)]));
    assert_eq!(changed, Some(["a", "b", "c"].map(str::to_owned).into()));
    assert_eq!(sweeps.credentials_changed(AT, None), None);
    assert_eq!(sweeps.credentials_changed(AT, of(&[("a", 2)])), None, "a list that failed in between may have hidden a change");
}

#[test]
fn full_reconciliations_of_a_large_fleet_are_spread_so_that_they_cost_less_than_a_request_a_second() {
    let sweeps = sweeps().0;
    assert_eq!(sweeps.period(1_000), Duration::from_secs(3_600));
    assert_eq!(sweeps.period(10_000), Duration::from_secs(25_000));
}
