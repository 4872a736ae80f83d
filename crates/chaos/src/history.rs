//! Compares three views of one customer's history: the events that were put, the requests that
//! arrived, and the deliveries that the stack reports. Pure: it does no I/O.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use webhooks_client::{Attempt, AttemptOutcome, Delivery, DeliveryStatus};
use webhooks_receiver::Request;

/// The tolerance for a request's timestamp beyond the request timeout: the timestamp has whole
/// seconds, and the machine is busy. A timestamp is never in the future, because one clock
/// gives both the timestamp and the arrival.
const TIMESTAMP_SLACK: Duration = Duration::from_secs(3);

/// The field of an event that identifies its requests.
pub(crate) const KEY: &str = "idempotencyKey";

/// An event that was put on the bus. Every endpoint is subscribed to it.
#[derive(Clone, Debug)]
pub(crate) struct PutEvent {
    /// The id that its message must have.
    pub(crate) message_id: String,
    /// The event's `detail-type`.
    pub(crate) event_type: String,
    /// The payload; its [`KEY`] differs from every other event's.
    pub(crate) detail: Value,
}

impl PutEvent {
    fn key(&self) -> &Value {
        &self.detail[KEY]
    }
}

/// A subscription, as the receiver sees it.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// `sub_…`
    pub(crate) subscription_id: String,
    /// The path of the receiver that only this endpoint uses.
    pub(crate) path: String,
    /// `whsec_…`
    pub(crate) secret: String,
    /// The part of the run during which it is subscribed.
    pub(crate) subscribed: Subscribed,
    /// The answers that it gives.
    pub(crate) conduct: Conduct,
}

/// The part of the run during which an endpoint is subscribed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Subscribed {
    /// The whole run: every event must be delivered to the endpoint.
    Throughout,
    /// A part of the run: an event may have a delivery to the endpoint or none, and its
    /// deliveries may be cancelled.
    Partly,
}

/// The answers of an endpoint, as far as the judgement depends on them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Conduct {
    /// It accepts every request that it reads, with a complete head, immediately or after a
    /// short delay.
    AcceptsAll,
    /// It refuses some requests or leaves them unanswered.
    MayFail,
}

/// The deployment settings that bound the history.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The shortest delay before each attempt, including the first.
    pub(crate) schedule: Vec<Duration>,
    /// The longest duration of one request.
    pub(crate) request_timeout: Duration,
    /// The longest duration of one invocation of the delivery function.
    pub(crate) run_timeout: Duration,
}

/// Everything that is known after the run has settled.
#[derive(Clone, Debug)]
pub(crate) struct History {
    /// The settings of the deployed stack.
    pub(crate) limits: Limits,
    /// The events that were put.
    pub(crate) events: Vec<PutEvent>,
    /// The endpoints that were subscribed.
    pub(crate) endpoints: Vec<Endpoint>,
    /// The requests that the receiver saw, with its answers, in order.
    pub(crate) requests: Vec<Arc<Request>>,
    /// The deliveries that the stack reports.
    pub(crate) deliveries: Vec<Delivery>,
    /// The number of requests that may exist without a recorded attempt, for each delivery id:
    /// one for each crash, duplicate or fault that affected the delivery. Kept connections that
    /// were cut are counted separately.
    pub(crate) repeats: HashMap<String, usize>,
}

/// A kind of broken guarantee.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    /// An event without a delivery, or a delivery that ended unsuccessfully before its last
    /// attempt.
    Lost,
    /// A request, a delivery or an attempt that belongs to no event that was put.
    Phantom,
    /// More requests than the attempts, crashes, duplicates and faults explain.
    Forked,
    /// More attempts than the schedule allows, or a request after the delivery ended.
    BeyondBound,
    /// A `webhook-id` that differs from the message's id.
    BadId,
    /// A body that differs between requests, or from the event that was put.
    BadBody,
    /// A signature that does not verify, or a timestamp that does not match the request.
    BadSignature,
    /// An attempt before its scheduled time.
    TooEarly,
    /// A delivery that is still pending.
    NotTerminal,
    /// Attempts that are not numbered 1, 2, 3 and so on.
    NotContiguous,
    /// A request to an endpoint that has no such delivery, or that was signed for another
    /// endpoint.
    WrongRecipient,
    /// An attempt that is recorded as failed, or as having used its full time, although the
    /// endpoint accepted it.
    Misjudged,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Lost => "lost",
            Self::Phantom => "phantom",
            Self::Forked => "forked",
            Self::BeyondBound => "beyond bound",
            Self::BadId => "bad id",
            Self::BadBody => "bad body",
            Self::BadSignature => "bad signature",
            Self::TooEarly => "too early",
            Self::NotTerminal => "not terminal",
            Self::NotContiguous => "not contiguous",
            Self::WrongRecipient => "wrong recipient",
            Self::Misjudged => "misjudged",
        })
    }
}

