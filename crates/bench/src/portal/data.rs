//! The data of one customer: endpoints, deliveries, statistics, recoveries and a session.
//!
//! The functions' own store writes them into the stub's table.

use std::time::Duration;

use anyhow::{Context, Result};
use ring::rand::SystemRandom;
use serde_json::json;
use webhooks_domain::{
    delivery::{
        AnswerBody, AnswerDigest, Attempt, BodyPlace, Delivery, DeliveryStatus, FailureReason,
    },
    filter::Filter,
    health::Health,
    ids::{CustomerId, DeliveryId, RecoveryId, SubscriptionId},
    message::Message,
    outbound::{AttemptOutcome, ResponseBody, WebhookResponse},
    portal_access::PortalAccess,
    portal_session::{Capabilities, Capability, SessionDuration},
    portal_sessions::{PortalSessions, WantedSession},
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
/// The time between two events.
const BETWEEN_EVENTS: Duration = Duration::from_secs(60);
const KEPT: Duration = Duration::from_hours(90 * 24);

/// A customer, and what its pages show.
pub(crate) struct Customer {
    pub(super) id: CustomerId,
    /// The cookie of a session with every capability.
    pub(crate) cookie: String,
    /// The endpoint whose deliveries fail.
    pub(super) failing: SubscriptionId,
    /// An endpoint whose deliveries succeed.
    pub(super) working: SubscriptionId,
    /// The newest delivery of the failing endpoint.
    pub(super) delivery: DeliveryId,
    pub(super) recovery: RecoveryId,
}

impl Customer {
    /// Writes the data, with a delivery of each of these events to every endpoint.
    pub(crate) async fn write(aws: &StubAws, events: u32) -> Result<Self> {
        aws.keep_updates(true);
        let written = Writer::new(aws)?.write(events).await;
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

    async fn write(&self, events: u32) -> Result<Customer> {
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
        Ok(Customer {
            id: self.customer.clone(),
            cookie: self.session().await?,
            failing: endpoint(1),
            working: endpoint(2),
            delivery: newest.id,
            recovery,
        })
    }

    fn subscription(&self, number: u32) -> Subscription {
        let filter =
            json!({"total": [{"numeric": [">", 100]}], "lines": {"sku": [{"prefix": "SKU-"}]}});
        let is_failing = number == 1;
        Subscription {
            id: endpoint(number),
            customer_id: self.customer.clone(),
            filter: Filter::parse(&filter.to_string()).ok(),
            health: Health {
                failing_since: is_failing.then(|| self.now - Duration::from_hours(72)),
                ..Health::default()
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

    /// Puts an event with its deliveries, as the workflow and the attempts leave them. Returns the
    /// failed one.
    fn event(&self, age: u32) -> Result<Delivery> {
        let at = self.now - BETWEEN_EVENTS * age;
        let event = workload::event(workload::CUSTOMER, "order.created", age as usize);
        let message = samples::event_reader().read(&event.to_string())?;
        let item = message_item(&message, at, at + KEPT);
        self.aws.put(serde_json::to_value(item)?)?;
        for number in 2..=ENDPOINTS {
            let delivery = succeeded(&message, endpoint(number), at);
            self.aws
                .put(serde_json::to_value(delivery_item(&delivery))?)?;
        }
        let delivery = failed(&message, at);
        self.aws
            .put(serde_json::to_value(delivery_item(&delivery))?)?;
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

    /// Starts a session as the API and the portal do, and returns its cookie.
    async fn session(&self) -> Result<String> {
        let sessions = PortalSessions {
            table: self.store.clone(),
            clock: SystemClock,
            random: SystemRandom::new(),
        };
        let wanted = WantedSession {
            capabilities: Capabilities::new(Capability::ALL)?,
            duration: SessionDuration::try_from(u64::from(SessionDuration::MAX_SECS))?,
            return_url: None,
            created_by: None,
        };
        let created = sessions.create(&self.customer, wanted).await?;
        let access = PortalAccess {
            table: self.store.clone(),
            clock: SystemClock,
            random: SystemRandom::new(),
        };
        let entered = access.enter(&created.code).await?;
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

/// A delivery that was given up. Every attempt had another long answer, as large as an attempt keeps
/// it itself.
fn failed(message: &Message, at: Timestamp) -> Delivery {
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
        status: DeliveryStatus::Failed(FailureReason::AttemptsExhausted),
        attempts: (1..=ATTEMPTS).map(attempt).collect(),
        created_at: at,
        expires_at: at + KEPT,
        ..samples::delivery(message, endpoint(1))
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
