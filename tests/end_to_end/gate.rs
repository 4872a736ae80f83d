//! The gate in front of the emulator: the requests that it refuses, and the failures that it
//! simulates.

use anyhow::{Context, Result, ensure};
use aws_sdk_sqs::error::ProvideErrorMetadata;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};
use webhooks_client::{AttemptOutcome, Stack};

use crate::fixture::Fixture;

/// The header that marks a request which the gate must refuse; its value names the member. Any
/// other refusal fails the run.
const EXPECTED: &str = "x-expected-refusal";

#[tokio::test]
async fn a_delay_that_aws_refuses_and_the_emulator_takes_is_refused() -> Result<()> {
    let test = Fixture::new("gate-delay").await?;
    let error = aws_sdk_sqs::Client::new(test.stack.sdk_config())
        .send_message()
        .queue_url(test.stack.output("DeliveryQueueUrl")?)
        .message_body("{}")
        .delay_seconds(901)
        .customize()
        .mutate_request(|request| {
            request.headers_mut().insert(EXPECTED, "DelaySeconds");
        })
        .send()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some("InvalidParameterValue"), "{error:?}");
    assert_eq!(
        error.message(),
        Some("DelaySeconds: 901 is not in 0 to 900"),
        "{error:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_member_that_the_service_does_not_have_is_refused() -> Result<()> {
    let test = Fixture::new("gate-member").await?;
    let queue = test.stack.output("DeliveryQueueUrl")?;
    let body = json!({"QueueUrl": queue, "MessageBody": "{}", "Priority": 1});
    let request = Request::post("https://sqs.us-east-1.amazonaws.com/")
        .header("x-amz-target", "AmazonSQS.SendMessage")
        .header("content-type", "application/x-amz-json-1.0")
        .header(EXPECTED, "Priority")
        .body(Bytes::from(body.to_string()))?;
    let answer = test.stack.signed_http().send("sqs", request).await?;
    assert_eq!(answer.status(), 400);
    let error: Value = serde_json::from_slice(answer.body())?;
    assert_eq!(error["message"], "Priority: unknown member", "{error}");
    Ok(())
}

#[tokio::test]
async fn a_table_that_throttles_for_a_moment_costs_no_attempt() -> Result<()> {
    let test = Fixture::new("gate-throttled").await?;
    let created = test.subscribe("/a").await?;
    // The SDK client of the function retries.
    let throttled = json!({
        "operation": "UpdateItem",
        "failure": "ProvisionedThroughputExceededException",
        "times": 1,
        "containing": created.subscription.id,
    });
    plant(&test.stack, &throttled).await?;
    test.put("order.created", json!({})).await?;
    let request = test.first_request("/a").await?;
    let delivery = test
        .settled_delivery(request.webhook_id(), &created)
        .await?;
    let outcomes: Vec<_> = delivery.attempts.iter().map(|a| a.outcome).collect();
    assert_eq!(outcomes, [AttemptOutcome::Succeeded], "{delivery:#?}");
    Ok(())
}

/// Makes the next calls fail, in a way that AWS may fail.
async fn plant(stack: &Stack, failure: &Value) -> Result<()> {
    let url = stack.endpoint().context("no emulator")?;
    let url = url.join("/_proxy/failures")?;
    let request = Request::post(url.as_str()).body(Bytes::from(failure.to_string()))?;
    let answer: Response<Bytes> = stack.signed_http().send("sqs", request).await?;
    ensure!(answer.status().is_success(), "{answer:?}");
    Ok(())
}
