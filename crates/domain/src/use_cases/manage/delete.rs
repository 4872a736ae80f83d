//! Deletes a subscription.

use crate::ids::{CustomerId, SubscriptionId};
use crate::manage::check_version;
use crate::manage::error::conflict;
use crate::manage::{ExpectedVersion, MAX_TRIES, Manage, ManageError};
use crate::ports::{SubscriptionStore, WriteOutcome};
use crate::read_subscription::{ReadError, read_subscription};

impl<T: SubscriptionStore, V, C> Manage<T, V, C> {
    /// Deletes a subscription. Its pending deliveries are cancelled when they become due.
    pub async fn delete(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
        expected: &ExpectedVersion,
    ) -> Result<(), ManageError> {
        let mut current = match self.show_for_change(customer, id, expected).await {
            Err(ManageError::Broken(broken)) => {
                check_version(&broken.readable, expected)?;
                broken.readable
            }
            shown => shown?,
        };
        for _ in 0..MAX_TRIES {
            if self.table.remove(&current).await? == WriteOutcome::Written {
                return Ok(());
            }
            // It has changed, or it does not exist: possibly because this write was repeated after
            // its response was lost.
            let stored = match read_subscription(&self.table, customer, id).await {
                Err(ReadError::Broken(broken)) => Some(broken.readable),
                stored => stored?,
            };
            match stored {
                None => return Ok(()),
                Some(changed) if expected.allows(changed.version) => current = changed,
                Some(_) => break,
            }
        }
        Err(conflict(*id, expected))
    }
}
