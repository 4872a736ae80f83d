//! The error names of the functions.
//!
//! The state machine's `ErrorEquals` and the failed-events queue use these names, except
//! [`SWEEP_FAILED`], [`DELETION_FAILED`] and [`SESSION_NOT_FOUND`]. A test compares the definition with the lists below.

/// The event has no customer id at the stack's pointer.
pub const MISSING_CUSTOMER_ID: &str = "MissingCustomerId";
/// The event has no `detail-type`.
pub const MISSING_EVENT_TYPE: &str = "MissingEventType";
/// The event's `detail` is absent or not a JSON object.
pub const DETAIL_NOT_AN_OBJECT: &str = "DetailNotAnObject";
/// Another field of the event is not valid; the message names it.
pub const INVALID_EVENT: &str = "InvalidEvent";
/// The event is larger than the workflow can carry.
pub const EVENT_TOO_LARGE: &str = "EventTooLarge";
/// The event does not match the schema of its type, which refuses such events.
pub const SCHEMA_VIOLATION: &str = "SchemaViolation";
/// The event could not be checked by the schema of its type, which refuses such events.
pub const EVENT_NOT_CHECKED: &str = "EventNotChecked";
/// The check of the event could not be started, because the function has no memory or no thread for
/// it. A retry may help.
pub const CHECK_NOT_STARTED: &str = "CheckNotStarted";
/// The input is neither an event nor a value that the workflow passes on.
pub const INVALID_INPUT: &str = "InvalidInput";
/// The table did not answer. A retry may help.
pub const STORE_UNAVAILABLE: &str = "StoreUnavailable";
/// An item in the table cannot be read. A retry does not help.
pub const CORRUPT_ITEM: &str = "CorruptItem";
/// A part of the `due` index was not swept. The next sweep tries again. The state machine does not
/// use it, because the schedule starts the sweep, and nothing catches its error.
pub const SWEEP_FAILED: &str = "SweepFailed";

/// The data of a customer was not deleted. The next run tries again. The schedule starts it, as
/// with [`SWEEP_FAILED`].
pub const DELETION_FAILED: &str = "DeletionFailed";

/// There is no such session of the console, or it has ended. The caller of `console-sessions` gets it.
pub const SESSION_NOT_FOUND: &str = "SessionNotFound";

/// The error names that the workflows retry, because our own failure may be temporary. Every other
/// error of our functions is permanent, and no workflow retries it.
pub const TRIED_AGAIN: &[&str] = &[STORE_UNAVAILABLE, CHECK_NOT_STARTED];

/// Every error name of `look-up-subscriptions`.
pub const LOOK_UP_SUBSCRIPTIONS: &[&str] = &[
    MISSING_CUSTOMER_ID,
    MISSING_EVENT_TYPE,
    DETAIL_NOT_AN_OBJECT,
    INVALID_EVENT,
    EVENT_TOO_LARGE,
    SCHEMA_VIOLATION,
    EVENT_NOT_CHECKED,
    CHECK_NOT_STARTED,
    INVALID_INPUT,
    STORE_UNAVAILABLE,
    CORRUPT_ITEM,
];

/// Every error name of `recover-deliveries`.
pub const RECOVER_DELIVERIES: &[&str] = &[INVALID_INPUT, STORE_UNAVAILABLE, CORRUPT_ITEM];

/// Every error name of `prepare-calls`.
pub const PREPARE_CALLS: &[&str] = &[INVALID_INPUT, INVALID_EVENT];
