//! The machine's clock.

use std::time::SystemTime;

use lambda_runtime::Context;
use webhooks_domain::ports::Clock;
use webhooks_domain::timestamp::Timestamp;

/// Returns the machine's time.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks the machine"
    )]
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
}

/// Returns the time at which Lambda ends the invocation.
pub fn end_of_invocation(context: &Context) -> Timestamp {
    Timestamp::from_millis(i64::try_from(context.deadline).unwrap_or(i64::MAX))
}
