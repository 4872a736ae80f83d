//! Contract tests: every implementation of a port must pass the same suite, the in-memory backend
//! and the real adapters alike.
//!
//! Each suite uses its own customers and messages, named by `salt`.

mod at_once;
mod cancelling;
mod catalogue;
mod customers;
mod deletion;
mod exchanges;
mod expiry;
mod holds;
mod limiter;
mod lists;
mod portal_sessions;
mod portal_usage;
mod recoveries;
mod statistics;
mod subscriptions;
mod tokens;
mod unhealthy;

use std::time::Duration;

pub use at_once::reads_at_once;
pub use cancelling::cancelling;
pub use catalogue::{catalogue, catalogue_bound, catalogue_summaries};
pub use customers::customers;
pub use deletion::deletion;
pub use exchanges::exchanges;
pub use expiry::{expired_deliveries, expired_recoveries, lists_behind_expired_entries};
pub use holds::{holds, resuming};
pub use limiter::limiters;
pub use lists::lists;
pub use portal_sessions::portal_sessions;
pub use portal_usage::portal_usage;
pub use recoveries::{recoveries, recovery_sources};
pub use statistics::statistics;
pub use subscriptions::{certificate_warnings, creations, health, subscriptions};
pub use tokens::tokens;
pub use unhealthy::unhealthy;
use webhooks_domain::data_key::WrappedDataKey;
use webhooks_domain::delivery::{
    Attempt, Delivery, DeliveryStatus, DeliveryTask, DeliveryTrigger, DueEntry, FailureReason,
    Verdict,
};
use webhooks_domain::due::{NextAttempt, Shard};
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::message::Message;
use webhooks_domain::paging::{Order, Window};
use webhooks_domain::ports::{
    DataKeyStore, DeliveryTable, Directory, DueIndex, InsertOutcome, ResendTable,
    SubscriptionStore, WriteOutcome,
};
use webhooks_domain::timestamp::Timestamp;

use crate::samples;

const DUE: Timestamp = Timestamp::from_millis(1_700_000_005_000);
const SWEEP: Timestamp = Timestamp::from_millis(1_700_000_009_000);

/// A customer's subscriptions are listed in the order of their ids, and no other customer's are.
pub async fn subscription_pages(store: &impl SubscriptionStore, salt: &str) {
    let customer = samples::customer(salt);
    let empty = store.page(&customer, None, 2).await.expect("answers");
    assert_eq!((empty.subscriptions.len(), empty.has_more), (0, false));
    let stranger = format!("{salt}-stranger");
    subscriptions::insert(store, &samples::subscription(&stranger, 4)).await;
    for number in [3, 2, u128::MAX, 1] {
        subscriptions::insert(store, &samples::subscription(salt, number)).await;
    }
    let page = store.page(&customer, None, 2).await.expect("answers");
    let ids: Vec<_> = page.subscriptions.iter().map(|found| found.id).collect();
    assert_eq!(
        ids,
        [samples::subscription_id(1), samples::subscription_id(2)]
    );
    assert!(page.has_more);
    let rest = store
        .page(&customer, ids.last(), 10)
        .await
        .expect("answers");
    let ids: Vec<_> = rest.subscriptions.iter().map(|found| found.id).collect();
    assert_eq!(
        ids,
        [
            samples::subscription_id(3),
            samples::subscription_id(u128::MAX)
        ]
    );
    assert!(!rest.has_more);
}

/// Nothing is recorded if somebody has sent the delivery again, which sets another time.
async fn due_at_another_time(store: &impl DeliveryTable, id: &DeliveryId, attempt: &Attempt) {
    let succeeded = Verdict::Ended(DeliveryStatus::Succeeded);
    for due_at in [None, Some(DUE + Duration::from_millis(1))] {
        let recorded = store.record(id, due_at, attempt, &succeeded).await;
        assert_eq!(recorded.expect("answers"), WriteOutcome::Conflict);
    }
}

