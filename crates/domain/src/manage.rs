//! Managing subscriptions: create, read, change, rotate, list and delete.

mod change;
mod idempotency;
mod map_change;
mod precondition;
mod rotation;

use std::time::Duration;

use ring::rand::SystemRandom;

pub(crate) use change::{Field, fields};
pub use change::{FieldError, SubscriptionChange, no_fields, test_event_type};
pub use idempotency::{IdempotencyKey, IdempotencyKeyError, Once, RequestDigest};
pub use map_change::MapChange;
pub use precondition::{MalformedPrecondition, Precondition};
pub use rotation::{NewSecret, Rotation};

use crate::health::Health;
use crate::ids::{CustomerId, SubscriptionId};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::outbound::{CustomHeaders, RequestTimeout};
use crate::ports::{
    Clock, DataKeyStore, HealthStore, InsertOutcome, KeyService, StoreError, SubscriptionDirectory,
    SubscriptionPage, SubscriptionStore, WriteOutcome,
};
use crate::retry::RetryPolicy;
use crate::signing::{SealedSecrets, Secret, SecretKind};
use crate::subscription::{Subscription, SubscriptionStatus};
use crate::timestamp::Timestamp;
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
    /// It is not the version that the request is meant for.
    #[error("subscription `{subscription}` has another version by now: read it and try again")]
    PreconditionFailed {
        /// Which one.
        subscription: SubscriptionId,
    },
    /// The idempotency key has created something else.
    #[error("the key was used with another body, which created subscription `{subscription}`")]
    KeyReused {
        /// What it created.
        subscription: SubscriptionId,
    },
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret could not be sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// A subscription that a request created, now or when it was made before.
#[derive(Debug)]
pub struct Created {
    /// The subscription, as it is now.
    pub subscription: Subscription,
    /// Its current secret.
    pub secret: Secret,
    /// Whether it is this request that has created it.
    pub is_new: bool,
}

/// A secret that signs.
#[derive(Debug)]
pub struct ActiveSecret {
    /// Counts the secrets of the subscription, from 1.
    pub version: u32,
    /// The secret.
    pub secret: Secret,
    /// Until when it signs; the current one has no end.
    pub expires_at: Option<Timestamp>,
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
    /// How long the stack lets any endpoint take.
    pub request_timeout: RequestTimeout,
}

