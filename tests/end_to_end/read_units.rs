//! The read units of a page of a list do not depend on the size of the table.
//!
//! The emulator charges half a unit for every read, whatever its size, and nothing for batches. So
//! this test counts the units itself from each response, by the rules of DynamoDB's Developer Guide
//! ("Read consumption"). A query costs the bytes that it has evaluated; each item of a batch costs
//! its own bytes. Both are rounded up to 4 KB, at half a unit if the read is eventually consistent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::{
    BeforeSerializationInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{Builder, ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::operation::batch_get_item::{BatchGetItemInput, BatchGetItemOutput};
use aws_sdk_dynamodb::operation::get_item::{GetItemInput, GetItemOutput};
use aws_sdk_dynamodb::operation::query::{QueryInput, QueryOutput};
use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_dynamo::Item;
use webhooks_domain::delivery::{Attempt, BodyPlace, Delivery};
use webhooks_domain::health::Health;
use webhooks_domain::lists::{DeliveryFilter, Lists, PageOf, ReadBudget, Which};
use webhooks_domain::ports::{
    Creation, DeliveryReader, DeliveryTable, HealthFate, Replacement, SubscriptionStore,
};
use webhooks_domain::show_exchanges::show_exchanges;
use webhooks_domain::subscription::Subscription;
use webhooks_domain::unhealthy::{MAX_COUNTED, UnhealthyLists};
use webhooks_dynamodb::DynamoStore;
use webhooks_dynamodb::item::{delivery_item, message_item};
use webhooks_testkit::samples;
use webhooks_testkit::units::READ_UNIT_BYTES;

use crate::contract::create_table;
use crate::fixture::Fixture;

const SUBSCRIPTIONS: usize = 20;
const PAGE: u32 = 50;
const WRITTEN_AT_ONCE: usize = 25;

type AttributeMap = HashMap<String, AttributeValue>;

/// The cost of reads: calls and half units.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Cost {
    calls: u32,
    half_units: usize,
}

/// The half units for each 4 KB of a read.
#[derive(Debug)]
struct Price(usize);

impl Storable for Price {
    type Storer = StoreReplace<Self>;
}

/// Measures the cost of each read.
#[derive(Debug, Default, Clone)]
struct Meter(Arc<Mutex<Cost>>);

impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "Meter"
    }

    /// The input is gone after the execution, so its part is read here.
    fn read_before_serialization(
        &self,
        context: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let input = context.input();
        let consistent = if let Some(input) = input.downcast_ref::<QueryInput>() {
            assert_eq!(input.projection_expression(), None);
            input.consistent_read()
        } else if let Some(input) = input.downcast_ref::<BatchGetItemInput>() {
            let mut tables = input.request_items().into_iter().flatten();
            let (_, keys) = tables.next().ok_or("no table")?;
            keys.consistent_read()
        } else {
            let input = input.downcast_ref::<GetItemInput>().ok_or("no read")?;
            input.consistent_read()
        };
        let price = Price(price(consistent));
        bag.interceptor_state().store_put(price);
        Ok(())
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(Ok(output)) = context.output_or_error() else {
            return Ok(());
        };
        let blocks = if let Some(output) = output.downcast_ref::<QueryOutput>() {
            // Without a filter or a projection the output is all that the query has evaluated.
            assert_eq!(output.scanned_count(), output.count());
            blocks(output.items().iter().map(item_bytes).sum())
        } else if let Some(output) = output.downcast_ref::<BatchGetItemOutput>() {
            let items = output
                .responses()
                .into_iter()
                .flat_map(HashMap::values)
                .flatten();
            items.map(|item| blocks(item_bytes(item))).sum()
        } else {
            let output = output.downcast_ref::<GetItemOutput>().ok_or("no read")?;
            blocks(output.item().map(item_bytes).unwrap_or_default())
        };
        let Price(half_units) = *bag.load::<Price>().ok_or("no price")?;
        let half_units = blocks * half_units;
        let mut cost = self.0.lock().unwrap();
        cost.calls += 1;
        cost.half_units += half_units;
        Ok(())
    }
}

/// Half units for a block of 4 KB.
fn price(consistent: Option<bool>) -> usize {
    if consistent == Some(true) { 2 } else { 1 }
}

fn blocks(bytes: usize) -> usize {
    bytes.div_ceil(READ_UNIT_BYTES).max(1)
}

