//! A stub of the Lambda Runtime API: passes invocations to one program and receives its
//! answers.

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex as StdMutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    sync::{Mutex, mpsc, oneshot, watch},
    task::AbortHandle,
    time::timeout,
};

use crate::lockstep::{Connection, Lockstep};

/// The time limit of an invocation. No part needs longer.
const LIMIT: Duration = Duration::from_mins(1);

/// The timeout that the function is told for each invocation.
const FUNCTION_TIMEOUT: Duration = Duration::from_mins(5);

/// One invocation in progress.
struct Invocation {
    payload: Bytes,
    answer: oneshot::Sender<Result<Bytes, String>>,
}

/// The answer to one invocation.
pub(crate) struct Answer {
    /// The body of the function's answer.
    pub(crate) body: Bytes,
    /// The time from the last byte of the payload to the last byte of the answer.
    pub(crate) duration: Duration,
}

/// The API of one execution environment. It ends when the value is dropped.
pub(crate) struct RuntimeApi {
    /// The host and port, for `AWS_LAMBDA_RUNTIME_API`.
    pub(crate) address: String,
    invocations: mpsc::Sender<Invocation>,
    first_poll: watch::Receiver<Option<Instant>>,
    accepting: AbortHandle,
}

struct State {
    invocations: Mutex<mpsc::Receiver<Invocation>>,
    running: StdMutex<HashMap<String, oneshot::Sender<Result<Bytes, String>>>>,
    first_poll: watch::Sender<Option<Instant>>,
    next_id: AtomicU64,
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl RuntimeApi {
    /// Listens on a free port of the loopback address.
    pub(crate) async fn start(lockstep: &Lockstep) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("listening for a function")?;
        let address = listener.local_addr()?.to_string();
        let (invocations, queue) = mpsc::channel(1);
        let (sender, first_poll) = watch::channel(None);
        let state = Arc::new(State {
            invocations: Mutex::new(queue),
            running: StdMutex::default(),
            first_poll: sender,
            next_id: AtomicU64::new(1),
        });
        let server = lockstep.server();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(server.connection(stream), Arc::clone(&state)));
            }
        });
        Ok(Self {
            address,
            invocations,
            first_poll,
            accepting: accepting.abort_handle(),
        })
    }

    /// Returns the time at which the function requested its first invocation.
    pub(crate) async fn first_poll(&mut self) -> Result<Instant> {
        let polled = timeout(LIMIT, self.first_poll.wait_for(Option::is_some))
            .await
            .context("the function does not poll")??;
        Ok(polled.unwrap_or_else(Instant::now))
    }

    /// Invokes the function with one event.
    pub(crate) async fn invoke(&self, payload: impl Into<Bytes>) -> Result<Answer> {
        let (answer, answered) = oneshot::channel();
        let payload = payload.into();
        let started = Instant::now();
        self.invocations
            .send(Invocation { payload, answer })
            .await
            .context("the stub has ended")?;
        let body = timeout(LIMIT, answered)
            .await
            .context("the function does not answer")?
            .context("the function has ended")?;
        match body {
            Ok(body) => Ok(Answer {
                body,
                duration: started.elapsed(),
            }),
            Err(error) => bail!("the function failed: {error}"),
        }
    }
}

async fn serve(stream: Connection, state: Arc<State>) {
    let service = service_fn(|request| {
        let state = Arc::clone(&state);
        async move { state.handle(request).await }
    });
    // A killed function ends its connection, so nothing is left to do.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl State {
    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let rest = path
            .strip_prefix("/2018-06-01/runtime/")
            .with_context(|| format!("`{path}` is not a path of the Runtime API"))?;
        if parts.method == Method::GET && rest == "invocation/next" {
            return self.next().await;
        }
        let body = body.collect().await?.to_bytes();
        match rest.split('/').collect::<Vec<_>>().as_slice() {
            ["invocation", id, "response"] => self.finish(id, Ok(body)),
            ["invocation", id, "error"] => {
                self.finish(id, Err(String::from_utf8_lossy(&body).into_owned()));
            }
            _ => bail!("`{rest}`: {}", String::from_utf8_lossy(&body)),
        }
        let response = Response::builder().status(StatusCode::ACCEPTED);
        Ok(response.body(Full::from(r#"{"status":"OK"}"#))?)
    }

    async fn next(&self) -> Result<Response<Full<Bytes>>> {
        self.first_poll.send_if_modified(|polled| {
            let is_first = polled.is_none();
            polled.get_or_insert_with(Instant::now);
            is_first
        });
        let invocation = self.invocations.lock().await.recv().await;
        let Invocation { payload, answer } = invocation.context("there are no more invocations")?;
        let id = format!(
            "00000000-0000-4000-8000-{:012}",
            self.next_id.fetch_add(1, Ordering::Relaxed)
        );
        self.running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id.clone(), answer);
        let end = SystemTime::now().duration_since(UNIX_EPOCH)? + FUNCTION_TIMEOUT;
        let response = Response::builder()
            .header("content-type", "application/json")
            .header("lambda-runtime-aws-request-id", id)
            .header("lambda-runtime-deadline-ms", end.as_millis().to_string())
            .header(
                "lambda-runtime-invoked-function-arn",
                "arn:aws:lambda:us-east-1:123456789012:function:bench",
            )
            .header(
                "lambda-runtime-trace-id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0",
            );
        Ok(response.body(Full::new(payload))?)
    }

    fn finish(&self, id: &str, result: Result<Bytes, String>) {
        let answer = self
            .running
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(id);
        if let Some(answer) = answer {
            // The caller gave up because the invocation took too long.
            let _ = answer.send(result);
        }
    }
}
