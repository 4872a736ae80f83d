//! Stubs of DynamoDB, SQS and KMS in one endpoint, which answer immediately and count their
//! calls.
//!
//! The table is in memory. The real functions created its items: `api` writes its subscriptions
//! and data key, and the items of `prepare-calls` are put as the workflow would put them. The
//! stub ignores conditions, and an update changes nothing: a delivery stays as it was prepared,
//! so that it can be delivered repeatedly.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::{Context, Result, bail};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::{net::TcpListener, task::AbortHandle};
use tokio_rustls::TlsAcceptor;

use crate::{
    authority::Authority,
    lockstep::{Connection, Lockstep, Wire},
};

/// The only table.
pub(crate) const TABLE: &str = "bench";

/// The largest answer to one query (DynamoDB's limit).
const MAX_QUERY_BYTES: usize = 1_048_576;

type Key = (String, String);

/// The endpoint. It ends when the value is dropped.
pub(crate) struct StubAws {
    /// `https://…`, for `AWS_ENDPOINT_URL`.
    pub(crate) endpoint: String,
    /// The counter of its connections' bytes.
    pub(crate) wire: Arc<Wire>,
    state: Arc<State>,
    accepting: AbortHandle,
}

#[derive(Default)]
struct State {
    items: Mutex<BTreeMap<Key, Value>>,
    counts: Mutex<Counts>,
}

/// The counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// The number of calls, by operation.
    pub(crate) calls: BTreeMap<String, u64>,
    /// The number of recorded deliveries, by status.
    pub(crate) recorded: BTreeMap<String, u64>,
}

impl Counts {
    /// Returns the number of all calls.
    pub(crate) fn total(&self) -> u64 {
        self.calls.values().sum()
    }
}

impl Drop for StubAws {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl StubAws {
    /// Listens on a free port of the loopback address, with a certificate of the authority.
    pub(crate) async fn start(authority: &Authority, lockstep: &Lockstep) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("listening for AWS calls")?;
        let endpoint = format!("https://127.0.0.1:{}", listener.local_addr()?.port());
        let state = Arc::new(State::default());
        let acceptor = TlsAcceptor::from(Arc::new(authority.server("127.0.0.1")?));
        let server = lockstep.server();
        let wire = server.wire();
        let serving = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let stream = server.connection(stream);
                tokio::spawn(serve(stream, acceptor.clone(), Arc::clone(&serving)));
            }
        });
        Ok(Self {
            endpoint,
            wire,
            state,
            accepting: accepting.abort_handle(),
        })
    }

    /// Puts an item, as the workflow does.
    pub(crate) fn put(&self, item: Value) -> Result<()> {
        self.state.put(item)
    }

    /// Resets all counts and returns their values.
    pub(crate) fn take_counts(&self) -> Counts {
        std::mem::take(&mut self.state.counts())
    }
}