/// A delivery changes only while it is pending and has the expected number of attempts.
///
/// `put` records a message and a delivery, as the workflow does.
pub async fn deliveries<S: DeliveryTable + Directory>(
    store: &S,
    salt: &str,
    put: impl AsyncFn(Message, Delivery),
) {
    let message = samples::message(salt, "one");
    let delivery = samples::delivery(&message, samples::subscription_id(1));
    let id = delivery.id;
    assert_eq!(store.load(&id).await.expect("answers"), None);
    put(message.clone(), delivery.clone()).await;
    let loaded = store.load(&id).await.expect("answers");
    assert_eq!(loaded, Some((delivery.clone(), message.clone())));

    let retry = Verdict::Retry(NextAttempt {
        due_at: DUE,
        sweep_at: SWEEP,
    });
    let record = async |attempt: &Attempt| {
        let recorded = store.record(&id, None, attempt, &retry).await;
        recorded.expect("answers")
    };
    let second = samples::failed_attempt(2);
    let early = record(&second).await;
    assert_eq!(early, WriteOutcome::Conflict, "attempts are contiguous");
    let first = samples::failed_attempt(1);
    assert_eq!(record(&first).await, WriteOutcome::Written);
    assert_eq!(record(&first).await, WriteOutcome::Conflict);
    let (pending, _) = store.load(&id).await.expect("answers").expect("is there");
    assert_eq!(pending.attempts, [first]);
    assert_eq!(pending.status, DeliveryStatus::Pending);
    assert_eq!(pending.next_attempt_at, Some(DUE));

    let failed = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);
    due_at_another_time(store, &id, &second).await;
    let ended = store
        .record(&id, Some(DUE), &second, &Verdict::Ended(failed))
        .await
        .expect("answers");
    assert_eq!(ended, WriteOutcome::Written);
    let (ended, _) = store.load(&id).await.expect("answers").expect("is there");
    assert_eq!((ended.status, ended.next_attempt_at), (failed, None));
    assert_eq!(ended.attempts.len(), 2);
    let third = samples::failed_attempt(3);
    let late = record(&third).await;
    assert_eq!(
        late,
        WriteOutcome::Conflict,
        "a terminal state never changes"
    );
    let late = store.settle(&id, 2, samples::HELD).await.expect("answers");
    assert_eq!(
        late,
        WriteOutcome::Conflict,
        "a terminal state never changes"
    );

    let other = samples::delivery(&message, samples::subscription_id(2));
    put(message.clone(), other.clone()).await;
    let wrong = store
        .settle(&other.id, 1, samples::HELD)
        .await
        .expect("answers");
    assert_eq!(wrong, WriteOutcome::Conflict);
    let held = store
        .settle(&other.id, 0, samples::HELD)
        .await
        .expect("answers");
    assert_eq!(held, WriteOutcome::Written);

    let page = async |after, limit| {
        let page = store
            .message_page(&message.id, after, limit)
            .await
            .expect("answers");
        let page = page.expect("is there").expect("whole");
        assert_eq!(page.message, message);
        let ids = page.deliveries.iter();
        let ids: Vec<DeliveryId> = ids.map(|read| read.as_ref().expect("whole").id).collect();
        (ids, page.has_more)
    };
    assert_eq!(page(None, 10).await, (vec![id, other.id], false));
    let (first_page, has_more) = page(None, 1).await;
    assert_eq!((first_page, has_more), (vec![id], true));
    assert_eq!(
        page(Some(&id.subscription), 10).await,
        (vec![other.id], false)
    );
    let unknown = samples::message(salt, "unknown").id;
    assert_eq!(
        store
            .message_page(&unknown, None, 10)
            .await
            .expect("answers"),
        None
    );
}

