//! Recoveries and replays.

use webhooks_api_types as api;
use webhooks_domain::fields::FieldError;
use webhooks_domain::recovery::{
    Rate, RecoveryKind, RecoveryRequest, Requested, UndeliveredStatus, UndeliveredStatuses,
};
use webhooks_domain::timestamp::Timestamp;

use super::parsed;

/// Converts a request to a recovery of deliveries.
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn recover(
    request: api::Recover,
    now: Timestamp,
) -> Result<RecoveryRequest, FieldError> {
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
pub(crate) fn replay(request: api::Replay, now: Timestamp) -> Result<RecoveryRequest, FieldError> {
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::body;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn recover(body: &str) -> Result<RecoveryRequest, FieldError> {
        super::recover(body::read(body.as_bytes())?, NOW)
    }

    fn replay(body: &str) -> Result<RecoveryRequest, FieldError> {
        super::replay(body::read(body.as_bytes())?, NOW)
    }

    #[test]
    fn every_absent_field_has_a_default() {
        let request = recover(r#"{"since":"2023-11-14T00:00:00Z"}"#).unwrap();
        assert_eq!(
            request.kind,
            RecoveryKind::Recover(UndeliveredStatuses::Both)
        );
        assert_eq!(request.range.until, NOW);
        assert_eq!(request.per_second.get(), 10);
        assert_eq!(request.requested, Requested::Run);
    }

    #[test]
    fn every_field_is_read() {
        let request = recover(
            r#"{"since":"2023-11-14T00:00:00Z","until":"2023-11-14T12:00:00+01:00",
            "statuses":["held"],"perSecond":100,"dryRun":true}"#,
        )
        .unwrap();
        let held = UndeliveredStatuses::Only(UndeliveredStatus::Held);
        assert_eq!(request.kind, RecoveryKind::Recover(held));
        let length = request.range.until.since(request.range.since);
        assert_eq!(length, Duration::from_hours(11));
        assert_eq!(request.per_second.get(), 100);
        assert_eq!(request.requested, Requested::Count);
    }

    #[test]
    fn a_whole_rate_may_be_written_with_a_point() {
        let rate = |number| {
            let body = format!(r#"{{"since":"2023-11-14T00:00:00Z","perSecond":{number}}}"#);
            recover(&body).map(|request| request.per_second.get())
        };
        assert_eq!(rate("20.0"), Ok(20));
        assert!(rate("0.5").unwrap_err().problem.contains("whole number"));
    }

    #[test]
    fn a_plus_that_became_a_space_is_named() {
        let refused = recover(r#"{"since":"2023-11-14T00:00:00 01:00"}"#).unwrap_err();
        assert_eq!(refused.field, "since");
        assert!(refused.problem.contains("%2B"), "{refused}");
    }

    #[test]
    fn the_range_ends_now_at_the_latest() {
        let request = recover(r#"{"since":"2023-11-14T00:00:00Z","until":"2030-01-01T00:00:00Z"}"#);
        assert_eq!(request.unwrap().range.until, NOW);
    }

    #[test]
    fn every_bad_input_names_its_field() {
        for (fields, field) in [
            (r"", "since"),
            (r#""since":"yesterday""#, "since"),
            (r#""since":1700000000"#, "since"),
            (r#""since":"2030-01-01T00:00:00Z""#, "since"),
            (
                r#""since":"2023-11-14T00:00:00Z","until":"2023-11-14T00:00:00Z""#,
                "since",
            ),
            (r#""since":"2023-11-14T00:00:00Z","until":null"#, "until"),
            (
                r#""since":"2023-11-14T00:00:00Z","statuses":[]"#,
                "statuses",
            ),
            (
                r#""since":"2023-11-14T00:00:00Z","statuses":["failed","failed"]"#,
                "statuses",
            ),
            (
                r#""since":"2023-11-14T00:00:00Z","statuses":["succeeded"]"#,
                "statuses",
            ),
            (
                r#""since":"2023-11-14T00:00:00Z","statuses":"failed""#,
                "statuses",
            ),
            (
                r#""since":"2023-11-14T00:00:00Z","perSecond":0"#,
                "perSecond",
            ),
            (
                r#""since":"2023-11-14T00:00:00Z","perSecond":101"#,
                "perSecond",
            ),
            (
                r#""since":"2023-11-14T00:00:00Z","perSecond":1.5"#,
                "perSecond",
            ),
            (r#""since":"2023-11-14T00:00:00Z","dryRun":"yes""#, "dryRun"),
            (r#""since":"2023-11-14T00:00:00Z","rate":1"#, "rate"),
        ] {
            let body = format!("{{{fields}}}");
            assert_eq!(recover(&body).unwrap_err().field, field, "{body}");
        }
        let replay = replay(r#"{"statuses":["held"]}"#);
        assert_eq!(replay.unwrap_err().field, "statuses");
        assert_eq!(recover("[]").unwrap_err().field, "body");
    }
}
