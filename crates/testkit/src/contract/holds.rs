//! Subscriptions whose deliveries are held until their endpoint is available, and these deliveries.

use std::time::Duration;

use webhooks_domain::delivery::{Delivery, DeliveryStatus, DeliveryTrigger};
use webhooks_domain::due::{GRACE, LongestQueueDelay, NextAttempt};
use webhooks_domain::health::{Health, Hold};
use webhooks_domain::message::Message;
use webhooks_domain::paging::Window;
use webhooks_domain::ports::{
    DeliveryTable, Directory, HealthFate, HoldEntry, HoldIndex, ReplacementOutcome, ResendTable,
    SubscriptionStore, WriteOutcome,
};
use webhooks_domain::subscription::{DisabledReason, Subscription, SubscriptionStatus};

use super::subscriptions::{OPEN, insert, replace};
use super::{DUE, due_of};
use crate::samples;

const SECOND: Duration = Duration::from_secs(1);

/// The entries of the customers of this suite, in pages of one.
async fn listed(store: &impl HoldIndex, salt: &str) -> Vec<HoldEntry> {
    let mut listed: Vec<HoldEntry> = Vec::new();
    loop {
        let page = store.holding(DUE, listed.last(), 1).await.expect("answers");
        listed.extend(page.entries);
        if !page.has_more {
            break;
        }
    }
    assert!(listed.is_sorted());
    listed.retain(|entry| entry.customer.as_str() == format!("{salt}-holds"));
    listed
}

fn entry(subscription: &Subscription) -> HoldEntry {
    HoldEntry {
        check_at: subscription.health.hold.expect("it holds").check_at,
        customer: subscription.customer_id.clone(),
        subscription: subscription.id,
    }
}

fn holding(check_in: Duration) -> Health {
    Health {
        circuit: Some(OPEN),
        hold: Some(Hold {
            since: samples::NOW,
            check_at: samples::NOW + check_in,
        }),
        ..Health::default()
    }
}

/// A subscription is in the index exactly while it is active and its deliveries are held, at the
/// time of the next check, whichever write begins or ends that.
pub async fn holds(store: &(impl SubscriptionStore + HoldIndex), salt: &str) {
    let subscription = |number| samples::subscription(&format!("{salt}-holds"), number);
    let change = async |read: &Subscription, health: Health| {
        let changed = store.change_health(read, &health).await;
        assert_eq!(changed.expect("answers"), WriteOutcome::Written);
        Subscription {
            health,
            ..read.clone()
        }
    };
    let mut all = Vec::new();
    for number in 1..=5_u32 {
        let new = subscription(number.into());
        insert(store, &new).await;
        assert_eq!(listed(store, salt).await.len(), all.len(), "it is healthy");
        all.push(change(&new, holding(SECOND * number)).await);
        let entries: Vec<_> = all.iter().map(entry).collect();
        assert_eq!(listed(store, salt).await, entries);
    }
    // The next check is later than the others, and one is too late for this list.
    let late = Hold::released(samples::NOW);
    all[1] = change(&all[1], holding(Duration::from_millis(4_500))).await;
    change(
        &all[2],
        Health {
            hold: Some(late),
            ..Health::default()
        },
    )
    .await;
    let expected = [&all[0], &all[3], &all[1], &all[4]].map(entry);
    assert_eq!(listed(store, salt).await, expected);

    // A change of the subscription keeps its entry, and moves it with a new health.
    let renamed = Subscription {
        description: Some("renamed".to_owned().try_into().expect("short")),
        version: 2,
        ..all[0].clone()
    };
    let written = replace(store, &all[0], &renamed, HealthFate::Kept).await;
    assert_eq!(written, ReplacementOutcome::Written);
    assert_eq!(listed(store, salt).await, expected);
    let moved = Subscription {
        url: samples::url("https://example.com/moved"),
        health: Health {
            hold: Some(Hold {
                since: DUE,
                check_at: samples::NOW,
            }),
            ..Health::default()
        },
        version: 2,
        ..all[4].clone()
    };
    let written = replace(store, &all[4], &moved, HealthFate::Replaced).await;
    assert_eq!(written, ReplacementOutcome::Written);
    let stored = store.get(&moved.customer_id, &moved.id).await;
    assert_eq!(stored.expect("answers"), Some(moved.clone()));
    let expected = [&moved, &renamed, &all[3], &all[1]].map(entry);
    assert_eq!(listed(store, salt).await, expected);

    // One is paused, one disabled, one deleted, and one ends its hold.
    let paused = Subscription {
        status: SubscriptionStatus::Paused,
        version: 3,
        ..renamed.clone()
    };
    let written = replace(store, &renamed, &paused, HealthFate::Kept).await;
    assert_eq!(written, ReplacementOutcome::Written);
    let disabled = store.disable(&all[3], DisabledReason::Failing, DUE).await;
    assert_eq!(disabled.expect("answers"), WriteOutcome::Written);
    assert_eq!(
        store.remove(&all[1], None).await.expect("answers"),
        WriteOutcome::Written
    );
    assert_eq!(listed(store, salt).await, [entry(&moved)]);
    let slow = Health {
        slow_since: Some(DUE),
        ..Health::default()
    };
    change(&moved, slow).await;
    assert_eq!(listed(store, salt).await, []);
}

