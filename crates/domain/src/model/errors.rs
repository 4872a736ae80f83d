//! The error names that leave the functions.
//!
//! The state machine's `ErrorEquals` and the failed-events queue use these words, all but
//! [`SWEEP_FAILED`]; a test holds the definition against the lists below.

/// The event has no customer id where the stack looks for one.
pub const MISSING_CUSTOMER_ID: &str = "MissingCustomerId";
/// The event has no `detail-type`.
pub const MISSING_EVENT_TYPE: &str = "MissingEventType";
/// The event's `detail` is absent or not a JSON object.
pub const DETAIL_NOT_AN_OBJECT: &str = "DetailNotAnObject";
/// Something else is wrong with the event; the message names the field.
pub const INVALID_EVENT: &str = "InvalidEvent";
/// The event is larger than the workflow can carry.
pub const EVENT_TOO_LARGE: &str = "EventTooLarge";
/// The input is neither an event nor what the workflow passes on.
pub const INVALID_INPUT: &str = "InvalidInput";
/// The table did not answer; trying again may help.
pub const STORE_UNAVAILABLE: &str = "StoreUnavailable";
/// An item in the table cannot be read; trying again will not help.
pub const CORRUPT_ITEM: &str = "CorruptItem";
/// A part of the `due` index was not swept; the next sweep tries again. Not of the state
/// machine: the schedule starts the sweep, and nobody catches its error.
pub const SWEEP_FAILED: &str = "SweepFailed";

/// The error names that the workflows try again: we failed, and may not the next time. Every
/// other name of a function of ours is permanent, and no workflow tries it again.
pub const TRIED_AGAIN: &[&str] = &[STORE_UNAVAILABLE];

/// Every error name of `look-up-subscriptions`.
pub const LOOK_UP_SUBSCRIPTIONS: &[&str] = &[
    MISSING_CUSTOMER_ID,
    MISSING_EVENT_TYPE,
    DETAIL_NOT_AN_OBJECT,
    INVALID_EVENT,
    EVENT_TOO_LARGE,
    INVALID_INPUT,
    STORE_UNAVAILABLE,
    CORRUPT_ITEM,
];

/// Every error name of `recover-deliveries`.
pub const RECOVER_DELIVERIES: &[&str] = &[INVALID_INPUT, STORE_UNAVAILABLE, CORRUPT_ITEM];

/// Every error name of `prepare-calls`.
pub const PREPARE_CALLS: &[&str] = &[INVALID_INPUT];
