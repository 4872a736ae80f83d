//! Token endpoints that misbehave. A customer chooses their URLs, so they are as hostile as
//! receivers.

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use webhooks_domain::outbound::{
    AddressPolicy, DevelopmentNetworks, EndpointUrl, GrantedToken, TokenAnswer, TokenError,
    WebhookRequest,
};
use webhooks_domain::ports::{TokenEndpoint, WebhookSender};

use super::authority::{Authority, Leaf};
use super::name_server::NameServer;
use super::receiver::{Receiver, hang, read_request};
use super::{GRACE, LONG, SHORT, loopback, nobody, request, sender, sender_under, sender_with};

const TOKEN: &str = r#"{"access_token":"t0ken","token_type":"Bearer","expires_in":60}"#;

fn response(head: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

async fn ask(receiver: &Receiver) -> TokenAnswer {
    let started = Instant::now();
    let answer = sender(LONG).request_token(request(&receiver.url())).await;
    assert!(started.elapsed() < LONG / 2, "{answer:?}");
    answer
}

fn assert_failed(answer: &TokenAnswer, error: &str) {
    let error = error.to_owned();
    assert_eq!(*answer, TokenAnswer::Failed { error });
}

#[tokio::test]
async fn the_whole_answer_is_returned_and_the_connection_is_kept() {
    let (send, asked) = mpsc::channel();
    let receiver = Receiver::start(move |mut stream: TcpStream| {
        while let Some(request) = read_request(&mut stream)? {
            send.send(request).unwrap();
            stream.write_all(&response("200 OK", TOKEN.as_bytes()))?;
        }
        Ok(())
    });
    let sender = sender(LONG);
    let request = WebhookRequest {
        headers: vec![("accept".to_owned(), "application/json".to_owned())],
        body: b"grant_type=client_credentials".to_vec(),
        ..request(&receiver.url())
    };
    for _ in 0..2 {
        let answer = sender.request_token(request.clone()).await;
        assert_eq!(GrantedToken::read(&answer).unwrap().token.as_str(), "t0ken");
    }
    sender.send(request).await;
    assert_eq!(receiver.connections(), 1);
    let asked = String::from_utf8(asked.recv().unwrap()).unwrap();
    assert!(asked.starts_with("POST /hook HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("accept: application/json\r\n"), "{asked}");
    assert!(!asked.contains("*/*"), "{asked}");
    assert!(
        asked.ends_with("\r\n\r\ngrant_type=client_credentials"),
        "{asked}"
    );
}

#[tokio::test]
async fn an_answer_is_read_up_to_a_bound() {
    let longest = TokenAnswer::MAX_BYTES;
    let fits = Receiver::answering(response("200 OK", &vec![b' '; longest]));
    let answer = ask(&fits).await;
    let TokenAnswer::Answered { body, .. } = answer else {
        panic!("{answer:?}")
    };
    assert_eq!(body.len(), longest);
    // It is refused by the length that it states, before any of it is read.
    let stated = Receiver::start(|mut stream| {
        read_request(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4294967295\r\n\r\n")?;
        hang();
        Ok(())
    });
    assert_failed(&ask(&stated).await, "body: more than 65536 bytes");
    // Nor is it read to its end if it states none.
    let endless = Receiver::start(|mut stream| {
        read_request(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        loop {
            stream.write_all(b"400\r\n")?;
            stream.write_all(&[b' '; 1_024])?;
            stream.write_all(b"\r\n")?;
        }
    });
    assert_failed(&ask(&endless).await, "body: more than 65536 bytes");
}

#[tokio::test]
async fn a_slow_answer_ends_with_the_deadline() {
    let silent = Receiver::start(|mut stream| {
        read_request(&mut stream)?;
        hang();
        Ok(())
    });
    let dripping = Receiver::start(|mut stream| {
        read_request(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n")?;
        loop {
            stream.write_all(b" ")?;
            thread::sleep(Duration::from_millis(20));
        }
    });
    for (receiver, error) in [
        (&silent, "response: no headers within 300 ms"),
        (&dripping, "body: incomplete after 300 ms"),
    ] {
        let started = Instant::now();
        let answer = sender(SHORT).request_token(request(&receiver.url())).await;
        let elapsed = started.elapsed();
        assert!(elapsed >= SHORT && elapsed < SHORT + GRACE, "{elapsed:?}");
        assert_failed(&answer, error);
    }
}

/// The time that an attempt has used before counts, for tokens and for webhooks.
#[tokio::test]
async fn an_attempt_has_one_deadline() {
    let silent = Receiver::start(|mut stream| {
        read_request(&mut stream)?;
        hang();
        Ok(())
    });
    let spent = |spent| WebhookRequest {
        spent,
        ..request(&silent.url())
    };
    let sender = sender(LONG);
    let started = Instant::now();
    let answer = sender
        .request_token(spent(LONG.checked_sub(SHORT).unwrap()))
        .await;
    assert_failed(&answer, "response: no headers within 10000 ms");
    let response = sender.send(spent(LONG.checked_sub(SHORT).unwrap())).await;
    assert_eq!(
        response.error.as_deref(),
        Some("response: no headers within 10000 ms")
    );
    // More than all of it.
    sender.send(spent(LONG * 2)).await;
    assert!(started.elapsed() < LONG / 2);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_failure() {
    let receiver =
        Receiver::answering_once(b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{".as_slice());
    assert_failed(&ask(&receiver).await, "body: connection closed too early");
}

/// Each of these is an answer that gives no token. None is followed, decoded or trusted.
#[tokio::test]
async fn odd_answers_give_no_token() {
    let elsewhere = Receiver::answering(response("200 OK", TOKEN.as_bytes()));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(TOKEN.as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    let redirect = format!("302 Found\r\nlocation: {}", elsewhere.url());
    let deep = "[".repeat(60_000);
    let echo = r#"{"error":"s3cret","error_description":"s3cret"}"#;
    let injected = r#"{"access_token":"a\r\nx-admin: 1","token_type":"Bearer"}"#;
    for (head, body, text) in [
        (redirect.as_str(), &b""[..], "token endpoint answered 302"),
        (
            "200 OK\r\ncontent-encoding: gzip",
            &gzip[..],
            "token endpoint answered 200, but not with a JSON object that has access_token and token_type",
        ),
        (
            "200 OK",
            deep.as_bytes(),
            "token endpoint answered 200, but not with a JSON object that has access_token and token_type",
        ),
        (
            "200 OK",
            injected.as_bytes(),
            "token endpoint answered 200, but its access_token is not 1 to 8192 printable ASCII characters",
        ),
        (
            "400 Bad Request",
            echo.as_bytes(),
            "token endpoint answered 400",
        ),
    ] {
        let receiver = Receiver::answering(response(head, body));
        let refused = GrantedToken::read(&ask(&receiver).await).unwrap_err();
        assert_eq!(refused.to_string(), text);
    }
    assert_eq!(elsewhere.connections(), 0, "no redirect is followed");
}

#[tokio::test]
async fn a_head_that_is_not_valid_gives_its_status_only() {
    let receiver = Receiver::answering_once(b"HTTP/1.1 401 No\r\nbad header\r\n\r\n".as_slice());
    let refused = GrantedToken::read(&ask(&receiver).await).unwrap_err();
    assert_eq!(
        refused,
        TokenError::Refused {
            status: 401,
            code: None
        }
    );
}

/// A token URL reaches nothing that the URL of a subscription does not.
#[tokio::test]
async fn an_address_that_is_not_public_is_not_dialled() {
    let receiver = Receiver::answering(response("200 OK", TOKEN.as_bytes()));
    let names = NameServer::answering(&["127.0.0.1"]);
    let policy = AddressPolicy::new(DevelopmentNetworks::none());
    let sender = sender_under(policy, LONG, names.config(), nobody());
    let blocked = "blocked: address is not globally routable (loopback, RFC 1122)";
    for (url, error) in [
        (receiver.url(), blocked),
        (receiver.named_url(), blocked),
        (
            format!("http://example.com:{}/", receiver.port),
            "blocked: url scheme must be https",
        ),
    ] {
        let request = WebhookRequest {
            url: EndpointUrl::from_stored(&url).unwrap(),
            ..request(&receiver.url())
        };
        assert_failed(&sender.request_token(request).await, error);
    }
    let policy = AddressPolicy::new(loopback());
    let sender = sender_under(policy, LONG, names.config(), nobody());
    let denied = sender.denying("example.com".parse().unwrap());
    let request = WebhookRequest {
        url: EndpointUrl::from_stored(&receiver.named_url()).unwrap(),
        ..request(&receiver.url())
    };
    let answer = denied.request_token(request).await;
    let TokenAnswer::Failed { error } = answer else {
        panic!("{answer:?}")
    };
    assert!(error.starts_with("blocked: "), "{error}");
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_certificate_must_be_valid_for_the_name() {
    let authority = Authority::new("trusted");
    let receiver = authority.receiver(&Leaf::default());
    let names = NameServer::answering(&["127.0.0.1"]);
    let request = WebhookRequest {
        url: EndpointUrl::from_stored(&receiver.named_url()).unwrap(),
        ..request(&receiver.url())
    };
    let trusting = sender_with(LONG, names.config(), authority.roots());
    let answer = trusting.request_token(request.clone()).await;
    assert!(matches!(answer, TokenAnswer::Answered { status: 200, .. }));
    let other = sender_with(LONG, names.config(), nobody());
    let error = "tls: certificate issuer not trusted, and no intermediate certificate sent";
    assert_failed(&other.request_token(request).await, error);
}
