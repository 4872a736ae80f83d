//! The machine's clock.

use std::time::SystemTime;

use webhooks_domain::timestamp::Timestamp;

/// Now.
pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}
