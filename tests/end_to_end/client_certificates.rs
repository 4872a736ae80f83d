//! Client certificates. A local stack trusts no authority of a test, so the receiver here ends each
//! handshake with an alert: `crates/http/src/hostile_receivers/client_certificates.rs` has receivers
//! that verify certificates.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use webhooks_client::{AttemptOutcome, Authentication, AuthenticationType};
use webhooks_domain::timestamp::Timestamp;
use webhooks_testkit::client_certificates::{ClientAuthority, Issued};

use crate::fixture::{ALL_ATTEMPTS, Fixture};
use crate::managing::problem;

pub(crate) const DAY: Duration = Duration::from_hours(24);

pub(crate) fn issue(from: Timestamp, to: Timestamp) -> Issued {
    ClientAuthority::new("Example CA").issue("webhooks", from, to)
}

pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}

const PAGE: &str = include_str!("../../docs/api-authentication.md");

/// The summary of a certificate on the page.
fn documented() -> Result<Value> {
    let blocks = PAGE.split("```").skip(1).step_by(2);
    let mut json = blocks.filter_map(|block| block.strip_prefix("json\n"));
    let summary = json.find(|json| json.contains("sha256Fingerprint"));
    Ok(serde_json::from_str(summary.context("no summary")?)?)
}

/// A fatal alert of TLS 1.2 in a record: `certificate_expired`.
const EXPIRED: [u8; 7] = [21, 3, 3, 0, 2, 2, 45];

/// Starts a receiver that reads the first message of a handshake and answers with the alert.
/// Returns its URL.
pub(crate) fn refusing() -> Result<String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let url = format!("https://127.0.0.1:{}/a", listener.local_addr()?.port());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client that goes away is no failure of the test.
            let _ = refuse(stream);
        }
    });
    Ok(url)
}

fn refuse(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut hello)?;
    stream.write_all(&EXPIRED)
}

/// The words for the alert differ between a client that has a certificate and one that has none, so
/// the error shows that the function has it.
#[tokio::test]
async fn a_certificate_is_shown_by_its_summary_and_an_attempt_has_it() -> Result<()> {
    let test = Fixture::new("client-certificate").await?;
    let issued = issue(now() - DAY, now() + 20 * DAY);
    let url = refusing()?;
    let fields = json!({"url": url, "authentication": issued.fields()});
    let created = test.subscribe_with("/a", fields).await?;
    let shown = created.subscription.authentication.clone();
    let shown = serde_json::to_value(shown.context("no authentication")?)?;
    let names = |value: &Value| -> BTreeSet<String> {
        value
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    };
    assert_eq!(names(&shown), names(&documented()?));
    assert_eq!(shown["subject"], "CN=webhooks");
    assert_eq!(shown["issuer"], "CN=Example CA");
    // The same again changes nothing.
    let id = &created.subscription.id;
    let without = json!({"url": url});
    let without = test.subscribe_with("/a", without).await?.subscription.id;
    let again = json!({"authentication": issued.fields()});
    let again = test
        .api
        .update_subscription(&test.customer, id, &again)
        .await?;
    assert_eq!(again.version, 1);

    // The second endpoint receives the message, so the test learns its id.
    test.subscribe("/up").await?;
    test.put("order.created", json!({})).await?;
    let request = test.first_request("/up").await?;
    let tried = |message: &webhooks_client::Message| {
        [id, &without].into_iter().all(|id| {
            let delivery = message.delivery_to(id);
            delivery.is_some_and(|delivery| !delivery.attempts.is_empty())
        })
    };
    let message = test
        .api
        .message_when(request.webhook_id(), ALL_ATTEMPTS, tried)
        .await?;
    let delivery = message.delivery_to(id).context("no delivery")?;
    let attempt = &delivery.attempts[0];
    assert_eq!(attempt.outcome, AttemptOutcome::Unreachable, "{attempt:#?}");
    let refused = "tls: client certificate refused: expired (alert CertificateExpired received)";
    assert_eq!(attempt.error.as_deref(), Some(refused));
    let delivery = message.delivery_to(&without).context("no delivery")?;
    let error = delivery.attempts[0].error.as_deref().unwrap_or_default();
    assert!(!error.contains("refused"), "{error}");

    let moved = json!({"url": test.receiver.url("/b")});
    let moved = test
        .api
        .update_subscription(&test.customer, id, &moved)
        .await?;
    let cleared = (None::<Authentication>, Some(AuthenticationType::Mtls));
    assert_eq!(
        (moved.authentication, moved.cleared_authentication),
        cleared
    );
    Ok(())
}

#[tokio::test]
async fn a_certificate_that_cannot_be_used_is_refused_with_words() -> Result<()> {
    let test = Fixture::new("client-certificate-bad").await?;
    let good = issue(now() - DAY, now() + DAY);
    let other = issue(now() - DAY, now() + DAY);
    let expired = issue(now() - 2 * DAY, now() - DAY);
    let https = "https://127.0.0.1:8443/";
    let with = |certificate: &str, key: &str| json!({"type": "mtls", "certificate": certificate, "privateKey": key});
    for (url, authentication, words) in [
        (
            "http://127.0.0.1:8080/",
            good.fields(),
            "`mtls` requires a `url` with the scheme https",
        ),
        (https, expired.fields(), "must be valid now, expired at "),
        (
            https,
            with(&good.certificate, &other.private_key),
            "privateKey: must belong to the first certificate, belongs to none",
        ),
        (
            https,
            with(&good.private_key, &good.private_key),
            "certificate: must not have a private key",
        ),
        (
            https,
            with(&good.certificate.repeat(20), &good.private_key),
            "certificate: must have at most",
        ),
        (
            https,
            json!({"type": "mtls", "certificate": good.certificate}),
            "privateKey: is required with the type `mtls`",
        ),
    ] {
        let body = json!({
            "url": url, "eventTypes": ["none"], "authentication": authentication,
        });
        let path = ["customers", &test.customer, "subscriptions"];
        let answer = test
            .api
            .request(Method::POST, &path, &[], Some(&body))
            .await?;
        let problem = problem(&answer, StatusCode::UNPROCESSABLE_ENTITY)?;
        assert!(problem.to_string().contains(words), "{problem}");
        for key in [&good, &other, &expired].map(|issued| &issued.private_key) {
            let secret = key.lines().nth(1).context("a line of base64")?;
            assert!(!answer.text().contains(secret), "{}", answer.text());
        }
    }
    Ok(())
}
