//! The data of one customer: endpoints, deliveries, statistics and recoveries. Other customers, each
//! with an unhealthy endpoint. Sessions of the customer and of the console.
//!
//! The functions' own store writes them into the stub's table.

use std::time::Duration;

use anyhow::{Context, Result};
use ring::rand::SystemRandom;
use serde_json::json;
use webhooks_domain::{
    delivery::{AnswerBody, AnswerDigest, Attempt, BodyPlace, Delivery, DeliveryStatus},
    filter::Filter,
    health::Health,
    ids::{CustomerId, DeliveryId, RecoveryId, SubscriptionId},
    message::Message,
    outbound::{AttemptOutcome, ResponseBody, WebhookResponse},
    portal_access::PortalAccess,
    portal_session::{Capabilities, Capability, SessionDuration},
    portal_sessions::{CreatedSession, PortalSessions, WantedSession},
    ports::{Clock, Creation, DeliveryTable, RecoveryTable, StatisticsTable, SubscriptionStore},
    recovery::Recovery,
    statistics::{AnswerTime, Hour, OutcomeClass, Statistics, Summary},
    subscription::Subscription,
    timestamp::Timestamp,
};
use webhooks_dynamodb::{
    DynamoStore,
    item::{delivery_item, message_item},
};
use webhooks_lambda::SystemClock;
use webhooks_testkit::samples;

use crate::{stub_aws::StubAws, workload};

/// The number of endpoints.
pub(super) const ENDPOINTS: u32 = 20;

/// The number of attempts of a failed delivery: those of the default schedule.
const ATTEMPTS: u32 = 10;
/// The number of recoveries of the failing endpoint: more than a page has.
const RECOVERIES: u8 = 25;
/// The number of other customers: more than a page has.
const OTHERS: u32 = 30;
/// The number of deliveries that each of them is owed.
const OWED: u32 = 10;
/// The time between two events.
const BETWEEN_EVENTS: Duration = Duration::from_mins(1);
const KEPT: Duration = Duration::from_hours(90 * 24);

/// The data on the pages.
pub(crate) struct Shown {
    pub(super) customer: CustomerId,
    /// The cookie of a session of the customer with every capability.
    pub(super) cookie: String,
    /// The same of a session of the console.
    pub(super) console_cookie: String,
    /// The endpoint whose deliveries fail.
    pub(super) failing: SubscriptionId,
    /// An endpoint whose deliveries succeed.
    pub(super) working: SubscriptionId,
    /// The newest delivery of the failing endpoint.
    pub(super) delivery: DeliveryId,
    pub(super) recovery: RecoveryId,
}

impl Shown {
    /// Writes the data, with a delivery of each of these events to every endpoint.
    pub(crate) async fn write(aws: &StubAws, events: u32) -> Result<Self> {
        aws.keep_updates(true);
        let written = Box::pin(Writer::new(aws)?.write(events)).await;
        aws.keep_updates(false);
        written
    }
}

struct Writer<'a> {
    aws: &'a StubAws,
    store: DynamoStore,
    now: Timestamp,
    customer: CustomerId,
}

impl<'a> Writer<'a> {
    fn new(aws: &'a StubAws) -> Result<Self> {
        Ok(Self {
            aws,
            store: aws.store(),
            now: SystemClock.now(),
            customer: workload::CUSTOMER.parse()?,
        })
    }

    async fn write(&self, events: u32) -> Result<Shown> {
        for number in 1..=ENDPOINTS {
            let subscription = self.subscription(number);
            let creation = Creation::of(&subscription, samples::QUOTA);
            self.store.insert(&creation).await?;
            self.statistics(&subscription.id).await?;
        }
        let mut newest = None;
        for age in (1..=events).rev() {
            newest = Some(self.event(age)?);
        }
        let newest = newest.context("no events")?;
        for attempt in &newest.attempts {
            let id = attempt.exchange_id(newest.id);
            let body = long_answer(attempt.number);
            self.store.store_body(&id, &body, newest.expires_at).await?;
        }
        let recovery = self.recoveries().await?;
        for number in 1..=OTHERS {
            self.other_customer(number).await?;
        }
        let capabilities = Capabilities::new(Capability::ALL)?;
        let sessions = self.sessions();
        let wanted = WantedSession {
            capabilities: capabilities.clone(),
            duration: SessionDuration::default(),
            return_url: None,
            created_by: None,
        };
        let of_customer = sessions.create(&self.customer, wanted).await?;
        let actor = "support@example.com".parse()?;
        let of_console =
            sessions.create_for_support(actor, capabilities, SessionDuration::default());
        Ok(Shown {
            customer: self.customer.clone(),
            cookie: self.enter(&of_customer).await?,
            console_cookie: self.enter(&of_console.await?).await?,
            failing: endpoint(1),
            working: endpoint(2),
            delivery: newest.id,
            recovery,
        })
    }

    fn subscription(&self, number: u32) -> Subscription {
        let filter =
            json!({"total": [{"numeric": [">", 100]}], "lines": {"sku": [{"prefix": "SKU-"}]}});
        Subscription {
            id: endpoint(number),
            customer_id: self.customer.clone(),
            filter: Filter::parse(&filter.to_string()).ok(),
            health: if number == 1 {
                self.failing_health()
            } else {
                Health::default()
            },
            ..samples::subscription(workload::CUSTOMER, 1)
        }
    }

