//! The allowance of a customer's sessions: a number of actions for each day, and at most one test
//! and one start of a recovery at the same time.
//!
//! All sessions of a customer share it, so that another link gives no more. One conditional write
//! takes an action from the allowance before it is done. An action that then fails or is refused
//! has been taken too: it may have caused the same requests and reads.
//!
//! The allowance protects the account and strangers from customers. It is no rule of the API: what
//! the operator's own backend and support staff do is not limited.

use std::time::Duration;

use crate::ids::CustomerId;
use crate::portal_session::{DailyLimits, LimitedAction, UtcDay};
use crate::ports::{Clock, PortalUsageTable, StoreError, TakeOutcome, Taking};
use crate::timestamp::Timestamp;

/// The time in which a started recovery is certain to be in the list of recoveries.
const TIME_TO_START: Duration = Duration::from_secs(15);

/// The reason why an action is refused for now.
#[derive(Debug, thiserror::Error)]
pub enum AllowanceError {
    /// The limit of the day is reached.
    #[error(
        "{action}: at most {max} for each customer and day, and these are used; there are more from {resets_at}"
    )]
    UsedUp {
        /// The action.
        action: LimitedAction,
        /// The limit.
        max: u32,
        /// The beginning of the next day.
        resets_at: Timestamp,
    },
    /// The customer does one already.
    #[error(
        "{action}: at most one at the same time for each customer, and one runs; try again at {free_at} at the latest"
    )]
    Busy {
        /// The action.
        action: LimitedAction,
        /// The end of the other one at the latest.
        free_at: Timestamp,
    },
    /// The table failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl AllowanceError {
    /// The time at which the action is possible again. `None` if the table failed.
    pub const fn retry_at(&self) -> Option<Timestamp> {
        match self {
            Self::UsedUp { resets_at, .. } => Some(*resets_at),
            Self::Busy { free_at, .. } => Some(*free_at),
            Self::Store(_) => None,
        }
    }
}

/// An action that was taken from the allowance of a customer.
#[derive(Debug)]
#[must_use]
pub struct Taken {
    day: UtcDay,
    action: LimitedAction,
    exclusive_until: Option<Timestamp>,
}

/// The allowance, with its ports.
#[derive(Debug)]
pub struct PortalAllowance<T, C> {
    /// The usage of each day.
    pub table: T,
    /// Tells the time.
    pub clock: C,
    /// The limits of a day.
    pub limits: DailyLimits,
    /// The longest time that a test takes.
    pub time_of_test: Duration,
}

impl<T: PortalUsageTable, C: Clock> PortalAllowance<T, C> {
    /// Takes an action from the allowance of a customer, before it is done.
    pub async fn take(
        &self,
        customer: &CustomerId,
        action: LimitedAction,
    ) -> Result<Taken, AllowanceError> {
        let now = self.clock.now();
        let (day, max) = (UtcDay::of(now), self.limits.of(action));
        let used_up = || AllowanceError::UsedUp {
            action,
            max,
            resets_at: day.end(),
        };
        if max == 0 {
            return Err(used_up());
        }
        let exclusive_until = self.exclusive_for(action).map(|time| now + time);
        let taking = Taking {
            day,
            action,
            max,
            now,
            exclusive_until,
        };
        match self.table.take(customer, &taking).await? {
            TakeOutcome::Taken => Ok(Taken {
                day,
                action,
                exclusive_until,
            }),
            TakeOutcome::UsedUp => Err(used_up()),
            TakeOutcome::Busy { until } => Err(AllowanceError::Busy {
                action,
                free_at: until,
            }),
        }
    }

    /// Permits an action of support staff, which is taken from no allowance.
    pub fn exempt(&self, action: LimitedAction) -> Taken {
        Taken {
            day: UtcDay::of(self.clock.now()),
            action,
            exclusive_until: None,
        }
    }

    /// Permits the next test of a customer, because this one is over. Otherwise the next one waits
    /// until this one is over at the latest.
    pub async fn finish(&self, customer: &CustomerId, taken: &Taken) -> Result<(), StoreError> {
        let Some(until) = taken.exclusive_until else {
            return Ok(());
        };
        self.table
            .release(customer, taken.day, taken.action, until)
            .await
    }

    /// The time for which a customer does no other action of this kind.
    fn exclusive_for(&self, action: LimitedAction) -> Option<Duration> {
        match action {
            LimitedAction::Test => Some(self.time_of_test),
            LimitedAction::Recovery => Some(TIME_TO_START),
            LimitedAction::NewEndpoint | LimitedAction::Resend | LimitedAction::Count => None,
        }
    }
}
