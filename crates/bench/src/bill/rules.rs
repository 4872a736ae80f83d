//! Quantities that the proxy cannot see, computed by rule.

/// The largest payload that EventBridge and SQS bill as one.
const CHUNK_BYTES: usize = 65_536;

/// The requests of Lambda's poller for a batch: one receives it, one deletes it.
pub(super) const POLLER_REQUESTS: u64 = 2;

/// The states of the Map for each delivery, which the emulator's history leaves out: one
/// records the delivery, one chooses, one queues its task.
pub(super) const MAP_TRANSITIONS: usize = 3;

/// Express workflows are billed per started 100 ms, with at least 64 MB.
const EXPRESS_STEP_SECONDS: f64 = 0.1;
const EXPRESS_GIGABYTES: f64 = 64.0 / 1_024.0;

/// The execution environments that a million deliveries a month keep busy.
const EXECUTION_ENVIRONMENTS: f64 = 2.0;
/// The number of times a month that each of them requests the data key.
const KEY_REQUESTS_A_MONTH: f64 = 12.0 * 730.0;

/// Returns the number of units that a payload is billed as.
pub(super) fn chunks(bytes: usize) -> usize {
    bytes.div_ceil(CHUNK_BYTES).max(1)
}

/// Returns the GB-seconds that an execution of this duration is billed as.
pub(super) fn express_gigabyte_seconds(seconds: f64) -> f64 {
    (seconds / EXPRESS_STEP_SECONDS).ceil() * EXPRESS_STEP_SECONDS * EXPRESS_GIGABYTES
}

/// Returns the KMS requests per delivery, at a million deliveries a month.
pub(super) fn key_requests() -> f64 {
    EXECUTION_ENVIRONMENTS * KEY_REQUESTS_A_MONTH / 1e6
}

/// Returns a description of the rules for the report.
pub(super) fn text() -> String {
    format!(
        "Computed by rule: EventBridge counts one event for each 64 KB, and the archive counts \
         the event's size. An Express execution is billed per started 100 ms at 64 MB, for the \
         emulator's time without its initial wait of {} ms; AWS's own time was never measured. \
         The workflow sends one message for each delivery and enters {MAP_TRANSITIONS} states \
         of its Map. Lambda's poller makes {POLLER_REQUESTS} requests for each batch. The \
         surcharge of fair queues is applied to all requests, because it was not checked which \
         requests it applies to. For KMS and the data key, {EXECUTION_ENVIRONMENTS} execution environments \
         make a request every 5 minutes all month.",
        crate::stack::EMULATOR_WAITS.as_millis(),
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
