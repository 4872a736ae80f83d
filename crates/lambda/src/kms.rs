//! Data keys from AWS KMS, encrypted under the stack's key.
//!
//! Every call has the same encryption context, so that a data key can be decrypted only for
//! this purpose and installation, and only by principals with that permission. The context
//! names the installation, not the table: secrets can still be decrypted after the table was
//! restored from a backup, under another name or in another stack.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_config::SdkConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use webhooks_domain::data_key::{DataKey, WrappedDataKey};
use webhooks_domain::ports::{KeyService, KeyServiceError};

/// The stack's KMS key.
#[derive(Debug, Clone)]
pub struct KmsKeyService {
    client: Client,
    key_arn: String,
    context: HashMap<String, String>,
    usage: Arc<KmsUsage>,
}

/// The numbers of calls to KMS and of failed calls.
#[derive(Debug, Default)]
pub struct KmsUsage {
    calls: AtomicU64,
    errors: AtomicU64,
}

impl KmsUsage {
    /// Returns the number of calls since the last call of this function.
    pub fn take_calls(&self) -> u64 {
        self.calls.swap(0, Ordering::Relaxed)
    }

    /// Returns the number of failed calls since the last call of this function.
    pub fn take_errors(&self) -> u64 {
        self.errors.swap(0, Ordering::Relaxed)
    }

    /// Counts a call by its result.
    pub fn note<T, E>(&self, result: Result<T, E>) -> Result<T, E> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        result.inspect_err(|_| {
            self.errors.fetch_add(1, Ordering::Relaxed);
        })
    }
}

impl KmsKeyService {
    /// Uses the key with this ARN for the secrets of the installation with this id.
    pub fn new(aws: &SdkConfig, key_arn: String, installation_id: &str) -> Self {
        let context = [
            ("purpose", "subscription-secrets"),
            ("installation", installation_id),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self {
            client: Client::new(aws),
            key_arn,
            context: context.into(),
            usage: Arc::default(),
        }
    }

    /// Returns the counters of its calls.
    pub fn usage(&self) -> Arc<KmsUsage> {
        Arc::clone(&self.usage)
    }

    async fn generate_data_key(&self) -> Result<(DataKey, WrappedDataKey), KeyServiceError> {
        const OPERATION: &str = "generate a data key";
        let output = self
            .client
            .generate_data_key()
            .key_id(&self.key_arn)
            .key_spec(DataKeySpec::Aes256)
            .set_encryption_context(Some(self.context.clone()))
            .send()
            .await
            .map_err(|error| failed(OPERATION, error))?;
        let key = data_key(output.plaintext, OPERATION)?;
        let wrapped = output
            .ciphertext_blob
            .ok_or_else(|| failed(OPERATION, "no ciphertext"))?;
        Ok((key, WrappedDataKey(wrapped.into_inner())))
    }

    async fn decrypt(&self, wrapped: &WrappedDataKey) -> Result<DataKey, KeyServiceError> {
        const OPERATION: &str = "unwrap the data key";
        let output = self
            .client
            .decrypt()
            .key_id(&self.key_arn)
            .ciphertext_blob(Blob::new(wrapped.0.clone()))
            .set_encryption_context(Some(self.context.clone()))
            .send()
            .await
            .map_err(|error| failed(OPERATION, error))?;
        data_key(output.plaintext, OPERATION)
    }
}

impl KeyService for KmsKeyService {
    async fn generate(&self) -> Result<(DataKey, WrappedDataKey), KeyServiceError> {
        self.usage.note(self.generate_data_key().await)
    }

    async fn unwrap(&self, wrapped: &WrappedDataKey) -> Result<DataKey, KeyServiceError> {
        self.usage.note(self.decrypt(wrapped).await)
    }
}

fn data_key(plaintext: Option<Blob>, operation: &'static str) -> Result<DataKey, KeyServiceError> {
    plaintext
        .and_then(|blob| <[u8; 32]>::try_from(blob.into_inner()).ok())
        .map(DataKey::new)
        .ok_or_else(|| failed(operation, "no plaintext of 32 bytes"))
}

fn failed(
    operation: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> KeyServiceError {
    KeyServiceError {
        operation,
        source: source.into(),
    }
}
