//! The authentication to an endpoint: its change, its bounds, and its end when the URL has another
//! origin.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures_util::FutureExt;
use webhooks_domain::outbound::authentication::{Basic, OAuth2};
use webhooks_domain::outbound::{EndpointAuthentication, SealedCredential};
use webhooks_domain::ports::Clock;
use webhooks_domain::subscription::Subscription;
use webhooks_domain::vault::VaultError;
use webhooks_testkit::changes::change;
use webhooks_testkit::{ManagedSubscription, samples};

/// A part of every secret value here, so that a leak is found.
const MARK: &str = "s3cret";

const FIELDS: &str = r#"{"url":"https://example.com/hook","eventTypes":["*"],"headers":{"x-team":"a"},
    "secretHeaders":{"x-key":"s3cret-2"},"authentication":{"type":"basic","username":"ann","password":"s3cret"}}"#;

fn stage() -> ManagedSubscription {
    ManagedSubscription::create(FIELDS)
}

/// The header that an attempt would send.
fn opened(stage: &ManagedSubscription) -> Option<(String, String)> {
    let stored = stage.stored();
    let sealed = stored.authentication.as_ref()?;
    Some(open(stage, sealed, &stored).unwrap())
}

fn open(
    stage: &ManagedSubscription,
    sealed: &SealedCredential,
    of: &Subscription,
) -> Result<(String, String), VaultError> {
    let opened = stage.manage.vault.open_credential(sealed, of);
    let opened = opened.now_or_never().unwrap();
    opened.map(|opened| opened.header().unwrap())
}

