//! `HttpSender`: the port's adapter over reqwest and rustls.

use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Response};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout_at};
use webhooks_domain::outbound::{
    AddressPolicy, AttemptOutcome, EndpointHost, EndpointUrl, ResponseHeaders, WebhookRequest,
    WebhookResponse, WebhookSender,
};

use crate::dialled;
use crate::excerpt::Excerpt;
use crate::failure::{self, Failure};
use crate::phase::{ConnectPhase, Phase};
use crate::resolver::{self, CheckedResolver};

/// The most of a response body that is read, 64 KiB; then the connection is dropped.
///
/// A shorter body is read to its end, so that the connection can be used again.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// How long a connection is kept without a request. Shorter than the shortest common keep-alive
/// of servers (5 s, Node.js and Apache httpd): a request on a connection that the server is
/// closing would fail, and count as the endpoint's failure.
pub(crate) const IDLE_LIMIT: Duration = Duration::from_secs(4);

/// How many idle connections are kept for one endpoint: a batch's worth.
const MAX_IDLE_PER_ENDPOINT: usize = 10;

/// Sends webhooks over HTTP/1.1. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct HttpSender {
    client: Client,
    policy: AddressPolicy,
    limit: Duration,
}

/// How long one exchange may take.
#[derive(Clone, Copy)]
struct Bound {
    limit: Duration,
    deadline: Instant,
}

/// The client could not be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpSenderError {
    /// The system names no name servers.
    #[error("name servers of the system (/etc/resolv.conf): {0}")]
    NameServers(#[from] NetError),
    /// rustls refused its configuration.
    #[error("tls configuration: {0}")]
    Tls(#[from] rustls::Error),
    /// reqwest refused its configuration.
    #[error("http client: {0}")]
    Client(#[from] reqwest::Error),
}

impl HttpSender {
    /// A sender that dials what `policy` permits and gives each exchange at most `limit`, from
    /// name resolution to the last byte of the body.
    ///
    /// The system's name servers are read here, once.
    ///
    /// # Errors
    /// When they cannot be read; or when the TLS or HTTP client cannot be configured, which is a
    /// fault of the build.
    pub fn new(policy: AddressPolicy, limit: Duration) -> Result<Self, HttpSenderError> {
        let roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        Self::with_resolver_and_roots(policy, limit, resolver::system_resolver()?, roots)
    }

    /// The same with one more trusted authority and another name server: for measurements with
    /// receivers on this machine. Not in any release build.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when the file holds no certificate in PEM.
    #[cfg(feature = "bench")]
    pub fn for_bench(
        policy: AddressPolicy,
        limit: Duration,
        authority: &std::path::Path,
        name_server: std::net::SocketAddr,
    ) -> Result<Self, HttpSenderError> {
        use rustls::pki_types::{CertificateDer, pem::PemObject};

        let mut roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let authority = CertificateDer::from_pem_file(authority)
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        roots.add(authority)?;
        let resolver = resolver::asking(name_server)?;
        Self::with_resolver_and_roots(policy, limit, resolver, roots)
    }

    /// The same with another resolver and other trusted roots, for this crate's tests.
    pub(crate) fn with_resolver_and_roots(
        policy: AddressPolicy,
        limit: Duration,
        resolver: TokioResolver,
        roots: RootCertStore,
    ) -> Result<Self, HttpSenderError> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls_config(roots)?)
            .dns_resolver(Arc::new(CheckedResolver::new(resolver, policy.clone())))
            .connector_layer(ConnectPhase)
            .connect_timeout(limit)
            .pool_idle_timeout(IDLE_LIMIT)
            .pool_max_idle_per_host(MAX_IDLE_PER_ENDPOINT)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            // Off although not compiled in: a dependency elsewhere could turn the feature on.
            .no_gzip()
            .no_brotli()
            .no_deflate()
            .no_zstd()
            .build()?;
        Ok(Self {
            client,
            policy,
            limit,
        })
    }

    fn bound(&self, request: &WebhookRequest, started: Instant) -> Bound {
        let limit = match request.timeout {
            Some(timeout) => self.limit.min(timeout.into()),
            None => self.limit,
        };
        Bound {
            limit,
            deadline: started + limit,
        }
    }

    /// Refuses what the client's resolver will not see: an address in the URL. A URL is checked
    /// when it is parsed too, but perhaps against other development networks than today's.
    fn check_url(&self, url: &EndpointUrl) -> Result<(), Failure> {
        match url.host() {
            EndpointHost::Address(address) => {
                self.policy
                    .check(address)
                    .map_err(|blocked| Failure::blocked_address(&blocked))?;
                if !self.policy.development_networks().contains(address) {
                    return Err(Failure::blocked(
                        "url host must be a name, not an IP address",
                    ));
                }
            }
            EndpointHost::Name(_) if !url.is_https() => {
                return Err(Failure::blocked("url scheme must be https"));
            }
            EndpointHost::Name(_) => {}
        }
        Ok(())
    }

    /// Sends the request and waits for the response's headers.
    async fn request(&self, request: WebhookRequest, bound: Bound) -> Result<Response, Failure> {
        self.check_url(&request.url)?;
        if let EndpointHost::Address(address) = request.url.host() {
            dialled::note(&[address]);
        }
        let exchange = self
            .client
            .post(request.url.as_url().clone())
            .headers(header_map(&request.headers)?)
            .body(request.body)
            .send();
        match timeout_at(bound.deadline, exchange).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Failure::from_client(&error, bound.limit)),
            Err(_) => Err(Failure::timed_out(bound.limit)),
        }
    }

    async fn exchange(&self, request: WebhookRequest, started: Instant) -> WebhookResponse {
        let bound = self.bound(&request, started);
        let mut response = match self.request(request, bound).await {
            Ok(response) => response,
            Err(Failure { outcome, error }) => {
                return WebhookResponse {
                    outcome,
                    status: None,
                    error: Some(error),
                    addresses: dialled::addresses(),
                    headers: ResponseHeaders::default(),
                    excerpt: None,
                    retry_after: None,
                    duration_ms: elapsed_ms(started),
                };
            }
        };
        let (excerpt, error) = read_body(&mut response, bound).await;
        let answered = response.remote_addr().map(|address| address.ip());
        let addresses: Vec<_> = answered.into_iter().collect();
        let headers = kept_headers(response.headers());
        let room_bytes = WebhookResponse::room_for_excerpt(&addresses, &headers);
        let outcome = if response.status().is_success() {
            AttemptOutcome::Succeeded
        } else {
            AttemptOutcome::HttpError
        };
        WebhookResponse {
            outcome,
            status: Some(response.status().as_u16()),
            error,
            excerpt: excerpt.finish(room_bytes),
            addresses,
            headers,
            retry_after: retry_after(response.headers()),
            duration_ms: elapsed_ms(started),
        }
    }
}