async fn serve(stream: Connection, acceptor: TlsAcceptor, state: Arc<State>) {
    let Ok(stream) = acceptor.accept(stream).await else {
        return;
    };
    let service = service_fn(|request| {
        let state = Arc::clone(&state);
        async move { state.handle(request).await }
    });
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl State {
    fn items(&self) -> MutexGuard<'_, BTreeMap<Key, Value>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        let target = parts
            .headers
            .get("x-amz-target")
            .and_then(|target| target.to_str().ok())
            .and_then(|target| target.rsplit('.').next())
            .context("a call without an operation")?
            .to_owned();
        let body = body.collect().await?.to_bytes();
        let call: Value = serde_json::from_slice(&body)?;
        let answer = self.answer(&target, &call).inspect_err(|error| {
            eprintln!("stub AWS: {target}: {error:#}");
        })?;
        *self.counts().calls.entry(target).or_default() += 1;
        let response = Response::builder()
            .header("content-type", "application/x-amz-json-1.0")
            .header(
                "x-amzn-requestid",
                "4JAPVH1BD9GQ0RQ2MVVT6BA2BNVV4KQNSO5AEMVJF66Q9ASUAAJG",
            );
        Ok(response.body(Full::from(answer.to_string()))?)
    }

    fn answer(&self, operation: &str, call: &Value) -> Result<Value> {
        match operation {
            "GetItem" => {
                let item = self.items().get(&key(&call["Key"])?).cloned();
                Ok(item.map_or_else(|| json!({}), |item| json!({ "Item": item })))
            }
            "BatchGetItem" => self.batch_get(&call["RequestItems"]),
            "PutItem" => self.put(call["Item"].clone()).map(|()| json!({})),
            "TransactWriteItems" => self.transact(&call["TransactItems"]),
            "UpdateItem" => {
                let status = &call["ExpressionAttributeValues"][":status"]["S"];
                if let Some(status) = status.as_str() {
                    *self.counts().recorded.entry(status.to_owned()).or_default() += 1;
                }
                Ok(json!({}))
            }
            "Query" => self.query(call),
            // Clients normally check the MD5 of the body, but these clients are configured not
            // to.
            "SendMessage" => Ok(json!({"MessageId": "5fea7756-0ea4-451a-a703-a558b933e274"})),
            "PutEvents" => Ok(json!({"FailedEntryCount": 0, "Entries": []})),
            "SendMessageBatch" => Ok(json!({"Successful": [], "Failed": []})),
            "GenerateDataKey" | "Decrypt" => {
                let key = BASE64_STANDARD.encode([7; 32]);
                Ok(json!({"Plaintext": key, "CiphertextBlob": key, "KeyId": "bench"}))
            }
            _ => bail!("the stub does not know it"),
        }
    }

    fn put(&self, item: Value) -> Result<()> {
        let key = key(&item)?;
        self.items().insert(key, item);
        Ok(())
    }

    /// Performs the puts of a transaction. Updates change nothing here, too.
    fn transact(&self, writes: &Value) -> Result<Value> {
        for write in writes.as_array().context("no writes")? {
            if let Some(put) = write.get("Put") {
                self.put(put["Item"].clone())?;
            }
        }
        Ok(json!({}))
    }

    fn batch_get(&self, tables: &Value) -> Result<Value> {
        let keys = tables[TABLE]["Keys"].as_array();
        let keys = keys.context("no keys of the table")?;
        let items = self.items();
        let mut found = Vec::with_capacity(keys.len());
        for wanted in keys {
            found.extend(items.get(&key(wanted)?).cloned());
        }
        Ok(json!({"Responses": {TABLE: found}, "UnprocessedKeys": {}}))
    }

    /// Queries one partition by the prefix of the sort key. An index is empty.
    fn query(&self, call: &Value) -> Result<Value> {
        if call.get("IndexName").is_some() {
            return Ok(json!({"Items": [], "Count": 0, "ScannedCount": 0}));
        }
        let values = call["ExpressionAttributeValues"]
            .as_object()
            .context("no values")?;
        let condition = call["KeyConditionExpression"].as_str().unwrap_or_default();
        let named = |before: &str| {
            let (_, rest) = condition.split_once(before)?;
            let end = rest
                .find(|letter: char| !letter.is_alphanumeric() && letter != ':')
                .unwrap_or(rest.len());
            values.get(&rest[..end])?["S"].as_str()
        };
        let partition = named("pk = ").context("no partition")?.to_owned();
        let prefix = named("begins_with(sk, ").unwrap_or_default();
        let start = call.get("ExclusiveStartKey").map(key).transpose()?;
        let limit = call["Limit"].as_u64().unwrap_or(u64::MAX);

        let items = self.items();
        let first = start
            .clone()
            .unwrap_or((partition.clone(), prefix.to_owned()));
        let mut found = Vec::new();
        let mut bytes = 0;
        let mut last = None;
        for (key, item) in items.range(first..) {
            if key.0 != partition || !key.1.starts_with(prefix) {
                break;
            }
            if start.as_ref() == Some(key) {
                continue;
            }
            if found.len() as u64 == limit || bytes > MAX_QUERY_BYTES {
                let mut more = Map::new();
                more.insert("LastEvaluatedKey".to_owned(), last.unwrap_or_default());
                more.insert("Count".to_owned(), found.len().into());
                more.insert("Items".to_owned(), found.into());
                return Ok(more.into());
            }
            bytes += item.to_string().len();
            last = Some(json!({"pk": {"S": key.0}, "sk": {"S": key.1}}));
            found.push(item.clone());
        }
        Ok(json!({"Count": found.len(), "Items": found}))
    }
}

