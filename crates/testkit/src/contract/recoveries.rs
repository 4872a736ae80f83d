//! Recoveries, and the deliveries that they read and add.

use webhooks_domain::delivery::{CancelReason, Delivery, DeliveryStatus, DueEntry};
use webhooks_domain::due::NextAttempt;
use webhooks_domain::message::Message;
use webhooks_domain::paging::{Order, Window};
use webhooks_domain::ports::{DeliveryTable, InsertOutcome, RecoveryTable, WriteOutcome};
use webhooks_domain::recovery::{Recovery, RecoveryStatus};

use super::{DUE, SWEEP, due_of};
use crate::samples;

/// Recoveries are inserted once, changed by version, and listed newest first.
pub async fn recoveries(store: &impl RecoveryTable, salt: &str) {
    let [older, newer] = samples::recoveries(salt);
    let key = older.key();
    assert_eq!(store.recovery(&key).await.expect("answers"), None);
    for expected in [InsertOutcome::Inserted, InsertOutcome::AlreadyThere] {
        let outcome = store.insert_recovery(&older).await.expect("answers");
        assert_eq!(outcome, expected);
    }
    let inserted = store.insert_recovery(&newer).await.expect("answers");
    assert_eq!(inserted, InsertOutcome::Inserted);
    let stored = store.recovery(&key).await.expect("answers");
    assert_eq!(stored.as_ref(), Some(&older));

    let next = Recovery {
        progress: newer.progress,
        version: 2,
        ..older.clone()
    };
    for _ in 0..2 {
        let written = store.replace_recovery(&next).await.expect("answers");
        assert_eq!(
            written,
            WriteOutcome::Written,
            "repeating a write is idempotent"
        );
    }
    let other = Recovery {
        status: RecoveryStatus::Stopping,
        ..next.clone()
    };
    let conflict = store.replace_recovery(&other).await.expect("answers");
    assert_eq!(conflict, WriteOutcome::Conflict);
    let stored = store.recovery(&key).await.expect("answers");
    assert_eq!(stored.as_ref(), Some(&next));

    let another = Recovery {
        subscription_id: samples::subscription_id(2),
        ..newer.clone()
    };
    let inserted = store.insert_recovery(&another).await.expect("answers");
    assert_eq!(inserted, InsertOutcome::Inserted);
    let page = async |before: Option<&Recovery>, limit| {
        let before = before.map(|recovery| &recovery.id);
        let page = store.recoveries(&key.customer, &key.subscription, before, limit);
        let page = page.await.expect("answers");
        let read = page.recoveries.into_iter();
        let recoveries: Vec<_> = read.map(|read| read.expect("whole")).collect();
        (recoveries, page.has_more)
    };
    assert_eq!(
        page(None, 9).await,
        (vec![newer.clone(), next.clone()], false)
    );
    assert_eq!(page(None, 1).await, (vec![newer.clone()], true));
    assert_eq!(page(Some(&newer), 9).await, (vec![next], false));
}

/// Reads a message and its delivery, as far as they exist. A missing delivery is added once, and is
/// due.
///
/// `put` records a message and a delivery, as the workflow does.
pub async fn recovery_sources<S: DeliveryTable + RecoveryTable>(
    store: &S,
    salt: &str,
    put: impl AsyncFn(Message, Delivery),
) {
    let message = samples::message(salt, "replayed");
    let had = samples::delivery(&message, samples::subscription_id(1));
    let missing = samples::delivery(&message, samples::subscription_id(2));
    let nothing = store.read(&had.id).await.expect("answers");
    assert_eq!(nothing, (None, None));
    put(message.clone(), had.clone()).await;
    let (stored, delivery) = store.read(&had.id).await.expect("answers");
    assert_eq!(delivery, Some(had.clone()));
    let stored = stored.expect("is there");
    assert_eq!(stored.message, message);
    assert_eq!(stored.expires_at, had.expires_at);
    let (stored, none) = store.read(&missing.id).await.expect("answers");
    assert!(stored.is_some() && none.is_none());

    let next = NextAttempt {
        due_at: DUE,
        sweep_at: SWEEP,
    };
    for expected in [InsertOutcome::Inserted, InsertOutcome::AlreadyThere] {
        let outcome = store.insert_due(&missing, &next).await.expect("answers");
        assert_eq!(outcome, expected);
    }
    let refused = store.insert_due(&had, &next).await.expect("answers");
    assert_eq!(refused, InsertOutcome::AlreadyThere);
    discarding(store, &had).await;
    let (added, _) = store
        .load(&missing.id)
        .await
        .expect("answers")
        .expect("is there");
    let expected = Delivery {
        next_attempt_at: Some(DUE),
        ..missing
    };
    assert_eq!(added, expected);
    let due = due_of(store, &message, SWEEP).await;
    assert_eq!(due, [DueEntry::of(&expected, &next)]);
}

/// Only a delivery that is held, and as it was read, is discarded. Then nothing is owed any more.
async fn discarding<S: DeliveryTable + RecoveryTable>(store: &S, pending: &Delivery) {
    let discard = async |read: &Delivery| store.discard(read).await.expect("answers");
    let undelivered = async || {
        let newest = Window {
            since: None,
            until: None,
            order: Order::NewestFirst,
            after: None,
            limit: 10,
        };
        let to = &pending.id.subscription;
        let page = store.undelivered_of(to, &newest).await.expect("answers");
        page.entries.iter().any(|entry| entry.id == pending.id)
    };
    assert_eq!(
        discard(pending).await,
        WriteOutcome::Conflict,
        "it is pending"
    );
    let settled = store.settle(&pending.id, 0, samples::HELD).await;
    assert_eq!(settled.expect("answers"), WriteOutcome::Written);
    assert!(undelivered().await);
    let with_attempts = Delivery {
        attempts: vec![samples::failed_attempt(1)],
        ..pending.clone()
    };
    let other = discard(&with_attempts).await;
    assert_eq!(other, WriteOutcome::Conflict, "it has no attempts");
    assert_eq!(discard(pending).await, WriteOutcome::Written);
    assert_eq!(discard(pending).await, WriteOutcome::Conflict);
    let (_, stored) = store.read(&pending.id).await.expect("answers");
    let expected = Delivery {
        status: DeliveryStatus::Cancelled(CancelReason::Discarded),
        ..pending.clone()
    };
    assert_eq!(stored, Some(expected));
    assert!(!undelivered().await);
}
