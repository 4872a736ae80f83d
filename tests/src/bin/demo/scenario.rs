//! The steps of the demo.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use webhooks_client::{Api, CreatedSubscription, Delivery, Event, ExecutionStatus, Message, Stack};
use webhooks_receiver::{Answer, Receiver, Request};

use crate::paint::{FAINT, STRONG, paint};

const DELIVERED_EVENT: &str = include_str!("../../../../events/order-created.json");
const RETRIED_EVENT: &str = include_str!("../../../../events/order-cancelled.json");
const UNWANTED_EVENT: &str = include_str!("../../../../events/invoice-paid.json");

const STEADY_PATH: &str = "/steady";
const FLAKY_PATH: &str = "/flaky";

/// One request to the steady endpoint and three to the flaky one.
const REQUESTS: usize = 4;

/// For everything after the events are put: cold functions, two retries.
const BOUND: Duration = Duration::from_mins(1);

/// Between two looks at an execution.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// An endpoint of the demo's receiver, subscribed for a customer.
pub(crate) struct Endpoint {
    /// Its URL.
    pub(crate) url: String,
    path: &'static str,
    subscription: CreatedSubscription,
}

/// A delivery with the requests that were received for it.
pub(crate) struct Delivered {
    /// The endpoint.
    pub(crate) endpoint: Endpoint,
    /// The delivery, as the API shows it.
    pub(crate) delivery: Delivery,
    /// The received requests, in order.
    pub(crate) requests: Vec<Arc<Request>>,
}

impl Delivered {
    /// Verifies the signature of an attempt's request. `None` when
    /// requests and attempts do not pair up, because one did not arrive.
    pub(crate) fn verified(&self, attempt_index: usize) -> Option<bool> {
        if self.requests.len() != self.delivery.attempts.len() {
            return None;
        }
        let secret = &self.endpoint.subscription.secret;
        Some(self.requests.get(attempt_index)?.verify(secret).is_ok())
    }
}

/// The event that nobody subscribed to.
pub(crate) struct Unwanted {
    /// Its type.
    pub(crate) event_type: String,
    /// Its customer.
    pub(crate) customer_id: String,
    /// The status of its execution.
    pub(crate) status: ExecutionStatus,
    /// The number of requests.
    pub(crate) requests: usize,
}

/// The result of the scenario.
pub(crate) struct Outcome {
    /// The deliveries.
    pub(crate) deliveries: Vec<Delivered>,
    /// The event without a subscription.
    pub(crate) unwanted: Unwanted,
}

/// Lines that tell what is going on.
struct Progress {
    started: Instant,
}

impl Progress {
    fn tell(&self, what: &str, text: &str) {
        let elapsed = format!("{:6.1} s", self.started.elapsed().as_secs_f64());
        anstream::eprintln!(
            "{}  {}  {text}",
            paint(FAINT, &elapsed),
            paint(STRONG, &format!("{what:<12}")),
        );
    }
}

/// Plays the scenario on a stack, and takes its subscriptions away again.
pub(crate) async fn play(stack: &Stack) -> Result<Outcome> {
    let progress = Progress {
        started: Instant::now(),
    };
    let api = stack.api()?;
    let receiver = Receiver::start().await.context("starting the receiver")?;
    progress.tell("receiver", &format!("listens on {}", receiver.url("")));

    let failure = Answer::status(StatusCode::INTERNAL_SERVER_ERROR).with_body("database is down");
    let success = Answer::ok().with_body("thank you");
    receiver.script(STEADY_PATH, [success.clone()]);
    receiver.script(FLAKY_PATH, [failure.clone(), failure, success]);

    let mut endpoints = Vec::new();
    let played = play_with(stack, &api, &receiver, &mut endpoints, &progress).await;
    // The receiver ends with this process: nothing should be sent to it later.
    let unsubscribed = unsubscribe(&api, &endpoints).await;
    let (messages, unwanted) = played?;
    unsubscribed?;

    let mut deliveries = Vec::new();
    for (endpoint, message) in endpoints.into_iter().zip(messages) {
        let delivery = message.delivery_to(&endpoint.subscription.subscription.id);
        deliveries.push(Delivered {
            delivery: delivery.context("the message has lost a delivery")?.clone(),
            requests: receiver.requests_to(endpoint.path),
            endpoint,
        });
    }
    Ok(Outcome {
        deliveries,
        unwanted,
    })
}