/// A delivery that is held until its endpoint is available keeps its attempts, and continues with
/// the next one.
///
/// `put` records a message and a delivery, as the workflow does.
pub async fn resuming<S: DeliveryTable + ResendTable + Directory>(
    store: &S,
    salt: &str,
    put: impl AsyncFn(Message, Delivery),
) {
    let message = samples::message(salt, "resumed");
    for (number, attempts) in [(1, 0), (2, 2)] {
        let delivery = Delivery {
            attempts: (1..=attempts).map(samples::failed_attempt).collect(),
            earlier_attempts: attempts / 2,
            trigger: DeliveryTrigger::Replay,
            ..samples::delivery(&message, samples::subscription_id(number))
        };
        let id = delivery.id;
        put(message.clone(), delivery).await;
        let settled = store.settle(&id, attempts, samples::AWAITING_ENDPOINT);
        assert_eq!(settled.await.expect("answers"), WriteOutcome::Written);
        assert_eq!(due_of(store, &message, DUE + GRACE).await, []);
        let (held, _) = store.load(&id).await.expect("answers").expect("is there");
        assert_eq!(held.status, samples::AWAITING_ENDPOINT);
        assert_eq!(held.attempts_made(), attempts);
        let newest = Window::newest(9);
        let undelivered = store.undelivered_of(&id.subscription, &newest);
        let undelivered = undelivered.await.expect("answers").entries;
        assert!(undelivered.iter().any(|entry| entry.id == id));

        let next = NextAttempt::plan(DUE, DUE, LongestQueueDelay::MAX);
        let resumption = held.resume(next).expect("it awaits its endpoint");
        let resumed = store.reopen(&resumption).await.expect("answers");
        assert_eq!(resumed, WriteOutcome::Written);
        let again = store.reopen(&resumption).await.expect("answers");
        assert_eq!(again, WriteOutcome::Conflict);
        let (pending, _) = store.load(&id).await.expect("answers").expect("is there");
        let expected = Delivery {
            status: DeliveryStatus::Pending,
            next_attempt_at: Some(DUE),
            ..held.clone()
        };
        assert_eq!(pending, expected);
        assert_eq!(
            due_of(store, &message, DUE + GRACE).await,
            [resumption.due()]
        );
        // Once more, while its subscription is paused.
        let settled = store.settle(&id, attempts, samples::HELD);
        assert_eq!(settled.await.expect("answers"), WriteOutcome::Written);
        let (held, _) = store.load(&id).await.expect("answers").expect("is there");
        assert_eq!(held.status, samples::HELD);
    }
}
