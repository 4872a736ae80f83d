//! Deletes a subscription.

use crate::ids::{CustomerId, SubscriptionId};
use crate::manage::check_version;
use crate::manage::error::conflict;
use crate::manage::{ExpectedVersion, MAX_TRIES, Manage, ManageError};
use crate::ports::{Clock, SubscriptionStore, WriteOutcome};
use crate::read_subscription::{ReadError, read_subscription};

impl<T: SubscriptionStore, V, C: Clock> Manage<T, V, C> {
    /// Deletes a subscription. Its pending deliveries are cancelled when they become due.
    pub async fn delete(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
        expected: &ExpectedVersion,
    ) -> Result<(), ManageError> {
        let (mut current, mut can_read_requests) =
            match self.show_for_change(customer, id, expected).await {
                Err(ManageError::Broken(broken)) => {
                    check_version(&broken.readable, expected)?;
                    let can_read_requests = broken.can_read_requests();
                    (broken.readable, can_read_requests)
                }
                shown => (shown?, true),
            };
        for _ in 0..MAX_TRIES {
            let former = can_read_requests.then(|| self.former_requests(&current));
            let removed = self.table.remove(&current, former.as_ref());
            if removed.await? == WriteOutcome::Written {
                return Ok(());
            }
            // It has changed, or it does not exist: possibly because this write was repeated after
            // its response was lost.
            let stored = match read_subscription(&self.table, customer, id).await {
                Err(ReadError::Broken(broken)) => {
                    let can_read_requests = broken.can_read_requests();
                    Some((broken.readable, can_read_requests))
                }
                stored => stored?.map(|found| (found, true)),
            };
            match stored {
                None => return Ok(()),
                Some((changed, can_read)) if expected.allows(changed.version) => {
                    (current, can_read_requests) = (changed, can_read);
                }
                Some(_) => break,
            }
        }
        Err(conflict(*id, expected))
    }
}
