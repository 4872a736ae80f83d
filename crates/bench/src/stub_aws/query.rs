//! The key condition of a query, in the forms that our stores use.

use std::cmp::Ordering;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Selects the entries of a query.
#[derive(Debug, PartialEq)]
pub(super) struct KeyCondition {
    pub(super) partition: Value,
    sort: Sort,
}

/// The condition on the sort key.
#[derive(Debug, PartialEq)]
enum Sort {
    Any,
    BeginsWith(String),
    Between(Value, Value),
    AtMost(Value),
}

impl KeyCondition {
    /// Reads the condition of a call. The names of the keys follow from the table or the index.
    pub(super) fn of(call: &Value) -> Result<Self> {
        let text = call["KeyConditionExpression"].as_str();
        let text = text.context("no key condition")?;
        let value = |name: &str| {
            let value = call["ExpressionAttributeValues"].get(name.trim());
            value
                .cloned()
                .with_context(|| format!("no value `{name}` of `{text}`"))
        };
        let (partition, sort) = match text.split_once(" AND ") {
            Some((partition, sort)) => (partition, Some(sort)),
            None => (text, None),
        };
        let (_, partition) = partition.split_once(" = ").context("no partition")?;
        let sort = match sort {
            None => Sort::Any,
            Some(sort) => {
                if let Some(rest) = sort.strip_prefix("begins_with(") {
                    let prefix = rest.trim_end_matches(')').split_once(", ");
                    let prefix = value(prefix.context("no prefix")?.1)?;
                    let prefix = prefix["S"].as_str().context("the prefix is no text")?;
                    Sort::BeginsWith(prefix.to_owned())
                } else if let Some((_, range)) = sort.split_once(" BETWEEN ") {
                    let (first, last) = range.split_once(" AND ").context("no range")?;
                    Sort::Between(value(first)?, value(last)?)
                } else if let Some((_, last)) = sort.split_once(" <= ") {
                    Sort::AtMost(value(last)?)
                } else {
                    bail!("the stub does not know the condition `{sort}`");
                }
            }
        };
        Ok(Self {
            partition: value(partition)?,
            sort,
        })
    }

    /// Returns true if an item is selected, given the names of its keys.
    pub(super) fn matches(&self, partition: &str, sort: &str, item: &Value) -> bool {
        let Some(sort) = item.get(sort) else {
            return false;
        };
        item.get(partition) == Some(&self.partition)
            && match &self.sort {
                Sort::Any => true,
                Sort::BeginsWith(prefix) => {
                    let text = sort["S"].as_str();
                    text.is_some_and(|text| text.starts_with(prefix))
                }
                Sort::Between(first, last) => {
                    compare(sort, first).is_ge() && compare(sort, last).is_le()
                }
                Sort::AtMost(last) => compare(sort, last).is_le(),
            }
    }
}

/// Compares two values of a sort key: whole numbers, or texts.
pub(super) fn compare(left: &Value, right: &Value) -> Ordering {
    let number = |value: &Value| value["N"].as_str().and_then(|n| n.parse::<i64>().ok());
    number(left)
        .cmp(&number(right))
        .then_with(|| left["S"].as_str().cmp(&right["S"].as_str()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_condition_that_is_not_known_or_lacks_a_value_is_an_error() {
        for condition in ["pk = :a AND sk > :a", "pk = :b", "pk = :a AND sk <= :b"] {
            let call = json!({
                "KeyConditionExpression": condition,
                "ExpressionAttributeValues": {":a": {"S": "x"}},
            });
            KeyCondition::of(&call).unwrap_err();
        }
    }

    #[test]
    fn numbers_are_not_compared_as_texts() {
        let number = |text: &str| json!({ "N": text });
        assert_eq!(compare(&number("9"), &number("10")), Ordering::Less);
        assert_eq!(
            compare(&json!({"S": "9"}), &json!({"S": "10"})),
            Ordering::Greater
        );
    }
}
