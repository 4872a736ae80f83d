//! Expired items count as absent, although they may still be stored: DynamoDB deletes them days
//! later.

use std::time::Duration;

use webhooks_domain::delivery::{Delivery, DeliveryStatus, DueEntry, FailureReason, Verdict};
use webhooks_domain::due::NextAttempt;
use webhooks_domain::message::Message;
use webhooks_domain::paging::{MessageEntry, Order, Window};
use webhooks_domain::ports::{
    DeliveryTable, Directory, InsertOutcome, RecoveryTable, ResendTable, WriteOutcome,
};
use webhooks_domain::recovery::{Recovery, RecoveryStatus};
use webhooks_domain::timestamp::Timestamp;

use super::{DUE, SWEEP, due_of};
use crate::samples;

/// Expiry of messages and deliveries, and of their entries in every list.
///
/// `put` records a message and a delivery that expires with it, as the workflow does. The store's
/// clock must show [`samples::NOW`].
#[expect(clippy::too_many_lines, reason = "one story, in order")]
pub async fn expired_deliveries<S>(store: &S, salt: &str, put: impl AsyncFn(Message, Delivery))
where
    S: DeliveryTable + ResendTable + Directory,
{
    let salt = &format!("{salt}-expired");
    let window = Window {
        since: None,
        until: None,
        order: Order::OldestFirst,
        after: None,
        limit: 10,
    };
    let until = |delivery: Delivery, expires_at: Timestamp| Delivery {
        expires_at,
        ..delivery
    };
    let second = Duration::from_secs(1);
    let customer = samples::customer(salt);
    for (event, expires_at, is_there) in [
        ("expired", samples::NOW, false),
        ("in force", samples::NOW + second, true),
    ] {
        let message = samples::message(salt, event);
        let subscription = samples::subscription_id(if is_there { 0xe1 } else { 0xe2 });
        let delivery = until(samples::delivery(&message, subscription), expires_at);
        let id = delivery.id;
        put(message.clone(), delivery.clone()).await;

        let loaded = store.load(&id).await.expect("answers");
        assert_eq!(loaded.is_some(), is_there, "{event}");
        let (read, of_it) = store.read(&id).await.expect("answers");
        assert_eq!((read.is_some(), of_it.is_some()), (is_there, is_there));
        let read = store.read_deliveries(&[id]).await.expect("answers");
        assert_eq!(read.len(), usize::from(is_there));
        let page = store.message_page(&message.id, None, 10).await;
        assert_eq!(page.expect("answers").is_some(), is_there);
        let alone = store.message(&message.id).await.expect("answers");
        assert_eq!(alone, is_there.then_some(message.clone()));
        let deliveries = store.deliveries_of_message(&message.id, None, 10).await;
        assert_eq!(
            deliveries.expect("answers").entries.len(),
            usize::from(is_there)
        );
        let messages = store.messages_of(&customer, &window).await;
        let messages = messages.expect("answers").entries;
        let is_listed = messages.iter().any(|entry| entry.id == message.id);
        assert_eq!(is_listed, is_there);

        let outcome = if is_there {
            WriteOutcome::Written
        } else {
            WriteOutcome::Conflict
        };
        let failed = Verdict::Ended(DeliveryStatus::Failed(FailureReason::AttemptsExhausted));
        let attempt = samples::failed_attempt(1);
        let recorded = store.record(&id, None, &attempt, &failed).await;
        assert_eq!(recorded.expect("answers"), outcome, "{event}");
        let ended = Delivery {
            status: DeliveryStatus::Failed(FailureReason::AttemptsExhausted),
            attempts: vec![attempt],
            expires_at: samples::NOW + Duration::from_hours(24),
            ..delivery.clone()
        };
        let next = NextAttempt {
            due_at: DUE,
            sweep_at: SWEEP,
        };
        if is_there {
            let reopening = ended.reopen(&message, next).expect("it has ended");
            assert_eq!(store.reopen(&reopening).await.expect("answers"), outcome);
            assert_eq!(due_of(store, &message, SWEEP).await.len(), 1);
        }
    }

    // An expired delivery is no longer due.
    let message = samples::message(salt, "was due");
    let next = NextAttempt {
        due_at: DUE,
        sweep_at: SWEEP,
    };
    let delivery = samples::delivery(&message, samples::subscription_id(0xe3));
    let gone = until(delivery.clone(), samples::NOW);
    put(message.clone(), gone.clone()).await;
    let inserted = store.insert_due(&gone, &next).await.expect("answers");
    assert_eq!(
        inserted,
        InsertOutcome::Inserted,
        "the expired delivery counts as absent"
    );
    assert_eq!(due_of(store, &message, SWEEP).await, []);
    let entry = DueEntry::of(&gone, &next);
    let postponed = store.postpone(&entry, SWEEP + second).await;
    assert_eq!(postponed.expect("answers"), WriteOutcome::Conflict);

    // The same event becomes a new message, and nothing of the expired one is mixed with it.
    let other = until(
        samples::delivery(&message, samples::subscription_id(0xe4)),
        samples::NOW,
    );
    put(message.clone(), other).await;
    let again = Message {
        time: "2026-07-01T00:00:00Z".to_owned(),
        ..message.clone()
    };
    let recorded = store.insert_test(&again, &delivery).await;
    recorded.expect("answers");
    let loaded = store.load(&delivery.id).await.expect("answers");
    assert_eq!(loaded, Some((delivery.clone(), again)));
    let page = store.message_page(&message.id, None, 1).await;
    let page = page.expect("answers").expect("is there").expect("whole");
    assert_eq!(page.deliveries, [Ok(delivery.clone())]);
    let rest = store.deliveries_of_message(&message.id, Some(&delivery.id.subscription), 1);
    assert_eq!(rest.await.expect("answers").entries, []);
    let undelivered = store
        .undelivered_of(&delivery.id.subscription, &window)
        .await;
    assert_eq!(undelivered.expect("answers").entries, []);
    assert_eq!(
        due_of(store, &message, SWEEP).await,
        [],
        "the new delivery has no attempt yet"
    );
}

