//! The environment of a run's steps: the stack, a receiver, and a test customer.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Context, Result};
use ring::rand::SystemRandom;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};
use webhooks_client::{
    Api, CreatedSubscription, Delivery, Event, MapPatch, NewSubscription, Nullable, Stack,
    SubscriptionPatch,
};
use webhooks_domain::event::EventReader;
use webhooks_domain::ids::{DeliveryId, MessageId};
use webhooks_domain::manage::{SELF_TEST_CUSTOMER, SELF_TEST_TYPES};
use webhooks_domain::timestamp::Timestamp;
use webhooks_self_test::{Run, RunId, Script, Step};

use super::Via;
use super::cost::Ledger;
use super::endpoint::Endpoint;
use super::judge::{Arrival, missing};
use crate::advice::advise;
use crate::clock::now;
use crate::doctor::context::Described;
use crate::doctor::report::Outcome;
use crate::events;

/// The customer of every run on every stack. So a run finds the subscriptions of an earlier run
/// that was killed.
pub(super) const CUSTOMER: &str = SELF_TEST_CUSTOMER;

/// The names in a subscription's metadata that identify its run and the end of that run.
pub(super) const RUN: &str = "doctorRun";
pub(super) const ENDS: &str = "doctorRunEnds";

/// The time limit for a first webhook, including cold starts.
pub(super) const ARRIVAL: Duration = Duration::from_mins(1);

/// The time between two checks of a delivery.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// A run of the self test.
pub(super) struct Stage<'a> {
    pub(super) stack: &'a Stack,
    pub(super) api: Api,
    pub(super) endpoint: Endpoint,
    pub(super) ledger: Ledger,
    pub(super) began_at: Timestamp,
    /// The part of the run's id that distinguishes it from other runs.
    pub(super) name: String,
    ends_at: Timestamp,
    source: String,
    /// The paths of the customer and the idempotency key in an event, below `/detail`.
    customer_at: Vec<String>,
    key_at: Vec<String>,
    reader: EventReader,
    /// All deliveries that the steps caused.
    caused: Mutex<Vec<(Step, DeliveryId)>>,
}

impl<'a> Stage<'a> {
    /// Registers a run with this duration.
    pub(super) async fn open(
        stack: &'a Stack,
        via: Via,
        script: Script,
        lasts: Duration,
    ) -> Result<Self> {
        let run = RunId::random(&SystemRandom::new()).context("no random numbers")?;
        let name = run.short().to_owned();
        let began_at = now();
        let ends_at = began_at + lasts;
        let endpoint = match via {
            Via::Own => Endpoint::own(run, &script).await?,
            Via::Stack => Endpoint::of_stack(stack, run, Run { script, ends_at }).await?,
        };
        let sources = stack.output("AcceptedEventSources")?;
        let (source, _) = sources.split_once(',').unwrap_or((sources, ""));
        Ok(Self {
            api: stack.api()?,
            endpoint,
            ledger: Ledger::default(),
            began_at,
            name,
            ends_at,
            source: source.to_owned(),
            customer_at: below_detail(stack.output("CustomerIdPointer")?)?,
            key_at: below_detail(stack.output("IdempotencyKeyPointer")?)?,
            reader: events::file::reader(stack)?,
            caused: Mutex::default(),
            stack,
        })
    }

    /// Returns the event type of a step. No subscription of another run or customer has it, and it
    /// needs no catalogue.
    pub(super) fn event_type(&self, step: &str) -> String {
        event_type_of(&self.name, step)
    }

    /// Subscribes the receiver to a step's events, with additional fields.
    pub(super) async fn subscribe(
        &self,
        step: &str,
        event_type: &str,
        fields: SubscriptionPatch,
    ) -> Described<CreatedSubscription> {
        let description = "Created by `webhooks doctor --send`, which deletes it.".to_owned();
        let metadata = MapPatch::from([
            (RUN.to_owned(), Some(self.name.clone())),
            (ENDS.to_owned(), Some(self.ends_at.to_string())),
        ]);
        let subscription = NewSubscription(SubscriptionPatch {
            url: Some(self.endpoint.url(&step_of(step))),
            event_types: Some(vec![self.event_type(event_type)]),
            description: Nullable::Value(description),
            metadata: Nullable::Value(metadata),
            ..fields
        });
        self.ledger.api_call();
        let created = self.api.create_subscription(CUSTOMER, &subscription).await;
        created.map_err(|error| refused("creating a subscription", error))
    }

