//! `webhooks dlq list`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::terminal::{Cell, Style, Table, Tone};
use anyhow::Result;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use serde::Serialize;
use webhooks_client::Stack;
use webhooks_domain::timestamp::Timestamp;

use super::Kind;
use crate::Outcome;
use crate::clock::now;
use crate::print::{Printer, Report, one_line};
use crate::queue::{BATCH, Queue};

/// The largest number of messages examined in a queue.
const PEEKED: usize = 100;

/// The time after which an examined message becomes visible again if this program dies.
const HIDDEN_FOR: Duration = Duration::from_secs(30);

#[derive(Serialize)]
#[serde(transparent)]
struct Listing(Vec<ListedQueue>);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedQueue {
    queue: Kind,
    /// The approximate number of messages that can be received.
    waiting: u64,
    /// The approximate number of messages that are hidden while a consumer processes them.
    in_flight: u64,
    /// The number of messages that were examined for the following fields.
    peeked: usize,
    /// The age of the oldest examined message.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_age_seconds: Option<u64>,
    /// The errors, most frequent first.
    errors: Vec<ListedError>,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
struct ListedError {
    name: String,
    count: u64,
    /// The cause from one of the messages.
    cause: String,
}

/// Shows all queues.
pub(super) async fn run(stack: &Stack, printer: &mut Printer<'_>) -> Result<Outcome> {
    let mut queues = Vec::with_capacity(Kind::ALL.len());
    for kind in Kind::ALL {
        let queue = kind.queue(stack)?;
        let counts = queue.counts().await?;
        let messages = peek(&queue, counts.waiting).await?;
        let oldest = messages.iter().filter_map(sent_at).min();
        queues.push(ListedQueue {
            queue: kind,
            waiting: counts.waiting,
            in_flight: counts.in_flight,
            peeked: messages.len(),
            oldest_age_seconds: oldest.map(|sent_at| now().since(sent_at).as_secs()),
            errors: errors(messages.iter().filter_map(|message| kind.error(message))),
        });
    }
    printer.print(&Listing(queues))?;
    Ok(Outcome::Complete)
}

/// Receives up to `waiting` messages and makes them visible again.
async fn peek(queue: &Queue, waiting: u64) -> Result<Vec<Message>> {
    let limit = usize::try_from(waiting).unwrap_or(PEEKED).min(PEEKED);
    let mut peeked = Vec::with_capacity(limit);
    while peeked.len() < limit {
        let messages = queue.receive(limit - peeked.len(), HIDDEN_FOR).await?;
        if messages.is_empty() {
            break;
        }
        peeked.extend(messages);
    }
    for messages in peeked.chunks(BATCH) {
        queue.release(messages).await?;
    }
    Ok(peeked)
}

fn sent_at(message: &Message) -> Option<Timestamp> {
    let sent = message
        .attributes()?
        .get(&MessageSystemAttributeName::SentTimestamp)?;
    Some(Timestamp::from_millis(sent.parse().ok()?))
}

impl Kind {
    /// Returns the name and cause of the error that sent a message to this queue. A task has
    /// none: it is in the log of `deliver-webhook`.
    fn error(self, message: &Message) -> Option<(&str, &str)> {
        let (name, cause) = match self {
            Self::Deliveries => return None,
            // The format of the workflow's `SendToFailedEvents`.
            Self::Events => ("error", "cause"),
            // The format of EventBridge.
            Self::Rule => ("ERROR_CODE", "ERROR_MESSAGE"),
        };
        let attribute = |name| message.message_attributes()?.get(name)?.string_value();
        Some((
            attribute(name).unwrap_or("unknown"),
            attribute(cause).unwrap_or_default(),
        ))
    }
}

/// Counts errors by name, most frequent first.
fn errors<'a>(errors: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<ListedError> {
    let mut by_name = BTreeMap::new();
    for (name, cause) in errors {
        by_name.entry(name).or_insert((0, cause)).0 += 1;
    }
    let listed = by_name
        .into_iter()
        .map(|(name, (count, cause))| ListedError {
            name: name.to_owned(),
            count,
            cause: cause.to_owned(),
        });
    let mut listed: Vec<_> = listed.collect();
    listed.sort_by_key(|error| std::cmp::Reverse(error.count));
    listed
}

impl Report for Listing {
    fn text(&self, style: Style) -> String {
        let mut queues = Table::new(["QUEUE", "WAITING", "IN FLIGHT", "OLDEST"]);
        let mut errors = Table::new(["QUEUE", "COUNT", "ERROR", "FOR EXAMPLE"]);
        let mut has_errors = false;
        for row in &self.0 {
            let tone = if row.waiting > 0 {
                Tone::Bad
            } else {
                Tone::Good
            };
            let oldest = row.oldest_age_seconds.map_or("-".to_owned(), |seconds| {
                humantime::format_duration(Duration::from_secs(seconds)).to_string()
            });
            queues.push([
                row.queue.name().into(),
                Cell::new(row.waiting.to_string(), tone),
                row.in_flight.to_string().into(),
                oldest.into(),
            ]);
            for error in &row.errors {
                has_errors = true;
                errors.push([
                    row.queue.name().into(),
                    error.count.to_string().into(),
                    one_line(&error.name).into(),
                    one_line(&error.cause).into(),
                ]);
            }
        }
        let mut text = queues.text(style);
        if has_errors {
            text.push('\n');
            text.push_str(&errors.text(style));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_sqs::types::MessageAttributeValue;

    use super::*;

    fn message(attributes: &[(&str, &str)]) -> Message {
        let mut message = Message::builder();
        for (name, value) in attributes {
            let value = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(*value)
                .build()
                .unwrap();
            message = message.message_attributes(*name, value);
        }
        message.build()
    }

    #[test]
    fn each_queue_has_its_own_format_for_errors() {
        let failed = message(&[("error", "MissingCustomerId"), ("cause", "no customer")]);
        let refused = message(&[("ERROR_CODE", "THROTTLED"), ("ERROR_MESSAGE", "slow down")]);
        assert_eq!(
            Kind::Events.error(&failed),
            Some(("MissingCustomerId", "no customer"))
        );
        assert_eq!(Kind::Rule.error(&refused), Some(("THROTTLED", "slow down")));
        assert_eq!(Kind::Rule.error(&failed), Some(("unknown", "")));
        assert_eq!(Kind::Deliveries.error(&failed), None);
    }

    #[test]
    fn the_most_frequent_error_is_listed_first() {
        let listed = errors([("A", "1"), ("B", "2"), ("B", "3")].into_iter());
        let listed: Vec<_> = listed
            .iter()
            .map(|error| (error.name.as_str(), error.count, error.cause.as_str()))
            .collect();
        assert_eq!(listed, [("B", 2, "2"), ("A", 1, "1")]);
    }

    #[test]
    fn a_listing_shows_queues_and_errors() {
        let row = |queue, waiting, errors| ListedQueue {
            queue,
            waiting,
            in_flight: 0,
            peeked: 0,
            oldest_age_seconds: (waiting > 0).then_some(3_723),
            errors,
        };
        let error = ListedError {
            name: "CorruptItem".to_owned(),
            count: 2,
            cause: "item\ncannot be read".to_owned(),
        };
        let listing = Listing(vec![
            row(Kind::Deliveries, 0, vec![]),
            row(Kind::Events, 2, vec![error]),
        ]);
        assert_text!(listing.text(Style::Plain));
    }
}