/// The size that DynamoDB bills.
fn item_bytes(item: &AttributeMap) -> usize {
    webhooks_testkit::units::item_bytes(&Item::from(item.clone()).into())
}

/// A table with this many deliveries. Each message has one delivery to every subscription.
struct Filled {
    store: DynamoStore,
    meter: Meter,
}

impl Filled {
    async fn new(fixture: &Fixture, name: &str, deliveries: usize) -> Result<Self> {
        let sdk = fixture.stack.sdk_config();
        let client = Client::new(sdk);
        create_table(&client, name, fixture.stack.output("TableName")?).await;
        let messages = 0..deliveries / SUBSCRIPTIONS;
        stream::iter(messages.flat_map(items_of))
            .chunks(WRITTEN_AT_ONCE)
            .map(|items| write(&client, name, items))
            .buffer_unordered(4)
            .try_collect::<()>()
            .await?;
        let store = DynamoStore::new(client, name.to_owned());
        for number in 1..=PAGE + 10 {
            let unhealthy = Subscription {
                health: Health {
                    failing_since: Some(samples::NOW),
                    ..Health::default()
                },
                ..samples::subscription("acme", number.into())
            };
            store
                .insert(&Creation::of(&unhealthy, samples::QUOTA))
                .await?;
        }
        let meter = Meter::default();
        let config = Builder::from(sdk).interceptor(meter.clone()).build();
        let client = Client::from_conf(config);
        Ok(Self {
            store: DynamoStore::new(client, name.to_owned()).standing_at(samples::NOW),
            meter,
        })
    }

    /// The cost of the reads since the last call.
    fn cost(&self) -> Cost {
        std::mem::take(&mut self.meter.0.lock().unwrap())
    }
}

/// The items of one message, whose deliveries have failed once.
fn items_of(number: usize) -> impl Iterator<Item = Item> {
    let message = samples::message("acme", &number.to_string());
    let at = samples::NOW + Duration::from_secs(number as u64);
    let item = message_item(&message, at, at + Duration::from_hours(24));
    let deliveries = (1..=SUBSCRIPTIONS as u128).map(move |subscription| {
        let mut delivery = Delivery {
            created_at: at,
            status: samples::HELD,
            ..samples::delivery(&message, samples::subscription_id(subscription))
        };
        delivery.attempts.push(samples::failed_attempt(1));
        delivery_item(&delivery)
    });
    std::iter::once(item).chain(deliveries)
}

async fn write(client: &Client, table: &str, items: Vec<Item>) -> Result<()> {
    let puts = items.into_iter().map(|item| {
        let put = PutRequest::builder().set_item(Some(item.into())).build()?;
        Ok(WriteRequest::builder().put_request(put).build())
    });
    let puts = puts.collect::<Result<Vec<_>>>()?;
    let written = client.batch_write_item().request_items(table, puts).send();
    let left = written.await?.unprocessed_items.unwrap_or_default();
    anyhow::ensure!(left.is_empty(), "the emulator throttles nothing");
    Ok(())
}

