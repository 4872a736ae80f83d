//! Events that cannot be delivered are kept, with the reason.

use anyhow::Result;
use serde_json::{Value, json};
use webhooks_client::ExecutionStatus;

use crate::{failed_events::failed_event, fixture::Fixture};

/// Starts the workflow with an event, and asserts that the event is kept with this error as the
/// reason. The execution itself succeeds.
async fn assert_kept(test: &Fixture, event: &Value, error: &str) -> Result<()> {
    let execution = test.run_workflow(event).await?;
    assert_eq!(
        execution.status,
        ExecutionStatus::Succeeded,
        "{execution:?}"
    );
    let event_error = execution.event_error.as_deref();
    assert_eq!(event_error, Some(error), "{execution:?}");

    let kept = failed_event(&test.stack, |kept| {
        kept.attributes.get("execution") == Some(&execution.arn)
    })
    .await?;
    assert_eq!(kept.attributes["error"], error, "{kept:?}");
    assert!(!kept.attributes["cause"].is_empty(), "{kept:?}");
    assert_eq!(serde_json::from_str::<Value>(&kept.body)?, *event);
    Ok(())
}

#[tokio::test]
async fn an_event_without_a_customer_id_is_kept() -> Result<()> {
    let test = Fixture::new("no-customer").await?;
    let mut event = test.envelope("1", "order.created", json!({"order": 1}));
    event["detail"]
        .as_object_mut()
        .unwrap()
        .remove("customerId");
    assert_kept(&test, &event, "MissingCustomerId").await
}

#[tokio::test]
async fn an_event_without_a_type_is_kept() -> Result<()> {
    let test = Fixture::new("no-type").await?;
    let mut event = test.envelope("1", "order.created", json!({"order": 1}));
    event.as_object_mut().unwrap().remove("detail-type");
    assert_kept(&test, &event, "MissingEventType").await
}

#[tokio::test]
async fn an_event_whose_detail_is_not_an_object_is_kept() -> Result<()> {
    let test = Fixture::new("no-object").await?;
    for detail in [
        json!("text"),
        json!([{"customerId": 1}]),
        json!(1),
        Value::Null,
    ] {
        let mut event = test.envelope("1", "order.created", json!({}));
        event["detail"] = detail;
        assert_kept(&test, &event, "DetailNotAnObject").await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_event_larger_than_the_workflow_can_carry_is_kept() -> Result<()> {
    let test = Fixture::new("too-large").await?;
    let detail = json!({"noise": incompressible(255_000)});
    let event = test.envelope("1", "order.created", detail);
    assert_kept(&test, &event, "EventTooLarge").await
}

/// Text that does not become shorter by gzip and base64.
fn incompressible(len: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut state = 1_u64;
    let mut next = || {
        // Knuth's linear congruential generator; its high bits are the most random.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(ALPHABET[(state >> 58) as usize])
    };
    (0..len).map(|_| next()).collect()
}

#[tokio::test]
async fn an_event_from_the_bus_is_kept_too() -> Result<()> {
    let test = Fixture::new("bus").await?;
    let marker = format!("marker-{}", test.customer);
    let detail = json!({"marker": marker}).to_string();
    test.put_event(test.raw_event("order.created", detail))
        .await?;

    let kept = failed_event(&test.stack, |kept| kept.body.contains(&marker)).await?;
    assert_eq!(kept.attributes["error"], "MissingCustomerId", "{kept:?}");
    let event: Value = serde_json::from_str(&kept.body)?;
    assert_eq!(event["detail"]["marker"], marker.as_str());
    assert_eq!(event["detail-type"], "order.created");
    Ok(())
}
