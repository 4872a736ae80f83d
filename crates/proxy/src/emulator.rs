//! The emulator behind the proxy.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri, uri::PathAndQuery};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use url::Url;

use crate::{CallError, Next};

/// The time for which an idle connection is kept. It is less than the 5 s after which the
/// emulator closes it, so that no call uses a connection that is about to close.
const IDLE: Duration = Duration::from_secs(2);

/// The destination of forwarded calls.
#[derive(Debug)]
pub struct Emulator {
    /// Host and port.
    authority: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Emulator {
    /// Returns the emulator at this address.
    pub fn new(url: &Url) -> Self {
        Self {
            authority: url.authority().to_owned(),
            client: Client::builder(TokioExecutor::new())
                .pool_idle_timeout(IDLE)
                .build_http(),
        }
    }
}

impl Next for Emulator {
    async fn forward(&self, call: &Request<Bytes>) -> Result<Response<Bytes>, CallError> {
        let path = call.uri().path_and_query();
        let uri = Uri::builder()
            .scheme("http")
            .authority(self.authority.as_str())
            .path_and_query(path.map_or("/", PathAndQuery::as_str))
            .build()?;
        let mut forwarded = Request::builder().method(call.method()).uri(uri);
        if let Some(headers) = forwarded.headers_mut() {
            headers.clone_from(call.headers());
        }
        let forwarded = forwarded.body(Full::new(call.body().clone()))?;
        let (parts, body) = self.client.request(forwarded).await?.into_parts();
        Ok(Response::from_parts(
            parts,
            body.collect().await?.to_bytes(),
        ))
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;
    use webhooks_receiver::{Answer, Receiver};

    use super::*;

    #[tokio::test]
    async fn a_call_reaches_the_emulator_as_it_was_signed() {
        let receiver = Receiver::start().await.unwrap();
        receiver.script("/", [Answer::status(StatusCode::ACCEPTED)]);
        let emulator = Emulator::new(&receiver.url("/").parse().unwrap());
        let call = Request::post("/?a=b")
            .header("host", "functions")
            .body(Bytes::from("call"))
            .unwrap();
        let answer = emulator.forward(&call).await.unwrap();
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        let came = &receiver.requests()[0];
        assert_eq!(came.query.as_deref(), Some("a=b"));
        assert_eq!(came.header("host"), "functions");
        assert_eq!(came.body, "call");
    }
}
