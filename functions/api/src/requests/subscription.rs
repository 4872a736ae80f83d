//! Changes of a subscription.

use webhooks_api_types as api;
use webhooks_domain::event_type::{EventTypePattern, EventTypePatterns};
use webhooks_domain::fields::FieldError;
use webhooks_domain::filter::Filter;
use webhooks_domain::manage::SubscriptionChange;
use webhooks_domain::outbound::authentication::{
    ApiKey, Basic, Bearer, ClientAuthentication, OAuth2,
};
use webhooks_domain::outbound::{
    AuthenticationError, Credential, EndpointAuthentication, EndpointPolicy, Method,
    QueryParameters, RequestTimeout,
};
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::payload_shape::{ContentType, KeptFields, Transform};
use webhooks_domain::recovery::HeldFate;
use webhooks_domain::retry::{RetryPolicy, RetryPolicyError};
use webhooks_domain::subscription::{Description, SubscriptionStatus};

use super::{change, map_change, parsed, whole};

/// Converts a request to a change of a subscription.
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn subscription_change(
    patch: api::SubscriptionPatch,
    endpoints: &EndpointPolicy,
) -> Result<SubscriptionChange, FieldError> {
    let timeout = |number| RequestTimeout::try_from(whole(number));
    let status = patch.status.map(|status| match status {
        api::WantedStatus::Active => SubscriptionStatus::Active,
        api::WantedStatus::Paused => SubscriptionStatus::Paused,
    });
    Ok(SubscriptionChange {
        url: parsed("url", patch.url, |url| endpoints.parse(&url))?,
        event_types: parsed("eventTypes", patch.event_types, |types| {
            let patterns = types.into_iter().map(EventTypePattern::try_from);
            EventTypePatterns::try_from(patterns.collect::<Result<Vec<_>, _>>()?)
        })?,
        filter: change("filter", patch.filter, |filter| {
            Filter::parse(filter.as_json())
        })?,
        payload_format: patch.payload_format.map(payload_format),
        payload_fields: change("payloadFields", patch.payload_fields, KeptFields::new)?,
        transform: change("transform", patch.transform, |transform| {
            Ok::<_, FieldError>(Transform::new(transform.paths, transform.template))
        })?,
        content_type: change("contentType", patch.content_type, |text| {
            ContentType::parse(&text)
        })?,
        method: patch.method.map(|method| match method {
            api::RequestMethod::Post => Method::Post,
            api::RequestMethod::Put => Method::Put,
            api::RequestMethod::Patch => Method::Patch,
        }),
        query: change(
            "queryParameters",
            patch.query_parameters,
            QueryParameters::new,
        )?,
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
        secret_headers: map_change(patch.secret_headers),
        authentication: change("authentication", patch.authentication, |given| {
            credential(given, endpoints)
        })?,
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

fn payload_format(format: api::PayloadFormat) -> PayloadFormat {
    match format {
        api::PayloadFormat::Standard => PayloadFormat::Standard,
        api::PayloadFormat::Detail => PayloadFormat::Detail,
        api::PayloadFormat::Event => PayloadFormat::Event,
        api::PayloadFormat::Thin => PayloadFormat::Thin,
        api::PayloadFormat::CloudEvents => PayloadFormat::CloudEvents,
        api::PayloadFormat::Fields => PayloadFormat::Fields,
        api::PayloadFormat::Transform => PayloadFormat::Transform,
    }
}

fn credential(
    given: api::NewAuthentication,
    endpoints: &EndpointPolicy,
) -> Result<Credential, AuthenticationError> {
    let (authentication, secret) = match given {
        api::NewAuthentication::Basic { username, password } => {
            (EndpointAuthentication::Basic(Basic { username }), password)
        }
        api::NewAuthentication::Bearer { token } => {
            (EndpointAuthentication::Bearer(Bearer {}), token)
        }
        api::NewAuthentication::ApiKey { header, value } => {
            (EndpointAuthentication::ApiKey(ApiKey::new(&header)), value)
        }
        api::NewAuthentication::OAuth2 {
            token_url,
            client_id,
            client_secret,
            scope,
            audience,
            client_authentication,
        } => {
            let token_url = endpoints.parse(&token_url);
            let oauth2 = OAuth2 {
                token_url: token_url.map_err(AuthenticationError::TokenUrl)?,
                client_id,
                scope,
                audience,
                client_authentication: match client_authentication.unwrap_or_default() {
                    api::ClientAuthentication::Header => ClientAuthentication::Header,
                    api::ClientAuthentication::Body => ClientAuthentication::Body,
                },
            };
            (EndpointAuthentication::OAuth2(oauth2), client_secret)
        }
        api::NewAuthentication::Mtls {
            certificate,
            private_key,
        } => return Credential::client_certificate(&certificate, &private_key),
    };
    Credential::new(authentication, secret)
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

#[cfg(test)]
mod tests {
    use webhooks_domain::manage::{Change, MapChange};

    use super::*;
    use crate::body;

    fn parse(body: &str) -> Result<SubscriptionChange, FieldError> {
        subscription_change(body::read(body.as_bytes())?, &EndpointPolicy::default())
    }

    #[test]
    fn every_field_is_read() {
        let change = parse(
        r#"{"url":"https://example.com/hook","eventTypes":["order.*"],"filter":{"total":[{"numeric":[">",123456789012345]}]},
            "payloadFormat":"detail","timeoutSeconds":7,"rateLimitPerSecond":5,"maxInFlight":2,"metadata":{"plan":"gold"},
            "description":"d","headers":{"x-team":"a"},"secretHeaders":{"x-key":"k"},"authentication":{"type":"apiKey","header":"X-Token","value":"t"},"secret":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw","status":"paused"}"#,
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
        assert_eq!(change.secret_headers, one("x-key", "k"));
        assert_eq!(change.metadata, one("plan", "gold"));
        assert!(matches!(&change.authentication, Change::Set(given)
                if given.header().unwrap() == ("x-token".to_owned(), "t".to_owned())));
    }

    #[test]
    fn a_host_that_the_operator_denies_is_refused_by_field_and_rule() {
        let endpoints = EndpointPolicy {
            denied_hosts: "*.example.com".parse().unwrap(),
            ..EndpointPolicy::default()
        };
        let change = |url: &str| {
            let body = format!(r#"{{"url":"{url}"}}"#);
            subscription_change(body::read(body.as_bytes())?, &endpoints)
        };
        assert_eq!(
            change("https://API.example.com./hook")
                .unwrap_err()
                .to_string(),
            "url: url host `api.example.com`: the operator of this service denies `*.example.com`"
        );
        assert!(change("https://example.com/hook").is_ok());
    }

    /// Otherwise a token URL would reach what the URL of an endpoint may not.
    #[test]
    fn a_token_url_has_the_rules_of_an_endpoint() {
        let endpoints = EndpointPolicy {
            denied_hosts: "*.example.com".parse().unwrap(),
            ..EndpointPolicy::default()
        };
        let change = |url: &str| {
            let body = format!(
                r#"{{"authentication":{{"type":"oauth2","tokenUrl":"{url}","clientId":"acme","clientSecret":"s3cret"}}}}"#
            );
            subscription_change(body::read(body.as_bytes())?, &endpoints)
        };
        for url in [
            "",
            "/token",
            "http://login.example.org/token",
            "https://169.254.169.254/latest/meta-data",
            "https://127.0.0.1/",
            "https://localhost/",
            "https://login.internal/",
            "https://s3cret@login.example.org/",
            "https://login.example.org:22/",
            "https://login.example.org/#s3cret",
            "https://LOGIN.example.com./token",
        ] {
            let refused = change(url).unwrap_err();
            assert_eq!(refused.field, "authentication", "{url}");
            let text = refused.to_string();
            assert!(text.starts_with("authentication: tokenUrl: url"), "{text}");
            assert!(!text.contains("s3cret"), "{text}");
        }
        let given = change("https://LOGIN.example.org:443/token?tenant=a").unwrap();
        let Change::Set(given) = given.authentication else {
            panic!("no change")
        };
        let oauth2 = given.authentication().oauth2().unwrap();
        let url = "https://login.example.org/token?tenant=a";
        assert_eq!(oauth2.token_url.as_str(), url);
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
            (r#"{"authentication":"basic"}"#, "authentication"),
            (r#"{"authentication":{"type":"digest"}}"#, "authentication"),
            (
                r#"{"authentication":{"type":"bearer","token":"a\nb"}}"#,
                "authentication",
            ),
            (
                r#"{"authentication":{"type":"oauth2","tokenUrl":"https://example.com/","clientId":"","clientSecret":"s"}}"#,
                "authentication",
            ),
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
        for body in [
            r#"{"secret":"whsec_hunter2"}"#,
            r#""whsec_hunter2""#,
            r#"{"authentication":"hunter2"}"#,
            r#"{"authentication":{"type":"hunter2"}}"#,
            r#"{"authentication":{"type":"bearer","token":["hunter2"]}}"#,
            r#"{"authentication":{"type":"bearer","token":"hunter2 "}}"#,
            r#"{"authentication":{"type":"basic","username":"a:b","password":"hunter2"}}"#,
            r#"{"authentication":{"type":"oauth2","tokenUrl":"http://hunter2@example.com/","clientId":"a","clientSecret":"hunter2"}}"#,
            r#"{"authentication":{"type":"oauth2","tokenUrl":"https://example.com/","clientId":"a","clientSecret":"hunter2\n"}}"#,
            r#"{"authentication":{"type":"oauth2","tokenUrl":"https://example.com/","clientId":"a","clientSecret":"hunter2","clientAuthentication":"hunter2"}}"#,
        ] {
            let error = parse(body).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
