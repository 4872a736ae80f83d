//! The starting point of every test: the stack, a receiver and a customer.

use std::{
    fmt::Write,
    path::PathBuf,
    process,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use http::Method;
use serde_json::{Value, json, value::RawValue};
use tokio::{
    sync::{RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::{Instant, sleep},
};
use webhooks_client::{
    Api, CreatedSubscription, Delivery, Event, Execution, ExecutionStatus, Message, Stack,
};
use webhooks_domain::{
    ids::{CustomerId, MessageId},
    timestamp::Timestamp,
};
use webhooks_receiver::{Receiver, Request};

/// The producer that the stack's rule matches by default.
pub(crate) const SOURCE: &str = "com.example.shop";

/// The time limit for a first request, on a busy machine with cold functions.
pub(crate) const ARRIVAL: Duration = Duration::from_mins(1);

/// The time limit for all attempts of a delivery.
pub(crate) const ALL_ATTEMPTS: Duration = Duration::from_mins(2);

/// The interval at which a test polls for a change that sends no notification.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Read-locked while a test runs, and write-locked while a test kills a function.
static FUNCTIONS_STAY_ALIVE: RwLock<()> = RwLock::const_new(());

static CUSTOMERS: AtomicU32 = AtomicU32::new(0);

/// The part of the stack that belongs to one test.
pub(crate) struct Fixture {
    pub(crate) stack: Stack,
    pub(crate) api: Api,
    pub(crate) receiver: Receiver,
    /// A customer that no other test and no other run has.
    pub(crate) customer: String,
    /// When the test began, in milliseconds since 1970.
    pub(crate) began_at_millis: u64,
    /// The messages that were made from the events of this test.
    messages: Mutex<Vec<MessageId>>,
    _undisturbed: Option<RwLockReadGuard<'static, ()>>,
}

impl Fixture {
    /// Loads the stack and starts a receiver. The customer's id contains the topic.
    pub(crate) async fn new(topic: &str) -> Result<Self> {
        let undisturbed = FUNCTIONS_STAY_ALIVE.read().await;
        Ok(Self {
            _undisturbed: Some(undisturbed),
            ..Self::unguarded(topic).await?
        })
    }

    /// A fixture for a test that kills a function. No other test runs until the guard is dropped.
    pub(crate) async fn alone(topic: &str) -> Result<(Self, RwLockWriteGuard<'static, ()>)> {
        let guard = FUNCTIONS_STAY_ALIVE.write().await;
        Ok((Self::unguarded(topic).await?, guard))
    }

    /// A second customer for this test. It has no guard of its own: a second read lock would wait
    /// for a test that waits for the write lock, which in turn waits for the first read lock.
    pub(crate) async fn another(&self, topic: &str) -> Result<Self> {
        Self::unguarded(topic).await
    }

    async fn unguarded(topic: &str) -> Result<Self> {
        let path = std::env::var_os("WEBHOOKS_STACK")
            .map(PathBuf::from)
            .expect("WEBHOOKS_STACK names no stack: run `cargo xtask test`");
        let stack = Stack::load(&path).await?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let nanos = now.as_nanos();
        let number = CUSTOMERS.fetch_add(1, Ordering::Relaxed);
        Ok(Self {
            api: stack.api()?,
            receiver: Receiver::start().await?,
            customer: format!("{topic}-{nanos:x}-{:x}-{number}", process::id()),
            stack,
            began_at_millis: u64::try_from(now.as_millis())?,
            messages: Mutex::default(),
            _undisturbed: None,
        })
    }

    /// Subscribes an endpoint of the receiver to `order.created`.
    pub(crate) async fn subscribe(&self, path: &str) -> Result<CreatedSubscription> {
        self.subscribe_with(path, json!({})).await
    }

    /// Subscribes an endpoint of the receiver. `fields` are added to its URL and the type
    /// `order.created`.
    pub(crate) async fn subscribe_with(
        &self,
        path: &str,
        fields: Value,
    ) -> Result<CreatedSubscription> {
        let mut subscription = json!({
            "url": self.receiver.url(path),
            "eventTypes": ["order.created"],
        });
        if let (Value::Object(all), Value::Object(fields)) = (&mut subscription, fields) {
            all.extend(fields);
        }
        let mut created = self
            .api
            .create_subscription(&self.customer, &subscription)
            .await
            .with_context(|| format!("creating {subscription}"))?;
        // They depend on the event types that other tests have in the catalogue at this moment.
        created.subscription.warnings.clear();
        Ok(created)
    }

    /// An event of this test's customer. The detail is an object.
    pub(crate) fn event(&self, event_type: &str, mut detail: Value) -> Event {
        detail["customerId"] = json!(self.customer);
        self.raw_event(event_type, detail.to_string())
    }

    /// An event with this exact detail.
    #[expect(clippy::unused_self, reason = "called like its sibling")]
    pub(crate) fn raw_event(&self, event_type: &str, detail: String) -> Event {
        Event {
            source: SOURCE.to_owned(),
            event_type: event_type.to_owned(),
            detail: RawValue::from_string(detail).unwrap(),
        }
    }

    /// Puts an event on the bus.
    pub(crate) async fn put(&self, event_type: &str, detail: Value) -> Result<()> {
        self.put_event(self.event(event_type, detail)).await
    }

    /// Puts an event on the bus.
    pub(crate) async fn put_event(&self, event: Event) -> Result<()> {
        let ids = self.stack.put_events(&[event]).await?;
        let customer: CustomerId = self.customer.parse()?;
        let messages = ids.iter().map(|id| MessageId::from_event_id(&customer, id));
        self.messages.lock().unwrap().extend(messages);
        Ok(())
    }

    /// Starts the workflow with an event and waits until it ends.
    pub(crate) async fn run_workflow(&self, event: &Value) -> Result<Execution> {
        let arn = self.stack.start_execution(&event.to_string()).await?;
        self.execution_end(&arn).await
    }

    /// Waits until an execution of the workflow ends.
    pub(crate) async fn execution_end(&self, arn: &str) -> Result<Execution> {
        let deadline = Instant::now() + ARRIVAL;
        loop {
            let execution = self.stack.execution(arn).await?;
            if execution.status != ExecutionStatus::Running {
                return Ok(execution);
            }
            if Instant::now() > deadline {
                bail!("{execution:?} did not end within {ARRIVAL:?}");
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// An event in the form in which EventBridge gives it to the workflow.
    pub(crate) fn envelope(&self, id: &str, event_type: &str, mut detail: Value) -> Value {
        detail["customerId"] = json!(self.customer);
        json!({
            "version": "0",
            "id": format!("{}-{id}", self.customer),
            "detail-type": event_type,
            "source": SOURCE,
            "account": "000000000000",
            "time": "2026-01-02T03:04:05Z",
            "region": self.stack.region(),
            "resources": [],
            "detail": detail,
        })
    }

    /// The message that an event of this test's customer becomes.
    pub(crate) fn message_of(&self, envelope: &Value) -> MessageId {
        let customer = self.customer.parse().unwrap();
        MessageId::from_event_id(&customer, envelope["id"].as_str().unwrap())
    }

    /// Waits for the first request to a path.
    pub(crate) async fn first_request(&self, path: &str) -> Result<Arc<Request>> {
        Ok(self.requests(path, 1).await?.swap_remove(0))
    }

    /// Waits for a number of requests to a path, all attempts included.
    pub(crate) async fn requests(&self, path: &str, count: usize) -> Result<Vec<Arc<Request>>> {
        let bound = if count == 1 { ARRIVAL } else { ALL_ATTEMPTS };
        match self.receiver.received(path, count, bound).await {
            Ok(requests) => Ok(requests),
            Err(error) => Err(error).context(self.messages_as_shown().await),
        }
    }

    /// The messages of this test as the API shows them, for the text of a failure.
    async fn messages_as_shown(&self) -> String {
        let ids = self.messages.lock().unwrap().clone();
        let mut shown = "the messages of this test, as the API shows them:".to_owned();
        for id in ids {
            let path = ["messages", &id.to_string()];
            match self.api.request(Method::GET, &path, &[], None).await {
                Ok(answer) => writeln!(shown, "\n{id}: {}", answer.text()),
                Err(error) => writeln!(shown, "\n{id}: {error}"),
            }
            .unwrap();
        }
        shown
    }

    /// Waits until nothing more will be attempted for a message.
    pub(crate) async fn settled(&self, message_id: &str) -> Result<Message> {
        let settled = |message: &Message| {
            !message.deliveries.is_empty()
                && message
                    .deliveries
                    .iter()
                    .all(|delivery| delivery.status != webhooks_client::DeliveryStatus::Pending)
        };
        let message = self.api.message_when(message_id, ALL_ATTEMPTS, settled);
        Ok(message.await?)
    }

    /// Waits until nothing more will be attempted for a message, and returns its delivery to one
    /// subscription.
    pub(crate) async fn settled_delivery(
        &self,
        message_id: &str,
        to: &CreatedSubscription,
    ) -> Result<Delivery> {
        let message = self.settled(message_id).await?;
        let delivery = message.delivery_to(&to.subscription.id).cloned();
        delivery.with_context(|| format!("no delivery to {}: {message:#?}", to.subscription.id))
    }
}

/// Waits until the next attempt of a delivery is due, for commands that look for overdue ones.
pub(crate) async fn until_due(delivery: &Delivery) -> Result<()> {
    let due_at = delivery.next_attempt_at.as_deref();
    let due_at = due_at.context("the delivery has no next attempt")?;
    let due_at = Timestamp::parse_rfc3339(due_at).context(due_at.to_owned())?;
    sleep(due_at.since(SystemTime::now().into()) + Duration::from_millis(1)).await;
    Ok(())
}
