//! `HttpSender`: the adapter of the port `WebhookSender`, over hyper and rustls.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hickory_resolver::TokioResolver;
use hickory_resolver::net::NetError;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::header::{HeaderMap, TRANSFER_ENCODING};
use hyper::{Method as HttpMethod, Request, Response, StatusCode, Uri};
use rustls::RootCertStore;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use url::Position;
use webhooks_domain::outbound::authentication::ClientIdentity;
use webhooks_domain::outbound::{
    AddressPolicy, AttemptOutcome, DeniedHosts, EndpointHost, EndpointUrl, KeptResponseBytes,
    Method, ResponseBody, ResponseHeaders, Timings, WebhookRequest, WebhookResponse,
};
use webhooks_domain::ports::WebhookSender;

use crate::body::{Ending, read_body};
use crate::connection::{Connection, NoResponse};
use crate::dial;
use crate::excerpt::Excerpt;
use crate::failure::{Client, Failure};
use crate::head;
use crate::phase::Phase;
use crate::pool::{Pool, Route};
use crate::resolver::{self, CheckedResolver};
use crate::tls::Tls;

/// Sends webhooks over HTTP/1.1. A clone is cheap and shares the connections.
#[derive(Clone)]
pub struct HttpSender {
    resolver: CheckedResolver,
    tls: Arc<Tls>,
    pool: Arc<Pool>,
    policy: AddressPolicy,
    denied: DeniedHosts,
    limit: Duration,
    kept: KeptResponseBytes,
}

impl fmt::Debug for HttpSender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HttpSender")
            .field("policy", &self.policy)
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// The time limit of one exchange.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) limit: Duration,
    pub(crate) deadline: Instant,
}

impl Bound {
    /// Waits for one phase of the exchange, at most until its deadline.
    async fn wait<F: Future>(self, phase: Phase, future: F) -> Result<F::Output, Failure> {
        timeout_at(self.deadline, future)
            .await
            .map_err(|_| Failure::timed_out(phase, self.limit))
    }
}

