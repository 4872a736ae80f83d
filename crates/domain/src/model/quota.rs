//! The quota of a customer. It is needed because every event reads all subscriptions of its
//! customer.

use crate::limits::UpTo;
use crate::subscription::Subscription;

/// The usage of a customer: its subscriptions in total. The table updates it in the same
/// transaction as every change of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// The number of subscriptions.
    pub subscriptions: i64,
    /// The sum of their sizes, as [`Subscription::size_bytes`] counts them.
    pub bytes: i64,
}

impl Usage {
    /// The usage of one subscription.
    pub fn of(subscription: &Subscription) -> Self {
        Self {
            subscriptions: 1,
            bytes: signed(subscription.size_bytes()),
        }
    }
}

impl std::ops::Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            subscriptions: self.subscriptions + other.subscriptions,
            bytes: self.bytes + other.bytes,
        }
    }
}

impl std::ops::Sub for Usage {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            subscriptions: self.subscriptions - other.subscriptions,
            bytes: self.bytes - other.bytes,
        }
    }
}

/// A customer's own limit for the number of its subscriptions.
pub type MaxSubscriptions = UpTo<10_000>;

/// The data of a customer because of which a transaction on its subscriptions was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CountedUsage {
    /// The counted usage.
    pub usage: Usage,
    /// The customer's own limit.
    pub max_subscriptions: Option<MaxSubscriptions>,
    /// True if the customer is being deleted. Then nothing can be created.
    pub is_being_deleted: bool,
}

/// The limit for a customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// The number of subscriptions.
    pub subscriptions: u32,
}

impl Quota {
    /// The largest subscription, in bytes.
    pub const MAX_SUBSCRIPTION_BYTES: usize = 16_384;
    /// The limit for all subscriptions of a customer together, in bytes: 256 read units for an
    /// event.
    pub const MAX_BYTES: i64 = 1_048_576;

    /// The quota of a customer with a limit of its own.
    #[must_use]
    pub fn with_own(self, own: Option<MaxSubscriptions>) -> Self {
        Self {
            subscriptions: own.map_or(self.subscriptions, u32::from),
        }
    }

    /// Returns true if the quota has room for this growth. A change that does not grow is always
    /// allowed.
    pub fn has_room(self, stored: Usage, growth: Usage) -> bool {
        let after = stored + growth;
        (growth.subscriptions <= 0 || after.subscriptions <= i64::from(self.subscriptions))
            && (growth.bytes <= 0 || after.bytes <= Self::MAX_BYTES)
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_does_not_grow_is_always_allowed() {
        let quota = Quota { subscriptions: 2 };
        let usage = |subscriptions, bytes| Usage {
            subscriptions,
            bytes,
        };
        let full = usage(2, Quota::MAX_BYTES);
        assert!(quota.has_room(usage(1, 0), usage(1, 100)));
        assert!(!quota.has_room(full, usage(1, 0)));
        assert!(!quota.has_room(full, usage(0, 1)));
        assert!(!quota.has_room(usage(0, Quota::MAX_BYTES), usage(1, 1)));
        let beyond = full + full;
        assert!(quota.has_room(beyond, usage(0, 0)));
        assert!(quota.has_room(beyond, usage(0, 0) - usage(1, 100)));
    }
}