/// One broken guarantee, and where it was found.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    /// The kind of guarantee.
    pub(crate) kind: Kind,
    /// The delivery id, or the message and path if there is no delivery.
    pub(crate) subject: String,
    /// The evidence.
    pub(crate) detail: String,
}

/// The result of judging a history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judgement {
    /// All violations.
    pub(crate) violations: Vec<Violation>,
    /// The number of requests without a recorded attempt.
    pub(crate) unrecorded: usize,
}

impl Judgement {
    fn add(&mut self, kind: Kind, subject: impl fmt::Display, detail: impl fmt::Display) {
        self.violations.push(Violation {
            kind,
            subject: subject.to_string(),
            detail: detail.to_string(),
        });
    }
}

/// An event and an endpoint that must receive it.
type ExpectedDelivery<'a> = (&'a str, &'a str);

impl History {
    /// Finds all violations.
    ///
    /// # Errors
    /// If the stack reports a time that is not RFC 3339.
    pub(crate) fn judge(&self) -> Result<Judgement> {
        let mut judgement = Judgement::default();
        self.judge_endpoints(&mut judgement);
        let requests = self.requests_by_delivery(&mut judgement);
        let mut deliveries: HashMap<ExpectedDelivery<'_>, &Delivery> = self
            .deliveries
            .iter()
            .map(|delivery| {
                let expected_delivery = (
                    delivery.message_id.as_str(),
                    delivery.subscription_id.as_str(),
                );
                (expected_delivery, delivery)
            })
            .collect();
        for event in &self.events {
            for endpoint in &self.endpoints {
                let expected_delivery =
                    (event.message_id.as_str(), endpoint.subscription_id.as_str());
                let requests = requests
                    .get(&expected_delivery)
                    .map_or(&[][..], Vec::as_slice);
                match (deliveries.remove(&expected_delivery), requests.len()) {
                    (Some(delivery), _) => {
                        self.judge_delivery(delivery, endpoint, requests, &mut judgement)?;
                    }
                    (None, 0) if endpoint.subscribed == Subscribed::Partly => {}
                    (None, 0) => {
                        let subject = format!("{} {}", event.message_id, endpoint.path);
                        judgement.add(Kind::Lost, subject, "no delivery and no request");
                    }
                    (None, count) => {
                        let subject = format!("{} {}", event.message_id, endpoint.path);
                        let detail = format!("{count} request(s) without a recorded delivery");
                        let kind = match endpoint.subscribed {
                            Subscribed::Throughout => Kind::Phantom,
                            Subscribed::Partly => Kind::WrongRecipient,
                        };
                        judgement.add(kind, subject, detail);
                    }
                }
            }
        }
        for delivery in deliveries.into_values() {
            let detail = "a delivery of an event that was not put";
            judgement.add(Kind::Phantom, &delivery.id, detail);
        }
        Ok(judgement)
    }

    /// Checks that two endpoints never share a subscription id, even if one is deleted before
    /// the other is created: a delivery to the first must not reach the second.
    fn judge_endpoints(&self, judgement: &mut Judgement) {
        let mut seen = HashMap::new();
        for endpoint in &self.endpoints {
            if let Some(before) = seen.insert(&endpoint.subscription_id, &endpoint.path) {
                let detail = format!("is the id of {before} and of {}", endpoint.path);
                judgement.add(Kind::WrongRecipient, &endpoint.subscription_id, detail);
            }
        }
    }

