//! The form of a queue message:
//! `{"v":1,"deliveryId":"dlv_…","attempt":2,"dueAt":1700000000000}`.
//!
//! Times are in milliseconds since 1970. Optional fields are absent if they do not apply:
//!
//! | field | present |
//! |---|---|
//! | `dueAt` | from the second attempt on |
//! | `circuitBreakerOpen`: `true` | after the task was deferred by an open circuit breaker |
//! | `notBefore`, `limitsVersion` | after the task was deferred by a limit: its reservation, and the version of the subscription to which that belongs |
//! | `queue`: `"slow"` | in the queue for slow endpoints |
//!
//! Code that does not know an optional field makes the attempt at once, and loses nothing.
//!
//! Version N of the code writes version N and reads N and N − 1, because messages of the previous
//! version are in flight while a stack is upgraded. The messages of each version are kept in
//! `crates/sqs/messages`, and never change.

use serde::{Deserialize, Serialize};
use webhooks_domain::delivery::{Deferral, DeliveryTask};
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::limits::{LimiterKind, Reservation};
use webhooks_domain::queue::QueueKind;
use webhooks_domain::timestamp::Timestamp;

/// The version that is written, and the only one that is read.
const VERSION: u64 = 1;

/// A message that this version does not understand. It must stay in the queue.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryTaskError {
    /// Not JSON, or a field is missing or not valid.
    #[error("queue message cannot be read")]
    Malformed(#[from] serde_json::Error),
    /// A version that this code does not support.
    #[error("queue message has version {v}, known is {VERSION}")]
    Version {
        /// The version of the message.
        v: u64,
    },
}

#[derive(Deserialize)]
struct Versioned {
    v: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct V1 {
    v: u64,
    delivery_id: DeliveryId,
    attempt: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    due_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    circuit_breaker_open: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_zero")]
    limits_version: u64,
    #[serde(default, skip_serializing_if = "LimiterKind::is_subscription")]
    limiter: LimiterKind,
    #[serde(default, skip_serializing_if = "QueueKind::is_fast")]
    queue: QueueKind,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(version: &u64) -> bool {
    *version == 0
}

/// The text to send for a task.
pub fn encode(task: &DeliveryTask) -> String {
    let message = V1 {
        v: VERSION,
        delivery_id: task.delivery,
        attempt: task.attempt,
        due_at: task.due_at,
        circuit_breaker_open: task.deferral == Some(Deferral::CircuitBreaker),
        not_before: task.reservation().map(|reserved| reserved.not_before),
        limits_version: task.reservation().map_or(0, |reserved| reserved.version),
        limiter: task
            .reservation()
            .map_or(LimiterKind::default(), |reserved| reserved.limiter),
        queue: task.queue,
    };
    serde_json::to_string(&message).expect("strings and numbers are always JSON")
}

/// Parses a message's text.
///
/// # Errors
/// If this code does not understand it. Then the message must stay in the queue.
pub fn decode(text: &str) -> Result<DeliveryTask, DeliveryTaskError> {
    let Versioned { v } = serde_json::from_str(text)?;
    if v != VERSION {
        return Err(DeliveryTaskError::Version { v });
    }
    let V1 {
        delivery_id,
        attempt,
        due_at,
        circuit_breaker_open,
        not_before,
        limits_version,
        limiter,
        queue,
        ..
    } = serde_json::from_str(text)?;
    Ok(DeliveryTask {
        delivery: delivery_id,
        attempt,
        due_at,
        deferral: not_before
            .map(|not_before| {
                Deferral::Limiter(Reservation {
                    not_before,
                    limiter,
                    version: limits_version,
                })
            })
            .or_else(|| circuit_breaker_open.then_some(Deferral::CircuitBreaker)),
        queue,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_unknown_version_is_never_understood() {
        let text = |v: u64| {
            format!(
                r#"{{"v":{v},"deliveryId":"dlv_{:032x}_{:032x}","attempt":2}}"#,
                1, 2
            )
        };
        assert_eq!(decode(&text(1)).unwrap().attempt, 2);
        for v in [0, 2, u64::MAX] {
            let error = decode(&text(v)).unwrap_err();
            assert!(matches!(error, DeliveryTaskError::Version { .. }));
        }
    }

    #[test]
    fn a_malformed_message_is_refused() {
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"v":"1"}"#,
            r#"{"v":1}"#,
            r#"{"v":1,"deliveryId":"dlv_x","attempt":1}"#,
        ] {
            let error = decode(bad).unwrap_err();
            assert!(matches!(error, DeliveryTaskError::Malformed(_)), "{bad}");
        }
    }

    /// The messages of the current and the previous version. A new version gets a new file.
    const WRITTEN: &[(u64, &str)] = &[(1, include_str!("../messages/v1.txt"))];

    /// The tasks in every file, one in each line.
    fn tasks() -> [DeliveryTask; 6] {
        let delivery = format!("dlv_{:032x}_{:032x}", 1, 2).parse().unwrap();
        let due_at = Timestamp::from_millis(1_700_000_000_000);
        let not_before = Timestamp::from_millis(1_700_000_060_000);
        let second = DeliveryTask::new(delivery, 2, Some(due_at));
        [
            DeliveryTask::first(delivery),
            second,
            second.deferred_by(Deferral::CircuitBreaker),
            second.deferred_by(Deferral::Limiter(Reservation {
                not_before,
                limiter: LimiterKind::Subscription,
                version: 0,
            })),
            second.deferred_by(Deferral::Limiter(Reservation {
                not_before,
                limiter: LimiterKind::Customer,
                version: 3,
            })),
            second.on(QueueKind::Slow),
        ]
    }

    #[test]
    fn messages_of_this_and_the_previous_version_are_read() {
        let versions: Vec<_> = WRITTEN.iter().map(|(version, _)| *version).collect();
        let before = VERSION.saturating_sub(1).max(1);
        assert_eq!(versions, (before..=VERSION).collect::<Vec<_>>());
        for (version, text) in WRITTEN {
            let read: Vec<_> = text.lines().map(|line| decode(line).unwrap()).collect();
            assert_eq!(read, tasks(), "version {version}");
        }
    }

    #[test]
    fn the_written_form_of_a_version_never_changes() {
        let written: String = tasks().iter().map(|task| encode(task) + "\n").collect();
        assert_eq!(WRITTEN.last().unwrap(), &(VERSION, written.as_str()));
    }

    proptest! {
        #[test]
        fn decode_is_the_inverse_of_encode(
            ids: (u128, u128), attempt: u32, due_at: Option<i64>, reservation: Option<(i64, u64)>, of_customer: bool, circuit_breaker_open: bool, slow: bool,
        ) {
            let delivery = format!("dlv_{:032x}_{:032x}", ids.0, ids.1).parse().unwrap();
            let time = Timestamp::from_millis;
            let deferral = reservation.map(|(at, version)| {
                Deferral::Limiter(Reservation {
                    not_before: time(at),
                    limiter: if of_customer { LimiterKind::Customer } else { LimiterKind::Subscription },
                    version,
                })
            });
            let task = DeliveryTask {
                deferral: deferral.or_else(|| circuit_breaker_open.then_some(Deferral::CircuitBreaker)),
                queue: if slow { QueueKind::Slow } else { QueueKind::Fast },
                ..DeliveryTask::new(delivery, attempt, due_at.map(time))
            };
            prop_assert_eq!(decode(&encode(&task)).unwrap(), task);
        }
    }
}
