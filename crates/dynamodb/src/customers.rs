//! Customers: by key, and in pages.
//!
//! All customers are in one partition, sorted by id. Only requests that manage customers and
//! subscriptions use it; no event and no attempt does. Attempts read a copy of the customer's
//! limit, which is in the partition of its subscriptions.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};
use webhooks_domain::broken::Readable;
use webhooks_domain::contact::{Contact, ContactState, Contacts, EmailAddress};
use webhooks_domain::customer::{Customer, CustomerName, Deletion};
use webhooks_domain::ids::CustomerId;
use webhooks_domain::limits::{CustomerLimit, RateLimit};
use webhooks_domain::metadata::Metadata;
use webhooks_domain::paging::EntryPage;
use webhooks_domain::ports::{CustomerTable, StoreError, WriteOutcome};
use webhooks_domain::quota::{MaxSubscriptions, Usage};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::deletions;
use crate::due_index;
use crate::key::{CUSTOMERS, Key};
use crate::store::{
    ABSENT, AttributeMap, integer, into_domain, number, query_some, readable, to_attributes,
    unavailable, write_outcome,
};
use crate::transaction::built;
use crate::usage::{DELETION_REQUESTED_AT, MAX_SUBSCRIPTIONS};

const RATE_LIMIT: &str = "rateLimitPerSecond";
const CONTACTS: &str = "contacts";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CustomerItem {
    #[serde(flatten)]
    key: Key,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_subscriptions: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate_limit_per_second: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    contacts: Vec<ContactItem>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deletion_requested_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deleted_items: Option<u64>,
    #[serde(default)]
    subscriptions: i64,
    #[serde(default)]
    bytes: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
}

/// A contact. It is confirmed.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContactItem {
    address: String,
}

impl From<&Contact> for ContactItem {
    fn from(contact: &Contact) -> Self {
        let Contact {
            address,
            state: ContactState::Confirmed,
        } = contact;
        Self {
            address: address.as_str().to_owned(),
        }
    }
}

impl From<ContactItem> for Contact {
    fn from(item: ContactItem) -> Self {
        Self {
            address: EmailAddress::from_stored(item.address),
            state: ContactState::Confirmed,
        }
    }
}

impl TryFrom<CustomerItem> for Customer {
    type Error = String;

    fn try_from(item: CustomerItem) -> Result<Self, String> {
        Ok(Self {
            id: item.key.customer_id()?,
            name: item.name.map(CustomerName::from_stored),
            metadata: Metadata::from_stored(item.metadata),
            max_subscriptions: item
                .max_subscriptions
                .and_then(MaxSubscriptions::from_stored),
            rate_limit: item.rate_limit_per_second.and_then(RateLimit::from_stored),
            contacts: Contacts::from_stored(item.contacts.into_iter().map(Contact::from).collect()),
            deletion: item.deletion_requested_at.map(|requested_at| Deletion {
                requested_at,
                deleted: item.deleted_items.unwrap_or(0),
            }),
            usage: Usage {
                subscriptions: item.subscriptions,
                bytes: item.bytes,
            },
            created_at: item.created_at,
            updated_at: item.updated_at,
            version: item.version,
        })
    }
}

impl CustomerTable for DynamoStore {
    async fn customer(&self, id: &CustomerId) -> Result<Option<Customer>, StoreError> {
        let item = self
            .get_attributes(Key::customer(id), "get customer")
            .await?;
        item.map(into_domain::<CustomerItem, _>).transpose()
    }

    async fn customers(
        &self,
        after: Option<&CustomerId>,
        limit: u32,
    ) -> Result<EntryPage<Readable<Customer, CustomerId>>, StoreError> {
        let start = after.map(|id| to_attributes(&Key::customer(id)));
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :customers")
            .expression_attribute_values(":customers", AttributeValue::S(CUSTOMERS.to_owned()))
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let read = |item: AttributeMap| readable::<CustomerItem, _, _>(item, Key::customer_id);
        let (entries, has_more) = query_some(query, start, read)
            .await
            .map_err(|error| unavailable("list customers", error))?;
        Ok(EntryPage { entries, has_more })
    }

