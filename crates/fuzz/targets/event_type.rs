//! The event types of a subscription, compared with the type of an event.

use webhooks_domain::event_type::{EventType, EventTypePattern};

use crate::law::check_law;
use crate::near::near;

const PATTERNS: [&str; 6] = [
    "*",
    "order.*",
    "order.created",
    "order.item.*",
    "order",
    "a.b.c",
];
const TOKENS: &[&str] = &[
    "*", ".", ".*", "..", "order", "created", "\n", "ü", "\u{ad}",
];

#[test]
fn laws_hold() {
    check_law!((near(PATTERNS, TOKENS), near(PATTERNS, TOKENS)), |(
        pattern_text,
        type_text,
    )| {
        let event_type: Result<EventType, _> = type_text.parse();
        let in_bounds = (1..=128).contains(&type_text.chars().count());
        let is_clean = !type_text.chars().any(char::is_control);
        assert_eq!(event_type.is_ok(), in_bounds && is_clean);

        let Ok(pattern) = EventTypePattern::try_from(pattern_text.clone()) else {
            return;
        };
        assert_eq!(&String::from(pattern.clone()), pattern_text);
        assert!(
            pattern_text.matches('*').count() <= 1,
            "one wildcard at most"
        );
        if let Ok(event_type) = event_type {
            assert_eq!(event_type.as_str(), type_text);
            let is_named = match pattern_text.strip_suffix('*') {
                Some(prefix) => type_text
                    .strip_prefix(prefix)
                    .is_some_and(|rest| !rest.is_empty()),
                None => type_text == pattern_text,
            };
            assert_eq!(pattern.matches(&event_type), is_named);
        }
    });
}
