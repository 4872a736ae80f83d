//! Replaces a subscription, within the quota of its customer.

use crate::fields::FieldError;
use crate::ids::CustomerId;
use crate::manage::error::conflict;
use crate::manage::{ExpectedVersion, MAX_TRIES, Manage, ManageError};
use crate::ports::{
    Clock, HealthFate, Replacement, ReplacementOutcome, StoreError, SubscriptionStore,
};
use crate::quota::{CountedUsage, Quota, Usage};
use crate::subscription::{FormerRequests, Subscription};

/// The number of subscriptions in one read, when they are counted.
const COUNTED_AT_ONCE: u32 = 200;

impl<T: SubscriptionStore, V, C: Clock> Manage<T, V, C> {
    /// Replaces a subscription that can be read. If its requests change, the former ones are kept.
    pub(super) fn replace<'a>(
        &'a self,
        read: &'a Subscription,
        changed: Subscription,
        health: HealthFate,
        expected: &'a ExpectedVersion,
    ) -> impl Future<Output = Result<Subscription, ManageError>> + 'a {
        let mut former = self.former_requests(read);
        let shape = changed.request_shape();
        let has_others = shape != former.shape;
        // Whoever makes a header secret wants its value to be seen no more.
        former
            .shape
            .hide(shape.secret_headers.iter().map(String::as_str));
        let former = has_others.then_some(former);
        self.replace_keeping(read, changed, former, health, expected)
    }

    /// The requests of a subscription, for the deliveries that exist already: for the attempts that
    /// were made so far, and for the shape of their bodies.
    pub(super) fn former_requests(&self, of: &Subscription) -> FormerRequests {
        // Such a delivery may wait as long as the retention for its first attempt, and expires the
        // retention after that.
        of.former_requests(self.clock.now() + self.retention * 2)
    }

    /// Replaces a subscription, and keeps these requests of it.
    pub(super) async fn replace_keeping(
        &self,
        read: &Subscription,
        mut changed: Subscription,
        former: Option<FormerRequests>,
        health: HealthFate,
        expected: &ExpectedVersion,
    ) -> Result<Subscription, ManageError> {
        if former.is_some() {
            changed.request_version = changed.version;
        }
        let growth = Usage::of(&changed) - Usage::of(read);
        if growth.bytes > 0 {
            check_size(&changed)?;
        }
        let replacement = Replacement {
            read,
            changed: &changed,
            former: former.as_ref(),
            health,
            quota: self.quota,
        };
        for _ in 0..MAX_TRIES {
            match self.table.replace(&replacement).await? {
                ReplacementOutcome::Written => return Ok(changed),
                ReplacementOutcome::Conflict => break,
                ReplacementOutcome::Refused(counted) => {
                    self.make_sure(&read.customer_id, counted, growth).await?;
                }
            }
        }
        Err(conflict(changed.id, expected))
    }
}

impl<T: SubscriptionStore, V, C> Manage<T, V, C> {
    /// Counts a customer's subscriptions after its quota has refused a change, and corrects the
    /// usage in the table if it is wrong. Returns an error if the refusal was right.
    pub(super) async fn make_sure(
        &self,
        customer: &CustomerId,
        counted: CountedUsage,
        growth: Usage,
    ) -> Result<(), ManageError> {
        if counted.is_being_deleted {
            let customer = customer.clone();
            return Err(ManageError::CustomerDeleted { customer });
        }
        let actual = self.count(customer).await?;
        if actual != counted.usage {
            self.table
                .correct_usage(customer, counted.usage, actual)
                .await?;
        }
        let quota = self.quota.with_own(counted.max_subscriptions);
        let max = quota.subscriptions;
        let after = actual + growth;
        if quota.has_room(actual, growth) {
            Ok(())
        } else if growth.subscriptions > 0 && after.subscriptions > i64::from(max) {
            let customer = customer.clone();
            Err(ManageError::TooMany { customer, max })
        } else {
            let customer = customer.clone();
            Err(ManageError::TooLargeTogether { customer })
        }
    }

    async fn count(&self, customer: &CustomerId) -> Result<Usage, StoreError> {
        let (mut usage, mut after) = (Usage::default(), None);
        loop {
            let page = self.table.page(customer, after.as_ref(), COUNTED_AT_ONCE);
            let page = page.await?;
            for (id, subscription) in page.in_order() {
                let subscription = subscription.unwrap_or_else(|broken| &broken.readable);
                usage = usage + Usage::of(subscription);
                after = Some(id);
            }
            if !page.has_more {
                return Ok(usage);
            }
        }
    }
}

/// Checks the size, because every event of the customer reads the subscription.
pub(super) fn check_size(subscription: &Subscription) -> Result<(), FieldError> {
    let (size, max) = (subscription.size_bytes(), Quota::MAX_SUBSCRIPTION_BYTES);
    if size <= max {
        return Ok(());
    }
    let problem =
        format!("makes a subscription of {size} bytes, and must make one of at most {max}");
    Err(FieldError::new("body", problem))
}
