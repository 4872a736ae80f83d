//! Sends an example event to one subscription at once.
//!
//! The event is the example that the event catalogue has of its type, or else one that says that it is
//! a test. A test is a [`Message`] that is marked as one. It has one delivery with one attempt, it is also
//! sent to a paused subscription, and it is not listed as undelivered if it fails. Otherwise it is
//! like any other message: it is recorded before the request, and the same function makes the
//! request.
//!
//! The task is queued **before** the delivery is recorded, with a delay that is longer than the
//! immediate attempt can take. So the delivery does not stay pending if something fails in between.

use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};

use crate::catalogue::TypeName;
use crate::delivery::{Delivery, DeliveryStatus, DeliveryTask, DeliveryTrigger};
use crate::event_type::EventType;
use crate::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use crate::message::{Message, Payload};
use crate::payload_shape::MessageLinkTemplate;
use crate::ports::{
    CatalogueTable, Clock, DeliverNow, DeliveryQueue, QueueError, ResendTable, StoreError,
};
use crate::prepare::link;
use crate::read_subscription::{ReadError, read_subscription};
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;

/// The delay of the queued task. It is longer than the immediate attempt can take (38 s, the
/// longest timeout of the function that delivers).
const FALLBACK_DELAY: Duration = Duration::from_mins(1);

/// The reason why a test was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendTestError {
    /// The customer has no such subscription.
    #[error("customer `{customer}` has no subscription `{subscription}`")]
    NotFound {
        /// The customer.
        customer: CustomerId,
        /// The subscription.
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

/// Sends tests, with its ports.
#[derive(Debug)]
pub struct SendTest<T, Q, D, C> {
    /// Subscriptions, messages, deliveries and the event catalogue.
    pub table: T,
    /// The queue for the task, in case the attempt cannot be made at once.
    pub queue: Q,
    /// Makes the attempt at once.
    pub deliverer: D,
    /// Tells the time.
    pub clock: C,
    /// The source of event ids.
    pub random: SystemRandom,
    /// The retention of a delivery.
    pub retention: Duration,
    /// The links in thin webhooks, if the stack has a template.
    pub links: Option<MessageLinkTemplate>,
}

impl<T, Q, D, C> SendTest<T, Q, D, C>
where
    T: ResendTable + CatalogueTable,
    Q: DeliveryQueue,
    D: DeliverNow,
    C: Clock,
{
    /// Sends an example event of this type. Returns the delivery after its attempt. If the attempt
    /// could not be made at once, the delivery is still pending, and the attempt is made within two
    /// minutes.
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
        let detail = match self.example(&event_type).await? {
            Some(example) => example,
            None => default_detail(&found),
        };
        let now = self.clock.now();
        let event_id = random_uuid(&self.random);
        let message = example(customer, event_type, &event_id, &detail, now);
        let delivery = Delivery {
            id: DeliveryId {
                message: message.id,
                subscription: found.id,
            },
            customer_id: message.customer_id.clone(),
            event_type: message.event_type.clone(),
            payload_format: found.payload.format(),
            shape_version: found.shape_version(),
            link: link(&message, found.payload.format(), self.links.as_ref()),
            trigger: DeliveryTrigger::Test,
            status: DeliveryStatus::Pending,
            attempts: Vec::new(),
            earlier_attempts: 0,
            created_at: now,
            next_attempt_at: None,
            expires_at: now + self.retention,
        };
        let task = DeliveryTask::first(delivery.id);
        self.queue
            .send(&delivery.customer_id, &task, FALLBACK_DELAY)
            .await?;
        self.table.insert_test(&message, &delivery).await?;
        self.deliverer.deliver_now(&task).await;
        let (delivery, _) = self.table.load(&delivery.id).await?.ok_or_else(not_found)?;
        Ok(delivery)
    }

    /// The text of an event with the first example that the catalogue has of a type. `None` if it has
    /// none.
    pub async fn example_event(
        &self,
        event_type: &EventType,
    ) -> Result<Option<String>, StoreError> {
        let Some(detail) = self.example(event_type).await? else {
            return Ok(None);
        };
        let event_id = random_uuid(&self.random);
        let time = self.clock.now().to_string();
        Ok(Some(event(event_type, &event_id, &detail, &time)))
    }

    /// The first example that the catalogue has of a type.
    async fn example(&self, event_type: &EventType) -> Result<Option<Box<RawValue>>, StoreError> {
        let Ok(name) = event_type.as_str().parse::<TypeName>() else {
            return Ok(None);
        };
        let found = self.table.event_type(&name).await?;
        let example = found
            .as_ref()
            .and_then(|found| found.documentation.examples.first());
        Ok(example.and_then(|example| serde_json::from_str(example.as_str()).ok()))
    }
}

/// The `detail` of a test of a type without an example.
fn default_detail(subscription: &Subscription) -> Box<RawValue> {
    let detail = json!({
        "customerId": subscription.customer_id,
        "subscriptionId": subscription.id,
        "message": "This is a test. Nothing has happened.",
    });
    to_raw_value(&detail).expect("it has a JSON form")
}

/// An event in the form that `EventBridge` uses. The text of its `detail` stays as it is.
#[derive(Serialize)]
struct Event<'a> {
    version: &'a str,
    id: &'a str,
    #[serde(rename = "detail-type")]
    detail_type: &'a str,
    source: &'a str,
    account: &'a str,
    time: &'a str,
    region: &'a str,
    resources: [&'a str; 0],
    detail: &'a RawValue,
}

/// The text of an event.
fn event(event_type: &EventType, event_id: &str, detail: &RawValue, time: &str) -> String {
    let event = Event {
        version: "0",
        id: event_id,
        detail_type: event_type.as_str(),
        source: "webhooks.test",
        account: "",
        time,
        region: "",
        resources: [],
        detail,
    };
    serde_json::to_string(&event).expect("it has a JSON form")
}

/// A test message for this customer.
fn example(
    customer: &CustomerId,
    event_type: EventType,
    event_id: &str,
    detail: &RawValue,
    now: Timestamp,
) -> Message {
    let time = now.to_string();
    let event = event(&event_type, event_id, detail, &time);
    Message {
        id: MessageId::from_event_id(customer, event_id),
        customer_id: customer.clone(),
        event_type,
        time,
        deadline: None,
        deliver_at: None,
        cancelled_at: None,
        is_test: true,
        payload: Payload::new(&event),
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
