//! TLS, with a name that resolves to the receiver.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use rustls::RootCertStore;
use webhooks_domain::outbound::{AttemptOutcome, WebhookResponse};

use super::authority::{Authority, Leaf, tls_receiver};
use super::name_server::NameServer;
use super::receiver::{RECEIVER_LIMIT, Receiver, hang};
use super::{LONG, SHORT, assert_failed, nobody, send_by_name};

async fn send_over_tls(
    limit: Duration,
    receiver: &Receiver,
    roots: RootCertStore,
) -> WebhookResponse {
    let names = NameServer::answering(&["127.0.0.1"]);
    send_by_name(limit, &names, receiver, roots).await
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
        assert_eq!(response.body.text, "ok");
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
    let trusted = Authority::new("trusted");
    let unknown = Authority::new("unknown");
    let leaf = Leaf::default();
    let receiver = unknown.receiver_with(&leaf, &[unknown.certificate()]);
    let response = send_over_tls(LONG, &receiver, trusted.roots()).await;
    let error = "tls: certificate issuer not trusted";
    assert_failed(&response, AttemptOutcome::Unreachable, error);

    let (params, key) = leaf.params();
    let self_signed = params.self_signed(&key).unwrap().der().clone();
    let receiver = tls_receiver(vec![self_signed], &key, &leaf);
    let response = send_over_tls(LONG, &receiver, trusted.roots()).await;
    let error = "tls: certificate self-signed";
    assert_failed(&response, AttemptOutcome::Unreachable, error);
}

#[tokio::test]
async fn a_missing_intermediate_certificate_is_reported() {
    let root = Authority::new("root");
    let intermediate = root.intermediate("intermediate");
    let leaf = Leaf::default();
    let complete = intermediate.receiver_with(&leaf, &[intermediate.certificate()]);
    let response = send_over_tls(LONG, &complete, root.roots()).await;
    assert_eq!(response.outcome, AttemptOutcome::Succeeded, "{response:?}");
    let incomplete = intermediate.receiver(&leaf);
    let response = send_over_tls(LONG, &incomplete, root.roots()).await;
    let error = "tls: certificate issuer not trusted, and no intermediate certificate sent";
    assert_failed(&response, AttemptOutcome::Unreachable, error);
}

#[tokio::test]
async fn an_alert_is_reported_with_its_most_frequent_cause() {
    for (alert, words) in [
        (
            40,
            "no common cipher suite, key exchange or key type (alert HandshakeFailure received)",
        ),
        (
            70,
            "no common version (TLS 1.2 or 1.3) (alert ProtocolVersion received)",
        ),
        (80, "alert InternalError received"),
        (
            112,
            "host name not known there (alert UnrecognisedName received)",
        ),
        (
            116,
            "client certificate wanted (alert CertificateRequired received)",
        ),
        (120, "no HTTP/1.1 (alert NoApplicationProtocol received)"),
    ] {
        let receiver = Receiver::start(move |mut stream| {
            stream.read_exact(&mut [0; 64])?;
            stream.write_all(&[0x15, 3, 3, 0, 2, 2, alert])?;
            stream.shutdown(Shutdown::Write)?;
            io::copy(&mut stream, &mut io::sink()).map(drop)
        });
        let response = send_over_tls(LONG, &receiver, nobody()).await;
        let error = format!("tls: {words}");
        assert_failed(&response, AttemptOutcome::Unreachable, &error);
    }
}

#[tokio::test]
async fn plain_http_behind_https_is_refused() {
    let receiver = Receiver::start(|mut stream| {
        stream.read_exact(&mut [0; 64])?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")?;
        stream.shutdown(Shutdown::Write)?;
        io::copy(&mut stream, &mut io::sink()).map(drop)
    });
    let response = send_over_tls(LONG, &receiver, nobody()).await;
    assert_failed(
        &response,
        AttemptOutcome::Unreachable,
        "tls: not a TLS message",
    );
}

#[tokio::test]
async fn a_tls_version_before_1_2_is_refused() {
    // A ServerHello of TLS 1.1 for any cipher suite. rustls itself does not support this
    // version.
    let receiver = Receiver::start(|mut stream| {
        stream.read_exact(&mut [0; 64])?;
        let mut hello = vec![0x16, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
        hello.extend([7; 32]);
        hello.extend([0, 0xc0, 0x13, 0]);
        stream.write_all(&hello)?;
        io::copy(&mut stream, &mut io::sink()).map(drop)
    });
    let response = send_over_tls(LONG, &receiver, nobody()).await;
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
    let response = send_over_tls(SHORT, &receiver, nobody()).await;
    assert_failed(
        &response,
        AttemptOutcome::TimedOut,
        "connect: no TCP or TLS handshake within 300 ms",
    );
}

#[tokio::test]
async fn silence_after_a_tls_handshake_has_its_own_message() {
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
    let response = send_over_tls(LONG, &receiver, nobody()).await;
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
