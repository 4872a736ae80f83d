//! Secrets at rest: envelope encryption under the stack's KMS key.
//!
//! One data key, which KMS wraps, encrypts every subscription's secrets with AES-256-GCM. A sealed
//! secret is bound to its customer, subscription, version and kind, and cannot be opened with any
//! other. The value of a secret header is bound to its customer, subscription and name, and to the
//! origin of the URL, so that it can be sent nowhere else; so is the secret of an authentication, to
//! its settings instead of a name, and an access token, to the settings and the secret that asked
//! for it. KMS is called for the data key at most once per
//! [`Vault::DATA_KEY_TTL`], regardless of the number of subscriptions.

use std::sync::Arc;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use futures_util::lock::Mutex;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Prk};
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::{SecureRandom, SystemRandom};

use crate::data_key::DataKey;
use crate::idempotency::Fingerprint;
use crate::ids::{CustomerId, SubscriptionId};
use crate::outbound::{
    AccessToken, Credential, EndpointAuthentication, EndpointUrl, SealedCredential, TokenGeneration,
};
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
    #[error("sealed {content} of {subscription}: cannot be opened")]
    NotOurs {
        /// The subscription to which it should belong.
        subscription: SubscriptionId,
        /// The secret, the header or the authentication that it should be.
        content: String,
    },
}

/// Seals and opens the secrets of subscriptions.
pub struct Vault<S, K, C> {
    store: S,
    key_service: K,
    clock: C,
    random: SystemRandom,
    cached: Mutex<Option<CachedKey>>,
}

struct CachedKey {
    keys: Arc<Keys>,
    fetched_at: Timestamp,
}

/// The data key, and the key that is derived from it.
struct Keys {
    seals: LessSafeKey,
    fingerprints: hmac::Key,
}

impl Keys {
    fn of(data_key: &DataKey) -> Self {
        let bytes = data_key.as_bytes();
        let unbound = UnboundKey::new(&AES_256_GCM, bytes).expect("a data key is 32 bytes");
        let fingerprints = Prk::new_less_safe(HKDF_SHA256, bytes);
        let fingerprints = fingerprints.expand(&[b"fingerprints of requests"], HMAC_SHA256);
        Self {
            seals: LessSafeKey::new(unbound),
            fingerprints: fingerprints.expect("32 bytes can be derived").into(),
        }
    }
}

impl<S: DataKeyStore, K: KeyService, C: Clock> Vault<S, K, C> {
    /// The time for which a data key is used before KMS is called again.
    pub const DATA_KEY_TTL: Duration = Duration::from_mins(5);