/// Subscribes, puts the events and waits. The endpoints that it subscribes are
/// there for the caller even when it fails. Returns the message of each.
async fn play_with(
    stack: &Stack,
    api: &Api,
    receiver: &Receiver,
    endpoints: &mut Vec<Endpoint>,
    progress: &Progress,
) -> Result<(Vec<Message>, Unwanted)> {
    let events = [read(DELIVERED_EVENT)?, read(RETRIED_EVENT)?];
    let endpoints_and_notes = [(STEADY_PATH, ""), (FLAKY_PATH, ", which fails twice")];
    for (event, (path, note)) in events.iter().zip(endpoints_and_notes) {
        let customer = customer_of(event)?;
        let url = receiver.url(path);
        let wanted = json!({"url": url, "eventTypes": [event.event_type]});
        let subscription = api.create_subscription(&customer, &wanted).await?;
        let text = format!("{customer} wants {} at {path}{note}", event.event_type);
        progress.tell("subscription", &text);
        endpoints.push(Endpoint {
            url,
            path,
            subscription,
        });
    }

    let put_at = Instant::now();
    stack.put_events(&events).await?;
    for event in &events {
        let customer = customer_of(event)?;
        let text = format!("{} of {customer} put on the bus", event.event_type);
        progress.tell("event", &text);
    }
    let unwanted = read(UNWANTED_EVENT)?;
    let unwanted_customer = customer_of(&unwanted)?;
    let execution = stack.start_execution(UNWANTED_EVENT).await?;
    let unwanted_type = &unwanted.event_type;
    let text = format!("{unwanted_type} of {unwanted_customer} started the workflow by hand");
    progress.tell("event", &text);

    let left = || BOUND.saturating_sub(put_at.elapsed());
    for index in 0..REQUESTS {
        let Some(request) = receiver.nth_request(index, left()).await else {
            bail!(nothing_came(stack, index));
        };
        progress.tell("received", &describe(&request, endpoints));
    }
    let status = execution_end(stack, &execution, left).await?;
    let text = format!("{unwanted_type} of {unwanted_customer}: nobody subscribed to it");
    progress.tell("ended", &text);

    let mut messages = Vec::new();
    for endpoint in &*endpoints {
        let request = receiver.requests_to(endpoint.path).swap_remove(0);
        let id = &endpoint.subscription.subscription.id;
        let recorded = |message: &Message| {
            let delivery = message.delivery_to(id);
            delivery.is_some_and(|delivery| delivery.status.is_terminal())
        };
        let message = api.message_when(request.webhook_id(), left(), recorded);
        messages.push(message.await.context(where_to_look(stack))?);
    }
    let all = receiver.requests();
    let requests = all.iter().filter(|request| {
        body_type(request).is_some_and(|event_type| event_type == unwanted.event_type)
    });
    let unwanted = Unwanted {
        event_type: unwanted.event_type.clone(),
        customer_id: unwanted_customer,
        status,
        requests: requests.count(),
    };
    Ok((messages, unwanted))
}

async fn unsubscribe(api: &Api, endpoints: &[Endpoint]) -> Result<()> {
    for endpoint in endpoints {
        let subscription = &endpoint.subscription.subscription;
        api.delete_subscription(&subscription.customer_id, &subscription.id)
            .await?;
    }
    Ok(())
}

fn read(event: &str) -> Result<Event> {
    serde_json::from_str(event).context("an event of the demo is not one")
}

fn customer_of(event: &Event) -> Result<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Detail {
        customer_id: String,
    }

    let detail: Detail = serde_json::from_str(event.detail.get())
        .with_context(|| format!("{} has no customer", event.event_type))?;
    Ok(detail.customer_id)
}

/// The `type` of a request's body.
fn body_type(request: &Request) -> Option<String> {
    #[derive(Deserialize)]
    struct Body {
        r#type: String,
    }

    let body: Body = serde_json::from_slice(&request.body).ok()?;
    Some(body.r#type)
}

fn describe(request: &Request, endpoints: &[Endpoint]) -> String {
    let event_type = body_type(request).unwrap_or_else(|| "no event".to_owned());
    let signature = endpoints
        .iter()
        .find(|endpoint| endpoint.path == request.path)
        .map_or("unknown", |endpoint| {
            match request.verify(&endpoint.subscription.secret) {
                Ok(()) => "verified",
                Err(_) => "WRONG",
            }
        });
    format!("{event_type} at {}, signature {signature}", request.path)
}

async fn execution_end(
    stack: &Stack,
    arn: &str,
    left: impl Fn() -> Duration,
) -> Result<ExecutionStatus> {
    loop {
        let execution = stack.execution(arn).await?;
        if execution.status != ExecutionStatus::Running {
            return Ok(execution.status);
        }
        if left().is_zero() {
            bail!(
                "the workflow still runs after {BOUND:?}; {}",
                where_to_look(stack)
            );
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn nothing_came(stack: &Stack, received: usize) -> String {
    format!(
        "{received} of {REQUESTS} requests arrived within {BOUND:?}; {}",
        where_to_look(stack)
    )
}

/// Names the queues where an event that did not arrive may be.
fn where_to_look(stack: &Stack) -> String {
    let outputs = [
        "RuleDeadLetterQueueUrl",
        "FailedEventsQueueUrl",
        "DeliveryQueueUrl",
        "SlowDeliveryQueueUrl",
        "DeliveryDeadLetterQueueUrl",
    ];
    let queues = outputs.map(|output| {
        let url = stack.output(output).unwrap_or(output);
        url.rsplit('/').next().unwrap_or(url)
    });
    format!(
        "look at the functions with `cargo xtask local logs`, and at the queues in the order that an event passes them: {}",
        queues.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_events_are_of_three_customers() {
        let customer = |text| customer_of(&read(text).unwrap()).unwrap();
        let delivered = customer(DELIVERED_EVENT);
        let retried = customer(RETRIED_EVENT);
        let unwanted = customer(UNWANTED_EVENT);
        assert_ne!(delivered, retried);
        assert_ne!(delivered, unwanted);
        assert_ne!(retried, unwanted);
    }
}
