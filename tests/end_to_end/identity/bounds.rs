//! The quotas of a customer.

use anyhow::Result;
use futures_util::{StreamExt, stream};
use http::StatusCode;
use serde_json::{Value, json};
use webhooks_client::Error;

use crate::fixture::Fixture;

/// The limit for all subscriptions of a customer together.
const MAX_BYTES: usize = 1_048_576;
/// A lower bound for the size of each subscription below.
const BYTES_OF_EACH: usize = 12_000;
const CREATED_AT_ONCE: usize = 6;

/// Fields that make a subscription nearly as large as is allowed.
fn large(n: usize) -> Value {
    let metadata: serde_json::Map<_, _> = (0..20)
        .map(|pair| (format!("name-{pair}"), json!("x".repeat(256))))
        .collect();
    let headers = json!({"x-one": "x".repeat(2_000), "x-two": "x".repeat(2_000)});
    json!({
        "description": format!("{n}{}", "x".repeat(500)),
        "metadata": metadata,
        "headers": headers,
        "filter": {"wanted": ["x".repeat(2_000)]},
    })
}

#[tokio::test]
async fn concurrent_creations_never_exceed_the_quotas_of_a_customer() -> Result<()> {
    let test = Fixture::new("bounds").await?;
    let most = MAX_BYTES / BYTES_OF_EACH;
    let path = format!("/{}", "p".repeat(1_500));
    let created: Vec<_> = stream::iter(0..most + CREATED_AT_ONCE)
        .map(|n| {
            let (test, path) = (&test, &path);
            async move { test.subscribe_with(path, large(n)).await }
        })
        .buffer_unordered(CREATED_AT_ONCE)
        .collect()
        .await;
    let mut ids = Vec::new();
    let mut refused = 0;
    for created in created {
        match created {
            Ok(created) => ids.push(created.subscription.id),
            Err(error) => {
                let Some(Error::Problem(problem)) = error.downcast_ref() else {
                    return Err(error);
                };
                assert_eq!(problem.status, StatusCode::CONFLICT.as_u16(), "{problem}");
                let words = problem.to_string();
                assert!(words.contains(&test.customer), "{words}");
                assert!(words.contains("1048576 bytes together"), "{words}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "{} were created", ids.len());
    assert!(ids.len() * BYTES_OF_EACH <= MAX_BYTES, "{}", ids.len());
    // A deleted subscription does not count.
    let deleted = ids.pop().unwrap();
    test.subscribe_with(&path, large(0)).await.unwrap_err();
    test.api
        .delete_subscription(&test.customer, &deleted)
        .await?;
    test.subscribe_with(&path, large(0)).await?;
    test.subscribe_with(&path, large(0)).await.unwrap_err();
    Ok(())
}
