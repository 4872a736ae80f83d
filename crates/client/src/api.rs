//! The management API of a stack: its methods by topic, each of them a [`Call`].

mod answered;
mod call;
mod customers;
mod deliveries;
mod event_types;
mod messages;
mod portal_sessions;
mod recoveries;
mod statistics;
mod subscriptions;
mod transport;

pub use answered::Answered;
pub use call::{Call, Sent};

use bytes::Bytes;
use http::Method;
use serde_json::Value;

use crate::{Error, SignedHttp};
use transport::Transport;

/// The management API, behind its Function URL or, where there is none, invoked directly.
///
/// Customers are named by their ids, and so is everything else.
#[derive(Clone, Debug)]
pub struct Api {
    transport: Transport,
    http: SignedHttp,
}

impl Api {
    /// The API behind a Function URL.
    pub(crate) fn new(url: &str, http: SignedHttp) -> Result<Self, Error> {
        let transport = Transport::function_url(url)?;
        Ok(Self { transport, http })
    }

    /// The API of a stack without a Function URL: its function in this region.
    pub(crate) fn invoked(region: &str, function: &str, http: SignedHttp) -> Result<Self, Error> {
        let transport = Transport::invoke(region, function)?;
        Ok(Self { transport, http })
    }

    /// The same API without signatures: it refuses every request.
    #[must_use]
    pub fn unsigned(&self) -> Self {
        Self {
            transport: self.transport.clone(),
            http: self.http.unsigned(),
        }
    }

    /// The API's own description, `OpenAPI` 3.1.
    pub fn openapi(&self) -> Call<'_, Value> {
        Call::new(self, Method::GET, &["openapi.json"])
    }

    /// Sends any request and returns the answer as it came.
    pub async fn request(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answered, Error> {
        let body = body.map(|body| Bytes::from(body.to_string()));
        self.request_bytes(method, path, query, body).await
    }

    /// Sends any request with a body that need not be JSON.
    pub async fn request_bytes(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Answered, Error> {
        let call: Call<'_, Value> = Call::new(self, method, path);
        call.query(&query).bytes(body).answer().await
    }
}

#[cfg(test)]
mod tests {
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use http::StatusCode;
    use serde_json::json;

    use webhooks_receiver::{Answer, Receiver};

    use super::*;
    use crate::{
        DeliveriesQuery, DeliveryStatus, ListLimit, Recover, RecoveryKind, SubscriptionsQuery,
        WholeNumber,
    };

    /// An API that is a receiver, which records what it is asked.
    async fn api() -> (Api, Receiver) {
        let receiver = Receiver::start().await.unwrap();
        let keys = Credentials::new("id", "secret", None, None, "test");
        let http = SignedHttp::new("eu-west-1", None, SharedCredentialsProvider::new(keys));
        (Api::new(&receiver.url("/"), http).unwrap(), receiver)
    }

    #[tokio::test]
    async fn a_call_carries_its_path_query_headers_and_body() {
        let (api, receiver) = api().await;
        let query = DeliveriesQuery {
            status: Some(DeliveryStatus::Failed),
            since: Some("2026-01-01T00:00:00Z".to_owned()),
            limit: Some(ListLimit::up_to(7)),
            cursor: Some("x+y".to_owned()),
            ..DeliveriesQuery::default()
        };
        let list = api.deliveries("a|b/c", "sub_1", &query);
        list.answer().await.unwrap();
        let change = api.update_subscription("acme", "sub_1", &json!({"status": "paused"}));
        change.if_match(3).answer().await.unwrap();
        let created = api.create_subscription("acme", &json!({}));
        created.idempotency_key("k").answer().await.unwrap();

        let requests = receiver.requests();
        assert_eq!(
            requests[0].path,
            "/customers/a|b%2Fc/subscriptions/sub_1/deliveries"
        );
        assert_eq!(
            requests[0].query.as_deref(),
            Some("status=failed&since=2026-01-01T00%3A00%3A00Z&limit=7&cursor=x%2By")
        );
        assert!(requests[0].header("authorization").contains("/lambda/"));
        assert_eq!(requests[1].header("if-match"), "\"3\"");
        assert_eq!(requests[1].body, r#"{"status":"paused"}"#);
        assert_eq!(requests[2].header("idempotency-key"), "k");
    }

    #[tokio::test]
    async fn only_a_request_that_is_safe_to_repeat_is_repeated() {
        let (api, receiver) = api().await;
        let path = "/customers/acme/subscriptions/sub_1";
        let busy = || Answer::status(StatusCode::SERVICE_UNAVAILABLE);
        receiver.script(path, [busy(), Answer::ok(), busy()]);
        let read = api.subscription("acme", "sub_1").answer().await.unwrap();
        assert_eq!(read.status, StatusCode::OK);
        let change = api.update_subscription("acme", "sub_1", &json!({}));
        let changed = change.answer().await.unwrap();
        assert_eq!(changed.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(receiver.requests().len(), 3);

        let path = "/customers/acme/subscriptions";
        receiver.script(path, [busy(), busy(), busy(), Answer::ok()]);
        let created = api.create_subscription("acme", &json!({}));
        let created = created.idempotency_key("k").answer().await.unwrap();
        assert_eq!(
            created.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "three tries"
        );
        assert_eq!(receiver.requests().len(), 6);
    }

    #[tokio::test]
    async fn a_recovery_that_only_counts_says_so() {
        let (api, receiver) = api().await;
        let path = "/customers/acme/subscriptions/sub_1/replay";
        let counted = Answer::ok().with_body(r#"{"count": 7, "complete": true}"#);
        receiver.script(path, [counted]);
        let request = Recover {
            since: "2026-01-01T00:00:00Z".to_owned(),
            per_second: Some(WholeNumber(5)),
            ..Recover::default()
        };
        let kind = RecoveryKind::Replay;
        let count = api.count_recovery(kind, "acme", "sub_1", &request).await;
        assert_eq!(count.unwrap().count, 7);
        let body: Value = serde_json::from_slice(&receiver.requests()[0].body).unwrap();
        assert_eq!(
            body,
            json!({"since": "2026-01-01T00:00:00Z", "perSecond": 5, "dryRun": true})
        );
    }

    #[tokio::test]
    async fn a_customer_that_a_url_cannot_name_is_refused_before_anything_is_sent() {
        let (api, receiver) = api().await;
        for customer in [".", ".."] {
            let list = api.subscriptions(customer, &SubscriptionsQuery::default());
            let error = list.await.unwrap_err();
            let Error::Request(source) = error else {
                panic!("{error}")
            };
            let named = format!("`{customer}` is no id");
            assert!(source.to_string().starts_with(&named), "{source}");
        }
        assert!(receiver.requests().is_empty());
    }

    #[tokio::test]
    async fn an_empty_answer_is_nothing_and_a_problem_is_an_error() {
        let (api, receiver) = api().await;
        let path = "/customers/acme/subscriptions/sub_1";
        let problem = r#"{"title": "Not found", "status": 404, "detail": "no"}"#;
        let refused = Answer::status(StatusCode::NOT_FOUND).with_body(problem);
        receiver.script(path, [Answer::status(StatusCode::NO_CONTENT), refused]);
        api.delete_subscription("acme", "sub_1").await.unwrap();
        let error = api.delete_subscription("acme", "sub_1").await.unwrap_err();
        assert!(matches!(error, Error::Problem(problem) if problem.status == 404));
    }
}
