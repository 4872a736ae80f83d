//! Authentication to the endpoint: it is sent to the origin for which it was given, and shown to
//! nobody.

use anyhow::Result;
use http::{Method, StatusCode};
use serde_json::json;
use webhooks_client::{Authentication, AuthenticationType};

use crate::fixture::Fixture;
use crate::managing::problem;

/// A part of every secret here.
const MARK: &str = "s3cret-login";

/// The examples of `docs/api-authentication.md`.
#[tokio::test]
async fn a_request_authenticates_as_its_subscription_says() -> Result<()> {
    let test = Fixture::new("authentication").await?;
    for (path, fields, header, value) in [
        (
            "/basic",
            json!({"type": "basic", "username": "webhooks", "password": "correct horse"}),
            "authorization",
            "Basic d2ViaG9va3M6Y29ycmVjdCBob3JzZQ==",
        ),
        (
            "/bearer",
            json!({"type": "bearer", "token": "t0ken"}),
            "authorization",
            "Bearer t0ken",
        ),
        (
            "/key",
            json!({"type": "apiKey", "header": "X-Api-Key", "value": "k3y"}),
            "x-api-key",
            "k3y",
        ),
    ] {
        let created = test
            .subscribe_with(path, json!({"authentication": fields}))
            .await?;
        test.put("order.created", json!({})).await?;
        let request = test.first_request(path).await?;
        assert_eq!(request.header(header), value);
        request.verify(&created.secret)?;
    }
    Ok(())
}

/// Whoever may change the URL cannot carry a password away with it. The second receiver has another
/// port, so it is another origin.
#[tokio::test]
async fn another_origin_gets_no_authentication_that_is_not_given_with_it() -> Result<()> {
    let test = Fixture::new("authentication-origin").await?;
    let elsewhere = test.another("authentication-origin-2").await?;
    let basic = json!({"type": "basic", "username": "ann", "password": MARK});
    let created = test
        .subscribe_with("/a", json!({"authentication": basic}))
        .await?;
    let shown = Some(Authentication::Basic {
        username: "ann".to_owned(),
    });
    assert_eq!(created.subscription.authentication, shown);
    let id = &created.subscription.id;
    let update = async |patch| {
        let updated = test.api.update_subscription(&test.customer, id, &patch);
        anyhow::Ok(updated.await?)
    };
    let again = update(json!({"authentication": basic})).await?;
    assert_eq!(again.version, 1, "the same value changes nothing");
    let same = update(json!({"url": test.receiver.url("/b")})).await?;
    assert_eq!(
        (&same.authentication, same.cleared_authentication),
        (&shown, None)
    );
    let moved = update(json!({"url": elsewhere.receiver.url("/a")})).await?;
    let cleared = (None, Some(AuthenticationType::Basic));
    assert_eq!(
        (moved.authentication.clone(), moved.cleared_authentication),
        cleared
    );
    test.put("order.created", json!({})).await?;
    let request = elsewhere.first_request("/a").await?;
    assert_eq!(request.header("authorization"), "");
    request.verify(&created.secret)?;
    assert_eq!(test.receiver.requests().len(), 0);
    Ok(())
}

/// An answer cannot be sent back as a change by mistake, and no problem repeats a secret.
#[tokio::test]
async fn a_bad_authentication_is_refused_with_words() -> Result<()> {
    let test = Fixture::new("authentication-bad").await?;
    let created = test.subscribe("/a").await?;
    let path = ["customers", &test.customer, "subscriptions"];
    let path = [&path[..], &[&created.subscription.id]].concat();
    for (fields, words) in [
        (
            json!({"type": "basic", "username": "ann"}),
            "password: is required with the type `basic`",
        ),
        (
            json!({"type": "basic", "username": "ann", "password": "****"}),
            "password: must be the secret itself",
        ),
        (
            json!({"type": "bearer", "token": format!("{MARK}\r\nx-admin: 1")}),
            "token: must have only printable ASCII characters",
        ),
        (
            json!({"type": "bearer", "token": MARK.repeat(1_000)}),
            "token: must have 1 to 2000 bytes",
        ),
        (
            json!({"type": "apiKey", "header": "host", "value": MARK}),
            "must not be `host`",
        ),
        (
            json!({"type": MARK}),
            "type: must be one of `basic`, `bearer`, `apiKey`, `oauth2`, `mtls`",
        ),
        (json!(MARK), "must be"),
    ] {
        let body = json!({"authentication": fields});
        let request = test.api.request(Method::PATCH, &path, &[], Some(&body));
        let answer = request.await?;
        let problem = problem(&answer, StatusCode::UNPROCESSABLE_ENTITY)?;
        assert!(problem.to_string().contains(words), "{problem}");
        assert!(!answer.text().contains(MARK), "{}", answer.text());
    }
    Ok(())
}