    /// Builds the detail of an event of this run's customer.
    pub(super) fn detail(&self, mut detail: Map<String, Value>) -> Value {
        detail.insert(RUN.to_owned(), json!(self.name));
        let mut detail = Value::Object(detail);
        set(&mut detail, &self.customer_at, json!(CUSTOMER));
        detail
    }

    /// Adds the idempotency key, so that the event becomes one message even if it is put
    /// several times.
    pub(super) fn with_key(&self, mut detail: Value, key: &str) -> Value {
        set(
            &mut detail,
            &self.key_at,
            json!(format!("{}-{key}", self.name)),
        );
        detail
    }

    /// Puts an event on the bus. Returns the id of its message.
    pub(super) async fn put(&self, event_type: &str, detail: &str) -> Described<MessageId> {
        let event = self.event(event_type, detail)?;
        let id = self.put_event(&event).await?;
        events::file::message(&self.reader, &id, &event)
            .map(|message| message.id)
            .map_err(|reason| not_an_event(&reason))
    }

    /// Builds an event with this text as its detail.
    pub(super) fn event(&self, event_type: &str, detail: &str) -> Described<Event> {
        let detail = RawValue::from_string(detail.to_owned());
        Ok(Event {
            source: self.source.clone(),
            event_type: self.event_type(event_type),
            detail: detail.map_err(|error| not_an_event(&error.to_string()))?,
        })
    }

    /// Puts an event on the bus. Returns the event id from the bus.
    pub(super) async fn put_event(&self, event: &Event) -> Described<String> {
        self.ledger.event(event.detail.get().len());
        let ids = self.stack.put_events(std::slice::from_ref(event)).await;
        let mut ids = ids.map_err(|error| refused("PutEvents", error))?;
        ids.pop()
            .ok_or_else(|| not_an_event("PutEvents accepted no entry"))
    }

    /// Starts the workflow with an event in the form in which EventBridge would pass it.
    pub(super) async fn start(&self, event_type: &str, detail: &str) -> Described<Started> {
        let event = self.event(event_type, detail)?;
        let envelope = format!(
            r#"{{"version":"0","id":"doctor-{}-{event_type}","detail-type":{},"source":{},"account":"000000000000","time":"{}","region":{},"resources":[],"detail":{}}}"#,
            self.name,
            json!(event.event_type),
            json!(event.source),
            self.began_at,
            json!(self.stack.region()),
            event.detail.get(),
        );
        self.ledger.start(envelope.len());
        let started = self.stack.start_execution(&envelope).await;
        started.map_err(|error| refused("StartExecution", error))?;
        let message = events::file::whole_message(&self.reader, &envelope)
            .map_err(|reason| not_an_event(&reason))?;
        Ok(Started {
            envelope,
            message: message.id,
        })
    }

    /// Returns the id of a message's delivery to a subscription, and records that a step caused
    /// it.
    pub(super) fn delivery_id(
        &self,
        step: &str,
        message: MessageId,
        to: &CreatedSubscription,
    ) -> Described<DeliveryId> {
        let subscription = to.subscription.id.parse();
        let subscription =
            subscription.map_err(|_| not_an_event("the API named no subscription"))?;
        let id = DeliveryId {
            message,
            subscription,
        };
        let mut caused = self.caused.lock().unwrap_or_else(PoisonError::into_inner);
        caused.push((step_of(step), id));
        Ok(id)
    }

    /// Returns all deliveries that the steps caused.
    pub(super) fn caused(&self) -> Vec<(Step, DeliveryId)> {
        let caused = self.caused.lock().unwrap_or_else(PoisonError::into_inner);
        caused.clone()
    }

    /// Waits until a step has received `count` webhooks.
    pub(super) async fn arrivals(
        &self,
        step: &str,
        count: usize,
        within: Duration,
        of: &DeliveryId,
    ) -> Described<Vec<Arrival>> {
        let arrivals = self.endpoint.wait(&step_of(step), count, within).await;
        let arrivals = arrivals.map_err(receiver_failed)?;
        if arrivals.len() >= count {
            return Ok(arrivals);
        }
        let delivery = self.delivery(of).await?;
        Err(missing(count, arrivals.len(), delivery.as_ref()))
    }

    /// Returns the arrivals of a step so far.
    pub(super) async fn arrived(&self, step: &str) -> Described<Vec<Arrival>> {
        let arrivals = self.endpoint.arrivals(&step_of(step)).await;
        arrivals.map_err(receiver_failed)
    }

