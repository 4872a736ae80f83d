//! The people for whom a session is made.

use std::fmt;
use std::str::FromStr;

use crate::ids::CustomerId;

/// The site that a session opens. Its sessions have keys of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// The portal, for the people of one customer.
    Customer(CustomerId),
    /// The console, for the operator's support staff.
    Console,
}

impl Audience {
    /// The customer, if it is the portal of one.
    pub fn customer(&self) -> Option<&CustomerId> {
        match self {
            Self::Customer(customer) => Some(customer),
            Self::Console => None,
        }
    }
}

impl From<CustomerId> for Audience {
    fn from(customer: CustomerId) -> Self {
        Self::Customer(customer)
    }
}

/// The subject of a sentence about its sessions.
impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(customer) => write!(f, "customer `{customer}`"),
            Self::Console => f.write_str("the console"),
        }
    }
}

/// The holder of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// Somebody at this customer, who sees and changes nothing of another one.
    Customer(CustomerId),
    /// A member of the operator's support staff, who may open every customer.
    Support(Actor),
}

impl Holder {
    /// The site that the session opens.
    pub fn audience(&self) -> Audience {
        match self {
            Self::Customer(customer) => Audience::Customer(customer.clone()),
            Self::Support(_) => Audience::Console,
        }
    }

    /// The name under which changes are logged, if it is support staff.
    pub fn actor(&self) -> Option<&Actor> {
        match self {
            Self::Customer(_) => None,
            Self::Support(actor) => Some(actor),
        }
    }
}

/// The name of a member of the operator's support staff, such as an ARN or an address. Each change
/// of a session is logged with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor(String);

/// The text is not the name of an actor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {max} printable ASCII characters, and must not begin or end with a space", max = Actor::MAX_BYTES)]
pub struct ActorError;

impl Actor {
    /// The longest name, more than the ARN of an assumed role has.
    pub const MAX_BYTES: usize = 256;

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Actor {
    type Err = ActorError;

    fn from_str(text: &str) -> Result<Self, ActorError> {
        let is_printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        let is_trimmed = !text.is_empty() && text.trim() == text;
        if is_printable && is_trimmed && text.len() <= Self::MAX_BYTES {
            Ok(Self(text.to_owned()))
        } else {
            Err(ActorError)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_actor_is_one_line_of_a_log() {
        let longest = "a".repeat(Actor::MAX_BYTES);
        for good in [
            "jo@example.com",
            "arn:aws:sts::1:assumed-role/Support/jo",
            "Jo Doe",
            &longest,
        ] {
            assert_eq!(good.parse::<Actor>().unwrap().as_str(), good);
        }
        let too_long = "a".repeat(Actor::MAX_BYTES + 1);
        for bad in [
            "",
            " ",
            " jo",
            "jo ",
            "jo\n",
            "jo\u{7f}",
            "J\u{f6}",
            "jo\u{202e}",
            &too_long,
        ] {
            assert_eq!(bad.parse::<Actor>(), Err(ActorError), "{bad:?}");
        }
    }

    #[test]
    fn a_customers_session_has_no_actor() {
        let acme: CustomerId = "acme".parse().unwrap();
        let customer = Holder::Customer(acme.clone());
        assert_eq!(customer.audience().customer(), Some(&acme));
        assert_eq!(customer.actor(), None);
        let support = Holder::Support("jo".parse().unwrap());
        assert_eq!(support.audience(), Audience::Console);
        assert_eq!(support.audience().customer(), None);
    }
}
