//! Response heads.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use webhooks_domain::outbound::{AttemptOutcome, WebhookRequest, WebhookSender};

use super::receiver::{Receiver, hang, read_request};
use super::{GRACE, LONG, SHORT, assert_failed, request, send, send_shortly, sender};

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

#[tokio::test]
async fn a_head_that_is_not_text_is_as_good_as_any() {
    let head =
        b"HTTP/1.1 200 \xff\r\nx-bytes: \xfe\xff\r\nretry-after: \xff\r\ncontent-length: 0\r\n\r\n";
    let response = send(&Receiver::answering(head)).await;
    assert_eq!(
        (response.outcome, response.error, response.retry_after),
        (AttemptOutcome::Succeeded, None, None)
    );
}

#[tokio::test]
async fn a_requests_own_timeout_counts_when_it_is_the_shorter_one() {
    let silent = Receiver::start(|mut stream| {
        read_request(&mut stream)?;
        hang();
        Ok(())
    });
    for (limit, timeout, given) in [(LONG, "1", "1000 ms"), (SHORT, "30", "300 ms")] {
        let request = WebhookRequest {
            timeout: Some(timeout.parse().unwrap()),
            ..request(&silent.url())
        };
        let response = sender(limit).send(request).await;
        let error = format!("response: no headers within {given}");
        assert_failed(&response, AttemptOutcome::TimedOut, &error);
    }
}
