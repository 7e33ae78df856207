use std::sync::mpsc;

use super::*;
use Urgency::{Create, Deletion, Edit, Routine};

const INSTANCE: &str = "ops/main";

/// Queues an object, and sends its name when it gets its slot.
fn queue(slots: &InstanceSlots, object: &str, urgency: Urgency, done: &mpsc::Sender<String>) {
    let (waiter, object, done) = (slots.clone(), object.to_owned(), done.clone());
    tokio::spawn(async move {
        let slot = waiter.enter(INSTANCE, &object, || urgency).await;
        if slot.is_some() {
            done.send(object).unwrap();
        }
    });
}

async fn until_waiting(slots: &InstanceSlots, many: usize) {
    while slots.waiting() != many {
        tokio::task::yield_now().await;
    }
}

async fn all(order: &mpsc::Receiver<String>, many: usize) -> Vec<String> {
    let mut names = Vec::new();
    while names.len() < many {
        names.extend(order.try_recv());
        tokio::task::yield_now().await;
    }
    names
}

#[tokio::test]
async fn edits_and_deletions_overtake_creates_and_routine() {
    let slots = InstanceSlots::new(1);
    let first = slots.enter(INSTANCE, "first", || Routine).await;
    let (done, order) = mpsc::channel();
    for (at, (name, urgency)) in [("routine", Routine), ("create", Create), ("deletion", Deletion), ("edit", Edit)].into_iter().enumerate()
    {
        queue(&slots, name, urgency, &done);
        until_waiting(&slots, at + 1).await;
    }
    drop(first);
    assert_eq!(all(&order, 4).await, ["edit", "deletion", "create", "routine"]);
}

#[tokio::test]
async fn a_promoted_object_overtakes_hundreds_of_waiters() {
    let slots = InstanceSlots::new(1);
    let first = slots.enter(INSTANCE, "first", || Routine).await;
    let (done, order) = mpsc::channel();
    for number in 0..300 {
        queue(&slots, &format!("w{number}"), Routine, &done);
        until_waiting(&slots, number + 1).await;
    }
    assert!(slots.promote(INSTANCE, "w250", Edit));
    assert!(!slots.promote(INSTANCE, "w250", Create) && !slots.promote(INSTANCE, "unknown", Edit));
    drop(first);
    let names = all(&order, 300).await;
    assert_eq!(names[..3], ["w250", "w0", "w1"]);
    assert_eq!(names.iter().filter(|name| *name == "w250").count(), 1);
}

#[tokio::test]
async fn hanging_creates_leave_reserved_slots_to_edits() {
    let slots = InstanceSlots::new(10);
    let mut hanging = Vec::new();
    for number in 0..8 {
        hanging.push(slots.enter(INSTANCE, &format!("c{number}"), || Create).await);
    }
    let mut more = Box::pin(slots.enter(INSTANCE, "c8", || Create));
    assert!(futures::poll!(more.as_mut()).is_pending());
    let edits = [slots.enter(INSTANCE, "a", || Edit).await, slots.enter(INSTANCE, "b", || Deletion).await];
    // A create that waited and was promoted takes a reserved slot too.
    drop(edits);
    assert!(slots.promote(INSTANCE, "c8", Edit));
    assert!(more.await.is_some());
    // With a single slot none is reserved.
    let single = InstanceSlots::new(1);
    assert!(single.enter(INSTANCE, "a", || Create).await.is_some());
}

#[tokio::test]
async fn endless_edits_do_not_starve_creates() {
    let slots = InstanceSlots::new(1);
    let first = slots.enter(INSTANCE, "first", || Edit).await;
    let (done, order) = mpsc::channel();
    for number in 0..60 {
        queue(&slots, &format!("e{number}"), Edit, &done);
    }
    queue(&slots, "create", Create, &done);
    until_waiting(&slots, 61).await;
    drop(first);
    let names = all(&order, 61).await;
    let at = names.iter().position(|name| name == "create").unwrap();
    assert!(at <= LONGEST_STREAK, "{at}");
}

#[tokio::test]
async fn endless_creates_do_not_starve_routine() {
    let slots = InstanceSlots::new(1);
    let first = slots.enter(INSTANCE, "first", || Create).await;
    let (done, order) = mpsc::channel();
    for number in 0..60 {
        queue(&slots, &format!("c{number}"), Create, &done);
    }
    for name in ["r0", "r1"] {
        queue(&slots, name, Routine, &done);
    }
    until_waiting(&slots, 62).await;
    drop(first);
    let names = all(&order, 62).await;
    let at = |wanted: &str| names.iter().position(|name| name == wanted).unwrap();
    assert!(at("r0") <= LONGEST_STREAK && at("r1") <= 2 * LONGEST_STREAK + 1, "{names:?}");
}

#[tokio::test]
async fn closed_slots_dismiss_waiters_and_let_running_reconciliations_end() {
    let slots = InstanceSlots::new(1);
    let inside = slots.enter(INSTANCE, "a", || Edit).await;
    let mut waiting = Box::pin(slots.enter(INSTANCE, "b", || Routine));
    assert!(futures::poll!(waiting.as_mut()).is_pending());
    slots.close();
    assert!(waiting.await.is_none() && slots.enter(INSTANCE, "c", || Edit).await.is_none());
    drop(inside);
    assert_eq!(slots.waiting(), 0);
}

#[tokio::test]
async fn an_instance_does_not_delay_another_and_a_waiter_may_give_up() {
    let slots = InstanceSlots::new(1);
    let slow = slots.enter("ops/slow", "a", || Edit).await;
    drop(slots.enter("ops/fast", "b", || Routine).await);
    let mut impatient = Box::pin(slots.enter("ops/slow", "c", || Edit));
    assert!(futures::poll!(impatient.as_mut()).is_pending());
    drop(impatient);
    assert_eq!(slots.waiting(), 0);
    drop(slow);
    drop(slots.enter("ops/slow", "d", || Routine).await);
}

#[tokio::test]
async fn a_waiter_that_gives_up_in_its_turn_leaves_the_slot_to_the_next() {
    let slots = InstanceSlots::new(1);
    let first = slots.enter(INSTANCE, "a", || Edit).await;
    let mut impatient = Box::pin(slots.enter(INSTANCE, "b", || Edit));
    assert!(futures::poll!(impatient.as_mut()).is_pending());
    // It has the slot now and is never polled again.
    drop(first);
    drop(impatient);
    let mut next = Box::pin(slots.enter(INSTANCE, "c", || Edit));
    assert!(futures::poll!(next.as_mut()).is_ready());
}
