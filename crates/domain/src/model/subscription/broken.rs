//! A stored subscription of which not everything can be read.

use std::fmt;

use super::Subscription;
use crate::fields::FieldError;
use crate::filter::FilterError;
use crate::message::Message;

/// A stored subscription of which not everything can be read. That is its own failure: nothing
/// is sent to it, and what it is owed fails with words, while others are served. A change that
/// names what cannot be read repairs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenSubscription {
    /// What can be read. In place of the rest stands what a new subscription has; a version that
    /// cannot be read is 0, which none has.
    pub readable: Subscription,
    /// What cannot be read, field by field: at least one.
    pub problems: Vec<FieldError>,
}

impl BrokenSubscription {
    /// Whether this field can be read.
    pub fn can_read(&self, field: &str) -> bool {
        self.problems.iter().all(|problem| problem.field != field)
    }

    /// Whether it wants the message, as far as that can be told. What cannot be told is yes: the
    /// delivery is recorded, and fails, so that nothing is lost unseen.
    ///
    /// `wants` evaluates what can be read.
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

    /// The problems in words.
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
    /// The subscription, if its filter is one that can be evaluated. One that was stored under
    /// other rules may not be, and nothing is sent to a subscription with it.
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
