//! Keeping, reusing and losing connections.

use std::io::Read;
use std::net::{Shutdown, TcpListener};
use std::process::Command;
use std::thread;
use std::time::Duration;

use webhooks_domain::outbound::AttemptOutcome;
use webhooks_domain::ports::WebhookSender;

use super::receiver::{LOOPBACK, OK, Receiver, read_request};
use super::{LONG, assert_failed, request, send, sender};
use crate::pool::IDLE_LIMIT;

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
    // Runs another test in a separate process, since setting variables in this one is unsafe.
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args([
        "--exact",
        "hostile_receivers::status::only_200_to_299_succeeds",
    ]);
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
