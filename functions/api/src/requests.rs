//! Requests in the domain's types. An error names the field.

use std::fmt::Display;

use webhooks_api_types as api;
use webhooks_domain::customer::CustomerName;
use webhooks_domain::customers::{CustomerChange, CustomerFields};
use webhooks_domain::event_type::{EventType, EventTypePattern, EventTypePatterns};
use webhooks_domain::fields::FieldError;
use webhooks_domain::filter::Filter;
use webhooks_domain::manage::{Change, MapChange, NewSecret, Rotation, SubscriptionChange};
use webhooks_domain::metadata::Metadata;
use webhooks_domain::outbound::{DevelopmentNetworks, EndpointUrl, RequestTimeout};
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::recovery::{
    HeldFate, Rate, RecoveryKind, RecoveryRequest, Requested, UndeliveredStatus,
    UndeliveredStatuses,
};
use webhooks_domain::retry::{RetryPolicy, RetryPolicyError};
use webhooks_domain::signing::{Overlap, SecretKind};
use webhooks_domain::subscription::{Description, SubscriptionStatus};
use webhooks_domain::timestamp::Timestamp;

/// Converts a request to a change of a subscription.
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn subscription_change(
    patch: api::SubscriptionPatch,
    development: &DevelopmentNetworks,
) -> Result<SubscriptionChange, FieldError> {
    let whole = |api::WholeNumber(number)| u64::from(number);
    let timeout = |number| RequestTimeout::try_from(whole(number));
    let status = patch.status.map(|status| match status {
        api::WantedStatus::Active => SubscriptionStatus::Active,
        api::WantedStatus::Paused => SubscriptionStatus::Paused,
    });
    Ok(SubscriptionChange {
        url: parsed("url", patch.url, |url| {
            EndpointUrl::parse(&url, development)
        })?,
        event_types: parsed("eventTypes", patch.event_types, |types| {
            let patterns = types.into_iter().map(EventTypePattern::try_from);
            EventTypePatterns::try_from(patterns.collect::<Result<Vec<_>, _>>()?)
        })?,
        filter: change("filter", patch.filter, |filter| {
            Filter::parse(filter.as_json())
        })?,
        payload_format: patch.payload_format.map(payload_format),
        timeout: change("timeoutSeconds", patch.timeout_seconds, timeout)?,
        rate_limit: change("rateLimitPerSecond", patch.rate_limit_per_second, |rate| {
            whole(rate).try_into()
        })?,
        max_in_flight: change("maxInFlight", patch.max_in_flight, |most| {
            whole(most).try_into()
        })?,
        metadata: map_change(patch.metadata),
        description: change("description", patch.description, Description::try_from)?,
        headers: map_change(patch.headers),
        retry_policy: change("retryPolicy", patch.retry_policy, retry_policy)?,
        secret: parsed("secret", patch.secret, |secret| secret.parse())?,
        status,
    })
}

/// The fate of the deliveries that were held. `None` if the change does not make the subscription
/// active.
///
/// # Errors
/// If it is given without the status `active`.
pub(crate) fn held(patch: &api::SubscriptionPatch) -> Result<Option<HeldFate>, FieldError> {
    match (patch.status, patch.held) {
        (Some(api::WantedStatus::Active), held) => Ok(Some(held_fate(held))),
        (_, None) => Ok(None),
        (_, Some(_)) => Err(FieldError::new("held", "requires `status`: `active`")),
    }
}

/// The fate of the deliveries that were held.
pub(crate) fn held_fate(held: Option<api::HeldFate>) -> HeldFate {
    match held.unwrap_or_default() {
        api::HeldFate::Send => HeldFate::Send,
        api::HeldFate::Keep => HeldFate::Keep,
        api::HeldFate::Discard => HeldFate::Discard,
    }
}

/// Converts a request to the fields of a customer.
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn customer_fields(request: api::NewCustomer) -> Result<CustomerFields, FieldError> {
    let metadata = parsed("metadata", request.metadata, Metadata::try_from)?;
    Ok(CustomerFields {
        name: parsed("name", request.name, CustomerName::try_from)?,
        metadata: metadata.unwrap_or_default(),
    })
}

/// Converts a request to a change of a customer.
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn customer_change(patch: api::CustomerPatch) -> Result<CustomerChange, FieldError> {
    Ok(CustomerChange {
        name: change("name", patch.name, CustomerName::try_from)?,
        metadata: map_change(patch.metadata),
    })
}