    /// A vault without a data key.
    pub fn new(store: S, key_service: K, clock: C) -> Self {
        Self {
            store,
            key_service,
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
        let context = Context::of_secret(customer, subscription, version, secret.kind());
        Ok(SealedSecret {
            version,
            public_key: secret.public_key(),
            sealed: self.seal_bytes(secret.private(), &context).await?,
        })
    }

    /// Seals the value of a secret header of this subscription. Creates the stack's data key if
    /// there is none.
    pub async fn seal_header(
        &self,
        name: &str,
        value: &str,
        subscription: &Subscription,
    ) -> Result<Vec<u8>, VaultError> {
        let context = Context::of_header(subscription, name);
        self.seal_bytes(value.as_bytes(), &context).await
    }

    /// Seals the secret of an authentication of this subscription. Creates the stack's data key if
    /// there is none.
    pub async fn seal_credential(
        &self,
        credential: &Credential,
        subscription: &Subscription,
    ) -> Result<SealedCredential, VaultError> {
        let authentication = credential.authentication();
        let context = Context::of_credential(subscription, authentication);
        Ok(SealedCredential {
            authentication: authentication.clone(),
            sealed: self.seal_bytes(&credential.to_stored(), &context).await?,
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
        let context = Context::of_secret(customer, subscription, sealed.version, sealed.kind());
        let private = self.open_bytes(&sealed.sealed, &context).await?;
        Secret::from_parts(&private, sealed.public_key.as_ref()).map_err(|_| context.not_ours())
    }

    /// Opens the secret headers of a subscription, in the order of their names.
    pub async fn open_headers(
        &self,
        subscription: &Subscription,
    ) -> Result<Vec<(String, String)>, VaultError> {
        let mut headers = Vec::new();
        for (name, sealed) in subscription.secret_headers.iter() {
            let value = self.open_header(name, sealed, subscription).await?;
            headers.push((name.to_owned(), value));
        }
        Ok(headers)
    }

    /// Opens the value of a header that was sealed for this subscription and the origin of its URL.
    pub async fn open_header(
        &self,
        name: &str,
        sealed: &[u8],
        subscription: &Subscription,
    ) -> Result<String, VaultError> {
        let context = Context::of_header(subscription, name);
        let value = self.open_bytes(sealed, &context).await?;
        String::from_utf8(value).map_err(|_| context.not_ours())
    }

    /// Opens an authentication that was sealed for this subscription and the origin of its URL.
    pub async fn open_credential(
        &self,
        sealed: &SealedCredential,
        subscription: &Subscription,
    ) -> Result<Credential, VaultError> {
        let authentication = &sealed.authentication;
        let context = Context::of_credential(subscription, authentication);
        let secret = self.open_bytes(&sealed.sealed, &context).await?;
        let credential = Credential::from_stored(authentication.clone(), secret);
        credential.ok_or_else(|| context.not_ours())
    }

    /// Seals an access token of this subscription.
    pub async fn seal_token(
        &self,
        token: &AccessToken,
        generation: &TokenGeneration,
        subscription: &Subscription,
    ) -> Result<Vec<u8>, VaultError> {
        let context = Context::of_token(subscription, generation);
        self.seal_bytes(token.as_str().as_bytes(), &context).await
    }

    /// Opens an access token that was sealed for this subscription and this generation.
    pub async fn open_token(
        &self,
        sealed: &[u8],
        generation: &TokenGeneration,
        subscription: &Subscription,
    ) -> Result<AccessToken, VaultError> {
        let context = Context::of_token(subscription, generation);
        let token = self.open_bytes(sealed, &context).await?;
        let token = String::from_utf8(token).ok().and_then(AccessToken::new);
        token.ok_or_else(|| context.not_ours())
    }

    /// The fingerprint of a request. Creates the stack's data key if there is none.
    pub async fn fingerprint(&self, content: &[u8]) -> Result<Fingerprint, VaultError> {
        let keys = self.keys(IfAbsent::Create).await?;
        let tag = hmac::sign(&keys.fingerprints, content);
        let first = tag.as_ref().first_chunk();
        Ok(Fingerprint::from_bytes(
            *first.expect("HMAC-SHA256 is 32 bytes"),
        ))
    }

    /// The nonce, then the ciphertext with its tag.
    async fn seal_bytes(
        &self,
        plaintext: &[u8],
        context: &Context<'_>,
    ) -> Result<Vec<u8>, VaultError> {
        let keys = self.keys(IfAbsent::Create).await?;
        let mut nonce = [0; NONCE_LEN];
        self.random
            .fill(&mut nonce)
            .expect("the system's random source answers once the process runs");
        let mut ciphertext = plaintext.to_vec();
        keys.seals
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                context.associated_data(),
                &mut ciphertext,
            )
            .expect("a secret is far shorter than AES-GCM's bound");
        Ok([nonce.as_slice(), &ciphertext].concat())
    }

    async fn open_bytes(
        &self,
        sealed: &[u8],
        context: &Context<'_>,
    ) -> Result<Vec<u8>, VaultError> {
        let not_ours = || context.not_ours();
        let (nonce, ciphertext) = sealed.split_at_checked(NONCE_LEN).ok_or_else(not_ours)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| not_ours())?;
        let mut buffer = ciphertext.to_vec();
        let keys = self.keys(IfAbsent::Refuse).await?;
        let plaintext = keys
            .seals
            .open_in_place(nonce, context.associated_data(), &mut buffer)
            .map_err(|_| not_ours())?;
        let len = plaintext.len();
        buffer.truncate(len);
        Ok(buffer)
    }

    /// The data key, from memory while it is fresh. Concurrent callers share one fetch.
    async fn keys(&self, if_absent: IfAbsent) -> Result<Arc<Keys>, VaultError> {
        let mut cached = self.cached.lock().await;
        let now = self.clock.now();
        if let Some(CachedKey { keys, fetched_at }) = &*cached
            && now.since(*fetched_at) < Self::DATA_KEY_TTL
        {
            return Ok(keys.clone());
        }
        let keys = Arc::new(Keys::of(&self.fetch(if_absent).await?));
        *cached = Some(CachedKey {
            keys: keys.clone(),
            fetched_at: now,
        });
        Ok(keys)
    }

    async fn fetch(&self, if_absent: IfAbsent) -> Result<DataKey, VaultError> {
        if let Some(wrapped) = self.store.get().await? {
            return Ok(self.key_service.unwrap(&wrapped).await?);
        }
        if if_absent == IfAbsent::Refuse {
            return Err(VaultError::NoDataKey);
        }
        let (key, wrapped) = self.key_service.generate().await?;
        match self.store.insert(&wrapped).await? {
            InsertOutcome::Inserted => Ok(key),
            InsertOutcome::AlreadyThere => {
                let wrapped = self.store.get().await?.ok_or(VaultError::NoDataKey)?;
                Ok(self.key_service.unwrap(&wrapped).await?)
            }
        }
    }
}

/// The treatment of a missing data key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IfAbsent {
    Create,
    Refuse,
}