    /// Assigns each request to an event and an endpoint, and checks it against both.
    fn requests_by_delivery(
        &self,
        judgement: &mut Judgement,
    ) -> BTreeMap<ExpectedDelivery<'_>, Vec<&Request>> {
        let by_id: HashMap<&str, &PutEvent> = self
            .events
            .iter()
            .map(|event| (event.message_id.as_str(), event))
            .collect();
        let mut bodies: HashMap<&str, &[u8]> = HashMap::new();
        let mut by_delivery: BTreeMap<ExpectedDelivery<'_>, Vec<&Request>> = BTreeMap::new();
        for request in &self.requests {
            let id = request.webhook_id();
            let subject = format!("{id} {}", request.path);
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let endpoint = self.endpoints.iter().find(|e| e.path == request.path);
            // A request whose id or body is wrong is identified by the other of the two.
            let event = by_id.get(id).copied().or_else(|| {
                let key = &body["data"][KEY];
                self.events.iter().find(|event| event.key() == key)
            });
            let (Some(endpoint), Some(event)) = (endpoint, event) else {
                judgement.add(
                    Kind::Phantom,
                    subject,
                    "a request that belongs to no event that was put",
                );
                continue;
            };
            if id != event.message_id {
                let detail = format!("the message's id is {}", event.message_id);
                judgement.add(Kind::BadId, &subject, detail);
            }
            let first = *bodies.entry(&event.message_id).or_insert(&request.body);
            if first != &request.body[..] {
                let detail = "the bytes are not those of the first request";
                judgement.add(Kind::BadBody, &subject, detail);
            } else if body["type"] != *event.event_type || body["data"] != event.detail {
                let detail = format!("{} was put as {}", event.event_type, event.detail);
                judgement.add(Kind::BadBody, &subject, detail);
            }
            if let Err(detail) = self.check_signature(request, endpoint) {
                let signed_for = |other: &&Endpoint| {
                    other.path != endpoint.path && self.check_signature(request, other).is_ok()
                };
                match self.endpoints.iter().find(signed_for) {
                    Some(other) => {
                        let detail = format!("signed for {}", other.path);
                        judgement.add(Kind::WrongRecipient, &subject, detail);
                    }
                    None => judgement.add(Kind::BadSignature, &subject, detail),
                }
            }
            let expected_delivery = (event.message_id.as_str(), endpoint.subscription_id.as_str());
            by_delivery
                .entry(expected_delivery)
                .or_default()
                .push(request);
        }
        by_delivery
    }

    /// Verifies a request as its receiver would have done on arrival. The official library
    /// verifies against the present time, so we compare with a signature that it makes.
    fn check_signature(&self, request: &Request, endpoint: &Endpoint) -> Result<(), String> {
        let timestamp = request.header(standardwebhooks::HEADER_WEBHOOK_TIMESTAMP);
        let signatures = request.header(standardwebhooks::HEADER_WEBHOOK_SIGNATURE);
        let timestamp: i64 = timestamp
            .parse()
            .map_err(|_| format!("timestamp `{timestamp}` is not a number"))?;
        let expected = standardwebhooks::Webhook::new(&endpoint.secret)
            .and_then(|webhook| webhook.sign(request.webhook_id(), timestamp, &request.body))
            .map_err(|error| error.to_string())?;
        if !signatures.split(' ').any(|signature| signature == expected) {
            return Err("the signature does not verify".to_owned());
        }
        let arrived = OffsetDateTime::from(request.received_at).unix_timestamp();
        let oldest = arrived - seconds(self.limits.request_timeout + TIMESTAMP_SLACK);
        if (oldest..=arrived).contains(&timestamp) {
            Ok(())
        } else {
            Err(format!("timestamp {timestamp} came at {arrived}"))
        }
    }

    fn judge_delivery(
        &self,
        delivery: &Delivery,
        endpoint: &Endpoint,
        requests: &[&Request],
        judgement: &mut Judgement,
    ) -> Result<()> {
        let id = &delivery.id;
        let attempts = &delivery.attempts;
        let numbers: Vec<_> = attempts.iter().map(|attempt| attempt.number).collect();
        if !numbers
            .iter()
            .copied()
            .zip(1..)
            .all(|(number, place)| number == place)
        {
            judgement.add(Kind::NotContiguous, id, format!("{numbers:?}"));
        }
        let most = self.limits.schedule.len();
        if attempts.len() > most {
            let detail = format!("{} attempts, of {most}", attempts.len());
            judgement.add(Kind::BeyondBound, id, detail);
        }
        let accepted = |request: &&Request| request.answer.is_some_and(|a| a.is_success());
        match delivery.status {
            DeliveryStatus::Pending => judgement.add(Kind::NotTerminal, id, delivery.status),
            DeliveryStatus::Succeeded if !requests.iter().any(accepted) => {
                judgement.add(Kind::Lost, id, "succeeded without a request that did");
            }
            // No endpoint answers 410, and no event has a deadline, so nothing else ends a
            // delivery early.
            DeliveryStatus::Failed if attempts.len() < most => {
                let detail = format!("failed after {} of {most} attempts", attempts.len());
                judgement.add(Kind::Lost, id, detail);
            }
            DeliveryStatus::Cancelled if endpoint.subscribed == Subscribed::Partly => {}
            // Only the replaced subscription is deleted, and none is paused.
            DeliveryStatus::Cancelled | DeliveryStatus::Held => {
                judgement.add(Kind::Lost, id, delivery.status);
            }
            DeliveryStatus::Succeeded | DeliveryStatus::Failed => {}
        }
        if endpoint.conduct == Conduct::AcceptsAll {
            self.judge_accepted(delivery, judgement);
        }
        for (pair, &delay) in attempts.windows(2).zip(self.limits.schedule.iter().skip(1)) {
            let waited = started(&pair[1])? - ended(&pair[0])?;
            if waited < delay {
                let number = pair[1].number;
                let detail = format!("attempt {number} after {waited}, not {delay:?}");
                judgement.add(Kind::TooEarly, id, detail);
            }
        }
        self.judge_requests(delivery, requests, judgement)
    }

    /// Checks the attempts to an endpoint that accepts everything. A time-out is allowed: on a
    /// busy machine, it can happen before the endpoint could answer.
    fn judge_accepted(&self, delivery: &Delivery, judgement: &mut Judgement) {
        for attempt in &delivery.attempts {
            let number = attempt.number;
            match attempt.outcome {
                AttemptOutcome::TimedOut => {}
                AttemptOutcome::Succeeded => {
                    let took = Duration::from_millis(attempt.duration_ms);
                    if took >= self.limits.request_timeout {
                        let detail = format!("attempt {number} succeeded after {took:?}");
                        judgement.add(Kind::Misjudged, &delivery.id, detail);
                    }
                }
                outcome => {
                    let error = attempt.error.as_deref().unwrap_or_default();
                    let detail = format!("attempt {number}: {outcome:?}: {error}");
                    judgement.add(Kind::Misjudged, &delivery.id, detail);
                }
            }
        }
    }

    /// Compares the requests with the recorded attempts.
    fn judge_requests(
        &self,
        delivery: &Delivery,
        requests: &[&Request],
        judgement: &mut Judgement,
    ) -> Result<()> {
        let id = &delivery.id;
        let mut recorded = HashSet::new();
        for attempt in &delivery.attempts {
            let second = started(attempt)?.unix_timestamp().to_string();
            let made_it = |request: &Request| {
                request.header(standardwebhooks::HEADER_WEBHOOK_TIMESTAMP) == second
                    && (attempt.status.is_none()
                        || attempt.status == request.answer.map(|answer| answer.as_u16()))
            };
            let found = (0..requests.len())
                .find(|index| !recorded.contains(index) && made_it(requests[*index]));
            match (found, attempt.status) {
                (Some(index), _) => drop(recorded.insert(index)),
                // The request may not have reached the receiver.
                (None, None) => {}
                (None, Some(status)) => {
                    let number = attempt.number;
                    let detail = format!("attempt {number}: no request was answered {status}");
                    judgement.add(Kind::Phantom, id, detail);
                }
            }
        }
        let end = delivery.attempts.last().map(ended).transpose()?;
        let end = end.filter(|_| delivery.status.is_terminal());
        let mut repeated = 0;
        for index in (0..requests.len()).filter(|index| !recorded.contains(index)) {
            judgement.unrecorded += 1;
            let arrived = OffsetDateTime::from(requests[index].received_at);
            match end.filter(|end| arrived > *end + self.limits.run_timeout) {
                Some(end) => {
                    let detail = format!("a request {} after the end", arrived - end);
                    judgement.add(Kind::BeyondBound, id, detail);
                }
                None => repeated += 1,
            }
        }
        let cut = requests.iter().filter(|request| request.is_cut_while_kept);
        let explained = self.repeats.get(id).copied().unwrap_or_default() + cut.count();
        if repeated > explained {
            let detail = format!(
                "{repeated} of {} requests are not recorded, {explained} may be; {}",
                requests.len(),
                timeline(delivery, requests)
            );
            judgement.add(Kind::Forked, id, detail);
        }
        Ok(())
    }
}

/// Returns the times of the requests and of the recorded attempts, for whoever looks for the
/// cause of a repeat.
fn timeline(delivery: &Delivery, requests: &[&Request]) -> String {
    let requests = requests.iter().map(|request| {
        let answer = request.answer.map_or("none".into(), |a| a.to_string());
        let arrived = OffsetDateTime::from(request.received_at);
        format!("request at {} answered {answer}", arrived.time())
    });
    let attempts = delivery.attempts.iter().map(|attempt| {
        let Attempt { number, at, .. } = attempt;
        format!("attempt {number} at {at} took {} ms", attempt.duration_ms)
    });
    requests.chain(attempts).collect::<Vec<_>>().join(", ")
}

fn started(attempt: &Attempt) -> Result<OffsetDateTime> {
    OffsetDateTime::parse(&attempt.at, &Rfc3339)
        .with_context(|| format!("attempt {}: at `{}`", attempt.number, attempt.at))
}

fn ended(attempt: &Attempt) -> Result<OffsetDateTime> {
    Ok(started(attempt)? + Duration::from_millis(attempt.duration_ms))
}

fn seconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
