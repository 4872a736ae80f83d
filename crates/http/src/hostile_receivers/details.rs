//! The recorded details of an answer: its address, headers and text.

use std::net::IpAddr;

use webhooks_domain::outbound::{AttemptOutcome, WebhookResponse};
use webhooks_domain::ports::WebhookSender;

use super::authority::{Authority, Leaf};
use super::name_server::NameServer;
use super::receiver::{OK, Receiver};
use super::{LONG, nobody, request, send, send_by_name, sender};

fn addresses(response: &WebhookResponse) -> Vec<String> {
    response.addresses.iter().map(IpAddr::to_string).collect()
}

#[tokio::test]
async fn the_address_that_answered_is_recorded_on_a_kept_connection_too() {
    let receiver = Receiver::answering(OK);
    let sender = sender(LONG);
    for _ in 0..2 {
        let response = sender.send(request(&receiver.url())).await;
        assert_eq!(addresses(&response), ["127.0.0.1"]);
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn the_address_that_answered_of_many_is_recorded() {
    let authority = Authority::new("trusted");
    let receiver = authority.receiver(&Leaf::default());
    // The first address has no listener.
    let names = NameServer::answering(&["127.0.0.2", "127.0.0.1"]);
    let response = send_by_name(LONG, &names, &receiver, authority.roots()).await;
    assert_eq!(response.outcome, AttemptOutcome::Succeeded, "{response:?}");
    assert_eq!(addresses(&response), ["127.0.0.1"]);
}

#[tokio::test]
async fn without_an_answer_all_dialled_addresses_are_recorded() {
    let receiver = Receiver::answering(OK);
    let names = NameServer::answering(&["127.0.0.2", "127.0.0.3"]);
    let response = send_by_name(LONG, &names, &receiver, nobody()).await;
    assert_eq!(
        response.error.as_deref(),
        Some("connect: connection refused")
    );
    assert_eq!(addresses(&response), ["127.0.0.2", "127.0.0.3"]);
}

#[tokio::test]
async fn a_refused_address_is_not_recorded() {
    let receiver = Receiver::answering(OK);
    let names = NameServer::answering(&["127.0.0.1", "10.1.2.3"]);
    let response = send_by_name(LONG, &names, &receiver, nobody()).await;
    assert_eq!(response.outcome, AttemptOutcome::Blocked);
    assert!(addresses(&response).is_empty());
}

#[tokio::test]
async fn headers_and_body_of_a_success_share_one_bound_and_no_secret_is_kept() {
    let long = "z".repeat(1_000);
    let head = format!(
        "HTTP/1.1 200 X\r\nset-cookie: s3cret\r\nauthorization: s3cret\r\nx-amz-security-token: s3cret\r\n\
         Content-Type: text/plain\r\nserver: {long}\r\nretry-after: a\tÿ\r\nx-request-id: one\r\nx-request-id: two\r\n\
         content-length: 1000\r\n\r\n{long}",
    );
    // One byte for each character, so that one header is invalid UTF-8.
    let head: Vec<u8> = head.chars().map(|c| u8::try_from(c).unwrap()).collect();
    let response = send(&Receiver::answering(head)).await;
    let headers: Vec<_> = response.headers.iter().collect();
    let server = "z".repeat(64);
    assert_eq!(
        headers,
        [
            ("content-type", "text/plain"),
            ("retry-after", "a \u{fffd}"),
            ("server", &server),
            ("x-request-id", "one"),
        ]
    );
    let excerpt = response.body.text;
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.len() + value.len() + 1)
        .sum();
    assert_eq!(bytes + "127.0.0.1".len() + 1 + excerpt.len(), 512);
}