/// A delivery that has ended or is held can be reopened once: it becomes pending again, and is due.
///
/// `put` records a message and a delivery, as the workflow does.
pub async fn reopening<S: DeliveryTable + ResendTable>(
    store: &S,
    salt: &str,
    put: impl AsyncFn(Message, Delivery),
) {
    let message = samples::message(salt, "again");
    let next = NextAttempt {
        due_at: DUE,
        sweep_at: SWEEP,
    };
    let load = async |id| store.load(&id).await.expect("answers").expect("is there").0;
    let mut entries = Vec::new();
    for (number, attempts) in [(1, 0), (2, 1)] {
        let delivery = samples::delivery(&message, samples::subscription_id(number));
        let id = delivery.id;
        put(message.clone(), delivery).await;
        let failed = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);
        let ended = if attempts == 0 {
            store.settle(&id, 0, samples::HELD).await
        } else {
            let ended = Verdict::Ended(failed);
            let attempt = samples::failed_attempt(1);
            store.record(&id, None, &attempt, &ended).await
        };
        assert_eq!(ended.expect("answers"), WriteOutcome::Written);

        let read = load(id).await;
        let other = Delivery {
            status: DeliveryStatus::Succeeded,
            ..read.clone()
        };
        let reopen = async |read: &Delivery| {
            let reopening = read.reopen(&message, next).expect("is not pending");
            store.reopen(&reopening).await.expect("answers")
        };
        let stale = reopen(&other).await;
        assert_eq!(stale, WriteOutcome::Conflict, "the status has changed");
        assert_eq!(reopen(&read).await, WriteOutcome::Written);
        assert_eq!(
            reopen(&read).await,
            WriteOutcome::Conflict,
            "only one of two concurrent resends is written"
        );
        let reopening = read.reopen(&message, next).expect("was not pending");
        assert_eq!(load(id).await, reopening.reopened());
        entries.push(reopening.due());
    }
    let Ok([held, failed]) = <[DueEntry; 2]>::try_from(entries) else {
        unreachable!("two were put")
    };
    let due = due_of(store, &message, SWEEP).await;
    assert_eq!(due, sorted([&held, &failed]), "both are due");

    let second = samples::failed_attempt(2);
    let id = failed.task.delivery;
    let recorded = store.record(
        &id,
        Some(DUE),
        &second,
        &Verdict::Ended(DeliveryStatus::Succeeded),
    );
    assert_eq!(recorded.await.expect("answers"), WriteOutcome::Written);
    let (ended, attempts) = (load(id).await, 1);
    assert_eq!(ended.trigger, DeliveryTrigger::Resend);
    let counted = (ended.earlier_attempts, ended.attempts_made());
    assert_eq!(counted, (attempts, 2), "earlier attempts stay counted");
    assert_eq!(due_of(store, &message, SWEEP).await, [held]);
}

/// A call is recorded once, and a failed test is not listed as undelivered.
pub async fn calls<S: DeliveryTable + ResendTable + Directory>(store: &S, salt: &str) {
    let message = Message {
        is_test: true,
        ..samples::message(salt, "call")
    };
    let delivery = Delivery {
        trigger: DeliveryTrigger::Test,
        ..samples::delivery(&message, samples::subscription_id(0xca11))
    };
    let window = Window {
        since: None,
        until: None,
        order: Order::NewestFirst,
        after: None,
        limit: 10,
    };
    let id = delivery.id;
    for _ in 0..2 {
        let recorded = store.insert_test(&message, &delivery).await;
        recorded.expect("recording again is no conflict");
        let loaded = store.load(&id).await.expect("answers");
        assert_eq!(loaded, Some((delivery.clone(), message.clone())));
    }
    let failed = Verdict::Ended(DeliveryStatus::Failed(FailureReason::TestFailed));
    let first = samples::failed_attempt(1);
    let recorded = store
        .record(&id, None, &first, &failed)
        .await
        .expect("answers");
    assert_eq!(recorded, WriteOutcome::Written);
    let (ended, _) = store.load(&id).await.expect("answers").expect("is there");
    let undelivered = store.undelivered_of(&id.subscription, &window);
    assert_eq!(undelivered.await.expect("answers").entries, []);

    let next = NextAttempt {
        due_at: DUE,
        sweep_at: SWEEP,
    };
    let reopening = ended.reopen(&message, next).expect("it has ended");
    let reopened = store.reopen(&reopening).await.expect("answers");
    assert_eq!(reopened, WriteOutcome::Written);
    let (again, _) = store.load(&id).await.expect("answers").expect("is there");
    assert_eq!(again.trigger, DeliveryTrigger::Test, "a test stays one");
    let second = samples::failed_attempt(2);
    let recorded = store
        .record(&id, Some(DUE), &second, &failed)
        .await
        .expect("answers");
    assert_eq!(recorded, WriteOutcome::Written);
    let undelivered = store.undelivered_of(&id.subscription, &window);
    assert_eq!(undelivered.await.expect("answers").entries, []);
}

