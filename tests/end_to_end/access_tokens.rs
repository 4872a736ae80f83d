//! Authentication with access tokens: the receiver is the token endpoint too.

use anyhow::Result;
use http::StatusCode;
use serde_json::{Value, json};
use webhooks_client::{AttemptOutcome, Authentication, AuthenticationType, ClientAuthentication};
use webhooks_receiver::Answer;

use crate::fixture::Fixture;

/// The secret of the examples in `docs/api-authentication.md`.
const SECRET: &str = "correct horse";

/// The settings of the example, with a token endpoint of the test.
fn oauth2(test: &Fixture, secret: &str) -> Value {
    json!({
        "type": "oauth2", "tokenUrl": test.receiver.url("/oauth2/token"), "clientId": "webhooks",
        "clientSecret": secret, "scope": "orders:write",
    })
}

fn granted(token: &str) -> Answer {
    let body = json!({"access_token": token, "token_type": "Bearer", "expires_in": 3600});
    Answer::ok().with_body(body.to_string())
}

/// The example of `docs/api-authentication.md`, byte for byte. One token serves several webhooks,
/// and a 401 replaces it within the attempt.
#[tokio::test]
async fn a_token_is_requested_shared_and_replaced_after_a_401() -> Result<()> {
    let test = Fixture::new("access-tokens").await?;
    let tokens = ["2YotnFZFEjr1zCsicMWpAA", "second-token"].map(granted);
    test.receiver.script("/oauth2/token", tokens);
    let unauthorized = Answer::status(StatusCode::UNAUTHORIZED);
    let answers = [Answer::ok(), Answer::ok(), unauthorized, Answer::ok()];
    test.receiver.script("/hook", answers);
    let authentication = oauth2(&test, SECRET);
    let created = test
        .subscribe_with("/hook", json!({"authentication": authentication}))
        .await?;
    let shown = Authentication::OAuth2 {
        token_url: test.receiver.url("/oauth2/token"),
        client_id: "webhooks".to_owned(),
        scope: Some("orders:write".to_owned()),
        audience: None,
        client_authentication: ClientAuthentication::Header,
    };
    assert_eq!(created.subscription.authentication, Some(shown));

    test.put("order.created", json!({})).await?;
    let first = test.first_request("/hook").await?;
    assert_eq!(
        first.header("authorization"),
        "Bearer 2YotnFZFEjr1zCsicMWpAA"
    );
    first.verify(&created.secret)?;
    let asked = test.first_request("/oauth2/token").await?;
    let headers = ["content-type", "accept", "authorization"];
    assert_eq!(
        headers.map(|name| asked.header(name)),
        [
            "application/x-www-form-urlencoded",
            "application/json",
            "Basic d2ViaG9va3M6Y29ycmVjdCtob3JzZQ==",
        ]
    );
    let body = "grant_type=client_credentials&scope=orders%3Awrite";
    assert_eq!(asked.body, body);

    test.put("order.created", json!({})).await?;
    test.requests("/hook", 2).await?;
    test.put("order.created", json!({})).await?;
    let requests = test.requests("/hook", 4).await?;
    let sent: Vec<_> = requests
        .iter()
        .map(|it| it.header("authorization"))
        .collect();
    let bearer = "Bearer 2YotnFZFEjr1zCsicMWpAA";
    assert_eq!(sent, [bearer, bearer, bearer, "Bearer second-token"]);
    let (refused, repeated) = (&requests[2], &requests[3]);
    for header in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        assert_eq!(refused.header(header), repeated.header(header));
    }
    assert_eq!(refused.body, repeated.body);
    repeated.verify(&created.secret)?;
    let message = test.settled(repeated.webhook_id()).await?;
    let id = &message.delivery_to(&created.subscription.id).unwrap().id;
    let delivery = test.api.delivery(id).await?.delivery;
    assert_eq!(delivery.attempts.len(), 1, "one attempt has both requests");
    assert_eq!(delivery.attempts[0].status, Some(200));
    assert_eq!(test.receiver.requests_to("/oauth2/token").len(), 2);
    Ok(())
}

