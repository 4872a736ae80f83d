//! Cursors: where a list goes on, as an opaque text.
//!
//! A cursor is a place inside a list, and whose list it is comes from the path. One that
//! somebody made up therefore leads to another place of the same list, and nowhere else.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use webhooks_domain::catalogue::TypeName;
use webhooks_domain::ids::CustomerId;
use webhooks_domain::lists::CustomerPlace;
use webhooks_domain::paging::Place;
use webhooks_domain::subscription::UnhealthyPlace;
use webhooks_domain::timestamp::Timestamp;

/// The greatest length of any cursor. A longer text is not even decoded.
const MAX_LEN: usize = 250;

/// A place in a list, with a text form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor<P>(pub P);

/// A text that no page has given as its `nextCursor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorError;

impl Display for CursorError {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("must be the `nextCursor` of an earlier page of this list")
    }
}

/// A place as words: digits, ids, and `.` between them.
pub trait Words: Sized {
    /// The words of this place.
    fn to_words(&self) -> String;
    /// `None` when the words are of another kind. Not strict: there may be several texts of
    /// one place.
    fn from_words(words: &[&str]) -> Option<Self>;
}

impl Words for Place {
    fn to_words(&self) -> String {
        format!("{}.{}", self.at.as_millis(), self.message)
    }

    fn from_words(words: &[&str]) -> Option<Self> {
        let [at, message] = words else { return None };
        Some(Self {
            at: Timestamp::from_millis(at.parse().ok()?),
            message: message.parse().ok()?,
        })
    }
}

impl Words for CustomerPlace {
    fn to_words(&self) -> String {
        let message = self.message.to_words();
        match self.delivery_to {
            Some(subscription) => format!("{message}.{subscription}"),
            None => format!("{message}.all"),
        }
    }

    fn from_words(words: &[&str]) -> Option<Self> {
        let (delivery_to, message) = words.split_last()?;
        Some(Self {
            message: Place::from_words(message)?,
            delivery_to: match *delivery_to {
                "all" => None,
                subscription => Some(subscription.parse().ok()?),
            },
        })
    }
}

impl Words for UnhealthyPlace {
    fn to_words(&self) -> String {
        let at = self.created_at.as_millis();
        format!("{at}.{}.{}", self.subscription, self.customer)
    }

    fn from_words(words: &[&str]) -> Option<Self> {
        let [at, subscription, customer @ ..] = words else {
            return None;
        };
        Some(Self {
            created_at: Timestamp::from_millis(at.parse().ok()?),
            // A customer's id may contain `.`.
            customer: customer.join(".").parse().ok()?,
            subscription: subscription.parse().ok()?,
        })
    }
}

/// A place in the list of customers: after this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomersPlace(pub CustomerId);

impl CustomersPlace {
    /// Tells its cursors from those of other lists, because nearly any text is a customer's id.
    const MARK: &str = "customer";
}

impl Words for CustomersPlace {
    fn to_words(&self) -> String {
        format!("{}.{}", Self::MARK, self.0)
    }

    fn from_words(words: &[&str]) -> Option<Self> {
        match words.split_first()? {
            (&Self::MARK, id) => id.join(".").parse().ok().map(Self),
            _ => None,
        }
    }
}

/// A place in the list of event types: after this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventTypesPlace(pub TypeName);

impl EventTypesPlace {
    /// Tells its cursors from those of other lists, because nearly any text is an event type.
    const MARK: &str = "type";
}

impl Words for EventTypesPlace {
    fn to_words(&self) -> String {
        format!("{}.{}", Self::MARK, self.0)
    }

    fn from_words(words: &[&str]) -> Option<Self> {
        match words.split_first()? {
            (&Self::MARK, name) => name.join(".").parse().ok().map(Self),
            _ => None,
        }
    }
}

impl<P: Words> Display for Cursor<P> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(self.0.to_words()))
    }
}