    /// Returns the body of a delivery's requests from the API; empty if the API does not find it.
    pub(super) async fn body(&self, id: &DeliveryId) -> Described<String> {
        self.ledger.api_call();
        match self.api.delivery(&id.to_string()).await {
            Ok(shown) => Ok(shown.body.unwrap_or_default()),
            Err(webhooks_client::Error::Problem(problem)) if problem.status == 404 => {
                Ok(String::new())
            }
            Err(error) => Err(refused("showing a delivery", error)),
        }
    }

    /// Returns a delivery from the API; `None` if the API does not find it.
    pub(super) async fn delivery(&self, id: &DeliveryId) -> Described<Option<Delivery>> {
        self.ledger.api_call();
        match self.api.delivery(&id.to_string()).await {
            Ok(shown) => Ok(Some(shown.delivery)),
            Err(webhooks_client::Error::Problem(problem)) if problem.status == 404 => Ok(None),
            Err(error) => Err(refused("showing a delivery", error)),
        }
    }

    /// Waits until a delivery satisfies a condition.
    pub(super) async fn delivery_when(
        &self,
        id: &DeliveryId,
        within: Duration,
        wanted: impl Fn(&Delivery) -> bool,
    ) -> Described<Delivery> {
        let deadline = Instant::now() + within;
        loop {
            let last = self.delivery(id).await?;
            if let Some(delivery) = last.as_ref().filter(|delivery| wanted(delivery)) {
                return Ok(delivery.clone());
            }
            if Instant::now() >= deadline {
                return Err(missing(1, 0, last.as_ref()));
            }
            sleep(POLL_INTERVAL).await;
        }
    }
}

/// The input of a started workflow.
pub(super) struct Started {
    pub(super) envelope: String,
    pub(super) message: MessageId,
}

/// Parses the name of a step, which is a constant in the sibling modules.
pub(super) fn step_of(name: &str) -> Step {
    name.parse().expect("names of steps are constants")
}

/// Returns the outcome of a refused call to AWS or the API.
pub(super) fn refused(what: &str, error: webhooks_client::Error) -> Outcome {
    let text = format!("{:#}", advise(error));
    let (reason, fix) = text.split_once("\n  ").unwrap_or((
        &text,
        "check the permissions of these credentials: docs/doctor.md lists what a run needs",
    ));
    Outcome::failed(format!("{what}: {reason}"), fix)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn receiver_failed(error: anyhow::Error) -> Outcome {
    Outcome::failed(
        format!("what has arrived cannot be read: {error:#}"),
        "these credentials need dynamodb:GetItem and dynamodb:Query on the table of output \
         SelfTestTableName",
    )
}

fn not_an_event(reason: &str) -> Outcome {
    Outcome::failed(
        format!("the event makes no message: {reason}"),
        "attach the report to an issue",
    )
}

/// Returns the names of the members on the path to a place below `/detail`.
///
/// # Errors
/// If the place is elsewhere: a producer cannot set it.
fn below_detail(pointer: &str) -> Result<Vec<String>> {
    let names = pointer.strip_prefix("/detail/").with_context(|| {
        format!("`{pointer}` is not below /detail: the self test cannot put such an event")
    })?;
    let name = |name: &str| name.replace("~1", "/").replace("~0", "~");
    Ok(names.split('/').map(name).collect())
}

/// The event type of a step of the run with this name.
fn event_type_of(run: &str, step: &str) -> String {
    format!("{SELF_TEST_TYPES}{run}.{step}")
}

/// Sets a member of an object, and creates the objects on the path to it.
fn set(within: &mut Value, names: &[String], value: Value) {
    let place = names.iter().fold(within, |object, name| {
        if !object.is_object() {
            *object = json!({});
        }
        &mut object[name.as_str()]
    });
    *place = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_is_put_where_the_stack_looks_for_it() {
        let mut detail = json!({"n": 1});
        let place = below_detail("/detail/who~1what/id").unwrap();
        set(&mut detail, &place, json!("c"));
        assert_eq!(detail, json!({"n": 1, "who/what": {"id": "c"}}));
        set(&mut detail, &below_detail("/detail/n").unwrap(), json!("c"));
        assert_eq!(detail["n"], "c");
        assert!(below_detail("/source").is_err());
    }

    /// The parameter `EventTypesMustBeKnown` refuses other types than these.
    #[test]
    fn a_step_has_a_type_that_needs_no_catalogue() {
        assert!(event_type_of("a1b2", "webhook").starts_with(SELF_TEST_TYPES));
        assert_eq!(CUSTOMER, SELF_TEST_CUSTOMER);
    }

    #[test]
    fn the_customer_is_one_that_the_stack_takes() {
        let customer: Result<webhooks_domain::ids::CustomerId, _> = CUSTOMER.parse();
        assert!(customer.is_ok());
    }
}
