//! Fills a table with many subscriptions: copies of a real one, written directly.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::stack::{Aws, Deployment, Service};

/// The number of items in one call (a limit of `BatchWriteItem`).
const BATCH: usize = 25;

/// The number of concurrent calls.
const AT_ONCE: usize = 4;

/// The customer of the copies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Owner<'a> {
    /// Each copy has its own customer.
    Others,
    /// All copies belong to one customer.
    One(&'a str),
}

/// The copied item, and the number of copies.
pub(crate) struct Filler {
    aws: Aws,
    table: String,
    /// The item as JSON. It contains the next two ids.
    item: String,
    customer: String,
    subscription: String,
    written: usize,
}

impl Filler {
    /// Creates the subscription to copy. It matches no event of the benchmark, and neither do
    /// the copies.
    pub(crate) async fn start(deployment: &Deployment) -> Result<Self> {
        let customer = "fill";
        let model = json!({"url": "https://example.com/webhooks", "eventTypes": ["never.put"]});
        let created = deployment.api.create_subscription(customer, &model).await?;
        let subscription = created.subscription.id;
        let table = deployment.stack.output("TableName")?.to_owned();
        // The table's key attributes, which the rest of the benchmark does not use.
        let key = json!({
            "pk": {"S": format!("CUSTOMER#{customer}")},
            "sk": {"S": format!("SUBSCRIPTION#{subscription}")},
        });
        let aws = deployment.aws.clone();
        let found = aws
            .call(
                Service::DynamoDb,
                "GetItem",
                &json!({"TableName": table, "Key": key}),
            )
            .await?;
        ensure!(found["Item"].is_object(), "no item of `{subscription}`");
        Ok(Self {
            aws,
            table,
            item: found["Item"].to_string(),
            customer: customer.to_owned(),
            subscription,
            written: 0,
        })
    }

    /// Writes as many copies as the time permits, and returns their number.
    pub(crate) async fn write(
        &mut self,
        copies: usize,
        owner: Owner<'_>,
        within: Duration,
    ) -> Result<usize> {
        let started = Instant::now();
        let mut calls = JoinSet::new();
        let mut done = 0;
        while done < copies && started.elapsed() < within {
            let batch = BATCH.min(copies - done);
            let body = self.batch(batch, owner)?;
            let aws = self.aws.clone();
            calls.spawn(async move { aws.call(Service::DynamoDb, "BatchWriteItem", &body).await });
            done += batch;
            if calls.len() == AT_ONCE
                && let Some(written) = calls.join_next().await
            {
                all_written(&written??)?;
            }
            if done % 10_000 < BATCH && done >= 10_000 {
                eprintln!("fill: {done} of {copies} subscriptions");
            }
        }
        while let Some(written) = calls.join_next().await {
            all_written(&written??)?;
        }
        Ok(done)
    }

    fn batch(&mut self, size: usize, owner: Owner<'_>) -> Result<Value> {
        let puts = (0..size).map(|_| {
            let item = self.copy(owner)?;
            Ok(json!({"PutRequest": {"Item": item}}))
        });
        let puts = puts.collect::<Result<Vec<_>>>()?;
        Ok(json!({"RequestItems": {&self.table: puts}}))
    }

    fn copy(&mut self, owner: Owner<'_>) -> Result<Value> {
        self.written += 1;
        let customer = match owner {
            Owner::Others => format!("fill-{}", self.written),
            Owner::One(customer) => customer.to_owned(),
        };
        let subscription = numbered(&self.subscription, self.written);
        let text = self
            .item
            .replace(
                &format!("CUSTOMER#{}\"", self.customer),
                &format!("CUSTOMER#{customer}\""),
            )
            .replace(
                &format!("\"{}\"", self.customer),
                &format!("\"{customer}\""),
            )
            .replace(&self.subscription, &subscription);
        serde_json::from_str(&text).context("a copy of an item")
    }
}

/// Returns another id of the same form, whose last digits are a number.
fn numbered(id: &str, number: usize) -> String {
    let digits = format!("{number:012x}");
    format!("{}{digits}", &id[..id.len().saturating_sub(digits.len())])
}

fn all_written(answer: &Value) -> Result<()> {
    let left = answer["UnprocessedItems"].as_object();
    ensure!(
        left.is_none_or(serde_json::Map::is_empty),
        "not all items were written: {answer}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_an_id_of_its_own_of_the_same_length() {
        let id = "sub_00112233445566778899aabbccddeeff";
        assert_eq!(numbered(id, 255), "sub_001122334455667788990000000000ff");
        assert_eq!(numbered(id, 1).len(), id.len());
        assert_ne!(numbered(id, 1), numbered(id, 2));
    }
}
