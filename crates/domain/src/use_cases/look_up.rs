//! Finds the customer's subscriptions that match an event, page by page.

mod duplicate;
mod error;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use duplicate::{Comparison, Conflict, Duplicate, Origin};
pub use error::LookUpError;

use crate::catalogue::{Finding, Validation};
use crate::check_event::{Checked, EventCheck};
use crate::event::EventReader;
use crate::filter::Document;
use crate::ids::SubscriptionId;
use crate::message::{self, Message, Payload, PayloadError};
use crate::ports::{DeliveryReader, SubscriptionTable};
use crate::prepare::MatchedSubscription;
use crate::subscription::Subscription;

/// The largest data between two states of Step Functions, in bytes.
const MAX_STATE_BYTES: usize = 262_144;
/// The size that one call adds to the output of `prepare-calls`, in bytes, rounded up.
/// `prepare-calls` checks its own output against it.
pub const MAX_CALL_BYTES: usize = 2_304;
/// The size of the message item and the frame around the calls, without the payload.
const FRAME_BYTES: usize = 2_048;
/// The largest number of calls in one page, even for a small message.
const MAX_CALLS_PER_PAGE: usize = 100;
/// The number of filter steps after which a page ends: about a second on the smallest function.
/// The last filter of a page may exceed it by [its own limit](crate::filter::Filter::MAX_STEPS). So
/// expensive filters cost at most one more page for each ten subscriptions.
const MAX_STEPS_PER_PAGE: u64 = 10_000_000;
/// The number of subscriptions in one read of the table.
const READ_LIMIT: u32 = 200;

/// The number of calls that fit, beside a message, into the data limit of Step Functions.
pub fn calls_per_page(message: &Message) -> usize {
    MAX_STATE_BYTES
        .saturating_sub(FRAME_BYTES + message.payload.carried_len())
        .div_euclid(MAX_CALL_BYTES)
        .clamp(1, MAX_CALLS_PER_PAGE)
}

/// The output of `look-up-subscriptions`, which is the input of `prepare-calls`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// The message made from the event.
    pub message: Message,
    /// True if the workflow has something to write: calls, or the message alone. With the first
    /// page the message is kept even if no subscription matches, provided that its customer has any
    /// subscription. So a replay can find it for a subscription that is created or changed later.
    pub record: bool,
    /// The matching subscriptions of this page.
    pub subscriptions: Vec<MatchedSubscription>,
    /// The start of the next page. `None` on the last page.
    pub cursor: Option<SubscriptionId>,
    /// The subscriptions of this page whose filter [was abandoned](crate::filter#the-bound). This
    /// is for the log; the workflow does not need it.
    #[serde(skip)]
    pub given_up: Vec<SubscriptionId>,
    /// The reason why the event fails the check of its type, which only warns. It is with the first
    /// page, and for the log.
    #[serde(skip)]
    pub warning: Option<Finding>,
}

/// The input that the workflow passes back for the next page. The message is derived from it again,
/// so an input that somebody made by hand cannot name another customer's message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NextPage {
    payload: Payload,
    cursor: SubscriptionId,
}

/// The output of `look-up-subscriptions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each invocation, and nearly all are pages"
)]
pub enum Answer {
    /// For an event, or for the input of a next page.
    Page(Page),
    /// For a [`Duplicate`].
    Comparison(Comparison),
}

/// The look-up, with its ports.
#[derive(Debug)]
pub struct LookUp<D, E> {
    /// The subscriptions and messages.
    pub directory: D,
    /// Checks the events.
    pub check: E,
    /// Reads the events.
    pub reader: EventReader,
}

impl<D: SubscriptionTable + DeliveryReader, E: EventCheck> LookUp<D, E> {
    /// Answers any input of the workflow.
    ///
    /// # Errors
    /// If the input cannot be read, or the table fails.
    pub async fn answer(&self, input: &str) -> Result<Answer, LookUpError> {
        // An event of EventBridge never has exactly the fields of a duplicate.
        match serde_json::from_str::<Duplicate>(input) {
            Ok(duplicate) => {
                let comparison = duplicate.compare(&self.reader, &self.directory).await?;
                Ok(Answer::Comparison(comparison))
            }
            Err(_) => Ok(Answer::Page(self.run(input).await?)),
        }
    }
}

impl<D: SubscriptionTable, E: EventCheck> LookUp<D, E> {
    /// Takes a raw event, or the input for a next page. Returns the next page.
    pub async fn run(&self, input: &str) -> Result<Page, LookUpError> {
        // An event of EventBridge never has exactly a payload and a cursor.
        let (event, mut after) = match serde_json::from_str::<NextPage>(input) {
            Ok(next) => (Cow::Owned(next.payload.read()?), Some(next.cursor)),
            Err(_) => (Cow::Borrowed(input.as_bytes()), None),
        };
        let text = str::from_utf8(&event).map_err(|_| PayloadError::NotAnEvent)?;
        let message = self.reader.read(text)?;
        let detail = message::detail(&event)?;
        let is_first = after.is_none();
        let warning = if is_first {
            self.check(&message, detail).await?
        } else {
            None
        };
        // Parsed once, by the first filter, for all of them.
        let detail = Document::new(detail);
        let wanted = calls_per_page(&message);
        let mut has_any = false;
        let (mut matched, mut given_up) = (Vec::new(), Vec::new());
        let mut steps = 0;
        let cursor = 'pages: loop {
            let read = self
                .directory
                .page(&message.customer_id, after.as_ref(), READ_LIMIT)
                .await?;
            for (id, subscription) in read.in_order() {
                has_any = true;
                if matched.len() == wanted || steps >= MAX_STEPS_PER_PAGE {
                    break 'pages after;
                }
                after = Some(id);
                let mut wants = |of: &Subscription| {
                    let answer = of.wants(&message, &detail)?;
                    steps += answer.steps;
                    given_up.extend(answer.is_given_up.then_some(id));
                    Ok(answer.is_wanted)
                };
                // An unreadable subscription does not fail the event: only its own delivery is
                // recorded and fails.
                match subscription {
                    Ok(whole) if wants(whole).unwrap_or(true) => {
                        matched.push(MatchedSubscription::from(whole));
                    }
                    Err(broken) if broken.may_want(&message, &mut wants) => {
                        matched.push(MatchedSubscription::from(broken));
                    }
                    Ok(_) | Err(_) => {}
                }
            }
            if !read.has_more {
                break None;
            }
        };
        Ok(Page {
            record: !matched.is_empty() || (is_first && has_any),
            message,
            subscriptions: matched,
            cursor,
            given_up,
            warning,
        })
    }

    /// Checks an event once, before its first page. Returns the reason for a warning.
    async fn check(&self, message: &Message, detail: &str) -> Result<Option<Finding>, LookUpError> {
        match self.check.check(&message.event_type, detail).await? {
            None => Ok(None),
            Some(Checked {
                validation: Validation::Refuse,
                finding,
            }) => Err(LookUpError::Refused(finding)),
            Some(Checked { finding, .. }) => Ok(Some(finding)),
        }
    }
}
