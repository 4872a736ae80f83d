//! What the proxy cannot see, counted by rule.

/// What EventBridge and SQS bill as one: a payload of at most this size.
const CHUNK_BYTES: usize = 65_536;

/// Requests of Lambda's poller for a batch: one that receives it, one that deletes it.
pub(super) const POLLER_REQUESTS: u64 = 2;

/// States of the Map for each delivery, which the emulator's history leaves out: one that
/// records it, one that chooses, one that queues it.
pub(super) const MAP_TRANSITIONS: usize = 3;

/// Express workflows are billed by the started 100 ms, with 64 MB at least.
const EXPRESS_STEP_SECONDS: f64 = 0.1;
const EXPRESS_GIGABYTES: f64 = 64.0 / 1_024.0;

/// Copies of the function that a month of a million deliveries keeps busy, and how often each
/// asks for the data key.
const COPIES: f64 = 2.0;
const KEY_REQUESTS_A_MONTH: f64 = 12.0 * 730.0;

/// The share of events that X-Ray samples by its default rule, beyond the first in a second.
pub(super) const TRACED: f64 = 0.05;

/// How many a payload is billed as.
pub(super) fn chunks(bytes: usize) -> usize {
    bytes.div_ceil(CHUNK_BYTES).max(1)
}

/// What an execution of so many seconds is billed as, in GB-seconds.
pub(super) fn express_gigabyte_seconds(seconds: f64) -> f64 {
    (seconds / EXPRESS_STEP_SECONDS).ceil() * EXPRESS_STEP_SECONDS * EXPRESS_GIGABYTES
}

/// Requests to KMS for a delivery, when there are a million in a month.
pub(super) fn key_requests() -> f64 {
    COPIES * KEY_REQUESTS_A_MONTH / 1e6
}

/// The rules in words, for the report.
pub(super) fn text() -> String {
    format!(
        "By rule: one event of EventBridge for each 64 KB, and the archive by the event's size. An \
         Express execution by the started 100 ms of the time that the emulator takes for it, less the \
         {} ms that it waits first, at 64 MB; AWS's own time was never measured. One message sent by the \
         workflow for each delivery, and {MAP_TRANSITIONS} states of its Map. {POLLER_REQUESTS} requests of Lambda's poller for each batch. The \
         surcharge of fair queues on all requests: which ones it applies to was not checked. KMS and the \
         data key: {COPIES} copies of the function that ask every 5 minutes all month. X-Ray: {:.0} % of \
         the events. It also samples the first event in every second, so a million that are spread evenly \
         over a month are nearly all traced, at $5.",
        super::workflow::EMULATOR_WAITS.as_millis(),
        TRACED * 100.0,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn started_steps_and_chunks_are_billed_whole() {
        assert_eq!(chunks(0), 1);
        assert_eq!(chunks(65_536), 1);
        assert_eq!(chunks(65_537), 2);
        assert!((express_gigabyte_seconds(0.21) - 0.3 / 16.0).abs() < 1e-12);
        assert!((express_gigabyte_seconds(0.05) - 0.1 / 16.0).abs() < 1e-12);
        assert!((key_requests() - 0.017_52).abs() < 1e-12);
    }
}
