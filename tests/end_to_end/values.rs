//! Compares JSON by its exact values: no number passes through a float.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// A JSON value whose numbers are decimals of any size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Exact {
    Null,
    Boolean(bool),
    Number(Decimal),
    Text(String),
    Array(Vec<Exact>),
    Object(BTreeMap<String, Exact>),
}

/// `digits` times ten to the power of `exponent`. The digits begin and end without a zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Exact {
    /// Reads JSON text.
    pub(crate) fn parse(json: &str) -> Self {
        let json = json.trim();
        match json.as_bytes()[0] {
            b'n' => Self::Null,
            b't' | b'f' => Self::Boolean(json == "true"),
            b'"' => Self::Text(serde_json::from_str(json).unwrap()),
            b'[' => {
                let elements: Vec<&RawValue> = serde_json::from_str(json).unwrap();
                Self::Array(elements.iter().map(|v| Self::parse(v.get())).collect())
            }
            b'{' => {
                let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).unwrap();
                let exact = |(name, value): (String, &RawValue)| (name, Self::parse(value.get()));
                Self::Object(members.into_iter().map(exact).collect())
            }
            _ => Self::Number(Decimal::parse(json)),
        }
    }

    /// A member of an object.
    pub(crate) fn member(&self, name: &str) -> &Self {
        match self {
            Self::Object(members) => &members[name],
            other => panic!("no object: {other:?}"),
        }
    }
}

impl Decimal {
    fn parse(number: &str) -> Self {
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let unsigned = mantissa.trim_start_matches('-');
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all = format!("{whole}{fraction}");
        let significant = all.trim_end_matches('0');
        let digits = significant.trim_start_matches('0');
        if digits.is_empty() {
            return Self {
                negative: false,
                digits: String::new(),
                exponent: 0,
            };
        }
        let shift = i64::try_from(all.len() - significant.len()).unwrap();
        let fraction = i64::try_from(fraction.len()).unwrap();
        Self {
            negative: mantissa.starts_with('-'),
            digits: digits.to_owned(),
            exponent: exponent.parse::<i64>().unwrap() + shift - fraction,
        }
    }
}

#[test]
fn two_notations_of_one_value_are_equal() {
    for (one, other) in [
        ("0.10", "0.1"),
        ("1e-7", "0.0000001"),
        ("1E+2", "100"),
        ("-0", "0.0"),
        ("\"\\u00e9\"", "\"é\""),
        (r#"{"a": 1, "b": [ ]}"#, r#"{"b":[],"a":1.0}"#),
    ] {
        assert_eq!(Exact::parse(one), Exact::parse(other));
    }
}

#[test]
fn values_that_a_float_would_confuse_are_different() {
    for (one, other) in [
        ("9007199254740993", "9007199254740992"),
        ("0.1", "0.1000000000000000055511151231257827"),
        ("[1]", "1"),
        ("null", "[]"),
        ("100", "10"),
        ("-1", "1"),
    ] {
        assert_ne!(Exact::parse(one), Exact::parse(other));
    }
}