impl WebhookSender for HttpSender {
    async fn send(&self, request: WebhookRequest) -> WebhookResponse {
        let exchange = Phase::track(self.exchange(request, Instant::now()));
        dialled::track(exchange).await
    }
}

/// Reads the body as far as it is wanted: its beginning, and what went wrong, if anything.
async fn read_body(response: &mut Response, bound: Bound) -> (Excerpt, Option<String>) {
    let mut excerpt = Excerpt::default();
    let mut read_bytes = 0;
    let error = loop {
        match timeout_at(bound.deadline, response.chunk()).await {
            Ok(Ok(Some(chunk))) => {
                excerpt.push(&chunk);
                read_bytes += chunk.len();
                if read_bytes > MAX_BODY_BYTES {
                    break None;
                }
            }
            Ok(Ok(None)) => break None,
            Ok(Err(error)) => break Some(failure::broken_body(&error)),
            Err(_) => break Some(failure::timed_out(Phase::Body, bound.limit)),
        }
    };
    (excerpt, error)
}

fn tls_config(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn header_map(headers: &[(String, String)]) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let (Ok(name), Ok(mut value)) = (HeaderName::try_from(name), HeaderValue::try_from(value))
        else {
            return Err(Failure::unreachable(format!(
                "request: header `{}` is not valid",
                name.escape_default()
            )));
        };
        value.set_sensitive(true);
        map.append(name, value);
    }
    Ok(map)
}

fn kept_headers(headers: &HeaderMap) -> ResponseHeaders {
    ResponseHeaders::keep(|name| headers.get(name).map(HeaderValue::as_bytes))
}

/// The header as it came, when it could be what it should be.
fn retry_after(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    (text.len() <= WebhookResponse::MAX_RETRY_AFTER_BYTES).then(|| text.to_owned())
}

fn elapsed_ms(started: Instant) -> u32 {
    u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX)
}
