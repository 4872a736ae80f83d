//! A loopback endpoint for webhooks: for tests, measurements, the demo and the command line.
//!
//! A [`Receiver`] records what it is sent, answers by a script, and verifies signatures with the
//! official library. It serves connections itself, because its scripts need control over them:
//! it closes them without an answer, and folds header lines.

#![cfg_attr(test, allow(clippy::unwrap_used))]
#![expect(
    clippy::disallowed_methods,
    reason = "runs beside the system, not in a function: it waits, and has no clock port"
)]

mod odd;

use std::{
    collections::{HashMap, HashSet},
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header::HeaderName};
use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

/// The most bytes of a request's body that are read.
const MAX_BODY_BYTES: usize = 4 * 1024 * 1024;

/// A request's signature does not verify.
#[derive(Debug, thiserror::Error)]
#[error("the signature does not verify")]
pub struct Unverified(#[from] standardwebhooks::WebhookError);

/// The receiver did not get as many requests as expected.
#[derive(Debug, thiserror::Error)]
#[error("waited {within:?} for {expected} request(s) to `{path}`, received {received}")]
pub struct NotReceived {
    path: String,
    expected: usize,
    received: usize,
    within: Duration,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// The query, without its `?`.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
    /// When its last byte came.
    pub received_at: SystemTime,
    /// The sender's address.
    pub peer: SocketAddr,
    /// The status that the script answers it with. `None` when it gets no answer.
    pub answer: Option<StatusCode>,
    /// True if the connection served a request before, and is closed instead of an answer:
    /// the sender may make the request once more, on a new connection (RFC 9112 9.3.1).
    pub is_cut_while_kept: bool,
}

impl Request {
    /// A header as text, empty when it is absent or not text.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The `webhook-id` header: the id of the message.
    pub fn webhook_id(&self) -> &str {
        self.header(standardwebhooks::HEADER_WEBHOOK_ID)
    }

    /// Verifies the signature with the official Standard Webhooks library.
    ///
    /// # Errors
    /// When the secret is malformed, a header is missing, the timestamp is more
    /// than 5 minutes off, or no signature matches.
    pub fn verify(&self, secret: &str) -> Result<(), Unverified> {
        let webhook = standardwebhooks::Webhook::new(secret)?;
        Ok(webhook.verify(&self.body, &self.headers)?)
    }
}

/// When an answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Now,
    After(Duration),
    OnRelease,
    Never,
    Cut,
}

/// The connection ends where an answer should be.
#[derive(Debug, thiserror::Error)]
#[error("the script cuts the connection")]
struct Cut;

/// An endpoint's answer to one request.
#[derive(Clone, Debug)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    /// True if the body continues after its bytes for as long as the sender listens.
    endless: bool,
    when: When,
}

impl Answer {
    /// An empty answer with a status.
    pub fn status(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            endless: false,
            when: When::Now,
        }
    }

    /// An empty answer with status 200.
    pub fn ok() -> Self {
        Self::status(StatusCode::OK)
    }

    /// No answer: the connection stays open and silent.
    pub fn never() -> Self {
        Self {
            when: When::Never,
            ..Self::ok()
        }
    }

    /// No answer: the connection is closed.
    pub fn cut() -> Self {
        Self {
            when: When::Cut,
            ..Self::ok()
        }
    }

    /// The same answer, that long after the request.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self {
            when: When::After(delay),
            ..self
        }
    }

    /// The same answer, held back until [`Receiver::release`].
    #[must_use]
    pub fn on_release(self) -> Self {
        Self {
            when: When::OnRelease,
            ..self
        }
    }

    /// The same answer with a body.
    #[must_use]
    pub fn with_body(self, body: impl Into<Bytes>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }

    /// The same answer, whose body never ends: after its bytes more follow, now and then,
    /// until the sender hangs up.
    #[must_use]
    pub fn with_endless_body(self) -> Self {
        Self {
            endless: true,
            ..self
        }
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// The same answer with a header whose value goes on in the next line: `x-folded: one two`,
    /// written as RFC 7230 allowed it once (`obs-fold`).
    #[must_use]
    pub fn with_folded_header(self) -> Self {
        self.with_header(
            HeaderName::from_static("x-folded"),
            HeaderValue::from_static(odd::FOLDED_VALUE),
        )
    }
}

