//! Recoveries and replays.

pub(crate) use webhooks_wire::requests::{recover, replay};

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use webhooks_domain::fields::FieldError;
    use webhooks_domain::recovery::{
        RecoveryKind, RecoveryRequest, Requested, UndeliveredStatus, UndeliveredStatuses,
    };
    use webhooks_domain::timestamp::Timestamp;

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
