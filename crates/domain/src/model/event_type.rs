//! Event types, and the patterns of a subscription that match them.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

/// An event's `detail-type`, such as `order.created`.
///
/// It has 1 to 128 characters (EventBridge's limit for `detail-type`), none of them a control
/// character.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventType(String);

/// The text is not an event type, or not a pattern for one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventTypeError {
    /// The length is not allowed.
    #[error("event type: must be 1 to {max} characters, is {len}", max = EventType::MAX_CHARS)]
    Length {
        /// The length that was given, in characters.
        len: usize,
    },
    /// The text has a control character.
    #[error("event type: must not contain control characters")]
    ControlCharacter,
    /// A `*` is at a place where it is not allowed.
    #[error("event type `{text}`: `*` may stand alone or after the last `.`, as in `order.*`")]
    Wildcard {
        /// The text.
        text: String,
    },
    /// The number of patterns is not allowed.
    #[error("eventTypes: must be 1 to {max} entries, is {len}", max = EventTypePatterns::MAX_COUNT)]
    Count {
        /// The number.
        len: usize,
    },
}

impl EventType {
    /// The largest length, in characters.
    pub const MAX_CHARS: usize = 128;

    /// The default type of a test: `webhook.test`.
    pub fn of_a_test() -> Self {
        Self("webhook.test".to_owned())
    }

    /// A stored type. It was checked when it was stored, and is not checked again.
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for EventType {
    type Err = EventTypeError;

    fn from_str(text: &str) -> Result<Self, EventTypeError> {
        check_text(text)?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for EventType {
    type Error = EventTypeError;

    fn try_from(text: String) -> Result<Self, EventTypeError> {
        check_text(&text)?;
        Ok(Self(text))
    }
}

impl From<EventType> for String {
    fn from(event_type: EventType) -> Self {
        event_type.0
    }
}

fn check_text(text: &str) -> Result<(), EventTypeError> {
    let len = text.chars().count();
    if len == 0 || len > EventType::MAX_CHARS {
        return Err(EventTypeError::Length { len });
    }
    if text.chars().any(char::is_control) {
        return Err(EventTypeError::ControlCharacter);
    }
    Ok(())
}

/// A pattern of a subscription: an exact type, a prefix (`order.*`), or all types (`*`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventTypePattern(String);

impl EventTypePattern {
    /// Returns true if the pattern matches the type.
    ///
    /// `order.*` matches every type that starts with `order.`, but not `order` itself.
    pub fn matches(&self, event_type: &EventType) -> bool {
        self.matches_text(&event_type.0)
    }

    /// The same for the text of a type.
    pub fn matches_text(&self, event_type: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => event_type.starts_with(prefix) && event_type.len() > prefix.len(),
            None => self.0 == event_type,
        }
    }

    /// Of two patterns that match the same type, the one with the larger value is more specific: an
    /// exact type, or else the longer prefix.
    pub fn specificity(&self) -> usize {
        if self.0.ends_with('*') {
            self.0.len()
        } else {
            usize::MAX
        }
    }

    /// Returns true if it matches all types.
    pub fn is_all(&self) -> bool {
        self.0 == "*"
    }

    /// The pattern as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for EventTypePattern {
    type Error = EventTypeError;

    fn try_from(text: String) -> Result<Self, EventTypeError> {
        check_text(&text)?;
        let stem = match text.as_str() {
            "*" => "",
            other => other.strip_suffix(".*").unwrap_or(other),
        };
        if stem.contains('*') || (stem.is_empty() && text != "*") {
            return Err(EventTypeError::Wildcard { text });
        }
        Ok(Self(text))
    }
}

impl From<EventTypePattern> for String {
    fn from(pattern: EventTypePattern) -> Self {
        pattern.0
    }
}

/// The 1 to 50 patterns of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "Vec<EventTypePattern>", into = "Vec<EventTypePattern>")]
pub struct EventTypePatterns(Vec<EventTypePattern>);

impl EventTypePatterns {
    /// The largest number of patterns.
    pub const MAX_COUNT: usize = 50;

    /// Stored patterns. They were checked when they were stored, and are not checked again. `None`
    /// if the list is empty.
    pub fn from_stored(patterns: Vec<String>) -> Option<Self> {
        let patterns: Vec<_> = patterns.into_iter().map(EventTypePattern).collect();
        (!patterns.is_empty()).then_some(Self(patterns))
    }

    /// Returns true if any of the patterns matches the type.
    pub fn matches(&self, event_type: &EventType) -> bool {
        self.0.iter().any(|pattern| pattern.matches(event_type))
    }

    /// The patterns.
    pub fn patterns(&self) -> impl Iterator<Item = &EventTypePattern> {
        self.0.iter()
    }

    /// Those of the patterns that satisfy a condition. `None` if there are none.
    pub fn only(&self, is_wanted: impl Fn(&EventTypePattern) -> bool) -> Option<Self> {
        let wanted = self.0.iter().filter(|pattern| is_wanted(pattern));
        let wanted: Vec<_> = wanted.cloned().collect();
        (!wanted.is_empty()).then_some(Self(wanted))
    }

    /// The patterns as text.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|pattern| pattern.0.as_str())
    }
}

impl TryFrom<Vec<EventTypePattern>> for EventTypePatterns {
    type Error = EventTypeError;

