//! Unusual heads, compared with how curl and Node.js read the same bytes.
//!
//! A receiver that answers 2xx has accepted the webhook, and its developer has seen curl or
//! Node.js accept the answer. So a complete head counts if either of them reads its status.
//! `docs/receivers.md` lists the heads that we refuse. Tried with curl 7.88.1 and Node.js
//! 20.20.2, each answer on its own connection, which the receiver then closes.

use webhooks_domain::outbound::AttemptOutcome;
use webhooks_domain::ports::WebhookSender;

use super::receiver::Receiver;
use super::{LONG, assert_failed, request, send, sender};

/// The other clients that read the answer as a 2xx.
#[derive(Clone, Copy)]
enum By {
    Both,
    Curl,
    Node,
    Nobody,
}

/// Our reading of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum We {
    Read,
    /// Only the status: no headers and no excerpt, and the connection is closed.
    ReadStatus,
    Refuse,
}

/// Replaces `{ok}` in a row: the rest of a valid answer.
const OK: &str = "Content-Length: 2\r\n\r\nok";

const STATUS_LINES: &[(&str, By, We)] = &[
    ("HTTP/1.1 200\r\n{ok}", By::Both, We::Read),
    ("HTTP/1.1 200 \r\n{ok}", By::Both, We::Read),
    ("HTTP/1.1 200 \u{ff}\r\n{ok}", By::Both, We::Read),
    ("HTTP/1.1 200 O\x01K\r\n{ok}", By::Both, We::ReadStatus),
    ("HTTP/1.1 200 O\0K\r\n{ok}", By::Node, We::ReadStatus),
    ("HTTP/1.0 200 OK\r\n{ok}", By::Both, We::Read),
    ("HTTP/2.0 200 OK\r\n{ok}", By::Both, We::ReadStatus),
    ("\r\nHTTP/1.1 200 OK\r\n{ok}", By::Node, We::Read),
    ("\nHTTP/1.1 200 OK\r\n{ok}", By::Node, We::Read),
    ("http/1.1 200 OK\r\n{ok}", By::Curl, We::ReadStatus),
    ("HTTP/1.1  200 OK\r\n{ok}", By::Curl, We::ReadStatus),
    ("HTTP/1.1 200OK\r\n{ok}", By::Curl, We::ReadStatus),
    ("HTTP/1.2 200 OK\r\n{ok}", By::Nobody, We::ReadStatus),
    ("HTTP/2 200\r\n{ok}", By::Curl, We::Refuse),
    ("HTTP/3.0 200 OK\r\n{ok}", By::Nobody, We::Refuse),
    ("HTTP/1.10 200 OK\r\n{ok}", By::Nobody, We::Refuse),
    ("HTTP/1.1 2000 OK\r\n{ok}", By::Nobody, We::Refuse),
    ("HTTP/1.1 20 OK\r\n{ok}", By::Nobody, We::Refuse),
    ("ICY 200 OK\r\n{ok}", By::Nobody, We::Refuse),
    (" HTTP/1.1 200 OK\r\n{ok}", By::Nobody, We::Refuse),
    ("x\r\nHTTP/1.1 200 OK\r\n{ok}", By::Nobody, We::Refuse),
    ("SSH-2.0-OpenSSH_9.9\r\n", By::Nobody, We::Refuse),
    ("ok\r\n\r\n", By::Nobody, We::Refuse),
    ("\0\0\0\0\0", By::Nobody, We::Refuse),
];

