//! The parts of exchanges that are not in the delivery: long answers to failed attempts, and former
//! requests of subscriptions.
//!
//! No index has them: they lack the attributes by which the indexes sort.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Put, TransactWriteItem};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use webhooks_domain::delivery::ExchangeId;
use webhooks_domain::fields::FieldError;
use webhooks_domain::gzip::{gunzip, gzip};
use webhooks_domain::outbound::{
    CustomHeaders, EndpointUrl, KeptResponseBytes, RequestShape, ResponseBody,
};
use webhooks_domain::ports::{ExchangeParts, ExchangeReader, FoundParts, StoreError};
use webhooks_domain::subscription::FormerRequests;
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::item::ShapeAttributes;
use crate::key::{Key, PARTITION_KEY, SORT_KEY};
use crate::store::{AttributeMap, into_domain, left_out, number, text, to_attributes, unavailable};
use crate::transaction::built;

/// The body of an answer.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BodyItem {
    #[serde(flatten)]
    key: Key,
    gzip: ByteBuf,
    size_bytes: u32,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_cut: bool,
    expires_at: i64,
}

impl BodyItem {
    pub(crate) fn new(id: &ExchangeId, body: &ResponseBody, expires_at: Timestamp) -> Self {
        Self {
            key: Key::exchange(id),
            gzip: gzip(&body.text).into(),
            size_bytes: body.size_bytes,
            is_cut: body.is_cut,
            expires_at: expires_at.as_secs(),
        }
    }
}

impl TryFrom<BodyItem> for ResponseBody {
    type Error = String;

    fn try_from(item: BodyItem) -> Result<Self, String> {
        let bytes = gunzip(&item.gzip, KeptResponseBytes::MAX_OF_FAILURES as usize);
        let bytes = bytes.map_err(|error| error.to_string())?;
        Ok(Self {
            text: String::from_utf8_lossy(&bytes).into_owned(),
            size_bytes: item.size_bytes,
            is_cut: item.is_cut,
        })
    }
}

/// The former requests of a subscription.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FormerRequestsItem {
    #[serde(flatten)]
    key: Key,
    url: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secret_headers: Vec<String>,
    #[serde(flatten)]
    shape: ShapeAttributes,
    expires_at: i64,
}

impl From<&FormerRequests> for FormerRequestsItem {
    fn from(former: &FormerRequests) -> Self {
        let shape = former.shape.clone();
        let id = &former.subscription_id;
        Self {
            key: Key::former_requests(&former.customer_id, id, former.version),
            url: shape.url.as_str().to_owned(),
            headers: shape.headers.into(),
            secret_headers: shape.secret_headers,
            shape: ShapeAttributes::new(&shape.payload, shape.method, &shape.query),
            expires_at: former.expires_at.as_secs(),
        }
    }
}

impl TryFrom<FormerRequestsItem> for RequestShape {
    type Error = String;

    fn try_from(item: FormerRequestsItem) -> Result<Self, String> {
        let text = |error: FieldError| error.to_string();
        Ok(Self {
            payload: item.shape.payload().map_err(text)?,
            query: item.shape.query().map_err(text)?,
            method: item.shape.method,
            url: EndpointUrl::from_stored(&item.url).ok_or("is not a URL")?,
            headers: CustomHeaders::from_stored(item.headers),
            secret_headers: item.secret_headers,
        })
    }
}

impl ExchangeReader for DynamoStore {
    async fn exchange_parts(&self, wanted: &ExchangeParts<'_>) -> Result<FoundParts, StoreError> {
        const OPERATION: &str = "read exchanges";
        let ids: HashMap<Key, ExchangeId> = wanted
            .bodies
            .iter()
            .map(|id| (Key::exchange(id), *id))
            .collect();
        let former = wanted.requests.iter();
        let former = former.map(|(customer, id, version)| {
            to_attributes(&Key::former_requests(customer, id, *version))
        });
        let keys = KeysAndAttributes::builder()
            .consistent_read(true)
            .set_keys(Some(ids.keys().map(to_attributes).chain(former).collect()))
            .build()
            .map_err(|error| unavailable(OPERATION, error))?;
        let mut found = FoundParts::default();
        for item in self.batch_get_whole(keys, OPERATION).await? {
            let key = Key {
                pk: text(&item, PARTITION_KEY).to_owned(),
                sk: text(&item, SORT_KEY).to_owned(),
            };
            if let Some(id) = ids.get(&key) {
                let body = readable::<BodyItem, _>(item);
                found.bodies.extend(body.map(|body| (*id, body)));
            } else if let Ok((_, version)) = key.former_version() {
                let shape = readable::<FormerRequestsItem, _>(item);
                found.requests.extend(shape.map(|shape| (version, shape)));
            }
        }
        Ok(found)
    }
}

/// Reads an item. An unreadable one is left out, because the delivery can be shown without it.
fn readable<I, T>(item: AttributeMap) -> Option<T>
where
    I: serde::de::DeserializeOwned,
    T: TryFrom<I, Error = String>,
{
    into_domain::<I, T>(item).inspect_err(left_out).ok()
}

impl DynamoStore {
    /// Writes the body of an answer.
    pub(crate) async fn write_body(
        &self,
        id: &ExchangeId,
        body: &ResponseBody,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let item = BodyItem::new(id, body, expires_at);
        // An update, because the role of the function may put no items.
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&item.key)))
            .update_expression(
                "SET gzip = :gzip, sizeBytes = :size, isCut = :cut, expiresAt = :end",
            )
            .expression_attribute_values(
                ":gzip",
                AttributeValue::B(Blob::new(item.gzip.into_vec())),
            )
            .expression_attribute_values(":size", number(item.size_bytes))
            .expression_attribute_values(":cut", AttributeValue::Bool(item.is_cut))
            .expression_attribute_values(":end", number(item.expires_at));
        let written = update.send().await;
        written.map_err(|error| unavailable("store answer", error))?;
        Ok(())
    }

    /// The part of a transaction that keeps former requests.
    pub(crate) fn put_former(&self, former: &FormerRequests) -> TransactWriteItem {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(to_attributes(&FormerRequestsItem::from(former))));
        TransactWriteItem::builder().put(built(put.build())).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::from_attributes;
    use webhooks_testkit::samples;

    #[test]
    fn the_items_are_in_no_index_and_are_read_back() {
        let body = ResponseBody {
            text: "a\nb".repeat(500),
            size_bytes: 70_000,
            is_cut: true,
        };
        let id = samples::exchange_id("acme", 1);
        let item = to_attributes(&BodyItem::new(&id, &body, samples::NOW));
        let former = FormerRequests {
            ..samples::subscription("acme", 1).former_requests(samples::NOW)
        };
        let requests = to_attributes(&FormerRequestsItem::from(&former));
        for item in [&item, &requests] {
            for attribute in [
                "createdAt",
                "receivedAt",
                "owedTo",
                "dueShard",
                "customerId",
            ] {
                assert!(!item.contains_key(attribute), "{attribute}");
            }
        }
        let item: BodyItem = from_attributes(item).unwrap();
        assert_eq!(ResponseBody::try_from(item), Ok(body));
        let key: Key = from_attributes(requests.clone()).unwrap();
        assert_eq!(key.former_version(), Ok((former.subscription_id, 1)));
        let item: FormerRequestsItem = from_attributes(requests).unwrap();
        assert_eq!(RequestShape::try_from(item), Ok(former.shape));
    }
}