/// Converts a request to a rotation of the secret.
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn rotation(request: api::Rotation) -> Result<Rotation, FieldError> {
    let overlap = parsed("overlapSeconds", request.overlap_seconds, |seconds| {
        let max = Overlap::MAX_SECS;
        Overlap::from_secs(seconds.0.into())
            .ok_or_else(|| format!("must be a whole number of seconds, 0 to {max}"))
    })?;
    let kind = request.kind.map(|kind| match kind {
        api::SecretKind::V1 => SecretKind::V1,
        api::SecretKind::V1a => SecretKind::V1a,
    });
    let secret = parsed("secret", request.secret, |secret| secret.parse())?;
    Ok(Rotation {
        overlap: overlap.unwrap_or_default(),
        new_secret: NewSecret::of(kind, secret)?,
    })
}

/// The type of the event of a test.
///
/// # Errors
/// When it is not valid.
pub(crate) fn test_event_type(request: api::Test) -> Result<EventType, FieldError> {
    let event_type = parsed("eventType", request.event_type, EventType::try_from)?;
    Ok(event_type.unwrap_or_else(EventType::of_a_test))
}

/// Returns true if the filter of a request matches its event.
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn filter_matches(request: &api::FilterTest) -> Result<bool, FieldError> {
    let filter = Filter::parse(request.filter.as_json());
    let matches = filter.and_then(|filter| filter.matches(request.event.detail.get()));
    matches.map_err(|error| FieldError::new("filter", error))
}

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

/// A field that may be absent.
fn parsed<A, T, E: Display>(
    field: &str,
    value: Option<A>,
    parse: impl FnOnce(A) -> Result<T, E>,
) -> Result<Option<T>, FieldError> {
    let parsed = value.map(parse).transpose();
    parsed.map_err(|error| FieldError::new(field, error))
}

/// A field that may be absent or `null`.
fn change<A, T, E: Display>(
    field: &str,
    value: api::Nullable<A>,
    parse: impl FnOnce(A) -> Result<T, E>,
) -> Result<Change<T>, FieldError> {
    match value {
        api::Nullable::Absent => Ok(Change::Keep),
        api::Nullable::Null => Ok(Change::Remove),
        api::Nullable::Value(value) => parse(value)
            .map(Change::Set)
            .map_err(|error| FieldError::new(field, error)),
    }
}

fn map_change(patch: api::Nullable<api::MapPatch>) -> MapChange {
    match patch {
        api::Nullable::Absent => MapChange::default(),
        api::Nullable::Null => MapChange::RemoveAll,
        api::Nullable::Value(changes) => MapChange::Merge(changes),
    }
}

fn payload_format(format: api::PayloadFormat) -> PayloadFormat {
    match format {
        api::PayloadFormat::Standard => PayloadFormat::Standard,
        api::PayloadFormat::Detail => PayloadFormat::Detail,
        api::PayloadFormat::Event => PayloadFormat::Event,
    }
}

fn retry_policy(policy: api::RetryPolicy) -> Result<RetryPolicy, RetryPolicyError> {
    let (policy, jitter) = match policy {
        api::RetryPolicy::Schedule(schedule) => {
            (RetryPolicy::schedule(schedule.schedule)?, schedule.jitter)
        }
        api::RetryPolicy::Backoff(backoff) => {
            let policy = RetryPolicy::backoff(
                backoff.max_attempts,
                backoff.interval_seconds,
                backoff.backoff_rate,
                backoff.max_delay_seconds,
            );
            (policy?, backoff.jitter)
        }
    };
    policy.with_jitter(jitter.unwrap_or(RetryPolicy::DEFAULT_JITTER))
}

fn undelivered_status(status: api::UndeliveredStatus) -> UndeliveredStatus {
    match status {
        api::UndeliveredStatus::Failed => UndeliveredStatus::Failed,
        api::UndeliveredStatus::Held => UndeliveredStatus::Held,
    }
}

#[cfg(test)]
mod tests {
    mod changes {
        use super::super::*;
        use crate::body;

        fn parse(body: &str) -> Result<SubscriptionChange, FieldError> {
            subscription_change(body::read(body.as_bytes())?, &DevelopmentNetworks::none())
        }

        fn test_event_type(body: &[u8]) -> Result<EventType, FieldError> {
            super::super::test_event_type(body::read_or_default(body)?)
        }