    async fn write_customer(
        &self,
        read: Option<&Customer>,
        changed: &Customer,
    ) -> Result<WriteOutcome, StoreError> {
        let mut writes = vec![self.update_customer(read, changed)];
        writes.extend(self.limit_write(read, changed));
        let refusals = self.transact(writes, "write customer").await?;
        Ok(match refusals {
            None => WriteOutcome::Written,
            Some(_) => WriteOutcome::Conflict,
        })
    }

    async fn request_deletion(
        &self,
        read: &Customer,
        at: Timestamp,
    ) -> Result<WriteOutcome, StoreError> {
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::customer(&read.id))))
            .update_expression(format!(
                "SET {DELETION_REQUESTED_AT} = :at, deletedItems = :none, version = :next, {}",
                deletions::ENTER
            ))
            .condition_expression("version = :read")
            .expression_attribute_values(":at", number(at.as_millis()))
            .expression_attribute_values(":none", number(0))
            .expression_attribute_values(":next", number(read.version + 1))
            .expression_attribute_values(":read", number(read.version))
            .expression_attribute_values(deletions::SHARD, number(due_index::SHARD_OF_CUSTOMERS))
            .send()
            .await;
        outcome(result, "request deletion of customer")
    }
}

impl DynamoStore {
    fn update_customer(&self, read: Option<&Customer>, changed: &Customer) -> TransactWriteItem {
        let time = |at: Timestamp| number(at.as_millis());
        let pairs = changed.metadata.iter();
        let pairs = pairs.map(|(name, value)| (name.to_owned(), AttributeValue::S(value.into())));
        let mut set = vec![
            "createdAt = if_not_exists(createdAt, :created)".to_owned(),
            "updatedAt = :updated, version = :version, metadata = :metadata".to_owned(),
        ];
        let mut remove = Vec::new();
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::customer(&changed.id))))
            .expression_attribute_names("#name", "name")
            .expression_attribute_values(":created", time(changed.created_at))
            .expression_attribute_values(":updated", time(changed.updated_at))
            .expression_attribute_values(":version", number(changed.version))
            .expression_attribute_values(":metadata", AttributeValue::M(pairs.collect()));
        let name = changed
            .name
            .clone()
            .map(String::from)
            .map(AttributeValue::S);
        let count = |count: Option<u64>| count.map(number);
        for (attribute, value, stored) in [
            ("#name", ":name", name),
            (
                MAX_SUBSCRIPTIONS,
                ":max",
                count(changed.max_subscriptions.map(u64::from)),
            ),
            (
                RATE_LIMIT,
                ":rate",
                count(changed.rate_limit.map(u64::from)),
            ),
            (CONTACTS, ":contacts", contacts(&changed.contacts)),
        ] {
            match stored {
                Some(stored) => {
                    set.push(format!("{attribute} = {value}"));
                    update = update.expression_attribute_values(value, stored);
                }
                None => remove.push(attribute),
            }
        }
        let mut expression = format!("SET {}", set.join(", "));
        if !remove.is_empty() {
            expression = format!("{expression} REMOVE {}", remove.join(", "));
        }
        update = match read {
            Some(read) => update
                .condition_expression("version = :read")
                .expression_attribute_values(":read", number(read.version)),
            None => update.condition_expression(ABSENT),
        };
        let update = built(update.update_expression(expression).build());
        TransactWriteItem::builder().update(update).build()
    }

    /// The write of the customer's limit, if it changes.
    fn limit_write(
        &self,
        read: Option<&Customer>,
        changed: &Customer,
    ) -> Option<TransactWriteItem> {
        if read.and_then(|read| read.rate_limit) == changed.rate_limit {
            return None;
        }
        let key = to_attributes(&Key::customer_limit(&changed.id));
        let write = TransactWriteItem::builder();
        let Some(rate) = changed.rate_limit else {
            let delete = Delete::builder().table_name(&self.table).set_key(Some(key));
            return Some(write.delete(built(delete.build())).build());
        };
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(key))
            .item(RATE_LIMIT, number(u64::from(rate)))
            .item("version", number(changed.version));
        Some(write.put(built(put.build())).build())
    }
}

/// The stored form of contacts. `None` if there is none.
fn contacts(contacts: &Contacts) -> Option<AttributeValue> {
    let items = contacts.iter().map(ContactItem::from);
    let items = items.map(|item| AttributeValue::M(to_attributes(&item)));
    (!contacts.is_empty()).then(|| AttributeValue::L(items.collect()))
}

