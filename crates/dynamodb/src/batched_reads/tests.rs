use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use futures_util::future::join_all;
use http::StatusCode;
use serde_json::{Value, json};
use webhooks_domain::ports::{DeliveryReader, StoreError, SubscriptionTable};
use webhooks_testkit::samples;

use super::*;
use crate::item::SubscriptionItem;
use crate::item::{delivery_item, message_item};

const TABLE: &str = "table";

/// A table behind the client, which counts its calls and fails on request.
#[derive(Debug, Clone, Default)]
struct Table(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    items: HashMap<Key, Value>,
    /// The number of keys of each call.
    calls: Vec<usize>,
    /// The number of next calls that fail.
    failures: usize,
    /// The number of calls that still leave a key unprocessed.
    withheld: HashMap<Key, usize>,
}

impl Table {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, item: &impl serde::Serialize) {
        let item = serde_json::to_value(item).unwrap();
        self.state().items.insert(key_of(&item), item);
    }

    fn store(&self) -> DynamoStore {
        let connector = SharedHttpConnector::new(self.clone());
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .retry_config(RetryConfig::disabled())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        DynamoStore::new(Client::from_conf(config), TABLE.to_owned())
            .standing_at(samples::NOW)
            .batching_reads()
    }

    fn take_calls(&self) -> Vec<usize> {
        std::mem::take(&mut self.state().calls)
    }
}

impl HttpConnector for Table {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let call: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let (status, answer) = self.state().batch_get_item(&call["RequestItems"][TABLE]);
        let response = HttpResponse::new(status.into(), SdkBody::from(answer.to_string()));
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl State {
    fn batch_get_item(&mut self, wanted: &Value) -> (StatusCode, Value) {
        assert_eq!(wanted["ConsistentRead"], true);
        let keys = wanted["Keys"].as_array().unwrap();
        self.calls.push(keys.len());
        if self.failures > 0 {
            self.failures -= 1;
            let error = json!({"__type": "InternalServerError", "message": "as planted"});
            return (StatusCode::INTERNAL_SERVER_ERROR, error);
        }
        let (mut found, mut left) = (Vec::new(), Vec::new());
        for wanted in keys {
            let key = key_of(wanted);
            match self.withheld.get_mut(&key) {
                Some(times) if *times > 0 => {
                    *times -= 1;
                    left.push(wanted.clone());
                }
                _ => found.extend(self.items.get(&key).cloned()),
            }
        }
        let left = match left.as_slice() {
            [] => json!({}),
            left => json!({TABLE: {"Keys": left, "ConsistentRead": true}}),
        };
        let answer = json!({"Responses": {TABLE: found}, "UnprocessedKeys": left});
        (StatusCode::OK, answer)
    }
}

fn key_of(item: &Value) -> Key {
    let part = |name: &str| item[name]["S"].as_str().unwrap().to_owned();
    Key {
        pk: part(PARTITION_KEY),
        sk: part(SORT_KEY),
    }
}

/// A table with one message, and its deliveries to these subscriptions.
fn deliveries<const N: usize>() -> (Table, Message, [Delivery; N]) {
    let table = Table::default();
    let message = samples::message("acme", "one");
    let all = std::array::from_fn(|number| {
        samples::delivery(&message, samples::subscription_id(number as u128))
    });
    for delivery in &all {
        table.put(&delivery_item(delivery));
    }
    table.put(&message_item(
        &message,
        samples::NOW,
        samples::NOW + Duration::from_hours(24),
    ));
    (table, message, all)
}

async fn load(
    store: &DynamoStore,
    deliveries: &[Delivery],
) -> Vec<Result<Option<(Delivery, Message)>, StoreError>> {
    join_all(deliveries.iter().map(|delivery| store.load(&delivery.id))).await
}

#[tokio::test]
async fn the_concurrent_reads_of_a_batch_are_one_call_and_each_gets_its_own_item() {
    let (table, message, [first, second, absent]) = deliveries();
    let subscriptions = [1, 2].map(|number| samples::subscription("acme", number));
    for subscription in &subscriptions {
        table.put(
            &serde_dynamo::to_item::<_, serde_dynamo::Item>(SubscriptionItem::from(subscription))
                .unwrap(),
        );
    }
    table.state().items.remove(&Key::delivery(&absent.id));
    let store = table.store();
    let all = [first.clone(), second.clone(), first.clone(), absent];
    let loaded = load(&store, &all).await.into_iter().map(Result::unwrap);
    let found = |delivery: Delivery| Some((delivery, message.clone()));
    let expected = [found(first.clone()), found(second), found(first), None];
    assert_eq!(loaded.collect::<Vec<_>>(), expected);
    assert_eq!(table.take_calls(), [4], "three deliveries, one message");

    let [one, two] = &subscriptions;
    let gone = samples::subscription("acme", 3);
    let got = [one, two, one, &gone].map(|wanted| store.get(&wanted.customer_id, &wanted.id));
    let got = join_all(got).await.into_iter().map(Result::unwrap);
    let expected = [Some(one), Some(two), Some(one), None].map(Option::<&_>::cloned);
    assert_eq!(got.collect::<Vec<_>>(), expected);
    assert_eq!(table.take_calls(), [3]);
}

#[tokio::test]
async fn a_read_sees_earlier_writes_even_if_another_read_is_running() {
    let (table, message, [first, second]) = deliveries();
    let store = table.store();
    let after = async {
        store.load(&first.id).await.unwrap();
        let retried = Delivery {
            attempts: vec![samples::failed_attempt(1)],
            ..second.clone()
        };
        table.put(&delivery_item(&retried));
        (store.load(&second.id).await.unwrap(), retried)
    };
    let (_, (loaded, retried)) = tokio::join!(store.load(&second.id), after);
    assert_eq!(loaded, Some((retried, message)));
}

#[tokio::test]
async fn an_error_of_the_call_fails_all_its_reads_and_the_next_call_is_separate() {
    let (table, _, all) = deliveries::<3>();
    let store = table.store();
    table.state().failures = 1;
    for result in load(&store, &all).await {
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), "table did not load delivery");
        assert!(error.source().unwrap().source().is_some(), "{error:?}");
        assert!(format!("{error:?}").contains("as planted"), "{error:?}");
    }
    assert_eq!(table.take_calls(), [4]);
    assert!(load(&store, &all).await.iter().all(Result::is_ok));
}

