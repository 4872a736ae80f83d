//! Managing subscriptions through the API.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use webhooks_client::{Answered, Error, Problem, SubscriptionStatus};

use crate::fixture::Fixture;

/// Holds that an answer is a problem with a status, and returns the problem.
fn problem(answer: &Answered, status: StatusCode) -> Result<Problem> {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.content_type, "application/problem+json");
    let problem = answer.problem().with_context(|| answer.text())?;
    assert_eq!(problem.status, status.as_u16(), "{problem}");
    Ok(problem)
}

#[tokio::test]
async fn a_subscription_is_shown_as_it_was_created() -> Result<()> {
    let test = Fixture::new("create").await?;
    let fields = json!({
        "eventTypes": ["order.*", "invoice.created"],
        "filter": {"country": ["CH"]},
        "description": "Bücher & Söhne",
        "headers": {"x-tenant": "blue"},
        "payloadFormat": "detail",
        "timeoutSeconds": 2,
        "metadata": {"plan": "gold", "owner": "team \"a\""},
        "retryPolicy": {"schedule": [0, 60, 3600], "jitter": 0.5},
    });
    let created = test.subscribe_with("/a", fields.clone()).await?;
    let subscription = &created.subscription;
    assert!(subscription.id.starts_with("sub_"));
    assert_eq!(subscription.customer_id, test.customer);
    assert_eq!(subscription.url, test.receiver.url("/a"));
    assert_eq!(json!(subscription.event_types), fields["eventTypes"]);
    assert_eq!(subscription.filter.as_ref(), Some(&fields["filter"]));
    assert_eq!(json!(subscription.description), fields["description"]);
    assert_eq!(json!(subscription.headers), fields["headers"]);
    assert_eq!(json!(subscription.retry_policy), fields["retryPolicy"]);
    let path = [
        "customers",
        &test.customer,
        "subscriptions",
        &subscription.id,
    ];
    let shown = test.api.request(Method::GET, &path, &[], None).await?;
    let shown: Value = serde_json::from_str(&shown.text())?;
    for field in ["payloadFormat", "timeoutSeconds", "metadata"] {
        assert_eq!(shown[field], fields[field], "{field}");
    }
    assert_eq!(subscription.status, SubscriptionStatus::Active);
    assert_eq!(subscription.created_at, subscription.updated_at);

    let shown = test.api.subscription(&test.customer, &subscription.id);
    assert_eq!(shown.await?, *subscription);
    Ok(())
}

#[tokio::test]
async fn a_secret_is_shown_once() -> Result<()> {
    let test = Fixture::new("secret").await?;
    let created = test.subscribe("/a").await?;
    let secret = created.secret.trim_start_matches("whsec_");
    let id = created.subscription.id.as_str();

    let one = ["customers", &test.customer, "subscriptions", id];
    let list = &one[..3];
    let describe = json!({"description": "new"});
    for (method, path, body) in [
        (Method::GET, &one[..], None),
        (Method::GET, list, None),
        (Method::PATCH, &one[..], Some(&describe)),
        (
            Method::PATCH,
            &one[..],
            Some(&json!({"secret": created.secret})),
        ),
    ] {
        let answer = test.api.request(method.clone(), path, &[], body).await?;
        assert_eq!(answer.status, StatusCode::OK, "{method}: {}", answer.text());
        let body = String::from_utf8(answer.body.to_vec())?;
        assert!(body.contains(id), "{method}: {body}");
        assert!(!body.contains(secret), "{method}: {body}");
        assert!(!body.contains("whsec_"), "{method}: {body}");
    }
    Ok(())
}

