//! The violation for which AWS would refuse a request.

use std::fmt;

/// The violation for which AWS would refuse a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Violation {
    /// The path of the member: `Entries[0].DelaySeconds`. Empty for the request itself.
    pub(crate) member: String,
    /// The problem and the limit, without the value unless it is a number.
    pub(crate) reason: String,
    /// The code of AWS's answer. `None` for the service's usual one.
    pub(crate) code: Option<&'static str>,
}

impl Violation {
    /// Creates a violation of a member, with the service's usual code.
    pub(crate) fn new(member: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            member: member.into(),
            reason: reason.into(),
            code: None,
        }
    }

    /// Returns the violation with another code.
    pub(crate) fn with_code(self, code: &'static str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.member.is_empty() {
            f.write_str(&self.reason)
        } else {
            write!(f, "{}: {}", self.member, self.reason)
        }
    }
}

/// Joins the path of a member.
pub(crate) fn member(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// Describes a value over a limit, with both numbers.
pub(crate) fn over(value: impl fmt::Display, bound: impl fmt::Display, unit: &str) -> String {
    format!("{value} is over {bound} {unit}")
}
