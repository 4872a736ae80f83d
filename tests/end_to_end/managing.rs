//! Managing subscriptions through the API.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use webhooks_client::{Answered, ListLimit, Problem, SubscriptionStatus, SubscriptionsQuery};

use crate::fixture::Fixture;

/// Asserts that an answer is a problem with this status, and returns the problem.
/// Asserts that an answer is a problem with this status.
pub(crate) fn problem(answer: &Answered, status: StatusCode) -> Result<Problem> {
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
    assert_eq!(json!(subscription.filter), fields["filter"]);
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
    let mut query = SubscriptionsQuery {
        limit: Some(ListLimit::up_to(2)),
        cursor: None,
    };
    loop {
        let page = test.api.subscriptions(&test.customer, &query).await?;
        sizes.push(page.data.len());
        listed.extend(page.data.into_iter().map(|subscription| subscription.id));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    assert_eq!(&sizes[..3], [2, 2, 1], "{sizes:?}");
    assert_eq!(listed.len(), 5, "{listed:?}");
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), created);

    let all = test
        .api
        .subscriptions(&test.customer, &SubscriptionsQuery::default())
        .await?;
    assert_eq!(all.data.len(), 5);
    assert_eq!(all.next_cursor, None);
    let none = test
        .api
        .subscriptions("nobody", &SubscriptionsQuery::default())
        .await?;
    assert!(none.data.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_patch_changes_only_the_fields_that_it_names() -> Result<()> {
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
    let list = test
        .api
        .subscriptions(&test.customer, &SubscriptionsQuery::default())
        .await?;
    assert!(list.data.is_empty());
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
    let list = test
        .api
        .subscriptions(&test.customer, &SubscriptionsQuery::default())
        .await?;
    assert!(list.data.is_empty());
    Ok(())
}