#[tokio::test]
async fn an_unreadable_item_affects_no_other_read() {
    let (table, _, all) = deliveries::<3>();
    let broken = Key::delivery(&all[1].id);
    table.state().items.get_mut(&broken).unwrap()["status"] = json!({"S": "dancing"});
    let loaded = load(&table.store(), &all).await;
    assert!(matches!(&loaded[1], Err(StoreError::Corrupt { key, .. }) if key.contains(&broken.sk)));
    assert!(matches!(&loaded[0], Ok(Some(_))) && matches!(&loaded[2], Ok(Some(_))));
}

#[tokio::test]
async fn a_delivery_without_its_message_is_corrupt() {
    let (table, message, all) = deliveries::<1>();
    table.state().items.remove(&Key::message(&message.id));
    let loaded = load(&table.store(), &all).await;
    assert!(matches!(&loaded[0], Err(StoreError::Corrupt { .. })));
}

#[tokio::test(start_paused = true)]
async fn unprocessed_keys_are_read_again_and_finally_fail_alone() {
    let (table, _, all) = deliveries::<3>();
    let key = |number: usize| Key::delivery(&all[number].id);
    table.state().withheld = HashMap::from([(key(0), 1), (key(1), usize::MAX)]);
    let loaded = load(&table.store(), &all).await;
    assert!(matches!(&loaded[1], Err(StoreError::Unavailable { .. })));
    assert!(matches!(&loaded[0], Ok(Some(_))) && matches!(&loaded[2], Ok(Some(_))));
    assert_eq!(table.take_calls(), [4, 2, 1, 1], "there are no more calls");
}

#[test]
fn a_panic_over_an_item_is_a_corrupt_item() {
    let key = to_attributes(&Key::data_key());
    let read = parse_alone::<()>(key, |_| panic!("as planted"));
    assert!(matches!(read, Err(StoreError::Corrupt { key, .. }) if key == "DATA_KEY 0000000001"));
}
