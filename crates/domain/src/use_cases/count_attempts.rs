//! Counts the attempts of a batch, after they are recorded.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use crate::deliver::{Recorded, Report};
use crate::delivery::DeliveryTrigger;
use crate::ids::{DeliveryId, SubscriptionId};
use crate::ports::{StatisticsTable, StoreError};
use crate::statistics::{Hour, Statistics};

/// The attempts of a batch, by subscription and hour. Each entry is one write.
#[derive(Debug, Default)]
pub struct CountedAttempts(BTreeMap<(SubscriptionId, Hour), Statistics>);

/// Some statistics could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{attempts} attempts were not counted")]
pub struct NotCounted {
    /// The number of attempts that the statistics lack.
    pub attempts: u64,
    /// The first failure.
    pub source: StoreError,
}

impl CountedAttempts {
    /// Adds the attempt of a processed queue message, if it was recorded. An attempt that was not
    /// recorded is repeated. A test is not counted.
    pub fn add(&mut self, delivery: &DeliveryId, report: &Report) {
        let Report::Attempted {
            attempt,
            recorded: Recorded::Written,
            summary,
            ..
        } = report
        else {
            return;
        };
        let statistics = Statistics::of(delivery, attempt);
        if summary.trigger == DeliveryTrigger::Test || statistics.is_empty() {
            return;
        }
        let key = (delivery.subscription, Hour::of(attempt.at));
        *self.0.entry(key).or_default() += &statistics;
    }

    /// The number of attempts, each with its weight.
    pub fn attempts(&self) -> u64 {
        self.0.values().map(Statistics::attempts).sum()
    }

    /// Writes the counts concurrently. A failure of one does not affect the others.
    ///
    /// # Errors
    /// If some could not be written. Nothing depends on them.
    pub async fn write(&self, table: &impl StatisticsTable) -> Result<(), NotCounted> {
        let writes = self.0.iter().map(async |((subscription, hour), counted)| {
            let written = table.add_statistics(subscription, *hour, counted).await;
            written.map_err(|source| NotCounted {
                attempts: counted.attempts(),
                source,
            })
        });
        let failures = join_all(writes).await.into_iter().filter_map(Result::err);
        let all = failures.reduce(|first, next| NotCounted {
            attempts: first.attempts + next.attempts,
            ..first
        });
        all.map_or(Ok(()), Err)
    }
}
