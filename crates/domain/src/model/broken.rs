//! Stored items that cannot be read completely.

use crate::ids::CustomerId;

/// A stored item that cannot be read completely. Lists show it by its id, and it hides no other
/// item.
///
/// For subscriptions there is more detail:
/// [`BrokenSubscription`](crate::subscription::BrokenSubscription).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken<I> {
    /// The id.
    pub id: I,
    /// The customer, if it can be read.
    pub customer_id: Option<CustomerId>,
    /// The problem.
    pub problem: String,
}

/// An item, or its id and the problem if it cannot be read.
pub type Readable<T, I> = Result<T, Broken<I>>;
