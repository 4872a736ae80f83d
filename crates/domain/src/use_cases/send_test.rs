//! Sending an example event to one subscription, now.
//!
//! A test is a [`Message`] that says so: it has one delivery with one attempt, it is sent to
//! a paused subscription too, and nobody is owed it when it fails. All else is as for any
//! other: it is recorded before it is requested, and the request is made by the same function.
//!
//! The task is queued **before** the delivery is recorded, for a while after the attempt that
//! is asked for at once: whatever fails in between, the delivery does not stay pending.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;

use crate::delivery::{Delivery, DeliveryStatus, DeliveryTask};
use crate::event_type::EventType;
use crate::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use crate::message::{Message, Payload};
use crate::ports::{
    CallStore, Clock, DeliverNow, DeliveryQueue, DeliveryStore, QueueError, StoreError,
    SubscriptionStore,
};
use crate::read_subscription::{ReadError, read_subscription};
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;

/// When the queue asks for an attempt that was asked for at once: later than that can last
/// (38 s, the longest timeout of the function that delivers).
const ASK_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// Why a test was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendTestError {
    /// The customer has no such subscription.
    #[error("customer `{customer}` has no subscription `{subscription}`")]
    NotFound {
        /// Whose it should be.
        customer: CustomerId,
        /// Which one.
        subscription: SubscriptionId,
    },
    /// The subscription cannot be read.
    #[error(transparent)]
    Subscription(#[from] ReadError),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// Sends tests, with its surroundings.
#[derive(Debug)]
pub struct SendTest<T, Q, D, C> {
    /// Subscriptions, messages and deliveries.
    pub table: T,
    /// Where the attempt is asked for, should it not be made at once.
    pub queue: Q,
    /// Who makes the attempt at once.
    pub deliverer: D,
    /// Who tells the time.
    pub clock: C,
    /// Where the ids of events come from.
    pub random: SystemRandom,
    /// How long the table keeps a delivery.
    pub retention: Duration,
}

impl<T, Q, D, C> SendTest<T, Q, D, C>
where
    T: SubscriptionStore + DeliveryStore + CallStore,
    Q: DeliveryQueue,
    D: DeliverNow,
    C: Clock,
{
    /// Sends an example event of this type. Gives the delivery after its attempt; it is still
    /// pending when that could not be made at once, and is made within two minutes.
    pub async fn run(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        event_type: EventType,
    ) -> Result<Delivery, SendTestError> {
        let not_found = || SendTestError::NotFound {
            customer: customer.clone(),
            subscription: *subscription,
        };
        let found = read_subscription(&self.table, customer, subscription).await?;
        let found = found.ok_or_else(not_found)?;
        let now = self.clock.now();
        let message = example(&found, event_type, &random_uuid(&self.random), now);
        let delivery = Delivery {
            id: DeliveryId {
                message: message.id,
                subscription: found.id,
            },
            customer_id: message.customer_id.clone(),
            event_type: message.event_type.clone(),
            payload_format: found.payload_format,
            status: DeliveryStatus::Pending,
            attempts: Vec::new(),
            earlier_attempts: 0,
            created_at: now,
            next_attempt_at: None,
            expires_at: now + self.retention,
        };
        let task = DeliveryTask::first(delivery.id);
        self.queue
            .send(&delivery.customer_id, &task, ASK_AGAIN_AFTER)
            .await?;
        self.table.record_call(&message, &delivery).await?;
        self.deliverer.deliver_now(&task).await;
        let (delivery, _) = self.table.load(&delivery.id).await?.ok_or_else(not_found)?;
        Ok(delivery)
    }
}

/// A test message for this subscription, of an event in the form that `EventBridge` gives it.
fn example(
    subscription: &Subscription,
    event_type: EventType,
    event_id: &str,
    now: Timestamp,
) -> Message {
    let customer_id = subscription.customer_id.clone();
    let event = json!({
        "version": "0",
        "id": event_id,
        "detail-type": event_type.as_str(),
        "source": "webhooks.test",
        "account": "",
        "time": now.to_string(),
        "region": "",
        "resources": [],
        "detail": {
            "customerId": customer_id,
            "subscriptionId": subscription.id,
            "message": "This is a test. Nothing has happened.",
        },
    });
    Message {
        id: MessageId::from_event_id(&customer_id, event_id),
        customer_id,
        event_type,
        time: now.to_string(),
        deadline: None,
        is_test: true,
        payload: Payload::new(&event.to_string()),
    }
}

/// 128 random bits in the form of `EventBridge`'s event ids.
fn random_uuid(random: &SystemRandom) -> String {
    let mut bytes = [0; 16];
    random
        .fill(&mut bytes)
        .expect("the system's random source answers once the process runs");
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}