/// A list that begins with many expired entries shows all others once, page by page. The store's
/// clock must show [`samples::NOW`].
pub async fn lists_behind_expired_entries<S: Directory>(
    store: &S,
    salt: &str,
    put: impl AsyncFn(Message, Delivery),
) {
    const EXPIRED: u64 = 12;
    let salt = &format!("{salt}-behind");
    let mut expected = Vec::new();
    for number in 0..EXPIRED + 5 {
        let message = samples::message(salt, &number.to_string());
        let delivery = Delivery {
            created_at: DUE + Duration::from_secs(number),
            expires_at: if number < EXPIRED {
                samples::NOW
            } else {
                SWEEP
            },
            ..samples::delivery(&message, samples::subscription_id(0xe3))
        };
        if number >= EXPIRED {
            expected.push(message.id);
        }
        put(message, delivery).await;
    }
    let (mut after, mut listed) = (None, Vec::new());
    loop {
        let window = Window {
            since: None,
            until: None,
            order: Order::OldestFirst,
            after,
            limit: 2,
        };
        let page = store.messages_of(&samples::customer(salt), &window).await;
        let page = page.expect("answers");
        assert!(page.entries.len() <= 2, "{}", page.entries.len());
        after = page.entries.last().map(MessageEntry::place);
        listed.extend(page.entries.into_iter().map(|entry| entry.id));
        if !page.has_more {
            break;
        }
    }
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
}

/// Expiry of recoveries. The store's clock must show [`samples::NOW`].
pub async fn expired_recoveries(store: &impl RecoveryTable, salt: &str) {
    let [recovery, _] = samples::recoveries(&format!("{salt}-expired"));
    let expired = Recovery {
        expires_at: samples::NOW,
        ..recovery.clone()
    };
    let key = recovery.key();
    let insert = async |recovery: &Recovery| {
        let inserted = store.insert_recovery(recovery).await;
        assert_eq!(inserted.expect("answers"), InsertOutcome::Inserted);
    };
    insert(&expired).await;
    assert_eq!(store.recovery(&key).await.expect("answers"), None);
    let page = store.recoveries(&key.customer, &key.subscription, None, 9);
    assert_eq!(page.await.expect("answers").recoveries, []);
    let next = Recovery {
        status: RecoveryStatus::Stopping,
        version: expired.version + 1,
        ..expired.clone()
    };
    let replaced = store.replace_recovery(&next).await.expect("answers");
    assert_eq!(replaced, WriteOutcome::Conflict);
    insert(&recovery).await;
    assert_eq!(store.recovery(&key).await.expect("answers"), Some(recovery));
}
