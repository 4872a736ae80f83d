//! The in-memory data key and key service.

use webhooks_domain::data_key::{DataKey, WrappedDataKey};
use webhooks_domain::ports::{
    DataKeyStore, InsertOutcome, KeyService, KeyServiceError, StoreError,
};

use super::InMemoryBackend;

impl DataKeyStore for InMemoryBackend {
    async fn get(&self) -> Result<Option<WrappedDataKey>, StoreError> {
        self.store(|state| state.data_key.clone())
    }

    async fn insert(&self, key: &WrappedDataKey) -> Result<InsertOutcome, StoreError> {
        self.store(|state| {
            if state.data_key.is_some() {
                return InsertOutcome::AlreadyThere;
            }
            state.data_key = Some(key.clone());
            InsertOutcome::Inserted
        })
    }
}

/// Wraps a key by inverting its bits, so that tests can see that it was wrapped.
impl KeyService for InMemoryBackend {
    async fn generate(&self) -> Result<(DataKey, WrappedDataKey), KeyServiceError> {
        self.key_service(|calls| {
            let key = [u8::try_from(calls % 256).unwrap_or(0); 32];
            (
                DataKey::new(key),
                WrappedDataKey(key.map(|byte| !byte).to_vec()),
            )
        })
    }

    async fn unwrap(&self, wrapped: &WrappedDataKey) -> Result<DataKey, KeyServiceError> {
        let bytes: Vec<u8> = wrapped.0.iter().map(|byte| !byte).collect();
        self.key_service(|_| DataKey::new(bytes.try_into().expect("wrapped here, so 32 bytes")))
    }
}

impl InMemoryBackend {
    fn key_service<T>(&self, answer: impl FnOnce(u32) -> T) -> Result<T, KeyServiceError> {
        self.effect(|state| {
            state.key_service_calls += 1;
            answer(state.key_service_calls)
        })
        .map_err(|planted| KeyServiceError {
            operation: "answer",
            source: Box::new(planted),
        })
    }
}
