//! A subscription's filter over the payload, in EventBridge pattern syntax.

mod members;
mod pattern;
mod payload;
mod trial;

use quamina::{Quamina, QuaminaBuilder, QuaminaError};

pub(crate) use self::members::Members;
use self::pattern::Pattern;
use self::payload::{has_value, is_too_deep, project};
pub use self::trial::try_filter;

/// An EventBridge event pattern over the payload (the event's `detail`).
///
/// `{"total": [{"numeric": [">", 100]}]}` wants payloads whose `total` is
/// greater than 100. At most 2,048 bytes (EventBridge's bound for a pattern).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

/// A text that is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Too long.
    #[error("must be at most {max} bytes, is {len}", max = Filter::MAX_BYTES)]
    Length {
        /// The length that was given, in bytes.
        len: usize,
    },
    /// Not a pattern.
    #[error("{0}")]
    Pattern(String),
}

impl Filter {
    /// The greatest length of a pattern, in bytes.
    pub const MAX_BYTES: usize = 2_048;

    /// How many states the matcher may make of the kinds of matches that a pattern mixes:
    /// their product over its fields. It makes them anew for each event.
    const MAX_STATES: usize = 64;
    /// What is said of a pattern that would need more.
    const TOO_COMPLEX: &str = "is too complex: it must name fewer fields, or mix fewer kinds of \
                               values and operators in each";
    /// Their number for a pattern that is stored already: the matcher's own bound.
    const MAX_STORED_STATES: usize = 1_024;

    /// Parses and checks a pattern.
    ///
    /// # Errors
    /// When it is no pattern, or one that would not be evaluated as `EventBridge` does.
    pub fn parse(pattern: &str) -> Result<Self, FilterError> {
        if pattern.len() > Self::MAX_BYTES {
            return Err(FilterError::Length { len: pattern.len() });
        }
        if let Some(present) = Pattern::parse(pattern)?.present {
            compile(&present.pattern, Self::MAX_STATES)?;
        }
        Ok(Self(pattern.to_owned()))
    }

    /// From the text that [`as_str`](Self::as_str) gave: checked when it was stored.
    pub fn from_stored(pattern: String) -> Self {
        Self(pattern)
    }

    /// The pattern as JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the payload, a JSON object, is wanted. One that nests deeper than 256 is not.
    ///
    /// # Errors
    /// When the pattern or the payload cannot be evaluated. The payload is a
    /// JSON object by then, so that is a fault of ours.
    pub fn matches(&self, payload: &str) -> Result<bool, FilterError> {
        if is_too_deep(payload.as_bytes()) {
            return Ok(false);
        }
        let Ok(pattern) = Pattern::parse(&self.0) else {
            // Stored before it would have been refused. It is evaluated as it was then, so
            // that it does not stop its customer's events.
            return has_match(&self.0, payload);
        };
        if pattern.absent.iter().any(|path| has_value(payload, path)) {
            return Ok(false);
        }
        match pattern.present {
            None => Ok(true),
            Some(present) => has_match(&present.pattern, &project(payload, &present.fields)),
        }
    }
}

fn has_match(pattern: &str, payload: &str) -> Result<bool, FilterError> {
    compile(pattern, Filter::MAX_STORED_STATES)?
        .has_matches(payload.as_bytes())
        .map_err(|error| FilterError::Pattern(error.to_string()))
}

