//! The cost of a write.

use std::ops::AddAssign;

use super::{
    WRITE_UNIT_BYTES,
    index::Index,
    size::{Item, item_bytes},
};

/// The write units of the table and of its indexes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteUnits {
    /// The write units of the table.
    pub table: usize,
    /// The write units of its global secondary indexes.
    pub indexes: usize,
}

impl AddAssign for WriteUnits {
    fn add_assign(&mut self, other: Self) {
        self.table += other.table;
        self.indexes += other.indexes;
    }
}

/// Returns the cost of changing, creating or deleting an item: that of the larger of the two
/// sizes, plus the changes to the indexes.
pub fn write_units(before: Option<&Item>, after: Option<&Item>, indexes: &[Index]) -> WriteUnits {
    let sizes = [before, after].into_iter().flatten().map(item_bytes);
    let units = indexes.iter().map(|index| index.write_units(before, after));
    WriteUnits {
        // A write without an item costs one unit, too.
        table: sizes.max().unwrap_or(0).div_ceil(WRITE_UNIT_BYTES).max(1),
        indexes: units.sum(),
    }
}

#[cfg(test)]
mod tests {
    use serde_dynamo::AttributeValue;

    use super::*;

    fn item(bytes: usize) -> Item {
        // The name is one byte.
        Item::from([("b".to_owned(), AttributeValue::B(vec![0; bytes - 1]))])
    }

    #[test]
    fn an_update_costs_the_larger_of_the_item_before_and_after() {
        let (small, large) = (item(1_024), item(1_025));
        for (before, after, table) in [
            (None, Some(&small), 1),
            (None, Some(&large), 2),
            (Some(&large), Some(&small), 2),
            (Some(&small), Some(&large), 2),
            (None, None, 1),
        ] {
            assert_eq!(
                write_units(before, after, &[]),
                WriteUnits { table, indexes: 0 }
            );
        }
    }
}
