//! Counts the deliveries that a recovery would send.

use super::page::{Found, PART, find, look_at};
use super::select::Selection;
use crate::due::{LongestQueueDelay, NextAttempt};
use crate::ports::{Clock, DeliveryReader, Directory, StoreError};
use crate::recovery::Recovery;
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;

/// The number of deliveries that a recovery would send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The number of deliveries.
    pub count: u64,
    /// True if this is the whole number. False if the time was over before.
    pub complete: bool,
}

/// Counts the deliveries that a recovery would send. No read begins after `end`.
pub(super) async fn count(
    table: &(impl DeliveryReader + Directory),
    clock: &impl Clock,
    recovery: &Recovery,
    subscription: &Subscription,
    end: Timestamp,
) -> Result<Count, StoreError> {
    let selection = Selection {
        kind: recovery.kind,
        subscription,
        links: None,
    };
    let (mut count, mut place) = (0, None);
    while clock.now() < end {
        let now = clock.now();
        let page = find(table, recovery, place, PART).await?;
        let (findings, _) = look_at(table, selection, &page.entries, now).await?;
        let next = NextAttempt::plan(now, now, LongestQueueDelay::MAX);
        let sent = findings.iter().filter(|finding| finding.is_sent(&next));
        count += sent.count() as u64;
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
