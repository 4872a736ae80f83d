//! Requests that the API and the portal take, in the domain's types. An error names the field.

use std::fmt::Display;

use webhooks_api_types as api;
use webhooks_domain::fields::FieldError;
use webhooks_domain::recovery::{
    Rate, RecoveryKind, RecoveryRequest, Requested, UndeliveredStatus, UndeliveredStatuses,
};
use webhooks_domain::timestamp::Timestamp;

/// Converts a request to a recovery of deliveries.
///
/// # Errors
/// The first field that is not valid.
pub fn recover(request: api::Recover, now: Timestamp) -> Result<RecoveryRequest, FieldError> {
    let statuses = parsed("statuses", request.statuses, |statuses| {
        let statuses: Vec<_> = statuses.into_iter().map(undelivered_status).collect();
        let problem = "must be a list of `failed`, `held` or both";
        UndeliveredStatuses::from_list(&statuses).ok_or(problem)
    })?;
    let replay = api::Replay {
        since: request.since,
        until: request.until,
        per_second: request.per_second,
        dry_run: request.dry_run,
    };
    let kind = RecoveryKind::Recover(statuses.unwrap_or(UndeliveredStatuses::Both));
    recovery(kind, replay, now)
}

/// Converts a request to a replay of messages.
///
/// # Errors
/// The first field that is not valid.
pub fn replay(request: api::Replay, now: Timestamp) -> Result<RecoveryRequest, FieldError> {
    recovery(RecoveryKind::Replay, request, now)
}

fn recovery(
    kind: RecoveryKind,
    request: api::Replay,
    now: Timestamp,
) -> Result<RecoveryRequest, FieldError> {
    let time = |text: String| Timestamp::read(&text);
    let since = parsed("since", Some(request.since), time)?;
    let until = parsed("until", request.until, time)?;
    let per_second = parsed("perSecond", request.per_second, |number| {
        let problem = format!("must be a whole number, 1 to {}", Rate::MAX);
        Rate::per_second(number.0).ok_or(problem)
    })?;
    let requested = if request.dry_run {
        Requested::Count
    } else {
        Requested::Run
    };
    Ok(RecoveryRequest {
        per_second: per_second.unwrap_or_default(),
        requested,
        ..RecoveryRequest::new(kind, since.unwrap_or(now), until, now)?
    })
}

fn undelivered_status(status: api::UndeliveredStatus) -> UndeliveredStatus {
    match status {
        api::UndeliveredStatus::Failed => UndeliveredStatus::Failed,
        api::UndeliveredStatus::Held => UndeliveredStatus::Held,
    }
}

/// A field that may be absent.
///
/// # Errors
/// If its value is not valid.
pub fn parsed<A, T, E: Display>(
    field: &str,
    value: Option<A>,
    parse: impl FnOnce(A) -> Result<T, E>,
) -> Result<Option<T>, FieldError> {
    let parsed = value.map(parse).transpose();
    parsed.map_err(|error| FieldError::new(field, error))
}