fn key(item: &Value) -> Result<Key> {
    let part = |name: &str| {
        let text = item[name]["S"].as_str();
        text.map(str::to_owned)
            .with_context(|| format!("an item or key without {name}"))
    };
    Ok((part("pk")?, part("sk")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let state = State::default();
        for (pk, sk) in [
            ("C#1", "S#1"),
            ("C#1", "S#2"),
            ("C#1", "S#3"),
            ("C#1", "T#1"),
            ("C#2", "S#4"),
        ] {
            state
                .put(json!({"pk": {"S": pk}, "sk": {"S": sk}, "n": {"N": "1"}}))
                .unwrap();
        }
        state
    }

    fn page(state: &State, start: &Value) -> (Vec<String>, Value) {
        let mut call = json!({
            "TableName": TABLE,
            "KeyConditionExpression": "pk = :customer AND begins_with(sk, :prefix)",
            "ExpressionAttributeValues": {":customer": {"S": "C#1"}, ":prefix": {"S": "S#"}},
            "Limit": 2,
        });
        if !start.is_null() {
            call["ExclusiveStartKey"] = start.clone();
        }
        let answer = state.answer("Query", &call).unwrap();
        let items = answer["Items"].as_array().unwrap();
        let keys = items.iter().map(|item| key(item).unwrap().1).collect();
        (keys, answer["LastEvaluatedKey"].clone())
    }

    #[test]
    fn a_query_gives_each_item_of_the_prefix_once_in_pages() {
        let state = state();
        let (first, next) = page(&state, &Value::Null);
        assert_eq!(first, ["S#1", "S#2"]);
        let (second, end) = page(&state, &next);
        assert_eq!(second, ["S#3"]);
        assert!(end.is_null());
    }

    #[test]
    fn a_batch_gives_what_is_there() {
        let keys = |list: &[(&str, &str)]| -> Value {
            let keys = list
                .iter()
                .map(|(pk, sk)| json!({"pk": {"S": pk}, "sk": {"S": sk}}));
            json!({"RequestItems": {TABLE: {"Keys": keys.collect::<Vec<_>>()}}})
        };
        let state = state();
        let answer = state
            .answer(
                "BatchGetItem",
                &keys(&[("C#1", "S#3"), ("C#9", "S#1"), ("C#2", "S#4")]),
            )
            .unwrap();
        assert_eq!(answer["Responses"][TABLE].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_transaction_puts_its_items_and_updates_nothing() {
        let state = state();
        let item = json!({"pk": {"S": "C#3"}, "sk": {"S": "S#5"}});
        let key = json!({"pk": {"S": "C#3"}, "sk": {"S": "COUNT"}});
        let writes = json!({"TransactItems": [{"Put": {"Item": item}}, {"Update": {"Key": key}}]});
        state.answer("TransactWriteItems", &writes).unwrap();
        let found = |key| state.answer("GetItem", &json!({"Key": key})).unwrap();
        assert_eq!(found(item.clone()), json!({"Item": item}));
        assert_eq!(found(key), json!({}));
    }

    #[test]
    fn an_operation_that_is_not_known_is_an_error() {
        assert!(state().answer("TransactGetItems", &json!({})).is_err());
    }
}