impl<P: Words> FromStr for Cursor<P> {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        if text.len() > MAX_LEN {
            return Err(CursorError);
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok();
        let words = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let place = words.and_then(|words| P::from_words(&words.split('.').collect::<Vec<_>>()));
        // A cursor in another notation was not made by this API.
        place
            .map(Self)
            .filter(|cursor| cursor.to_string() == text)
            .ok_or(CursorError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "msg_9d621ecde980c9e89ef2b0fa0f4cc7e6";
    const SUBSCRIPTION: &str = "sub_70e79b2df96dcca5a0a362236c8d86f4";

    fn place(millis: i64) -> Place {
        Place {
            at: Timestamp::from_millis(millis),
            message: MESSAGE.parse().unwrap(),
        }
    }

    fn forged<P: Words + std::fmt::Debug + PartialEq>(
        words: &str,
    ) -> Result<Cursor<P>, CursorError> {
        BASE64_URL_SAFE_NO_PAD.encode(words).parse()
    }

    #[test]
    fn a_cursor_is_read_back() {
        for millis in [0, -1, 1_795_461_722_000, i64::MIN, i64::MAX] {
            let cursor = Cursor(place(millis));
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
            for delivery_to in [None, Some(SUBSCRIPTION.parse().unwrap())] {
                let message = place(millis);
                let cursor = Cursor(CustomerPlace {
                    message,
                    delivery_to,
                });
                assert_eq!(cursor.to_string().parse(), Ok(cursor));
                assert!(cursor.to_string().len() <= MAX_LEN);
            }
        }
    }

    #[test]
    fn a_cursor_with_a_customer_is_read_back() {
        for customer in ["acme", "a.b..c", &"x".repeat(128)] {
            let cursor = Cursor(UnhealthyPlace {
                created_at: Timestamp::from_millis(i64::MIN),
                customer: customer.parse().unwrap(),
                subscription: SUBSCRIPTION.parse().unwrap(),
            });
            let text = cursor.to_string();
            assert!(text.len() <= MAX_LEN);
            assert_eq!(text.parse(), Ok(cursor));
        }
        let no_customer = format!("1.{SUBSCRIPTION}");
        assert_eq!(forged::<UnhealthyPlace>(&no_customer), Err(CursorError));
    }

    #[test]
    fn a_cursor_of_customers_is_read_back() {
        let longest = ".".repeat(CustomerId::MAX_BYTES);
        for id in ["a", "a.b..c", "customer", longest.as_str()] {
            let cursor = Cursor(CustomersPlace(id.parse().unwrap()));
            assert!(cursor.to_string().len() <= MAX_LEN);
            assert_eq!(cursor.to_string().parse(), Ok(cursor), "{id}");
        }
        for words in ["customer", "customer.", "customer.a/b", "customers.a", "a"] {
            assert_eq!(forged::<CustomersPlace>(words), Err(CursorError), "{words}");
        }
    }

    #[test]
    fn a_cursor_of_another_list_is_refused() {
        let message = place(1);
        let customer = Cursor(CustomerPlace {
            message,
            delivery_to: None,
        });
        assert_eq!(
            customer.to_string().parse::<Cursor<Place>>(),
            Err(CursorError)
        );
        let delivery = Cursor(message).to_string();
        assert_eq!(delivery.parse::<Cursor<CustomerPlace>>(), Err(CursorError));
    }

    #[test]
    fn a_cursor_that_we_did_not_write_is_refused() {
        assert!(forged::<Place>(&format!("1.{MESSAGE}")).is_ok());
        for words in [
            String::new(),
            "1".to_owned(),
            format!("+1.{MESSAGE}"),
            format!("01.{MESSAGE}"),
            format!("1.{}", MESSAGE.to_uppercase()),
            format!("1.{MESSAGE}."),
            format!("1.{MESSAGE}\n"),
            format!("9223372036854775808.{MESSAGE}"),
            format!("1.{SUBSCRIPTION}"),
            format!("1.{MESSAGE}.{SUBSCRIPTION}"),
        ] {
            assert_eq!(forged::<Place>(&words), Err(CursorError), "{words:?}");
        }
        let good = Cursor(place(1)).to_string();
        for text in [
            "",
            "?",
            "%00",
            &format!("{good}="),
            &format!("{good}A"),
            &"A".repeat(10_000),
        ] {
            assert_eq!(text.parse::<Cursor<Place>>(), Err(CursorError), "{text:?}");
        }
    }
}
