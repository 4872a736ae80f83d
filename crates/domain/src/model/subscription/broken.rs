//! A stored subscription that cannot be read completely.

use std::fmt;

use super::Subscription;
use crate::fields::FieldError;
use crate::filter::FilterError;
use crate::message::Message;

/// The fields of [`RequestShape`](crate::outbound::RequestShape) that may be unreadable.
const REQUEST_FIELDS: [&str; 6] = [
    "url",
    "headers",
    "secretHeaders",
    "authentication",
    "method",
    "queryParameters",
];

/// The fields of the shape of its payloads, which is also a part of its requests.
const SHAPE_FIELDS: [&str; 4] = ["payloadFormat", "payloadFields", "transform", "contentType"];

/// A stored subscription that cannot be read completely. Nothing is sent to it, its deliveries fail
/// with a reason, and other subscriptions are not affected. A change that sets the unreadable
/// fields repairs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenSubscription {
    /// The readable part. Unreadable fields have the values of a new subscription; an unreadable
    /// version is 0, which no subscription has.
    pub readable: Subscription,
    /// The problem of each unreadable field: at least one.
    pub problems: Vec<FieldError>,
}

impl BrokenSubscription {
    /// Returns true if this field can be read.
    pub fn can_read(&self, field: &str) -> bool {
        self.problems.iter().all(|problem| problem.field != field)
    }

    /// Returns true if its requests can be read.
    pub fn can_read_requests(&self) -> bool {
        self.can_read_shape() && REQUEST_FIELDS.iter().all(|field| self.can_read(field))
    }

    /// Returns true if the shape of its payloads can be read.
    pub fn can_read_shape(&self) -> bool {
        SHAPE_FIELDS.iter().all(|field| self.can_read(field))
    }

    /// Returns false only if it surely does not match the message. Otherwise the delivery is
    /// recorded, and fails, so that nothing is lost unnoticed.
    ///
    /// `wants` evaluates the readable part.
    pub fn may_want(
        &self,
        message: &Message,
        wants: impl FnOnce(&Subscription) -> Result<bool, FilterError>,
    ) -> bool {
        let named = &self.readable.event_types;
        if message.is_test || (self.can_read("eventTypes") && !named.matches(&message.event_type)) {
            return false;
        }
        !self.can_read("filter")
            || !self.can_read("eventTypes")
            || wants(&self.readable).unwrap_or(true)
    }

    /// The problems as text.
    pub fn problem(&self) -> String {
        let problems: Vec<_> = self.problems.iter().map(FieldError::to_string).collect();
        problems.join("; ")
    }
}

impl fmt::Display for BrokenSubscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, problem) = (self.readable.id, self.problem());
        write!(
            f,
            "subscription `{id}` is stored in a form that cannot be read ({problem}): a change \
             that names these fields repairs it"
        )
    }
}

impl Subscription {
    /// The subscription, if its filter can be evaluated. A filter that was stored under older rules
    /// may not be, and then nothing is sent to the subscription.
    ///
    /// # Errors
    /// The subscription as a broken one.
    pub fn with_readable_filter(self) -> Result<Self, Box<BrokenSubscription>> {
        let problem = self.filter.as_ref().map(|filter| filter.matches("{}"));
        match problem {
            Some(Err(problem)) => Err(Box::new(BrokenSubscription {
                readable: self,
                problems: vec![FieldError::new("filter", problem)],
            })),
            Some(Ok(_)) | None => Ok(self),
        }
    }
}