/// The client could not be created.
#[derive(Debug, thiserror::Error)]
pub enum HttpSenderError {
    /// The system names no name servers.
    #[error("name servers of the system (/etc/resolv.conf): {0}")]
    NameServers(#[from] NetError),
    /// rustls refused its configuration.
    #[error("tls configuration: {0}")]
    Tls(#[from] rustls::Error),
}

impl HttpSender {
    /// Creates a sender that dials only what `policy` permits. Each exchange takes at most
    /// `limit`, from name resolution to the last byte of the body.
    ///
    /// The system's name servers are read here, once.
    ///
    /// # Errors
    /// If they cannot be read, or if TLS cannot be configured, which is a fault of the build.
    pub fn new(policy: AddressPolicy, limit: Duration) -> Result<Self, HttpSenderError> {
        let roots = RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        Self::with_resolver_and_roots(policy, limit, resolver::system_resolver()?, roots)
    }

    /// Creates a sender with one more trusted authority and another name server, for
    /// measurements with receivers on this machine. No release build has this function.
    ///
    /// # Errors
    /// As for [`new`](Self::new), and if the file holds no certificate in PEM.
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

    /// Creates a sender with another resolver and other trusted roots, for this crate's tests.
    pub(crate) fn with_resolver_and_roots(
        policy: AddressPolicy,
        limit: Duration,
        resolver: TokioResolver,
        roots: RootCertStore,
    ) -> Result<Self, HttpSenderError> {
        Ok(Self {
            resolver: CheckedResolver::new(resolver, policy.clone()),
            tls: Arc::new(Tls::new(roots)?),
            pool: Arc::new(Pool::new()),
            policy,
            denied: DeniedHosts::default(),
            limit,
            kept: KeptResponseBytes::default(),
        })
    }

    /// Keeps this much of response bodies.
    #[must_use]
    pub fn keeping(self, kept: KeptResponseBytes) -> Self {
        Self { kept, ..self }
    }

    /// Sends nothing to these hosts.
    #[must_use]
    pub fn denying(self, denied: DeniedHosts) -> Self {
        Self { denied, ..self }
    }

    pub(crate) fn bound(&self, request: &WebhookRequest, started: Instant) -> Bound {
        let limit = match request.timeout {
            Some(timeout) => self.limit.min(timeout.into()),
            None => self.limit,
        };
        Bound {
            limit,
            deadline: started + limit.saturating_sub(request.spent),
        }
    }

    /// Refuses an address in the URL, which never reaches the resolver. A URL is also checked
    /// when it is parsed, but possibly against different development networks and denied hosts.
    pub(crate) fn check_url(&self, url: &EndpointUrl) -> Result<(), Failure> {
        self.denied
            .check(url.host())
            .map_err(|denied| Failure::blocked(&denied.to_string()))?;
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

    /// Sends the request and waits for the response's head.
    ///
    /// If a kept connection fails before the peer has sent anything, that is no failure of the
    /// endpoint (RFC 9112, 9.3.1). The request is then repeated on a fresh connection, within
    /// the same deadline.
    pub(crate) async fn request(
        &self,
        request: &Prepared,
        url: &EndpointUrl,
        bound: Bound,
        course: &mut Course,
    ) -> Result<Answer, Failure> {
        if let Some(mut kept) = self.pool.take(&request.route) {
            match course.send(&mut kept, request, bound).await? {
                Ok(response) => return Ok(Answer::Whole(kept, response)),
                Err(failure) if failure.heard.is_empty() => {}
                Err(failure) => {
                    return Answer::from_failure(&failure, kept.address(), request.client());
                }
            }
        }
        let identity = request.identity.as_deref();
        let mut fresh = self.connect(url, identity, bound, course).await?;
        match course.send(&mut fresh, request, bound).await? {
            Ok(response) => Ok(Answer::Whole(fresh, response)),
            Err(failure) => Answer::from_failure(&failure, fresh.address(), request.client()),
        }
    }

    /// Resolves the name, checks the addresses, connects, and completes the TLS handshake.
    async fn connect(
        &self,
        url: &EndpointUrl,
        identity: Option<&ClientIdentity>,
        bound: Bound,
        course: &mut Course,
    ) -> Result<Connection, Failure> {
        let Course { dialled, timings } = course;
        let addresses = match url.host() {
            EndpointHost::Address(address) => vec![address],
            EndpointHost::Name(name) => {
                let started = Instant::now();
                let addresses = bound
                    .wait(Phase::Dns, self.resolver.lookup(name))
                    .await?
                    .map_err(|error| Failure::from_lookup(&error))?;
                timings.dns_ms = Some(elapsed_ms(started));
                addresses
            }
        };
        let started = Instant::now();
        let port = url.as_url().port_or_known_default().unwrap_or_default();
        let dial = dial::race(
            &addresses,
            move |to| TcpStream::connect((to, port)),
            dialled,
        );
        let (address, stream) = bound
            .wait(Phase::Connect, dial)
            .await?
            .map_err(|failures| Failure::from_dial(&failures))?;
        timings.connect_ms = Some(elapsed_ms(started));
        // Head and body are separate writes; Nagle's algorithm would delay the second.
        let _ = stream.set_nodelay(true);
        let connection = if url.is_https() {
            let started = Instant::now();
            let connector = self.tls.connector(identity).map_err(|_| {
                Failure::unreachable("tls: client certificate and key cannot be used")
            })?;
            let handshake = connector.connect(server_name(url)?, stream);
            let stream = bound
                .wait(Phase::Connect, handshake)
                .await?
                .map_err(|error| Failure::from_handshake(&error, Client::of(identity)))?;
            timings.tls_ms = Some(elapsed_ms(started));
            Connection::over(stream, address).await
        } else {
            Connection::over(stream, address).await
        };
        connection.map_err(|_| Failure::unreachable("connect: failed"))
    }

    async fn exchange(&self, request: WebhookRequest, started: Instant) -> WebhookResponse {
        let bound = self.bound(&request, started);
        let mut course = Course::default();
        let url = request.url.clone();
        let prepared = self.check_url(&url).and_then(|()| Prepared::new(request));
        let answered = match prepared {
            Ok(prepared) => self
                .request(&prepared, &url, bound, &mut course)
                .await
                .map(|answer| (answer, prepared.route)),
            Err(failure) => Err(failure),
        };
        let duration_ms = elapsed_ms(started);
        let Course { dialled, timings } = course;
        let response = match answered {
            Ok((Answer::Whole(connection, response), route)) => {
                self.finish(connection, response, route, bound).await
            }
            Ok((Answer::Status(status, address), _)) => WebhookResponse {
                outcome: outcome(status),
                status: Some(status.as_u16()),
                error: Some("response: headers not valid".to_owned()),
                addresses: vec![address],
                headers: ResponseHeaders::default(),
                body: ResponseBody::default(),
                retry_after: None,
                duration_ms,
                timings,
            },
            Err(Failure { outcome, error }) => WebhookResponse {
                outcome,
                status: None,
                error: Some(error),
                addresses: dialled,
                headers: ResponseHeaders::default(),
                body: ResponseBody::default(),
                retry_after: None,
                duration_ms,
                timings,
            },
        };
        WebhookResponse {
            duration_ms,
            timings,
            ..response
        }
    }

    /// Keeps a connection for the next request as this one.
    pub(crate) fn keep(&self, request: Prepared, connection: Connection) {
        self.pool.keep(request.route, connection);
    }

    /// Reads the needed part of the body, and keeps the connection if it can be used again.
    async fn finish(
        &self,
        mut connection: Connection,
        response: Response<Incoming>,
        route: Route,
        bound: Bound,
    ) -> WebhookResponse {
        let (head, mut body) = response.into_parts();
        let outcome = outcome(head.status);
        let headers = kept_headers(&head.headers);
        let addresses = vec![connection.address()];
        let kept_bytes = match outcome {
            // All of it is recorded with the attempt.
            AttemptOutcome::Succeeded => {
                let total = self.kept.after(outcome);
                WebhookResponse::room_for_excerpt(total, &addresses, &headers)
            }
            _ => self.kept.after(outcome),
        };
        let (body, ending) = read_body(&mut body, bound, Excerpt::of(kept_bytes)).await;
        if matches!(ending, Ending::Complete) && !is_ambiguous(&head.headers) {
            connection.finish();
            self.pool.keep(route, connection);
        }
        WebhookResponse {
            outcome,
            status: Some(head.status.as_u16()),
            error: match ending {
                Ending::Complete | Ending::CutOff => None,
                Ending::Broken(error) => Some(error),
            },
            body,
            addresses,
            headers,
            retry_after: retry_after(&head.headers),
            duration_ms: 0,
            timings: Timings::default(),
        }
    }
}

impl WebhookSender for HttpSender {
    async fn send(&self, request: WebhookRequest) -> WebhookResponse {
        self.exchange(request, Instant::now()).await
    }
}

/// The course of an exchange until its answer.
#[derive(Default)]
pub(crate) struct Course {
    /// The addresses to which a new connection was tried.
    dialled: Vec<IpAddr>,
    timings: Timings,
}

impl Course {
    /// Sends a request and waits for the response's head, at most until the deadline.
    async fn send(
        &mut self,
        connection: &mut Connection,
        request: &Prepared,
        bound: Bound,
    ) -> Result<Result<Response<Incoming>, NoResponse>, Failure> {
        let started = Instant::now();
        let sent = bound.wait(Phase::Response, connection.send(request.to_http()));
        let sent = sent.await;
        let first_byte = connection.first_byte_at();
        self.timings.first_byte_ms = first_byte.map(|at| as_ms(at.duration_since(started)));
        sent
    }
}

/// An endpoint's answer.
pub(crate) enum Answer {
    Whole(Connection, Response<Incoming>),
    /// Only the status could be read from the head.
    Status(StatusCode, IpAddr),
}

impl Answer {
    /// Accepts a complete head even if the client refuses it.
    fn from_failure(
        failure: &NoResponse,
        address: IpAddr,
        client: Client,
    ) -> Result<Self, Failure> {
        let status = failure
            .error
            .is_parse()
            .then(|| head::status_of(&failure.heard))
            .flatten();
        match status {
            Some(status) => Ok(Self::Status(status, address)),
            None => Err(Failure::from_exchange(failure, client)),
        }
    }
}

fn outcome(status: StatusCode) -> AttemptOutcome {
    if status.is_success() {
        AttemptOutcome::Succeeded
    } else {
        AttemptOutcome::HttpError
    }
}

/// A request that can be sent more than once.
pub(crate) struct Prepared {
    method: HttpMethod,
    route: Route,
    identity: Option<Box<ClientIdentity>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Prepared {
    pub(crate) fn new(request: WebhookRequest) -> Result<Self, Failure> {
        let url = request.url.as_url();
        let target = &url[Position::BeforePath..Position::AfterQuery];
        let uri = Uri::try_from(target)
            .map_err(|_| Failure::unreachable("request: url cannot be sent"))?;
        let host = &url[Position::BeforeHost..Position::AfterPort];
        let host = HeaderValue::try_from(host)
            .map_err(|_| Failure::unreachable("request: host cannot be sent"))?;
        Ok(Self {
            method: match request.method {
                Method::Post => HttpMethod::POST,
                Method::Put => HttpMethod::PUT,
                Method::Patch => HttpMethod::PATCH,
            },
            route: Route {
                origin: request.url.origin(),
                identity: request.identity.as_ref().map(|identity| identity.id()),
            },
            identity: request.identity,
            uri,
            headers: header_map(host, &request.headers)?,
            body: request.body.into(),
        })
    }

    fn client(&self) -> Client {
        Client::of(self.identity.as_deref())
    }

    fn to_http(&self) -> Request<Full<Bytes>> {
        let mut request = Request::builder()
            .method(&self.method)
            .uri(&self.uri)
            .body(Full::new(self.body.clone()))
            .expect("a URI and a method make a request");
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// Returns true if the peer gave the body's length in two ways. Then the next response might
/// really be a part of this one, so the connection is not used again (RFC 9112, 6.3).
pub(crate) fn is_ambiguous(headers: &HeaderMap) -> bool {
    headers.contains_key(TRANSFER_ENCODING) && headers.contains_key(CONTENT_LENGTH)
}

fn server_name(url: &EndpointUrl) -> Result<ServerName<'static>, Failure> {
    match url.host() {
        EndpointHost::Address(address) => Ok(ServerName::from(address)),
        EndpointHost::Name(name) => ServerName::try_from(name.to_owned())
            .map_err(|_| Failure::unreachable("tls: host name not valid")),
    }
}

fn header_map(host: HeaderValue, headers: &[(String, String)]) -> Result<HeaderMap, Failure> {
    let mut map = HeaderMap::with_capacity(headers.len() + 3);
    map.insert(HOST, host);
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
    map.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    Ok(map)
}

fn kept_headers(headers: &HeaderMap) -> ResponseHeaders {
    ResponseHeaders::keep(|name| headers.get(name).map(HeaderValue::as_bytes))
}

/// Returns the header unchanged if it could be a valid value.
fn retry_after(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    (text.len() <= WebhookResponse::MAX_RETRY_AFTER_BYTES).then(|| text.to_owned())
}

fn elapsed_ms(started: Instant) -> u32 {
    as_ms(started.elapsed())
}

fn as_ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
