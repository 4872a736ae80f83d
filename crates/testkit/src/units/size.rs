//! The size of an item by DynamoDB's rules.

use std::collections::HashMap;

use serde_dynamo::AttributeValue;

/// An item, by the names of its attributes.
pub type Item = HashMap<String, AttributeValue>;

/// Returns the billed size: names in UTF-8, and values by their type (Developer Guide, "Item
/// sizes and formats"; numbers at their upper limit).
pub fn item_bytes(item: &Item) -> usize {
    let sizes = item
        .iter()
        .map(|(name, value)| name.len() + value_bytes(value));
    sizes.sum()
}

fn value_bytes(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        AttributeValue::B(bytes) => bytes.len(),
        AttributeValue::N(digits) => number_bytes(digits),
        AttributeValue::Ss(texts) => texts.iter().map(String::len).sum(),
        AttributeValue::Ns(numbers) => numbers.iter().map(|digits| number_bytes(digits)).sum(),
        AttributeValue::Bs(all) => all.iter().map(Vec::len).sum(),
        AttributeValue::L(values) => {
            3 + values
                .iter()
                .map(|value| 1 + value_bytes(value))
                .sum::<usize>()
        }
        AttributeValue::M(map) => {
            3 + map
                .iter()
                .map(|(name, value)| 1 + name.len() + value_bytes(value))
                .sum::<usize>()
        }
        AttributeValue::Bool(_) | AttributeValue::Null(_) => 1,
    }
}

fn number_bytes(digits: &str) -> usize {
    digits.len().div_ceil(2) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_count_by_their_kind() {
        let item = serde_json::json!({
            "pk": {"S": "abc"},
            "n": {"N": "12345"},
            "b": {"B": "AAEC"},
            "l": {"L": [{"BOOL": true}, {"S": "ü"}]},
            "m": {"M": {"k": {"NULL": true}}},
        });
        // pk 2 + 3, n 1 + 4, b 1 + 3, l 1 + 3 + 2 + 3, m 1 + 3 + 1 + 1 + 1.
        let item = serde_json::from_value(item).unwrap();
        assert_eq!(item_bytes(&item), 5 + 5 + 4 + 9 + 7);
    }
}
