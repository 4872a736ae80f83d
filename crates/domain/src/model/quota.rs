//! How much a customer may store: every event of a customer reads all of its subscriptions.

use crate::subscription::Subscription;

/// What a customer's subscriptions take together. The table counts it with every write that
/// changes it, in the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// How many there are.
    pub subscriptions: i64,
    /// Their sizes together, as [`Subscription::size_bytes`] counts them.
    pub bytes: i64,
}

impl Usage {
    /// What one subscription takes.
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

/// The most that a customer may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many subscriptions.
    pub subscriptions: u32,
}

impl Quota {
    /// The largest subscription, in bytes.
    pub const MAX_SUBSCRIPTION_BYTES: usize = 16_384;
    /// All subscriptions of a customer together, in bytes: 256 read units for an event.
    pub const MAX_BYTES: i64 = 1_048_576;

    /// Whether there is room for a growth of what is stored. What does not grow always has.
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
    fn what_does_not_grow_always_has_room() {
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
