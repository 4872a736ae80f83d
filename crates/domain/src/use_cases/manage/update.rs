//! Changes a subscription, or repairs one that cannot be read.

use std::collections::BTreeSet;
use std::mem;

use crate::catalogue::UnknownType;
use crate::fields::FieldError;
use crate::health::Health;
use crate::ids::{CustomerId, SubscriptionId};
use crate::manage::check_version;
use crate::manage::error::conflict;
use crate::manage::{ExpectedVersion, Manage, ManageError, SubscriptionChange};
use crate::outbound::EndpointAuthentication;
use crate::ports::{
    CatalogueTable, Clock, DataKeyStore, HealthFate, KeyService, SubscriptionStore, WriteOutcome,
};
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
    /// The event types that it has gained and that are not in the catalogue.
    pub unknown_types: Vec<UnknownType>,
}

impl Updated {
    /// Returns true if it has a new signing secret.
    pub fn has_new_secret(&self) -> bool {
        self.subscription.secrets.current() != self.before.secrets.current()
    }

    /// The names of its secret headers that are new, have another value or are gone.
    pub fn changed_secret_headers(&self) -> BTreeSet<&str> {
        let (before, now) = (&self.before, &self.subscription);
        let (before, now) = (&before.secret_headers, &now.secret_headers);
        before
            .names_not_in(now)
            .chain(now.names_not_in(before))
            .collect()
    }

    /// The names of its secret headers that are gone because its URL has another origin.
    pub fn cleared_secret_headers(&self) -> Vec<&str> {
        let (before, now) = (&self.before, &self.subscription);
        if before.url.origin() == now.url.origin() {
            return Vec::new();
        }
        let names = before.secret_headers.names();
        names
            .filter(|name| now.secret_headers.get(name).is_none())
            .collect()
    }

    /// The authentication that is gone because its URL has another origin.
    pub fn cleared_authentication(&self) -> Option<&EndpointAuthentication> {
        let (before, now) = (&self.before, &self.subscription);
        let is_elsewhere = before.url.origin() != now.url.origin();
        let cleared = before.authentication.as_ref();
        cleared
            .filter(|_| is_elsewhere && now.authentication.is_none())
            .map(|cleared| &cleared.authentication)
    }

    /// Returns true if its deliveries are sent now, and were not before.
    pub fn is_enabled(&self) -> bool {
        let is_active = |of: &Subscription| of.status == SubscriptionStatus::Active;
        is_active(&self.subscription) && !is_active(&self.before)
    }
}

impl<T, S, K, C> Manage<T, Vault<S, K, C>, C>
where
    T: SubscriptionStore + CatalogueTable,
    S: DataKeyStore,
    K: KeyService,
    C: Clock,
{
    /// Changes the fields that the change names; the others stay. A change without effect is not
    /// written, and makes no new version.
    ///
    /// A new secret signs from the next attempt on, and replaces all others. If the origin of the
    /// URL changes, secret headers and an authentication that the change does not give are removed.
    /// If the URL, the method, the query parameters, the headers or the authentication change, or the subscription is made active, the
    /// health of the endpoint is reset.
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
        let (wanted, current) = (change.event_types.as_ref(), &before.event_types);
        let unknown_types = self.unknown_types(customer, wanted, Some(current)).await?;
        let makes_active = change.status == Some(SubscriptionStatus::Active);
        let mut changed = self.changed(&before, change).await?;
        let now = self.clock.now();
        let starts_anew = makes_active || !changed.has_endpoint_of(&before);
        if makes_active {
            // The request itself decides about what is held.
            changed.health = Health::default();
        } else if starts_anew {
            changed.health = before.health.of_new_endpoint(now);
        }
        if changed == before {
            return Ok(Updated {
                subscription: before.clone(),
                before,
                unknown_types,
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
                    unknown_types,
                }),
                WriteOutcome::Conflict => Err(conflict(*id, expected)),
            };
        }
        changed.updated_at = now;
        changed.version += 1;
        let health = if starts_anew {
            HealthFate::Replaced
        } else {
            HealthFate::Kept
        };
        let subscription = self.replace(&before, changed, health, expected).await?;
        Ok(Updated {
            before,
            subscription,
            unknown_types,
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
        let can_read_requests = broken.can_read_requests();
        let can_read_types = broken.can_read("eventTypes");
        let before = broken.readable;
        let customer = &before.customer_id;
        let wanted = change.event_types.as_ref();
        let current = can_read_types.then_some(&before.event_types);
        let unknown_types = self.unknown_types(customer, wanted, current).await?;
        let now = self.clock.now();
        let mut changed = self.changed(&before, change).await?;
        changed.health = before.health.of_new_endpoint(now);
        changed.updated_at = now;
        changed.version += 1;
        let fate = HealthFate::Replaced;
        let subscription = if can_read_requests {
            self.replace(&before, changed, fate, expected).await?
        } else {
            // Nobody knows the requests of the attempts so far, so they must not name the new ones.
            changed.request_version = changed.version;
            self.replace_keeping(&before, changed, None, fate, expected)
                .await?
        };
        Ok(Updated {
            before,
            subscription,
            unknown_types,
        })
    }

    /// The subscription with the fields of the change, and with its old version.
    pub(super) async fn changed(
        &self,
        current: &Subscription,
        mut change: SubscriptionChange,
    ) -> Result<Subscription, ManageError> {
        self.check_bounds(&change)?;
        let secrets = match &change.secret {
            Some(secret) => self.only_secret(current, secret).await?,
            None => current.secrets.clone(),
        };
        let secret_headers = mem::take(&mut change.secret_headers);
        let authentication = mem::take(&mut change.authentication);
        let mut changed = change.apply(current.clone())?;
        let secret_headers = self.secret_headers(secret_headers, current, &changed);
        changed.secret_headers = secret_headers.await?;
        let authentication = self.authentication(authentication, current, &changed);
        changed.authentication = authentication.await?;
        changed.secrets = secrets;
        Ok(changed)
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
