//! The version of a subscription that a request requires.

use std::str::FromStr;

/// The content of `If-Match` (RFC 9110, 13.1.1). The entity tag of a subscription is its version in
/// quotes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Any version: there was no `If-Match`, or it was `*`.
    #[default]
    None,
    /// One of these versions. Tags that cannot be a version are left out.
    OneOf(Vec<u64>),
}

/// The text is not a valid `If-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be `*`, or entity tags such as \"3\" in double quotes, separated by commas")]
pub struct MalformedPrecondition;

impl Precondition {
    /// Returns true if this version satisfies the precondition.
    pub fn holds_for(&self, version: u64) -> bool {
        match self {
            Self::None => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}

impl FromStr for Precondition {
    type Err = MalformedPrecondition;

    fn from_str(text: &str) -> Result<Self, MalformedPrecondition> {
        let mut rest = text.trim();
        if rest == "*" {
            return Ok(Self::None);
        }
        let mut versions = Vec::new();
        loop {
            let weak = rest.strip_prefix("W/");
            let tag = weak.unwrap_or(rest).strip_prefix('"');
            let (tag, after) = tag
                .and_then(|tag| tag.split_once('"'))
                .ok_or(MalformedPrecondition)?;
            if !tag.chars().all(|c| c == '!' || (c > '"' && c != '\x7f')) {
                return Err(MalformedPrecondition);
            }
            // A weak tag never matches (RFC 9110, 8.8.3.2).
            versions.extend(version_of(tag).filter(|_| weak.is_none()));
            let after = after.trim_start();
            if after.is_empty() {
                return Ok(Self::OneOf(versions));
            }
            rest = after
                .strip_prefix(',')
                .ok_or(MalformedPrecondition)?
                .trim_start();
        }
    }
}

/// The version of a tag, if it is written as we write it.
fn version_of(tag: &str) -> Option<u64> {
    let version: u64 = tag.parse().ok()?;
    (version.to_string() == tag).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_tags_accepts_each_of_its_versions() {
        for (text, versions) in [
            (r#""3""#, vec![3]),
            (r#" "3" , "12" "#, vec![3, 12]),
            (r#"W/"3", "4""#, vec![4]),
            (r#""a,b", "03", "+3", "", "!", "5""#, vec![5]),
        ] {
            assert_eq!(text.parse(), Ok(Precondition::OneOf(versions)), "{text}");
        }
        assert_eq!("*".parse(), Ok(Precondition::None));
    }

    #[test]
    fn a_malformed_tag_is_refused() {
        for text in [
            "",
            "3",
            "\"3",
            "3\"",
            "\"3\" \"4\"",
            "\"3\",",
            "\"a b\"",
            "**",
            "w/\"3\"",
        ] {
            let parsed: Result<Precondition, _> = text.parse();
            assert_eq!(parsed, Err(MalformedPrecondition), "{text}");
        }
    }

    #[test]
    fn a_precondition_without_a_valid_version_never_holds() {
        let parsed: Precondition = r#""abc""#.parse().unwrap();
        assert!(!parsed.holds_for(1));
        assert!(Precondition::None.holds_for(1));
    }
}
