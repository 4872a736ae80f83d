//! The read units of the look-up of an event, for a customer at its quota.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{BehaviorVersion, Config, Credentials, Region};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use http::StatusCode;
use serde_dynamo::Item;
use serde_json::{Value, json};
use webhooks_domain::check_event::NoCheck;
use webhooks_domain::filter::Filter;
use webhooks_domain::look_up::LookUp;
use webhooks_domain::quota::Quota;
use webhooks_domain::subscription::Subscription;
use webhooks_testkit::samples;
use webhooks_testkit::units::READ_UNIT_BYTES;

use crate::DynamoStore;
use crate::item::SubscriptionItem;
use crate::write_units::billed_bytes;

const CUSTOMER: &str = "acme";
const EVENT: &str = r#"{"id":"e","detail-type":"order.created","time":"2026-01-31T09:30:00Z","detail":{"customerId":"acme","total":7}}"#;
/// The largest number of bytes that one query reads (DynamoDB `Query`).
const MAX_QUERY_BYTES: usize = 1_048_576;

/// The consistency that a query must ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consistency {
    Strong,
    Eventual,
}

/// A partition behind the client, in the order of its keys.
#[derive(Debug, Clone)]
pub(crate) struct Partition {
    consistency: Consistency,
    /// Each item with its billed size.
    items: Arc<Vec<(Value, usize)>>,
    /// The bytes that each query has read.
    queries: Arc<Mutex<Vec<usize>>>,
}

impl Partition {
    pub(crate) fn of(items: impl Iterator<Item = Item>) -> Self {
        let with_size = |item: Item| {
            let bytes = billed_bytes(item.clone());
            (serde_json::to_value(item).unwrap(), bytes)
        };
        Self {
            consistency: Consistency::Strong,
            items: Arc::new(items.map(with_size).collect()),
            queries: Arc::default(),
        }
    }

    /// The same partition, for queries of another consistency.
    pub(crate) fn reading(self, consistency: Consistency) -> Self {
        Self {
            consistency,
            ..self
        }
    }

    /// The bytes that each query has read since the last call.
    pub(crate) fn queries(&self) -> Vec<usize> {
        std::mem::take(&mut self.queries.lock().unwrap())
    }

    pub(crate) fn store(&self) -> DynamoStore {
        let connector = SharedHttpConnector::new(self.clone());
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "test"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        DynamoStore::new(Client::from_conf(config), "table".to_owned())
    }
}

impl HttpConnector for Partition {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let query: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
        let is_strong = query["ConsistentRead"] == true;
        assert_eq!(
            is_strong,
            self.consistency == Consistency::Strong,
            "{query}"
        );
        let after = query["ExclusiveStartKey"]["sk"]["S"].as_str();
        let limit = query["Limit"].as_u64().unwrap_or(u64::MAX);
        let limit = usize::try_from(limit).unwrap();
        let left = self.items.iter();
        let left = left.skip_while(|(item, _)| item["sk"]["S"].as_str() <= after);
        let mut bytes = 0;
        let page: Vec<_> = left
            .take(limit)
            .take_while(|(_, size)| {
                bytes += size;
                bytes <= MAX_QUERY_BYTES
            })
            .collect();
        let read = page.iter().map(|(_, size)| size).sum();
        self.queries.lock().unwrap().push(read);
        let items: Vec<_> = page.iter().map(|(item, _)| item).collect();
        let mut answer = json!({"Items": items});
        if page.len() == limit {
            let last = items.last().unwrap();
            answer["LastEvaluatedKey"] = json!({"pk": last["pk"], "sk": last["sk"]});
        }
        let response = HttpResponse::new(StatusCode::OK.into(), SdkBody::from(answer.to_string()));
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// As many subscriptions as a customer may have, with the largest total size, each with a filter
/// that does not match the event.
fn at_the_quota() -> Vec<Subscription> {
    let with_filter = |number: u128, padding: usize| {
        let refused = "x".repeat(padding);
        let filter = json!({"total": [{"numeric": [">", 1_000]}], "note": [refused]});
        Subscription {
            filter: Some(Filter::parse(&filter.to_string()).unwrap()),
            ..samples::subscription(CUSTOMER, number)
        }
    };
    let count = usize::try_from(samples::QUOTA.subscriptions).unwrap();
    let each = usize::try_from(Quota::MAX_BYTES).unwrap() / count;
    let padding = each - with_filter(1, 0).size_bytes();
    let numbers = 1..=u128::from(samples::QUOTA.subscriptions);
    numbers.map(|number| with_filter(number, padding)).collect()
}

#[tokio::test]
async fn the_look_up_at_the_bound_reads_the_partition_once_and_is_counted() {
    let subscriptions = at_the_quota();
    let sizes = subscriptions.iter().map(Subscription::size_bytes);
    let counted: usize = sizes.sum();
    let most = usize::try_from(Quota::MAX_BYTES).unwrap();
    assert!(counted <= most && most - counted < 1_000, "{counted}");
    let items = subscriptions.iter().map(SubscriptionItem::from);
    let partition = Partition::of(items.map(|item| serde_dynamo::to_item(item).unwrap()));
    let look_up = LookUp {
        directory: partition.store(),
        check: NoCheck,
        reader: samples::event_reader(),
    };
    let started = Instant::now();
    let page = look_up.run(EVENT).await.unwrap();
    let took = started.elapsed();
    assert_eq!((page.subscriptions, page.cursor), (Vec::new(), None));

    let queries = partition.queries();
    let units = queries
        .iter()
        .map(|bytes| bytes.div_ceil(READ_UNIT_BYTES).max(1))
        .sum::<usize>();
    let read: usize = queries.iter().sum();
    println!(
        "{} subscriptions of {counted} bytes as they are counted: {read} bytes in {} queries, \
         {units} read units; {took:?} in this build, with a table that answers at once",
        subscriptions.len(),
        queries.len(),
    );
    assert!(read <= counted, "{read}");
    // The whole partition once, and the rounding of each query.
    assert!(queries.len() <= 6, "{queries:?}");
    assert!(units <= most / READ_UNIT_BYTES + queries.len(), "{units}");
}
