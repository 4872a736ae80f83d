//! Managing subscriptions: create, read, change, rotate, list and delete.

mod change;
mod expected_version;
mod map_change;
mod rotation;

use std::time::Duration;

use ring::rand::SystemRandom;

pub use change::{Change, SubscriptionChange};
pub use expected_version::ExpectedVersion;
pub use map_change::MapChange;
pub use rotation::{NewSecret, Rotation};

use crate::fields::FieldError;
use crate::health::Health;
use crate::idempotency::{Fingerprint, IdempotencyRecord, Once};
use crate::ids::{CustomerId, SubscriptionId};
use crate::limits::Limits;
use crate::metadata::Metadata;
use crate::outbound::{CustomHeaders, RequestTimeout};
use crate::payload_format::PayloadFormat;
use crate::ports::{
    Clock, Creation, CreationOutcome, DataKeyStore, HealthFate, KeyService, Replacement,
    ReplacementOutcome, StoreError, SubscriptionStore, WriteOutcome,
};
use crate::quota::{Quota, Usage};
use crate::read_subscription::{ReadError, read_subscription};
use crate::retry::RetryPolicy;
use crate::signing::{SealedSecrets, Secret, SecretKind};
use crate::subscription::{BrokenSubscription, Subscription, SubscriptionPage, SubscriptionStatus};
use crate::timestamp::Timestamp;
use crate::vault::{Vault, VaultError};

/// The reason why a subscription could not be managed.
#[derive(Debug, thiserror::Error)]
pub enum ManageError {
    /// A field of the request is missing or not valid.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The customer has no such subscription.
    #[error("customer `{customer}` has no subscription `{subscription}`")]
    NotFound {
        /// The customer.
        customer: CustomerId,
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// There was a concurrent change.
    #[error("subscription `{subscription}` was changed at the same time: read it and try again")]
    Conflict {
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// It does not have the version that the request requires.
    #[error("subscription `{subscription}` has another version by now: read it and try again")]
    AnotherVersion {
        /// The subscription.
        subscription: SubscriptionId,
    },
    /// The idempotency key was used with another body.
    #[error("the key was used with another body, which created subscription `{subscription}`")]
    KeyReused {
        /// The subscription that it created.
        subscription: SubscriptionId,
    },
    /// The customer has as many subscriptions as the stack allows.
    #[error("customer `{customer}` has {max} subscriptions, the most that the stack allows")]
    TooMany {
        /// The customer.
        customer: CustomerId,
        /// The quota.
        max: u32,
    },
    /// The customer's subscriptions together would be too large.
    #[error(
        "the subscriptions of customer `{customer}` would take more than {max} bytes together",
        max = Quota::MAX_BYTES
    )]
    TooLargeTogether {
        /// The customer.
        customer: CustomerId,
    },
    /// It cannot be read completely.
    #[error("{0}")]
    Broken(Box<BrokenSubscription>),
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret could not be sealed or opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

impl From<ReadError> for ManageError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Broken(broken) => Self::Broken(broken),
            ReadError::Store(error) => error.into(),
        }
    }
}

/// A subscription that a request has created, now or when it was first made.
#[derive(Debug)]
pub struct Created {
    /// The subscription, as it is now.
    pub subscription: Subscription,
    /// Its current secret.
    pub secret: Secret,
    /// True if this request has created it.
    pub is_new: bool,
}

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

/// A signing secret.
#[derive(Debug)]
pub struct ActiveSecret {
    /// The number of the secret within its subscription, from 1.
    pub version: u32,
    /// The secret.
    pub secret: Secret,
    /// The time until which it signs. The current secret has none.
    pub expires_at: Option<Timestamp>,
}

/// The management of subscriptions, with its ports.
pub struct Manage<T, V, C> {
    /// The subscriptions.
    pub table: T,
    /// Encrypts and decrypts the secrets.
    pub vault: V,
    /// Tells the time.
    pub clock: C,
    /// The source of ids and secrets.
    pub random: SystemRandom,
    /// The retention of a delivery.
    pub retention: Duration,
    /// The stack's timeout for requests to endpoints.
    pub request_timeout: RequestTimeout,
    /// The quota of a customer.
    pub quota: Quota,
}

/// Fails if a subscription does not have the required version.
fn check_version(of: &Subscription, expected: &ExpectedVersion) -> Result<(), ManageError> {
    if expected.allows(of.version) {
        Ok(())
    } else {
        Err(ManageError::AnotherVersion {
            subscription: of.id,
        })
    }
}

/// The number of tries of a write that conflicts with others.
const MAX_TRIES: u32 = 4;

/// The number of subscriptions in one read, when they are counted.
const COUNTED_AT_ONCE: u32 = 200;

