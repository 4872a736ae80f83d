//! What AWS would refuse about a request.

use std::fmt;

/// What AWS would refuse about a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Violation {
    /// Which member: `Entries[0].DelaySeconds`. Empty for the request itself.
    pub(crate) member: String,
    /// What is wrong, and the bound. Without the value, unless it is a number.
    pub(crate) reason: String,
    /// The code that AWS answers with. `None` for the service's usual one.
    pub(crate) code: Option<&'static str>,
}

impl Violation {
    /// Of a member, with the service's usual code.
    pub(crate) fn new(member: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            member: member.into(),
            reason: reason.into(),
            code: None,
        }
    }

    /// The same with a code of its own.
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

/// The path of a member.
pub(crate) fn member(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// More than a bound, with both.
pub(crate) fn over(value: impl fmt::Display, bound: impl fmt::Display, unit: &str) -> String {
    format!("{value} is over {bound} {unit}")
}
