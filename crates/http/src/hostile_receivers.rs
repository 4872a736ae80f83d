//! Receivers that misbehave on raw sockets, and names that lead where they should not.
//!
//! Every exchange must end within its deadline, with bounded memory and a precise outcome.

#![allow(clippy::unwrap_used)]
#![expect(clippy::disallowed_methods, reason = "a slow receiver has to sleep")]

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
};
use webhooks_domain::outbound::{
    AddressPolicy, AttemptOutcome, DevelopmentNetworks, EndpointUrl, WebhookRequest,
    WebhookResponse, WebhookSender,
};

use crate::HttpSender;
use crate::resolver::{Answers, NameResolver};
use crate::sender::IDLE_LIMIT;

/// For exchanges that must run into their deadline.
const SHORT: Duration = Duration::from_millis(300);
/// For exchanges that must end by themselves.
const LONG: Duration = Duration::from_secs(10);
/// How late an exchange may end on a busy machine.
const GRACE: Duration = Duration::from_millis(1_500);
/// No receiver's thread outlives this.
const RECEIVER_LIMIT: Duration = Duration::from_secs(20);

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A receiver on loopback that handles each connection by a script.
struct Receiver {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Receiver {
    fn start(script: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let script = Arc::new(script);
        thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                thread::spawn(move || {
                    let stream = stream?;
                    stream.set_read_timeout(Some(RECEIVER_LIMIT))?;
                    stream.set_write_timeout(Some(RECEIVER_LIMIT))?;
                    script(stream)
                });
            }
        });
        Self { port, connections }
    }

    /// Answers each request on a connection with the same bytes, and keeps it open.
    fn answering(response: impl Into<Vec<u8>>) -> Self {
        let response = response.into();
        Self::start(move |mut stream| {
            while read_request(&mut stream)?.is_some() {
                stream.write_all(&response)?;
            }
            Ok(())
        })
    }

    /// Answers the first request on a connection and closes it.
    fn answering_once(response: impl Into<Vec<u8>>) -> Self {
        let response = response.into();
        Self::start(move |mut stream| {
            read_request(&mut stream)?;
            stream.write_all(&response)
        })
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Reads one request whole, head and body; `None` when the connection ends before it.
fn read_request(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    request.extend(body);
    Ok(Some(request))
}

fn hang() {
    thread::sleep(RECEIVER_LIMIT);
}

/// A resolver that answers from a list, one entry for each question.
#[derive(Default)]
struct ScriptedResolver {
    script: Mutex<VecDeque<Answer>>,
}

enum Answer {
    Addresses(Vec<&'static str>),
    Error,
    Never,
}

impl ScriptedResolver {
    fn new(script: impl IntoIterator<Item = Answer>) -> Self {
        Self {
            script: Mutex::new(script.into_iter().collect()),
        }
    }
}

impl NameResolver for ScriptedResolver {
    fn resolve(&self, _name: &str) -> Answers {
        let answer = self.script.lock().unwrap().pop_front();
        Box::pin(async move {
            match answer.expect("the script foresees each question") {
                Answer::Addresses(texts) => {
                    Ok(texts.iter().map(|text| text.parse().unwrap()).collect())
                }
                Answer::Error => Err(io::Error::other(
                    "failed to lookup address information: Name or service not known",
                )),
                Answer::Never => std::future::pending().await,
            }
        })
    }
}

fn loopback() -> DevelopmentNetworks {
    "127.0.0.0/8".parse().unwrap()
}

fn sender(limit: Duration) -> HttpSender {
    named_sender(limit, [], RootCertStore::empty())
}

fn named_sender(
    limit: Duration,
    script: impl IntoIterator<Item = Answer>,
    roots: RootCertStore,
) -> HttpSender {
    let policy = AddressPolicy::new(loopback());
    let resolver = ScriptedResolver::new(script);
    HttpSender::with_resolver_and_roots(policy, limit, resolver, roots).unwrap()
}

fn request(url: &str) -> WebhookRequest {
    WebhookRequest {
        url: EndpointUrl::parse(url, &loopback()).unwrap(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: b"{}".to_vec(),
    }
}

/// Sends to a receiver that is to be given up on.
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

/// Sends to a receiver that ends the exchange itself.
async fn send(receiver: &Receiver) -> WebhookResponse {
    let started = Instant::now();
    let response = sender(LONG).send(request(&receiver.url())).await;
    assert!(started.elapsed() < LONG / 2, "{response:?}");
    response
}

fn assert_failed(response: &WebhookResponse, outcome: AttemptOutcome, error: &str) {
    assert_eq!(
        (response.outcome, response.status, response.error.as_deref()),
        (outcome, None, Some(error))
    );
    assert_eq!((&response.excerpt, &response.retry_after), (&None, &None));
}

// The request as it is sent.

#[tokio::test]
async fn headers_and_body_arrive_exactly_and_nothing_is_added_but_what_http_needs() {
    let (keep, kept) = mpsc::channel();
    let receiver = Receiver::start(move |mut stream| {
        keep.send(read_request(&mut stream)?.unwrap()).unwrap();
        stream.write_all(OK)
    });
    let body: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let headers = [
        ("webhook-id", "msg_1"),
        ("x-key", "a  b"),
        ("user-agent", "w/1"),
    ];
    let request = WebhookRequest {
        headers: headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
        body: body.clone(),
        ..request(&format!("{}?q=%20a&b=ü", receiver.url()))
    };
    assert_eq!(
        sender(LONG).send(request).await.outcome,
        AttemptOutcome::Succeeded
    );

    let raw = kept.recv().unwrap();
    let head_bytes = raw.len() - body.len();
    assert!(raw[head_bytes..] == body, "the body changed");
    let head = String::from_utf8(raw[..head_bytes].to_vec()).unwrap();
    let mut lines: Vec<&str> = head.trim_end().split("\r\n").collect();
    assert_eq!(lines.remove(0), "POST /hook?q=%20a&b=%C3%BC HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: 127.0.0.1:{}", receiver.port);
    let expected = [
        "accept: */*",
        "content-length: 100000",
        host.as_str(),
        "user-agent: w/1",
        "webhook-id: msg_1",
        "x-key: a  b",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn a_kept_connection_is_used_again_without_asking_for_the_name() {
    let receiver = Receiver::answering(OK);
    let url = format!("http://127.0.0.1:{}/", receiver.port);
    let sender = sender(LONG);
    for _ in 0..5 {
        assert_eq!(
            sender.send(request(&url)).await.outcome,
            AttemptOutcome::Succeeded
        );
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_was_idle_for_too_long_is_not_used_again() {
    let receiver = Receiver::answering(OK);
    let sender = sender(LONG);
    let first = sender.send(request(&receiver.url())).await;
    tokio::time::sleep(IDLE_LIMIT + Duration::from_millis(100)).await;
    let second = sender.send(request(&receiver.url())).await;
    assert_eq!(
        [first.outcome, second.outcome],
        [AttemptOutcome::Succeeded; 2]
    );
    assert_eq!(receiver.connections(), 2);
}

#[test]
fn a_proxy_in_the_environment_is_not_used() {
    // Another test in a process of its own, since setting variables in this one is unsafe.
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "hostile_receivers::only_200_to_299_succeeds"]);
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        child.env(name, "http://127.0.0.1:9");
    }
    let output = child
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_fails_the_attempt_and_hides_its_value() {
    let receiver = Receiver::answering(OK);
    let mut request = request(&receiver.url());
    request
        .headers
        .push(("x-key".to_owned(), "s3cret\r\nx-forged: 1".to_owned()));
    let response = sender(LONG).send(request).await;
    assert_failed(
        &response,
        AttemptOutcome::Unreachable,
        "request: header `x-key` is not valid",
    );
    assert_eq!(receiver.connections(), 0);
}

// Statuses.

#[tokio::test]
async fn only_200_to_299_succeeds() {
    for status in [
        200, 201, 202, 204, 299, 304, 400, 401, 404, 410, 418, 429, 500, 503, 599, 999,
    ] {
        let head = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 0\r\n\r\n");
        let response = send(&Receiver::answering(head)).await;
        let succeeded = (200..300).contains(&status);
        let outcome = if succeeded {
            AttemptOutcome::Succeeded
        } else {
            AttemptOutcome::HttpError
        };
        assert_eq!((response.outcome, response.status), (outcome, Some(status)));
        assert_eq!((response.error, response.excerpt), (None, None));
    }
}

#[tokio::test]
async fn no_redirect_is_followed_wherever_it_leads() {
    let elsewhere = Receiver::answering(OK);
    for status in [300, 301, 302, 303, 307, 308] {
        for location in [
            elsewhere.url().as_str(),
            "http://169.254.169.254/",
            "/again",
            "//x",
            "",
        ] {
            let head = format!(
                "HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 4\r\n\r\ngone"
            );
            let receiver = Receiver::answering(head);
            let response = send(&receiver).await;
            assert_eq!(
                (response.outcome, response.status),
                (AttemptOutcome::HttpError, Some(status))
            );
            assert_eq!(response.excerpt.as_deref(), Some("gone"));
            assert_eq!(receiver.connections(), 1);
        }
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn retry_after_is_passed_on_as_it_came_when_it_is_short_text() {
    let date = "Wed, 21 Oct 2026 07:28:00 GMT";
    let long = "9".repeat(65);
    for (value, expected) in [
        ("120", Some("120")),
        (date, Some(date)),
        ("soon", Some("soon")),
        (&long[..64], Some(&long[..64])),
        (&long, None),
        ("\u{fc}", None),
    ] {
        let head =
            format!("HTTP/1.1 503 Busy\r\nretry-after: {value}\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(
            send(&Receiver::answering(head))
                .await
                .retry_after
                .as_deref(),
            expected
        );
    }
}

// Response bodies.

#[tokio::test]
async fn an_endless_body_is_cut_off_and_the_status_stands() {
    for (status, outcome) in [
        (200, AttemptOutcome::Succeeded),
        (500, AttemptOutcome::HttpError),
    ] {
        let (written, receive_written) = mpsc::channel();
        let receiver = Receiver::start(move |mut stream| {
            read_request(&mut stream)?;
            stream.write_all(format!("HTTP/1.1 {status} X\r\n\r\n").as_bytes())?;
            let mut total = 0_usize;
            while stream.write_all(&[b'x'; 8_192]).is_ok() {
                total += 8_192;
            }
            written.send(total).unwrap();
            Ok(())
        });
        let sender = sender(LONG);
        let response = sender.send(request(&receiver.url())).await;
        assert_eq!((response.outcome, response.error), (outcome, None));
        assert_eq!(response.excerpt, Some("x".repeat(512)));
        // What was written stayed in the sockets' buffers: the connection is gone.
        let total = tokio::task::spawn_blocking(move || receive_written.recv_timeout(LONG));
        let total = total
            .await
            .unwrap()
            .expect("the sender keeps the connection");
        assert!(total < 16 * 1024 * 1024, "{total} bytes");
        drop(sender);
    }
}

#[tokio::test]
async fn a_connection_whose_body_was_not_read_to_its_end_is_not_used_again() {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", 1_000_000);
    let receiver = Receiver::answering([head.into_bytes(), vec![b'x'; 1_000_000]].concat());
    let sender = sender(LONG);
    for _ in 0..2 {
        assert_eq!(sender.send(request(&receiver.url())).await.error, None);
    }
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn a_slow_body_ends_at_the_deadline_and_the_status_stands() {
    for (status, outcome) in [
        (200, AttemptOutcome::Succeeded),
        (400, AttemptOutcome::HttpError),
    ] {
        let receiver = Receiver::start(move |mut stream| {
            read_request(&mut stream)?;
            stream.write_all(format!("HTTP/1.1 {status} X\r\n\r\n").as_bytes())?;
            loop {
                stream.write_all(b"y")?;
                thread::sleep(Duration::from_millis(20));
            }
        });
        let response = send_shortly(&receiver).await;
        assert_eq!((response.outcome, response.status), (outcome, Some(status)));
        assert_eq!(
            response.error.as_deref(),
            Some("body: incomplete after 300 ms")
        );
        assert!(response.excerpt.unwrap().starts_with("yy"));
    }
}

#[tokio::test]
async fn a_body_shorter_than_its_content_length_is_told_and_the_status_stands() {
    let response = send(&Receiver::answering_once(
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
    ))
    .await;
    assert_eq!(response.outcome, AttemptOutcome::Succeeded);
    assert_eq!(response.excerpt.as_deref(), Some("short"));
    assert_eq!(
        response.error.as_deref(),
        Some("body: connection closed too early")
    );
}

#[tokio::test]
async fn a_broken_chunked_body_is_told_and_the_status_stands() {
    for body in [
        "5\r\nshort\r\nnot-a-size\r\n",
        "5\r\nshort\r\nffffffffffffffffff\r\n",
        "5\r\nsho",
    ] {
        let head = "HTTP/1.1 500 X\r\ntransfer-encoding: chunked\r\n\r\n";
        let response = send(&Receiver::answering_once(format!("{head}{body}"))).await;
        assert_eq!(response.outcome, AttemptOutcome::HttpError);
        assert!(
            response.error.as_deref().unwrap().starts_with("body: "),
            "{response:?}"
        );
    }
}

#[tokio::test]
async fn a_compressed_body_is_not_decompressed() {
    // The head of a gzip stream: a decompressor would take it for one and fail or expand it.
    let body = [b"\x1f\x8b\x08\0\0\0\0\0\0\x03".as_slice(), &[0x55; 2_000]].concat();
    for encoding in ["gzip", "br", "deflate", "zstd"] {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let response = send(&Receiver::answering(
            [head.into_bytes(), body.clone()].concat(),
        ))
        .await;
        assert_eq!(
            (response.outcome, response.error),
            (AttemptOutcome::Succeeded, None)
        );
        let excerpt = response.excerpt.unwrap();
        assert!(excerpt.starts_with(" \u{fffd} "), "{excerpt:?}");
        assert!(
            excerpt.ends_with("UUUU") && excerpt.len() <= 512,
            "{excerpt:?}"
        );
    }
}

#[tokio::test]
async fn a_body_that_is_not_text_gives_an_excerpt_that_is() {
    let body = b"caf\xc3\xa9 caf\xe9\0\x1b[2J\n";
    let head = format!("HTTP/1.1 400 Bad\r\ncontent-length: {}\r\n\r\n", body.len());
    let response = send(&Receiver::answering([head.as_bytes(), body].concat())).await;
    assert_eq!(response.excerpt.as_deref(), Some("café caf\u{fffd}  [2J "));
}

// Response heads.

#[tokio::test]
async fn silence_times_out() {
    let receiver = Receiver::start(|mut stream| {
        read_request(&mut stream)?;
        hang();
        Ok(())
    });
    let response = send_shortly(&receiver).await;
    assert_failed(
        &response,
        AttemptOutcome::TimedOut,
        "response: no headers within 300 ms",
    );
}

#[tokio::test]
async fn a_receiver_that_does_not_even_read_times_out() {
    let receiver = Receiver::start(|stream| {
        hang();
        drop(stream);
        Ok(())
    });
    let mut large = request(&receiver.url());
    large.body = vec![b'x'; 32 * 1024 * 1024];
    let started = Instant::now();
    let response = sender(SHORT).send(large).await;
    assert!(started.elapsed() < SHORT + GRACE);
    assert_failed(
        &response,
        AttemptOutcome::TimedOut,
        "response: no headers within 300 ms",
    );
}

#[tokio::test]
async fn headers_one_byte_at_a_time_time_out() {
    let receiver = Receiver::start(|mut stream| {
        read_request(&mut stream)?;
        for byte in b"HTTP/1.1 200 OK\r\nx-slow: "
            .iter()
            .chain([b'z'].iter().cycle())
        {
            stream.write_all(&[*byte])?;
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    });
    let response = send_shortly(&receiver).await;
    assert_failed(
        &response,
        AttemptOutcome::TimedOut,
        "response: no headers within 300 ms",
    );
}

#[tokio::test]
async fn endless_informational_responses_time_out() {
    let receiver = Receiver::start(|mut stream| {
        read_request(&mut stream)?;
        loop {
            stream.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n")?;
            thread::sleep(Duration::from_millis(5));
        }
    });
    let response = send_shortly(&receiver).await;
    assert_failed(
        &response,
        AttemptOutcome::TimedOut,
        "response: no headers within 300 ms",
    );
}

#[tokio::test]
async fn too_many_headers_are_refused() {
    let headers = "x-many: 1\r\n".repeat(500);
    let head = format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n");
    let response = send(&Receiver::answering(head)).await;
    assert_failed(
        &response,
        AttemptOutcome::Unreachable,
        "response: too many or too large headers",
    );
}

#[tokio::test]
async fn an_endless_header_is_refused() {
    let receiver = Receiver::start(|mut stream| {
        read_request(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nx-endless: ")?;
        loop {
            stream.write_all(&[b'z'; 8_192])?;
        }
    });
    let response = send(&receiver).await;
    assert_failed(
        &response,
        AttemptOutcome::Unreachable,
        "response: too many or too large headers",
    );
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    for head in [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "HTTP/2 200\r\n\r\n",
        "ok\r\n\r\n",
        "\0\0\0\0\0",
    ] {
        let response = send(&Receiver::answering_once(head)).await;
        assert_failed(
            &response,
            AttemptOutcome::Unreachable,
            "response: not valid HTTP/1.1",
        );
    }
}

#[tokio::test]
async fn conflicting_body_lengths_are_refused() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok!";
    let response = send(&Receiver::answering_once(head)).await;
    assert_failed(
        &response,
        AttemptOutcome::Unreachable,
        "response: not valid HTTP/1.1",
    );
}

// Connections.

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let response = sender(LONG)
        .send(request(&format!("http://127.0.0.1:{port}/")))
        .await;
    assert_failed(
        &response,
        AttemptOutcome::Unreachable,
        "connect: connection refused",
    );
}

#[tokio::test]
async fn a_connection_closed_after_the_request_is_one_failed_attempt_and_no_second_request() {
    let receiver = Receiver::start(|mut stream| {
        read_request(&mut stream)?;
        stream.shutdown(Shutdown::Both)
    });
    let response = send(&receiver).await;
    assert_failed(
        &response,
        AttemptOutcome::Unreachable,
        "response: connection closed too early",
    );
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_connection_reset_after_the_request_is_one_failed_attempt_and_no_second_request() {
    // Closing a socket with unread bytes makes the system send a reset.
    let receiver = Receiver::start(|mut stream| {
        stream.read_exact(&mut [0; 8])?;
        thread::sleep(Duration::from_millis(50));
        Ok(())
    });
    let response = send(&receiver).await;
    assert_failed(
        &response,
        AttemptOutcome::Unreachable,
        "response: connection reset",
    );
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_kept_connection_that_fails_under_a_request_is_not_replaced() {
    let receiver = Receiver::start(|mut stream| {
        read_request(&mut stream)?;
        stream.write_all(OK)?;
        read_request(&mut stream)?;
        stream.shutdown(Shutdown::Both)
    });
    let sender = sender(LONG);
    assert_eq!(
        sender.send(request(&receiver.url())).await.outcome,
        AttemptOutcome::Succeeded
    );
    let response = sender.send(request(&receiver.url())).await;
    assert_failed(
        &response,
        AttemptOutcome::Unreachable,
        "response: connection closed too early",
    );
    assert_eq!(receiver.connections(), 1);
}

// Names and addresses.

#[tokio::test]
async fn an_address_outside_the_development_networks_of_the_sender_is_not_dialled() {
    let receiver = Receiver::answering(OK);
    let none = AddressPolicy::new(DevelopmentNetworks::none());
    let sender = HttpSender::new(none, LONG).unwrap();
    let response = sender.send(request(&receiver.url())).await;
    assert_failed(
        &response,
        AttemptOutcome::Blocked,
        "blocked: address is not globally routable (loopback, RFC 1122)",
    );
    let anywhere = "0.0.0.0/0".parse().unwrap();
    let mut public = request(&receiver.url());
    public.url = EndpointUrl::parse("http://1.1.1.1/", &anywhere).unwrap();
    let response = sender.send(public).await;
    assert_failed(
        &response,
        AttemptOutcome::Blocked,
        "blocked: url host must be a name, not an IP address",
    );
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn one_refused_answer_refuses_the_name_and_does_not_tell_the_address() {
    let receiver = Receiver::answering(OK);
    for answers in [
        vec!["10.1.2.3"],
        vec!["127.0.0.1", "10.1.2.3"],
        vec!["10.1.2.3", "127.0.0.1"],
        vec!["1.1.1.1", "127.0.0.1", "::ffff:10.1.2.3"],
        vec!["127.0.0.1", "fd00:ec2::254"],
    ] {
        let sender = named_sender(LONG, [Answer::Addresses(answers)], RootCertStore::empty());
        let url = format!("https://example.com:{}/", receiver.port);
        let response = sender.send(request(&url)).await;
        assert_eq!(
            (response.outcome, response.status),
            (AttemptOutcome::Blocked, None)
        );
        let error = response.error.unwrap();
        assert!(
            error.starts_with("blocked: address is not globally routable ("),
            "{error}"
        );
        assert!(!error.contains("10.1") && !error.contains("ec2"), "{error}");
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_name_that_turns_private_is_refused_when_it_is_dialled_again() {
    let authority = Authority::new("trusted");
    let receiver = authority.receiver(&Leaf::default());
    let script = [
        Answer::Addresses(vec!["127.0.0.1"]),
        Answer::Addresses(vec!["169.254.169.254"]),
    ];
    let sender = named_sender(LONG, script, authority.roots());
    let url = format!("https://example.com:{}/", receiver.port);
    assert_eq!(
        sender.send(request(&url)).await.outcome,
        AttemptOutcome::Succeeded
    );
    // The receiver has closed the connection; give the client a moment to see it.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        sender.send(request(&url)).await.outcome,
        AttemptOutcome::Blocked
    );
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn a_name_without_addresses_is_unreachable() {
    let script = [Answer::Addresses(vec![]), Answer::Error];
    let sender = named_sender(LONG, script, RootCertStore::empty());
    let response = sender.send(request("https://example.com/")).await;
    assert_failed(&response, AttemptOutcome::Unreachable, "dns: no address");
    let response = sender
        .send(request("https://example.com/?token=s3cret"))
        .await;
    assert_failed(
        &response,
        AttemptOutcome::Unreachable,
        "dns: name or service not known",
    );
}

#[tokio::test]
async fn a_name_that_is_never_answered_times_out() {
    let sender = named_sender(SHORT, [Answer::Never], RootCertStore::empty());
    let started = Instant::now();
    let response = sender.send(request("https://example.com/")).await;
    assert!(started.elapsed() < SHORT + GRACE);
    assert_failed(
        &response,
        AttemptOutcome::TimedOut,
        "dns: no answer within 300 ms",
    );
}

// TLS.

/// A certificate authority of a test.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What is particular about a receiver's certificate and its TLS.
struct Leaf {
    name: &'static str,
    from_year: i32,
    to_year: i32,
    versions: Vec<&'static SupportedProtocolVersion>,
    /// How long its receiver thinks about a request.
    delay: Duration,
}

impl Default for Leaf {
    fn default() -> Self {
        Self {
            name: "example.com",
            from_year: 2020,
            to_year: 2100,
            versions: rustls::ALL_VERSIONS.to_vec(),
            delay: Duration::ZERO,
        }
    }
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    /// A receiver that answers one request for each TLS connection and closes it.
    fn receiver(&self, leaf: &Leaf) -> Receiver {
        let (params, key) = leaf.params();
        let certificate = params.signed_by(&key, &self.0).unwrap().der().clone();
        tls_receiver(certificate, &key, leaf)
    }
}

impl Leaf {
    fn params(&self) -> (CertificateParams, KeyPair) {
        let mut params = CertificateParams::new([self.name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(self.from_year, 1, 1);
        params.not_after = date_time_ymd(self.to_year, 1, 1);
        (params, KeyPair::generate().unwrap())
    }
}

fn tls_receiver(certificate: CertificateDer<'static>, key: &KeyPair, leaf: &Leaf) -> Receiver {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&leaf.versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    let delay = leaf.delay;
    Receiver::start(move |stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(connection, stream);
        read_request(&mut stream)?;
        thread::sleep(delay);
        stream.write_all(OK)?;
        stream.conn.send_close_notify();
        stream.flush()
    })
}

async fn send_over_tls(
    limit: Duration,
    receiver: &Receiver,
    roots: RootCertStore,
) -> WebhookResponse {
    let sender = named_sender(limit, [Answer::Addresses(vec!["127.0.0.1"])], roots);
    sender
        .send(request(&format!("https://example.com:{}/", receiver.port)))
        .await
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken() {
    let authority = Authority::new("trusted");
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let receiver = authority.receiver(&Leaf {
            versions: vec![version],
            ..Leaf::default()
        });
        let response = send_over_tls(LONG, &receiver, authority.roots()).await;
        assert_eq!(
            (response.outcome, response.error),
            (AttemptOutcome::Succeeded, None)
        );
        assert_eq!(response.excerpt.as_deref(), Some("ok"));
    }
}

#[tokio::test]
async fn a_certificate_that_does_not_prove_the_name_is_refused() {
    let authority = Authority::new("trusted");
    for (leaf, error) in [
        (
            Leaf {
                to_year: 2021,
                ..Leaf::default()
            },
            "tls: certificate expired",
        ),
        (
            Leaf {
                from_year: 2099,
                ..Leaf::default()
            },
            "tls: certificate not valid yet",
        ),
        (
            Leaf {
                name: "other.example.com",
                ..Leaf::default()
            },
            "tls: certificate not valid for the host name",
        ),
        (
            Leaf {
                name: "127.0.0.1",
                ..Leaf::default()
            },
            "tls: certificate not valid for the host name",
        ),
    ] {
        let receiver = authority.receiver(&leaf);
        let response = send_over_tls(LONG, &receiver, authority.roots()).await;
        assert_failed(&response, AttemptOutcome::Unreachable, error);
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_issuer_is_refused() {
    let receiver = Authority::new("unknown").receiver(&Leaf::default());
    let response = send_over_tls(LONG, &receiver, Authority::new("trusted").roots()).await;
    let error = "tls: certificate issuer not trusted";
    assert_failed(&response, AttemptOutcome::Unreachable, error);

    let leaf = Leaf::default();
    let (params, key) = leaf.params();
    let self_signed = params.self_signed(&key).unwrap().der().clone();
    let receiver = tls_receiver(self_signed, &key, &leaf);
    let response = send_over_tls(LONG, &receiver, Authority::new("trusted").roots()).await;
    assert_failed(&response, AttemptOutcome::Unreachable, error);
}

#[tokio::test]
async fn plain_http_behind_https_is_refused() {
    let receiver = Receiver::start(|mut stream| {
        stream.read_exact(&mut [0; 64])?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
        stream.shutdown(Shutdown::Write)?;
        io::copy(&mut stream, &mut io::sink()).map(drop)
    });
    let response = send_over_tls(LONG, &receiver, RootCertStore::empty()).await;
    assert_failed(
        &response,
        AttemptOutcome::Unreachable,
        "tls: not a TLS message",
    );
}

#[tokio::test]
async fn a_tls_version_before_1_2_is_refused() {
    // A ServerHello of TLS 1.1 for any cipher suite: rustls itself speaks nothing that old.
    let receiver = Receiver::start(|mut stream| {
        stream.read_exact(&mut [0; 64])?;
        let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
        hello.extend([7; 32]);
        hello.extend([0, 0xc0, 0x13, 0]);
        stream.write_all(&hello)?;
        io::copy(&mut stream, &mut io::sink()).map(drop)
    });
    let response = send_over_tls(LONG, &receiver, RootCertStore::empty()).await;
    assert_eq!(
        (response.outcome, response.status),
        (AttemptOutcome::Unreachable, None)
    );
    assert!(
        response.error.as_deref().unwrap().starts_with("tls: "),
        "{response:?}"
    );
}

#[tokio::test]
async fn a_tls_handshake_that_hangs_times_out() {
    let receiver = Receiver::start(|stream| {
        hang();
        drop(stream);
        Ok(())
    });
    let started = Instant::now();
    let response = send_over_tls(SHORT, &receiver, RootCertStore::empty()).await;
    assert!(started.elapsed() < SHORT + GRACE);
    assert_failed(
        &response,
        AttemptOutcome::TimedOut,
        "connect: no TCP or TLS handshake within 300 ms",
    );
}

#[tokio::test]
async fn silence_after_a_tls_handshake_is_told_from_silence_in_it() {
    let authority = Authority::new("trusted");
    let receiver = authority.receiver(&Leaf {
        delay: RECEIVER_LIMIT,
        ..Leaf::default()
    });
    let response = send_over_tls(SHORT, &receiver, authority.roots()).await;
    assert_failed(
        &response,
        AttemptOutcome::TimedOut,
        "response: no headers within 300 ms",
    );
}

#[tokio::test]
async fn a_connection_closed_in_the_tls_handshake_is_unreachable() {
    let receiver = Receiver::start(|mut stream| match stream.read(&mut [0; 4_096]) {
        Ok(_) => stream.shutdown(Shutdown::Both),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(error),
    });
    let response = send_over_tls(LONG, &receiver, RootCertStore::empty()).await;
    assert_eq!(
        (response.outcome, response.status),
        (AttemptOutcome::Unreachable, None)
    );
    assert!(
        response
            .error
            .as_deref()
            .unwrap()
            .starts_with("connect: connection"),
        "{response:?}"
    );
}
