//! Response bodies.

use std::io::{self, Write};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::time::timeout;
use webhooks_domain::outbound::AttemptOutcome;
use webhooks_domain::ports::WebhookSender;

use super::receiver::{Receiver, read_request};
use super::{LONG, SHORT, request, send, sender};
use crate::MAX_BODY_BYTES;
use crate::body::BODY_LIMIT;

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
        // The address uses a part of the bytes of a success.
        let kept_bytes = if status == 200 { 502 } else { 16_384 };
        assert_eq!(response.body.text, "x".repeat(kept_bytes));
        assert!(response.body.is_cut && response.body.size_bytes > 65_536);
        // The receiver could write no more than the sockets' buffers hold: the connection is
        // gone.
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

/// Starts a receiver that sends a head and then one byte from time to time, for ever.
fn trickling(status: u16) -> Receiver {
    Receiver::start(move |mut stream| {
        read_request(&mut stream)?;
        stream.write_all(format!("HTTP/1.1 {status} X\r\n\r\n").as_bytes())?;
        loop {
            stream.write_all(b"y")?;
            thread::sleep(Duration::from_millis(20));
        }
    })
}

#[tokio::test]
async fn a_slow_body_ends_at_the_deadline_and_the_status_stands() {
    for (status, outcome) in [
        (200, AttemptOutcome::Succeeded),
        (400, AttemptOutcome::HttpError),
    ] {
        let response = sender(SHORT).send(request(&trickling(status).url())).await;
        assert_eq!((response.outcome, response.status), (outcome, Some(status)));
        assert_eq!(
            response.error.as_deref(),
            Some("body: incomplete after 300 ms")
        );
        assert!(response.body.text.starts_with("yy") && response.body.is_cut);
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_read_for_a_second_and_does_not_make_the_endpoint_slow() {
    let silent = Receiver::start(|mut stream| {
        read_request(&mut stream)?;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok")?;
        // Wait until the sender closes the connection.
        io::copy(&mut stream, &mut io::sink()).map(drop)
    });
    for (receiver, outcome) in [
        (silent, AttemptOutcome::Succeeded),
        (trickling(200), AttemptOutcome::Succeeded),
        (trickling(500), AttemptOutcome::HttpError),
    ] {
        let started = Instant::now();
        // The deadline is much longer than the test.
        let sender = sender(Duration::from_hours(1));
        let sent = timeout(LONG, sender.send(request(&receiver.url()))).await;
        let response = sent.expect("the body is waited for");
        assert_eq!(response.outcome, outcome);
        assert_eq!(
            response.error.as_deref(),
            Some("body: incomplete after 1000 ms")
        );
        assert!(!response.body.text.is_empty() && response.body.is_cut);
        // The recorded duration ends at the head, so it does not include this second.
        let duration = Duration::from_millis(response.duration_ms.into());
        assert!(duration + BODY_LIMIT <= started.elapsed(), "{duration:?}");
    }
}

#[tokio::test]
async fn a_body_shorter_than_its_content_length_is_reported_and_the_status_stands() {
    let response = send(&Receiver::answering_once(
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
    ))
    .await;
    assert_eq!(response.outcome, AttemptOutcome::Succeeded);
    assert_eq!(response.body.text, "short");
    assert_eq!(
        response.error.as_deref(),
        Some("body: connection closed too early")
    );
}

#[tokio::test]
async fn a_broken_chunked_body_is_reported_and_the_status_stands() {
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
    // 16 MiB of zeros in 16 KiB. A decompressor would fail or expand it under any encoding
    // name.
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    bomb.write_all(&vec![0; 16 * 1024 * 1024]).unwrap();
    let body = bomb.finish().unwrap();
    assert!(body.len() < MAX_BODY_BYTES);
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
        let excerpt = response.body.text;
        assert!(excerpt.starts_with(" \u{fffd} "), "{excerpt:?}");
        assert!(excerpt.len() <= 512, "{excerpt:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_text_gives_an_excerpt_that_is() {
    let body = b"caf\xc3\xa9 caf\xe9\0\x1b[2J\n";
    let head = format!("HTTP/1.1 400 Bad\r\ncontent-length: {}\r\n\r\n", body.len());
    let response = send(&Receiver::answering([head.as_bytes(), body].concat())).await;
    assert_eq!(response.body.text, "café caf\u{fffd}  [2J\n");
}
