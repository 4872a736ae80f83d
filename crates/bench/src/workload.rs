//! Subscriptions, messages and deliveries, created by the real functions.
//!
//! `api` creates the subscriptions, and `look-up-subscriptions` and `prepare-calls` create the
//! items that the workflow would write. So the benchmark does not depend on the form of an
//! item.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use webhooks_client::CreatedSubscription;

use crate::{
    function::{Function, Surroundings},
    stub_aws::StubAws,
};

/// The customer of all deliveries.
pub(crate) const CUSTOMER: &str = "cust_1001";

/// Creates subscriptions with the real API.
pub(crate) struct Subscriber {
    api: Function,
}

impl Subscriber {
    pub(crate) async fn start(surroundings: &Surroundings) -> Result<Self> {
        let api = Function::start(surroundings, "api").await?;
        Ok(Self { api })
    }

    /// Creates a subscription of a customer.
    pub(crate) async fn create(
        &mut self,
        customer: &str,
        subscription: &Value,
    ) -> Result<CreatedSubscription> {
        let path = format!("/customers/{customer}/subscriptions");
        let answer = self
            .api
            .invoke(function_url_event(&path, subscription).to_string())
            .await?;
        let answer: Value = serde_json::from_slice(&answer.body)?;
        ensure!(answer["statusCode"] == 201, "subscribing: {answer}");
        let body = answer["body"]
            .as_str()
            .context("an answer without a body")?;
        Ok(serde_json::from_str(body)?)
    }
}

/// Builds the event that a Function URL passes to a function.
fn function_url_event(path: &str, body: &Value) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": "application/json", "host": "bench.lambda-url.us-east-1.on.aws"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "bench",
            "authorizer": {"iam": {
                "accessKey": "AKIDEXAMPLE",
                "accountId": "123456789012",
                "callerId": "AIDEXAMPLE",
                "userArn": "arn:aws:iam::123456789012:user/bench",
                "userId": "AIDEXAMPLE",
            }},
            "domainName": "bench.lambda-url.us-east-1.on.aws",
            "domainPrefix": "bench",
            "http": {
                "method": "POST",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "bench",
            },
            "requestId": "bench",
            "routeKey": "$default",
            "stage": "$default",
            "time": "24/Nov/2026:00:00:00 +0000",
            "timeEpoch": 1_795_478_400_000_u64,
        },
        "body": body.to_string(),
        "isBase64Encoded": false,
    })
}

/// Builds an event with about 1 KB of detail, in the form in which EventBridge passes it to the
/// workflow.
pub(crate) fn event(customer: &str, event_type: &str, number: usize) -> Value {
    let lines = (0..11).map(|n| {
        json!({
            "sku": format!("SKU-{:07}", (number + n) * 7_919_993 % 9_999_991),
            "name": format!("Article number {n} of the catalogue"),
            "quantity": n % 3 + 1,
            "price": format!("{}.{:02}", (number + n) * 37 % 101, n * 53 % 100),
        })
    });
    json!({
        "version": "0",
        "id": format!("4ff6bd79-7b06-4b43-9d9f-{number:012x}"),
        "detail-type": event_type,
        "source": "com.example.shop",
        "account": "123456789012",
        "time": "2026-11-24T09:30:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {"customerId": customer, "total": number, "lines": lines.collect::<Vec<_>>()},
    })
}

/// Creates deliveries as the workflow does, with its two functions.
pub(crate) struct Workflow {
    look_up: Function,
    prepare: Function,
}

impl Workflow {
    pub(crate) async fn start(surroundings: &Surroundings) -> Result<Self> {
        Ok(Self {
            look_up: Function::start(surroundings, "look-up-subscriptions").await?,
            prepare: Function::start(surroundings, "prepare-calls").await?,
        })
    }

    /// Looks up the first page of an event's subscriptions.
    pub(crate) async fn look_up(&mut self, event: &Value) -> Result<Value> {
        let page = self.look_up.invoke(event.to_string()).await?;
        Ok(serde_json::from_slice(&page.body)?)
    }

    /// Records the deliveries of an event in the stub's table. Returns the bodies of the queue
    /// messages.
    pub(crate) async fn record(&mut self, aws: &StubAws, event: &Value) -> Result<Vec<String>> {
        let page = self.look_up(event).await?;
        let calls = self.prepare.invoke(page.to_string()).await?;
        let mut calls: Value = serde_json::from_slice(&calls.body)?;
        aws.put(calls["message"].take())?;
        let mut bodies = Vec::new();
        for call in calls["calls"].as_array_mut().context("no calls")? {
            aws.put(call["item"].take())?;
            let body = call["queue"]["body"].as_str();
            bodies.push(body.context("a call that is not queued")?.to_owned());
        }
        Ok(bodies)
    }
}

/// Builds a batch as SQS passes it to a function.
pub(crate) fn batch<'a>(bodies: impl IntoIterator<Item = &'a str>) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let sent = now.as_millis().to_string();
    let record = |(index, body): (usize, &str)| {
        json!({
            "messageId": format!("059f36b4-87a3-44ab-83d2-{index:012}"),
            "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0aExampleExampleExampleExampleExample\
                ExampleExampleExampleExampleExampleExampleExampleExampleExampleExample==",
            "body": body,
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": sent,
                "SenderId": "AIDAIENQZJOLO23YVJ4VO",
                "ApproximateFirstReceiveTimestamp": sent,
                "MessageGroupId": "sub_00000000000000000000000000000001",
            },
            "messageAttributes": {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:bench",
            "awsRegion": "us-east-1",
        })
    };
    let records: Vec<Value> = bodies.into_iter().enumerate().map(record).collect();
    json!({ "Records": records }).to_string()
}
