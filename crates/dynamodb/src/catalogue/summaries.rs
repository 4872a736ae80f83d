//! The two items that have something of all types: the index with their names, and the list of those
//! that validate their events.
//!
//! Each has an attribute for each of its types, so that writes of different types need not read what
//! is there. The index also has the number of types. An update of an item costs its whole size, which
//! is why a type is in an item only if it must be: events are checked by the second item, which most
//! stacks do not have.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use serde::{Deserialize, Serialize};
use webhooks_domain::catalogue::{
    CatalogueEntry, Group, IndexedType, TypeIndex, TypeName, UseOfType, ValidatedType,
    ValidatedTypes,
};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::key::Key;
use crate::store::{AttributeMap, number, to_attributes};
use crate::transaction::built;

/// The attribute of the index that counts the types. The attributes of types begin otherwise.
const COUNT: &str = "types";
/// The beginning of an attribute of a type.
const OF_TYPE: char = '#';

/// A type in the index. The names are short, so that the largest index fits into an item.
#[derive(Default, Serialize, Deserialize)]
struct IndexedItem {
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    #[serde(rename = "d", default, skip_serializing_if = "std::ops::Not::not")]
    deprecated: bool,
}

fn indexed(entry: &CatalogueEntry) -> AttributeValue {
    let indexed = IndexedType::of(entry);
    AttributeValue::M(to_attributes(&IndexedItem {
        group: indexed.group.map(String::from),
        deprecated: indexed.use_of_it == UseOfType::Deprecated,
    }))
}

fn attribute(name: &TypeName) -> String {
    format!("{OF_TYPE}{name}")
}

/// The types of an item: their names and their attributes.
fn types(item: AttributeMap) -> impl Iterator<Item = (String, AttributeValue)> {
    item.into_iter().filter_map(|(attribute, value)| {
        let name = attribute.strip_prefix(OF_TYPE)?;
        Some((name.to_owned(), value))
    })
}

/// The index in an item. A type whose attribute cannot be read is in it without a group.
pub(super) fn type_index(item: AttributeMap) -> TypeIndex {
    let types = types(item).map(|(name, value)| {
        let fields = match value {
            AttributeValue::M(fields) => fields,
            _ => HashMap::new(),
        };
        let indexed: IndexedItem = serde_dynamo::from_item(fields).unwrap_or_default();
        let indexed = IndexedType {
            group: indexed.group.map(Group::from_stored),
            use_of_it: if indexed.deprecated {
                UseOfType::Deprecated
            } else {
                UseOfType::Current
            },
        };
        (TypeName::from_stored(name), indexed)
    });
    types.collect()
}

/// The types that validate their events, in an item.
pub(super) fn validated_types(item: AttributeMap) -> ValidatedTypes {
    let types = types(item).filter_map(|(name, value)| {
        let mut parts = value.as_s().ok()?.split(' ');
        let validated = ValidatedType {
            validation: parts.next()?.parse().ok()?,
            version: parts.next()?.parse().ok()?,
            updated_at: Timestamp::from_millis(parts.next()?.parse().ok()?),
        };
        Some((name, validated))
    });
    types.collect()
}

fn validated(of: ValidatedType) -> AttributeValue {
    let (validation, version) = (of.validation.as_str(), of.version);
    AttributeValue::S(format!(
        "{validation} {version} {}",
        of.updated_at.as_millis()
    ))
}

impl DynamoStore {
    /// Counts a new type and adds it to the index, if there are fewer than `most`.
    pub(super) fn index_new(&self, added: &CatalogueEntry, most: u32) -> TransactWriteItem {
        let update = self
            .summary(&Key::event_type_count(), &added.name)
            .update_expression("ADD #count :added SET #type = :type")
            .condition_expression("attribute_not_exists(#count) OR #count < :most")
            .expression_attribute_names("#count", COUNT)
            .expression_attribute_values(":added", number(1))
            .expression_attribute_values(":most", number(most))
            .expression_attribute_values(":type", indexed(added));
        write(update)
    }

    /// Removes a type from the index and its number.
    pub(super) fn index_no_more(&self, deleted: &CatalogueEntry) -> TransactWriteItem {
        let update = self
            .summary(&Key::event_type_count(), &deleted.name)
            .update_expression("ADD #count :added REMOVE #type")
            .condition_expression("#count > :none")
            .expression_attribute_names("#count", COUNT)
            .expression_attribute_values(":added", number(-1))
            .expression_attribute_values(":none", number(0));
        write(update)
    }