/// Header sections, each after `HTTP/1.1 200 OK`.
const HEADERS: &[(&str, By, We)] = &[
    // RFC 9112, 5.2: a user agent must unfold a header line.
    ("X-A: one\r\n two\r\n{ok}", By::Curl, We::Read),
    ("X-A: one\r\n\ttwo\r\n{ok}", By::Curl, We::Read),
    ("X-A:\r\n two\r\n{ok}", By::Curl, We::Read),
    ("X-A: one\r\n \r\n{ok}", By::Curl, We::Read),
    ("Content-Length:\r\n 2\r\n\r\nok", By::Nobody, We::Read),
    ("X-Powered-By : PHP\r\n{ok}", By::Curl, We::Read),
    ("Content-Length : 2\r\n\r\nok", By::Curl, We::Read),
    ("X-A: \u{fe}\u{ff}\r\n{ok}", By::Both, We::Read),
    ("X-A:\r\n{ok}", By::Both, We::Read),
    // A line that is no header is ignored.
    ("garbage\r\n{ok}", By::Nobody, We::Read),
    (": value\r\n{ok}", By::Curl, We::Read),
    (" X-A: one\r\n{ok}", By::Nobody, We::Read),
    ("X Y: z\r\n{ok}", By::Curl, We::Read),
    ("X(A): 1\r\n{ok}", By::Curl, We::Read),
    ("X-\u{e9}: 1\r\n{ok}", By::Curl, We::Read),
    ("X-A: a\x01b\r\n{ok}", By::Curl, We::Read),
    ("X-A: a\x1b[31mb\r\n{ok}", By::Curl, We::Read),
    ("X-A: a\x7fb\r\n{ok}", By::Curl, We::Read),
    ("X-A: a\rb\r\n{ok}", By::Curl, We::ReadStatus),
    ("X-A: a\r\r\n{ok}", By::Curl, We::ReadStatus),
    ("X-A: a\0b\r\n{ok}", By::Nobody, We::ReadStatus),
    ("Content-Length: 2\r\n\nok", By::Curl, We::Read),
    // A head is complete only with its empty line.
    ("X-A: b\r\n", By::Curl, We::Refuse),
    ("", By::Curl, We::Refuse),
];

/// Header sections that give the body's length in an unusual form.
const LENGTHS: &[(&str, By, We)] = &[
    ("\r\nok", By::Both, We::Read),
    ("Content-Length: 2\r\n{ok}", By::Curl, We::Read),
    ("Content-Length: 2, 2\r\n\r\nok", By::Curl, We::Read),
    ("Content-Length: 3\r\n{ok}", By::Curl, We::Refuse),
    ("Content-Length: 2, 3\r\n\r\nok", By::Curl, We::Refuse),
    ("Content-Length: +2\r\n\r\nok", By::Curl, We::Refuse),
    ("Content-Length: 2;x\r\n\r\nok", By::Curl, We::Refuse),
    ("Content-Length: 0x2\r\n\r\nok", By::Curl, We::Refuse),
    ("Content-Length: -2\r\n\r\nok", By::Nobody, We::Refuse),
    ("Content-Length:\r\n\r\nok", By::Nobody, We::Refuse),
    (
        "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n",
        By::Both,
        We::Read,
    ),
    (
        "Transfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        By::Both,
        We::Read,
    ),
    (
        "Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        By::Node,
        We::Read,
    ),
    ("Transfer-Encoding: identity\r\n{ok}", By::Curl, We::Read),
    (
        "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        By::Curl,
        We::Read,
    ),
];

/// Encodes each character as one byte, so that a row can contain invalid UTF-8.
fn bytes(text: &str) -> Vec<u8> {
    let text = text.replace("{ok}", OK);
    text.chars().map(|c| u8::try_from(c).unwrap()).collect()
}

async fn assert_read(answer: Vec<u8>, by: By, expected: We) {
    let shown = String::from_utf8_lossy(&answer[..answer.len().min(200)]).into_owned();
    let response = send(&Receiver::answering_once(answer)).await;
    let error = response.error.as_deref();
    let read = match (response.status, error) {
        (Some(200), None) => We::Read,
        (Some(200), Some("response: headers not valid")) => We::ReadStatus,
        (None, Some("response: not valid HTTP/1.1" | "response: connection closed too early")) => {
            We::Refuse
        }
        _ => panic!("{shown:?}: {response:?}"),
    };
    assert_eq!(read, expected, "{shown:?}");
    let succeeded = response.outcome == AttemptOutcome::Succeeded;
    assert_eq!(succeeded, expected != We::Refuse, "{shown:?}");
    if matches!(by, By::Both) {
        assert!(succeeded, "{shown:?}: curl and Node.js both take it");
    }
}

#[tokio::test]
async fn a_status_line_counts_when_curl_or_node_reads_it() {
    for &(answer, by, expected) in STATUS_LINES {
        assert_read(bytes(answer), by, expected).await;
    }
}

#[tokio::test]
async fn odd_headers_do_not_undo_the_status() {
    for &(rest, by, expected) in HEADERS {
        let answer = [b"HTTP/1.1 200 OK\r\n".to_vec(), bytes(rest)].concat();
        assert_read(answer, by, expected).await;
    }
    let line_feeds = format!("HTTP/1.1 200 OK\r\nX-A: b\r\n{OK}").replace('\r', "");
    assert_read(line_feeds.into_bytes(), By::Curl, We::Read).await;
}

