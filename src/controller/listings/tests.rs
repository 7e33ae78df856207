//! Listings that several callers ask for at the same time.

use std::ops::RangeBounds;

use serde_json::json;

use super::*;
use crate::n8n::scripted::{Reply, Scripted, at_once, json as answer};

/// Starts an n8n without workflows that answers these listings, counted from one, and never the others.
async fn n8n_that_answers(listings: impl RangeBounds<usize> + Send + 'static) -> Scripted {
    let mut asked = 0;
    Scripted::start(move |_| {
        asked += 1;
        if listings.contains(&asked) { answer(200, json!({ "data": [], "nextCursor": null })) } else { Reply::Hang }
    })
    .await
}

#[tokio::test]
async fn a_newcomer_takes_the_older_listing_while_another_one_is_read() {
    let n8n = n8n_that_answers(..=1).await;
    let (listings, client) = (Arc::new(Listings::default()), n8n.client());
    let first = listings.scan(&client).await.unwrap();
    let running = tokio::spawn({
        let (listings, client) = (listings.clone(), client.clone());
        async move { listings.scan(&client).await }
    });
    n8n.until_asked(2).await;
    let newcomer = at_once(listings.scan_for_newcomer(&client, "uid")).await.unwrap();
    assert!(Arc::ptr_eq(&first, &newcomer));
    running.abort();
}

#[tokio::test]
async fn a_newcomer_that_was_sent_reads_a_listing_of_its_own() {
    let n8n = n8n_that_answers(..).await;
    let (listings, client) = (Listings::default(), n8n.client());
    let first = listings.scan(&client).await.unwrap();
    listings.sending("uid");
    let second = listings.scan_for_newcomer(&client, "uid").await.unwrap();
    assert!(second.began > first.began && n8n.calls().len() == 2);
}

#[tokio::test]
async fn callers_that_come_during_a_listing_share_the_next_one() {
    let n8n = n8n_that_answers(..).await;
    let (listings, client) = (Listings::default(), n8n.client());
    let (first, second, third) = tokio::join!(listings.scan(&client), listings.scan(&client), listings.scan(&client));
    let [first, second, third] = [first.unwrap(), second.unwrap(), third.unwrap()];
    assert!(Arc::ptr_eq(&second, &third), "the second and the third caller share a listing");
    assert!(Arc::ptr_eq(&first, &second) || second.began > first.began);
    assert!(n8n.calls().len() <= 2, "{:?}", n8n.calls());
}

#[tokio::test]
async fn a_sweep_is_kept_for_others_while_a_listing_is_read() {
    let n8n = n8n_that_answers(2..).await;
    let (listings, client) = (Arc::new(Listings::default()), n8n.client());
    let running = tokio::spawn({
        let (listings, client) = (listings.clone(), client.clone());
        async move { listings.scan(&client).await }
    });
    n8n.until_asked(1).await;
    let swept = listings.sweep(&client, Haste::Idle).await.unwrap();
    let recent = at_once(listings.recent(&client)).await.unwrap();
    assert!(Arc::ptr_eq(&swept, &recent));
    running.abort();
}
