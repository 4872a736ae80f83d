//! Counts the deliveries that a recovery would send.

use std::time::Duration;

use super::page::{Found, PART, find, look_at};
use super::select::Selection;
use crate::due::{LongestQueueDelay, NextAttempt};
use crate::ports::{Clock, DeliveryReader, Directory, StoreError};
use crate::recovery::Recovery;
use crate::subscription::Subscription;

/// The number of deliveries that a recovery would send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The number of deliveries.
    pub count: u64,
    /// True if this is the whole number. False if the budget was used up before.
    pub complete: bool,
}

/// The effort of counting, after which the number is incomplete.
#[derive(Debug, Clone, Copy)]
pub struct CountBudget {
    /// The longest time.
    pub time: Duration,
    /// The largest number of entries, rounded up to whole reads. Each costs about a read unit.
    pub entries: u64,
}

/// Counts the deliveries that a recovery would send.
pub(super) async fn count(
    table: &(impl DeliveryReader + Directory),
    clock: &impl Clock,
    recovery: &Recovery,
    subscription: &Subscription,
    budget: CountBudget,
) -> Result<Count, StoreError> {
    let selection = Selection {
        kind: recovery.kind,
        subscription,
        links: None,
    };
    let end = recovery.started_at + budget.time;
    let (mut count, mut looked_at, mut place) = (0, 0, None);
    while clock.now() < end && looked_at < budget.entries {
        let now = clock.now();
        let page = find(table, recovery, place, PART).await?;
        let (findings, _) = look_at(table, selection, &page.entries, now).await?;
        let next = NextAttempt::plan(now, now, LongestQueueDelay::MAX);
        let sent = findings.iter().filter(|finding| finding.is_sent(&next));
        count += sent.count() as u64;
        looked_at += page.entries.len() as u64;
        place = page.entries.last().map(Found::place).or(place);
        if !page.has_more {
            return Ok(Count {
                count,
                complete: true,
            });
        }
    }
    Ok(Count {
        count,
        complete: false,
    })
}