#[tokio::test]
async fn an_odd_length_is_refused_when_it_could_mean_another_message() {
    for &(rest, by, expected) in LENGTHS {
        let answer = [b"HTTP/1.1 200 OK\r\n".to_vec(), bytes(rest)].concat();
        assert_read(answer, by, expected).await;
    }
    let chunked = "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let old = format!("HTTP/1.0 200 OK\r\n{chunked}");
    assert_read(old.into_bytes(), By::Both, We::ReadStatus).await;
}

#[tokio::test]
async fn informational_responses_come_before_the_one_that_counts() {
    let tasks = "HTTP/1.1 103 Early Tasks\r\nLink: x\r\n\r\n".repeat(5);
    for before in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        &tasks,
        "HTTP/1.1 199 ?\r\n\r\n",
    ] {
        let answer = format!("{before}HTTP/1.1 200 OK\r\n{OK}");
        assert_read(answer.into_bytes(), By::Both, We::Read).await;
        let odd = format!("{before}HTTP/1.1  200 OK\r\n{OK}");
        assert_read(odd.into_bytes(), By::Curl, We::ReadStatus).await;
    }
    let response = send(&Receiver::answering_once(format!(
        "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nHTTP/1.1 200 OK\r\n{OK}"
    )))
    .await;
    assert_eq!(
        (response.outcome, response.status),
        (AttemptOutcome::HttpError, Some(101))
    );
}

#[tokio::test]
async fn a_head_is_bounded_by_bytes_and_not_by_lines() {
    let cookie = "Set-Cookie: a=1\r\n";
    let names: Vec<_> = (0..24_000).map(|n| format!("{n:x}:\r\n")).collect();
    let names = names.concat();
    for (headers, by, expected) in [
        (cookie.repeat(101), By::Both, We::Read),
        (cookie.repeat(900), By::Both, We::Read),
        // Node.js gives up beyond 16 KiB, curl beyond 300 KiB.
        (cookie.repeat(6_000), By::Curl, We::Read),
        (names, By::Curl, We::Read),
        (
            format!("X-A: {}\r\n", "z".repeat(90_000)),
            By::Curl,
            We::Read,
        ),
        (
            format!("{}: 1\r\n", "z".repeat(70_000)),
            By::Curl,
            We::ReadStatus,
        ),
        (
            format!("X-A: {}\r\n", "z".repeat(10_000)).repeat(25),
            By::Curl,
            We::Read,
        ),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{headers}{OK}");
        assert_read(answer.into_bytes(), by, expected).await;
    }
    for headers in [
        format!("X-A: {}\r\n", "z".repeat(300_000)),
        format!("X-A: {}\r\n", "z".repeat(10_000)).repeat(30),
    ] {
        let answer = format!("HTTP/1.1 200 OK\r\n{headers}{OK}");
        let response = send(&Receiver::answering_once(answer)).await;
        let error = "response: too many or too large headers";
        assert_failed(&response, AttemptOutcome::Unreachable, error);
    }
}

#[tokio::test]
async fn a_folded_header_is_read_whole_and_an_odd_one_is_left_out() {
    let head =
        "HTTP/1.1 503 Busy\r\nRetry-After :\r\n 120\r\nServer: a\r\n\tb\r\nContent-Type\x01: x\r\n";
    let response = send(&Receiver::answering_once(format!("{head}{OK}"))).await;
    assert_eq!(response.status, Some(503));
    assert_eq!(response.retry_after.as_deref(), Some("120"));
    let headers: Vec<_> = response.headers.iter().collect();
    assert_eq!(headers.len(), 2, "{headers:?}");
    assert_eq!(headers[0], ("retry-after", "120"));
    let words: Vec<_> = headers[1].1.split_whitespace().collect();
    assert_eq!((headers[1].0, words), ("server", vec!["a", "b"]));
}

#[tokio::test]
async fn other_statuses_of_odd_heads_count_too() {
    let response = send(&Receiver::answering_once(format!(
        "http/1.1 410 Gone\r\n{OK}"
    )))
    .await;
    assert_eq!(
        (response.outcome, response.status),
        (AttemptOutcome::HttpError, Some(410))
    );
}

#[tokio::test]
async fn a_connection_with_a_head_that_could_mean_two_messages_is_not_used_again() {
    for answer in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 12\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1  200 OK\r\nContent-Length: 2\r\n\r\nok",
    ] {
        let receiver = Receiver::answering(answer);
        let sender = sender(LONG);
        for _ in 0..2 {
            let response = sender.send(request(&receiver.url())).await;
            assert_eq!(response.outcome, AttemptOutcome::Succeeded);
        }
        assert_eq!(receiver.connections(), 2, "{answer:?}");
    }
}
