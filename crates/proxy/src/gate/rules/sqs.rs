//! Amazon SQS. Its model contains no limits.

use std::collections::HashSet;

use serde_json::Value;

use super::{Input, Rule, elements, entries, text};
use crate::gate::violation::{Violation, member, over};

const SEND: &[&str] = &["SendMessage", "SendMessageBatch"];
const BATCHES: &[&str] = &[
    "ChangeMessageVisibilityBatch",
    "DeleteMessageBatch",
    "SendMessageBatch",
];

/// The largest message and the largest batch.
const MAX_BYTES: usize = 1_048_576;
const MAX_ENTRIES: usize = 10;
const VISIBILITY_SECONDS: i64 = 43_200;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "delay of 0 to 900 s",
        source: "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html",
        service: "sqs",
        operations: SEND,
        check: |input| {
            each_message(input, |path, message| {
                number_in(message, path, "DelaySeconds", 900)
            })
        },
    },
    Rule {
        name: "message of 1 to 1,048,576 bytes with its attributes",
        source: "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html",
        service: "sqs",
        operations: SEND,
        check: |input| {
            each_message(input, |path, message| {
                let member = member(path, "MessageBody");
                if text(message, "MessageBody").is_some_and(str::is_empty) {
                    return Some(parameter(member, "empty"));
                }
                let bytes = message_bytes(message);
                (bytes > MAX_BYTES).then(|| {
                    let reason = over(bytes, MAX_BYTES, "bytes, attributes included");
                    parameter(member, reason)
                })
            })
        },
    },
    Rule {
        name: "characters of a message",
        source: "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html",
        service: "sqs",
        operations: SEND,
        check: |input| {
            each_message(input, |path, message| {
                let refused = text(message, "MessageBody")?
                    .chars()
                    .find(|c| !is_allowed(*c))?;
                let reason = format!("has the character U+{:04X}", u32::from(refused));
                let member = member(path, "MessageBody");
                Some(Violation::new(member, reason).with_code("InvalidMessageContents"))
            })
        },
    },
    Rule {
        name: "message attributes",
        source: "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html",
        service: "sqs",
        operations: SEND,
        check: |input| each_message(input, attributes),
    },
    Rule {
        name: "message group and deduplication id",
        source: "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html",
        service: "sqs",
        operations: SEND,
        check: |input| {
            each_message(input, |path, message| {
                let mut names = ["MessageGroupId", "MessageDeduplicationId"].into_iter();
                names.find_map(|name| {
                    let id = text(message, name)?;
                    let is_one = (1..=128).contains(&id.len())
                        && id.bytes().all(|byte| byte.is_ascii_graphic());
                    let reason = "not 1 to 128 letters, digits and punctuation marks";
                    (!is_one).then(|| parameter(member(path, name), reason))
                })
            })
        },
    },
    Rule {
        name: "1 to 10 entries of a batch",
        source: "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html",
        service: "sqs",
        operations: BATCHES,
        check: |input| {
            let count = elements(input.value, "Entries").len();
            let (reason, code) = match count {
                0 => ("no entry".to_owned(), "EmptyBatchRequest"),
                1..=MAX_ENTRIES => return None,
                _ => (
                    over(count, MAX_ENTRIES, "entries"),
                    "TooManyEntriesInBatchRequest",
                ),
            };
            Some(Violation::new("Entries", reason).with_code(code))
        },
    },
    Rule {
        name: "batch of 1,048,576 bytes",
        source: "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html",
        service: "sqs",
        operations: &["SendMessageBatch"],
        check: |input| {
            let entries = elements(input.value, "Entries");
            let bytes = entries.iter().map(message_bytes).sum::<usize>();
            (bytes > MAX_BYTES).then(|| {
                Violation::new("Entries", over(bytes, MAX_BYTES, "bytes together"))
                    .with_code("BatchRequestTooLong")
            })
        },
    },
    Rule {
        name: "distinct ids in a batch",
        source: "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html",
        service: "sqs",
        operations: BATCHES,
        check: |input| {
            let mut seen = HashSet::new();
            let ids = elements(input.value, "Entries").iter().enumerate();
            let mut ids = ids.filter_map(|(index, entry)| Some((index, text(entry, "Id")?)));
            ids.find(|(_, id)| !seen.insert(*id)).map(|(index, _)| {
                Violation::new(format!("Entries[{index}].Id"), "appears twice")
                    .with_code("BatchEntryIdsNotDistinct")
            })
        },
    },
    Rule {
        name: "form of an id in a batch",
        source: "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatchRequestEntry.html",
        service: "sqs",
        operations: BATCHES,
        check: |input| {
            let mut ids = elements(input.value, "Entries").iter().enumerate();
            ids.find_map(|(index, entry)| {
                let id = text(entry, "Id")?;
                let is_one = (1..=80).contains(&id.len())
                    && id
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
                (!is_one).then(|| {
                    let reason = "not 1 to 80 letters, digits, hyphens and underscores";
                    Violation::new(format!("Entries[{index}].Id"), reason)
                        .with_code("InvalidBatchEntryId")
                })
            })
        },
    },
    Rule {
        name: "visibility timeout of 12 hours",
        source: "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html",
        service: "sqs",
        operations: &["ChangeMessageVisibility", "ChangeMessageVisibilityBatch"],
        check: |input| {
            each_message(input, |path, entry| {
                number_in(entry, path, "VisibilityTimeout", VISIBILITY_SECONDS)
            })
        },
    },
    Rule {
        name: "bounds of a receive",
        source: "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html",
        service: "sqs",
        operations: &["ReceiveMessage"],
        check: |input| {
            let count = input
                .value
                .get("MaxNumberOfMessages")
                .and_then(Value::as_i64);
            if count.is_some_and(|count| count < 1) {
                return Some(parameter("MaxNumberOfMessages", "under 1"));
            }
            [
                ("MaxNumberOfMessages", 10),
                ("WaitTimeSeconds", 20),
                ("VisibilityTimeout", VISIBILITY_SECONDS),
            ]
            .into_iter()
            .find_map(|(name, most)| number_in(input.value, "", name, most))
        },
    },
];

