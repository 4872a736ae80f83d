//! The event catalogue: by key, and in pages.
//!
//! All types are in one partition, sorted by name, with their index at its beginning. Requests that
//! manage the catalogue use it, and tests, and the check of events whose type validates them. The list
//! of these types has a partition of its own. Index and list are the [summaries].

mod summaries;

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use serde::{Deserialize, Serialize};
use webhooks_domain::broken::Readable;
use webhooks_domain::catalogue::{
    CatalogueEntry, Deprecation, Description, Documentation, Example, Examples, Group, MAX_TYPES,
    Schema, TypeIndex, TypeName, ValidatedTypes, Validation,
};
use webhooks_domain::paging::EntryPage;
use webhooks_domain::ports::{Addition, CatalogueTable, StoreError, WriteOutcome};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::key::{EVENT_TYPES, EVENT_TYPES_COUNT, Key};
use crate::store::{
    ABSENT, AttributeMap, into_domain, number, query_some, readable, to_attributes, unavailable,
    write_outcome,
};
use crate::transaction::built;

/// The condition of a change of a type.
const AS_READ: &str = "version = :read";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryItem {
    #[serde(flatten)]
    key: Key,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    validation: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    examples: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deprecated: Option<DeprecationItem>,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeprecationItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    replaced_by: Option<String>,
}

impl TryFrom<EntryItem> for CatalogueEntry {
    type Error = String;

    fn try_from(item: EntryItem) -> Result<Self, String> {
        let validation = match &item.validation {
            Some(text) => text
                .parse()
                .map_err(|error| format!("validation: {error}"))?,
            None => Validation::Off,
        };
        Ok(Self {
            name: item.key.type_name()?,
            documentation: Documentation {
                description: item.description.map(Description::from_stored),
                group: item.group.map(Group::from_stored),
                schema: item.schema.map(Schema::from_stored),
                validation,
                examples: Examples::from_stored(item.examples),
                deprecation: item.deprecated.map(|deprecated| Deprecation {
                    replaced_by: deprecated.replaced_by.map(TypeName::from_stored),
                }),
            },
            created_at: item.created_at,
            updated_at: item.updated_at,
            version: item.version,
        })
    }
}

impl From<&CatalogueEntry> for EntryItem {
    fn from(entry: &CatalogueEntry) -> Self {
        let documentation = entry.documentation.clone();
        let deprecated = documentation.deprecation;
        let examples = documentation.examples.iter().map(Example::as_str);
        Self {
            key: Key::event_type(&entry.name),
            examples: examples.map(str::to_owned).collect(),
            description: documentation.description.map(String::from),
            group: documentation.group.map(String::from),
            validation: (!documentation.validation.is_off())
                .then(|| documentation.validation.as_str().to_owned()),
            schema: documentation
                .schema
                .map(|schema| schema.as_str().to_owned()),
            deprecated: deprecated.map(|deprecation| DeprecationItem {
                replaced_by: deprecation.replaced_by.map(String::from),
            }),
            created_at: entry.created_at,
            updated_at: entry.updated_at,
            version: entry.version,
        }
    }
}

impl CatalogueTable for DynamoStore {
    async fn event_type(&self, name: &TypeName) -> Result<Option<CatalogueEntry>, StoreError> {
        let item = self
            .get_attributes(Key::event_type(name), "get event type")
            .await?;
        item.map(into_domain::<EntryItem, _>).transpose()
    }

    async fn event_types(
        &self,
        after: Option<&TypeName>,
        limit: u32,
    ) -> Result<EntryPage<Readable<CatalogueEntry, TypeName>>, StoreError> {
        let start = after.map(|name| to_attributes(&Key::event_type(name)));
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :types AND sk > :count")
            .expression_attribute_values(":types", text(EVENT_TYPES))
            .expression_attribute_values(":count", text(EVENT_TYPES_COUNT))
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let read = |item: AttributeMap| readable::<EntryItem, _, _>(item, Key::type_name);
        let (entries, has_more) = query_some(query, start, read)
            .await
            .map_err(|error| unavailable("list event types", error))?;
        Ok(EntryPage { entries, has_more })
    }

