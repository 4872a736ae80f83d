//! Rules for items and their values.

use std::collections::HashSet;

use serde_json::Value;
use webhooks_testkit::units::{Item, item_bytes};

use super::{Part, each_part, entries, text};
use crate::gate::{
    rules::Input,
    violation::{Violation, member, over},
};

const ITEM_BYTES: usize = 400 * 1_024;
const LEVELS: usize = 32;
/// The most significant digits of a number.
const DIGITS: usize = 38;
const LARGEST_EXPONENT: i32 = 125;
const SMALLEST_EXPONENT: i32 = -130;

/// The members of a part that contain values by name.
const HOLDERS: [&str; 4] = [
    "Item",
    "Key",
    "ExclusiveStartKey",
    "ExpressionAttributeValues",
];

/// Returns the first violation of any value in a request.
pub(super) fn each_value(
    input: &Input,
    fault: fn(&Value, &str) -> Option<Violation>,
) -> Option<Violation> {
    each_part(input, |part, _| {
        let held = HOLDERS.into_iter().find_map(|holder| {
            let path = member(&part.path, holder);
            let mut values = entries(part.value, holder);
            values.find_map(|(name, value)| fault(value, &member(&path, name)))
        });
        held.or_else(|| {
            let mut keys = super::elements(part.value, "Keys").iter().enumerate();
            keys.find_map(|(index, key)| {
                let path = format!("{}[{index}]", member(&part.path, "Keys"));
                let mut values = key.as_object().into_iter().flatten();
                values.find_map(|(name, value)| fault(value, &member(&path, name)))
            })
        })
    })
}

/// Finds a value without exactly one type, or one that its type does not permit.
pub(super) fn value_fault(value: &Value, path: &str) -> Option<Violation> {
    let types = value.as_object()?;
    let mut types = types.iter().filter(|(_, value)| !value.is_null());
    let (Some((kind, value)), None) = (types.next(), types.next()) else {
        return Some(Violation::new(path, "not exactly one type"));
    };
    let path = member(path, kind);
    let fault = |reason: &str| Some(Violation::new(path.as_str(), reason));
    match kind.as_str() {
        "N" if !is_number(value) => fault("not a number that DynamoDB can store"),
        "NULL" if *value != Value::Bool(true) => fault("not true"),
        "SS" | "NS" | "BS" => {
            let elements = value.as_array()?;
            let mut seen = HashSet::new();
            if elements.is_empty() {
                fault("an empty set")
            } else if !elements
                .iter()
                .all(|element| seen.insert(element.to_string()))
            {
                fault("a repeated element")
            } else if kind == "NS" && !elements.iter().all(is_number) {
                fault("not a number that DynamoDB can store")
            } else {
                None
            }
        }
        "L" => {
            let mut elements = value.as_array()?.iter().enumerate();
            elements.find_map(|(index, value)| value_fault(value, &format!("{path}[{index}]")))
        }
        "M" => {
            let mut entries = value.as_object()?.iter();
            entries.find_map(|(name, value)| value_fault(value, &member(&path, name)))
        }
        _ => None,
    }
}

/// Finds a value that is nested too deeply.
pub(super) fn too_deep(value: &Value, path: &str) -> Option<Violation> {
    fn levels(value: &Value) -> usize {
        let nested: Vec<&Value> = match (value.get("L"), value.get("M")) {
            (Some(Value::Array(elements)), _) => elements.iter().collect(),
            (_, Some(Value::Object(entries))) => entries.values().collect(),
            _ => return 0,
        };
        1 + nested.into_iter().map(levels).max().unwrap_or(0)
    }
    let levels = levels(value);
    (levels > LEVELS).then(|| Violation::new(path, over(levels, LEVELS, "levels")))
}

/// Returns true for a number with at most 38 significant digits, between 1E-130 and 9.9…E+125.
fn is_number(value: &Value) -> bool {
    let Some(text) = value.as_str() else {
        return false;
    };
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (digits, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let Ok(exponent) = exponent.parse::<i32>() else {
        return false;
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let significant = all.trim_start_matches('0');
    if significant.is_empty() {
        return true;
    }
    let leading_zeros = i32::try_from(all.len() - significant.len()).unwrap_or(i32::MAX);
    let places = i32::try_from(whole.len()).unwrap_or(i32::MAX);
    let magnitude = exponent.saturating_add(places) - leading_zeros - 1;
    significant.trim_end_matches('0').len() <= DIGITS
        && (SMALLEST_EXPONENT..=LARGEST_EXPONENT).contains(&magnitude)
}

/// Finds a put of an item that is too large, or an update whose values alone are too large.
pub(super) fn too_large(part: &Part, _: &Input) -> Option<Violation> {
    let name = if part.value.get("Item").is_some() {
        "Item"
    } else {
        "ExpressionAttributeValues"
    };
    text(part.value, "UpdateExpression").or(part.value.get("Item").map(|_| ""))?;
    let bytes = bytes_of(part.value.get(name)?);
    (bytes > ITEM_BYTES).then(|| {
        let path = member(&part.path, name);
        Violation::new(path, over(bytes, ITEM_BYTES, "bytes"))
    })
}

/// Returns the number of bytes that a part writes, as far as the request shows it.
pub(super) fn written_bytes(part: &Part) -> usize {
    let written = part
        .value
        .get("Item")
        .or(part.value.get("ExpressionAttributeValues"));
    written.map_or(0, bytes_of)
}

/// Returns the size of values with their names, by DynamoDB's rules.
fn bytes_of(values: &Value) -> usize {
    serde_json::from_value::<Item>(values.clone()).map_or(0, |item| item_bytes(&item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_dynamodb_keeps() {
        let digits = "1".repeat(38);
        for text in [
            "0",
            "-1",
            "1.50",
            "1e125",
            "0.0001E-120",
            "1000000000000",
            &digits,
            "0e999",
        ] {
            assert!(is_number(&Value::String(text.to_owned())), "{text}");
        }
        let digits = "1".repeat(39);
        for text in [
            "", "-", "one", "1e126", "1e-131", "0x1", "1.2.3", "NaN", &digits,
        ] {
            assert!(!is_number(&Value::String(text.to_owned())), "{text}");
        }
    }
}
