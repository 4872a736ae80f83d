//! The plan of one seed: a customer, endpoints that misbehave, and events.

mod endpoints;
mod expired;

use std::{ops::Range, sync::Arc, time::Duration};

use anyhow::Result;
use fastrand::Rng;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json, value::RawValue};
use webhooks_client::{Api, Event, Stack};
use webhooks_receiver::{Receiver, Request};

use crate::history::{Endpoint, KEY, PutEvent};

/// The producer that the stack's rule matches by default.
const SOURCE: &str = "com.example.shop";

const EVENT_TYPES: [&str; 3] = ["order.created", "order.paid", "order.cancelled"];

/// One event in this many is put twice.
const DOUBLED: u32 = 10;

/// One customer with its receiver.
pub(crate) struct Scenario {
    /// The seed of all random choices here.
    pub(crate) seed: u64,
    customer: String,
    /// The customer's endpoints; the last one is replaced during the run.
    pub(crate) endpoints: Vec<Endpoint>,
    /// The receiver behind the endpoints.
    receiver: Receiver,
    /// The number of requests that the endpoints received before the run.
    requests_before: usize,
    /// The events to put on the bus, some of them twice.
    pub(crate) events: Vec<Planned>,
    /// The number of endpoints to which every event must be delivered.
    subscriptions: usize,
}

/// An event and the number of times that it is put.
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
        let planned = (0..events).map(|number| plan(&mut rng, &customer, number));
        let planned: Vec<_> = planned.collect();
        let mut scenario = Self {
            seed,
            customer,
            endpoints: Vec::with_capacity(subscriptions + 2),
            receiver,
            requests_before: 0,
            events: planned,
            subscriptions,
        };
        for index in 0..subscriptions {
            let endpoint = scenario.subscribe(api, &mut rng, index).await?;
            scenario.endpoints.push(endpoint);
        }
        let first = scenario.subscribe_replaced(api, &mut rng).await?;
        scenario.endpoints.push(first);
        Ok(scenario)
    }

    /// Puts the events, and replaces an endpoint after half of them.
    pub(crate) async fn play(&mut self, stack: &Stack) -> Result<()> {
        let half = self.events.len() / 2;
        self.put(stack, 0..half).await?;
        let api = stack.api()?;
        let put = self.put(stack, half..self.events.len());
        let ((), replacement) = tokio::try_join!(put, self.replace(&api))?;
        self.endpoints.push(replacement);
        Ok(())
    }

    /// Puts events on the bus. The two copies of a doubled event are put at the same time.
    async fn put(&self, stack: &Stack, numbers: Range<usize>) -> Result<()> {
        let mut events = Vec::with_capacity(numbers.len());
        for planned in &self.events[numbers] {
            let event = on_bus(&planned.event.event_type, &planned.event.detail)?;
            events.extend(std::iter::repeat_n(event, planned.times));
        }
        stack.put_events(&events).await?;
        Ok(())
    }

    /// Returns the requests that the endpoints received during the run.
    pub(crate) fn requests(&self) -> Vec<Arc<Request>> {
        self.receiver.requests().split_off(self.requests_before)
    }

    /// Waits until the endpoints have received this many requests of the run, up to the time
    /// limit.
    pub(crate) async fn saw_requests(&self, count: usize, within: Duration) {
        let last = (self.requests_before + count).saturating_sub(1);
        let _ = self.receiver.nth_request(last, within).await;
    }

    /// Returns the smallest number of deliveries that must exist.
    pub(crate) fn deliveries(&self) -> usize {
        self.events.len() * self.subscriptions
    }
}

/// Builds an event in the form in which it is put on the bus.
fn on_bus(event_type: &str, detail: &Value) -> Result<Event> {
    Ok(Event {
        source: SOURCE.to_owned(),
        event_type: event_type.to_owned(),
        detail: RawValue::from_string(detail.to_string())?,
    })
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

/// Returns the message id of an event with this idempotency key.
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
