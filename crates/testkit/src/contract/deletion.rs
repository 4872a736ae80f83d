//! The contract of the deletion of a customer.

use std::time::Duration;

use webhooks_domain::customer::Deletion;
use webhooks_domain::delivery::Delivery;
use webhooks_domain::idempotency::{Fingerprint, IdempotencyRecord};
use webhooks_domain::ids::{CustomerId, DeliveryId};
use webhooks_domain::limiter;
use webhooks_domain::limits::{LimiterId, Limits, LimitsInForce};
use webhooks_domain::message::Message;
use webhooks_domain::portal_session::{Holder, SecretDigest};
use webhooks_domain::ports::{
    Creation, CreationOutcome, CustomerData, CustomerPart, CustomerTable, DeliveryReader,
    DeliveryTable, ExchangeParts, ExchangeReader, LimiterStore, PortalSessionTable, RecoveryTable,
    StatisticsTable, SubscriptionStore, WriteOutcome,
};
use webhooks_domain::recovery::Recovery;
use webhooks_domain::statistics::{Hour, OutcomeClass, Statistics};
use webhooks_domain::subscription::Subscription;

use super::DUE;
use crate::samples;

const HOUR: Hour = Hour::of(samples::NOW);

/// Everything that the table has about one customer.
struct Traces {
    subscription: Subscription,
    record: IdempotencyRecord,
    recovery: Recovery,
    message: Message,
    delivery: Delivery,
}

/// Nothing can be created for a customer that is being deleted. All its items are found and
/// deleted, part by part, and no item of another customer.
///
/// The store's clock must show [`samples::NOW`].
pub async fn deletion<S>(store: &S, salt: &str, put: impl AsyncFn(Message, Delivery))
where
    S: SubscriptionStore
        + CustomerTable
        + CustomerData
        + RecoveryTable
        + LimiterStore
        + PortalSessionTable
        + StatisticsTable
        + DeliveryTable
        + ExchangeReader,
{
    let [gone, other] = [(1, "gone"), (2, "other")].map(|(number, name)| {
        let customer = samples::customer(&format!("{salt}-{name}"));
        Traces::of(&customer, 7_100 + number)
    });
    for traces in [&gone, &other] {
        traces.store_in(store, &put).await;
        assert_eq!(traces.left_in(store).await, 9, "nothing is deleted yet");
    }
    let id = &gone.subscription.customer_id;
    let read = store.customer(id).await.expect("answers").expect("exists");
    for expected in [WriteOutcome::Written, WriteOutcome::Conflict] {
        let requested = store.request_deletion(&read, samples::NOW).await;
        assert_eq!(requested.expect("answers"), expected);
    }
    let requested = store.customer(id).await.expect("answers").expect("exists");
    assert_eq!(requested.version, read.version + 1);
    let deletion = Deletion {
        requested_at: samples::NOW,
        deleted: 0,
    };
    assert_eq!(requested.deletion, Some(deletion));
    let found = store.being_deleted().await.expect("answers");
    assert!(found.contains(id), "{found:?}");
    assert!(!found.contains(&other.subscription.customer_id));
    let refused = store
        .insert(&Creation::of(
            &samples::subscription(id.as_str(), 7_200),
            samples::QUOTA,
        ))
        .await
        .expect("answers");
    assert!(
        matches!(refused, CreationOutcome::Refused(counted) if counted.is_being_deleted),
        "{refused:?}"
    );

    let subscription = gone.subscription.id;
    let deleted_before = gone.deleted().id;
    let parts = [
        CustomerPart::Subscriptions,
        CustomerPart::OfSubscription(subscription),
        CustomerPart::OfSubscription(deleted_before),
        CustomerPart::Recoveries,
        CustomerPart::IdempotencyKeys,
        CustomerPart::PortalSessions,
        CustomerPart::Messages,
    ];
    let mut deleted = 0;
    for part in parts {
        let mut of_part = 0;
        loop {
            let found = store.delete_some(id, part).await.expect("answers");
            if found == 0 {
                break;
            }
            of_part += found;
            store.count_deleted(id, found).await.expect("answers");
        }
        assert!(of_part > 0, "{part:?} is not empty");
        deleted += of_part;
    }
    let noted = store.deletion(id).await.expect("answers");
    let counted = Deletion {
        deleted,
        ..deletion
    };
    assert_eq!(noted, Some((counted, vec![subscription, deleted_before])));
    assert_eq!(gone.left_in(store).await, 0);
    assert_eq!(other.left_in(store).await, 9);

    let another = Deletion {
        requested_at: DUE,
        ..deletion
    };
    for (of, expected) in [
        (another, WriteOutcome::Conflict),
        (deletion, WriteOutcome::Written),
        (deletion, WriteOutcome::Conflict),
    ] {
        let forgotten = store.forget(id, &of).await.expect("answers");
        assert_eq!(forgotten, expected);
    }
    assert_eq!(store.customer(id).await.expect("answers"), None);
    assert_eq!(store.deletion(id).await.expect("answers"), None);
    // A late count does not bring it back.
    store.count_deleted(id, 1).await.expect("answers");
    assert_eq!(store.customer(id).await.expect("answers"), None);
}