/// The context to which sealed bytes are bound.
struct Context<'a> {
    customer: &'a CustomerId,
    subscription: &'a SubscriptionId,
    content: Content<'a>,
}

/// The thing that was sealed.
enum Content<'a> {
    Secret {
        version: u32,
        kind: SecretKind,
    },
    Header {
        name: &'a str,
        url: &'a EndpointUrl,
    },
    Credential {
        authentication: &'a EndpointAuthentication,
        url: &'a EndpointUrl,
    },
    Token {
        generation: &'a TokenGeneration,
        url: &'a EndpointUrl,
    },
}

impl<'a> Context<'a> {
    fn of_secret(
        customer: &'a CustomerId,
        subscription: &'a SubscriptionId,
        version: u32,
        kind: SecretKind,
    ) -> Self {
        Self {
            customer,
            subscription,
            content: Content::Secret { version, kind },
        }
    }

    fn of_header(subscription: &'a Subscription, name: &'a str) -> Self {
        Self {
            customer: &subscription.customer_id,
            subscription: &subscription.id,
            content: Content::Header {
                name,
                url: &subscription.url,
            },
        }
    }

    fn of_credential(
        subscription: &'a Subscription,
        authentication: &'a EndpointAuthentication,
    ) -> Self {
        Self {
            customer: &subscription.customer_id,
            subscription: &subscription.id,
            content: Content::Credential {
                authentication,
                url: &subscription.url,
            },
        }
    }

    fn of_token(subscription: &'a Subscription, generation: &'a TokenGeneration) -> Self {
        Self {
            customer: &subscription.customer_id,
            subscription: &subscription.id,
            content: Content::Token {
                generation,
                url: &subscription.url,
            },
        }
    }

    /// Different contexts have different bytes: no part can contain a NUL, and a version is a
    /// number.
    fn associated_data(&self) -> Aad<Vec<u8>> {
        let content = match self.content {
            Content::Secret { version, kind } => format!("{version}\0{}", kind.as_str()),
            Content::Header { name, url } => format!("header\0{name}\0{}", url.origin()),
            Content::Credential {
                authentication,
                url,
            } => {
                let settings = serde_json::to_string(authentication);
                let settings = settings.expect("settings are texts and numbers");
                format!("authentication\0{settings}\0{}", url.origin())
            }
            Content::Token { generation, url } => {
                let generation = BASE64_STANDARD.encode(generation.as_bytes());
                format!("token\0{generation}\0{}", url.origin())
            }
        };
        let (customer, subscription) = (self.customer, self.subscription);
        Aad::from(format!("{customer}\0{subscription}\0{content}").into_bytes())
    }

    fn not_ours(&self) -> VaultError {
        VaultError::NotOurs {
            subscription: *self.subscription,
            content: match self.content {
                Content::Secret { version, .. } => format!("secret {version}"),
                Content::Header { name, .. } => format!("header `{name}`"),
                Content::Credential { .. } => "authentication".to_owned(),
                Content::Token { .. } => "access token".to_owned(),
            },
        }
    }
}
