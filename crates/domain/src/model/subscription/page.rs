//! Pages of subscriptions.

use super::{BrokenSubscription, Subscription};
use crate::broken::Broken;
use crate::ids::SubscriptionId;

/// A page of a customer's subscriptions, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionPage {
    /// The subscriptions.
    pub subscriptions: Vec<Subscription>,
    /// The unreadable ones. They do not hide the others.
    pub broken: Vec<BrokenSubscription>,
    /// Items without a readable subscription id. Nothing can be sent to them.
    pub unnamed: Vec<Broken<String>>,
    /// True if there may be more after the last of them.
    pub has_more: bool,
}

impl SubscriptionPage {
    /// All of them, in the order of their ids.
    pub fn in_order(
        &self,
    ) -> impl Iterator<Item = (SubscriptionId, Result<&Subscription, &BrokenSubscription>)> {
        let whole = self.subscriptions.iter().map(|whole| (whole.id, Ok(whole)));
        let broken = self
            .broken
            .iter()
            .map(|broken| (broken.readable.id, Err(broken)));
        let mut all: Vec<_> = whole.chain(broken).collect();
        all.sort_by_key(|(id, _)| *id);
        all.into_iter()
    }

    /// The last of them.
    pub fn last_id(&self) -> Option<SubscriptionId> {
        self.in_order().last().map(|(id, _)| id)
    }
}
