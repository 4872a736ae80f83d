//! A subscription's filter over the payload, in EventBridge pattern syntax.
//!
//! The payload is parsed once into a [`Document`], and each filter is then evaluated on it as a
//! tree. An object must have all the fields that the pattern names, one matching element of an
//! array is enough, and a value is compared with the values that the pattern lists for its field.
//!
//! # Same as EventBridge
//! "Guide" is EventBridge's user guide, "Event Ruler" its open matcher
//! (`github.com/aws/event-ruler`).
//!
//! | behaviour | source |
//! |---|---|
//! | Fields of objects in an array must be in the same element | Event Ruler, README, "JSON Array Matching", and `ACMachineTest` |
//! | Nested arrays count as one array; an empty one has no values | the same; `correctness-cases.json`, "empty prim array" |
//! | `exists` needs a scalar value: an object or an empty array does not count, `null` does | README, "Exists matching": "only works on the leaf nodes" |
//! | `exists: false` within an array: no element may have the field, unless a field before it (by its path, in UTF-16) chose the element; then that element must not have it | `NameState.getNameTransitions`, `GenericMachine.addPatternRule` (which sorts the fields) |
//! | `anything-but` matches a value of any kind that is not among those named; of an array any element | `ByteMachine`; `correctness-cases.json`, "anything-but in array" |
//! | Numbers are equal by value: `1.0` is `1` | `ComparableNumber` |
//! | Texts, names and `prefix` are case-sensitive; `equals-ignore-case` accepts the lower and the upper case of each letter, so `ß` also matches `SS` | `EqualsIgnoreCaseParser` |
//! | A `*` of a `wildcard` may match nothing, and two in a row are refused | `WildcardParser` |
//! | `cidr` accepts IPv4 and IPv6, with at most 31 and 127 bits | `CIDR` |
//! | `$or` needs two objects or more, combines in at most 1,000 ways, and has no field named like an operator | `JsonRuleCompiler`, `Constants`; Guide, "Or matching" |
//!
//! # Different from EventBridge
//! - Numbers are compared as decimals of any length, so `1e400` is greater than 100. Event Ruler
//!   compares doubles, and compares other numbers as text.
//! - A text that is an address equals only the same text. For Event Ruler `::1` equals
//!   `0:0:0:0:0:0:0:1`.
//! - An IPv4 address is in no IPv6 block, and a number is in no block. For Event Ruler both are in
//!   `::/0`.
//! - A letter beyond the basic plane equals only itself with `equals-ignore-case`.
//! - A field that is named twice is refused (Event Ruler uses the last). If a payload names a
//!   member twice, the last counts, as for receivers (Event Ruler accepts any of them).
//! - A dot in a name is refused (for Event Ruler it is a step down).
//!
//! An unpaired surrogate in a payload (`"\ud83d"`) makes a text or a name that equals nothing. It
//! does not affect the other values.
//!
//! # The bound
//! A payload of `B` bytes has `N` values, fewer than `B`. Parsing it takes at most 12 bytes of
//! memory for each byte, at any depth, and time in the order of `B log B` (names are sorted). Then
//! one filter takes at most `4 W (N + 1) + W B / 32` steps, and no memory beyond the parsed
//! pattern. `W` is the pattern's weight: the comparisons that it may make with one value, at most
//! 256. A step is a look-up of a member, a visit of a value or a comparison; 32 bytes of a
//! wildcard's search are also one step. Filters that could take more are refused when they are
//! created: beyond 2,048 bytes, a depth of 16, 64 fields, 1,000 combinations or a weight of 256.
//! (Each alternative of `$or` counts once, as it is written. Each combination counts if there is an
//! `exists: false`, or a field that is both in `$or` and beside it.) The steps are counted:
//! [`Answer::steps`].
//!
//! That is still much for a payload with a hundred thousand values. So a filter that takes more
//! than [`Filter::MAX_STEPS`] steps with one payload is abandoned, and the payload counts as
//! matched. So the filters of a customer together take at most that much for each subscription and
//! event.

#[cfg(test)]
mod bombs;
mod document;
mod evaluate;
mod leaf;
mod number;
mod pattern;
mod syntax;
mod text;

pub use self::document::Document;
pub(crate) use self::document::says_the_same;
use self::evaluate::Evaluation;
use self::pattern::Pattern;

/// An EventBridge event pattern over the payload (the event's `detail`).
///
/// `{"total": [{"numeric": [">", 100]}]}` matches payloads whose `total` is greater than 100. A
/// pattern has at most 2,048 bytes (EventBridge's limit).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter(String);

/// The text is not a filter.
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
    /// The payload is not JSON.
    #[error("the payload is not JSON")]
    Payload,
}

impl FilterError {
    /// A problem at a field, by its path.
    fn at(path: &str, problem: impl std::fmt::Display) -> Self {
        Self::Pattern(if path.is_empty() {
            problem.to_string()
        } else {
            format!("`{}`: {problem}", path.escape_debug())
        })
    }
}

/// The result of a filter on a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// True if the payload matches.
    pub is_wanted: bool,
    /// The cost of the evaluation, in [steps](crate::filter#the-bound).
    pub steps: u64,
    /// True if the evaluation was abandoned, because it would cost more than [`Filter::MAX_STEPS`].
    /// Then the payload counts as matched, so that an expensive filter loses no webhook.
    pub is_given_up: bool,
}

impl Filter {
    /// The largest length of a pattern, in bytes.
    pub const MAX_BYTES: usize = 2_048;
    /// The largest number of steps with one payload. The comparison in progress is completed, so
    /// there can be a few more: at most one search through one text.
    pub const MAX_STEPS: u64 = 1_000_000;

    /// Parses and checks a pattern.
    ///
    /// # Errors
    /// If it is not a pattern, or would be evaluated differently from `EventBridge`.
    pub fn parse(pattern: &str) -> Result<Self, FilterError> {
        if pattern.len() > Self::MAX_BYTES {
            return Err(FilterError::Length { len: pattern.len() });
        }
        Pattern::parse(pattern)?;
        Ok(Self(pattern.to_owned()))
    }

    /// A stored pattern, from [`as_str`](Self::as_str). It was checked when it was stored.
    pub fn from_stored(pattern: String) -> Self {
        Self(pattern)
    }

    /// The pattern as JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if the payload, a JSON object, matches.
    ///
    /// # Errors
    /// If the pattern or the payload cannot be read. Both were checked before, so this is our own
    /// fault.
    pub fn matches(&self, payload: &str) -> Result<bool, FilterError> {
        self.answer(&Document::new(payload))
            .map(|answer| answer.is_wanted)
    }

    /// Like [`matches`](Self::matches), but the payload is parsed once for many filters.
    ///
    /// # Errors
    /// As for [`matches`](Self::matches).
    pub fn answer(&self, payload: &Document) -> Result<Answer, FilterError> {
        let pattern = Pattern::parse(&self.0)?;
        let tree = payload.tree().ok_or(FilterError::Payload)?;
        let mut evaluation = Evaluation::new(tree);
        let is_wanted = evaluation.wants(&pattern);
        let is_given_up = evaluation.is_over();
        Ok(Answer {
            is_wanted: is_wanted || is_given_up,
            steps: evaluation.steps,
            is_given_up,
        })
    }
}

#[cfg(test)]
mod tests;
