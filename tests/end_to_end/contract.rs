//! The contract suites of the ports, on DynamoDB: the stores' promises hold on
//! the table as they do in memory.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, BillingMode, GlobalSecondaryIndex};
use serde_dynamo::Item;
use webhooks_domain::delivery::{Delivery, DeliveryStatus};
use webhooks_domain::message::Message;
use webhooks_dynamodb::item::{delivery_item, message_item};
use webhooks_dynamodb::{DynamoStore, Segment};
use webhooks_testkit::{contract, samples};

use crate::fixture::Fixture;

/// A table of this test's own: the stack's holds a data key that is in use.
const TABLE: &str = "contract-tests";

#[tokio::test]
async fn the_table_keeps_the_promises_of_the_ports() {
    let fixture = Fixture::new("contract").await.unwrap();
    let client = Client::new(fixture.stack.sdk_config());
    let like = fixture.stack.output("TableName").unwrap();
    create_table(&client, TABLE, like).await;
    let store = DynamoStore::new(client.clone(), TABLE.to_owned()).standing_at(samples::NOW);

    overdue_deliveries(&client, &store).await;
    contract::limiters(&store).await;
    contract::subscription_pages(&store, "bolt").await;
    let put = async |message, delivery| put(&client, &message, &delivery).await;
    for (store, salt) in [
        (&store, "acme"),
        (&store.clone().batching_reads(), "gathers"),
    ] {
        contract::subscriptions(store, salt).await;
        contract::health(store, salt).await;
        contract::creations(store, salt).await;
        contract::expired_deliveries(store, salt, put).await;
        contract::deliveries(store, salt, put).await;
        contract::due_index(store, salt, put).await;
        contract::reopening(store, salt, put).await;
        contract::reads_at_once(store, &format!("{salt}-at-once"), put).await;
    }
    contract::lists(&store, "lists", put).await;
    contract::recoveries(&store, "acme").await;
    contract::expired_recoveries(&store, "acme").await;
    contract::recovery_sources(&store, "acme", put).await;
    contract::calls(&store, "calls").await;
    contract::data_keys(&store).await;

    client
        .delete_table()
        .table_name(TABLE)
        .send()
        .await
        .unwrap();
}

/// The scan finds what is pending beyond its time, and nothing else. The table is
/// empty before.
async fn overdue_deliveries(client: &Client, store: &DynamoStore) {
    let minutes = |minutes| samples::NOW + Duration::from_mins(minutes);
    let now = minutes(60);
    let grace = Duration::from_mins(15);
    let message = samples::message("overdue", "1");
    let pending = |number| samples::delivery(&message, samples::subscription_id(number));
    let retried = |number, due_at| Delivery {
        attempts: vec![samples::failed_attempt(1)],
        next_attempt_at: Some(due_at),
        ..pending(number)
    };
    let overdue = [pending(1), retried(2, minutes(44))];
    let others = [
        Delivery {
            created_at: minutes(46),
            ..pending(3)
        },
        retried(4, minutes(46)),
        Delivery {
            status: DeliveryStatus::Succeeded,
            ..pending(5)
        },
        Delivery {
            status: DeliveryStatus::Held,
            ..pending(6)
        },
        Delivery {
            expires_at: minutes(59),
            ..pending(7)
        },
    ];
    for delivery in overdue.iter().chain(&others) {
        put(client, &message, delivery).await;
    }

    let mut found = Vec::new();
    let mut items_read = 0;
    for index in 0..3 {
        let segment = Segment { index, count: 3 };
        let mut cursor = None;
        loop {
            let page = store.overdue_page(segment, now, grace, cursor).await;
            let page = page.unwrap();
            items_read += page.items_read;
            found.extend(page.deliveries.into_iter().map(Result::unwrap));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
    }
    found.sort_by_key(|delivery| delivery.id);
    assert_eq!(found, overdue);
    assert_eq!(items_read, 8, "seven deliveries and their message");
}

/// A table with the keys and indexes of the stack's.
pub(crate) async fn create_table(client: &Client, name: &str, like: &str) {
    let table = client.describe_table().table_name(like).send().await;
    let table = table.unwrap().table.unwrap();
    let indexes = table.global_secondary_indexes().iter().map(|index| {
        GlobalSecondaryIndex::builder()
            .set_index_name(index.index_name.clone())
            .set_key_schema(index.key_schema.clone())
            .set_projection(index.projection.clone())
            .build()
            .unwrap()
    });
    client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_key_schema(table.key_schema.clone())
        .set_attribute_definitions(table.attribute_definitions.clone())
        .set_global_secondary_indexes(Some(indexes.collect()))
        .send()
        .await
        .unwrap();
}

/// Writes the items that `prepare-calls` builds, as the workflow does.
async fn put(client: &Client, message: &Message, delivery: &Delivery) {
    for item in [
        message_item(message, delivery.created_at, delivery.expires_at),
        delivery_item(delivery),
    ] {
        client
            .put_item()
            .table_name(TABLE)
            .set_item(Some(attributes(item)))
            .send()
            .await
            .unwrap();
    }
}

fn attributes(item: Item) -> HashMap<String, AttributeValue> {
    item.into()
}
