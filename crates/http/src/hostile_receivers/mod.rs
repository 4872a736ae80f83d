//! Receivers that misbehave on raw sockets, and names that resolve to addresses that they
//! should not.
//!
//! Every exchange must end within its deadline, with bounded memory and a precise outcome.

#![allow(clippy::unwrap_used)]
#![expect(clippy::disallowed_methods, reason = "a slow receiver has to sleep")]

mod addresses;
mod authority;
mod body;
pub(crate) mod client_certificates;
mod connection;
mod details;
mod dns;
mod headers;
mod heads;
mod kept;
mod name_server;
mod openssl;
mod receiver;
mod request;
mod status;
mod timings;
mod tls;
mod tokens;

use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use rustls::RootCertStore;
use webhooks_domain::outbound::{
    AddressPolicy, AttemptOutcome, DevelopmentNetworks, EndpointUrl, Method, ResponseBody,
    WebhookRequest, WebhookResponse,
};
use webhooks_domain::ports::WebhookSender;

use self::authority::Authority;
use self::name_server::NameServer;
use self::receiver::Receiver;
use crate::{HttpSender, resolver};

/// The deadline of exchanges that must reach it.
const SHORT: Duration = Duration::from_millis(300);
/// The deadline of exchanges that must end before it.
const LONG: Duration = Duration::from_secs(10);
/// The tolerance for the end of an exchange on a busy machine.
const GRACE: Duration = Duration::from_millis(1_500);

fn loopback() -> DevelopmentNetworks {
    "127.0.0.0/8".parse().unwrap()
}

/// Returns the roots of an authority that certifies no receiver.
fn nobody() -> RootCertStore {
    Authority::new("nobody").roots()
}

/// Returns a sender without a name server.
fn sender(limit: Duration) -> HttpSender {
    sender_with(limit, ResolverConfig::default(), nobody())
}

fn sender_with(limit: Duration, names: ResolverConfig, roots: RootCertStore) -> HttpSender {
    sender_under(AddressPolicy::new(loopback()), limit, names, roots)
}

fn sender_under(
    policy: AddressPolicy,
    limit: Duration,
    names: ResolverConfig,
    roots: RootCertStore,
) -> HttpSender {
    let mut names = TokioResolver::builder_with_config(names, TokioRuntimeProvider::default());
    // As for a system whose configuration does not enable it.
    names.options_mut().edns0 = false;
    let resolver = resolver::build(names).unwrap();
    HttpSender::with_resolver_and_roots(policy, limit, resolver, roots).unwrap()
}

fn request(url: &str) -> WebhookRequest {
    WebhookRequest {
        method: Method::Post,
        url: EndpointUrl::parse(url, &loopback()).unwrap(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: b"{}".to_vec(),
        timeout: None,
        spent: Duration::ZERO,
        identity: None,
    }
}

/// Sends to a receiver that does not complete the exchange.
async fn send_shortly(receiver: &Receiver) -> WebhookResponse {
    let started = Instant::now();
    let response = sender(SHORT).send(request(&receiver.url())).await;
    let elapsed = started.elapsed();
    assert!(
        elapsed >= SHORT && elapsed < SHORT + GRACE,
        "{elapsed:?}: {response:?}"
    );
    let duration = Duration::from_millis(response.duration_ms.into());
    assert!(duration >= SHORT && duration <= elapsed, "{duration:?}");
    response
}

/// Sends to a receiver that completes or ends the exchange.
async fn send(receiver: &Receiver) -> WebhookResponse {
    let started = Instant::now();
    let response = sender(LONG).send(request(&receiver.url())).await;
    assert!(started.elapsed() < LONG / 2, "{response:?}");
    response
}

/// Sends to a receiver under the name `example.com`.
async fn send_by_name(
    limit: Duration,
    names: &NameServer,
    receiver: &Receiver,
    roots: RootCertStore,
) -> WebhookResponse {
    sender_with(limit, names.config(), roots)
        .send(request(&receiver.named_url()))
        .await
}

fn assert_failed(response: &WebhookResponse, outcome: AttemptOutcome, error: &str) {
    assert_eq!(
        (response.outcome, response.status, response.error.as_deref()),
        (outcome, None, Some(error))
    );
    assert_eq!(
        (&response.body, &response.retry_after),
        (&ResponseBody::default(), &None)
    );
}
