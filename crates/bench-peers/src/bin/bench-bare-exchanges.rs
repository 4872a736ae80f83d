//! The minimum of a delivery with its exchanges with AWS: a function of `lambda_runtime` that
//! makes the recorded calls and webhooks of batches, one after the other, and nothing else. It does not read the
//! answers, and decides nothing.
//!
//! `EXCHANGES_FILE` names the [`Exchanges`]. The other variables are those of a function, and
//! `BENCH_AUTHORITY_FILE`.

use std::{
    env, fs,
    net::SocketAddr,
    sync::atomic::{AtomicUsize, Ordering},
};

use bench_peers::{AwsCall, AwsSigner, Result, Server, Webhook};
use futures_util::future::try_join_all;
use http::Uri;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

/// The exchanges of the batches, which are repeated.
#[derive(Deserialize)]
struct Exchanges {
    batches: Vec<Batch>,
    /// The URL of the webhooks.
    url: String,
    /// The address behind the URL.
    address: SocketAddr,
    secret: String,
    headers: Vec<(String, String)>,
    body: String,
}

/// The calls of a batch.
#[derive(Deserialize)]
struct Batch {
    /// The calls before the webhooks, one after the other.
    before: Vec<AwsCall>,
    /// The calls after the webhooks: as many as there are webhooks, each after its own.
    after: Vec<AwsCall>,
    /// The calls at the end.
    last: Vec<AwsCall>,
}

struct Deliverer {
    batches: Vec<Batch>,
    /// The number of batches so far.
    done: AtomicUsize,
    aws: Server,
    signer: AwsSigner,
    endpoint: Server,
    webhook: Webhook,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Error> {
    let deliverer = &Deliverer::from_environment()?;
    run(service_fn(async |_: LambdaEvent<Box<RawValue>>| {
        deliverer.deliver().await?;
        Ok::<Value, Error>(json!({"batchItemFailures": []}))
    }))
    .await
}

/// Reads a variable.
#[expect(
    clippy::disallowed_methods,
    reason = "not a function of ours: it has no `Environment`"
)]
fn variable(name: &str) -> Result<String> {
    Ok(env::var(name)?)
}

impl Deliverer {
    fn from_environment() -> Result<Self> {
        let exchanges = fs::read(variable("EXCHANGES_FILE")?)?;
        let exchanges: Exchanges = serde_json::from_slice(&exchanges)?;
        let authority = variable("BENCH_AUTHORITY_FILE")?;
        let aws: Uri = variable("AWS_ENDPOINT_URL")?.parse()?;
        let host = aws.authority().ok_or("a url without a host")?.to_string();
        let url: Uri = exchanges.url.parse()?;
        Ok(Self {
            aws: Server::new(&aws, host.parse()?, &authority)?,
            signer: AwsSigner::new(
                host,
                variable("AWS_REGION")?,
                variable("AWS_ACCESS_KEY_ID")?,
                variable("AWS_SECRET_ACCESS_KEY")?,
            ),
            endpoint: Server::new(&url, exchanges.address, &authority)?,
            webhook: Webhook::new(
                url.path(),
                &exchanges.secret,
                exchanges.headers.clone(),
                exchanges.body.clone().into_bytes(),
            )?,
            batches: exchanges.batches,
            done: AtomicUsize::new(0),
        })
    }

    async fn deliver(&self) -> Result<()> {
        let number = self.done.fetch_add(1, Ordering::Relaxed);
        let batch = &self.batches[number % self.batches.len()];
        for call in &batch.before {
            self.call(call).await?;
        }
        try_join_all(batch.after.iter().map(async |call| {
            self.endpoint.exchange(self.webhook.request()?).await?;
            self.call(call).await
        }))
        .await?;
        for call in &batch.last {
            self.call(call).await?;
        }
        Ok(())
    }

    async fn call(&self, call: &AwsCall) -> Result<()> {
        self.aws.exchange(self.signer.request(call)?).await
    }
}