fn compile(pattern: &str, max_states: usize) -> Result<Quamina<()>, FilterError> {
    let pattern_error = |error| {
        FilterError::Pattern(match error {
            QuaminaError::PatternTooComplex(_) => Filter::TOO_COMPLEX.to_owned(),
            error => error.to_string(),
        })
    };
    let mut quamina = QuaminaBuilder::new()
        .with_max_states_per_pattern(max_states)
        .build()
        .map_err(pattern_error)?;
    quamina.add_pattern((), pattern).map_err(pattern_error)?;
    Ok(quamina)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(pattern: &str, payload: &str) -> bool {
        Filter::parse(pattern).unwrap().matches(payload).unwrap()
    }

    #[test]
    fn a_filter_wants_what_eventbridge_would() {
        let payload =
            r#"{"total":120.5,"currency":"EUR","tags":["a","b"],"buyer":{"country":"DE"}}"#;
        assert!(matches(r#"{"currency":["EUR","USD"]}"#, payload));
        assert!(matches(
            r#"{"total":[{"numeric":[">",100,"<=",200]}]}"#,
            payload
        ));
        assert!(matches(
            r#"{"tags":["b"],"buyer":{"country":[{"prefix":"D"}]}}"#,
            payload
        ));
        assert!(matches(r#"{"coupon":[{"exists":false}]}"#, payload));
        assert!(!matches(
            r#"{"currency":[{"anything-but":["EUR"]}]}"#,
            payload
        ));
        assert!(!matches(r#"{"currency":["EUR"],"total":[1]}"#, payload));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in [
            "",
            "7",
            "[]",
            "{}",
            r#"{"a":{}}"#,
            r#"{"a":[]}"#,
            r#"{"a":"b"}"#,
            r#"{"a":[["b"]]}"#,
            r#"{"a":[{}]}"#,
            r#"{"a":[{"nonsense":1}]}"#,
            r#"{"a":[{"prefix":"x","suffix":"y"}]}"#,
            r#"{"a":[{"prefix":1}]}"#,
            r#"{"a":[{"wildcard":"x**"}]}"#,
            r#"{"a":[{"wildcard":"x\\y"}]}"#,
            r#"{"a":[{"exists":"true"}]}"#,
            r#"{"a":[{"anything-but":[]}]}"#,
            r#"{"a":[{"anything-but":["x",1]}]}"#,
            r#"{"a":[{"anything-but":["x",null]}]}"#,
            r#"{"a":[{"anything-but":true}]}"#,
            r#"{"a":[{"numeric":[]}]}"#,
            r#"{"a":[{"numeric":[">"]}]}"#,
            r#"{"a":[{"numeric":["!=",1]}]}"#,
            r#"{"a":[{"numeric":["=","1"]}]}"#,
            r#"{"a":[{"numeric":["<",5,">",1]}]}"#,
            r#"{"a":[{"numeric":[">",5,"<",1]}]}"#,
            r#"{"a":[{"numeric":["=",1,"=",2]}]}"#,
            r#"{"a":[{"cidr":"10.0.0.0"}]}"#,
            r#"{"a":[{"cidr":"10.0.0.1/32"}]}"#,
            r#"{"a":[{"cidr":"10.0.0.0/+8"}]}"#,
            r#"{"a":["#,
            r#"{"a":[1]} and more"#,
        ] {
            assert!(Filter::parse(bad).is_err(), "{bad}");
        }
        let long = format!(r#"{{"a":["{}"]}}"#, "x".repeat(2_048));
        assert!(matches!(
            Filter::parse(&long),
            Err(FilterError::Length { .. })
        ));
        let nested = |depth: usize| format!("{}[1]{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        assert!(Filter::parse(&nested(16)).is_ok());
        assert!(Filter::parse(&nested(17)).is_err());
        let wide = |fields: u32| {
            let fields = (0..fields).map(|n| format!(r#""f{n}":[1]"#));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        };
        assert!(Filter::parse(&wide(64)).is_ok());
        assert!(Filter::parse(&wide(65)).is_err());
        let mixed = wide(10).replace("[1]", r#"[{"prefix":"x"},{"suffix":"x"}]"#);
        let refused = Filter::parse(&mixed).unwrap_err().to_string();
        assert!(refused.starts_with("is too complex"), "{refused}");
    }

    #[test]
    fn what_the_matcher_evaluates_otherwise_than_eventbridge_is_refused_by_its_path() {
        for (pattern, path) in [
            (r#"{"a":{"b":[{"regexp":"x"}]}}"#, "`a.b`"),
            (r#"{"a":[{"shellstyle":"x*"}]}"#, "`a`"),
            (r#"{"$or":[{"a":["x"]},{"b":["y"]}]}"#, "`$or`"),
            (r#"{"a.b":["x"]}"#, "`a.b`"),
            (r#"{"a\nb":["x"]}"#, r"`a\nb`"),
            (r#"{"a":["x"],"a":["y"]}"#, "`a`"),
            (r#"{"a":["x",{"exists":false}]}"#, "`a`"),
            (r#"{"a":[{"exists":true},"x"]}"#, "`a`"),
            (r#"{"a":[9007199254740993]}"#, "`a`"),
            (r#"{"a":[1e15]}"#, "`a`"),
            (r#"{"a":[{"anything-but":[1,9007199254740993]}]}"#, "`a`"),
            (r#"{"a":[{"numeric":["<",1e400]}]}"#, "`a`"),
            (r#"{"a":[{"equals-ignore-case":"Straße"}]}"#, "`a`"),
            (r#"{"a":[{"equals-ignore-case":"μ"}]}"#, "`a`"),
            (r#"{"a":[{"cidr":"2001:db8::/32"}]}"#, "`a`"),
            (r#"{"a":[{"anything-but":{"prefix":"x"}}]}"#, "`a`"),
        ] {
            let error = Filter::parse(pattern).unwrap_err().to_string();
            assert!(error.starts_with(path), "{pattern}: {error}");
        }
    }

    #[test]
    fn what_the_matcher_alone_gets_wrong_is_right() {
        let below = r#"{"a":[{"numeric":["<",5]}]}"#;
        for (pattern, payload, wanted) in [
            (below, r#"{"a":4.9}"#, true),
            (below, r#"{"a":5}"#, false),
            (below, r#"{"a":"x"}"#, false),
            (below, r#"{"a":null}"#, false),
            (r#"{"a":[{"numeric":[">",0,"<",5]}]}"#, r#"{"a":0}"#, false),
            (r#"{"a":[{"numeric":[">=",0]}]}"#, r#"{"a":-0.0}"#, true),
            // An object among the values of an array is not beside it.
            (r#"{"a":["x"]}"#, r#"{"a":[{"a":"x"}]}"#, false),
            (r#"{"a":[1],"b":[2]}"#, r#"{"a":[[],{"a":1,"b":2}]}"#, false),
            // Both of one element, not each of another.
            (
                r#"{"a":{"b":[1],"c":[2]}}"#,
                r#"{"a":[{"b":1},{"c":2}]}"#,
                false,
            ),
            (
                r#"{"a":{"b":[1],"c":[2]}}"#,
                r#"{"a":[{},{"b":1,"c":2}]}"#,
                true,
            ),
            (
                r#"{"a":[{"exists":false}],"b":[{"exists":false}]}"#,
                r#"{"c":1}"#,
                true,
            ),
            (
                r#"{"a":[{"exists":false}],"b":["x"]}"#,
                r#"{"a":[{"b":"x"}]}"#,
                false,
            ),
            (
                r#"{"a":[{"exists":false}],"b":["x"]}"#,
                r#"{"a":{"c":1},"b":"x"}"#,
                true,
            ),
            // -0 is 0.
            (r#"{"a":[0]}"#, r#"{"a":-0}"#, true),
            (r#"{"a":[-0.0]}"#, r#"{"a":0}"#, true),
            (r#"{"a":[{"numeric":["=",0]}]}"#, r#"{"a":-0.0}"#, true),
            (r#"{"a":[{"anything-but":[-0,1]}]}"#, r#"{"a":0}"#, false),
            (r#"{"a":[{"anything-but":0}]}"#, r#"{"a":-0e1}"#, false),
            // The quotes around a text are not of it.
            (r#"{"a":[{"prefix":"x\""}]}"#, r#"{"a":"x"}"#, false),
            (r#"{"a":[{"prefix":"x\""}]}"#, r#"{"a":"x\"y"}"#, true),
            (r#"{"a":[{"suffix":"\"x"}]}"#, r#"{"a":"x"}"#, false),
            (r#"{"a":[{"suffix":"\"x"}]}"#, r#"{"a":"y\"x"}"#, true),
            (r#"{"a":[{"prefix":"\""}]}"#, r#"{"a":""}"#, false),
            (r#"{"a":[{"suffix":"\""}]}"#, r#"{"a":"\""}"#, true),
            (r#"{"a":[{"suffix":"\"*\\"}]}"#, r#"{"a":"\"*\\"}"#, true),
            (r#"{"a":[{"suffix":"\"*\\"}]}"#, r#"{"a":"\"x\\"}"#, false),
            // A name may be empty.
            (r#"{"":{"a":["x"]}}"#, r#"{"":{"a":"x"}}"#, true),
            (
                r#"{"":{"":[{"exists":true}]}}"#,
                r#"{"":[{"":null}]}"#,
                true,
            ),
            (r#"{"":["x"]}"#, r#"{"":"x"}"#, true),
        ] {
            assert_eq!(matches(pattern, payload), wanted, "{pattern} {payload}");
        }
    }

    #[test]
    fn a_payload_of_brackets_ends_nothing() {
        let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        assert!(!matches(r#"{"a":[1]}"#, &deep));
        assert!(!matches(r#"{"b":[{"exists":false}]}"#, &deep));
    }

    #[test]
    fn a_filter_stored_before_it_would_be_refused_is_evaluated_still() {
        let pattern = r#"{"a":[{"shellstyle":"x*"}]}"#;
        assert!(Filter::parse(pattern).is_err());
        let stored = Filter::from_stored(pattern.to_owned());
        assert!(stored.matches(r#"{"a":"xy"}"#).unwrap());
        assert!(!stored.matches(r#"{"a":"z"}"#).unwrap());
    }

    fn number() -> impl Strategy<Value = f64> {
        let small = -20..20_i32;
        prop_oneof![small.prop_map(|n| f64::from(n) / 4.0), -1e9..1e9_f64].prop_map(|number| {
            // As a person writes it: at most 15 digits.
            format!("{number:.3}").parse().unwrap()
        })
    }

    proptest! {
        #[test]
        fn a_numeric_match_compares_numbers(bound in number(), value in number()) {
            let holds = |operator: &str| {
                matches(
                    &format!(r#"{{"a":[{{"numeric":["{operator}",{bound:?}]}}]}}"#),
                    &format!(r#"{{"a":{value:?}}}"#),
                )
            };
            prop_assert_eq!(holds("<"), value < bound);
            prop_assert_eq!(holds("<="), value <= bound);
            prop_assert_eq!(holds(">"), value > bound);
            prop_assert_eq!(holds(">="), value >= bound);
            #[expect(clippy::float_cmp, reason = "the very numbers")]
            let same = value == bound;
            prop_assert_eq!(holds("="), same);
        }

        #[test]
        fn a_range_holds_what_both_its_ends_hold(ends in (number(), number()), value in number()) {
            let (least, greatest) = (ends.0.min(ends.1), ends.0.max(ends.1));
            prop_assume!(least < greatest);
            let pattern = format!(r#"{{"a":[{{"numeric":[">",{least:?},"<=",{greatest:?}]}}]}}"#);
            let holds = matches(&pattern, &format!(r#"{{"a":{value:?}}}"#));
            prop_assert_eq!(holds, value > least && value <= greatest);
        }
    }
}