        #[test]
        fn every_field_is_read() {
            let change = parse(
            r#"{"url":"https://example.com/hook","eventTypes":["order.*"],"filter":{"total":[{"numeric":[">",123456789012345]}]},
                "payloadFormat":"detail","timeoutSeconds":7,"rateLimitPerSecond":5,"maxInFlight":2,"metadata":{"plan":"gold"},
                "description":"d","headers":{"x-team":"a"},"secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw","status":"paused"}"#,
        )
        .unwrap();
            assert_eq!(change.url.unwrap().as_str(), "https://example.com/hook");
            assert!(
                matches!(&change.filter, Change::Set(filter) if filter.as_str().contains("123456789012345"))
            );
            assert_eq!(change.status, Some(SubscriptionStatus::Paused));
            assert_eq!(change.payload_format, Some(PayloadFormat::Detail));
            assert_eq!(change.timeout, Change::Set(7.try_into().unwrap()));
            let one = |name: &str, value: &str| {
                MapChange::Merge([(name.to_owned(), Some(value.to_owned()))].into())
            };
            assert_eq!(change.headers, one("x-team", "a"));
            assert_eq!(change.metadata, one("plan", "gold"));
        }

        #[test]
        fn a_whole_number_may_be_written_with_a_point() {
            let change = parse(
            r#"{"url":"https://example.com/","timeoutSeconds":7.0,"rateLimitPerSecond":5e0,"maxInFlight":2.0,
                "retryPolicy":{"maxAttempts":5.0,"intervalSeconds":1.0,"backoffRate":2,"maxDelaySeconds":6e1}}"#,
        )
        .unwrap();
            assert_eq!(change.timeout, Change::Set(7.try_into().unwrap()));
            assert_eq!(change.rate_limit, Change::Set(5.try_into().unwrap()));
            assert_eq!(change.max_in_flight, Change::Set(2.try_into().unwrap()));
            let policy = RetryPolicy::backoff(5, 1, 2.0, 60).unwrap();
            assert_eq!(change.retry_policy, Change::Set(policy));
            let schedule = parse(r#"{"retryPolicy":{"schedule":[0.0,5.0]}}"#).unwrap();
            let policy = RetryPolicy::schedule(vec![0, 5]).unwrap();
            assert_eq!(schedule.retry_policy, Change::Set(policy));
            for field in ["timeoutSeconds", "rateLimitPerSecond", "maxInFlight"] {
                let refused = parse(&format!(r#"{{"{field}":1.5}}"#)).unwrap_err();
                assert!(refused.problem.contains("a whole number"), "{refused}");
            }
        }

        #[test]
        fn a_test_has_a_type_by_default() {
            assert_eq!(test_event_type(b"").unwrap().as_str(), "webhook.test");
            assert_eq!(test_event_type(b"{}").unwrap().as_str(), "webhook.test");
            let chosen = test_event_type(br#"{"eventType":"order.created"}"#).unwrap();
            assert_eq!(chosen.as_str(), "order.created");
            for (body, field) in [
                ("[]", "body"),
                (r#"{"type":"order.created"}"#, "type"),
                (r#"{"eventType":null}"#, "eventType"),
                (r#"{"eventType":""}"#, "eventType"),
                (r#"{"eventType":["order.created"]}"#, "eventType"),
            ] {
                let refused = test_event_type(body.as_bytes()).unwrap_err();
                assert_eq!(refused.field, field, "{body}");
            }
        }

        #[test]
        fn null_removes_an_optional_field() {
            let change = parse(r#"{"filter":null,"description":null,"headers":null,"metadata":null,"timeoutSeconds":null}"#).unwrap();
            assert_eq!(change.filter, Change::Remove);
            assert_eq!(change.description, Change::Remove);
            assert_eq!(change.headers, MapChange::RemoveAll);
            assert_eq!(change.metadata, MapChange::RemoveAll);
            assert_eq!(change.timeout, Change::Remove);
        }

        #[test]
        fn every_bad_input_names_its_field() {
            for (body, field) in [
                ("", "body"),
                ("[]", "body"),
                ("{", "body"),
                ("\"x\"", "body"),
                (r#"{"urls":"https://example.com/"}"#, "urls"),
                (r#"{"url":7}"#, "url"),
                (r#"{"url":null}"#, "url"),
                (r#"{"url":"http://example.com/"}"#, "url"),
                (r#"{"url":"https://169.254.169.254/"}"#, "url"),
                (r#"{"eventTypes":"order.created"}"#, "eventTypes"),
                (r#"{"eventTypes":[]}"#, "eventTypes"),
                (r#"{"eventTypes":["ord*"]}"#, "eventTypes"),
                (r#"{"eventTypes":[1]}"#, "eventTypes"),
                (r#"{"filter":"x"}"#, "filter"),
                (r#"{"filter":{"a":"b"}}"#, "filter"),
                (r#"{"description":7}"#, "description"),
                (r#"{"description":"a\u0000"}"#, "description"),
                (r#"{"headers":{"x-team":7}}"#, "headers"),
                (r#"{"headers":["x"]}"#, "headers"),
                (r#"{"secret":"password"}"#, "secret"),
                (r#"{"secret":null}"#, "secret"),
                (r#"{"payloadFormat":"raw"}"#, "payloadFormat"),
                (r#"{"payloadFormat":null}"#, "payloadFormat"),
                (r#"{"timeoutSeconds":0}"#, "timeoutSeconds"),
                (r#"{"rateLimitPerSecond":0}"#, "rateLimitPerSecond"),
                (r#"{"rateLimitPerSecond":201}"#, "rateLimitPerSecond"),
                (r#"{"rateLimitPerSecond":0.5}"#, "rateLimitPerSecond"),
                (r#"{"maxInFlight":0}"#, "maxInFlight"),
                (r#"{"maxInFlight":"2"}"#, "maxInFlight"),
                (r#"{"timeoutSeconds":31}"#, "timeoutSeconds"),
                (r#"{"timeoutSeconds":1.5}"#, "timeoutSeconds"),
                (r#"{"timeoutSeconds":"5"}"#, "timeoutSeconds"),
                (r#"{"metadata":{"plan":7}}"#, "metadata"),
                (r#"{"metadata":["x"]}"#, "metadata"),
                (r#"{"held":"later"}"#, "held"),
                (r#"{"status":"disabled"}"#, "status"),
                (r#"{"status":true}"#, "status"),
            ] {
                assert_eq!(parse(body).unwrap_err().field, field, "{body}");
            }
        }

        #[test]
        fn what_was_held_has_a_fate_only_if_the_subscription_becomes_active() {
            let held = |body: &str| {
                let patch = serde_json::from_str(body).unwrap();
                held(&patch).map_err(|error| error.field)
            };
            assert_eq!(held(r#"{"status":"active"}"#), Ok(Some(HeldFate::Send)));
            let discard = r#"{"status":"active","held":"discard"}"#;
            assert_eq!(held(discard), Ok(Some(HeldFate::Discard)));
            assert_eq!(held(r#"{"status":"paused"}"#), Ok(None));
            assert_eq!(held("{}"), Ok(None));
            for body in [r#"{"held":"send"}"#, r#"{"status":"paused","held":"keep"}"#] {
                assert_eq!(held(body), Err("held".to_owned()), "{body}");
            }
        }

        #[test]
        fn an_error_never_repeats_a_secret() {
            for body in [r#"{"secret":"whsec_hunter2"}"#, r#""whsec_hunter2""#] {
                let error = parse(body).unwrap_err();
                assert!(!error.to_string().contains("hunter2"), "{error}");
            }
        }
    }

    mod rotations {
        use super::super::*;
        use crate::body;

        const V1: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

        fn parse(body: &str) -> Result<Rotation, FieldError> {
            rotation(body::read(body.as_bytes())?)
        }

        #[test]
        fn a_whole_number_of_seconds_may_be_written_with_a_point() {
            let rotation = parse(r#"{"overlapSeconds":3600.0}"#).unwrap();
            assert_eq!(Some(rotation.overlap), Overlap::from_secs(3_600));
            assert!(parse(r#"{"overlapSeconds":0.5}"#).is_err());
        }

        #[test]
        fn every_field_is_read() {
            let silent = parse("{}").unwrap();
            assert_eq!(silent.overlap, Overlap::default());
            assert_eq!(silent.new_secret, NewSecret::GeneratedAsCurrent);
            let migration = parse(r#"{"kind":"v1a","overlapSeconds":604800}"#).unwrap();
            assert_eq!(Some(migration.overlap), Overlap::from_secs(604_800));
            let expected = NewSecret::Generated(SecretKind::V1a);
            assert_eq!(migration.new_secret, expected);
            let import = parse(&format!(r#"{{"secret":"{V1}","kind":"v1"}}"#)).unwrap();
            let expected = NewSecret::Imported(V1.parse().unwrap());
            assert_eq!(import.new_secret, expected);
        }

        #[test]
        fn every_bad_input_names_its_field() {
            for (body, field) in [
                ("", "body"),
                ("[]", "body"),
                (r#"{"overlap":60}"#, "overlap"),
                (r#"{"overlapSeconds":-1}"#, "overlapSeconds"),
                (r#"{"overlapSeconds":1.5}"#, "overlapSeconds"),
                (r#"{"overlapSeconds":604801}"#, "overlapSeconds"),
                (r#"{"overlapSeconds":"60"}"#, "overlapSeconds"),
                (r#"{"overlapSeconds":null}"#, "overlapSeconds"),
                (r#"{"kind":"v2"}"#, "kind"),
                (r#"{"kind":1}"#, "kind"),
                (r#"{"secret":"password"}"#, "secret"),
                (r#"{"secret":null}"#, "secret"),
            ] {
                assert_eq!(parse(body).unwrap_err().field, field, "{body}");
            }
            let other_kind = format!(r#"{{"secret":"{V1}","kind":"v1a"}}"#);
            assert_eq!(parse(&other_kind).unwrap_err().field, "kind");
        }

        #[test]
        fn an_error_never_repeats_a_secret() {
            for field in ["overlapSeconds", "kind"] {
                let error = parse(&format!(r#"{{"{field}":"{V1}"}}"#)).unwrap_err();
                assert!(!error.to_string().contains(V1), "{error}");
            }
            let error = parse(&format!(r#"{{"secret":"{V1}=","kind":"v1a"}}"#)).unwrap_err();
            assert!(!error.to_string().contains("MfKQ"), "{error}");
        }
    }

    mod recoveries {
        use std::time::Duration;

        use super::super::*;
        use crate::body;

        const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

        fn recover(body: &str) -> Result<RecoveryRequest, FieldError> {
            super::super::recover(body::read(body.as_bytes())?, NOW)
        }

        fn replay(body: &str) -> Result<RecoveryRequest, FieldError> {
            super::super::replay(body::read(body.as_bytes())?, NOW)
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
            let request =
                recover(r#"{"since":"2023-11-14T00:00:00Z","until":"2030-01-01T00:00:00Z"}"#);
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

    mod filters {
        use super::super::*;
        use crate::body;

        const EVENT: &str = include_str!("../../../events/order-created.json");

        fn try_filter(body: &str) -> Result<bool, FieldError> {
            filter_matches(&body::read(body.as_bytes())?)
        }

        fn tried(filter: &str) -> bool {
            try_filter(&format!(r#"{{"filter":{filter},"event":{EVENT}}}"#)).unwrap()
        }

        #[test]
        fn a_filter_is_tried_on_the_detail_of_a_real_event() {
            assert!(tried(r#"{"customerId":["cust_1001"]}"#));
            assert!(!tried(r#"{"customerId":["cust_1002"]}"#));
            // A pattern for the whole event, as in a rule, matches nothing in its detail.
            assert!(!tried(r#"{"detail-type":["order.created"]}"#));
        }

        #[test]
        fn the_field_that_is_not_valid_is_named() {
            for (body, field) in [
                ("", "body"),
                ("[]", "body"),
                ("{}", "filter"),
                (r#"{"filter":null,"event":{"detail":{}}}"#, "filter"),
                (r#"{"filter":{},"event":{"detail":{}}}"#, "filter"),
                (
                    r#"{"filter":{"a":[{"near":1}]},"event":{"detail":{}}}"#,
                    "filter",
                ),
                (r#"{"filter":{"a":[1]}}"#, "event"),
                (r#"{"filter":{"a":[1]},"event":null}"#, "event"),
                (r#"{"filter":{"a":[1]},"event":[{}]}"#, "event"),
                (r#"{"filter":{"a":[1]},"event":{}}"#, "event"),
                (r#"{"filter":{"a":[1]},"event":{"detail":"a"}}"#, "event"),
                (r#"{"filter":{"a":[1]},"detail":{}}"#, "detail"),
            ] {
                let refused = try_filter(body).unwrap_err();
                assert_eq!(refused.field, field, "{body}: {refused}");
            }
        }
    }
}
