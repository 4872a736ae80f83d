//! The key condition of a query, in the forms that our stores use.

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

    /// Returns true if an item with this sort key is selected.
    pub(super) fn selects(&self, sort: &Value) -> bool {
        match &self.sort {
            Sort::Any => true,
            Sort::BeginsWith(prefix) => {
                let text = sort["S"].as_str();
                text.is_some_and(|text| text.starts_with(prefix))
            }
            Sort::Between(first, last) => {
                (sort_key(first)..=sort_key(last)).contains(&sort_key(sort))
            }
            Sort::AtMost(last) => sort_key(sort) <= sort_key(last),
        }
    }
}

/// A sort key in its order: a whole number, or a text.
pub(super) type SortKey = (Option<i64>, Option<String>);

/// Returns the place of a value in the order of a sort key.
pub(super) fn sort_key(value: &Value) -> SortKey {
    let number = value["N"].as_str().and_then(|number| number.parse().ok());
    (number, value["S"].as_str().map(str::to_owned))
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
        assert!(sort_key(&number("9")) < sort_key(&number("10")));
        assert!(sort_key(&json!({"S": "9"})) > sort_key(&json!({"S": "10"})));
    }
}
