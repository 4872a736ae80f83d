//! The limits of the stack for new values.

use std::time::Duration;

use crate::fields::FieldError;
use crate::manage::{Change, Manage, SubscriptionChange};
use crate::outbound::RequestTimeout;
use crate::retry::RetryPolicy;

impl<T, V, C> Manage<T, V, C> {
    /// Checks new values against the limits of the stack.
    ///
    /// Stored values are not checked again. They may exceed limits that the operator has lowered
    /// since. Then the stack's timeout applies, deliveries may end as expired, and changes of other
    /// fields are still accepted.
    pub(super) fn check_bounds(&self, change: &SubscriptionChange) -> Result<(), FieldError> {
        if let Change::Set(timeout) = &change.timeout {
            self.check_timeout(*timeout)?;
        }
        if let Change::Set(policy) = &change.retry_policy {
            self.check_retry_policy(policy)?;
        }
        Ok(())
    }

    /// Refuses a policy whose deliveries could end after the table has deleted them.
    fn check_retry_policy(&self, policy: &RetryPolicy) -> Result<(), FieldError> {
        if policy.longest_run() <= self.retention {
            return Ok(());
        }
        let days = |duration: Duration| duration.as_secs().div_ceil(86_400);
        let problem = format!(
            "a delivery could be pending for {} days, and the stack keeps it for {}",
            days(policy.longest_run()),
            days(self.retention),
        );
        Err(FieldError::new("retryPolicy", problem))
    }

    /// Refuses a timeout for which the delivering function has no time.
    fn check_timeout(&self, timeout: RequestTimeout) -> Result<(), FieldError> {
        let longest = self.request_timeout;
        if timeout <= longest {
            return Ok(());
        }
        let problem =
            format!("must be at most {longest}, the stack's RequestTimeoutSeconds, is {timeout}");
        Err(FieldError::new("timeoutSeconds", problem))
    }
}