impl<T, S, K, C> Manage<T, Vault<S, K, C>, C>
where
    T: SubscriptionStore,
    S: DataKeyStore,
    K: KeyService,
    C: Clock,
{
    /// Creates a subscription. Returns its secret too.
    ///
    /// With `once` the request can be repeated: it returns the subscription that the first one has
    /// created, as long as that exists and the key is kept. After that it creates another
    /// subscription.
    pub async fn create(
        &self,
        customer: &CustomerId,
        change: SubscriptionChange,
        once: Option<&Once>,
    ) -> Result<Created, ManageError> {
        let (subscription, secret) = self.new_subscription(customer, change).await?;
        let now = self.clock.now();
        let record = once.map(|once| IdempotencyRecord::new(customer, once, subscription.id, now));
        let mut creation = Creation {
            record: record.as_ref(),
            ..Creation::of(&subscription, self.quota)
        };
        for _ in 0..MAX_TRIES {
            match self.table.insert(&creation).await? {
                // An id has 128 random bits. So an existing subscription with it is this one, and
                // its write was repeated because the response was lost.
                CreationOutcome::Created | CreationOutcome::AlreadyThere => {
                    return Ok(Created {
                        subscription,
                        secret,
                        is_new: true,
                    });
                }
                CreationOutcome::KeyInUse(found) => {
                    let body = record.as_ref().map(|record| record.content);
                    match self.created_before(&found, body).await? {
                        Some(created) => return Ok(created),
                        None => creation.deleted = Some(found.subscription),
                    }
                }
                CreationOutcome::QuotaExceeded(counted) => {
                    let growth = Usage::of(&subscription);
                    self.make_sure(customer, counted, growth).await?;
                }
            }
        }
        Err(ManageError::Conflict {
            subscription: subscription.id,
        })
    }

    /// Builds the new subscription of a request.
    async fn new_subscription(
        &self,
        customer: &CustomerId,
        mut change: SubscriptionChange,
    ) -> Result<(Subscription, Secret), ManageError> {
        let id = SubscriptionId::random(&self.random);
        let now = self.clock.now();
        let required = |field| FieldError::required(field);
        let url = change.url.clone().ok_or(required("url"))?;
        let event_types = change.event_types.clone();
        let event_types = event_types.ok_or(required("eventTypes"))?;
        self.check_bounds(&change)?;
        let secret = change.secret.take();
        let secret = secret.unwrap_or_else(|| Secret::generate(SecretKind::V1, &self.random));
        let sealed = self.vault.seal(&secret, customer, &id, 1).await?;
        let blank = Subscription {
            id,
            customer_id: customer.clone(),
            url,
            event_types,
            filter: None,
            payload_format: PayloadFormat::default(),
            description: None,
            metadata: Metadata::default(),
            headers: CustomHeaders::default(),
            timeout: None,
            limits: Limits::default(),
            retry_policy: None,
            secrets: SealedSecrets::only(sealed),
            status: SubscriptionStatus::Active,
            disabled: None,
            health: Health::default(),
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let subscription = change.apply(blank)?;
        check_size(&subscription)?;
        Ok((subscription, secret))
    }

    /// The subscription that the request with this record has created. `None` if it is deleted:
    /// then the key can be used again.
    async fn created_before(
        &self,
        record: &IdempotencyRecord,
        content: Option<Fingerprint>,
    ) -> Result<Option<Created>, ManageError> {
        let (customer, id) = (&record.customer_id, record.subscription);
        let Some(subscription) = self.table.get(customer, &id).await? else {
            return Ok(None);
        };
        if content != Some(record.content) {
            return Err(ManageError::KeyReused { subscription: id });
        }
        let current = subscription.secrets.current();
        let secret = self.vault.open(current, customer, &id).await?;
        Ok(Some(Created {
            subscription,
            secret,
            is_new: false,
        }))
    }

    /// Counts a customer's subscriptions after its quota has refused a change, and corrects the
    /// usage in the table if it is wrong. Returns an error if the refusal was right.
    async fn make_sure(
        &self,
        customer: &CustomerId,
        counted: Usage,
        growth: Usage,
    ) -> Result<(), ManageError> {
        let actual = self.count(customer).await?;
        if actual != counted {
            self.table.correct_usage(customer, counted, actual).await?;
        }
        let max = self.quota.subscriptions;
        let after = actual + growth;
        if self.quota.has_room(actual, growth) {
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

    /// Reads a subscription. One that cannot be read completely is [`ManageError::Broken`].
    pub async fn show(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<Subscription, ManageError> {
        let found = read_subscription(&self.table, customer, id).await?;
        found.ok_or_else(|| ManageError::NotFound {
            customer: customer.clone(),
            subscription: *id,
        })
    }

    /// Reads a subscription that is to be changed, if it has the required version.
    async fn show_for_change(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
        expected: &ExpectedVersion,
    ) -> Result<Subscription, ManageError> {
        let current = self.show(customer, id).await?;
        check_version(&current, expected)?;
        Ok(current)
    }

    /// The subscription with its signing secrets, the current one first.
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
    async fn changed(
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

    /// Checks new values against the limits of the stack. Old values may be beyond them, because the
    /// stack's limits may have become tighter: then the stack's timeout applies, deliveries end as
    /// expired, and a change of other fields is still accepted.
    fn check_bounds(&self, change: &SubscriptionChange) -> Result<(), FieldError> {
        if let Change::Set(timeout) = &change.timeout {
            self.check_timeout(*timeout)?;
        }
        if let Change::Set(policy) = &change.retry_policy {
            self.check_retry_policy(policy)?;
        }
        Ok(())
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

    /// Makes a new secret the current one. The previous one still signs during the overlap. Returns
    /// the new secret too.
    pub async fn rotate(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
        expected: &ExpectedVersion,
        rotation: Rotation,
    ) -> Result<(Subscription, Secret), ManageError> {
        let current = self.show_for_change(customer, id, expected).await?;
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
            .clone()
            .rotate(sealed, rotation.overlap, now)
            .map_err(|error| FieldError::new("overlapSeconds", error))?;
        let rotated = Subscription {
            secrets,
            updated_at: now,
            version: current.version + 1,
            ..current.clone()
        };
        let rotated = self.replace(&current, rotated, HealthFate::Kept, expected);
        Ok((rotated.await?, secret))
    }

    async fn replace(
        &self,
        read: &Subscription,
        changed: Subscription,
        health: HealthFate,
        expected: &ExpectedVersion,
    ) -> Result<Subscription, ManageError> {
        let growth = Usage::of(&changed) - Usage::of(read);
        if growth.bytes > 0 {
            check_size(&changed)?;
        }
        let replacement = Replacement {
            read,
            changed: &changed,
            health,
            quota: self.quota,
        };
        for _ in 0..MAX_TRIES {
            match self.table.replace(&replacement).await? {
                ReplacementOutcome::Written => return Ok(changed),
                ReplacementOutcome::Conflict => break,
                ReplacementOutcome::QuotaExceeded(counted) => {
                    self.make_sure(&read.customer_id, counted, growth).await?;
                }
            }
        }
        Err(conflict(changed.id, expected))
    }

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

    /// Refuses a policy whose deliveries could end after the table has deleted them.
    fn check_retry_policy(&self, policy: &RetryPolicy) -> Result<(), FieldError> {
        if policy.longest_run() <= self.retention {
            return Ok(());
        }
        let days = |duration: Duration| duration.as_secs().div_ceil(86_400);
        let problem = format!(
            "a delivery could be pending for {} days, and the stack keeps it for {}",
            days(policy.longest_run()),
            days(self.retention),
        );
        Err(FieldError::new("retryPolicy", problem))
    }

    /// Refuses a timeout for which the delivering function has no time.
    fn check_timeout(&self, timeout: RequestTimeout) -> Result<(), FieldError> {
        let longest = self.request_timeout;
        if timeout <= longest {
            return Ok(());
        }
        let problem =
            format!("must be at most {longest}, the stack's RequestTimeoutSeconds, is {timeout}");
        Err(FieldError::new("timeoutSeconds", problem))
    }

    /// Lists a page of the customer's subscriptions.
    pub async fn list(
        &self,
        customer: &CustomerId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<SubscriptionPage, ManageError> {
        let mut page = self.table.page(customer, after, limit).await?;
        let read = std::mem::take(&mut page.subscriptions).into_iter();
        for subscription in read.map(Subscription::with_readable_filter) {
            match subscription {
                Ok(whole) => page.subscriptions.push(whole),
                Err(broken) => page.broken.push(*broken),
            }
        }
        Ok(page)
    }
}

/// Checks the size, because every event of the customer reads the subscription.
fn check_size(subscription: &Subscription) -> Result<(), FieldError> {
    let (size, max) = (subscription.size_bytes(), Quota::MAX_SUBSCRIPTION_BYTES);
    if size <= max {
        return Ok(());
    }
    let problem =
        format!("makes a subscription of {size} bytes, and must make one of at most {max}");
    Err(FieldError::new("body", problem))
}

/// The error after a concurrent change: a failed expected if the request named a version.
fn conflict(subscription: SubscriptionId, expected: &ExpectedVersion) -> ManageError {
    match expected {
        ExpectedVersion::Any => ManageError::Conflict { subscription },
        ExpectedVersion::OneOf(_) => ManageError::AnotherVersion { subscription },
    }
}