    /// Counts attempts of several outcomes and answer times in every hour.
    async fn statistics(&self, subscription: &SubscriptionId) -> Result<()> {
        let classes = [
            OutcomeClass::Succeeded,
            OutcomeClass::Status4xx,
            OutcomeClass::Status5xx,
            OutcomeClass::TimedOut,
        ];
        let times = (8..20).filter_map(AnswerTime::from_index);
        let statistics = Statistics::from_counts(
            classes.map(|class| (class, 120)),
            times.map(|time| (time, 30)),
        );
        for hour in Summary::first_hour(self.now).to(Hour::of(self.now)) {
            self.store
                .add_statistics(subscription, hour, &statistics)
                .await?;
        }
        Ok(())
    }

    /// Puts an event with its deliveries, as the workflow and the attempts leave them. All deliveries of
    /// the newest event have failed. Returns that of the failing endpoint.
    fn event(&self, age: u32) -> Result<Delivery> {
        let at = self.now - BETWEEN_EVENTS * age;
        let event = workload::event(workload::CUSTOMER, "order.created", age as usize);
        let message = samples::event_reader().read(&event.to_string())?;
        let item = message_item(&message, at, at + KEPT);
        self.aws.put(serde_json::to_value(item)?)?;
        for number in 2..=ENDPOINTS {
            let deliver = if age == 1 { failed } else { succeeded };
            self.put(&deliver(&message, endpoint(number), at))?;
        }
        let delivery = failed(&message, endpoint(1), at);
        self.put(&delivery)?;
        Ok(delivery)
    }

    async fn recoveries(&self) -> Result<RecoveryId> {
        let [_, far] = samples::recoveries(workload::CUSTOMER);
        let mut last = far.id;
        for number in 1..=RECOVERIES {
            last = format!("rec_{number:032x}").parse()?;
            let recovery = Recovery {
                id: last,
                subscription_id: endpoint(1),
                started_at: self.now,
                updated_at: self.now,
                expires_at: self.now + KEPT,
                ..far.clone()
            };
            self.store.insert_recovery(&recovery).await?;
        }
        Ok(last)
    }

    /// Writes a customer with an unhealthy endpoint, which is owed deliveries.
    async fn other_customer(&self, number: u32) -> Result<()> {
        let customer = format!("cust_{}", 2_000 + number);
        let subscription = Subscription {
            id: endpoint(1_000 + number),
            health: self.failing_health(),
            ..samples::subscription(&customer, 1)
        };
        let creation = Creation::of(&subscription, samples::QUOTA);
        self.store.insert(&creation).await?;
        for event in 1..=OWED {
            let message = samples::message(&customer, &event.to_string());
            self.put(&failed(&message, subscription.id, self.now))?;
        }
        Ok(())
    }

    fn failing_health(&self) -> Health {
        Health {
            failing_since: Some(self.now - Duration::from_hours(72)),
            ..Health::default()
        }
    }

    fn put(&self, delivery: &Delivery) -> Result<()> {
        let item = serde_json::to_value(delivery_item(delivery))?;
        self.aws.put(item)
    }

    fn sessions(&self) -> PortalSessions<DynamoStore, SystemClock> {
        PortalSessions {
            table: self.store.clone(),
            clock: SystemClock,
            random: SystemRandom::new(),
        }
    }

    /// Uses the link of a session, and returns its cookie.
    async fn enter(&self, created: &CreatedSession) -> Result<String> {
        let access = PortalAccess {
            table: self.store.clone(),
            clock: SystemClock,
            random: SystemRandom::new(),
        };
        let link = access.find(created.code.clone()).await?;
        let entered = access.enter(&link.context("the link was used")?).await?;
        let (_, token) = entered.context("the session was not entered")?;
        Ok(format!("__Host-webhooks={}", token.expose()))
    }
}

fn endpoint(number: u32) -> SubscriptionId {
    samples::subscription_id(number.into())
}

fn succeeded(message: &Message, subscription: SubscriptionId, at: Timestamp) -> Delivery {
    let attempt = Attempt {
        at,
        outcome: AttemptOutcome::Succeeded,
        status: Some(200),
        ..samples::failed_attempt(1)
    };
    Delivery {
        status: DeliveryStatus::Succeeded,
        attempts: vec![attempt],
        created_at: at,
        expires_at: at + KEPT,
        ..samples::delivery(message, subscription)
    }
}

/// A delivery that is held after ten failed attempts, so that it is undelivered from its first write
/// on. Every attempt had another long answer, as large as an attempt keeps it itself.
fn failed(message: &Message, subscription: SubscriptionId, at: Timestamp) -> Delivery {
    let attempt = |number: u32| {
        let body = long_answer(number);
        let sample = samples::failed_attempt(number);
        let room = WebhookResponse::room_for_excerpt(
            WebhookResponse::MAX_DETAIL_BYTES,
            &sample.addresses,
            &sample.response_headers,
        );
        Attempt {
            at: at + Duration::from_secs(5) * number,
            response_excerpt: Some(body.text[..room].to_owned()),
            answer_body: AnswerBody {
                size_bytes: Some(body.size_bytes),
                is_cut: false,
                digest: Some(AnswerDigest::from_bytes([7; AnswerDigest::BYTES])),
                place: BodyPlace::OwnItem,
            },
            ..sample
        }
    };
    Delivery {
        status: samples::AWAITING_ENDPOINT,
        attempts: (1..=ATTEMPTS).map(attempt).collect(),
        created_at: at,
        expires_at: at + KEPT,
        ..samples::delivery(message, subscription)
    }
}

/// A page of about 16 KB. Each line is unlike the others.
fn long_answer(number: u32) -> ResponseBody {
    let line = |n: u32| {
        let place = n.wrapping_mul(2_654_435_761).wrapping_add(number);
        format!("  at handler_{place:08x} (server.js)\n")
    };
    samples::body(&(1..=480).map(line).collect::<String>())
}
