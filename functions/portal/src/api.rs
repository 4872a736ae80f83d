//! Requests to the API, for a customer's session.
//!
//! The API's function does everything that needs the signing key or has rules of the API. So there is
//! one set of rules and one wording of problems, and the portal has no access to the key. Every method
//! requires a [`CustomerScope`], checks its capability, and sends it along: the API checks the
//! customer and the capability again. What is limited requires a [`Taken`] too.

use std::error::Error;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use lambda_http::http::header::{HeaderName, IF_MATCH};
use lambda_http::http::{HeaderValue, Method};
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use webhooks_api_types as api;
use webhooks_domain::ids::MessageId;
use webhooks_domain::portal_access::CustomerScope;
use webhooks_domain::portal_allowance::Taken;
use webhooks_domain::portal_session::Capability;
use webhooks_function_url::{FunctionAnswer, Invocation, PortalScope};
use webhooks_lambda::FunctionClient;

use crate::data::Owned;
use crate::refusal::Refusal;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The largest number of pages of deliveries, of 200 each, that one request of a person cancels: as
/// many as a customer has subscriptions by default.
const CANCELLED_PAGES: u32 = 5;

/// The deliveries of a message that were looked at.
pub(crate) enum Cancelled {
    All,
    Part,
}

/// The reason why there is no answer.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Invokes the API's function.
pub(crate) trait InvokeApi: Send + Sync + 'static {
    /// Invokes it once with an event, and returns its result.
    fn invoke(&self, event: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Failure>>;
}

impl InvokeApi for FunctionClient {
    fn invoke(&self, event: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Failure>> {
        async { Ok(Self::invoke(self, event).await?) }.boxed()
    }
}

/// The API, for sessions of customers.
pub(crate) struct ScopedApi(pub(crate) Box<dyn InvokeApi>);

impl ScopedApi {
    /// Creates a subscription. With the same `once` and the same fields it is created once.
    pub(crate) async fn create(
        &self,
        scope: &CustomerScope,
        _: &Taken,
        fields: &api::SubscriptionPatch,
        once: Option<HeaderValue>,
    ) -> Result<api::CreatedSubscription, Refusal> {
        let request = request(scope, Capability::Manage, Method::POST, None, &[])?;
        let request = match once {
            Some(once) => request.header(IDEMPOTENCY_KEY, once),
            None => request,
        };
        self.send(with_body(request, fields)).await
    }

    /// Changes a subscription that has this version.
    pub(crate) async fn update(
        &self,
        scope: &CustomerScope,
        of: &Owned,
        version: &str,
        fields: &api::SubscriptionPatch,
    ) -> Result<api::Subscription, Refusal> {
        let request = request(scope, Capability::Manage, Method::PATCH, Some(of), &[])?;
        self.send(with_body(if_match(request, version)?, fields))
            .await
    }

    /// Pauses a subscription.
    pub(crate) async fn pause(&self, scope: &CustomerScope, of: &Owned) -> Result<(), Refusal> {
        let fields = api::SubscriptionPatch {
            status: Some(api::WantedStatus::Paused),
            ..api::SubscriptionPatch::default()
        };
        let request = request(scope, Capability::Manage, Method::PATCH, Some(of), &[])?;
        self.done(with_body(request, &fields)).await
    }

    /// Makes a subscription active. A recovery sends or discards what was held. Without a fate the API
    /// has a default.
    pub(crate) async fn enable(
        &self,
        scope: &CustomerScope,
        _: &Taken,
        of: &Owned,
        held: Option<api::HeldFate>,
    ) -> Result<(), Refusal> {
        self.activate(scope, of, held).await
    }

    /// Makes a subscription active, and keeps what was held.
    pub(crate) async fn enable_and_keep(
        &self,
        scope: &CustomerScope,
        of: &Owned,
    ) -> Result<(), Refusal> {
        self.activate(scope, of, Some(api::HeldFate::Keep)).await
    }

    async fn activate(
        &self,
        scope: &CustomerScope,
        of: &Owned,
        held: Option<api::HeldFate>,
    ) -> Result<(), Refusal> {
        let tail = ["enable"];
        let request = request(scope, Capability::Manage, Method::POST, Some(of), &tail)?;
        self.done(with_body(request, &api::Enable { held })).await
    }

    /// Deletes a subscription.
    pub(crate) async fn delete(&self, scope: &CustomerScope, of: &Owned) -> Result<(), Refusal> {
        let request = request(scope, Capability::Manage, Method::DELETE, Some(of), &[])?;
        self.done(request).await
    }

    /// Sends an example event, and returns its delivery.
    pub(crate) async fn send_test(
        &self,
        scope: &CustomerScope,
        _: &Taken,
        of: &Owned,
        event_type: Option<&str>,
    ) -> Result<api::Delivery, Refusal> {
        let test = api::Test {
            event_type: event_type.map(str::to_owned),
        };
        let tail = ["test"];
        let request = request(scope, Capability::Manage, Method::POST, Some(of), &tail)?;
        self.send(with_body(request, &test)).await
    }

