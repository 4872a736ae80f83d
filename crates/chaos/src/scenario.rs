//! What one seed plans: a customer, endpoints that misbehave, and events.

use std::time::Duration;

use anyhow::{Context, Result};
use fastrand::Rng;
use http::StatusCode;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json, value::RawValue};
use webhooks_client::{Answer, Api, Event, Receiver, Stack};

use crate::history::{Endpoint, KEY, PutEvent};

/// The producer that the stack's rule matches by default.
const SOURCE: &str = "com.example.shop";

const EVENT_TYPES: [&str; 3] = ["order.created", "order.paid", "order.cancelled"];

/// Of 100 requests, how many each endpoint fails. The last one is dead: a second chain
/// of retries would show there at every attempt.
const FAILURES: [u8; 5] = [0, 10, 25, 40, 100];

/// Which endpoint takes only so much. What it fails now and then goes on in its line.
const LIMITED: usize = 1;

/// One event in so many is put twice.
const DOUBLED: u32 = 10;

/// One answer in so many is slow.
const SLOW_ANSWERS: u32 = 10;

/// How late a slow answer is.
const SLOW: Duration = Duration::from_millis(300);

/// Answers that are planned for each event, retries included; the last is repeated.
const ANSWERS_PER_EVENT: usize = 8;

/// One customer with its receiver.
pub(crate) struct Scenario {
    /// What decides everything here.
    pub(crate) seed: u64,
    /// The customer's endpoints.
    pub(crate) endpoints: Vec<Endpoint>,
    /// What the endpoints saw.
    pub(crate) receiver: Receiver,
    /// What is put on the bus, some of it twice.
    pub(crate) events: Vec<Planned>,
}

/// An event and how often it is put.
pub(crate) struct Planned {
    /// The event.
    pub(crate) event: PutEvent,
    /// 1 or 2.
    pub(crate) times: usize,
}

impl Scenario {
    /// Plans the events, starts the receiver and subscribes its endpoints.
    pub(crate) async fn prepare(
        api: &Api,
        seed: u64,
        events: usize,
        subscriptions: usize,
    ) -> Result<Self> {
        let mut rng = Rng::with_seed(seed);
        let customer = format!("chaos-{seed}");
        let receiver = Receiver::start().await?;
        let mut endpoints = Vec::with_capacity(subscriptions);
        for index in 0..subscriptions {
            let path = format!("/{index}");
            let percent = FAILURES[index % FAILURES.len()];
            let answers = (0..events * ANSWERS_PER_EVENT).map(|_| answer(&mut rng, percent));
            receiver.script(&path, answers);
            let mut subscription = json!({"url": receiver.url(&path), "eventTypes": ["order.*"]});
            if index == LIMITED {
                subscription["rateLimitPerSecond"] = json!(10);
                subscription["maxInFlight"] = json!(2);
            }
            let created = api
                .create_subscription(&customer, &subscription)
                .await
                .with_context(|| format!("subscribing endpoint {index} of {customer}"))?;
            endpoints.push(Endpoint {
                subscription_id: created.subscription.id,
                path,
                secret: created.secret,
            });
        }
        let events = (0..events).map(|number| plan(&mut rng, &customer, number));
        Ok(Self {
            seed,
            endpoints,
            receiver,
            events: events.collect(),
        })
    }

    /// Puts every event on the bus, the doubled ones at once.
    pub(crate) async fn put(&self, stack: &Stack) -> Result<()> {
        let mut events = Vec::with_capacity(self.events.len());
        for planned in &self.events {
            let event = Event {
                source: SOURCE.to_owned(),
                event_type: planned.event.event_type.clone(),
                detail: RawValue::from_string(planned.event.detail.to_string())?,
            };
            events.extend(std::iter::repeat_n(event, planned.times));
        }
        stack.put_events(&events).await?;
        Ok(())
    }

    /// How many deliveries there are to be.
    pub(crate) fn deliveries(&self) -> usize {
        self.events.len() * self.endpoints.len()
    }
}

/// An answer of an endpoint that fails so many of 100 requests.
fn answer(rng: &mut Rng, percent: u8) -> Answer {
    let answer = if rng.u8(0..100) >= percent {
        Answer::ok().with_body("thank you")
    } else {
        match rng.u8(0..10) {
            0..=4 => {
                Answer::status(StatusCode::INTERNAL_SERVER_ERROR).with_body("database is down")
            }
            5..=6 => Answer::status(StatusCode::SERVICE_UNAVAILABLE),
            7..=8 => return Answer::cut(),
            _ => return Answer::never(),
        }
    };
    if rng.u32(..SLOW_ANSWERS) == 0 {
        answer.after(SLOW)
    } else {
        answer
    }
}

fn plan(rng: &mut Rng, customer: &str, number: usize) -> Planned {
    let key = format!("event-{number}");
    let lines: Vec<Value> = (0..rng.usize(0..4))
        .map(|line| json!({"line": line, "cents": rng.u32(..), "note": null}))
        .collect();
    let detail = json!({
        "customerId": customer,
        KEY: key,
        "order": rng.u64(..1 << 53),
        "name": format!("Zoë \"{}\" \\ 😀\n", rng.alphanumeric()),
        "lines": lines,
        "paid": rng.bool(),
    });
    Planned {
        event: PutEvent {
            message_id: message_id(customer, &key),
            event_type: EVENT_TYPES[rng.usize(..EVENT_TYPES.len())].to_owned(),
            detail,
        },
        times: if rng.u32(..DOUBLED) == 0 { 2 } else { 1 },
    }
}

/// The id that the message of an event with this idempotency key has.
fn message_id(customer: &str, key: &str) -> String {
    let named = format!("{customer}\0idempotency-key\0{SOURCE}\0{key}\0");
    let digest = digest(&SHA256, named.as_bytes());
    let digits = digest
        .as_ref()
        .first_chunk()
        .map(|bytes| u128::from_be_bytes(*bytes));
    format!("msg_{:032x}", digits.expect("SHA-256 has 32 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_id_is_made_as_the_readme_says() {
        // printf '%s\0idempotency-key\0%s\0%s\0' chaos-1 com.example.shop event-0 | sha256sum
        assert_eq!(
            message_id("chaos-1", "event-0"),
            "msg_208edb5104db5b8aa2161cd2452a237a"
        );
    }

    #[test]
    fn a_seed_decides_what_is_put() {
        let detail = |seed| plan(&mut Rng::with_seed(seed), "c", 0).event.detail;
        assert_eq!(detail(1), detail(1));
        assert_ne!(detail(1), detail(2));
    }
}
