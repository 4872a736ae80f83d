//! Makes calls of the functions fail on their way to the emulator.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use http::{Request, Response};
use tokio::time::sleep;
use webhooks_proxy::{CallError, Failure, FailureKind, Interceptor, Next};

use crate::faults::{Fault, Faults, Try, Unanswered};

impl Interceptor for Faults {
    async fn answer(
        &self,
        call: Request<Bytes>,
        next: &impl Next,
    ) -> Result<Response<Bytes>, CallError> {
        let (fault, unanswered) = tried(&call).map_or((None, None), |tried| self.next(&tried));
        let answer = answer(&call, fault, next).await;
        if answer.is_ok() || fault == Some(Fault::DroppedAnswer) {
            unanswered.into_iter().for_each(Unanswered::end);
        }
        Ok(answer?)
    }
}

/// Returns the answer to a call that this fault affects.
async fn answer(
    call: &Request<Bytes>,
    fault: Option<Fault>,
    next: &impl Next,
) -> Result<Response<Bytes>> {
    let forward = || async { next.forward(call).await.map_err(anyhow::Error::from_boxed) };
    match fault {
        None => forward().await,
        Some(Fault::ServerError) => failure(call, FailureKind::ServerError),
        Some(Fault::Throttle) => failure(call, FailureKind::Throttled),
        Some(Fault::Delay(delay)) => {
            sleep(delay).await;
            forward().await
        }
        Some(Fault::DroppedAnswer) => {
            forward().await?;
            bail!("the answer is dropped");
        }
        Some(Fault::Duplicate) => {
            forward().await?;
            forward().await
        }
    }
}

/// Reads the headers that describe a try. Every AWS client of the functions sends them.
fn tried(call: &Request<Bytes>) -> Option<Try<'_>> {
    Some(Try {
        operation: webhooks_proxy::operation(call)?,
        call: webhooks_proxy::id(call)?,
        body: call.body(),
    })
}

/// Returns the called service's failure of this kind.
fn failure(call: &Request<Bytes>, kind: FailureKind) -> Result<Response<Bytes>> {
    let failure =
        Failure::of_kind(call, kind).context("the failures of this service are unknown")?;
    Ok(failure.answer())
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, sync::Arc, time::Duration};

    use http::StatusCode;
    use http_body_util::Full;
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    use tokio::net::TcpListener;
    use url::Url;
    use webhooks_proxy::{Emulator, Proxy};
    use webhooks_receiver::{Answer, Receiver};

    use super::*;

    #[tokio::test]
    async fn each_fault_has_its_effect_on_a_call() {
        let emulator = Receiver::start().await.unwrap();
        emulator.script("/", [Answer::status(StatusCode::ACCEPTED)]);
        let url: Url = emulator.url("/").parse().unwrap();
        let behind = Emulator::new(&url);
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
                .header(
                    "authorization",
                    "Credential=KEY/20260101/us-east-1/sqs/aws4_request",
                )
                .body(Bytes::from("call"))
                .unwrap();
            let given = answer(&request, fault, &behind).await.ok();
            assert_eq!(given.map(|a| a.status().as_u16()), status, "{fault:?}");
            let came = &emulator.requests()[before..];
            assert_eq!(came.len(), reached, "{fault:?}");
            for request in came {
                assert_eq!(request.header("host"), "functions");
                assert_eq!(request.body, "call");
            }
        }
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_may_have_queued_a_task_and_retries() {
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
            .header("x-amz-target", "AmazonSQS.SendMessage")
            .header("amz-sdk-invocation-id", "1")
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
            while faults.repeats(&delivery, Duration::MAX) != 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), noticed)
            .await
            .unwrap();
    }
}
