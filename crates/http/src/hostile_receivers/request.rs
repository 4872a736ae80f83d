//! The request as it is sent.

use std::io::Write;
use std::sync::mpsc;

use webhooks_domain::outbound::{AttemptOutcome, Method, WebhookRequest};
use webhooks_domain::ports::WebhookSender;

use super::receiver::{OK, Receiver, read_request};
use super::{LONG, assert_failed, request, sender};

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
        method: Method::Put,
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
    assert_eq!(lines.remove(0), "PUT /hook?q=%20a&b=%C3%BC HTTP/1.1");
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
