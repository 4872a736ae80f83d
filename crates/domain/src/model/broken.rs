//! Stored items of which not everything can be read.

use crate::ids::CustomerId;

/// An item that is stored, and of which not everything can be read. That is its own failure: it
/// is named wherever it would be shown, and hides no other.
///
/// Of subscriptions more is known: [`BrokenSubscription`](crate::subscription::BrokenSubscription).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken<I> {
    /// Which one.
    pub id: I,
    /// Whose it is, where that can be read.
    pub customer_id: Option<CustomerId>,
    /// What cannot be read.
    pub problem: String,
}

/// An item, as far as it can be read.
pub type Readable<T, I> = Result<T, Broken<I>>;