/// People see why nothing was sent, and the next attempt asks again.
#[tokio::test]
async fn a_token_that_is_not_granted_is_a_failure_with_its_reason() -> Result<()> {
    let test = Fixture::new("access-tokens-refused").await?;
    let refused = Answer::status(StatusCode::UNAUTHORIZED)
        .with_body(r#"{"error":"invalid_client","error_description":"s3cret"}"#);
    test.receiver
        .script("/oauth2/token", [refused, granted("t0ken")]);
    let fields = json!({
        "authentication": oauth2(&test, SECRET), "retryPolicy": {"schedule": [0, 6]},
    });
    let created = test.subscribe_with("/hook", fields).await?;
    test.put("order.created", json!({})).await?;
    let request = test.first_request("/hook").await?;
    assert_eq!(request.header("authorization"), "Bearer t0ken");
    let message = test.settled(request.webhook_id()).await?;
    let id = &message.delivery_to(&created.subscription.id).unwrap().id;
    let delivery = test.api.delivery(id).await?.delivery;
    let first = &delivery.attempts[0];
    assert_eq!(
        (first.outcome, first.status, first.error.as_deref()),
        (
            AttemptOutcome::NoToken,
            None,
            Some("token endpoint answered 401 invalid_client")
        )
    );
    assert_eq!(delivery.attempts.len(), 2);
    Ok(())
}

/// A new secret asks for a token of its own, and the token of the old one is used no more.
#[tokio::test]
async fn a_rotated_secret_applies_from_the_next_attempt_on() -> Result<()> {
    let test = Fixture::new("access-tokens-rotated").await?;
    let tokens = ["first-token", "second-token"].map(granted);
    test.receiver.script("/oauth2/token", tokens);
    let created = test
        .subscribe_with("/hook", json!({"authentication": oauth2(&test, SECRET)}))
        .await?;
    test.put("order.created", json!({})).await?;
    test.first_request("/hook").await?;
    let mut rotated = oauth2(&test, "another secret");
    rotated["clientAuthentication"] = json!("body");
    let id = &created.subscription.id;
    let patch = json!({"authentication": rotated});
    test.api
        .update_subscription(&test.customer, id, &patch)
        .await?;
    test.put("order.created", json!({})).await?;
    let requests = test.requests("/hook", 2).await?;
    let sent: Vec<_> = requests
        .iter()
        .map(|it| it.header("authorization"))
        .collect();
    assert_eq!(sent, ["Bearer first-token", "Bearer second-token"]);
    let asked = test.requests("/oauth2/token", 2).await?;
    assert_eq!(asked[1].header("authorization"), "");
    assert_eq!(
        asked[1].body,
        "grant_type=client_credentials&scope=orders%3Awrite&client_id=webhooks&client_secret=another+secret"
    );
    Ok(())
}

/// Whoever may change the URL, or the token URL, cannot have the secret or a token sent elsewhere.
#[tokio::test]
async fn another_origin_or_token_url_gets_no_secret_that_is_not_given_again() -> Result<()> {
    let test = Fixture::new("access-tokens-origin").await?;
    let elsewhere = test.another("access-tokens-origin-2").await?;
    test.receiver.script("/oauth2/token", [granted("t0ken")]);
    let created = test
        .subscribe_with("/hook", json!({"authentication": oauth2(&test, SECRET)}))
        .await?;
    test.put("order.created", json!({})).await?;
    test.first_request("/hook").await?;
    let id = &created.subscription.id;
    let mut moved = oauth2(&elsewhere, SECRET);
    moved.as_object_mut().unwrap().remove("clientSecret");
    let patch = json!({"authentication": moved});
    let refused = test.api.update_subscription(&test.customer, id, &patch);
    let refused = refused.await.unwrap_err().to_string();
    let words = "clientSecret: is required with the type `oauth2`";
    assert!(refused.contains(words), "{refused}");

    let patch = json!({"url": elsewhere.receiver.url("/hook")});
    let updated = test.api.update_subscription(&test.customer, id, &patch);
    let updated = updated.await?;
    assert_eq!(
        (
            updated.authentication.clone(),
            updated.cleared_authentication
        ),
        (None, Some(AuthenticationType::OAuth2))
    );
    test.put("order.created", json!({})).await?;
    let request = elsewhere.first_request("/hook").await?;
    assert_eq!(request.header("authorization"), "");
    assert_eq!(elsewhere.receiver.requests_to("/oauth2/token").len(), 0);
    Ok(())
}
