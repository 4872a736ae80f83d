//! AWS Lambda.

use super::{Rule, is_json, text};
use crate::gate::violation::{Violation, over};

/// The largest payload and answer of a synchronous invocation: 6 MB.
pub(crate) const SYNCHRONOUS_BYTES: usize = 6_291_456;
/// The largest payload of an asynchronous invocation.
const ASYNCHRONOUS_BYTES: usize = 1_048_576;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "payload of 6 MB, or 1 MB of an event",
        source: "https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html",
        service: "lambda",
        operations: &["Invoke"],
        check: |input| {
            let is_event = text(input.value, "InvocationType") == Some("Event");
            let most = if is_event {
                ASYNCHRONOUS_BYTES
            } else {
                SYNCHRONOUS_BYTES
            };
            let bytes = input.body.len();
            (bytes > most).then(|| {
                Violation::new("Payload", over(bytes, most, "bytes"))
                    .with_code("RequestTooLargeException")
            })
        },
    },
    Rule {
        name: "payload that is JSON",
        source: "https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html",
        service: "lambda",
        operations: &["Invoke"],
        check: |input| {
            let is_given = !input.body.is_empty();
            let is_refused = is_given && !str::from_utf8(input.body).is_ok_and(is_json);
            is_refused.then(|| {
                Violation::new("Payload", "no JSON").with_code("InvalidRequestContentException")
            })
        },
    },
];
