//! The problems of an unhealthy subscription.

use super::{Subscription, SubscriptionStatus};
use crate::ids::{CustomerId, SubscriptionId};
use crate::timestamp::Timestamp;

/// A kind of problem, the most serious first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// The system has disabled it.
    Disabled,
    /// The circuit breaker of its endpoint is not closed.
    CircuitOpen,
    /// Every attempt fails.
    Failing,
    /// Attempts take so long that they go through the slow queue.
    Slow,
    /// Deliveries are held because the endpoint is unavailable, or a recovery is about to send them.
    Holding,
}

/// A problem of a subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscriptionProblem {
    /// Its kind.
    pub kind: ProblemKind,
    /// The time since which the subscription has it.
    pub since: Timestamp,
}

/// A place in the list of all unhealthy subscriptions, which is in the order of their creation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnhealthyPlace {
    /// The time at which the subscription was created.
    pub created_at: Timestamp,
    /// Its customer.
    pub customer: CustomerId,
    /// The subscription.
    pub subscription: SubscriptionId,
}

impl Subscription {
    /// Its problems, the most serious first. Empty if it is healthy.
    pub fn problems(&self) -> Vec<SubscriptionProblem> {
        let health = &self.health;
        let disabled = (self.status == SubscriptionStatus::Disabled).then(|| {
            self.disabled
                .map_or(self.updated_at, |disabled| disabled.at)
        });
        let problems = [
            (ProblemKind::Disabled, disabled),
            (
                ProblemKind::CircuitOpen,
                health.circuit.map(|open| open.since),
            ),
            (ProblemKind::Failing, health.failing_since),
            (ProblemKind::Slow, health.slow_since),
            (ProblemKind::Holding, health.hold.map(|hold| hold.since)),
        ];
        problems
            .into_iter()
            .filter_map(|(kind, since)| {
                Some(SubscriptionProblem {
                    kind,
                    since: since?,
                })
            })
            .collect()
    }

    /// Returns true if it has a problem.
    pub fn is_unhealthy(&self) -> bool {
        !self.problems().is_empty()
    }

    /// Its place in the list of unhealthy subscriptions.
    pub fn unhealthy_place(&self) -> UnhealthyPlace {
        UnhealthyPlace {
            created_at: self.created_at,
            customer: self.customer_id.clone(),
            subscription: self.id,
        }
    }
}