/// The answers of one path, in order. The last one is repeated.
struct Script {
    answers: Vec<Answer>,
    next: usize,
}

struct State {
    scripts: Mutex<HashMap<String, Script>>,
    /// The paths that are served by new connections only.
    new_connections_only: Mutex<HashSet<String>>,
    requests: watch::Sender<Vec<Arc<Request>>>,
    released: watch::Sender<bool>,
}

impl State {
    fn answer_to(&self, path: &str) -> Answer {
        let mut scripts = self.scripts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(script) = scripts.get_mut(path) else {
            return Answer::ok();
        };
        let index = script.next.min(script.answers.len().saturating_sub(1));
        script.next += 1;
        script
            .answers
            .get(index)
            .cloned()
            .unwrap_or_else(Answer::ok)
    }

    fn refuses_kept_connection(&self, path: &str) -> bool {
        let paths = self.new_connections_only.lock();
        paths.unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    async fn handle(
        &self,
        peer: SocketAddr,
        kept: bool,
        request: http::Request<Incoming>,
    ) -> Result<Response<odd::Body>, Cut> {
        let (parts, body) = request.into_parts();
        if kept && self.refuses_kept_connection(parts.uri.path()) {
            return Err(Cut);
        }
        let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
            let mut refusal = Response::new(odd::body(Bytes::new(), false));
            *refusal.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            return Ok(refusal);
        };
        let answer = self.answer_to(parts.uri.path());
        let request = Arc::new(Request {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers,
            body: body.to_bytes(),
            received_at: SystemTime::now(),
            peer,
            answer: (!matches!(answer.when, When::Never | When::Cut)).then_some(answer.status),
            is_cut_while_kept: kept && answer.when == When::Cut,
        });
        self.requests.send_modify(|requests| requests.push(request));
        match answer.when {
            When::Now => {}
            When::After(delay) => sleep(delay).await,
            When::OnRelease => {
                let mut released = self.released.subscribe();
                // The sender lives as long as this state does.
                let _ = released.wait_for(|released| *released).await;
            }
            When::Never => std::future::pending().await,
            When::Cut => return Err(Cut),
        }
        let mut response = Response::new(odd::body(answer.body, answer.endless));
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}

/// A loopback HTTP endpoint that records what it is sent.
///
/// Every path exists, and answers 200 until [`Receiver::script`] says
/// otherwise. The endpoint closes when the value is dropped.
pub struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
    accepting: AbortHandle,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Receiver {
    /// Listens on a free port of the loopback address.
    pub async fn start() -> std::io::Result<Self> {
        Self::start_on(0).await
    }

    /// Listens on a given port of the loopback address.
    pub async fn start_on(port: u16) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            scripts: Mutex::default(),
            new_connections_only: Mutex::default(),
            requests: watch::Sender::new(Vec::new()),
            released: watch::Sender::new(false),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state))).abort_handle();
        Ok(Self {
            address,
            state,
            accepting,
        })
    }

    /// The URL of an endpoint. The path starts with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sets the answers of one path, in order. The last one is repeated.
    pub fn script(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        let script = Script {
            answers: answers.into_iter().collect(),
            next: 0,
        };
        self.state
            .scripts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(path.to_owned(), script);
    }

    /// From now on a request to this path is read from a new connection only. A connection
    /// that has served a request before is closed instead, and the request is not recorded.
    pub fn close_kept_connections(&self, path: &str) {
        let paths = self.state.new_connections_only.lock();
        let mut paths = paths.unwrap_or_else(PoisonError::into_inner);
        paths.insert(path.to_owned());
    }

    /// Gives the answers that were held back, and holds none from now on.
    pub fn release(&self) {
        self.state.released.send_replace(true);
    }

    /// Everything received so far, in order.
    pub fn requests(&self) -> Vec<Arc<Request>> {
        self.state.requests.borrow().clone()
    }

    /// Returns the requests to one path so far, in order.
    pub fn requests_to(&self, path: &str) -> Vec<Arc<Request>> {
        let mut requests = self.requests();
        requests.retain(|request| request.path == path);
        requests
    }

    /// Waits for a request by its place among all that are received, from 0.
    /// `None` when the time is up.
    pub async fn nth_request(&self, index: usize, within: Duration) -> Option<Arc<Request>> {
        let mut all = self.state.requests.subscribe();
        let waited = timeout(within, all.wait_for(|all| all.len() > index)).await;
        Some(Arc::clone(&waited.ok()?.ok()?[index]))
    }

    /// Waits until one path has received so many requests, and returns them.
    ///
    /// # Errors
    /// [`NotReceived`] when the time is up.
    pub async fn received(
        &self,
        path: &str,
        count: usize,
        within: Duration,
    ) -> Result<Vec<Arc<Request>>, NotReceived> {
        let mut all = self.state.requests.subscribe();
        let enough = |all: &Vec<Arc<Request>>| {
            all.iter().filter(|request| request.path == path).count() >= count
        };
        let waited = timeout(within, all.wait_for(enough)).await.is_ok();
        let requests = self.requests_to(path);
        if waited {
            return Ok(requests);
        }
        Err(NotReceived {
            path: path.to_owned(),
            expected: count,
            received: requests.len(),
            within,
        })
    }
}

