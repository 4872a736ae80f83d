//! The contract suites of the ports, on DynamoDB: the stores' promises hold on
//! the table as they do in memory.

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement,
    KeyType, Projection, ProjectionType, ScalarAttributeType,
};
use serde_dynamo::Item;
use webhooks_domain::delivery::Delivery;
use webhooks_domain::message::Message;
use webhooks_dynamodb::DynamoStore;
use webhooks_dynamodb::item::{delivery_item, message_item};
use webhooks_testkit::contract;

use crate::fixture::Fixture;

/// A table of this test's own: the stack's holds a data key that is in use.
const TABLE: &str = "contract-tests";

#[tokio::test]
async fn the_table_keeps_the_promises_of_the_ports() {
    let fixture = Fixture::new("contract").await.unwrap();
    let client = Client::new(fixture.stack.sdk_config());
    create_table(&client).await;
    let store = DynamoStore::new(client.clone(), TABLE.to_owned());

    contract::subscriptions(&store, "acme").await;
    contract::subscription_pages(&store, "bolt").await;
    let put = async |message, delivery| put(&client, &message, &delivery).await;
    contract::deliveries(&store, "acme", put).await;
    contract::due_index(&store, "acme", put).await;
    contract::data_keys(&store).await;

    client
        .delete_table()
        .table_name(TABLE)
        .send()
        .await
        .unwrap();
}

async fn create_table(client: &Client) {
    let key = |name: &str, kind: KeyType| {
        KeySchemaElement::builder()
            .attribute_name(name)
            .key_type(kind)
            .build()
            .unwrap()
    };
    let attribute = |name: &str, kind: ScalarAttributeType| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(kind)
            .build()
            .unwrap()
    };
    let due = GlobalSecondaryIndex::builder()
        .index_name("due")
        .key_schema(key("dueShard", KeyType::Hash))
        .key_schema(key("sweepAt", KeyType::Range))
        .projection(
            Projection::builder()
                .projection_type(ProjectionType::Include)
                .non_key_attributes("nextAttempt")
                .non_key_attributes("nextAttemptAt")
                .build(),
        )
        .build()
        .unwrap();
    client
        .create_table()
        .table_name(TABLE)
        .billing_mode(BillingMode::PayPerRequest)
        .key_schema(key("pk", KeyType::Hash))
        .key_schema(key("sk", KeyType::Range))
        .attribute_definitions(attribute("pk", ScalarAttributeType::S))
        .attribute_definitions(attribute("sk", ScalarAttributeType::S))
        .attribute_definitions(attribute("dueShard", ScalarAttributeType::N))
        .attribute_definitions(attribute("sweepAt", ScalarAttributeType::N))
        .global_secondary_indexes(due)
        .send()
        .await
        .unwrap();
}

/// Writes the items that `prepare-calls` builds, as the workflow does.
async fn put(client: &Client, message: &Message, delivery: &Delivery) {
    for item in [
        message_item(message, delivery.expires_at),
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
