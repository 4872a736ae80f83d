//! The body of a request for a recovery.

use super::{Range, Rate, RecoveryKind, UndeliveredStatuses};
use crate::fields::{Field, FieldError, fields};
use crate::timestamp::Timestamp;
use crate::whole_number::WholeNumber;

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
    /// Parses the JSON body of a `recover`.
    ///
    /// # Errors
    /// Names the first field that is unknown or not valid.
    pub fn recover(body: &[u8], now: Timestamp) -> Result<Self, FieldError> {
        let known = "since, until, statuses, perSecond, dryRun";
        Self::parse(
            body,
            RecoveryKind::Recover(UndeliveredStatuses::Both),
            known,
            now,
        )
    }

    /// Parses the JSON body of a `replay`.
    ///
    /// # Errors
    /// Names the first field that is unknown or not valid.
    pub fn replay(body: &[u8], now: Timestamp) -> Result<Self, FieldError> {
        let known = "since, until, perSecond, dryRun";
        Self::parse(body, RecoveryKind::Replay, known, now)
    }

    /// Deliveries later than now are not in the range.
    fn parse(
        body: &[u8],
        mut kind: RecoveryKind,
        known: &str,
        now: Timestamp,
    ) -> Result<Self, FieldError> {
        let (mut since, mut until) = (None, now);
        let (mut per_second, mut requested) = (Rate::default(), Requested::Run);
        for (name, value) in &fields(body)? {
            let value = Field::new(name, value);
            match (name.as_str(), &mut kind) {
                ("since", _) => since = Some(value.time()?),
                ("until", _) => until = value.time()?.min(now),
                ("statuses", RecoveryKind::Recover(statuses)) => *statuses = value.statuses()?,
                ("perSecond", _) => per_second = value.rate()?,
                ("dryRun", _) => requested = value.requested()?,
                _ => return Err(value.unknown(known)),
            }
        }
        let since = since.ok_or(FieldError::required("since"))?;
        if since >= until {
            let problem = format!("must be before `until`, {until}");
            return Err(FieldError::new("since", problem));
        }
        Ok(Self {
            kind,
            range: Range { since, until },
            per_second,
            requested,
        })
    }
}

impl Field<'_> {
    fn time(&self) -> Result<Timestamp, FieldError> {
        let text = self.text()?;
        Timestamp::read(&text).map_err(|error| self.error(error))
    }

    fn statuses(&self) -> Result<UndeliveredStatuses, FieldError> {
        let list = self.read::<Vec<_>>().ok();
        let statuses = list.and_then(|list| UndeliveredStatuses::from_list(&list));
        statuses.ok_or_else(|| self.error("must be a list of `failed`, `held` or both"))
    }

    fn rate(&self) -> Result<Rate, FieldError> {
        let number = self.read().ok().map(|WholeNumber(number)| number);
        let rate = number.and_then(Rate::per_second);
        let problem = || self.error(format!("must be a whole number, 1 to {}", Rate::MAX));
        rate.ok_or_else(problem)
    }

    fn requested(&self) -> Result<Requested, FieldError> {
        match self.read() {
            Ok(true) => Ok(Requested::Count),
            Ok(false) => Ok(Requested::Run),
            Err(_) => Err(self.error("must be true or false")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recovery::UndeliveredStatus;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn recover(body: &str) -> Result<RecoveryRequest, FieldError> {
        RecoveryRequest::recover(body.as_bytes(), NOW)
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
        let replay = RecoveryRequest::replay(br#"{"statuses":["held"]}"#, NOW);
        assert_eq!(replay.unwrap_err().field, "statuses");
        assert_eq!(recover("[]").unwrap_err().field, "body");
    }
}
