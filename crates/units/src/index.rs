//! A global secondary index: which items are in it, and what of them.

use crate::{WRITE_UNIT_BYTES, size::Item, size::item_bytes};

/// What an index keeps of an item besides the keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Projection {
    /// Everything.
    All,
    /// These attributes, and those that the keys consist of.
    Only(Vec<String>),
}

/// A global secondary index of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The attributes of its own key. An item that lacks one is not in it.
    pub key: Vec<String>,
    /// The attributes of the table's key, which every entry has.
    pub table_key: Vec<String>,
    /// What else an entry has.
    pub projection: Projection,
}

impl Index {
    /// What the index holds of an item. `None` when the item is not in it.
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

    /// The write units that it costs the index when an item becomes another one. Nothing when
    /// its entry stays as it is; twice when the key changes, out and in.
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
    fn an_entry_costs_when_it_comes_goes_moves_or_changes_and_else_nothing() {
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