    async fn type_index(&self) -> Result<TypeIndex, StoreError> {
        let item = self.get_attributes(Key::event_type_count(), "read the names of event types");
        Ok(summaries::type_index(item.await?.unwrap_or_default()))
    }

    async fn validated_types(&self) -> Result<ValidatedTypes, StoreError> {
        let item = self.get_attributes(Key::validated_types(), "read which event types validate");
        Ok(summaries::validated_types(item.await?.unwrap_or_default()))
    }

    async fn add_event_type(&self, added: &CatalogueEntry) -> Result<Addition, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(to_attributes(&EntryItem::from(added))))
            .condition_expression(ABSENT);
        let put = TransactWriteItem::builder().put(built(put.build())).build();
        let mut writes = vec![put, self.index_new(added, MAX_TYPES)];
        writes.extend(self.validation_change(&added.name, None, Some(added)));
        let refusals = self.transact(writes, "add event type").await?;
        Ok(match refusals {
            None => Addition::Added,
            Some(refusals) if refusals.contains_key(&0) => Addition::Conflict,
            Some(_) => Addition::Full,
        })
    }

    async fn replace_event_type(
        &self,
        read: &CatalogueEntry,
        changed: &CatalogueEntry,
    ) -> Result<WriteOutcome, StoreError> {
        let item = to_attributes(&EntryItem::from(changed));
        let mut summaries = Vec::from_iter(self.index_change(read, changed));
        summaries.extend(self.validation_change(&read.name, Some(read), Some(changed)));
        if summaries.is_empty() {
            let put = self
                .client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(item))
                .condition_expression(AS_READ)
                .expression_attribute_values(":read", number(read.version));
            return write_outcome(put.send().await, "replace event type");
        }
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression(AS_READ)
            .expression_attribute_values(":read", number(read.version));
        let put = TransactWriteItem::builder().put(built(put.build())).build();
        summaries.insert(0, put);
        let refusals = self.transact(summaries, "replace event type").await?;
        Ok(outcome(refusals.is_none()))
    }

    async fn delete_event_type(&self, read: &CatalogueEntry) -> Result<WriteOutcome, StoreError> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::event_type(&read.name))))
            .condition_expression(AS_READ)
            .expression_attribute_values(":read", number(read.version));
        let delete = TransactWriteItem::builder().delete(built(delete.build()));
        let mut writes = vec![delete.build(), self.index_no_more(read)];
        writes.extend(self.validation_change(&read.name, Some(read), None));
        let refusals = self.transact(writes, "delete event type").await?;
        Ok(outcome(refusals.is_none()))
    }
}

fn outcome(is_written: bool) -> WriteOutcome {
    if is_written {
        WriteOutcome::Written
    } else {
        WriteOutcome::Conflict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write_units::billed_bytes;

    #[test]
    fn the_largest_type_is_far_below_the_limit_of_an_item() {
        let object = |bytes: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(bytes - 8));
        let example = object(Example::MAX_BYTES);
        let name = TypeName::from_stored("x".repeat(128));
        let entry = CatalogueEntry {
            name: name.clone(),
            documentation: Documentation {
                description: Some(Description::from_stored(
                    "\u{1f4e6}".repeat(Description::MAX_CHARS),
                )),
                group: Some(Group::from_stored("\u{1f4e6}".repeat(Group::MAX_CHARS))),
                schema: Some(Schema::from_stored(object(Schema::MAX_BYTES))),
                validation: Validation::Refuse,
                examples: Examples::from_stored(vec![example; Examples::MAX_COUNT]),
                deprecation: Some(Deprecation {
                    replaced_by: Some(name),
                }),
            },
            created_at: Timestamp::from_millis(1_795_461_722_000),
            updated_at: Timestamp::from_millis(1_795_461_722_000),
            version: 1,
        };
        let bytes = billed_bytes(serde_dynamo::to_item(EntryItem::from(&entry)).unwrap());
        println!("the largest event type: {bytes} bytes");
        // Also below the API's limit for a request, so that each bound has its own message.
        assert!(bytes < 65_536, "{bytes}");
    }
}