/// The cost of the newest page of each list.
async fn pages(filled: &Filled) -> Result<[(&'static str, Cost); 6]> {
    let lists = Lists {
        table: filled.store.clone(),
        budget: ReadBudget::LARGE,
    };
    let subscription = samples::subscription_id(1);
    let filter = DeliveryFilter::default();
    let page = PageOf {
        since: None,
        until: None,
        after: None,
        limit: PAGE,
    };
    let mut costs = Vec::new();
    for which in [Which::All, Which::Undelivered] {
        let listed = lists.deliveries(&subscription, which, &filter, &page);
        assert_eq!(listed.await?.found.len(), PAGE as usize);
        costs.push(filled.cost());
    }
    let customer = samples::customer("acme");
    let listed = lists.messages(&customer, None, &page).await?;
    assert_eq!(listed.found.len(), PAGE as usize);
    costs.push(filled.cost());
    let page = PageOf {
        since: None,
        until: None,
        after: None,
        limit: PAGE,
    };
    let listed = lists.customer_deliveries(&customer, &filter, &page).await?;
    assert_eq!(listed.found.len(), PAGE as usize);
    costs.push(filled.cost());
    let lists = UnhealthyLists {
        table: filled.store.clone(),
        counted: MAX_COUNTED,
    };
    let listed = lists.all(None, None, PAGE).await?;
    assert_eq!(listed.found.len(), PAGE as usize);
    costs.push(filled.cost());
    let listed = lists.of_customer(&customer, None, None, PAGE).await?;
    assert_eq!(listed.found.len(), PAGE as usize);
    costs.push(filled.cost());
    let names = [
        "deliveries",
        "undelivered",
        "messages",
        "customer's deliveries",
        "unhealthy subscriptions",
        "customer's unhealthy subscriptions",
    ];
    let costs: [_; 6] = costs.try_into().ok().context("six pages")?;
    Ok(std::array::from_fn(|n| (names[n], costs[n])))
}

/// Tests that run while no other test does.
mod alone {
    use super::*;

    #[tokio::test]
    async fn the_cost_of_a_page_does_not_depend_on_the_size_of_the_table() -> Result<()> {
        // Runs alone: filling the tables keeps the emulator so busy that other tests would time out.
        let (fixture, _alone) = Fixture::alone("read-units").await?;
        let start = std::time::Instant::now();
        let large = Filled::new(&fixture, "read-units-large", 100_000).await?;
        println!("tables filled in {:?}", start.elapsed());
        let small = Filled::new(&fixture, "read-units-small", 1_200).await?;
        let costs = pages(&large).await?;
        for (list, cost) in costs {
            let units = f64::from(u32::try_from(cost.half_units)?) / 2.0;
            println!("{list}: {} calls, {units} read units for 50", cost.calls);
            assert!(cost.calls > 0 && units > 0.0, "{list} is measured");
        }
        assert_eq!(
            costs,
            pages(&small).await?,
            "a table of 1,200 deliveries costs the same"
        );
        println!("total time: {:?}", start.elapsed());
        Ok(())
    }
}

/// A failed delivery is shown with three calls, and pays for each different answer and request once.
#[tokio::test]
async fn the_exchanges_of_a_delivery_cost_one_call_more_than_its_subscription() -> Result<()> {
    let fixture = Fixture::new("read-exchange").await?;
    let filled = Filled::new(&fixture, "read-exchange", 0).await?;
    let message = samples::message("shown", "1");
    let at = samples::NOW;
    let created = samples::subscription("shown", 1);
    let moved = Subscription {
        url: samples::url("https://example.org/moved"),
        version: 2,
        request_version: 2,
        ..created.clone()
    };
    let client = Client::new(fixture.stack.sdk_config());
    let unmetered = DynamoStore::new(client.clone(), "read-exchange".to_owned());
    let unmetered = unmetered.standing_at(samples::NOW);
    let creation = Creation::of(&created, samples::QUOTA);
    unmetered.insert(&creation).await?;
    let former = created.former_requests(at + Duration::from_hours(1));
    let replacement = Replacement {
        read: &created,
        changed: &moved,
        former: Some(&former),
        health: HealthFate::Kept,
        quota: samples::QUOTA,
    };
    unmetered.replace(&replacement).await?;
    let mut delivery = samples::delivery(&message, created.id);
    let long = samples::body(&"the endpoint says much ".repeat(700));
    for number in 1..=10 {
        // The first five attempts have one long answer, and the others have another one.
        let owner = if number > 5 { 6 } else { 1 };
        let mut attempt = Attempt {
            request_version: if number > 2 { 2 } else { 1 },
            ..samples::failed_attempt(number)
        };
        if number == owner {
            attempt.answer_body.place = BodyPlace::OwnItem;
            let id = attempt.exchange_id(delivery.id);
            let stored = unmetered.store_body(&id, &long, delivery.expires_at);
            stored.await?;
        } else {
            attempt.answer_body.place = BodyPlace::SameAs(owner);
        }
        delivery.attempts.push(attempt);
    }
    let items = vec![
        message_item(&message, at, delivery.expires_at),
        delivery_item(&delivery),
    ];
    write(&client, "read-exchange", items).await?;
    filled.cost();

    let (loaded, _) = filled.store.load(&delivery.id).await?.context("stored")?;
    let shown = show_exchanges(&filled.store, &loaded).await?;
    assert_eq!(shown.len(), 10);
    for exchange in &shown {
        assert!(exchange.request.is_some());
        let response = exchange.response.as_ref().context("answered")?;
        assert_eq!(response.body, long);
    }
    // The delivery and its message; the subscription; two answers and one former request.
    let expected = Cost {
        calls: 3,
        half_units: 2 * (2 + 1 + 3),
    };
    assert_eq!(filled.cost(), expected);
    Ok(())
}