impl Traces {
    fn of(customer: &CustomerId, number: u128) -> Self {
        let name = customer.as_str();
        let subscription = samples::subscription(name, number);
        let message = samples::message(name, "event-1");
        let [recovery, _] = samples::recoveries(name);
        Self {
            record: IdempotencyRecord {
                customer_id: customer.clone(),
                key: "once".parse().expect("a key"),
                content: Fingerprint::from_bytes([1; 16]),
                subscription: subscription.id,
                expires_at: samples::NOW + Duration::from_hours(1),
            },
            recovery,
            delivery: samples::delivery(&message, subscription.id),
            subscription,
            message,
        }
    }

    async fn store_in<S>(&self, store: &S, put: impl AsyncFn(Message, Delivery))
    where
        S: SubscriptionStore
            + RecoveryTable
            + LimiterStore
            + PortalSessionTable
            + StatisticsTable
            + DeliveryTable,
    {
        let creation = Creation {
            record: Some(&self.record),
            ..Creation::of(&self.subscription, samples::QUOTA)
        };
        let created = store.insert(&creation).await.expect("answers");
        assert_eq!(created, CreationOutcome::Created);
        let inserted = store.insert_recovery(&self.recovery).await;
        inserted.expect("answers");
        let limits = Limits {
            rate: Some(1.try_into().expect("within bounds")),
            in_flight: None,
        };
        let limits = LimitsInForce::of_subscription(limits, 1);
        let until = samples::NOW + Duration::from_secs(5);
        let request = limits.admission(0, false, samples::NOW, until);
        let id = LimiterId::Subscription(self.subscription.id);
        let admitted = limiter::admit(store, &id, &request).await;
        admitted.expect("answers");
        let timed_out = Statistics::from_counts([(OutcomeClass::TimedOut, 1)], []);
        let counted = store.add_statistics(&self.subscription.id, HOUR, &timed_out);
        counted.await.expect("answers");
        let holder = Holder::Customer(self.subscription.customer_id.clone());
        let session = super::portal_sessions::session(&holder, 1);
        let code = SecretDigest::from_bytes([1; 32]);
        let inserted = store.insert_session(&session, &code, session.ends_at);
        inserted.await.expect("answers");
        put(self.message.clone(), self.delivery.clone()).await;
        let end = self.delivery.expires_at;
        for delivery in [self.delivery.id, self.delivery_of_deleted()] {
            let id = samples::failed_attempt(1).exchange_id(delivery);
            let body = samples::body("a long answer");
            let stored = store.store_body(&id, &body, end).await;
            stored.expect("answers");
        }
        let deleted = self.deleted();
        let creation = Creation::of(&deleted, samples::QUOTA);
        store.insert(&creation).await.expect("answers");
        let former = deleted.former_requests(end);
        let removed = store.remove(&deleted, Some(&former)).await;
        assert_eq!(removed.expect("answers"), WriteOutcome::Written);
    }

    /// A subscription that was deleted before its customer.
    fn deleted(&self) -> Subscription {
        let customer = self.subscription.customer_id.as_str();
        let number = u128::from_be_bytes(self.subscription.id.to_bytes()) + 500;
        samples::subscription(customer, number)
    }

    fn delivery_of_deleted(&self) -> DeliveryId {
        DeliveryId {
            subscription: self.deleted().id,
            ..self.delivery.id
        }
    }

    /// The number of items that can still be read. The limiter and the idempotency key have no
    /// read.
    async fn left_in<S>(&self, store: &S) -> usize
    where
        S: SubscriptionStore
            + RecoveryTable
            + PortalSessionTable
            + StatisticsTable
            + DeliveryReader
            + ExchangeReader,
    {
        let customer = &self.subscription.customer_id;
        let subscription = store.get(customer, &self.subscription.id).await;
        let recovery = store.recovery(&self.recovery.key()).await;
        let statistics = store.statistics(&self.subscription.id, HOUR, HOUR).await;
        let sessions = store.sessions(&customer.clone().into(), None, 1).await;
        let sessions = sessions.expect("answers");
        let (message, delivery) = store.read(&self.delivery.id).await.expect("answers");
        let bodies = [self.delivery.id, self.delivery_of_deleted()];
        let parts = ExchangeParts {
            bodies: bodies
                .map(|id| samples::failed_attempt(1).exchange_id(id))
                .to_vec(),
            requests: vec![(customer, self.deleted().id, 1)],
        };
        let parts = store.exchange_parts(&parts).await.expect("answers");
        let is_left = [
            subscription.expect("answers").is_some(),
            recovery.expect("answers").is_some(),
            !statistics.expect("answers").is_empty(),
            !sessions.entries.is_empty(),
            message.is_some(),
            delivery.is_some(),
        ];
        let parts = parts.bodies.len() + parts.requests.len();
        is_left.into_iter().filter(|left| *left).count() + parts
    }
}
