//! Creates a subscription.

use std::mem;

use crate::catalogue::UnknownType;
use crate::fields::FieldError;
use crate::health::Health;
use crate::idempotency::{Fingerprint, IdempotencyRecord, Once};
use crate::ids::{CustomerId, SubscriptionId};
use crate::limits::Limits;
use crate::manage::replace::check_size;
use crate::manage::{MAX_TRIES, Manage, ManageError, SubscriptionChange};
use crate::metadata::Metadata;
use crate::outbound::{CustomHeaders, Method, QueryParameters, SealedHeaders};
use crate::payload_shape::PayloadShape;
use crate::ports::{
    CatalogueTable, Clock, Creation, CreationOutcome, DataKeyStore, KeyService, SubscriptionStore,
};
use crate::quota::Usage;
use crate::signing::{SealedSecrets, Secret, SecretKind};
use crate::subscription::{Subscription, SubscriptionStatus};
use crate::vault::Vault;

/// The subscription that a request has created: just now, or when it was made for the first time.
#[derive(Debug)]
pub struct Created {
    /// The subscription, as it is now.
    pub subscription: Subscription,
    /// Its current secret.
    pub secret: Secret,
    /// True if this request has created it.
    pub is_new: bool,
    /// Its event types that are not in the catalogue. Empty if this request has not created it.
    pub unknown_types: Vec<UnknownType>,
}

impl<T, S, K, C> Manage<T, Vault<S, K, C>, C>
where
    T: SubscriptionStore + CatalogueTable,
    S: DataKeyStore,
    K: KeyService,
    C: Clock,
{
    /// Creates a subscription. Returns its secret too.
    ///
    /// With `once` the request is idempotent. A repetition returns the subscription that the first
    /// request has created, as long as the subscription exists and the key is stored. After that,
    /// a repetition creates another subscription.
    pub async fn create(
        &self,
        customer: &CustomerId,
        change: SubscriptionChange,
        once: Option<&Once<'_>>,
    ) -> Result<Created, ManageError> {
        let wanted = change.event_types.as_ref();
        let unknown_types = match self.unknown_types(customer, wanted, None).await {
            Ok(unknown_types) => unknown_types,
            // The catalogue may have changed since the first request. A creation that is not refused
            // finds the record with its write.
            Err(refused @ ManageError::Field(_)) => {
                return self.created_already(customer, once).await?.ok_or(refused);
            }
            Err(failure) => return Err(failure),
        };
        let (subscription, secret) = self.new_subscription(customer, change).await?;
        let now = self.clock.now();
        let record = match once {
            Some(Once { key, content }) => {
                let content = self.vault.fingerprint(content).await?;
                let id = subscription.id;
                Some(IdempotencyRecord::new(customer, key, content, id, now))
            }
            None => None,
        };
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
                        unknown_types,
                    });
                }
                CreationOutcome::KeyInUse(found) => {
                    let body = record.as_ref().map(|record| record.content);
                    match self.created_before(&found, body).await? {
                        Some(created) => {
                            return Ok(Created {
                                unknown_types,
                                ..created
                            });
                        }
                        None => creation.deleted = Some(found.subscription),
                    }
                }
                CreationOutcome::Refused(counted) => {
                    let growth = Usage::of(&subscription);
                    self.make_sure(customer, counted, growth).await?;
                }
            }
        }
        Err(ManageError::Conflict {
            subscription: subscription.id,
        })
    }

    /// The subscription that an earlier request with this key has created.
    async fn created_already(
        &self,
        customer: &CustomerId,
        once: Option<&Once<'_>>,
    ) -> Result<Option<Created>, ManageError> {
        let Some(Once { key, content }) = once else {
            return Ok(None);
        };
        let Some(record) = self.table.idempotency_record(customer, key).await? else {
            return Ok(None);
        };
        let content = self.vault.fingerprint(content).await?;
        self.created_before(&record, Some(content)).await
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
            payload: PayloadShape::default(),
            method: Method::default(),
            query: QueryParameters::default(),
            description: None,
            metadata: Metadata::default(),
            headers: CustomHeaders::default(),
            secret_headers: SealedHeaders::default(),
            authentication: None,
            timeout: None,
            limits: Limits::default(),
            retry_policy: None,
            secrets: SealedSecrets::only(sealed),
            status: SubscriptionStatus::Active,
            disabled: None,
            disabled_warned_at: None,
            certificate_warned: None,
            health: Health::default(),
            created_at: now,
            updated_at: now,
            version: 1,
            request_version: 1,
        };
        let secret_headers = mem::take(&mut change.secret_headers);
        let authentication = mem::take(&mut change.authentication);
        let mut subscription = change.apply(blank)?;
        let secret_headers = self.secret_headers(secret_headers, &subscription, &subscription);
        subscription.secret_headers = secret_headers.await?;
        let authentication = self.authentication(authentication, &subscription, &subscription);
        subscription.authentication = authentication.await?;
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
            unknown_types: Vec::new(),
        }))
    }
}
