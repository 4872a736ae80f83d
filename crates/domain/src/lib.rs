//! The types and the decisions of the webhook provider.
//!
//! # Cast of characters
//!
//! | word | meaning |
//! |---|---|
//! | event | an entry that a producer puts on the bus |
//! | customer | the producer's customer to whom an event belongs ([`Customer`](customer::Customer)) |
//! | message | our stored copy of one event ([`Message`](message::Message)) |
//! | subscription | a customer's endpoint, with its event types and filter ([`Subscription`](subscription::Subscription)) |
//! | delivery | the delivery of one message to one subscription ([`Delivery`](delivery::Delivery)) |
//! | attempt | one HTTP request made for a delivery ([`Attempt`](delivery::Attempt)) |
//!
//! # Terms
//!
//! Each term of the code, with the established concept behind it.
//!
//! | term | concept |
//! |---|---|
//! | delivery task ([`DeliveryTask`](delivery::DeliveryTask)) | a message of an at-least-once queue, for an idempotent consumer |
//! | next task before record ([`deliver`]) | ordering of effects, as in a transactional outbox: a crash repeats an effect and loses none |
//! | trigger ([`DeliveryTrigger`](delivery::DeliveryTrigger)) | the cause of a delivery: event, resend, replay or test |
//! | verdict ([`Verdict`](delivery::Verdict)) | the transition of a state machine after an attempt |
//! | admission, deferral ([`deliver`]) | admission control |
//! | endpoint limiter ([`limits`]) | rate limiter by GCRA (generic cell rate algorithm) with a theoretical arrival time, and concurrency limiter by leases |
//! | lease | lease with a fencing token |
//! | reservation | a time slot in the backlog of a rate limiter |
//! | circuit breaker, probe ([`health`]) | circuit breaker: closed, open, half-open |
//! | window ([`health`]) | sliding window |
//! | fast and slow queue ([`QueueKind`](queue::QueueKind)) | bulkhead |
//! | `due` index, sweep ([`due`], [`sweep`]) | delayed queue in a table, with a poller |
//! | hold ([`unavailable`]) | a dead letter that is sent again by itself, after a probe of a circuit breaker succeeds |
//! | conflict | optimistic concurrency control by conditional writes |
//! | vault, data key, sealed ([`vault`]) | envelope encryption |
//! | secret header ([`SealedHeaders`](outbound::SealedHeaders)) | a custom header whose value is sealed for one origin |
//! | access token, token endpoint ([`TokenRecord`](outbound::TokenRecord)) | OAuth 2.0 client credentials; a cache that one holder of a lease refreshes ahead of its end |
//! | session, code, token ([`portal_session`]) | a bearer session in a cookie, made by a login link that works once |
//! | audience, actor ([`portal_session`]) | the site that a session opens: a customer's portal or the console; the subject of the audit |
//! | contact ([`contact`]) | an e-mail address that is told about failing endpoints |
//! | warning, step ([`health`]) | an escalation: each step is taken once in a failing period |
//! | catalogue ([`catalogue`]) | a registry of event types, with their schemas and examples |
//! | statistics ([`statistics`]) | counters and a histogram for each hour, with sampling of successes |
//! | operational event ([`operational`]) | domain event, published best-effort |
//! | exchange ([`show_exchanges`]) | the request of an attempt and the answer to it |
//! | held, resend, recovery, replay | a dead letter that an operator sends again |
//!
//! # The life of a delivery
//!
//! 1. [`event`] turns a raw event into a message, or says what is wrong with it.
//! 2. [`look_up`] finds the customer's subscriptions that match it, page by page.
//! 3. [`prepare`] makes one [`Delivery`](delivery::Delivery) for each, `pending` or `held`.
//! 4. [`deliver`] makes an attempt: read, sign, send, schedule the next, record.
//!    Afterwards [`count_attempts`] adds the attempts of a batch to the statistics.
//! 5. [`delivery`] and [`retry`] decide what follows, until the delivery is `succeeded`, `failed`
//!    or `cancelled`.
//! 6. [`resend`] resends a delivery that has ended or is held, on request; [`recover`] resends
//!    many, at a rate that the endpoint can take.
//! 7. [`unavailable`] probes an endpoint whose deliveries are held, and sends these deliveries once
//!    the endpoint answers.
//! 8. [`due`] decides where a delivery waits for its next attempt; [`sweep`] ends long waits and
//!    finds lost tasks.
//!
//! # What this crate is not
//!
//! It does no I/O, and uses no AWS, async runtime, HTTP client, environment or clock. They are
//! behind the [`ports`].
//!
//! # Layers
//!
//! - `model`: the types, and pure decisions on them.
//! - [`ports`]: the traits that adapters implement, in terms of the model.
//! - `use_cases`: each one reads through ports, decides, and writes through ports.
//!
//! A module uses only modules before it, in the order that `tests/layers.rs` declares and checks.

mod model;
pub mod ports;
mod use_cases;

pub(crate) use model::members;
pub use model::{
    broken, catalogue, contact, customer, data_key, delivery, due, errors, event, event_type,
    fields, filter, gzip, health, idempotency, ids, limits, message, metadata, operational,
    outbound, paging, payload_format, payload_shape, portal_session, prepare, queue, quota,
    recovery, retention, retry, signing, statistics, subscription, text, timestamp,
};
pub use use_cases::{
    cancel, check_event, count_attempts, customers, delete_customers, deliver, limiter, lists,
    look_up, manage, manage_catalogue, portal_access, portal_allowance, portal_sessions, publish,
    read_delivery, read_shape, read_subscription, recover, resend, send_test, show_exchanges,
    show_statistics, sweep, unavailable, unhealthy, vault,
};
