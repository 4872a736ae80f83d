//! Stands between the functions and the emulator, and lets calls go wrong.

use std::{net::Ipv4Addr, sync::Arc};

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri, header::CONTENT_TYPE, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use serde_json::json;
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::sleep,
};
use url::Url;

use crate::faults::{Fault, Faults, Try, Unanswered};

/// The header that names the operation of a call: `DynamoDB_20120810.UpdateItem`.
const TARGET: &str = "x-amz-target";

/// The header that is the same for every try of a call.
const CALL: &str = "amz-sdk-invocation-id";

/// A proxy of the emulator. It ends when the value is dropped.
pub(crate) struct Proxy {
    accepting: AbortHandle,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Proxy {
    /// Listens on a port of the loopback address, for an emulator.
    pub(crate) async fn start(port: u16, emulator: &Url, faults: Arc<Faults>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .with_context(|| format!("listening on port {port} for the functions"))?;
        let forwarding = Arc::new(Forwarding {
            emulator: emulator.authority().to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            faults,
        });
        let accepting = tokio::spawn(accept(listener, forwarding)).abort_handle();
        Ok(Self { accepting })
    }
}

/// Serves connections until it is aborted. The connections end with it.
async fn accept(listener: TcpListener, forwarding: Arc<Forwarding>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, _)) = listener.accept() => {
                connections.spawn(serve(stream, Arc::clone(&forwarding)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, forwarding: Arc<Forwarding>) {
    let service = service_fn(|request| {
        let forwarding = Arc::clone(&forwarding);
        async move { forwarding.handle(request).await }
    });
    // A function that goes away ends its connection: nothing is left to do.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

struct Forwarding {
    /// Host and port.
    emulator: String,
    client: Client<HttpConnector, Full<Bytes>>,
    faults: Arc<Faults>,
}

impl Forwarding {
    /// Answers one call. An error closes the connection in place of an answer.
    async fn handle(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let request = Request::from_parts(parts, body);
        let (fault, unanswered) =
            tried(&request).map_or((None, None), |tried| self.faults.next(&tried));
        let answer = self.answer(&request, fault).await;
        if answer.is_ok() || fault == Some(Fault::DroppedAnswer) {
            unanswered.into_iter().for_each(Unanswered::end);
        }
        answer
    }

    async fn answer(
        &self,
        request: &Request<Bytes>,
        fault: Option<Fault>,
    ) -> Result<Response<Full<Bytes>>> {
        match fault {
            None => self.forward(request).await,
            Some(Fault::ServerError) => {
                refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError")
            }
            Some(Fault::Throttle) => refusal(StatusCode::BAD_REQUEST, "ThrottlingException"),
            Some(Fault::Delay(delay)) => {
                sleep(delay).await;
                self.forward(request).await
            }
            Some(Fault::DroppedAnswer) => {
                self.forward(request).await?;
                bail!("the answer is dropped");
            }
            Some(Fault::Duplicate) => {
                self.forward(request).await?;
                self.forward(request).await
            }
        }
    }

    /// The emulator's answer. The `host` stays what it was: it is signed.
    async fn forward(&self, request: &Request<Bytes>) -> Result<Response<Full<Bytes>>> {
        let path = request.uri().path_and_query();
        let uri = Uri::builder()
            .scheme("http")
            .authority(self.emulator.as_str())
            .path_and_query(path.map_or("/", PathAndQuery::as_str))
            .build()?;
        let mut forwarded = Request::builder().method(request.method()).uri(uri);
        if let Some(headers) = forwarded.headers_mut() {
            headers.clone_from(request.headers());
        }
        let forwarded = forwarded.body(Full::new(request.body().clone()))?;
        let (parts, body) = self.client.request(forwarded).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Response::from_parts(parts, Full::new(body)))
    }
}

/// What the client says of a try. Every client of the functions does.
fn tried(request: &Request<Bytes>) -> Option<Try<'_>> {
    let header = |name| request.headers().get(name)?.to_str().ok();
    Some(Try {
        operation: header(TARGET)?.rsplit('.').next()?,
        call: header(CALL)?,
        body: request.body(),
    })
}

/// An error in the form of the services that speak JSON: DynamoDB, SQS and KMS.
fn refusal(status: StatusCode, code: &str) -> Result<Response<Full<Bytes>>> {
    let body = json!({"__type": code, "message": "injected"}).to_string();
    let response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "application/x-amz-json-1.0");
    Ok(response.body(Full::from(body))?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use webhooks_client::{Answer, Receiver};

    use super::*;

    #[tokio::test]
    async fn each_fault_does_to_a_call_what_it_says() {
        let emulator = Receiver::start().await.unwrap();
        emulator.script("/", [Answer::status(StatusCode::ACCEPTED)]);
        let url: Url = emulator.url("/").parse().unwrap();
        let forwarding = Forwarding {
            emulator: url.authority().to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            faults: Arc::default(),
        };
        let (accepted, failed, refused) = (Some(202), Some(500), Some(400));
        for (fault, status, reached) in [
            (None, accepted, 1),
            (Some(Fault::ServerError), failed, 0),
            (Some(Fault::Throttle), refused, 0),
            (Some(Fault::Delay(Duration::ZERO)), accepted, 1),
            (Some(Fault::DroppedAnswer), None, 1),
            (Some(Fault::Duplicate), accepted, 2),
        ] {
            let before = emulator.requests().len();
            let request = Request::post("/")
                .header("host", "functions")
                .body(Bytes::from("call"))
                .unwrap();
            let answer = forwarding.answer(&request, fault).await.ok();
            assert_eq!(answer.map(|a| a.status().as_u16()), status, "{fault:?}");
            let came = &emulator.requests()[before..];
            assert_eq!(came.len(), reached, "{fault:?}");
            for request in came {
                assert_eq!(request.header("host"), "functions");
                assert_eq!(request.body, "call");
            }
        }
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_may_have_queued_a_hint_and_asks_again() {
        const MESSAGE: &str = "9d621ecde980c9e89ef2b0fa0f4cc7e6";
        const SUBSCRIPTION: &str = "70e79b2df96dcca5a0a362236c8d86f4";
        let emulator = Receiver::start().await.unwrap();
        emulator.script("/", [Answer::never()]);
        let url: Url = emulator.url("/").parse().unwrap();
        let faults: Arc<Faults> = Arc::default();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let port = port.unwrap().local_addr().unwrap().port();
        let _proxy = Proxy::start(port, &url, Arc::clone(&faults)).await.unwrap();

        let call = Request::post(format!("http://127.0.0.1:{port}/"))
            .header(TARGET, "AmazonSQS.SendMessage")
            .header(CALL, "1")
            .body(Full::<Bytes>::from(format!(
                "msg_{MESSAGE} sub_{SUBSCRIPTION}"
            )))
            .unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let waiting = tokio::spawn(async move { client.request(call).await.is_ok() });
        emulator
            .received("/", 1, Duration::from_secs(10))
            .await
            .unwrap();
        waiting.abort();
        let delivery = format!("dlv_{MESSAGE}_{SUBSCRIPTION}");
        let noticed = async {
            while faults.repeats(&delivery) != 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), noticed)
            .await
            .unwrap();
    }
}
