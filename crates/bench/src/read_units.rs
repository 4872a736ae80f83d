//! The read units of a call to DynamoDB, from the sizes of the items in its answer.

use anyhow::{Context, Result};
use serde_json::Value;
use webhooks_testkit::units::{Item, READ_UNIT_BYTES, item_bytes};

/// Returns the read units of a call, as AWS bills them. A call that reads nothing has none.
///
/// The answer must have all that was read: no filter and no projection may have left anything out.
pub(crate) fn read_units(operation: &str, call: &Value, answer: &Value) -> Result<f64> {
    match operation {
        "GetItem" => {
            let bytes = item(&answer["Item"])?.map_or(0, |item| item_bytes(&item));
            Ok(units(bytes, call))
        }
        "BatchGetItem" => {
            let asked = call["RequestItems"].as_object().context("no tables")?;
            let mut sum = 0.0;
            for (table, asked) in asked {
                let found = items(&answer["Responses"][table])?;
                // A read of a missing item is billed, too.
                let keys = asked["Keys"].as_array().map_or(0, Vec::len);
                let missing = keys.saturating_sub(found.len());
                let sizes = found.iter().map(item_bytes);
                let sizes = sizes.chain(std::iter::repeat_n(0, missing));
                sum += sizes.map(|bytes| units(bytes, asked)).sum::<f64>();
            }
            Ok(sum)
        }
        "Query" => {
            let bytes = items(&answer["Items"])?.iter().map(item_bytes).sum();
            Ok(units(bytes, call))
        }
        _ => Ok(0.0),
    }
}

/// Returns the units of a read, at least one.
#[expect(clippy::cast_precision_loss, reason = "far less than 2^53")]
fn units(bytes: usize, asked: &Value) -> f64 {
    let units = bytes.div_ceil(READ_UNIT_BYTES).max(1) as f64;
    if asked["ConsistentRead"] == true {
        units
    } else {
        units / 2.0
    }
}

/// Parses an item in DynamoDB's JSON. `None` if there is none.
pub(crate) fn item(json: &Value) -> Result<Option<Item>> {
    let json = json.is_object().then(|| json.clone());
    Ok(json.map(serde_json::from_value).transpose()?)
}

/// Parses a list of items. It may be absent.
pub(crate) fn items(json: &Value) -> Result<Vec<Item>> {
    let items = json.as_array().into_iter().flatten();
    items.map(|json| item(json)?.context("no item")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(operation: &str, call: &Value, answer: &Value, expected: f64) {
        let units = read_units(operation, call, answer).unwrap();
        assert!((units - expected).abs() < 1e-9, "{units}");
    }

    #[test]
    fn reads_are_billed_by_size_and_consistency() {
        let large = json!({"pk": {"S": "CUSTOMER#1"}, "text": {"S": "x".repeat(5_000)}});
        for (consistent, units) in [(true, 2.0), (false, 1.0)] {
            let call = json!({"Key": {}, "ConsistentRead": consistent});
            check("GetItem", &call, &json!({"Item": large}), units);
        }
        check("GetItem", &json!({"Key": {}}), &json!({}), 0.5);
        check("PutItem", &json!({"Item": large}), &json!({}), 0.0);
    }

    #[test]
    fn a_query_rounds_up_the_total_and_a_batch_each_item() {
        let small = json!({"pk": {"S": "CUSTOMER#1"}, "text": {"S": "x".repeat(100)}});
        let answer = json!({"Items": [small, small, small]});
        check("Query", &json!({"ConsistentRead": true}), &answer, 1.0);
        let keys = json!([{}, {}, {}, {}]);
        let call = json!({"RequestItems": {"t": {"Keys": keys, "ConsistentRead": true}}});
        let answer = json!({"Responses": {"t": [small, small, small]}});
        check("BatchGetItem", &call, &answer, 4.0);
    }
}
