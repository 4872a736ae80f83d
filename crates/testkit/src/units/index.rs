//! Global secondary indexes: the items in them, and the projected attributes.

use super::{WRITE_UNIT_BYTES, size::Item, size::item_bytes};

/// The attributes of an item that an index stores besides the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Projection {
    /// All attributes.
    All,
    /// These attributes, and the key attributes.
    Only(Vec<String>),
}

/// A global secondary index of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The attributes of its own key. Items without one of them are not in the index.
    pub key: Vec<String>,
    /// The attributes of the table's key, which every entry contains.
    pub table_key: Vec<String>,
    /// The other attributes of an entry.
    pub projection: Projection,
}

impl Index {
    /// Returns the entry of an item. `None` if the item is not in the index.
    fn entry(&self, item: &Item) -> Option<Item> {
        if !self.key.iter().all(|name| item.contains_key(name)) {
            return None;
        }
        let Projection::Only(others) = &self.projection else {
            return Some(item.clone());
        };
        let names = self.key.iter().chain(&self.table_key).chain(others);
        let kept = names.filter_map(|name| item.get_key_value(name));
        Some(
            kept.map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    /// Returns the index's write units for a change of an item: none if its entry stays the
    /// same, and two writes (delete and put) if the entry's key changes.
    pub(crate) fn write_units(&self, before: Option<&Item>, after: Option<&Item>) -> usize {
        let entry = |item: Option<&Item>| item.and_then(|item| self.entry(item));
        let units = |entry: &Item| item_bytes(entry).div_ceil(WRITE_UNIT_BYTES);
        match (entry(before), entry(after)) {
            (None, None) => 0,
            (Some(one), None) | (None, Some(one)) => units(&one),
            (Some(before), Some(after)) if before == after => 0,
            (Some(before), Some(after)) => {
                if self.key.iter().all(|name| before[name] == after[name]) {
                    units(&before).max(units(&after))
                } else {
                    units(&before) + units(&after)
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_dynamo::AttributeValue;

    use super::*;

    fn item(attributes: &[(&str, &str)]) -> Item {
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let pairs = attributes.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), text(value)))
            .collect()
    }

    #[test]
    fn an_entry_costs_only_when_it_is_added_removed_moved_or_changed() {
        let index = Index {
            key: vec!["due".to_owned()],
            table_key: vec!["pk".to_owned()],
            projection: Projection::Only(vec!["kept".to_owned()]),
        };
        let absent = item(&[("pk", "1")]);
        let first = item(&[("pk", "1"), ("due", "5")]);
        let moved = item(&[("pk", "1"), ("due", "6")]);
        let changed = item(&[("pk", "1"), ("due", "5"), ("kept", "x")]);
        let beside = item(&[("pk", "1"), ("due", "5"), ("other", "x")]);
        for (before, after, units) in [
            (None, Some(&absent), 0),
            (None, Some(&first), 1),
            (Some(&first), Some(&absent), 1),
            (Some(&first), Some(&moved), 2),
            (Some(&first), Some(&changed), 1),
            (Some(&first), Some(&beside), 0),
            (Some(&first), None, 1),
        ] {
            assert_eq!(
                index.write_units(before, after),
                units,
                "{before:?} {after:?}"
            );
        }
        let all = Index {
            projection: Projection::All,
            ..index
        };
        assert_eq!(all.write_units(Some(&first), Some(&beside)), 1);
    }
}
