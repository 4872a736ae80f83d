//! The event types of a subscription that the catalogue does not have.

use std::fmt;

use super::TypeIndex;
use super::nearest::nearest;
use crate::event_type::{EventTypePattern, EventTypePatterns};

/// The most event types of one subscription for which the nearest name is searched.
pub const MAX_SUGGESTIONS: usize = 5;

/// An event type of a subscription that the catalogue does not have, or a prefix that matches none of
/// its types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownType {
    /// The exact type, or the pattern.
    pub pattern: String,
    /// The type or the pattern that was probably meant.
    pub nearest: Option<String>,
}

impl fmt::Display for UnknownType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pattern, nearest } = self;
        if pattern.ends_with('*') {
            write!(f, "`{pattern}` matches no type of the event catalogue")?;
        } else {
            write!(f, "`{pattern}` is not in the event catalogue")?;
        }
        match nearest {
            Some(nearest) => write!(f, "; the nearest is `{nearest}`"),
            None => Ok(()),
        }
    }
}

impl TypeIndex {
    /// The event types of a subscription that are not in the catalogue, and its prefixes that match
    /// none of its types, in their order. `*` is always known.
    pub fn unknown(&self, patterns: &EventTypePatterns) -> Vec<UnknownType> {
        let is_known = |pattern: &EventTypePattern| {
            pattern.is_all() || self.names().any(|name| pattern.matches_text(name))
        };
        let unknown = patterns.patterns().filter(|pattern| !is_known(pattern));
        let found = unknown.enumerate().map(|(place, pattern)| UnknownType {
            pattern: pattern.as_str().to_owned(),
            nearest: if place < MAX_SUGGESTIONS {
                self.nearest_to(pattern)
            } else {
                None
            },
        });
        found.collect()
    }

    fn nearest_to(&self, pattern: &EventTypePattern) -> Option<String> {
        match pattern.as_str().strip_suffix(".*") {
            None => nearest(pattern.as_str(), self.names()).map(str::to_owned),
            Some(prefix) => {
                // The beginnings of the names with as many parts as the prefix has.
                let parts = prefix.matches('.').count();
                let beginnings = self.names().filter_map(|name| {
                    let (end, _) = name.match_indices('.').nth(parts)?;
                    Some(&name[..end])
                });
                nearest(prefix, beginnings).map(|prefix| format!("{prefix}.*"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{IndexedType, TypeName};

    fn index(names: &[&str]) -> TypeIndex {
        let names = names.iter().map(|name| (*name).to_owned());
        let types = names.map(|name| (TypeName::from_stored(name), IndexedType::default()));
        types.collect()
    }

    fn unknown(index: &TypeIndex, patterns: &[&str]) -> Vec<String> {
        let patterns = patterns.iter().map(|text| (*text).to_owned()).collect();
        let patterns = EventTypePatterns::from_stored(patterns).unwrap();
        let unknown = index.unknown(&patterns);
        unknown.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn unknown_types_are_named_with_the_nearest() {
        let index = index(&["order.created", "order.item.added", "Invoice Paid"]);
        let known = ["*", "order.*", "order.item.*", "order.created"];
        assert_eq!(unknown(&index, &known), [""; 0]);
        let patterns = ["order.creatd", "ordr.*", "x/y", "order.itme.*", "created.*"];
        assert_eq!(
            unknown(&index, &patterns),
            [
                "`order.creatd` is not in the event catalogue; the nearest is `order.created`",
                "`ordr.*` matches no type of the event catalogue; the nearest is `order.*`",
                "`x/y` is not in the event catalogue",
                "`order.itme.*` matches no type of the event catalogue; the nearest is `order.item.*`",
                "`created.*` matches no type of the event catalogue",
            ]
        );
    }

    #[test]
    fn the_nearest_name_is_searched_for_the_first_five() {
        let index = index(&["aaaaaa"]);
        let patterns = ["aaaaab", "aaaaac", "aaaaad", "aaaaae", "aaaaaf", "aaaaag"];
        let found = unknown(&index, &patterns);
        let suggested = found.iter().filter(|text| text.contains("nearest")).count();
        assert_eq!((found.len(), suggested), (6, MAX_SUGGESTIONS));
    }
}
