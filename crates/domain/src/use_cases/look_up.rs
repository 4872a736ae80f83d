//! Which of the customer's subscriptions want an event, a page at a time.

mod duplicate;
mod error;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use duplicate::{Comparison, Conflict, Duplicate, Origin};
pub use error::LookUpError;

use crate::event::EventReader;
use crate::filter::Document;
use crate::ids::SubscriptionId;
use crate::message::{self, Message, Payload, PayloadError};
use crate::ports::{MessageStore, SubscriptionDirectory};
use crate::prepare::MatchedSubscription;
use crate::subscription::Subscription;

/// The most data that Step Functions carries between two states, in bytes.
const MAX_STATE_BYTES: usize = 262_144;
/// What one call adds to the output of `prepare-calls`, in bytes, rounded up;
/// `prepare-calls` holds its own output against it.
pub const MAX_CALL_BYTES: usize = 1_536;
/// What the message item and the frame around the calls take beside the payload.
const FRAME_BYTES: usize = 2_048;
/// The most calls in one page, however small the message.
const MAX_CALLS_PER_PAGE: usize = 100;
/// How many steps the filters of one page may take before it ends. That is about a second on
/// the smallest function; the last filter may take [its own bound](crate::filter::Filter::MAX_STEPS)
/// beyond it. So one event takes as many pages as its customer's filters ask for, at most one for
/// each ten subscriptions on account of their cost, and none takes longer than that.
const MAX_STEPS_PER_PAGE: u64 = 10_000_000;
/// How many subscriptions one read of the table asks for.
const READ_LIMIT: u32 = 200;

/// How many calls fit beside a message into what Step Functions carries.
pub fn calls_per_page(message: &Message) -> usize {
    MAX_STATE_BYTES
        .saturating_sub(FRAME_BYTES + message.payload.carried_len())
        .div_euclid(MAX_CALL_BYTES)
        .clamp(1, MAX_CALLS_PER_PAGE)
}

/// What `look-up-subscriptions` returns, and what `prepare-calls` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// The message made from the event.
    pub message: Message,
    /// Whether the workflow has something to write: calls, or the message alone. A message
    /// that no subscription wants is kept, with the first page, when its customer has any
    /// subscription: one that is made or changed later may be given it.
    pub record: bool,
    /// The subscriptions of this page that want it.
    pub subscriptions: Vec<MatchedSubscription>,
    /// Where the next page starts; `None` when this is the last.
    pub cursor: Option<SubscriptionId>,
    /// Those among them whose filter [was given up](crate::filter#the-bound). For the log: the
    /// workflow does not need it.
    #[serde(skip)]
    pub given_up: Vec<SubscriptionId>,
}

/// What the workflow passes back for the next page. The message is made of it anew: whoever
/// starts the workflow by hand with such an input names no message of others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NextPage {
    payload: Payload,
    cursor: SubscriptionId,
}

/// What `look-up-subscriptions` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To an event, or to what the last page passed back.
    Page(Page),
    /// To a [`Duplicate`].
    Comparison(Comparison),
}

/// The look-up, with its surroundings.
#[derive(Debug)]
pub struct LookUp<D> {
    /// Where the subscriptions and messages are.
    pub directory: D,
    /// How events are read.
    pub reader: EventReader,
}

impl<D: SubscriptionDirectory + MessageStore> LookUp<D> {
    /// Takes whatever the workflow passes.
    ///
    /// # Errors
    /// When the input is none that can be read, or the table fails.
    pub async fn answer(&self, input: &str) -> Result<Answer, LookUpError> {
        // An event of EventBridge never is exactly a duplicate.
        match serde_json::from_str::<Duplicate>(input) {
            Ok(duplicate) => {
                let comparison = duplicate.compare(&self.reader, &self.directory).await?;
                Ok(Answer::Comparison(comparison))
            }
            Err(_) => Ok(Answer::Page(self.run(input).await?)),
        }
    }
}

impl<D: SubscriptionDirectory> LookUp<D> {
    /// Takes a raw event, or what the last page passed back; gives the next page.
    pub async fn run(&self, input: &str) -> Result<Page, LookUpError> {
        // An event of EventBridge never is exactly a payload and a cursor.
        let (event, mut after) = match serde_json::from_str::<NextPage>(input) {
            Ok(next) => (Cow::Owned(next.payload.read()?), Some(next.cursor)),
            Err(_) => (Cow::Borrowed(input.as_bytes()), None),
        };
        let text = str::from_utf8(&event).map_err(|_| PayloadError::NotAnEvent)?;
        let message = self.reader.read(text)?;
        // Read once, by the first filter, for all of them.
        let detail = Document::new(message::detail(&event)?);
        let wanted = calls_per_page(&message);
        let is_first = after.is_none();
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
                // What is wrong with one is its own failure: its delivery is recorded, and fails.
                match subscription {
                    Ok(whole) if wants(whole).unwrap_or(true) => {
                        matched.push(MatchedSubscription::from(whole));
                    }
                    Err(broken) if broken.may_want(&message, &mut wants) => {
                        matched.push(MatchedSubscription::from(&broken.readable));
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
        })
    }
}
