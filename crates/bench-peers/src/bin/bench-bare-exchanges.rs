//! The minimum of a function with its exchanges: a function of `lambda_runtime` that makes the
//! recorded calls and webhooks of invocations, one invocation after the other, gives their
//! answers, and does nothing else. It does not read what it receives, and decides nothing.
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
use serde_json::value::RawValue;

/// The recorded exchanges of a function.
#[derive(Deserialize)]
struct Exchanges {
    invocations: Vec<Invocation>,
    /// Absent if no invocation sends webhooks.
    webhook: Option<Endpoint>,
}

/// The calls of an invocation, and its answer.
#[derive(Deserialize)]
struct Invocation {
    /// The calls before the webhooks, one after the other.
    before: Vec<AwsCall>,
    /// The calls after the webhooks: as many as there are webhooks, each after its own.
    after: Vec<AwsCall>,
    /// The calls at the end.
    last: Vec<AwsCall>,
    answer: Box<RawValue>,
}

/// A webhook and its endpoint.
#[derive(Deserialize)]
struct Endpoint {
    url: String,
    /// The address behind the URL.
    address: SocketAddr,
    secret: String,
    headers: Vec<(String, String)>,
    body: String,
}

struct Program {
    invocations: Vec<Invocation>,
    /// The number of invocations so far.
    done: AtomicUsize,
    aws: Server,
    signer: AwsSigner,
    webhook: Option<(Server, Webhook)>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Error> {
    let program = &Program::from_environment()?;
    run(service_fn(async |_: LambdaEvent<Box<RawValue>>| {
        program.invoke().await
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

impl Program {
    fn from_environment() -> Result<Self> {
        let exchanges = fs::read(variable("EXCHANGES_FILE")?)?;
        let exchanges: Exchanges = serde_json::from_slice(&exchanges)?;
        let authority = variable("BENCH_AUTHORITY_FILE")?;
        let aws: Uri = variable("AWS_ENDPOINT_URL")?.parse()?;
        let host = aws.authority().ok_or("a url without a host")?.to_string();
        let webhook = |to: Endpoint| -> Result<_> {
            let url: Uri = to.url.parse()?;
            Ok((
                Server::new(&url, to.address, &authority)?,
                Webhook::new(url.path(), &to.secret, to.headers, to.body.into_bytes())?,
            ))
        };
        Ok(Self {
            aws: Server::new(&aws, host.parse()?, &authority)?,
            signer: AwsSigner::new(
                host,
                variable("AWS_REGION")?,
                variable("AWS_ACCESS_KEY_ID")?,
                variable("AWS_SECRET_ACCESS_KEY")?,
            ),
            webhook: exchanges.webhook.map(webhook).transpose()?,
            invocations: exchanges.invocations,
            done: AtomicUsize::new(0),
        })
    }

    async fn invoke(&self) -> Result<&RawValue> {
        let number = self.done.fetch_add(1, Ordering::Relaxed);
        let invocation = &self.invocations[number % self.invocations.len()];
        for call in &invocation.before {
            self.call(call).await?;
        }
        if let Some((endpoint, webhook)) = &self.webhook {
            try_join_all(invocation.after.iter().map(async |call| {
                endpoint.exchange(webhook.request()?).await?;
                self.call(call).await
            }))
            .await?;
        }
        for call in &invocation.last {
            self.call(call).await?;
        }
        Ok(&invocation.answer)
    }

    async fn call(&self, call: &AwsCall) -> Result<()> {
        self.aws.exchange(self.signer.request(call)?).await
    }
}