impl<T, S, K, C> Manage<T, Vault<S, K, C>, C>
where
    T: SubscriptionStore + SubscriptionDirectory + HealthStore,
    S: DataKeyStore,
    K: KeyService,
    C: Clock,
{
    /// Creates a subscription. Gives its secret too.
    ///
    /// With `once`, the id follows from the key: the same request again gives what the first
    /// one has created, for as long as that is there.
    pub async fn create(
        &self,
        customer: &CustomerId,
        change: SubscriptionChange,
        once: Option<&Once>,
    ) -> Result<Created, ManageError> {
        let id = match once {
            Some(once) => SubscriptionId::from_idempotency_key(customer, once.key.as_str()),
            None => SubscriptionId::random(&self.random),
        };
        let now = self.clock.now();
        let limits = change.limits(Limits::default());
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
            payload_format: change.payload_format.unwrap_or_default(),
            description: change.description.flatten(),
            metadata: change.metadata.metadata(Metadata::default())?,
            headers: change.headers.headers(CustomHeaders::default())?,
            timeout: self.within_the_stacks(change.timeout.flatten())?,
            limits,
            retry_policy: self.bounded(change.retry_policy.flatten())?,
            secrets: SealedSecrets::only(sealed),
            status: change.status.unwrap_or(SubscriptionStatus::Active),
            disabled: None,
            health: Health::default(),
            created_at: now,
            updated_at: now,
            version: 1,
            created_by: once.map(|once| once.body),
        };
        match (self.table.insert(&subscription).await?, once) {
            (InsertOutcome::AlreadyThere, Some(once)) => {
                self.created_before(customer, id, once).await
            }
            // Without a key the id is 128 random bits: what is there already is this very
            // subscription, whose first write was answered too late and sent again.
            (InsertOutcome::AlreadyThere, None) | (InsertOutcome::Inserted, _) => Ok(Created {
                subscription,
                secret,
                is_new: true,
            }),
        }
    }

    /// What the same request has created before.
    async fn created_before(
        &self,
        customer: &CustomerId,
        id: SubscriptionId,
        once: &Once,
    ) -> Result<Created, ManageError> {
        let Some(subscription) = self.table.get(customer, &id).await? else {
            return Err(ManageError::Conflict { subscription: id });
        };
        if subscription.created_by != Some(once.body) {
            return Err(ManageError::KeyReused { subscription: id });
        }
        let current = subscription.secrets.current();
        let secret = self.vault.open(current, customer, &id).await?;
        Ok(Created {
            subscription,
            secret,
            is_new: false,
        })
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

    /// Reads a subscription to change it, if it is the version that is meant.
    async fn show_for_change(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
        precondition: &Precondition,
    ) -> Result<Subscription, ManageError> {
        let current = self.show(customer, id).await?;
        if precondition.holds_for(current.version) {
            Ok(current)
        } else {
            Err(ManageError::PreconditionFailed { subscription: *id })
        }
    }

    /// The secrets that sign now, the current one first, with the subscription.
    pub async fn secrets(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<(Subscription, Vec<ActiveSecret>), ManageError> {
        let subscription = self.show(customer, id).await?;
        let now = self.clock.now();
        let mut active = Vec::new();
        for (sealed, expires_at) in subscription.secrets.iter() {
            if expires_at.is_none_or(|end| now < end) {
                active.push(ActiveSecret {
                    version: sealed.version,
                    secret: self.vault.open(sealed, customer, id).await?,
                    expires_at,
                });
            }
        }
        Ok((subscription, active))
    }

    /// Changes the fields that the change names; the others stay.
    ///
    /// A new secret signs from the next attempt on, and no other one any more.
    pub async fn update(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
        precondition: &Precondition,
        change: SubscriptionChange,
    ) -> Result<Subscription, ManageError> {
        let current = self.show_for_change(customer, id, precondition).await?;
        let before = current.clone();
        let status = change.status.unwrap_or(current.status);
        let secrets = match &change.secret {
            Some(secret) => {
                let version = current.secrets.next_version();
                SealedSecrets::only(self.vault.seal(secret, customer, id, version).await?)
            }
            None => current.secrets,
        };
        let limits = change.limits(current.limits);
        let mut changed = Subscription {
            limits,
            url: change.url.unwrap_or(current.url),
            event_types: change.event_types.unwrap_or(current.event_types),
            filter: change.filter.unwrap_or(current.filter),
            payload_format: change.payload_format.unwrap_or(current.payload_format),
            description: change.description.unwrap_or(current.description),
            metadata: change.metadata.metadata(current.metadata)?,
            headers: change.headers.headers(current.headers)?,
            timeout: match change.timeout {
                Some(timeout) => self.within_the_stacks(timeout)?,
                // The stack's may be shorter today. Then the stack's counts, and a change of
                // something else is still taken.
                None => current.timeout,
            },
            retry_policy: match change.retry_policy {
                Some(policy) => self.bounded(policy)?,
                // So may the stack's memory: what would be forgotten ends as expired.
                None => current.retry_policy,
            },
            secrets,
            status,
            disabled: current
                .disabled
                .filter(|_| status == SubscriptionStatus::Disabled),
            updated_at: self.clock.now(),
            version: current.version + 1,
            ..current
        };
        if change.status == Some(SubscriptionStatus::Active) {
            changed.health = self.forget_health(&before, precondition).await?;
        }
        self.replace(changed, precondition).await
    }

    /// What was seen of the endpoint before counts no more once somebody has made it active.
    /// Before that is written: a crash in between leaves it as it was, and not disabled again
    /// at the next failure.
    async fn forget_health(
        &self,
        current: &Subscription,
        precondition: &Precondition,
    ) -> Result<Health, ManageError> {
        let well = Health::default();
        if current.health == well {
            return Ok(well);
        }
        match self.table.change_health(current, &well).await? {
            WriteOutcome::Written => Ok(well),
            WriteOutcome::Overtaken => Err(overtaken(current.id, precondition)),
        }
    }

    /// Makes a new secret the current one; the one before signs for the overlap still.
    /// Gives the new secret too.
    pub async fn rotate(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
        precondition: &Precondition,
        rotation: Rotation,
    ) -> Result<(Subscription, Secret), ManageError> {
        let current = self.show_for_change(customer, id, precondition).await?;
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
        Ok((self.replace(rotated, precondition).await?, secret))
    }

    async fn replace(
        &self,
        changed: Subscription,
        precondition: &Precondition,
    ) -> Result<Subscription, ManageError> {
        match self.table.replace(&changed).await? {
            WriteOutcome::Written => Ok(changed),
            WriteOutcome::Overtaken => Err(overtaken(changed.id, precondition)),
        }
    }

    /// Deletes a subscription. What is still owed to it is cancelled when it comes due.
    pub async fn delete(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
        precondition: &Precondition,
    ) -> Result<(), ManageError> {
        let current = self.show_for_change(customer, id, precondition).await?;
        let version = match precondition {
            Precondition::None => None,
            Precondition::OneOf(_) => Some(current.version),
        };
        match self.table.remove(customer, id, version).await? {
            WriteOutcome::Written => Ok(()),
            // It has changed, or it is gone: perhaps by this very write, whose first answer
            // was lost.
            WriteOutcome::Overtaken => match self.table.get(customer, id).await? {
                None => Ok(()),
                Some(_) => Err(overtaken(*id, precondition)),
            },
        }
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

    /// A timeout that the delivering function has time for.
    fn within_the_stacks(
        &self,
        timeout: Option<RequestTimeout>,
    ) -> Result<Option<RequestTimeout>, FieldError> {
        match timeout {
            Some(timeout) if timeout > self.request_timeout => {
                let longest = self.request_timeout;
                let problem = format!(
                    "must be at most {longest}, the stack's RequestTimeoutSeconds, is {timeout}"
                );
                Err(FieldError::new("timeoutSeconds", problem))
            }
            _ => Ok(timeout),
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

/// Somebody else was quicker: a failed precondition to whoever has named a version.
fn overtaken(subscription: SubscriptionId, precondition: &Precondition) -> ManageError {
    match precondition {
        Precondition::None => ManageError::Conflict { subscription },
        Precondition::OneOf(_) => ManageError::PreconditionFailed { subscription },
    }
}
