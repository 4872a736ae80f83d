//! Versions of a subscription, repeated creations, and the audit of who reads a secret.

use anyhow::{Context, Result, anyhow};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use webhooks_client::{Answered, SubscriptionStatus, SubscriptionsQuery};

use crate::fixture::{ARRIVAL, Fixture, POLL_INTERVAL};
use crate::logs::log_lines;

/// Asserts that an answer is a problem of this kind, and returns the field that it names.
fn refused(answer: &Answered, status: StatusCode, kind: &str) -> Result<Option<String>> {
    assert_eq!(answer.status, status, "{}", answer.text());
    let problem = answer.problem().with_context(|| answer.text())?;
    let kind = format!("urn:webhooks:problem:{kind}");
    assert_eq!(problem.kind, kind, "{problem}");
    Ok(problem.field)
}

#[tokio::test]
async fn the_second_of_two_concurrent_editors_is_refused() -> Result<()> {
    let test = Fixture::new("editors").await?;
    let (api, customer) = (&test.api, &test.customer);
    let created = test.subscribe("/a").await?.subscription;
    let id = created.id.as_str();
    let shown = api.subscription(customer, id).answer().await?;
    assert_eq!(shown.header("etag"), "\"1\"");

    let patch = |text: &str| json!({"description": text});
    let first = api.update_subscription(customer, id, &patch("first"));
    let first = first.if_match(1).answer().await?;
    assert_eq!(first.status, StatusCode::OK, "{}", first.text());
    assert_eq!(first.header("etag"), "\"2\"");
    let body: Value = serde_json::from_slice(&first.body)?;
    assert_eq!(body["version"], 2);

    let failed = StatusCode::PRECONDITION_FAILED;
    let stale = [
        api.update_subscription(customer, id, &patch("second"))
            .if_match(1)
            .answer()
            .await?,
        api.rotate_secret(customer, id, &json!({}))
            .if_match(1)
            .answer()
            .await?,
        api.enable_subscription(customer, id, None)
            .if_match(1)
            .answer()
            .await?,
        api.delete_subscription(customer, id)
            .if_match(1)
            .answer()
            .await?,
    ];
    for answer in &stale {
        assert_eq!(refused(answer, failed, "precondition-failed")?, None);
    }
    let unchanged = api.subscription(customer, id).await?;
    assert_eq!(unchanged.description.as_deref(), Some("first"));
    assert_eq!(unchanged.status, SubscriptionStatus::Active);
    assert_eq!(unchanged.secrets, created.secrets);

    let deleted = api.delete_subscription(customer, id).if_match(2);
    assert_eq!(deleted.answer().await?.status, StatusCode::NO_CONTENT);
    Ok(())
}

#[tokio::test]
async fn a_repeated_creation_creates_nothing_new() -> Result<()> {
    let test = Fixture::new("once").await?;
    let (api, customer) = (&test.api, &test.customer);
    let body = json!({"url": test.receiver.url("/a"), "eventTypes": ["order.created"]});
    let send = |body: Value| async move {
        let creation = api.create_subscription(customer, &body);
        creation.idempotency_key("order 42").answer().await
    };
    let (one, two) = tokio::try_join!(send(body.clone()), send(body.clone()))?;
    let again = send(body).await?;
    // Without the warnings, which are those of the catalogue of the moment: other tests change it.
    let fields = |answer: &Answered| -> Result<Value> {
        let mut fields: Value = serde_json::from_slice(&answer.body)?;
        fields
            .as_object_mut()
            .context("an object")?
            .remove("warnings");
        Ok(fields)
    };
    for answer in [&two, &again] {
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        assert_eq!(fields(answer)?, fields(&one)?);
    }
    let all = api
        .subscriptions(customer, &SubscriptionsQuery::default())
        .await?;
    assert_eq!(all.data.len(), 1);

    let created: Value = serde_json::from_slice(&one.body)?;
    test.put("order.created", json!({})).await?;
    let secret = created["secret"].as_str().context("a secret")?;
    test.first_request("/a").await?.verify(secret)?;

    let other = json!({"url": test.receiver.url("/b"), "eventTypes": ["order.created"]});
    let field = refused(
        &send(other).await?,
        StatusCode::CONFLICT,
        "idempotency-key-reused",
    )?;
    assert_eq!(field.as_deref(), Some("idempotency-key"));
    Ok(())
}

