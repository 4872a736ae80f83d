//! One customer with many subscriptions.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Result;
use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use http::StatusCode;
use serde_json::json;
use webhooks_client::{DeliveryStatus, Error};

use crate::fixture::Fixture;

const SUBSCRIPTIONS: usize = 1_000;

/// A higher concurrency would only start more processes of the API's function.
const CREATED_AT_ONCE: usize = 4;

const ALL_ARRIVE: Duration = Duration::from_mins(4);

#[tokio::test]
async fn a_thousand_subscriptions_get_one_request_each() -> Result<()> {
    let test = Fixture::new("thousand").await?;
    stream::iter(0..SUBSCRIPTIONS)
        .map(|n| {
            let url = test.receiver.url(&format!("/many?n={n}"));
            let test = &test;
            async move { test.subscribe_with("/many", json!({"url": url})).await }
        })
        .buffer_unordered(CREATED_AT_ONCE)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    // A customer has this many subscriptions by default. Concurrent requests for more are all
    // refused.
    let one_more = (0..CREATED_AT_ONCE).map(|_| test.subscribe("/more"));
    for refused in join_all(one_more).await {
        let error = refused.unwrap_err();
        let Some(Error::Problem(problem)) = error.downcast_ref() else {
            return Err(error);
        };
        assert_eq!(problem.status, StatusCode::CONFLICT.as_u16(), "{problem}");
        assert!(
            problem.kind.ends_with(":too-many-subscriptions"),
            "{problem:?}"
        );
    }
    test.put("order.created", json!({"order": 1})).await?;

    let requests = test
        .receiver
        .received("/many", SUBSCRIPTIONS, ALL_ARRIVE)
        .await?;
    let message = test.settled(requests[0].webhook_id()).await?;
    assert_eq!(message.deliveries.len(), SUBSCRIPTIONS);
    for delivery in &message.deliveries {
        assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
    }
    let requests = test.receiver.requests();
    assert_eq!(requests.len(), SUBSCRIPTIONS);
    let endpoints: BTreeSet<_> = requests.iter().map(|r| r.query.clone()).collect();
    assert_eq!(endpoints.len(), SUBSCRIPTIONS);
    Ok(())
}