    /// Changes a type in the index. `None` if the index has nothing else of it than before.
    pub(super) fn index_change(
        &self,
        read: &CatalogueEntry,
        changed: &CatalogueEntry,
    ) -> Option<TransactWriteItem> {
        if IndexedType::of(read) == IndexedType::of(changed) {
            return None;
        }
        let update = self
            .summary(&Key::event_type_count(), &changed.name)
            .update_expression("SET #type = :type")
            .expression_attribute_values(":type", indexed(changed));
        Some(write(update))
    }

    /// Changes the validation of a type, or removes it. `None` if it has none before and after.
    pub(super) fn validation_change(
        &self,
        name: &TypeName,
        read: Option<&CatalogueEntry>,
        changed: Option<&CatalogueEntry>,
    ) -> Option<TransactWriteItem> {
        let before = read.and_then(ValidatedType::of);
        let after = changed.and_then(ValidatedType::of);
        let update = self.summary(&Key::validated_types(), name);
        Some(write(match (before, after) {
            (None, None) => return None,
            (Some(_), None) => update.update_expression("REMOVE #type"),
            (_, Some(after)) => update
                .update_expression("SET #type = :type")
                .expression_attribute_values(":type", validated(after)),
        }))
    }

    /// An update of the attribute `#type` of an item.
    fn summary(
        &self,
        key: &Key,
        name: &TypeName,
    ) -> aws_sdk_dynamodb::types::builders::UpdateBuilder {
        Update::builder()
            .table_name(&self.table)
            .set_key(Some(to_attributes(key)))
            .expression_attribute_names("#type", attribute(name))
    }
}

fn write(update: aws_sdk_dynamodb::types::builders::UpdateBuilder) -> TransactWriteItem {
    TransactWriteItem::builder()
        .update(built(update.build()))
        .build()
}

#[cfg(test)]
mod tests {
    use webhooks_domain::catalogue::{Deprecation, Documentation, MAX_TYPES, Validation};

    use super::*;
    use crate::write_units::billed_bytes;

    /// `DynamoDB`'s limit for an item, in bytes.
    const MAX_ITEM_BYTES: usize = 409_600;

    /// A type that takes the most space in both items.
    fn largest(number: u32) -> CatalogueEntry {
        let at = Timestamp::from_millis(1_795_461_722_000);
        CatalogueEntry {
            name: TypeName::from_stored(format!("{number:0>128}")),
            documentation: Documentation {
                group: Some(Group::from_stored("\u{1f4e6}".repeat(Group::MAX_CHARS))),
                deprecation: Some(Deprecation { replaced_by: None }),
                validation: Validation::Refuse,
                ..Documentation::default()
            },
            created_at: at,
            updated_at: at,
            version: 1_000_000,
        }
    }

    fn item(key: &Key, of_type: impl Fn(&CatalogueEntry) -> AttributeValue) -> AttributeMap {
        let mut item = to_attributes(key);
        for number in 0..MAX_TYPES {
            let entry = largest(number);
            item.insert(attribute(&entry.name), of_type(&entry));
        }
        item
    }

    #[test]
    fn the_largest_summaries_fit_into_items() {
        let validated = |entry: &CatalogueEntry| validated(ValidatedType::of(entry).unwrap());
        for item in [
            item(&Key::event_type_count(), indexed),
            item(&Key::validated_types(), validated),
        ] {
            let bytes = billed_bytes(item.into());
            println!("{MAX_TYPES} types: {bytes} bytes");
            assert!(bytes < MAX_ITEM_BYTES, "{bytes}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let mut item = item(&Key::validated_types(), |_| {
            AttributeValue::S("later 1 2".into())
        });
        let good = largest(0);
        let of_good = ValidatedType::of(&good).unwrap();
        item.insert(attribute(&good.name), validated(of_good));
        item.insert(attribute(&largest(1).name), AttributeValue::Bool(true));
        let types = validated_types(item);
        assert_eq!(
            types,
            ValidatedTypes::from_iter([(good.name.to_string(), of_good)])
        );
    }
}
