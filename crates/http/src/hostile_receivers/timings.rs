//! The durations of the parts of an exchange.

use std::io::Write;
use std::thread;
use std::time::Duration;

use rustls::StreamOwned;
use webhooks_domain::outbound::{AttemptOutcome, Timings, WebhookResponse};
use webhooks_domain::ports::WebhookSender;

use super::authority::{Authority, Leaf};
use super::name_server::{NameServer, Reply};
use super::receiver::{OK, Receiver, hang, read_request};
use super::{LONG, SHORT, nobody, request, send_by_name, sender, sender_with};

const DELAY: Duration = Duration::from_millis(60);

/// Returns true if a part took at least the delay.
fn is_slow(part: Option<u32>) -> bool {
    part.is_some_and(|ms| u128::from(ms) >= DELAY.as_millis())
}

/// The parts are measured one after the other.
fn assert_within(response: &WebhookResponse) {
    let Timings {
        dns_ms,
        connect_ms,
        tls_ms,
        first_byte_ms,
    } = response.timings;
    let parts = [dns_ms, connect_ms, tls_ms, first_byte_ms];
    let sum: u32 = parts.into_iter().flatten().sum();
    assert!(sum <= response.duration_ms, "{response:?}");
}

#[tokio::test]
async fn each_part_of_a_new_connection_is_measured_and_a_kept_one_has_only_the_last() {
    let authority = Authority::new("trusted");
    let receiver = authority.raw_receiver(&Leaf::default(), |connection, stream| {
        let mut stream = StreamOwned::new(connection, stream);
        while read_request(&mut stream)?.is_some() {
            thread::sleep(DELAY);
            stream.write_all(OK)?;
        }
        Ok(())
    });
    let names = NameServer::start(|question| {
        thread::sleep(DELAY);
        Reply::addresses(question, &["127.0.0.1"])
    });
    let sender = sender_with(LONG, names.config(), authority.roots());
    let new = sender.send(request(&receiver.named_url())).await;
    assert_eq!(new.outcome, AttemptOutcome::Succeeded, "{new:?}");
    let timings = new.timings;
    assert!(is_slow(timings.dns_ms), "{new:?}");
    assert!(timings.connect_ms.is_some() && timings.tls_ms.is_some());
    assert!(is_slow(timings.first_byte_ms), "{new:?}");
    assert_within(&new);

    let kept = sender.send(request(&receiver.named_url())).await;
    assert_eq!(kept.outcome, AttemptOutcome::Succeeded, "{kept:?}");
    let only_last = Timings {
        first_byte_ms: kept.timings.first_byte_ms,
        ..Timings::default()
    };
    assert_eq!(kept.timings, only_last);
    assert!(is_slow(kept.timings.first_byte_ms), "{kept:?}");
    assert_within(&kept);
}

#[tokio::test]
async fn an_address_needs_no_name_resolution_and_http_no_tls() {
    let receiver = Receiver::answering(OK);
    let response = sender(LONG).send(request(&receiver.url())).await;
    let timings = response.timings;
    assert_eq!((timings.dns_ms, timings.tls_ms), (None, None));
    assert!(timings.connect_ms.is_some() && timings.first_byte_ms.is_some());
}

#[tokio::test]
async fn a_part_that_does_not_end_is_absent_and_so_are_those_after_it() {
    let silent = NameServer::start(|_| Reply::Silence);
    let names = NameServer::answering(&["127.0.0.1"]);
    let receiver = Receiver::start(|_| {
        hang();
        Ok(())
    });
    let response = send_by_name(SHORT, &silent, &receiver, nobody()).await;
    assert_eq!(response.timings, Timings::default());
    // The system accepts the connection, and nobody answers the handshake.
    let response = send_by_name(SHORT, &names, &receiver, nobody()).await;
    let timings = response.timings;
    assert!(timings.dns_ms.is_some() && timings.connect_ms.is_some());
    assert_eq!((timings.tls_ms, timings.first_byte_ms), (None, None));
    let response = sender(SHORT).send(request(&receiver.url())).await;
    assert!(response.timings.connect_ms.is_some());
    assert_eq!(response.timings.first_byte_ms, None);
}
