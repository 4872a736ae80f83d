//! The contract suites of the ports, run on DynamoDB: the real stores behave as the in-memory ones
//! do.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, BillingMode, GlobalSecondaryIndex};
use serde_dynamo::Item;
use webhooks_domain::catalogue::MAX_TYPES;
use webhooks_domain::delivery::{Delivery, DeliveryStatus};
use webhooks_domain::due::{NextAttempt, Shard};
use webhooks_domain::message::Message;
use webhooks_domain::paging::{Order, Window};
use webhooks_domain::ports::{
    CustomerData, CustomerPart, Directory, DueIndex, RecoveryTable, ResendTable,
};
use webhooks_dynamodb::item::{delivery_item, message_item};
use webhooks_dynamodb::{DynamoStore, Segment};
use webhooks_testkit::{contract, samples};

use crate::fixture::Fixture;

/// The table of this test. The stack's own table holds a data key that is in use.
const TABLE: &str = "contract-tests";

#[tokio::test]
async fn the_table_keeps_the_promises_of_the_ports() {
    let fixture = Fixture::new("contract").await.unwrap();
    let client = Client::new(fixture.stack.sdk_config());
    let like = fixture.stack.output("TableName").unwrap();
    create_table(&client, TABLE, like).await;
    let store = DynamoStore::new(client.clone(), TABLE.to_owned()).standing_at(samples::NOW);

    overdue_deliveries_are_found(&client, &store).await;
    contract::limiters(&store).await;
    contract::statistics(&store).await;
    contract::catalogue(&store).await;
    contract::catalogue_summaries(&store).await;
    let fill = async || count_event_types(&client, MAX_TYPES - 1).await;
    contract::catalogue_bound(&store, fill).await;
    contract::portal_sessions(&store, "portal").await;
    contract::portal_usage(&store, "portal").await;
    contract::subscription_pages(&store, "bolt").await;
    let put = async |message, delivery| put(&client, &message, &delivery).await;
    for (store, salt) in [
        (&store, "acme"),
        (&store.clone().batching_reads(), "gathers"),
    ] {
        contract::subscriptions(store, salt).await;
        Box::pin(contract::health(store, salt)).await;
        Box::pin(contract::certificate_warnings(store, salt)).await;
        contract::unhealthy(store, salt).await;
        contract::holds(store, salt).await;
        contract::resuming(store, salt, put).await;
        contract::creations(store, salt).await;
        contract::exchanges(store, salt).await;
        contract::tokens(store, salt).await;
        contract::customers(store, salt).await;
        contract::expired_deliveries(store, salt, put).await;
        contract::lists_behind_expired_entries(store, salt, put).await;
        contract::deliveries(store, salt, put).await;
        contract::due_index(store, salt, put).await;
        contract::reopening(store, salt, put).await;
        contract::cancelling(store, salt, put).await;
        contract::reads_at_once(store, &format!("{salt}-at-once"), put).await;
    }
    contract::deletion(&store, "deletion", put).await;
    contract::lists(&store, "lists", put).await;
    contract::recoveries(&store, "acme").await;
    contract::expired_recoveries(&store, "acme").await;
    contract::recovery_sources(&store, "acme", put).await;
    contract::calls(&store, "calls").await;
    contract::data_keys(&store).await;
    a_deletion_goes_on_when_its_notes_are_full(&client, &store).await;
    unreadable_items_block_no_list(&client, &store).await;

    client
        .delete_table()
        .table_name(TABLE)
        .send()
        .await
        .unwrap();
}

/// A customer whose item has no room for further ids of subscriptions: each leaves nothing.
async fn a_deletion_goes_on_when_its_notes_are_full(client: &Client, store: &DynamoStore) {
    const NOTED: u32 = 10_001;
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let put = async |item: [(&str, AttributeValue); 3]| {
        let put = client.put_item().table_name(TABLE);
        let item = item.map(|(name, value)| (name.to_owned(), value));
        put.set_item(Some(item.into())).send().await.unwrap();
    };
    let noted = (0..NOTED).map(|number| Blob::new(u128::from(number).to_be_bytes()));
    put([
        ("pk", text("CUSTOMERS")),
        ("sk", text("full")),
        ("deletedSubscriptions", AttributeValue::Bs(noted.collect())),
    ])
    .await;
    let customer = samples::customer("full");
    let id = samples::subscription_id(7);
    let version = format!("VERSION#{id}#00000000000000000001");
    let owned = format!("SUBSCRIPTION#{id}");
    let (partition, limiter) = ("CUSTOMER#full", "LIMITER");
    for (pk, sk) in [(partition, version.as_str()), (&owned, limiter)] {
        put([("pk", text(pk)), ("sk", text(sk)), ("any", text("thing"))]).await;
    }
    let part = CustomerPart::Subscriptions;
    assert_eq!(store.delete_some(&customer, part).await.unwrap(), 2);
    assert_eq!(store.delete_some(&customer, part).await.unwrap(), 0);
    let part = CustomerPart::OfSubscription(id);
    assert_eq!(store.delete_some(&customer, part).await.unwrap(), 0);
}

/// Sets the number of event types in the catalogue.
async fn count_event_types(client: &Client, count: u32) {
    let text = |value: &str| AttributeValue::S(value.to_owned());
    client
        .put_item()
        .table_name(TABLE)
        .item("pk", text("EVENT_TYPES"))
        .item("sk", text("#COUNT"))
        .item("types", AttributeValue::N(count.to_string()))
        .send()
        .await
        .unwrap();
}

