//! E-mail addresses, in the strict form that mail servers agree on.
//!
//! Only the dot-atom form of [RFC 5322](https://www.rfc-editor.org/rfc/rfc5322#section-3.4.1) in
//! ASCII is accepted: no quotes, no comments, no address literals, no display names. So an address
//! contains no character that has a meaning in a header of a message.

use std::fmt::{self, Debug, Formatter};
use std::str::FromStr;

/// An e-mail address. The domain is in lower case; the local part is as it was given, because only
/// its own server knows whether case matters. Two addresses that differ in case only count as one.
///
/// `Debug` does not show it, because addresses must not get into logs.
#[derive(Clone, PartialEq, Eq)]
pub struct EmailAddress(String);

/// The text is not an address that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmailAddressError {
    /// There is no `@`, or nothing before it.
    #[error("must be an address of the form `name@domain`")]
    Form,
    /// The whole address is too long.
    #[error("must be at most {} characters, is {len}", EmailAddress::MAX_LENGTH)]
    Length {
        /// Its length, in bytes.
        len: usize,
    },
    /// The part before the `@` is too long.
    #[error("the part before the `@` must be at most {MAX_LOCAL} characters, is {len}")]
    LocalLength {
        /// Its length, in bytes.
        len: usize,
    },
    /// The part before the `@` has a character or a dot that is not allowed there.
    #[error(
        "the part before the `@` must be ASCII letters, digits, single dots between them and \
         !#$%&'*+-/=?^_`{{|}}~"
    )]
    Local,
    /// The part after the `@` is not a domain name.
    #[error(
        "the part after the `@` must be a domain name of at least two labels, in ASCII (`xn--…` \
         for others)"
    )]
    Domain,
}

/// The longest local part ([RFC 5321](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1)).
const MAX_LOCAL: usize = 64;
/// The longest label of a domain name.
const MAX_LABEL: usize = 63;

impl EmailAddress {
    /// The longest address: a path of RFC 5321 has 256 characters, with its angle brackets.
    pub const MAX_LENGTH: usize = 254;

    /// A stored address. It was checked when it was stored, and is not checked again.
    pub fn from_stored(address: String) -> Self {
        Self(address)
    }

    /// The address itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which two addresses are compared.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = EmailAddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let len = text.len();
        if len > Self::MAX_LENGTH {
            return Err(EmailAddressError::Length { len });
        }
        let (local, domain) = text.rsplit_once('@').ok_or(EmailAddressError::Form)?;
        if local.is_empty() || domain.is_empty() {
            return Err(EmailAddressError::Form);
        }
        if local.len() > MAX_LOCAL {
            let len = local.len();
            return Err(EmailAddressError::LocalLength { len });
        }
        if !local.split('.').all(is_atom) {
            return Err(EmailAddressError::Local);
        }
        if !is_domain(domain) {
            return Err(EmailAddressError::Domain);
        }
        Ok(Self(format!("{local}@{}", domain.to_ascii_lowercase())))
    }
}

impl FromStr for EmailAddress {
    type Err = EmailAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0
    }
}

impl Debug for EmailAddress {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

/// Returns true for one or more of the characters of an atom.
fn is_atom(text: &str) -> bool {
    let is_letter =
        |letter: u8| letter.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&letter);
    !text.is_empty() && text.bytes().all(is_letter)
}

/// Returns true for a host name of at least two labels whose last one is no number, so that it is
/// no IP address. Its length is bounded by that of the whole address.
fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let is_letter = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'-';
        (1..=MAX_LABEL).contains(&label.len())
            && label.bytes().all(is_letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let mut labels = text.split('.').rev();
    let last = labels.next().unwrap_or_default();
    let last_is_a_name = last.bytes().any(|letter| letter.is_ascii_alphabetic());
    text.contains('.') && last_is_a_name && is_label(last) && labels.all(is_label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<EmailAddress, EmailAddressError> {
        text.to_owned().try_into()
    }

    #[test]
    fn ordinary_addresses_are_accepted_with_the_domain_in_lower_case() {
        for (given, kept) in [
            ("ops@example.com", "ops@example.com"),
            (
                "First.Last+webhooks@Mail.Example.COM",
                "First.Last+webhooks@mail.example.com",
            ),
            ("o'brien@example.co.uk", "o'brien@example.co.uk"),
            ("a@xn--mller-kva.example", "a@xn--mller-kva.example"),
            ("1@2.museum", "1@2.museum"),
        ] {
            assert_eq!(parse(given).unwrap().as_str(), kept);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        use EmailAddressError::{Domain, Form, Local};
        let long = |count| "x".repeat(count);
        for (bad, expected) in [
            ("", Form),
            ("ops", Form),
            ("@example.com", Form),
            ("ops@", Form),
            ("ops@example", Domain),
            ("ops@localhost", Domain),
            ("ops@127.0.0.1", Domain),
            ("ops@[127.0.0.1]", Domain),
            ("ops@-a.example", Domain),
            ("ops@a-.example", Domain),
            ("ops@a..example", Domain),
            ("ops@.example.com", Domain),
            ("ops@example.com.", Domain),
            ("ops@exa mple.com", Domain),
            ("ops@müller.example", Domain),
            ("a@b.c\r\nBcc: victim@example.com", Local),
            ("a\r\nBcc: victim@example.com", Local),
            ("ops@example.com\n", Domain),
            ("ops@example.com\0", Domain),
            ("ops@example.com>", Domain),
            ("ops@example.com,other@example.com", Local),
            ("\"a b\"@example.com", Local),
            ("Ops <ops@example.com>", Local),
            ("ops(comment)@example.com", Local),
            (".ops@example.com", Local),
            ("ops.@example.com", Local),
            ("o..ps@example.com", Local),
            ("o ps@example.com", Local),
            ("ops@x@example.com", Local),
            ("öps@example.com", Local),
            ("o\u{202e}ps@example.com", Local),
        ] {
            assert_eq!(parse(bad), Err(expected), "{bad:?}");
        }
        assert!(parse(&format!("{}@example.com", long(64))).is_ok());
        let local = parse(&format!("{}@example.com", long(65)));
        assert_eq!(local, Err(EmailAddressError::LocalLength { len: 65 }));
        assert!(parse(&format!("a@{}.example", long(63))).is_ok());
        assert_eq!(parse(&format!("a@{}.example", long(64))), Err(Domain));
        let whole = parse(&format!("a@{}", long(10_240)));
        assert_eq!(whole, Err(EmailAddressError::Length { len: 10_242 }));
    }

    #[test]
    fn debug_does_not_show_the_address() {
        let shown = format!("{:?}", parse("ops@example.com").unwrap());
        assert!(
            !shown.contains("ops") && !shown.contains("example"),
            "{shown}"
        );
    }

    proptest! {
        #[test]
        fn an_accepted_address_has_no_character_with_a_meaning_in_a_header(text in ".{0,40}@.{0,20}\\.[a-z]{2}") {
            if let Ok(address) = parse(&text) {
                let text = address.as_str();
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert!(!text.contains(['<', '>', '(', ')', '[', ']', '\\', ',', ';', ':', '"']));
                prop_assert_eq!(text.matches('@').count(), 1);
                prop_assert_eq!(parse(text), Ok(address.clone()));
            }
        }
    }
}