fn header(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn basic() -> (String, String) {
    header("authorization", "Basic YW5uOnMzY3JldA==")
}

#[test]
fn an_authentication_is_replaced_as_a_whole_and_removed() {
    let stage = stage();
    assert_eq!(opened(&stage), Some(basic()));
    stage
        .update(r#"{"authentication":{"type":"bearer","token":"s3cret-3"}}"#)
        .unwrap();
    assert_eq!(
        opened(&stage),
        Some(header("authorization", "Bearer s3cret-3"))
    );
    stage.update(r#"{"description":"d"}"#).unwrap();
    stage
        .update(r#"{"authentication":{"type":"apiKey","header":"X-Token","value":"s3cret"}}"#)
        .unwrap();
    assert_eq!(opened(&stage), Some(header("x-token", "s3cret")));
    let removed = stage.update(r#"{"authentication":null}"#).unwrap();
    assert_eq!(removed.cleared_authentication(), None);
    assert_eq!(opened(&stage), None);
}

#[test]
fn another_origin_clears_an_authentication_that_is_not_given() {
    for (body, expected, is_cleared) in [
        (
            r#"{"url":"https://example.com:443/other?x=1"}"#,
            Some(basic()),
            false,
        ),
        (r#"{"url":"https://example.com:8443/hook"}"#, None, true),
        (r#"{"url":"https://example.org/hook"}"#, None, true),
        (
            r#"{"url":"https://example.org/","authentication":{"type":"basic","username":"ann","password":"s3cret"}}"#,
            Some(basic()),
            false,
        ),
        (
            r#"{"url":"https://example.org/","authentication":{"type":"bearer","token":"s3cret"}}"#,
            Some(header("authorization", "Bearer s3cret")),
            false,
        ),
    ] {
        let stage = stage();
        let updated = stage.update(body).unwrap();
        assert_eq!(opened(&stage), expected, "{body}");
        let cleared = updated.cleared_authentication().is_some();
        assert_eq!(cleared, is_cleared, "{body}");
    }
}

/// Two requests that each change half do not carry a secret away either.
#[test]
fn an_authentication_does_not_return_with_its_origin() {
    let stage = stage();
    stage.update(r#"{"url":"https://example.org/"}"#).unwrap();
    stage
        .update(r#"{"url":"https://example.com/hook"}"#)
        .unwrap();
    assert_eq!(opened(&stage), None);
}

/// A writer of the table cannot have the secret sent elsewhere, or in a header that an endpoint may
/// repeat.
#[test]
fn a_sealed_secret_opens_only_where_it_was_given() {
    let stage = stage();
    let subscription = stage.stored();
    let sealed = subscription.authentication.clone().unwrap();
    assert!(open(&stage, &sealed, &subscription).is_ok());
    let bob = SealedCredential {
        authentication: EndpointAuthentication::Basic(Basic {
            username: "bob".to_owned(),
        }),
        ..sealed.clone()
    };
    assert!(open(&stage, &bob, &subscription).is_err());
    for other in [
        Subscription {
            url: samples::url("https://example.org/hook"),
            ..subscription.clone()
        },
        Subscription {
            customer_id: samples::customer("other"),
            ..subscription.clone()
        },
        Subscription {
            id: samples::subscription_id(7),
            ..subscription.clone()
        },
    ] {
        assert!(open(&stage, &sealed, &other).is_err());
    }
    // Nor is the sealed value of a header an authentication.
    let (_, header) = subscription.secret_headers.iter().next().unwrap();
    let header = SealedCredential {
        sealed: header.to_vec(),
        ..sealed
    };
    assert!(open(&stage, &header, &subscription).is_err());
}

#[test]
fn a_credential_that_stays_makes_no_new_version() {
    let stage = stage();
    stage
        .backend
        .set_now(stage.backend.now() + Duration::from_mins(1));
    for same in [
        FIELDS,
        r#"{"authentication":{"type":"basic","username":"ann","password":"s3cret"}}"#,
    ] {
        let updated = stage.update(same).unwrap();
        assert_eq!(updated.subscription, stage.created, "{same}");
        assert_eq!(stage.stored(), stage.created, "{same}");
    }
    let changed = stage
        .update(r#"{"authentication":{"type":"basic","username":"ann","password":"s3cret-2"}}"#)
        .unwrap();
    assert_eq!(changed.subscription.version, 2);
    assert_eq!(changed.changed_fields(), ["authentication"]);
    // The form of the requests is the same, so no version of it is kept.
    assert_eq!(changed.subscription.request_version, 1);
}

#[test]
fn no_header_is_set_twice() {
    let stage = stage();
    let clash = |name: &str| {
        format!(
            "header `{name}`: must not be in `headers` or `secretHeaders`, because \
             `authentication` sets it"
        )
    };
    for (body, field, name) in [
        (
            r#"{"headers":{"Authorization":"s3cret"}}"#,
            "headers",
            "authorization",
        ),
        (
            r#"{"secretHeaders":{"Authorization":"s3cret"}}"#,
            "secretHeaders",
            "authorization",
        ),
        (
            r#"{"authentication":{"type":"apiKey","header":"X-Team","value":"s3cret"}}"#,
            "authentication",
            "x-team",
        ),
        (
            r#"{"authentication":{"type":"apiKey","header":"X-Key","value":"s3cret"}}"#,
            "authentication",
            "x-key",
        ),
    ] {
        let refused = stage.update(body).unwrap_err().to_string();
        assert_eq!(refused, format!("{field}: {}", clash(name)));
        assert!(!refused.contains(MARK));
        assert_eq!(stage.stored(), stage.created);
    }
    // Access tokens have the same header.
    for headers in ["headers", "secretHeaders"] {
        let both =
            format!(r#"{{"{headers}":{{"Authorization":"s3cret"}},"authentication":{CLIENT}}}"#);
        let refused = stage.update(&both).unwrap_err().to_string();
        assert!(refused.contains(&clash("authorization")), "{refused}");
        assert_eq!(stage.stored(), stage.created);
    }
    // One request may move a header from one to the other.
    let moved = r#"{"secretHeaders":{"x-key":null},"authentication":{"type":"apiKey","header":"x-key","value":"s3cret"}}"#;
    stage.update(moved).unwrap();
    assert_eq!(opened(&stage), Some(header("x-key", "s3cret")));
}

/// It was changed in the table, or copied there from another subscription.
#[test]
fn an_authentication_that_cannot_be_opened_is_replaced_by_a_new_one() {
    let stage = stage();
    let spoilt = Subscription {
        authentication: Some(samples::authentication()),
        ..stage.created.clone()
    };
    stage.backend.store_subscription(&spoilt);
    stage.update(r#"{"description":"other fields"}"#).unwrap();
    stage
        .update(r#"{"authentication":{"type":"basic","username":"ann","password":"s3cret"}}"#)
        .unwrap();
    assert_eq!(opened(&stage), Some(basic()));
}

/// The old URL is unknown, so the new one may have another origin.
#[test]
fn the_repair_of_an_unreadable_subscription_keeps_no_authentication_for_another_origin() {
    let stage = stage();
    let (customer, id) = (&stage.created.customer_id, stage.created.id);
    stage.backend.break_subscription(customer, id, "url");
    let repaired = stage.update(r#"{"url":"https://example.org/"}"#).unwrap();
    assert!(repaired.cleared_authentication().is_some());
    stage
        .backend
        .break_subscription(customer, id, "authentication");
    let refused = stage.update(r#"{"description":"d"}"#).unwrap_err();
    assert!(refused.to_string().starts_with("authentication: "));
    stage.update(r#"{"authentication":null}"#).unwrap();
    assert_eq!(opened(&stage), None);
}

#[test]
fn the_debug_form_of_a_change_shows_no_secret() {
    let text = format!("{:?}", change(FIELDS));
    assert!(text.contains("ann") && !text.contains(MARK), "{text}");
}

const PAGE: &str = include_str!("../../../docs/api-authentication.md");

/// The JSON blocks of the page, and the block after each, which shows the header of a request.
#[test]
fn every_example_of_the_page_makes_the_header_that_it_shows() {
    let blocks: Vec<_> = PAGE.split("```").skip(1).step_by(2).collect();
    let mut examples = 0;
    for pair in blocks.windows(2) {
        let Some(fields) = pair[0].strip_prefix("json\n") else {
            continue;
        };
        let Some(shown) = pair[1].strip_prefix("http\n") else {
            continue;
        };
        let stage = stage();
        stage.update(fields).unwrap();
        assert_eq!(shown.trim_end(), shown_form(&stage));
        examples += 1;
    }
    assert_eq!(examples, 4);
}

/// The header of a request, or the headers and the body of the request for its token.
fn shown_form(stage: &ManagedSubscription) -> String {
    let stored = stage.stored();
    let sealed = stored.authentication.as_ref().unwrap();
    let opened = stage.manage.vault.open_credential(sealed, &stored);
    let credential = opened.now_or_never().unwrap().unwrap();
    if let Some((name, value)) = credential.header() {
        return format!("{name}: {value}");
    }
    let client = credential.authentication().oauth2().unwrap();
    let request = client.token_request(credential.secret().unwrap(), None, Duration::ZERO);
    let headers = request.headers.iter();
    let headers = headers.filter(|(name, _)| name != "user-agent");
    let headers: Vec<_> = headers
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    let body = String::from_utf8(request.body).unwrap();
    format!("{}\n{body}", headers.concat())
}

const CLIENT: &str = r#"{"type":"oauth2","tokenUrl":"https://login.example.com/token",
    "clientId":"acme","clientSecret":"s3cret"}"#;

/// A writer of the table cannot have the secret of a client sent to another token endpoint.
#[test]
fn the_secret_of_a_client_opens_only_for_its_token_url() {
    let fields = FIELDS.replace(
        r#"{"type":"basic","username":"ann","password":"s3cret"}"#,
        CLIENT,
    );
    let stage = ManagedSubscription::create(&fields);
    let subscription = stage.stored();
    let sealed = subscription.authentication.clone().unwrap();
    let opened = |sealed: &SealedCredential, of: &Subscription| {
        let opened = stage.manage.vault.open_credential(sealed, of);
        opened.now_or_never().unwrap().is_ok()
    };
    assert!(opened(&sealed, &subscription));
    let EndpointAuthentication::OAuth2(client) = &sealed.authentication else {
        panic!("{sealed:?}")
    };
    for change in [
        |it: &mut OAuth2| it.token_url = samples::url("https://login.example.org/token"),
        |it: &mut OAuth2| it.client_id = "bolt".to_owned(),
        |it: &mut OAuth2| it.scope = Some("admin".to_owned()),
    ] {
        let mut client = client.clone();
        change(&mut client);
        let moved = SealedCredential {
            authentication: EndpointAuthentication::OAuth2(client),
            ..sealed.clone()
        };
        assert!(!opened(&moved, &subscription));
    }
    let elsewhere = Subscription {
        url: samples::url("https://example.org/hook"),
        ..subscription.clone()
    };
    assert!(!opened(&sealed, &elsewhere));
}

/// The same settings and secret keep the sealed bytes, and with them the access token.
#[test]
fn the_settings_of_a_client_are_cleared_with_its_origin_and_kept_otherwise() {
    let stage = stage();
    let set = format!(r#"{{"authentication":{CLIENT}}}"#);
    stage.update(&set).unwrap();
    let sealed = stage.stored().authentication;
    let version = stage.stored().version;
    stage.update(&set).unwrap();
    assert_eq!(stage.stored().authentication, sealed);
    assert_eq!(stage.stored().version, version);
    let updated = stage.update(r#"{"url":"https://example.org/"}"#).unwrap();
    assert!(updated.cleared_authentication().is_some());
    assert_eq!(stage.stored().authentication, None);
}
