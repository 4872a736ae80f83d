//! Stubs of DynamoDB, SQS and KMS in one endpoint, which answer immediately and count their
//! calls.
//!
//! The table is in memory. The real functions created its items: `api` writes its subscriptions
//! and data key, and the items of `prepare-calls` are put as the workflow would put them. The
//! data of the portal are written by the functions' own [store](StubAws::store). The stub ignores
//! conditions and filters. By default an update changes nothing: a delivery stays as it was
//! prepared, so that it can be delivered repeatedly.

mod query;
mod recorded;
mod store;
mod table;
mod update;

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
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::AbortHandle};
use tokio_rustls::TlsAcceptor;

pub(crate) use self::recorded::Recorded;
use self::table::Table;
use crate::{
    authority::Authority,
    lockstep::{Connection, Lockstep, Wire},
    read_units::read_units,
};

/// The only table.
pub(crate) const TABLE: &str = "bench";

/// The endpoint. It ends when the value is dropped.
pub(crate) struct StubAws {
    /// `https://…`, for `AWS_ENDPOINT_URL`.
    pub(crate) endpoint: String,
    /// The counter of its connections' bytes.
    pub(crate) wire: Arc<Wire>,
    state: Arc<State>,
    accepting: AbortHandle,
}

#[derive(Debug, Default)]
struct State {
    table: Mutex<Table>,
    counts: Mutex<Counts>,
    /// The calls since the recording began, if one is in progress.
    recording: Mutex<Option<Vec<Recorded>>>,
}

/// The counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// The number of calls, by operation.
    pub(crate) calls: BTreeMap<String, u64>,
    /// The number of recorded deliveries, by status.
    pub(crate) recorded: BTreeMap<String, u64>,
    /// The read units of the table.
    pub(crate) read_units: f64,
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
        self.state.table().put(item)
    }

    /// Decides whether updates change items from now on.
    pub(crate) fn keep_updates(&self, keeps: bool) {
        self.state.table().keeps_updates = keeps;
    }

    /// Begins to record calls.
    pub(crate) fn record(&self) {
        *self.state.recording() = Some(Vec::new());
    }

    /// Ends the recording and returns it.
    pub(crate) fn recorded(&self) -> Vec<Recorded> {
        self.state.recording().take().unwrap_or_default()
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
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn recording(&self) -> MutexGuard<'_, Option<Vec<Recorded>>> {
        self.recording
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
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
        if let Some(recording) = &mut *self.recording() {
            recording.push(Recorded::new(&target, &parts.headers, &body)?);
        }
        let call: Value = serde_json::from_slice(&body)?;
        let answer = self.answer(&target, &call).inspect_err(|error| {
            eprintln!("stub AWS: {target}: {error:#}");
        })?;
        let units = read_units(&target, &call, &answer)?;
        {
            let mut counts = self.counts();
            counts.read_units += units;
            *counts.calls.entry(target).or_default() += 1;
        }
        let response = Response::builder()
            .header("content-type", "application/x-amz-json-1.0")
            .header(
                "x-amzn-requestid",
                "4JAPVH1BD9GQ0RQ2MVVT6BA2BNVV4KQNSO5AEMVJF66Q9ASUAAJG",
            );
        Ok(response.body(Full::from(answer.to_string()))?)
    }

    fn answer(&self, operation: &str, call: &Value) -> Result<Value> {
        if operation == "UpdateItem"
            && let Some(status) = call["ExpressionAttributeValues"][":status"]["S"].as_str()
        {
            *self.counts().recorded.entry(status.to_owned()).or_default() += 1;
        }
        if let Some(answer) = self.table().answer(operation, call)? {
            return Ok(answer);
        }
        match operation {
            // Clients normally check the MD5 of the body, but these clients are configured not
            // to.
            "SendMessage" => Ok(json!({"MessageId": "5fea7756-0ea4-451a-a703-a558b933e274"})),
            "GetQueueAttributes" => Ok(json!({"Attributes": {
                "ApproximateNumberOfMessages": "12",
                "ApproximateNumberOfMessagesNotVisible": "3",
                "ApproximateNumberOfMessagesDelayed": "4",
            }})),
            "PutEvents" => Ok(json!({"FailedEntryCount": 0, "Entries": []})),
            "SendMessageBatch" => Ok(json!({"Successful": [], "Failed": []})),
            "GenerateDataKey" | "Decrypt" => {
                let key = BASE64_STANDARD.encode([7; 32]);
                Ok(json!({"Plaintext": key, "CiphertextBlob": key, "KeyId": "bench"}))
            }
            _ => bail!("the stub does not know it"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_that_is_not_known_is_an_error() {
        let state = State::default();
        state.answer("TransactGetItems", &json!({})).unwrap_err();
    }
}
