//! The DynamoDB table: its keys, its items, and the stores built on them.
//!
//! One table holds everything. Every read of a function is by key; only an operator who looks for
//! lost deliveries uses a scan ([`DynamoStore::overdue_page`]).
//!
//! | item | pk | sk |
//! |---|---|---|
//! | customer, with its usage | `CUSTOMERS` | `{customer id}` |
//! | event type in the catalogue | `EVENT_TYPES` | `{name}` |
//! | index of the event types, with their number | `EVENT_TYPES` | `#COUNT` |
//! | event types that validate their events | `VALIDATED_TYPES` | `LIST` |
//! | subscription | `CUSTOMER#{customer id}` | `SUBSCRIPTION#{subscription id}` |
//! | message | `MESSAGE#{message id}` | `MESSAGE` |
//! | delivery | `MESSAGE#{message id}` | `DELIVERY#{subscription id}` |
//! | former requests of a subscription | `CUSTOMER#{customer id}` | `VERSION#{subscription id}#{version}` |
//! | access token of a subscription | `CUSTOMER#{customer id}` | `TOKEN#{subscription id}` |
//! | limiter of a subscription | `SUBSCRIPTION#{subscription id}` | `LIMITER` |
//! | limit of a customer | `CUSTOMER#{customer id}` | `LIMIT` |
//! | limiter of a customer | `CUSTOMER#{customer id}` | `LIMITER` |
//! | statistics of an hour | `SUBSCRIPTION#{subscription id}` | `STATISTICS#{hour}` |
//! | long answer to a failed attempt | `SUBSCRIPTION#{subscription id}` | `EXCHANGE#{message id}#{attempt}#{time}` |
//! | recovery | `RECOVERY#{customer id}` | `{subscription id}#{recovery id}` |
//! | session of the portal | `PORTAL#{customer id}` | `{session id}` |
//! | data key | `DATA_KEY` | `0000000001` |
//!
//! | index | partition | sorted by | entries |
//! |---|---|---|---|
//! | `due` | `dueShard` | `sweepAt` | pending deliveries that have failed at least once, or were resent; subscriptions that hold deliveries |
//! | `deliveries` | `sk` | `createdAt` | all deliveries, by subscription |
//! | `undelivered` | `owedTo` | `createdAt` | deliveries that are held, failed, or pending after a failed attempt, by subscription; in the partition `UNHEALTHY` the unhealthy subscriptions |
//! | `messages` | `customerId` | `receivedAt` | all messages, by customer |
//!
//! The workflow writes messages and deliveries from the items that [`item`] builds. They expire by
//! the attribute `expiresAt`, and so do the parts of exchanges, and access tokens.
//!
//! This crate makes no decisions: its conditions express what [`webhooks_domain`] has decided.

pub mod item;
pub mod key;

mod batch_loader;
mod batched_reads;
mod catalogue;
mod customers;
mod data_keys;
mod deletions;
mod deliveries;
mod due_index;
mod exchanges;
mod idempotency;
mod lenient;
mod limiter;
mod lists;
#[cfg(test)]
mod look_up_units;
mod overdue;
mod portal_sessions;
mod portal_usage;
mod recoveries;
mod statistics;
mod store;
mod subscriptions;
mod tokens;
mod transaction;
mod unhealthy;
mod usage;
#[cfg(test)]
mod write_units;

pub use deliveries::RESEND_ATTRIBUTES;
pub use overdue::{OverduePage, ScanCursor, Segment};
pub use store::DynamoStore;