/// Serves connections until it is aborted. The connections end with it.
async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            Ok((stream, peer)) = listener.accept() => {
                connections.spawn(serve(stream, peer, Arc::clone(&state)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, state: Arc<State>) {
    let kept = AtomicBool::new(false);
    let service = service_fn(|request| {
        let state = Arc::clone(&state);
        let kept = kept.swap(true, Ordering::Relaxed);
        async move { state.handle(peer, kept, request).await }
    });
    // A sender that goes away ends its connection: nothing is left to do.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(odd::Folding(stream)), service)
        .await;
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn post(receiver: &Receiver, path: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(receiver.address).await.unwrap();
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn a_script_answers_in_order_and_repeats_its_last_answer() {
        let receiver = Receiver::start().await.unwrap();
        let failure = Answer::status(StatusCode::INTERNAL_SERVER_ERROR);
        receiver.script("/a", [failure, Answer::status(StatusCode::CREATED)]);
        let mut answers = Vec::new();
        for _ in 0..3 {
            answers.push(post(&receiver, "/a?q=1", "", "body").await);
        }
        assert!(answers[0].contains(" 500 "), "{answers:?}");
        assert!(answers[1].contains(" 201 "), "{answers:?}");
        assert!(answers[2].contains(" 201 "), "{answers:?}");

        let requests = receiver.received("/a", 3, SECOND).await.unwrap();
        assert_eq!(requests[0].query.as_deref(), Some("q=1"));
        assert_eq!(requests[0].body, "body");
    }

    #[tokio::test]
    async fn a_request_tells_its_answer_and_a_cut_connection_gives_none() {
        let receiver = Receiver::start().await.unwrap();
        receiver.script("/a", [Answer::cut(), Answer::status(StatusCode::CREATED)]);
        assert_eq!(post(&receiver, "/a", "", "").await, "");
        assert!(post(&receiver, "/a", "", "").await.contains(" 201 "));
        let answers: Vec<_> = receiver.requests().iter().map(|r| r.answer).collect();
        assert_eq!(answers, [None, Some(StatusCode::CREATED)]);
    }

    #[tokio::test]
    async fn a_folded_header_goes_on_in_the_next_line() {
        let receiver = Receiver::start().await.unwrap();
        receiver.script("/a", [Answer::ok().with_folded_header()]);
        let mut stream = TcpStream::connect(receiver.address).await.unwrap();
        let request = b"POST /a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.contains("x-folded: one\r\n    two\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn an_endless_body_goes_on_until_the_sender_hangs_up() {
        let receiver = Receiver::start().await.unwrap();
        receiver.script("/a", [Answer::ok().with_body("begin").with_endless_body()]);
        let mut stream = TcpStream::connect(receiver.address).await.unwrap();
        let request = b"POST /a HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // More than the head and the first bytes: it goes on.
        while !answer.ends_with(b".") {
            stream.read_buf(&mut answer).await.unwrap();
            answer.truncate(answer.trim_ascii_end().len());
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains("begin"), "{answer}");
    }

    #[tokio::test]
    async fn a_kept_connection_is_closed_where_new_ones_are_wanted() {
        let receiver = Receiver::start().await.unwrap();
        receiver.close_kept_connections("/new");
        let mut stream = TcpStream::connect(receiver.address).await.unwrap();
        let mut answer = Vec::new();
        let first = b"POST /any HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(first).await.unwrap();
        while !answer.ends_with(b"\r\n\r\n") {
            stream.read_buf(&mut answer).await.unwrap();
        }
        let second = b"POST /new HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(second).await.unwrap();
        answer.clear();
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(answer, b"");
        assert!(post(&receiver, "/new", "", "").await.contains(" 200 "));
        assert_eq!(receiver.requests_to("/new").len(), 1);
    }

    #[tokio::test]
    async fn an_answer_on_release_waits_for_it() {
        let receiver = Arc::new(Receiver::start().await.unwrap());
        receiver.script("/a", [Answer::ok().on_release()]);
        let sender = Arc::clone(&receiver);
        let answer = tokio::spawn(async move { post(&sender, "/a", "", "").await });
        receiver.received("/a", 1, SECOND).await.unwrap();
        assert!(!answer.is_finished());
        receiver.release();
        assert!(answer.await.unwrap().contains(" 200 "));
    }

    #[tokio::test]
    async fn too_few_requests_are_an_error_that_counts_them() {
        let receiver = Receiver::start().await.unwrap();
        post(&receiver, "/a", "", "").await;
        let error = receiver
            .received("/a", 2, Duration::ZERO)
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                NotReceived {
                    expected: 2,
                    received: 1,
                    ..
                }
            ),
            "{error}"
        );
    }

    /// The sample in `docs/receivers.md`, as it stands there.
    mod documented {
        include!("documented.rs");

        #[test]
        fn the_sample_is_the_documented_one() {
            let documented = include_str!("../../../docs/receivers.md");
            let sample = format!("```rust\n{}```\n", include_str!("documented.rs"));
            assert!(documented.contains(&sample), "{sample}");
        }

        #[test]
        fn it_takes_what_is_ours_whether_or_not_it_can_be_parsed() {
            let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let now = i64::try_from(now.unwrap().as_secs()).unwrap();
            let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
            for (body, is_parsed) in [
                (r#"{"type":"a","data":{"n":1.0}}"#, true),
                (r#"{"data":"\ud83d"}"#, false),
                (deep.as_str(), false),
            ] {
                let signature = Webhook::new(secret).unwrap();
                let signature = signature.sign("msg_1", now, body.as_bytes()).unwrap();
                let mut headers = HeaderMap::new();
                headers.insert("webhook-id", "msg_1".parse().unwrap());
                headers.insert("webhook-timestamp", now.to_string().parse().unwrap());
                headers.insert("webhook-signature", signature.parse().unwrap());
                let event = verified(secret, body.as_bytes(), &headers).unwrap();
                assert_eq!(event.is_some(), is_parsed, "{body}");
                headers.insert("webhook-id", "msg_2".parse().unwrap());
                verified(secret, body.as_bytes(), &headers).unwrap_err();
            }
        }
    }

    #[tokio::test]
    async fn a_signature_verifies_with_its_own_secret_only() {
        let receiver = Receiver::start().await.unwrap();
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let timestamp = i64::try_from(now.as_secs()).unwrap();
        let signature = standardwebhooks::Webhook::new(secret)
            .unwrap()
            .sign("msg_1", timestamp, b"{}")
            .unwrap();
        let headers = format!(
            "webhook-id: msg_1\r\nwebhook-timestamp: {timestamp}\r\nwebhook-signature: {signature}\r\n"
        );
        post(&receiver, "/a", &headers, "{}").await;
        let request = &receiver.requests()[0];
        assert_eq!(request.webhook_id(), "msg_1");
        request.verify(secret).unwrap();
        request
            .verify("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
            .unwrap_err();
    }
}
