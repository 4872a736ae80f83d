//! JSON numbers of any length, compared by value and without floats.

use std::cmp::Ordering;

/// A number in parts: ± 0.`digits` × 10^`magnitude`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimal<'a> {
    is_negative: bool,
    /// The digits before and after the point, without leading and trailing zeros.
    digits: (&'a [u8], &'a [u8]),
    /// `None` for zero. Values beyond an `i64` are saturated.
    magnitude: Option<i64>,
}

/// The largest absolute exponent in a filter. The number of digits of a payload's number is smaller
/// than the remaining range of an `i64`, so the comparison is exact.
pub(super) const MAX_EXPONENT: i64 = 1_000_000;

impl<'a> Decimal<'a> {
    /// Parses a JSON number.
    pub(super) fn new(json: &'a str) -> Self {
        let (is_negative, rest) = match json.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, json),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, saturating(exponent)),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let whole = without_zeros_before(whole.as_bytes());
        let fraction = without_zeros_behind(fraction.as_bytes());
        let length = |digits: &[u8]| i64::try_from(digits.len()).unwrap_or(i64::MAX);
        let (digits, magnitude) = match (whole, fraction) {
            ([], []) => ((whole, fraction), None),
            ([], _) => {
                let digits = without_zeros_before(fraction);
                let zeros = length(fraction) - length(digits);
                ((whole, digits), Some(exponent.saturating_sub(zeros)))
            }
            (_, fraction) => {
                let digits = if fraction.is_empty() {
                    without_zeros_behind(whole)
                } else {
                    whole
                };
                (
                    (digits, fraction),
                    Some(exponent.saturating_add(length(whole))),
                )
            }
        };
        Self {
            is_negative,
            digits,
            magnitude,
        }
    }

    fn digits(&self) -> impl Iterator<Item = u8> + use<'a> {
        self.digits.0.iter().chain(self.digits.1).copied()
    }

    fn sign(&self) -> i8 {
        match (self.magnitude, self.is_negative) {
            (None, _) => 0,
            (_, true) => -1,
            (_, false) => 1,
        }
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = || {
            let magnitude = self.magnitude.cmp(&other.magnitude);
            magnitude.then_with(|| self.digits().cmp(other.digits()))
        };
        self.sign().cmp(&other.sign()).then_with(|| {
            if self.is_negative {
                size().reverse()
            } else {
                size()
            }
        })
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Decimal<'_> {}

/// Returns true if the exponent of a number is within [`MAX_EXPONENT`].
pub(super) fn has_a_moderate_exponent(json: &str) -> bool {
    json.split_once(['e', 'E'])
        .is_none_or(|(_, exponent)| (-MAX_EXPONENT..=MAX_EXPONENT).contains(&saturating(exponent)))
}

/// An exponent, saturated at half the range of an `i64`.
fn saturating(exponent: &str) -> i64 {
    const LIMIT: i64 = i64::MAX / 2;
    match exponent.parse::<i64>() {
        Ok(exponent) => exponent.clamp(-LIMIT, LIMIT),
        Err(_) if exponent.starts_with('-') => -LIMIT,
        Err(_) => LIMIT,
    }
}

fn without_zeros_before(digits: &[u8]) -> &[u8] {
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    &digits[zeros..]
}

fn without_zeros_behind(digits: &[u8]) -> &[u8] {
    let zeros = digits
        .iter()
        .rev()
        .take_while(|digit| **digit == b'0')
        .count();
    &digits[..digits.len() - zeros]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_ordered_by_value() {
        let huge = format!("1{}", "0".repeat(400));
        let huger = format!("1{}1", "0".repeat(399));
        let beyond = format!("1e{}", "9".repeat(200));
        let near_zero = format!("1e-{}", "9".repeat(200));
        let below = format!("-1e{}", "9".repeat(200));
        // The numbers of each line are equal, and less than those of the next line.
        let lines: [&[&str]; 18] = [
            &[&below],
            &["-1e401"],
            &["-1e400", "-10e399"],
            &["-9007199254740993"],
            &["-9007199254740992.0", "-9007199254740992"],
            &["-1.5", "-15e-1", "-1.50"],
            &["-1", "-1.0"],
            &[
                "0",
                "-0",
                "0.0",
                "-0.0",
                "0e5",
                "0.000e-7",
                "-0E+99999999999999999999",
            ],
            &[&near_zero],
            &["1e-7", "0.0000001", "0.1e-6", "10e-8"],
            &["0.1", "1e-1", "0.10"],
            &["300", "300.0", "3.0e2", "3E2", "3000e-1", "0.03e+4"],
            &["9007199254740992"],
            &["9007199254740993"],
            &["12345678901234567890"],
            &["1.7976931348623157e308"],
            &["1e400", &huge],
            &[&huger],
        ];
        let numbers = lines.iter().enumerate();
        let numbers: Vec<_> = numbers
            .flat_map(|(line, numbers)| numbers.iter().map(move |number| (line, *number)))
            .chain([(lines.len(), beyond.as_str())])
            .collect();
        for (line, number) in &numbers {
            for (other_line, other) in &numbers {
                let order = Decimal::new(number).cmp(&Decimal::new(other));
                assert_eq!(order, line.cmp(other_line), "{number} {other}");
            }
        }
    }

    #[test]
    fn the_limit_of_exponents_is_checked() {
        for moderate in ["1", "1.5", "1e1000000", "1E+308", "1e-1000000"] {
            assert!(has_a_moderate_exponent(moderate), "{moderate}");
        }
        for not in [
            "1e1000001",
            "1e-1000001",
            "1e99999999999999999999",
            "1e-99999999999999999999",
        ] {
            assert!(!has_a_moderate_exponent(not), "{not}");
        }
    }

    proptest! {
        #[test]
        fn doubles_are_ordered_as_they_are(one in any::<f64>(), other in any::<f64>()) {
            prop_assume!(one.is_finite() && other.is_finite());
            let forms = |number: f64| [format!("{number:?}"), format!("{number:e}"), format!("{number}")];
            for one_form in forms(one) {
                for other_form in forms(other) {
                    let order = Decimal::new(&one_form).cmp(&Decimal::new(&other_form));
                    prop_assert_eq!(Some(order), one.partial_cmp(&other));
                }
            }
        }

        #[test]
        fn integers_are_ordered_as_they_are(one in any::<i128>(), other in any::<i128>()) {
            let (one_form, other_form) = (one.to_string(), other.to_string());
            prop_assert_eq!(Decimal::new(&one_form).cmp(&Decimal::new(&other_form)), one.cmp(&other));
        }
    }
}
