//! How much a recovery would send.

use super::page::{Found, PART, find, look_at};
use super::select::Selection;
use crate::due::{LongestQueueDelay, NextAttempt};
use crate::ports::{Clock, DeliveryDirectory, MessageDirectory, RecoverySource, StoreError};
use crate::recovery::Recovery;
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;

/// How much a recovery would send now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Deliveries.
    pub count: u64,
    /// Whether that is all, or what could be counted in time.
    pub complete: bool,
}

/// Counts what a recovery would send, and begins nothing after `end`.
pub(super) async fn count(
    table: &(impl RecoverySource + DeliveryDirectory + MessageDirectory),
    clock: &impl Clock,
    recovery: &Recovery,
    subscription: &Subscription,
    end: Timestamp,
) -> Result<Count, StoreError> {
    let selection = Selection {
        kind: recovery.kind,
        subscription,
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