/// Reads the limit of a customer from its own item. `None` if it cannot be read.
pub(crate) fn customer_limit(item: &AttributeMap) -> Option<CustomerLimit> {
    Some(CustomerLimit {
        rate: RateLimit::from_stored(integer(item, RATE_LIMIT)?)?,
        version: integer(item, "version")?,
    })
}

/// The result of an update of a customer. A concurrent transaction on one of its subscriptions,
/// which updates its usage, is a conflict.
fn outcome<T>(
    result: Result<T, SdkError<UpdateItemError>>,
    operation: &'static str,
) -> Result<WriteOutcome, StoreError> {
    if let Err(error) = &result
        && error
            .as_service_error()
            .is_some_and(UpdateItemError::is_transaction_conflict_exception)
    {
        return Ok(WriteOutcome::Conflict);
    }
    write_outcome(result, operation)
}

#[cfg(test)]
mod tests {
    use serde_dynamo::Item;
    use webhooks_testkit::units::{READ_UNIT_BYTES, WRITE_UNIT_BYTES};

    use super::*;
    use crate::look_up_units::Partition;
    use crate::write_units::billed_bytes;

    fn item(id: &str, fill: &str) -> Item {
        let pairs = if fill.is_empty() {
            0
        } else {
            Metadata::MAX_PAIRS
        };
        let contacts = if fill.is_empty() { 0 } else { Contacts::MAX };
        let metadata = (0..pairs)
            .map(|n| {
                let name = format!("{n:02}{}", fill.repeat(Metadata::MAX_NAME_CHARS - 2));
                (name, fill.repeat(Metadata::MAX_VALUE_CHARS))
            })
            .collect();
        let name = (!fill.is_empty()).then(|| fill.repeat(CustomerName::MAX_CHARS));
        serde_dynamo::to_item(CustomerItem {
            key: Key::customer(&id.parse().unwrap()),
            name,
            metadata,
            max_subscriptions: Some(1_000),
            rate_limit_per_second: Some(200),
            contacts: (0..contacts)
                .map(|n| ContactItem {
                    address: format!("{n}{}", fill.repeat(EmailAddress::MAX_LENGTH - 1)),
                })
                .collect(),
            deletion_requested_at: None,
            deleted_items: None,
            subscriptions: 1_000,
            bytes: 1_048_576,
            created_at: Timestamp::from_millis(1_795_461_722_000),
            updated_at: Timestamp::from_millis(1_795_461_722_000),
            version: 1,
        })
        .unwrap()
    }

    #[test]
    fn a_customer_without_a_name_costs_one_write_unit() {
        let long = "x".repeat(CustomerId::MAX_BYTES);
        let (plain, full) = (item(&long, ""), item(&long, "x"));
        let (plain, full) = (billed_bytes(plain), billed_bytes(full));
        println!(
            "customer item: at most {plain} bytes without name and metadata, {full} with all in ASCII"
        );
        assert!(plain <= WRITE_UNIT_BYTES, "{plain} bytes");
        // A page of a hundred of the largest ASCII items stays below what one query reads.
        assert!(100 * full <= 1_048_576, "{full} bytes");
    }

    #[tokio::test]
    async fn a_page_of_customers_is_one_query_that_reads_that_page_alone() {
        const PAGE: u32 = 50;
        let ids: Vec<String> = (0..1_000).map(|n| format!("cust_{n:04}")).collect();
        for fill in ["", "x"] {
            let partition = Partition::of(ids.iter().map(|id| item(id, fill)));
            let store = partition.store();
            let after: CustomerId = ids[499].parse().unwrap();
            let page = store.customers(Some(&after), PAGE).await.unwrap();
            let listed = page.entries.iter().flatten();
            let listed: Vec<_> = listed.map(|customer| customer.id.as_str()).collect();
            assert_eq!(listed, ids[500..550]);
            assert!(page.has_more);
            let bytes: usize = ids[500..550]
                .iter()
                .map(|id| billed_bytes(item(id, fill)))
                .sum();
            assert_eq!(partition.queries(), [bytes], "one query");
            let units = bytes.div_ceil(READ_UNIT_BYTES);
            println!("a page of {PAGE} customers: {bytes} bytes, {units} read units");
        }
    }
}