#[tokio::test]
async fn a_list_is_read_page_by_page() -> Result<()> {
    let test = Fixture::new("list").await?;
    let mut created = BTreeSet::new();
    for n in 0..5 {
        let path = format!("/{n}");
        created.insert(test.subscribe(&path).await?.subscription.id);
    }
    let mut listed = Vec::new();
    let mut sizes = Vec::new();
    let mut cursor = None;
    loop {
        let page = test
            .api
            .subscriptions(&test.customer, Some(2), cursor.as_deref())
            .await?;
        sizes.push(page.data.len());
        listed.extend(page.data.into_iter().map(|subscription| subscription.id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(&sizes[..3], [2, 2, 1], "{sizes:?}");
    assert_eq!(listed.len(), 5, "{listed:?}");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), created);

    let all = test.api.subscriptions(&test.customer, None, None).await?;
    assert_eq!(all.data.len(), 5);
    assert_eq!(all.next_cursor, None);
    let none = test.api.subscriptions("nobody", None, None).await?;
    assert!(none.data.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_patch_changes_what_it_names() -> Result<()> {
    let test = Fixture::new("patch").await?;
    let fields = json!({"description": "old", "headers": {"x-a": "1", "x-b": "2"}});
    let before = test.subscribe_with("/a", fields).await?.subscription;
    let patch = json!({
        "url": test.receiver.url("/b"),
        "eventTypes": ["*"],
        "status": "paused",
        "description": null,
        "headers": {"x-a": null, "x-c": "3"},
    });
    let patched = test
        .api
        .update_subscription(&test.customer, &before.id, &patch)
        .await?;
    assert_eq!(patched.id, before.id);
    assert_eq!(patched.url, test.receiver.url("/b"));
    assert_eq!(patched.event_types, ["*"]);
    assert_eq!(patched.status, SubscriptionStatus::Paused);
    assert_eq!(patched.description, None);
    assert_eq!(json!(patched.headers), json!({"x-b": "2", "x-c": "3"}));
    assert_eq!(patched.created_at, before.created_at);
    let shown = test.api.subscription(&test.customer, &before.id).await?;
    assert_eq!(shown, patched);

    let same = test
        .api
        .update_subscription(&test.customer, &before.id, &json!({}))
        .await?;
    assert_eq!(same.url, patched.url);
    assert_eq!(same.status, patched.status);
    Ok(())
}

#[tokio::test]
async fn a_deleted_subscription_is_unknown() -> Result<()> {
    let test = Fixture::new("delete").await?;
    let id = test.subscribe("/a").await?.subscription.id;
    let path = ["customers", &test.customer, "subscriptions", &id];
    let deleted = test.api.request(Method::DELETE, &path, &[], None).await?;
    assert_eq!(deleted.status, StatusCode::NO_CONTENT, "{}", deleted.text());
    assert!(deleted.body.is_empty());

    for method in [Method::GET, Method::PATCH] {
        let body = (method == Method::PATCH).then(|| json!({"description": "new"}));
        let answer = test.api.request(method, &path, &[], body.as_ref()).await?;
        problem(&answer, StatusCode::NOT_FOUND)?;
    }
    let list = test.api.subscriptions(&test.customer, None, None).await?;
    assert!(list.data.is_empty());
    Ok(())
}

#[tokio::test]
async fn another_customers_subscription_is_unknown() -> Result<()> {
    let test = Fixture::new("owner").await?;
    let subscription = test.subscribe("/a").await?.subscription;
    let path = [
        "customers",
        "somebody-else",
        "subscriptions",
        &subscription.id,
    ];
    let pause = json!({"status": "paused"});
    for (method, body) in [
        (Method::GET, None),
        (Method::PATCH, Some(&pause)),
        (Method::DELETE, None),
    ] {
        let answer = test.api.request(method, &path, &[], body).await?;
        problem(&answer, StatusCode::NOT_FOUND)?;
    }
    let shown = test.api.subscription(&test.customer, &subscription.id);
    assert_eq!(shown.await?, subscription);
    Ok(())
}

#[tokio::test]
async fn an_unsigned_request_is_refused() -> Result<()> {
    let test = Fixture::new("unsigned").await?;
    let unsigned = test.api.unsigned();
    let path = ["customers", &test.customer, "subscriptions"];
    let body = json!({"url": test.receiver.url("/a"), "eventTypes": ["*"]});
    for (method, body) in [(Method::GET, None), (Method::POST, Some(&body))] {
        let answer = unsigned.request(method, &path, &[], body).await?;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.text());
    }
    let list = test.api.subscriptions(&test.customer, None, None).await?;
    assert!(list.data.is_empty());
    Ok(())
}

/// Each with the field that the problem must name.
fn bad_fields() -> Vec<(&'static str, Value)> {
    // Each of 14 waits is a week; the stack keeps a delivery for 90 days.
    let mut longer_than_kept = vec![604_800; 15];
    longer_than_kept[0] = 0;
    let longer_than_kept = json!({"schedule": longer_than_kept});
    let long_url = format!("https://example.com/{}", "a".repeat(2_048));
    vec![
        ("url", json!({"url": null})),
        ("url", json!({"url": 1})),
        ("url", json!({"url": ""})),
        ("url", json!({"url": "example.com"})),
        ("url", json!({"url": "http://example.com/"})),
        ("url", json!({"url": "ftp://example.com/"})),
        ("url", json!({"url": "https://user:password@example.com/"})),
        ("url", json!({"url": "https://example.com/#fragment"})),
        ("url", json!({"url": "https://10.0.0.1/"})),
        (
            "url",
            json!({"url": "http://169.254.169.254/latest/meta-data"}),
        ),
        ("url", json!({"url": "https://localhost/"})),
        ("url", json!({"url": "https://database.internal/"})),
        ("url", json!({"url": "https://example.com:22/"})),
        ("url", json!({"url": long_url})),
        ("eventTypes", json!({"eventTypes": null})),
        ("eventTypes", json!({"eventTypes": []})),
        ("eventTypes", json!({"eventTypes": "order.created"})),
        ("eventTypes", json!({"eventTypes": [""]})),
        ("eventTypes", json!({"eventTypes": ["order.*.created"]})),
        ("eventTypes", json!({"eventTypes": ["*.created"]})),
        ("filter", json!({"filter": "total > 100"})),
        ("filter", json!({"filter": {"total": "100"}})),
        (
            "filter",
            json!({"filter": {"total": [{"numeric": ["near", 1]}]}}),
        ),
        ("payloadFormat", json!({"payloadFormat": "raw"})),
        ("timeoutSeconds", json!({"timeoutSeconds": 0})),
        // More than this stack's RequestTimeoutSeconds.
        ("timeoutSeconds", json!({"timeoutSeconds": 4})),
        ("metadata", json!({"metadata": {"plan": 7}})),
        ("metadata", json!({"metadata": {"plan": "x".repeat(257)}})),
        ("headers", json!({"headers": {"x y": "1"}})),
        ("headers", json!({"headers": {"x-a": "1\r\nx-b: 2"}})),
        (
            "headers",
            json!({"headers": {"webhook-signature": "v1,forged"}}),
        ),
        ("headers", json!({"headers": {"host": "example.com"}})),
        ("headers", json!({"headers": {"content-length": "1"}})),
        ("retryPolicy", json!({"retryPolicy": {"schedule": [5]}})),
        (
            "retryPolicy",
            json!({"retryPolicy": {"schedule": [0], "jitter": 2}}),
        ),
        ("retryPolicy", json!({"retryPolicy": {"maxAttempts": 5}})),
        ("retryPolicy", json!({"retryPolicy": {"attempts": 5}})),
        ("retryPolicy", json!({"retryPolicy": longer_than_kept})),
        ("secret", json!({"secret": "hunter2"})),
        ("secret", json!({"secret": "whsec_c2hvcnQ="})),
        (
            "secret",
            json!({"secret": "whsec_not base64 at all, but long enough"}),
        ),
        ("secret", json!({"secret": "whsk_c2hvcnQ="})),
        ("status", json!({"status": "sleeping"})),
        ("description", json!({"description": "d".repeat(10_000)})),
    ]
}

#[tokio::test]
async fn a_bad_field_is_named() -> Result<()> {
    let test = Fixture::new("bad-fields").await?;
    let id = test.subscribe("/a").await?.subscription.id;
    let list = ["customers", &test.customer, "subscriptions"];
    let one = ["customers", &test.customer, "subscriptions", &id];
    let mut faults = Vec::new();
    for (field, fields) in bad_fields() {
        let mut whole = json!({"url": test.receiver.url("/b"), "eventTypes": ["*"]});
        for (name, value) in fields.as_object().unwrap() {
            whole[name] = value.clone();
        }
        for (method, path, body) in [
            (Method::POST, &list[..], &whole),
            (Method::PATCH, &one[..], &fields),
        ] {
            let answer = test
                .api
                .request(method.clone(), path, &[], Some(body))
                .await?;
            let problem = answer.problem();
            let named = problem
                .as_ref()
                .and_then(|problem| problem.field.as_deref());
            let good = answer.status.is_client_error()
                && answer.content_type == "application/problem+json"
                && named.is_some_and(|named| named.starts_with(field));
            if !good {
                let start: String = body.to_string().chars().take(200).collect();
                faults.push(format!(
                    "{method} {start}: {} {}",
                    answer.status,
                    answer.text()
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let list = test.api.subscriptions(&test.customer, None, None).await?;
    assert_eq!(list.data.len(), 1, "nothing bad was created");
    Ok(())
}

#[tokio::test]
async fn a_required_field_is_named_when_it_is_missing() -> Result<()> {
    let test = Fixture::new("missing").await?;
    let path = ["customers", &test.customer, "subscriptions"];
    for (field, body) in [
        ("url", json!({"eventTypes": ["*"]})),
        ("eventTypes", json!({"url": "https://example.com/"})),
        (
            "colour",
            json!({"url": "https://example.com/", "eventTypes": ["*"], "colour": "red"}),
        ),
    ] {
        let answer = test
            .api
            .request(Method::POST, &path, &[], Some(&body))
            .await?;
        assert!(answer.status.is_client_error(), "{body}: {}", answer.text());
        let problem = answer.problem().with_context(|| answer.text())?;
        assert_eq!(problem.field.as_deref(), Some(field), "{body}: {problem}");
    }
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_not_a_json_object_is_refused() -> Result<()> {
    let test = Fixture::new("not-json").await?;
    let path = ["customers", &test.customer, "subscriptions"];
    for body in ["", "{", "[]", "\"text\"", "null", "\u{0}"] {
        let body = Bytes::from(body);
        let answer = test
            .api
            .request_bytes(Method::POST, &path, &[], Some(body.clone()))
            .await?;
        assert!(
            answer.status.is_client_error(),
            "{body:?}: {}",
            answer.text()
        );
        let problem = answer.problem().with_context(|| answer.text())?;
        assert_eq!(problem.status, answer.status.as_u16(), "{body:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_bad_page_is_refused() -> Result<()> {
    let test = Fixture::new("bad-page").await?;
    let path = ["customers", &test.customer, "subscriptions"];
    for (name, value) in [
        ("limit", "0"),
        ("limit", "-1"),
        ("limit", "many"),
        ("limit", "1000000"),
        ("cursor", "not a cursor"),
    ] {
        let answer = test
            .api
            .request(Method::GET, &path, &[(name, value)], None)
            .await?;
        assert!(
            answer.status.is_client_error(),
            "{name}={value}: {}",
            answer.text()
        );
        let problem = answer.problem().with_context(|| answer.text())?;
        assert_eq!(problem.field.as_deref(), Some(name), "{value}: {problem}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() -> Result<()> {
    let test = Fixture::new("unknown").await?;
    let message_id = format!("msg_{}", "0".repeat(32));
    match test.api.message(&message_id).await {
        Err(Error::Problem(problem)) => assert_eq!(problem.status, 404, "{problem}"),
        other => panic!("{other:?}"),
    }
    let delivery_id = format!("dlv_{0}_{0}", "0".repeat(32));
    match test.api.delivery(&delivery_id).await {
        Err(Error::Problem(problem)) => assert_eq!(problem.status, 404, "{problem}"),
        other => panic!("{other:?}"),
    }
    let nowhere = test.api.request(Method::GET, &["nowhere"], &[], None);
    problem(&nowhere.await?, StatusCode::NOT_FOUND)?;
    let path = ["messages", &message_id];
    let wrong_method = test.api.request(Method::DELETE, &path, &[], None);
    problem(&wrong_method.await?, StatusCode::METHOD_NOT_ALLOWED)?;
    Ok(())
}
