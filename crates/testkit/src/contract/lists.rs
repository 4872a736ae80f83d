//! Lists.

use std::time::Duration;

use webhooks_domain::delivery::{Delivery, DeliveryStatus, FailureReason, Verdict};
use webhooks_domain::due::NextAttempt;
use webhooks_domain::ids::{CustomerId, DeliveryId, SubscriptionId};
use webhooks_domain::message::Message;
use webhooks_domain::paging::{DeliveryEntry, Order, Place, Window};
use webhooks_domain::ports::{DeliveryTable, Directory, WriteOutcome};

use super::{DUE, SWEEP};
use crate::samples;

const GIVEN_UP: DeliveryStatus = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);

/// Lists return what was written: each entry once, page by page, in either order.
pub async fn lists<S: DeliveryTable + Directory>(
    store: &S,
    salt: &str,
    record: impl AsyncFn(Message, Delivery),
) {
    let subscription = samples::subscription_id(9_001);
    let mut ids = Vec::new();
    // Twice two messages with the same time.
    for (number, seconds) in [(0, 0), (1, 0), (2, 2), (3, 2), (4, 4)] {
        let message = samples::message(salt, &format!("list-{number}"));
        let delivery = |subscription| Delivery {
            created_at: DUE + Duration::from_secs(seconds),
            ..samples::delivery(&message, subscription)
        };
        let other = delivery(samples::subscription_id(9_002));
        record(message.clone(), other).await;
        record(message.clone(), delivery(subscription)).await;
        ids.push(delivery(subscription).id);
    }
    pages(store, &subscription, &ids).await;
    ranges(store, &subscription, &samples::customer(salt), &ids).await;
    undelivered(store, &subscription, &ids).await;
}

fn window(order: Order, after: Option<Place>, limit: u32) -> Window {
    Window {
        since: None,
        until: None,
        order,
        after,
        limit,
    }
}

fn sorted(mut ids: Vec<DeliveryId>) -> Vec<DeliveryId> {
    ids.sort();
    ids
}

async fn pages(store: &impl Directory, subscription: &SubscriptionId, ids: &[DeliveryId]) {
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let mut listed: Vec<DeliveryEntry> = Vec::new();
        loop {
            let after = listed.last().map(DeliveryEntry::place);
            let window = window(order, after, 2);
            let page = store.deliveries_of(subscription, &window).await;
            let page = page.expect("answers");
            assert!(page.entries.len() <= 2);
            listed.extend(page.entries);
            if !page.has_more {
                break;
            }
        }
        let mut times: Vec<_> = listed.iter().map(|entry| entry.created_at).collect();
        if order == Order::NewestFirst {
            times.reverse();
        }
        assert!(times.is_sorted(), "{order:?}: {times:?}");
        let listed = listed.iter().map(|entry| entry.id).collect();
        assert_eq!(sorted(listed), sorted(ids.to_vec()), "{order:?}: each once");
    }
}

async fn ranges(
    store: &impl Directory,
    subscription: &SubscriptionId,
    customer: &CustomerId,
    ids: &[DeliveryId],
) {
    let middle = DUE + Duration::from_secs(2);
    let between = Window {
        since: Some(middle),
        until: Some(DUE + Duration::from_secs(4)),
        ..window(Order::OldestFirst, None, 100)
    };
    let page = store.deliveries_of(subscription, &between).await;
    assert_eq!(
        page.expect("answers").entries.len(),
        2,
        "`until` is exclusive"
    );
    let backwards = Window {
        since: between.until,
        until: between.since,
        ..between
    };
    let page = store.deliveries_of(subscription, &backwards).await;
    assert_eq!(page.expect("answers").entries, []);

    let outside = |order, at| Window {
        order,
        after: Some(Place {
            at,
            message: ids[0].message,
        }),
        ..between
    };
    for (order, at, listed) in [
        (Order::NewestFirst, DUE, 0),
        (Order::NewestFirst, DUE + Duration::from_secs(9), 2),
        (Order::OldestFirst, DUE, 2),
        (Order::OldestFirst, DUE + Duration::from_secs(9), 0),
    ] {
        let page = store.deliveries_of(subscription, &outside(order, at)).await;
        let count = page.expect("answers").entries.len();
        assert_eq!(
            count, listed,
            "{order:?} after {at}, outside the time range"
        );
    }

    let page = store.messages_of(customer, &between).await;
    let times: Vec<_> = page
        .expect("answers")
        .entries
        .iter()
        .map(|entry| entry.received_at)
        .collect();
    assert_eq!(times, [middle, middle]);
    let all = window(Order::NewestFirst, None, 100);
    let all = store.messages_of(customer, &all).await.expect("answers");
    let listed = |id: &DeliveryId| all.entries.iter().any(|entry| entry.id == id.message);
    assert!(ids.iter().all(listed));
    for id in ids {
        let page = store.message_page(&id.message, None, 10).await;
        let page = page.expect("answers").expect("is there").expect("whole");
        assert_eq!(page.deliveries.len(), 2);
        let first = page.deliveries[0].as_ref().expect("whole");
        assert_eq!(page.received_at, first.created_at);
    }
}

/// Lists deliveries that have failed, finally or so far, and held ones, but none without an
/// attempt.
async fn undelivered(
    store: &(impl DeliveryTable + Directory),
    subscription: &SubscriptionId,
    ids: &[DeliveryId],
) {
    let undelivered = async || {
        let window = window(Order::OldestFirst, None, 100);
        let page = store.undelivered_of(subscription, &window).await;
        let page = page.expect("answers");
        sorted(page.entries.iter().map(|entry| entry.id).collect())
    };
    assert_eq!(undelivered().await, []);
    let retry = Verdict::Retry(NextAttempt {
        due_at: DUE,
        sweep_at: SWEEP,
    });
    for id in &ids[..3] {
        let failed = store
            .record(id, None, &samples::failed_attempt(1), &retry)
            .await;
        assert_eq!(failed.expect("answers"), WriteOutcome::Written);
    }
    let held = store.settle(&ids[3], 0, samples::HELD).await;
    assert_eq!(held.expect("answers"), WriteOutcome::Written);
    assert_eq!(undelivered().await, sorted(ids[..4].to_vec()));
    for (id, status) in [(&ids[0], GIVEN_UP), (&ids[1], DeliveryStatus::Succeeded)] {
        let ended = Verdict::Ended(status);
        let ended = store
            .record(id, Some(DUE), &samples::failed_attempt(2), &ended)
            .await;
        assert_eq!(ended.expect("answers"), WriteOutcome::Written);
    }
    assert_eq!(undelivered().await, sorted(vec![ids[0], ids[2], ids[3]]));

    let unknown = DeliveryId {
        subscription: samples::subscription_id(9_003),
        ..ids[0]
    };
    let read = store.read_deliveries(&[ids[3], unknown, ids[0]]).await;
    let read = read.expect("answers");
    let read = read.into_iter().map(|read| read.expect("whole"));
    let read: Vec<_> = read.map(|read| (read.id, read.status)).collect();
    assert_eq!(read, [(ids[3], samples::HELD), (ids[0], GIVEN_UP)]);
}
