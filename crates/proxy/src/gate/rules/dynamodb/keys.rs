//! Rules for keys.

use std::collections::HashSet;

use serde_json::Value;

use super::{Part, elements, parts};
use crate::gate::{
    rules::Input,
    tables::{KeyAttribute, Table},
    violation::{Violation, member, over},
};

const PARTITION_KEY_BYTES: usize = 2_048;
const SORT_KEY_BYTES: usize = 1_024;
const READS: usize = 100;
const WRITES: usize = 25;

/// Returns the keys of a part that must be complete, each with its path.
fn keys<'a>(part: &'a Part) -> Vec<(String, &'a Value)> {
    let keys = elements(part.value, "Keys").iter().enumerate();
    let mut keys: Vec<_> = keys
        .map(|(index, key)| (format!("{}[{index}]", member(&part.path, "Keys")), key))
        .collect();
    if let Some(key) = part.value.get("Key") {
        keys.push((member(&part.path, "Key"), key));
    }
    keys
}

/// Returns the value of a key attribute in a key or an item.
fn attribute<'a>(of: &'a Value, attribute: &KeyAttribute) -> Option<&'a str> {
    of.get(&attribute.name)?.get(&attribute.kind)?.as_str()
}

pub(super) fn mismatch(part: &Part, input: &Input) -> Option<Violation> {
    let table = input.tables.get(part.table)?;
    let mut wholes = keys(part);
    let of_item = part
        .value
        .get("Item")
        .map(|item| (member(&part.path, "Item"), item));
    let is_key = |(_, key): &(String, &Value)| {
        key.as_object()
            .is_some_and(|key| key.len() == table.key.len())
    };
    if let Some((path, _)) = wholes.iter().find(|key| !is_key(key)) {
        return Some(Violation::new(
            path,
            "not the attributes of the table's key",
        ));
    }
    wholes.extend(of_item.clone());
    let missing = wholes.iter().find_map(|(path, whole)| {
        let missing = table
            .key
            .iter()
            .find(|part| attribute(whole, part).is_none())?;
        Some(Violation::new(
            member(path, &missing.name),
            format!("no {}, which the table's key requires", missing.kind),
        ))
    });
    // An item need not be in an index, but an attribute of an index key must have its type.
    missing.or_else(|| {
        let (path, item) = of_item?;
        let mut all = table.indexes.values().flatten();
        let other =
            all.find(|part| item.get(&part.name).is_some() && attribute(item, part).is_none())?;
        Some(Violation::new(
            member(&path, &other.name),
            format!("no {}, which the key of an index requires", other.kind),
        ))
    })
}

/// Returns the key attributes of a part with their values: those of the table and, for an item,
/// also those of its indexes.
fn attributes<'a>(part: &'a Part, table: &'a Table) -> Vec<(String, &'a KeyAttribute, &'a str)> {
    let mut found = Vec::new();
    let mut look =
        |path: &str, of: &'a Value, attributes: &mut dyn Iterator<Item = &'a KeyAttribute>| {
            for one in attributes {
                if let Some(value) = attribute(of, one) {
                    found.push((member(path, &one.name), one, value));
                }
            }
        };
    for (path, key) in keys(part) {
        look(&path, key, &mut table.key.iter());
    }
    if let Some(item) = part.value.get("Item") {
        let all = table.key.iter().chain(table.indexes.values().flatten());
        look(&member(&part.path, "Item"), item, &mut { all });
    }
    found
}

pub(super) fn empty(part: &Part, input: &Input) -> Option<Violation> {
    let table = input.tables.get(part.table)?;
    let attributes = attributes(part, table).into_iter();
    let mut empty = attributes.filter(|(_, _, value)| value.is_empty());
    let (path, _, _) = empty.next()?;
    Some(Violation::new(path, "a key attribute is empty"))
}

pub(super) fn too_long(part: &Part, input: &Input) -> Option<Violation> {
    let table = input.tables.get(part.table)?;
    attributes(part, table)
        .into_iter()
        .find_map(|(path, attribute, value)| {
            let most = if attribute.is_partition {
                PARTITION_KEY_BYTES
            } else {
                SORT_KEY_BYTES
            };
            let bytes = match attribute.kind.as_str() {
                // Base64 encodes three bytes in four characters.
                "B" => value.len() / 4 * 3,
                _ => value.len(),
            };
            (bytes > most).then(|| Violation::new(path, over(bytes, most, "bytes")))
        })
}

pub(super) fn batch_of_reads(input: &Input) -> Option<Violation> {
    let parts = parts(input);
    let count = parts.iter().map(|part| keys(part).len()).sum::<usize>();
    if count > READS {
        return Some(Violation::new("RequestItems", over(count, READS, "keys")));
    }
    twice(input, &parts)
}

pub(super) fn batch_of_writes(input: &Input) -> Option<Violation> {
    let parts = parts(input);
    if parts.len() > WRITES {
        return Some(Violation::new(
            "RequestItems",
            over(parts.len(), WRITES, "writes"),
        ));
    }
    twice(input, &parts)
}

pub(super) fn transaction(input: &Input) -> Option<Violation> {
    let mut items = elements(input.value, "TransactItems").iter().enumerate();
    let not_one = items.find_map(|(index, item)| {
        let actions = item
            .as_object()?
            .values()
            .filter(|action| !action.is_null());
        (actions.count() != 1)
            .then(|| Violation::new(format!("TransactItems[{index}]"), "not exactly one action"))
    });
    not_one.or_else(|| twice(input, &parts(input)))
}

/// Finds an item that is named twice.
fn twice(input: &Input, parts: &[Part]) -> Option<Violation> {
    let mut seen = HashSet::new();
    parts.iter().find_map(|part| {
        let table = input.tables.get(part.table)?;
        let mut named = keys(part);
        let item = part.value.get("Item");
        named.extend(item.map(|item| (member(&part.path, "Item"), item)));
        named
            .into_iter()
            .find(|(_, of)| {
                let key = table.key.iter().map(|one| attribute(of, one));
                !seen.insert((part.table, key.collect::<Vec<_>>()))
            })
            .map(|(path, _)| Violation::new(path, "repeats an item"))
    })
}
