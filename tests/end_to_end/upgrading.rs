//! A deployment of new code while deliveries are in flight.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use webhooks_client::{DeliveryStatus, Stack};
use webhooks_receiver::Answer;

use crate::fixture::Fixture;

/// Tests that run while no other test does.
mod alone {
    use super::*;

    #[tokio::test]
    async fn a_new_version_of_the_function_loses_no_delivery_in_flight() -> Result<()> {
        let (test, _alone) = Fixture::alone("upgrade").await?;
        // One attempt is in flight, and another delivery waits for its next attempt.
        test.receiver
            .script("/under-way", [Answer::ok().on_release()]);
        let under_way = test.subscribe("/under-way").await?;
        let failure = Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
        test.receiver.script("/waits", [failure, Answer::ok()]);
        let waits = test.subscribe("/waits").await?;
        test.put("order.created", json!({})).await?;
        let request = test.first_request("/under-way").await?;
        test.first_request("/waits").await?;

        replace_delivery_function(&test.stack).await?;
        test.receiver.release();
        for created in [&under_way, &waits] {
            let delivery = test.settled_delivery(request.webhook_id(), created).await?;
            assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
        }
        Ok(())
    }
}

/// Changes the function as a deployment does: Lambda starts new execution environments from then
/// on.
async fn replace_delivery_function(stack: &Stack) -> Result<()> {
    let functions = lambda(stack, Method::GET, "", &Value::Null).await?;
    let function = functions["Functions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|function| function["FunctionName"].as_str())
        .find(|name| name.contains("DeliverWebhookFunction"))
        .context("no DeliverWebhookFunction")?;
    let path = format!("{function}/configuration");
    let change = json!({"Description": "the next version"});
    lambda(stack, Method::PUT, &path, &change).await?;
    Ok(())
}

async fn lambda(stack: &Stack, method: Method, path: &str, body: &Value) -> Result<Value> {
    let host = format!("lambda.{}.amazonaws.com", stack.region());
    let body = match body {
        Value::Null => Bytes::new(),
        body => Bytes::from(body.to_string()),
    };
    let request = Request::builder()
        .method(method)
        .uri(format!("https://{host}/2015-03-31/functions/{path}"))
        .body(body)?;
    let response = stack.signed_http().send("lambda", request).await?;
    ensure!(response.status().is_success(), "{response:?}");
    Ok(serde_json::from_slice(response.body())?)
}