/// The scan finds each pending delivery that is overdue, and nothing else. The table must be empty
/// before.
async fn overdue_deliveries_are_found(client: &Client, store: &DynamoStore) {
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
            status: samples::HELD,
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

/// Items without a readable key do not block a page of a list, however many there are: each page
/// reads on until it has enough readable items.
#[expect(clippy::too_many_lines, reason = "one story, in order")]
async fn unreadable_items_block_no_list(client: &Client, store: &DynamoStore) {
    let salt = "unreadable";
    let customer = samples::customer(salt);
    let message = samples::message(salt, "1");
    let delivery = samples::delivery(&message, samples::subscription_id(0xbad));
    put(client, &message, &delivery).await;
    let [recovery, _] = samples::recoveries(salt);
    store.insert_recovery(&recovery).await.unwrap();
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let number = |value: i64| AttributeValue::N(value.to_string());
    let subscription = delivery.id.subscription;
    let next = NextAttempt {
        due_at: samples::NOW,
        sweep_at: samples::NOW,
    };
    let missing = samples::delivery(&message, samples::subscription_id(0xbad + 8));
    store.insert_due(&missing, &next).await.unwrap();
    let shard = Shard::of(&missing.id);
    let partition = format!("RECOVERY#{customer}");
    // Unreadable items before and after the readable ones, in every list.
    for n in 0..7_i64 {
        let at = samples::NOW.as_millis() + (n - 3);
        let expires_at = number(i64::MAX / 1_000);
        for item in [
            vec![
                ("pk", text(&format!("MESSAGE#{n}"))),
                ("sk", text(&format!("DELIVERY#{subscription}"))),
                ("owedTo", text(&subscription.to_string())),
                ("createdAt", number(at)),
                ("dueShard", number(shard.number().into())),
                ("sweepAt", number(at)),
            ],
            vec![
                ("pk", text(&format!("MESSAGE#{}", message.id))),
                ("sk", text(&format!("DELIVERY#{n}"))),
            ],
            vec![
                ("pk", text(&format!("MESSAGE#{n}"))),
                ("sk", text("MESSAGE")),
                ("customerId", text(customer.as_str())),
                ("receivedAt", number(at)),
            ],
            vec![
                ("pk", text(&partition)),
                ("sk", text(&format!("{}#{n}", recovery.subscription_id))),
            ],
            vec![
                ("pk", text(&partition)),
                ("sk", text(&format!("{}#z{n}", recovery.subscription_id))),
            ],
        ] {
            let mut item: HashMap<_, _> =
                item.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
            item.insert("expiresAt".to_owned(), expires_at.clone());
            let put = client.put_item().table_name(TABLE).set_item(Some(item));
            put.send().await.unwrap();
        }
    }
    // An item whose expiry cannot be read has not expired: it exists, and it is broken.
    let endless = samples::message("endless", "1");
    let endless_delivery = samples::delivery(&endless, samples::subscription_id(0xe9d));
    put(client, &endless, &endless_delivery).await;
    for (pk, sk) in [
        ("MESSAGE", "MESSAGE".to_owned()),
        (
            "MESSAGE",
            format!("DELIVERY#{}", endless_delivery.id.subscription),
        ),
    ] {
        let update = client.update_item().table_name(TABLE);
        let update = update.key("pk", text(&format!("{pk}#{}", endless.id)));
        let update = update
            .key("sk", text(&sk))
            .update_expression("SET expiresAt = :text");
        let update = update.expression_attribute_values(":text", text("soon"));
        update.send().await.unwrap();
    }
    let window = Window {
        since: None,
        until: None,
        order: Order::NewestFirst,
        after: None,
        limit: 9,
    };
    let endless_customer = samples::customer("endless");
    let listed = store.messages_of(&endless_customer, &window);
    assert_eq!(listed.await.unwrap().entries.len(), 1);
    let page = store.message_page(&endless.id, None, 9).await.unwrap();
    assert_eq!(page.unwrap().unwrap_err().id, endless.id);
    let read = store.read_deliveries(&[endless_delivery.id]).await.unwrap();
    assert_eq!(read[0].as_ref().unwrap_err().id, endless_delivery.id);

    for order in [Order::OldestFirst, Order::NewestFirst] {
        let window = Window {
            since: None,
            until: None,
            order,
            after: None,
            limit: 1,
        };
        let page = store.deliveries_of(&subscription, &window).await.unwrap();
        let ids: Vec<_> = page.entries.iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [delivery.id], "{order:?}");
        let page = store.messages_of(&customer, &window).await.unwrap();
        let ids: Vec<_> = page.entries.iter().map(|entry| entry.id).collect();
        assert_eq!(ids, [message.id], "{order:?}");
    }
    let page = store.deliveries_of_message(&message.id, None, 2).await;
    let page = page.unwrap().entries.into_iter();
    let mut read: Vec<_> = page.map(|read| read.unwrap().id).collect();
    read.sort();
    let mut both = vec![delivery.id, missing.id];
    both.sort();
    assert_eq!(read, both);
    let page = store.recoveries(&customer, &recovery.subscription_id, None, 1);
    assert_eq!(page.await.unwrap().recoveries, [Ok(recovery)]);
    let until = samples::NOW + Duration::from_mins(1);
    let page = store.due_page(shard, until, None, 1).await.unwrap();
    let due: Vec<_> = page.due.iter().map(|due| due.task.delivery).collect();
    assert_eq!(due, [missing.id]);
    assert!(!page.unreadable.is_empty());
}

/// Creates a table with the keys and indexes of the stack's table.
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
