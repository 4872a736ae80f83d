//! The list of unhealthy subscriptions: of one customer, of all customers, and in the command line.

use anyhow::{Result, ensure};
use http::StatusCode;
use serde_json::json;
use tokio::time::{Instant, sleep};
use webhooks_cli::Outcome;
use webhooks_client::{
    CustomerUnhealthyQuery, DisabledReason, ListLimit, OwedDeliveries, ProblemKind,
    SubscriptionStatus, UnhealthyQuery, UnhealthySubscription,
};
use webhooks_receiver::Answer;

use crate::command_line::{webhooks, webhooks_text};
use crate::fixture::{ALL_ATTEMPTS, Fixture, POLL_INTERVAL};

/// The whole list: of the test's customer, or of all customers.
async fn listed(
    test: &Fixture,
    customer: Option<&str>,
    kind: Option<ProblemKind>,
) -> Result<Vec<UnhealthySubscription>> {
    let (mut listed, mut cursor) = (Vec::new(), None);
    let limit = Some(ListLimit::up_to(2));
    loop {
        let page = match customer {
            Some(customer) => {
                let query = CustomerUnhealthyQuery {
                    kind,
                    limit,
                    cursor,
                };
                test.api
                    .unhealthy_subscriptions_of_customer(customer, &query)
            }
            None => test.api.unhealthy_subscriptions(&UnhealthyQuery {
                kind,
                limit,
                cursor,
            }),
        };
        let page = page.await?;
        assert_eq!(page.broken, []);
        listed.extend(page.data);
        cursor = page.next_cursor;
        if cursor.is_none() {
            listed.retain(|found| found.customer_id == test.customer);
            return Ok(listed);
        }
    }
}

/// Waits until the list of all customers has one subscription of the test that is owed this many.
async fn listed_when_owed(test: &Fixture, count: u32) -> Result<()> {
    let owed = OwedDeliveries {
        count,
        complete: true,
    };
    let deadline = Instant::now() + ALL_ATTEMPTS;
    loop {
        let all = listed(test, None, None).await?;
        if matches!(all.as_slice(), [found] if found.owed == owed) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{all:#?}");
        sleep(POLL_INTERVAL).await;
    }
}

#[tokio::test]
async fn a_disabled_subscription_is_listed_until_it_is_enabled() -> Result<()> {
    let test = Fixture::new("unhealthy").await?;
    test.receiver
        .script("/gone", [Answer::status(StatusCode::GONE), Answer::ok()]);
    let gone = test.subscribe("/gone").await?.subscription;
    let well = test.subscribe("/well").await?.subscription;
    assert_eq!(listed(&test, None, None).await?, []);
    test.put("order.created", json!({"n": 1})).await?;
    test.first_request("/gone").await?;
    test.first_request("/well").await?;
    listed_when_owed(&test, 0).await?;
    // While it is disabled its deliveries are held.
    test.put("order.created", json!({"n": 2})).await?;
    test.requests("/well", 2).await?;
    listed_when_owed(&test, 1).await?;

    let customer = test.customer.as_str();
    for kind in [None, Some(ProblemKind::Disabled)] {
        for customer in [None, Some(customer)] {
            let all = listed(&test, customer, kind).await?;
            let [found] = all.as_slice() else {
                anyhow::bail!("{all:#?}");
            };
            assert_eq!((&found.id, &found.url), (&gone.id, &gone.url));
            assert_eq!(found.status, SubscriptionStatus::Disabled);
            assert_eq!(found.disabled_reason, Some(DisabledReason::EndpointGone));
            assert_eq!(found.problems[0].kind, ProblemKind::Disabled);
            assert_eq!(found.problems[0].since, found.since);
        }
    }
    assert_eq!(
        listed(&test, Some(customer), Some(ProblemKind::Slow)).await?,
        []
    );

    let (outcome, table) = webhooks_text(&["unhealthy", customer]).await?;
    assert_eq!(outcome, Outcome::Complete);
    let enable = format!("webhooks subscriptions enable {customer} {}", gone.id);
    assert!(
        table.contains("disabled") && table.contains(&enable),
        "{table}"
    );
    assert!(!table.contains(&well.id), "{table}");
    let (_, json) = webhooks(&["unhealthy", "--kind", "disabled", "--all"]).await?;
    let ids = json["data"].as_array().into_iter().flatten();
    assert!(ids.into_iter().any(|row| row["id"] == gone.id), "{json}");

    test.api
        .enable_subscription(customer, &gone.id, None)
        .await?;
    assert_eq!(listed(&test, None, None).await?, []);
    assert_eq!(listed(&test, Some(customer), None).await?, []);
    Ok(())
}
