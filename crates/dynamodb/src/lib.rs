//! The DynamoDB table: its keys, its items, and the stores built on them.
//!
//! One table holds everything. Every read of a function is by key; only an operator
//! who looks for what was lost scans ([`DynamoStore::overdue_page`]).
//!
//! | item | pk | sk |
//! |---|---|---|
//! | subscription | `CUSTOMER#{customer id}` | `SUBSCRIPTION#{subscription id}` |
//! | message | `MESSAGE#{message id}` | `MESSAGE` |
//! | delivery | `MESSAGE#{message id}` | `DELIVERY#{subscription id}` |
//! | endpoint limiter | `SUBSCRIPTION#{subscription id}` | `LIMITER` |
//! | recovery | `RECOVERY#{customer id}` | `{subscription id}#{recovery id}` |
//! | data key | `DATA_KEY` | `0000000001` |
//!
//! | index | partition | sorted by | entries |
//! |---|---|---|---|
//! | `due` | `dueShard` | `sweepAt` | pending deliveries that have failed at least once, or were asked for again |
//! | `deliveries` | `sk` | `createdAt` | all deliveries, by subscription |
//! | `undelivered` | `owedTo` | `createdAt` | deliveries that are held, failed, or pending after something went wrong, by subscription |
//! | `messages` | `customerId` | `receivedAt` | all messages, by customer |
//!
//! Messages and deliveries are written by the workflow from the items that
//! [`item`] builds, and expire by the attribute `expiresAt`.
//!
//! This crate decides nothing: conditions hold what [`webhooks_domain`] decided.

pub mod item;

mod batch_loader;
mod batched_reads;
mod data_keys;
mod deliveries;
mod due_index;
mod idempotency;
mod lenient;
mod limiter;
mod lists;
#[cfg(test)]
mod look_up_units;
mod overdue;
mod recoveries;
mod store;
mod subscriptions;
mod transaction;
mod usage;
#[cfg(test)]
mod write_units;

pub use overdue::{OverduePage, ScanCursor, Segment};
pub use store::DynamoStore;
