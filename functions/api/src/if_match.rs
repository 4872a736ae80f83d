//! The header `If-Match`.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use utoipa::IntoParams;
use webhooks_domain::manage::ExpectedVersion;

/// The version that a request expects (RFC 9110, 13.1.1). The entity tag of a subscription is its
/// version in quotes. Tags that cannot be a version are left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Header, names("If-Match"))]
pub(crate) struct IfMatch(
    /// The expected version: the `ETag` of an earlier answer, a list of these, or `*`. With
    /// another version nothing happens, and the answer is 412.
    #[param(
        value_type = Option<String>,
        pattern = r#"^ *(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*) *$"#,
        example = "\"3\""
    )]
    pub(crate) ExpectedVersion,
);

/// The text is not a valid `If-Match`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MalformedIfMatch;

impl Display for MalformedIfMatch {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "must be `*`, or entity tags such as \"3\" in double quotes, separated by commas",
        )
    }
}

impl FromStr for IfMatch {
    type Err = MalformedIfMatch;

    fn from_str(text: &str) -> Result<Self, MalformedIfMatch> {
        let mut rest = text.trim();
        if rest == "*" {
            return Ok(Self(ExpectedVersion::Existing));
        }
        let mut versions = Vec::new();
        loop {
            let weak = rest.strip_prefix("W/");
            let tag = weak.unwrap_or(rest).strip_prefix('"');
            let (tag, after) = tag
                .and_then(|tag| tag.split_once('"'))
                .ok_or(MalformedIfMatch)?;
            if !tag.chars().all(|c| c == '!' || (c > '"' && c != '\x7f')) {
                return Err(MalformedIfMatch);
            }
            // A weak tag never matches (RFC 9110, 8.8.3.2).
            versions.extend(version_of(tag).filter(|_| weak.is_none()));
            let after = after.trim_start();
            if after.is_empty() {
                return Ok(Self(ExpectedVersion::OneOf(versions)));
            }
            rest = after
                .strip_prefix(',')
                .ok_or(MalformedIfMatch)?
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
            assert_eq!(
                text.parse(),
                Ok(IfMatch(ExpectedVersion::OneOf(versions))),
                "{text}"
            );
        }
        assert_eq!("*".parse(), Ok(IfMatch(ExpectedVersion::Existing)));
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
            let parsed: Result<IfMatch, _> = text.parse();
            assert_eq!(parsed, Err(MalformedIfMatch), "{text}");
        }
    }

    #[test]
    fn a_precondition_without_a_valid_version_never_holds() {
        let IfMatch(expected) = r#""abc""#.parse().unwrap();
        assert!(!expected.allows(1));
        assert!(ExpectedVersion::Existing.allows(1));
    }
}