/// A delivery is in the `due` index from its first failed attempt to its end.
///
/// `put` records a message and a delivery, as the workflow does.
pub async fn due_index<S: DeliveryTable + DueIndex>(
    store: &S,
    salt: &str,
    put: impl AsyncFn(Message, Delivery),
) {
    let message = samples::message(salt, "due");
    let mut entries = Vec::new();
    for (number, sweep_at) in [(1, SWEEP), (2, DUE), (3, SWEEP)] {
        let delivery = samples::delivery(&message, samples::subscription_id(number));
        let id = delivery.id;
        let customer = delivery.customer_id.clone();
        put(message.clone(), delivery).await;
        let next = NextAttempt {
            due_at: DUE,
            sweep_at,
        };
        let first = samples::failed_attempt(1);
        let recorded = store.record(&id, None, &first, &Verdict::Retry(next)).await;
        assert_eq!(recorded.expect("answers"), WriteOutcome::Written);
        let task = DeliveryTask::new(id, 2, Some(DUE));
        entries.push(DueEntry {
            customer,
            task,
            sweep_at,
        });
    }
    let Ok([first, early, third]) = <[DueEntry; 3]>::try_from(entries) else {
        unreachable!("three were put")
    };
    let due = async |until| due_of(store, &message, until).await;
    assert_eq!(due(DUE - Duration::from_millis(1)).await, []);
    assert_eq!(
        due(SWEEP - Duration::from_millis(1)).await,
        std::slice::from_ref(&early)
    );
    assert_eq!(due(SWEEP).await, sorted([&first, &early, &third]));

    let later = SWEEP + Duration::from_secs(1);
    let postponed = store.postpone(&first, later).await.expect("answers");
    assert_eq!(postponed, WriteOutcome::Written);
    let conflict = store.postpone(&first, later).await.expect("answers");
    assert_eq!(conflict, WriteOutcome::Conflict, "the entry has changed");
    assert_eq!(due(SWEEP).await, sorted([&early, &third]));

    let second = samples::failed_attempt(2);
    let succeeded = Verdict::Ended(DeliveryStatus::Succeeded);
    let ended = store.record(&early.task.delivery, Some(DUE), &second, &succeeded);
    assert_eq!(ended.await.expect("answers"), WriteOutcome::Written);
    let held = store.settle(&third.task.delivery, 1, samples::HELD);
    assert_eq!(held.await.expect("answers"), WriteOutcome::Written);
    assert_eq!(
        due(SWEEP).await,
        [],
        "only pending deliveries are in the index"
    );
    let gone = store.postpone(&early, later).await.expect("answers");
    assert_eq!(gone, WriteOutcome::Conflict, "it is not added again");
    let moved = DueEntry {
        sweep_at: later,
        ..first
    };
    assert_eq!(due(later).await, [moved]);
}

fn sorted<const N: usize>(mut entries: [&DueEntry; N]) -> Vec<DueEntry> {
    entries.sort_by_key(|due| due.task.delivery);
    entries.map(DueEntry::clone).into()
}

/// The entries of one message's deliveries, read with pages of one.
async fn due_of(store: &impl DueIndex, message: &Message, until: Timestamp) -> Vec<DueEntry> {
    let mut found = Vec::new();
    for shard in Shard::all() {
        let mut after = None;
        loop {
            let page = store.due_page(shard, until, after.as_ref(), 1).await;
            let page = page.expect("answers");
            found.extend(
                page.due
                    .iter()
                    .filter(|due| due.task.delivery.message == message.id)
                    .cloned(),
            );
            after = page.due.last().cloned().or(after);
            if !page.has_more {
                break;
            }
        }
    }
    found.sort_by_key(|due: &DueEntry| due.task.delivery);
    found
}

/// The first data key is kept.
pub async fn data_keys(store: &impl DataKeyStore) {
    let key = WrappedDataKey(vec![1, 2, 3]);
    let inserted = store.insert(&key).await.expect("answers");
    let stored = store.get().await.expect("answers").expect("is there now");
    assert_eq!(inserted == InsertOutcome::Inserted, stored == key);
    let second = store
        .insert(&WrappedDataKey(vec![4]))
        .await
        .expect("answers");
    assert_eq!(second, InsertOutcome::AlreadyThere);
    assert_eq!(store.get().await.expect("answers"), Some(stored));
}
