//! The wrapped data key.

use webhooks_domain::data_key::WrappedDataKey;
use webhooks_domain::ports::{DataKeyStore, InsertOutcome, StoreError};

use crate::DynamoStore;
use crate::item::DataKeyItem;
use crate::key::Key;

impl DataKeyStore for DynamoStore {
    async fn get(&self) -> Result<Option<WrappedDataKey>, StoreError> {
        let item: Option<DataKeyItem> = self.get_item(Key::data_key(), "get data key").await?;
        Ok(item.map(WrappedDataKey::from))
    }

    async fn insert(&self, key: &WrappedDataKey) -> Result<InsertOutcome, StoreError> {
        self.insert_item(&DataKeyItem::from(key), "insert data key")
            .await
    }
}
