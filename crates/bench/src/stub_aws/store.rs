//! The real store on the stub's table, within this process.

use std::sync::Arc;

use anyhow::Context;
use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Config, Credentials, Region},
};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
};
use aws_smithy_types::body::SdkBody;
use http::StatusCode;
use webhooks_dynamodb::DynamoStore;

use super::{State, StubAws, TABLE};

/// Answers the client's calls without a connection.
#[derive(Debug)]
struct Connector(Arc<State>);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(
            self.answer(&request)
                .map_err(|error| ConnectorError::user(error.into())),
        )
    }
}

impl Connector {
    fn answer(&self, request: &HttpRequest) -> anyhow::Result<HttpResponse> {
        let target = request.headers().get("x-amz-target");
        let (_, operation) = target
            .and_then(|target| target.split_once('.'))
            .context("a call without an operation")?;
        let call = request.body().bytes().context("a call without a body")?;
        let answer = self.0.answer(operation, &serde_json::from_slice(call)?)?;
        let body = SdkBody::from(answer.to_string());
        Ok(HttpResponse::new(StatusCode::OK.into(), body))
    }
}

impl StubAws {
    /// Returns the store that the functions have, for data which no function here creates.
    pub(crate) fn store(&self) -> DynamoStore {
        let connector = SharedHttpConnector::new(Connector(Arc::clone(&self.state)));
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("id", "secret", None, None, "bench"))
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        DynamoStore::new(Client::from_conf(config), TABLE.to_owned())
    }
}
