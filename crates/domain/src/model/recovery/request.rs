//! A request for a recovery.

use super::{Range, Rate, RecoveryKind};
use crate::fields::FieldError;
use crate::timestamp::Timestamp;

/// The content of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveryRequest {
    /// The list to read.
    pub kind: RecoveryKind,
    /// `since` and `until`
    pub range: Range,
    /// `perSecond`
    pub per_second: Rate,
    /// `dryRun`
    pub requested: Requested,
}

/// The purpose of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requested {
    /// To run the recovery.
    Run,
    /// Only to count what there is to do.
    Count,
}

impl RecoveryRequest {
    /// A request with the default rate. Its range ends now, or at `until` if that is earlier.
    ///
    /// # Errors
    /// When the range is empty.
    pub fn new(
        kind: RecoveryKind,
        since: Timestamp,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Self, FieldError> {
        let until = until.map_or(now, |until| until.min(now));
        if since >= until {
            let problem = format!("must be before `until`, {until}");
            return Err(FieldError::new("since", problem));
        }
        Ok(Self {
            kind,
            range: Range { since, until },
            per_second: Rate::default(),
            requested: Requested::Run,
        })
    }
}