    /// Cancels what is still pending of a message: at most [`CANCELLED_PAGES`] pages of deliveries.
    pub(crate) async fn cancel(
        &self,
        scope: &CustomerScope,
        message: &MessageId,
    ) -> Result<Cancelled, Refusal> {
        scope.require(Capability::Resend)?;
        let (customer, message) = (scope.customer().to_string(), message.to_string());
        let mut cursor: Option<String> = None;
        for _ in 0..CANCELLED_PAGES {
            let path = ["customers", &customer, "messages", &message, "cancel"];
            let request = Invocation::new(&PortalScope::from(scope), Method::POST, path);
            let request = match &cursor {
                Some(cursor) => request.query("cursor", cursor),
                None => request,
            };
            let page: api::Cancellation = self.send(request).await?;
            cursor = page.next_cursor;
            if cursor.is_none() {
                return Ok(Cancelled::All);
            }
        }
        Ok(Cancelled::Part)
    }

    /// Tries a filter on an event.
    pub(crate) async fn try_filter(
        &self,
        scope: &CustomerScope,
        test: &api::FilterTest,
    ) -> Result<api::FilterTestResult, Refusal> {
        scope.require(Capability::Manage)?;
        let path = ["filters", "test"];
        let request = Invocation::new(&PortalScope::from(scope), Method::POST, path);
        self.send(with_body(request, test)).await
    }

    /// Tries a transform on an event.
    pub(crate) async fn try_transform(
        &self,
        scope: &CustomerScope,
        test: &api::TransformTest,
    ) -> Result<api::TransformTestResult, Refusal> {
        scope.require(Capability::Manage)?;
        let path = ["transforms", "test"];
        let request = Invocation::new(&PortalScope::from(scope), Method::POST, path);
        self.send(with_body(request, test)).await
    }

    /// The secrets of a subscription that sign, the current one first.
    pub(crate) async fn secrets(
        &self,
        scope: &CustomerScope,
        of: &Owned,
    ) -> Result<Vec<api::ActiveSecret>, Refusal> {
        let tail = ["secret"];
        let request = request(scope, Capability::Secrets, Method::GET, Some(of), &tail)?;
        let found: api::ActiveSecrets = self.send(request).await?;
        Ok(found.secrets)
    }

    /// Replaces the secret of a subscription that has this version.
    pub(crate) async fn rotate(
        &self,
        scope: &CustomerScope,
        of: &Owned,
        version: &str,
        overlap: Option<u32>,
    ) -> Result<(), Refusal> {
        let rotation = api::Rotation {
            overlap_seconds: overlap.map(api::WholeNumber),
            ..api::Rotation::default()
        };
        let tail = ["secret", "rotate"];
        let request = request(scope, Capability::Secrets, Method::POST, Some(of), &tail)?;
        self.done(with_body(if_match(request, version)?, &rotation))
            .await
    }

    async fn done(&self, request: Invocation) -> Result<(), Refusal> {
        self.send::<IgnoredAny>(request).await.map(drop)
    }

    async fn send<T: DeserializeOwned>(&self, request: Invocation) -> Result<T, Refusal> {
        let result = self.0.invoke(request.into_event()).await;
        let answer = FunctionAnswer::read(&result.map_err(Refusal::Failed)?);
        let answer = answer.map_err(|error| Refusal::Failed(error.into()))?;
        if answer.status.is_success() {
            // The answer to a deletion is empty.
            let body: &[u8] = match &answer.body[..] {
                [] => b"null",
                body => body,
            };
            return serde_json::from_slice(body).map_err(|error| unexpected(&error));
        }
        let problem: api::Problem =
            serde_json::from_slice(&answer.body).map_err(|error| unexpected(&error))?;
        Err(match answer.status.as_u16() {
            404 => Refusal::NotFound,
            // The API has logged the causes.
            500.. => Refusal::Failed(format!("the API answered {}", answer.status).into()),
            _ => Refusal::Api(problem),
        })
    }
}

/// A request about the subscriptions of a customer, or about one of them.
fn request(
    scope: &CustomerScope,
    capability: Capability,
    method: Method,
    of: Option<&Owned>,
    tail: &[&'static str],
) -> Result<Invocation, Refusal> {
    scope.require(capability)?;
    let customer = scope.customer().to_string();
    let subscription = of.map(|of| of.id().to_string());
    let head = ["customers", customer.as_str(), "subscriptions"];
    let path = head.into_iter().chain(subscription.as_deref());
    let path = path.chain(tail.iter().copied());
    Ok(Invocation::new(&PortalScope::from(scope), method, path))
}

fn with_body(request: Invocation, body: &impl Serialize) -> Invocation {
    request.json(serde_json::to_string(body).expect("requests become JSON"))
}

/// A form has the version of which its page was made.
fn if_match(request: Invocation, version: &str) -> Result<Invocation, Refusal> {
    let version: u64 = version.parse().map_err(|_| Refusal::Malformed)?;
    let tag = HeaderValue::try_from(format!("\"{version}\"")).expect("digits are ASCII");
    Ok(request.header(IF_MATCH, tag))
}

/// The error names a place in the answer, and may quote a part of it, which may be a secret.
fn unexpected(error: &serde_json::Error) -> Refusal {
    let (line, column) = (error.line(), error.column());
    Refusal::Failed(format!("unexpected answer of the API, at {line}:{column}").into())
}
