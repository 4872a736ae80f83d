//! Secrets at rest: envelope encryption under the stack's KMS key.
//!
//! One data key, which KMS wraps, encrypts every subscription's secrets with AES-256-GCM. A sealed
//! secret is bound to its customer, subscription, version and kind, and cannot be opened with any
//! other. KMS is called for the data key at most once per [`Vault::DATA_KEY_TTL`], regardless of
//! the number of subscriptions.

use std::time::Duration;

use futures_util::lock::Mutex;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};

use crate::data_key::DataKey;
use crate::ids::{CustomerId, SubscriptionId};
use crate::ports::{Clock, DataKeyStore, InsertOutcome, KeyService, KeyServiceError, StoreError};
use crate::signing::{SealedSecret, Secret, SecretKind};
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;

/// The reason why a secret cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The table failed to read or write the data key.
    #[error("data key in the table")]
    Store(#[from] StoreError),
    /// KMS did not answer.
    #[error("data key in KMS")]
    Keys(#[from] KeyServiceError),
    /// There is no data key, but there is a secret to open.
    #[error("no data key in the table, though a secret was sealed with one")]
    NoDataKey,
    /// The secret was sealed for another context, or was changed.
    #[error("sealed secret of {subscription}, version {version}: cannot be opened")]
    NotOurs {
        /// The subscription whose secret it should be.
        subscription: SubscriptionId,
        /// The version of the secret.
        version: u32,
    },
}

/// Seals and opens the secrets of subscriptions.
pub struct Vault<S, K, C> {
    store: S,
    keys: K,
    clock: C,
    random: SystemRandom,
    cached: Mutex<Option<CachedKey>>,
}

struct CachedKey {
    key: LessSafeKey,
    fetched_at: Timestamp,
}

impl<S: DataKeyStore, K: KeyService, C: Clock> Vault<S, K, C> {
    /// The time for which a data key is used before KMS is called again.
    pub const DATA_KEY_TTL: Duration = Duration::from_mins(5);

    /// A vault without a data key.
    pub fn new(store: S, keys: K, clock: C) -> Self {
        Self {
            store,
            keys,
            clock,
            random: SystemRandom::new(),
            cached: Mutex::new(None),
        }
    }

    /// Seals a secret for one subscription. Creates the stack's data key if there is none.
    pub async fn seal(
        &self,
        secret: &Secret,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        version: u32,
    ) -> Result<SealedSecret, VaultError> {
        let cached = self.cached(IfAbsent::Create).await?;
        let mut nonce = [0; NONCE_LEN];
        self.random
            .fill(&mut nonce)
            .expect("the system's random source answers once the process runs");
        let mut ciphertext = secret.private().to_vec();
        cached
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                associated_data(customer, subscription, version, secret.kind()),
                &mut ciphertext,
            )
            .expect("a secret is far shorter than AES-GCM's bound");
        Ok(SealedSecret {
            version,
            public_key: secret.public_key(),
            sealed: [nonce.as_slice(), &ciphertext].concat(),
        })
    }

    /// Opens the secrets of a subscription that sign at this time, the current one first.
    pub async fn open_all(
        &self,
        subscription: &Subscription,
        at: Timestamp,
    ) -> Result<Vec<Secret>, VaultError> {
        let mut secrets = Vec::new();
        for sealed in subscription.secrets.signing_at(at) {
            let secret = self.open(sealed, &subscription.customer_id, &subscription.id);
            secrets.push(secret.await?);
        }
        Ok(secrets)
    }

    /// Opens a secret that was sealed for this subscription.
    pub async fn open(
        &self,
        sealed: &SealedSecret,
        customer: &CustomerId,
        subscription: &SubscriptionId,
    ) -> Result<Secret, VaultError> {
        let not_ours = || VaultError::NotOurs {
            subscription: *subscription,
            version: sealed.version,
        };
        let (nonce, ciphertext) = sealed
            .sealed
            .split_at_checked(NONCE_LEN)
            .ok_or_else(not_ours)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| not_ours())?;
        let mut buffer = ciphertext.to_vec();
        let cached = self.cached(IfAbsent::Refuse).await?;
        let plaintext = cached
            .open_in_place(
                nonce,
                associated_data(customer, subscription, sealed.version, sealed.kind()),
                &mut buffer,
            )
            .map_err(|_| not_ours())?;
        Secret::from_parts(plaintext, sealed.public_key.as_ref()).map_err(|_| not_ours())
    }

    /// The data key, from memory while it is fresh. Concurrent callers share one fetch.
    async fn cached(&self, if_absent: IfAbsent) -> Result<LessSafeKey, VaultError> {
        let mut cached = self.cached.lock().await;
        let now = self.clock.now();
        if let Some(CachedKey { key, fetched_at }) = &*cached
            && now.since(*fetched_at) < Self::DATA_KEY_TTL
        {
            return Ok(key.clone());
        }
        let data_key = self.fetch(if_absent).await?;
        let unbound =
            UnboundKey::new(&AES_256_GCM, data_key.as_bytes()).expect("a data key is 32 bytes");
        let key = LessSafeKey::new(unbound);
        *cached = Some(CachedKey {
            key: key.clone(),
            fetched_at: now,
        });
        Ok(key)
    }

    async fn fetch(&self, if_absent: IfAbsent) -> Result<DataKey, VaultError> {
        if let Some(wrapped) = self.store.get().await? {
            return Ok(self.keys.unwrap(&wrapped).await?);
        }
        if if_absent == IfAbsent::Refuse {
            return Err(VaultError::NoDataKey);
        }
        let (key, wrapped) = self.keys.generate().await?;
        match self.store.insert(&wrapped).await? {
            InsertOutcome::Inserted => Ok(key),
            InsertOutcome::AlreadyThere => {
                let wrapped = self.store.get().await?.ok_or(VaultError::NoDataKey)?;
                Ok(self.keys.unwrap(&wrapped).await?)
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum IfAbsent {
    Create,
    Refuse,
}

/// The context to which a sealed secret is bound. No part can contain a NUL.
fn associated_data(
    customer: &CustomerId,
    subscription: &SubscriptionId,
    version: u32,
    kind: SecretKind,
) -> Aad<Vec<u8>> {
    let kind = kind.as_str();
    Aad::from(format!("{customer}\0{subscription}\0{version}\0{kind}").into_bytes())
}