#[tokio::test]
async fn reading_secrets_is_logged_without_the_secrets() -> Result<()> {
    let test = Fixture::new("audit").await?;
    let (api, customer) = (&test.api, &test.customer);
    let created = test.subscribe("/a").await?;
    let id = created.subscription.id.as_str();
    let rotated = api.rotate_secret(customer, id, &json!({})).await?;

    let answer = api.secrets(customer, id).answer().await?;
    assert_eq!(answer.header("cache-control"), "no-store");
    let shown: Value = serde_json::from_slice(&answer.body)?;
    let shown = shown["secrets"].as_array().context("secrets")?;
    let secrets: Vec<_> = shown.iter().map(|secret| &secret["secret"]).collect();
    assert_eq!(secrets, [&json!(rotated.secret), &json!(created.secret)]);
    assert_eq!(
        (&shown[0]["version"], &shown[1]["version"]),
        (&json!(2), &json!(1))
    );
    assert!(shown[1]["expiresAt"].is_string(), "{shown:?}");
    let strangers = api.secrets("somebody-else", id).answer().await?;
    assert_eq!(strangers.status, StatusCode::NOT_FOUND);

    let deadline = Instant::now() + ARRIVAL;
    let line = loop {
        let lines = log_lines(&test.stack, test.began_at_millis).await?;
        let audit = |line: &&String| line.contains("secrets shown") && line.contains(id);
        if let Some(line) = lines.iter().find(audit) {
            break line.clone();
        }
        assert!(Instant::now() < deadline, "no line of the audit");
        sleep(POLL_INTERVAL).await;
    };
    for secret in [&rotated.secret, &created.secret] {
        assert!(
            !line.contains(secret.trim_start_matches("whsec_")),
            "{line}"
        );
    }
    let line: Value = serde_json::from_str(&line)?;
    assert_eq!(line["customer.id"], json!(customer));
    assert_eq!(line["secret.versions"], "2,1");
    // AWS reports the caller, the emulator does not.
    if let Some(arn) = line["caller.arn"].as_str() {
        assert!(arn.starts_with("arn:aws:"), "{line}");
    }
    Ok(())
}

#[tokio::test]
async fn changing_a_subscription_is_logged_without_secrets_or_paths() -> Result<()> {
    let test = Fixture::new("audit-changes").await?;
    let (api, customer) = (&test.api, &test.customer);
    let header = json!({
        "secretHeaders": {"authorization": "Bearer k4y"},
        "authentication": {"type": "apiKey", "header": "x-token", "value": "k6y"},
    });
    let created = test.subscribe_with("/first?token=t0p", header).await?;
    let id = created.subscription.id.as_str();
    let change = json!({
        "url": test.receiver.url("/second?token=t1p"),
        "headers": {"x-api-key": "k3y"},
        "secretHeaders": {"x-key": "k5y"},
        "status": "paused",
    });
    api.update_subscription(customer, id, &change).await?;
    let moved = json!({"url": "https://example.com/third"});
    api.update_subscription(customer, id, &moved).await?;
    let rotated = api.rotate_secret(customer, id, &json!({})).await?;
    api.delete_subscription(customer, id).await?;

    let deadline = Instant::now() + ARRIVAL;
    let lines = loop {
        let lines = log_lines(&test.stack, test.began_at_millis).await?;
        let of_this = |line: &String| line.contains(id) && line.contains("\"message\":");
        let lines: Vec<_> = lines.into_iter().filter(of_this).collect();
        if lines
            .iter()
            .any(|line| line.contains("subscription deleted"))
        {
            break lines;
        }
        assert!(Instant::now() < deadline, "no line of the audit: {lines:?}");
        sleep(POLL_INTERVAL).await;
    };
    let parsed: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line))
        .collect::<Result<_, _>>()?;
    let all = |message: &str| -> Vec<_> {
        let found = parsed.iter().filter(|line| line["message"] == message);
        found
            .inspect(|line| assert_eq!(line["customer.id"], json!(customer), "{line}"))
            .collect()
    };
    let one = |message: &str| match all(message)[..] {
        [line] => Ok(line),
        _ => Err(anyhow!("not one line: {message}")),
    };
    assert_eq!(one("subscription created")?["secret.version"], 1);
    let audited = all("subscription changed");
    let of_fields = |fields: &str| {
        let found = audited.iter().find(|line| line["changed.fields"] == fields);
        found.with_context(|| format!("{fields}: {audited:?}"))
    };
    let changed = of_fields("url,headers,secretHeaders,status")?;
    assert_eq!(changed["secret_headers.changed"], "x-key");
    assert_eq!(changed.get("secret_headers.cleared"), None);
    assert_eq!(
        (&changed["status_before"], &changed["status"]),
        (&json!("active"), &json!("paused"))
    );
    assert_eq!(changed["url.origin"], changed["url.origin_before"]);
    let moved = of_fields("url,secretHeaders,authentication")?;
    assert_eq!(moved["authentication.cleared"], "apiKey");
    assert_eq!(moved["secret_headers.cleared"], "authorization,x-key");
    assert_eq!(one("secret replaced")?["secret.version"], 2);
    one("subscription deleted")?;
    let logged = lines.join("\n");
    for secret in [&rotated.secret, &created.secret] {
        assert!(!logged.contains(secret.trim_start_matches("whsec_")));
    }
    for hidden in [
        "t0p", "t1p", "k3y", "k4y", "k5y", "k6y", "/first", "/second", "/third",
    ] {
        assert!(!logged.contains(hidden), "{hidden}");
    }
    Ok(())
}
