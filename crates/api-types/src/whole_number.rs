//! Whole numbers of requests.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// A non-negative whole number in any notation: JSON has only one kind of number, and
/// some languages write each as `1.0`.
///
/// A number that is too large for 32 bits is read as the largest one, which every bound refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct WholeNumber(pub u32);

impl<'de> Deserialize<'de> for WholeNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Number)
    }
}

struct Number;

impl Visitor<'_> for Number {
    type Value = WholeNumber;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(WholeNumber(u32::try_from(number).unwrap_or(u32::MAX)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        let refused = |_| E::invalid_value(Unexpected::Signed(number), &"0 or more");
        u64::try_from(number)
            .map_err(refused)
            .and_then(|number| self.visit_u64(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        if number.fract() != 0.0 {
            return Err(E::invalid_value(Unexpected::Float(number), &self));
        }
        if number < 0.0 {
            return Err(E::invalid_value(Unexpected::Float(number), &"0 or more"));
        }
        // Digits alone, of minus zero too.
        let digits = format!("{:.0}", number.abs());
        self.visit_u64(digits.parse().unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> Result<u32, String> {
        let number: Result<WholeNumber, _> = serde_json::from_str(json);
        number
            .map(|number| number.0)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_whole_number_is_one_however_it_is_written() {
        for (json, number) in [
            ("7", 7),
            ("7.0", 7),
            ("7.000", 7),
            ("7e0", 7),
            ("0.7e1", 7),
            ("70e-1", 7),
            ("1E3", 1_000),
            ("0.0", 0),
            ("-0", 0),
            ("-0.0", 0),
            ("4294967295.0", u32::MAX),
            ("4294967296", u32::MAX),
            ("4294967296.0", u32::MAX),
            ("1e300", u32::MAX),
        ] {
            assert_eq!(read(json), Ok(number), "{json}");
        }
    }

    #[test]
    fn what_is_none_is_refused_by_what_is_wrong_with_it() {
        for (json, words) in [
            ("1.5", "expected a whole number"),
            ("1e-9", "expected a whole number"),
            ("\"1\"", "expected a whole number"),
            ("true", "expected a whole number"),
            ("null", "expected a whole number"),
            ("[]", "expected a whole number"),
            ("-1", "expected 0 or more"),
            ("-1.0", "expected 0 or more"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(words), "{json}: {error}");
        }
    }

    proptest! {
        #[test]
        fn the_point_makes_no_difference(number: u32) {
            prop_assert_eq!(read(&number.to_string()), Ok(number));
            prop_assert_eq!(read(&format!("{number}.0")), Ok(number));
        }
    }
}
