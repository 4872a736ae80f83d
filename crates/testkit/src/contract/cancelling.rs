//! Cancelled messages and deliveries, and deliveries that wait for their first attempt.

use std::time::Duration;

use webhooks_domain::delivery::{CancelReason, Delivery, DeliveryStatus, DueEntry, Verdict};
use webhooks_domain::due::NextAttempt;
use webhooks_domain::message::Message;
use webhooks_domain::ports::{CancelTable, DeliveryTable, DueIndex, ResendTable, WriteOutcome};

use super::{DUE, SWEEP, due_of};
use crate::samples;

const REQUESTED: DeliveryStatus = DeliveryStatus::Cancelled(CancelReason::Requested);

/// A message is marked once. Its deliveries are cancelled as they were read, and take one more
/// attempt each, which was under way.
///
/// `put` records a message and a delivery, as the workflow does.
pub async fn cancelling<S>(store: &S, salt: &str, put: impl AsyncFn(Message, Delivery))
where
    S: CancelTable + DeliveryTable + DueIndex + ResendTable,
{
    let message = Message {
        deliver_at: Some(DUE),
        ..samples::message(salt, "cancelled")
    };
    let [waiting, pending, held] = [1, 2, 3].map(|number| {
        let delivery = samples::delivery(&message, samples::subscription_id(number));
        match number {
            3 => Delivery {
                status: samples::HELD,
                ..delivery
            },
            _ => delivery,
        }
    });
    put(message.clone(), pending.clone()).await;
    put(message.clone(), held.clone()).await;
    let next = NextAttempt {
        due_at: DUE,
        sweep_at: SWEEP,
    };
    store.insert_due(&waiting, &next).await.expect("answers");
    let waiting = Delivery {
        next_attempt_at: Some(DUE),
        ..waiting
    };
    let due = due_of(store, &message, SWEEP).await;
    assert_eq!(
        due,
        [DueEntry::of(&waiting, &next)],
        "it waits in the index"
    );

    let load = async |delivery: &Delivery| {
        let loaded = store.load(&delivery.id).await.expect("answers");
        loaded.expect("is there")
    };
    let (_, stored) = load(&pending).await;
    assert_eq!(stored, message, "the time is kept");
    for at in [samples::NOW, samples::NOW + Duration::from_secs(1)] {
        let marked = store.mark_cancelled(&message.id, at).await;
        assert_eq!(marked.expect("answers"), WriteOutcome::Written);
        let (_, stored) = load(&pending).await;
        assert_eq!(
            stored.cancelled_at,
            Some(samples::NOW),
            "the first time counts"
        );
    }
    let unknown = samples::message(salt, "unknown").id;
    let marked = store.mark_cancelled(&unknown, samples::NOW).await;
    assert_eq!(marked.expect("answers"), WriteOutcome::Conflict);

    let first = samples::failed_attempt(1);
    let early = store.record_cancelled(&pending.id, &first).await;
    assert_eq!(
        early.expect("answers"),
        WriteOutcome::Conflict,
        "it is pending"
    );
    let other = Delivery {
        attempts: vec![first.clone()],
        ..pending.clone()
    };
    let refused = store.cancel(&other).await.expect("answers");
    assert_eq!(refused, WriteOutcome::Conflict, "it has no attempts");
    for delivery in [&waiting, &pending, &held] {
        let cancel = async || store.cancel(delivery).await.expect("answers");
        assert_eq!(cancel().await, WriteOutcome::Written);
        assert_eq!(cancel().await, WriteOutcome::Conflict, "a repetition");
        let (stored, _) = load(delivery).await;
        assert_eq!((stored.status, stored.next_attempt_at), (REQUESTED, None));
    }
    assert_eq!(due_of(store, &message, SWEEP).await, [], "nothing is due");

    let recorded = store.record(
        &pending.id,
        pending.next_attempt_at,
        &first,
        &Verdict::Ended(DeliveryStatus::Succeeded),
    );
    assert_eq!(recorded.await.expect("answers"), WriteOutcome::Conflict);
    for (number, expected) in [
        (2, WriteOutcome::Conflict),
        (1, WriteOutcome::Written),
        (1, WriteOutcome::Conflict),
        (2, WriteOutcome::Written),
    ] {
        let attempt = samples::failed_attempt(number);
        let added = store.record_cancelled(&pending.id, &attempt).await;
        assert_eq!(added.expect("answers"), expected, "attempt {number}");
    }
    let (stored, _) = load(&pending).await;
    assert_eq!((stored.status, stored.attempts_made()), (REQUESTED, 2));
}