/// Returns the first violation of a message, or of any message in a batch.
fn each_message(
    input: &Input,
    fault: impl Fn(&str, &Value) -> Option<Violation>,
) -> Option<Violation> {
    if !input.operation.ends_with("Batch") {
        return fault("", input.value);
    }
    let mut all = elements(input.value, "Entries").iter().enumerate();
    all.find_map(|(index, entry)| fault(&format!("Entries[{index}]"), entry))
}

fn parameter(member: impl Into<String>, reason: impl Into<String>) -> Violation {
    Violation::new(member, reason).with_code("InvalidParameterValue")
}

fn number_in(value: &Value, path: &str, name: &str, most: i64) -> Option<Violation> {
    let number = value.get(name)?.as_i64()?;
    (!(0..=most).contains(&number)).then(|| {
        let reason = format!("{number} is not in 0 to {most}");
        parameter(member(path, name), reason)
    })
}

/// Returns the size of the body and, for each attribute, of its name, type and value.
fn message_bytes(message: &Value) -> usize {
    let attributes = entries(message, "MessageAttributes").map(|(name, attribute)| {
        let values =
            ["DataType", "StringValue"].map(|part| text(attribute, part).map_or(0, str::len));
        // Base64 encodes three bytes in four characters.
        let binary = text(attribute, "BinaryValue").map_or(0, |b| b.len() / 4 * 3);
        name.len() + values.iter().sum::<usize>() + binary
    });
    text(message, "MessageBody").map_or(0, str::len) + attributes.sum::<usize>()
}

fn is_allowed(character: char) -> bool {
    matches!(
        character,
        '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..
    )
}

fn attributes(path: &str, message: &Value) -> Option<Violation> {
    const MOST: usize = 10;
    let path = member(path, "MessageAttributes");
    let count = entries(message, "MessageAttributes").count();
    if count > MOST {
        return Some(parameter(path, over(count, MOST, "attributes")));
    }
    entries(message, "MessageAttributes").find_map(|(name, attribute)| {
        let lower = name.to_ascii_lowercase();
        let is_name = (1..=256).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            && !lower.starts_with("aws.")
            && !lower.starts_with("amazon.")
            && !name.starts_with('.')
            && !name.ends_with('.')
            && !name.contains("..");
        let path = member(&path, name);
        if !is_name {
            return Some(parameter(path, "a name that SQS refuses"));
        }
        let kind = text(attribute, "DataType").unwrap_or_default();
        let base = kind.split('.').next().unwrap_or_default();
        if !["String", "Number", "Binary"].contains(&base) || kind.len() > 256 {
            return Some(parameter(
                member(&path, "DataType"),
                "not String, Number or Binary",
            ));
        }
        let holder = if base == "Binary" {
            "BinaryValue"
        } else {
            "StringValue"
        };
        let is_empty = text(attribute, holder).is_none_or(str::is_empty);
        is_empty.then(|| parameter(member(&path, holder), "no value"))
    })
}
