//! Changes a subscription, or repairs one that cannot be read.

use crate::fields::FieldError;
use crate::health::Health;
use crate::ids::{CustomerId, SubscriptionId};
use crate::manage::check_version;
use crate::manage::error::conflict;
use crate::manage::{ExpectedVersion, Manage, ManageError, SubscriptionChange};
use crate::ports::{Clock, DataKeyStore, HealthFate, KeyService, SubscriptionStore, WriteOutcome};
use crate::signing::{SealedSecrets, Secret};
use crate::subscription::{BrokenSubscription, Subscription, SubscriptionStatus};
use crate::vault::{Vault, VaultError};

/// The result of a request that changes a subscription.
#[derive(Debug)]
pub struct Updated {
    /// The subscription before the change. If nothing has changed, both are equal and have the same
    /// version.
    pub before: Subscription,
    /// The subscription after the change.
    pub subscription: Subscription,
}

impl Updated {
    /// Returns true if it has a new signing secret.
    pub fn has_new_secret(&self) -> bool {
        self.subscription.secrets.current() != self.before.secrets.current()
    }

    /// Returns true if its deliveries are sent now, and were not before.
    pub fn is_enabled(&self) -> bool {
        let is_active = |of: &Subscription| of.status == SubscriptionStatus::Active;
        is_active(&self.subscription) && !is_active(&self.before)
    }
}

impl<T, S, K, C> Manage<T, Vault<S, K, C>, C>
where
    T: SubscriptionStore,
    S: DataKeyStore,
    K: KeyService,
    C: Clock,
{
    /// Changes the fields that the change names; the others stay. A change without effect is not
    /// written, and makes no new version.
    ///
    /// A new secret signs from the next attempt on, and replaces all others. If the URL or the
    /// headers change, or the subscription is made active, the health of the endpoint is reset.
    pub async fn update(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
        expected: &ExpectedVersion,
        change: SubscriptionChange,
    ) -> Result<Updated, ManageError> {
        let before = match self.show_for_change(customer, id, expected).await {
            Err(ManageError::Broken(broken)) => {
                return self.repair(*broken, expected, change).await;
            }
            shown => shown?,
        };
        let makes_active = change.status == Some(SubscriptionStatus::Active);
        let mut changed = self.changed(&before, change).await?;
        let starts_anew = makes_active || !changed.has_endpoint_of(&before);
        if starts_anew {
            changed.health = Health::default();
        }
        if changed == before {
            return Ok(Updated {
                subscription: before.clone(),
                before,
            });
        }
        if (Subscription {
            health: before.health,
            ..changed.clone()
        }) == before
        {
            // The health is not part of a version.
            let forgotten = self.table.change_health(&before, &changed.health).await?;
            return match forgotten {
                WriteOutcome::Written => Ok(Updated {
                    before,
                    subscription: changed,
                }),
                WriteOutcome::Conflict => Err(conflict(*id, expected)),
            };
        }
        changed.updated_at = self.clock.now();
        changed.version += 1;
        let health = if starts_anew {
            HealthFate::Forgotten
        } else {
            HealthFate::Kept
        };
        let subscription = self.replace(&before, changed, health, expected).await?;
        Ok(Updated {
            before,
            subscription,
        })
    }

    /// Changes a subscription that cannot be read completely. The change must set the unreadable
    /// fields.
    async fn repair(
        &self,
        broken: BrokenSubscription,
        expected: &ExpectedVersion,
        change: SubscriptionChange,
    ) -> Result<Updated, ManageError> {
        check_version(&broken.readable, expected)?;
        let left = broken.problems.iter();
        let left: Vec<_> = left
            .filter(|problem| !change.names(&problem.field))
            .collect();
        if let Some(first) = left.first() {
            let problems: Vec<_> = left.iter().map(ToString::to_string).collect();
            let problem = format!(
                "the stored values cannot be read, so set each of: {}",
                problems.join("; ")
            );
            return Err(FieldError::new(&first.field, problem).into());
        }
        let before = broken.readable;
        let mut changed = self.changed(&before, change).await?;
        changed.health = Health::default();
        changed.updated_at = self.clock.now();
        changed.version += 1;
        let fate = HealthFate::Forgotten;
        let subscription = self.replace(&before, changed, fate, expected).await?;
        Ok(Updated {
            before,
            subscription,
        })
    }

    /// The subscription with the fields of the change, and with its old version.
    pub(super) async fn changed(
        &self,
        current: &Subscription,
        change: SubscriptionChange,
    ) -> Result<Subscription, ManageError> {
        self.check_bounds(&change)?;
        let secrets = match &change.secret {
            Some(secret) => self.only_secret(current, secret).await?,
            None => current.secrets.clone(),
        };
        Ok(Subscription {
            secrets,
            ..change.apply(current.clone())?
        })
    }

    /// The secrets of a subscription with this as its only secret from now on.
    async fn only_secret(
        &self,
        current: &Subscription,
        secret: &Secret,
    ) -> Result<SealedSecrets, ManageError> {
        let (customer, id) = (&current.customer_id, &current.id);
        let stored = &current.secrets;
        if stored.iter().count() == 1 {
            match self.vault.open(stored.current(), customer, id).await {
                Ok(same) if same == *secret => return Ok(stored.clone()),
                // A secret that cannot be decrypted is replaced.
                Ok(_) | Err(VaultError::NotOurs { .. }) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        let version = stored.next_version();
        let sealed = self.vault.seal(secret, customer, id, version).await?;
        Ok(SealedSecrets::only(sealed))
    }
}
