//! Managing subscriptions: create, read, change, rotate, list and delete.

mod change;
mod rotation;

use std::time::Duration;

use ring::rand::SystemRandom;

pub use change::{FieldError, HeadersChange, SubscriptionChange};
pub use rotation::{NewSecret, Rotation};

use crate::ids::{CustomerId, SubscriptionId};
use crate::outbound::CustomHeaders;
use crate::payload_format::PayloadFormat;
use crate::ports::{
    Clock, DataKeyStore, InsertOutcome, KeyService, StoreError, SubscriptionDirectory,
    SubscriptionPage, SubscriptionStore, WriteOutcome,
};
use crate::retry::RetryPolicy;
use crate::signing::{SealedSecrets, Secret, SecretKind};
use crate::subscription::{Subscription, SubscriptionStatus};
use crate::vault::{Vault, VaultError};

/// Why a subscription could not be managed.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    /// A field of the request is missing or not valid.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The customer has no such subscription.
    #[error("customer `{customer}` has no subscription `{subscription}`")]
    NotFound {
        /// Whose it should be.
        customer: CustomerId,
        /// Which one.
        subscription: SubscriptionId,
    },
    /// Somebody else changed it at the same time.
    #[error("subscription `{subscription}` was changed at the same time: read it and try again")]
    Conflict {
        /// Which one.
        subscription: SubscriptionId,
    },
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The secret could not be sealed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// The management of subscriptions, with its surroundings.
pub struct Manage<T, V, C> {
    /// Where subscriptions are kept and listed.
    pub table: T,
    /// Who seals the secrets.
    pub vault: V,
    /// Who tells the time.
    pub clock: C,
    /// Where ids and secrets come from.
    pub random: SystemRandom,
    /// How long the table keeps a delivery.
    pub retention: Duration,
}

impl<T, S, K, C> Manage<T, Vault<S, K, C>, C>
where
    T: SubscriptionStore + SubscriptionDirectory,
    S: DataKeyStore,
    K: KeyService,
    C: Clock,
{
    /// Creates a subscription. Gives its secret too: it is shown now and never again.
    pub async fn create(
        &self,
        customer: &CustomerId,
        change: SubscriptionChange,
    ) -> Result<(Subscription, Secret), ManageError> {
        let id = SubscriptionId::random(&self.random);
        let now = self.clock.now();
        let url = change.url.ok_or(FieldError::required("url"))?;
        let event_types = change
            .event_types
            .ok_or(FieldError::required("eventTypes"))?;
        let secret = change
            .secret
            .unwrap_or_else(|| Secret::generate(SecretKind::V1, &self.random));
        let sealed = self.vault.seal(&secret, customer, &id, 1).await?;
        let subscription = Subscription {
            id,
            customer_id: customer.clone(),
            url,
            event_types,
            filter: change.filter.flatten(),
            payload_format: PayloadFormat::default(),
            description: change.description.flatten(),
            headers: change.headers.apply(CustomHeaders::default())?,
            retry_policy: self.bounded(change.retry_policy.flatten())?,
            secrets: SealedSecrets::only(sealed),
            status: change.status.unwrap_or(SubscriptionStatus::Active),
            created_at: now,
            updated_at: now,
            version: 1,
        };
        // The id is 128 random bits: what is there already is this very subscription, whose
        // first write was answered too late and sent again.
        let (InsertOutcome::Inserted | InsertOutcome::AlreadyThere) =
            self.table.insert(&subscription).await?;
        Ok((subscription, secret))
    }

    /// Reads a subscription.
    pub async fn show(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<Subscription, ManageError> {
        self.table
            .get(customer, id)
            .await?
            .ok_or_else(|| ManageError::NotFound {
                customer: customer.clone(),
                subscription: *id,
            })
    }

    /// Changes the fields that the change names; the others stay.
    ///
    /// A new secret signs from the next attempt on, and no other one any more.
    pub async fn update(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
        change: SubscriptionChange,
    ) -> Result<Subscription, ManageError> {
        let current = self.show(customer, id).await?;
        let secrets = match &change.secret {
            Some(secret) => {
                let version = current.secrets.next_version();
                SealedSecrets::only(self.vault.seal(secret, customer, id, version).await?)
            }
            None => current.secrets,
        };
        let changed = Subscription {
            url: change.url.unwrap_or(current.url),
            event_types: change.event_types.unwrap_or(current.event_types),
            filter: change.filter.unwrap_or(current.filter),
            description: change.description.unwrap_or(current.description),
            headers: change.headers.apply(current.headers)?,
            retry_policy: self.bounded(change.retry_policy.unwrap_or(current.retry_policy))?,
            secrets,
            status: change.status.unwrap_or(current.status),
            updated_at: self.clock.now(),
            version: current.version + 1,
            ..current
        };
        self.replace(changed).await
    }

    /// Makes a new secret the current one; the one before signs for the overlap still.
    /// Gives the new secret too: it is shown now and never again.
    pub async fn rotate(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
        rotation: Rotation,
    ) -> Result<(Subscription, Secret), ManageError> {
        let current = self.show(customer, id).await?;
        let now = self.clock.now();
        let secret = match rotation.new_secret {
            NewSecret::GeneratedAsCurrent => {
                Secret::generate(current.secrets.current().kind(), &self.random)
            }
            NewSecret::Generated(kind) => Secret::generate(kind, &self.random),
            NewSecret::Imported(secret) => {
                if self.vault.open_all(&current, now).await?.contains(&secret) {
                    return Err(FieldError::new("secret", "must be new, signs already").into());
                }
                secret
            }
        };
        let version = current.secrets.next_version();
        let sealed = self.vault.seal(&secret, customer, id, version).await?;
        let secrets = current
            .secrets
            .rotate(sealed, rotation.overlap, now)
            .map_err(|error| FieldError::new("overlapSeconds", error))?;
        let rotated = Subscription {
            secrets,
            updated_at: now,
            version: current.version + 1,
            ..current
        };
        Ok((self.replace(rotated).await?, secret))
    }

    async fn replace(&self, changed: Subscription) -> Result<Subscription, ManageError> {
        match self.table.replace(&changed).await? {
            WriteOutcome::Written => Ok(changed),
            WriteOutcome::Overtaken => Err(ManageError::Conflict {
                subscription: changed.id,
            }),
        }
    }

    /// Deletes a subscription. What is still owed to it is cancelled when it comes due.
    pub async fn delete(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<(), ManageError> {
        self.show(customer, id).await?;
        Ok(self.table.remove(customer, id).await?)
    }

    /// A policy whose deliveries end before the table forgets them.
    fn bounded(&self, policy: Option<RetryPolicy>) -> Result<Option<RetryPolicy>, FieldError> {
        match &policy {
            Some(policy) if policy.longest_run() > self.retention => {
                let days = |duration: Duration| duration.as_secs().div_ceil(86_400);
                let problem = format!(
                    "a delivery could be pending for {} days, and the stack keeps it for {}",
                    days(policy.longest_run()),
                    days(self.retention),
                );
                Err(FieldError::new("retryPolicy", problem))
            }
            _ => Ok(policy),
        }
    }

    /// Lists a page of the customer's subscriptions.
    pub async fn list(
        &self,
        customer: &CustomerId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<SubscriptionPage, ManageError> {
        Ok(self.table.page(customer, after, limit).await?)
    }
}