    /// Keeps the order, and removes repeated patterns.
    fn try_from(mut patterns: Vec<EventTypePattern>) -> Result<Self, EventTypeError> {
        let len = patterns.len();
        if !(1..=Self::MAX_COUNT).contains(&len) {
            return Err(EventTypeError::Count { len });
        }
        let mut seen = HashSet::new();
        patterns.retain(|pattern| seen.insert(pattern.clone()));
        Ok(Self(patterns))
    }
}

impl From<EventTypePatterns> for Vec<EventTypePattern> {
    fn from(patterns: EventTypePatterns) -> Self {
        patterns.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, event_type: &str) -> bool {
        EventTypePattern::try_from(pattern.to_owned())
            .unwrap()
            .matches(&event_type.parse().unwrap())
    }

    #[test]
    fn a_repeated_pattern_counts_once() {
        let patterns = |texts: &[&str]| {
            let patterns = texts
                .iter()
                .map(|text| (*text).to_owned().try_into().unwrap());
            EventTypePatterns::try_from(patterns.collect::<Vec<EventTypePattern>>())
        };
        assert_eq!(patterns(&["b", "a", "b", "a"]), patterns(&["b", "a"]));
        assert_ne!(patterns(&["b", "a"]), patterns(&["a", "b"]));
    }

    #[test]
    fn a_prefix_pattern_matches_only_types_below_it() {
        assert!(matches("order.*", "order.created"));
        assert!(matches("order.*", "order.item.added"));
        assert!(!matches("order.*", "order"));
        assert!(!matches("order.*", "order."));
        assert!(!matches("order.*", "orders.created"));
    }

    #[test]
    fn an_exact_pattern_matches_itself_and_a_star_matches_all() {
        assert!(matches("order.created", "order.created"));
        assert!(!matches("order.created", "order.created.v2"));
        assert!(matches("*", "Order Created"));
    }

    #[test]
    fn a_star_elsewhere_is_refused() {
        for bad in [
            "ord*",
            "*.created",
            "a.*.b",
            "**",
            ".*",
            "order.**",
            "order*.*",
        ] {
            assert!(
                EventTypePattern::try_from(bad.to_owned()).is_err(),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn types_outside_the_bounds_are_refused() {
        for bad in ["", "a\nb", &"x".repeat(129)] {
            assert!(bad.parse::<EventType>().is_err(), "{bad:?}");
        }
        assert!("x".repeat(128).parse::<EventType>().is_ok());
    }

    #[test]
    fn a_subscription_names_one_to_fifty_types() {
        let patterns = |n: usize| vec![EventTypePattern("a".into()); n];
        assert!(EventTypePatterns::try_from(patterns(0)).is_err());
        assert!(EventTypePatterns::try_from(patterns(50)).is_ok());
        assert!(EventTypePatterns::try_from(patterns(51)).is_err());
    }
}
