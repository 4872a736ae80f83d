//! Response heads.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use webhooks_domain::outbound::{AttemptOutcome, WebhookRequest};
use webhooks_domain::ports::WebhookSender;

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
            stream.write_all(b"HTTP/1.1 103 Early Tasks\r\n\r\n")?;
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
