//! Kept connections that fail during a request.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConnection;
use tokio::time::timeout;
use webhooks_domain::outbound::AttemptOutcome;
use webhooks_domain::ports::WebhookSender;

use super::authority::{Authority, Leaf};
use super::name_server::NameServer;
use super::receiver::{OK, Receiver, hang, read_request};
use super::{LONG, SHORT, assert_failed, request, sender, sender_with};
use crate::HttpSender;

/// A receiver that counts the requests that it has read completely.
struct Counted {
    receiver: Receiver,
    requests: Arc<AtomicUsize>,
}

impl Counted {
    /// Starts a receiver that answers the first request on each connection; `second` handles
    /// the second one. Connections are numbered from 0.
    fn whose_second_request(
        second: impl Fn(TcpStream, &dyn Fn(&mut TcpStream) -> io::Result<()>) -> io::Result<()>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self::start(move |mut stream, _, read| {
            read(&mut stream)?;
            stream.write_all(OK)?;
            second(stream, read)
        })
    }

    fn start(
        script: impl Fn(TcpStream, usize, &dyn Fn(&mut TcpStream) -> io::Result<()>) -> io::Result<()>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let connections = AtomicUsize::new(0);
        let receiver = Receiver::start(move |stream| {
            let number = connections.fetch_add(1, Ordering::SeqCst);
            script(stream, number, &|stream| {
                if read_request(stream)?.is_some() {
                    counter.fetch_add(1, Ordering::SeqCst);
                }
                Ok(())
            })
        });
        Self { receiver, requests }
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Returns the sender after one request, so that it keeps a connection to the receiver.
    async fn kept(&self, sender: HttpSender) -> HttpSender {
        let first = sender.send(request(&self.receiver.url())).await;
        assert_eq!(first.outcome, AttemptOutcome::Succeeded, "{first:?}");
        assert_eq!(self.receiver.connections(), 1);
        sender
    }
}

#[tokio::test]
async fn a_kept_connection_that_closes_during_a_request_is_no_failure_of_the_endpoint() {
    let counted = Counted::whose_second_request(|mut stream, read| {
        read(&mut stream)?;
        stream.shutdown(Shutdown::Both)
    });
    let sender = counted.kept(sender(LONG)).await;
    let second = sender.send(request(&counted.receiver.url())).await;
    assert_eq!(
        (second.outcome, second.error),
        (AttemptOutcome::Succeeded, None)
    );
    assert_eq!(second.addresses.len(), 1);
    assert_eq!((counted.receiver.connections(), counted.requests()), (2, 3));
}

#[tokio::test]
async fn a_receiver_that_resets_each_second_request_loses_none() {
    let counted = Counted::whose_second_request(|mut stream, _| {
        // Closing a socket with unread bytes makes the system send a reset.
        stream.read_exact(&mut [0; 8])
    });
    let sender = sender(LONG);
    for number in 0..10 {
        let response = sender.send(request(&counted.receiver.url())).await;
        assert_eq!(
            response.outcome,
            AttemptOutcome::Succeeded,
            "{number}: {response:?}"
        );
    }
}

#[tokio::test]
async fn a_receiver_that_closes_after_each_answer_without_saying_so_loses_none() {
    let counted = Counted::whose_second_request(|stream, _| stream.shutdown(Shutdown::Both));
    let sender = sender(LONG);
    for number in 0..50 {
        let response = sender.send(request(&counted.receiver.url())).await;
        assert_eq!(
            response.outcome,
            AttemptOutcome::Succeeded,
            "{number}: {response:?}"
        );
    }
    assert_eq!(counted.requests(), 50);
}

#[tokio::test]
async fn one_byte_of_an_answer_on_a_kept_connection_is_the_endpoints_failure() {
    for beginning in ["H", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\ncontent-le"] {
        let counted = Counted::whose_second_request(move |mut stream, read| {
            read(&mut stream)?;
            stream.write_all(beginning.as_bytes())
        });
        let sender = counted.kept(sender(LONG)).await;
        let second = sender.send(request(&counted.receiver.url())).await;
        assert_failed(
            &second,
            AttemptOutcome::Unreachable,
            "response: connection closed too early",
        );
        assert_eq!((counted.receiver.connections(), counted.requests()), (1, 2));
    }
}

#[tokio::test]
async fn a_request_is_repeated_once_at_most_and_the_fresh_connection_decides() {
    let counted = Counted::start(|mut stream, number, read| {
        read(&mut stream)?;
        if number == 0 {
            stream.write_all(OK)?;
            read(&mut stream)?;
        }
        stream.shutdown(Shutdown::Both)
    });
    let sender = counted.kept(sender(LONG)).await;
    let second = sender.send(request(&counted.receiver.url())).await;
    assert_failed(
        &second,
        AttemptOutcome::Unreachable,
        "response: connection closed too early",
    );
    assert_eq!((counted.receiver.connections(), counted.requests()), (2, 3));
}

#[tokio::test]
async fn a_repeat_takes_a_fresh_connection_and_not_another_kept_one() {
    const KEPT: usize = 3;
    let counted = Counted::start(|mut stream, number, read| {
        read(&mut stream)?;
        if number < KEPT {
            stream.write_all(OK)?;
            read(&mut stream)?;
            return stream.shutdown(Shutdown::Both);
        }
        stream.write_all(OK)?;
        read(&mut stream)
    });
    let sender = sender(LONG);
    let url = counted.receiver.url();
    // All requests start before one has ended, so each uses its own connection.
    let (a, b, c) = tokio::join!(
        sender.send(request(&url)),
        sender.send(request(&url)),
        sender.send(request(&url)),
    );
    for response in [a, b, c] {
        assert_eq!(response.outcome, AttemptOutcome::Succeeded, "{response:?}");
    }
    assert_eq!(counted.receiver.connections(), KEPT);
    let next = sender.send(request(&url)).await;
    assert_eq!(next.outcome, AttemptOutcome::Succeeded, "{next:?}");
    assert_eq!(
        (counted.receiver.connections(), counted.requests()),
        (KEPT + 1, KEPT + 2)
    );
}

#[tokio::test]
async fn silence_on_a_kept_connection_ends_with_the_deadline_and_is_not_repeated() {
    let counted = Counted::whose_second_request(|mut stream, read| {
        read(&mut stream)?;
        hang();
        Ok(())
    });
    let sender = counted.kept(sender(SHORT)).await;
    let second = sender.send(request(&counted.receiver.url())).await;
    assert_failed(
        &second,
        AttemptOutcome::TimedOut,
        "response: no headers within 300 ms",
    );
    assert_eq!((counted.receiver.connections(), counted.requests()), (1, 2));
}

#[tokio::test]
async fn a_repeat_has_what_is_left_of_the_deadline() {
    let counted = Counted::start(|mut stream, number, read| {
        read(&mut stream)?;
        if number > 0 {
            hang();
        }
        stream.write_all(OK)?;
        read(&mut stream)?;
        stream.shutdown(Shutdown::Both)
    });
    let sender = counted.kept(sender(SHORT)).await;
    let sent = timeout(LONG, sender.send(request(&counted.receiver.url()))).await;
    assert_failed(
        &sent.unwrap(),
        AttemptOutcome::TimedOut,
        "response: no headers within 300 ms",
    );
    assert_eq!((counted.receiver.connections(), counted.requests()), (2, 3));
}

#[tokio::test]
async fn a_kept_connection_over_tls_that_breaks_is_replaced_too() {
    for is_polite in [true, false] {
        let authority = Authority::new("trusted");
        let receiver =
            authority.raw_receiver(&Leaf::default(), move |mut connection, mut stream| {
                let mut tls = rustls::Stream::new(&mut connection, &mut stream);
                read_request(&mut tls)?;
                tls.write_all(OK)?;
                read_request(&mut tls)?;
                if is_polite {
                    connection.send_close_notify();
                    while connection.wants_write() {
                        connection.write_tls(&mut stream)?;
                    }
                }
                Ok(())
            });
        let names = NameServer::answering(&["127.0.0.1"]);
        let sender = sender_with(LONG, names.config(), authority.roots());
        for number in 0..4 {
            let response = sender.send(request(&receiver.named_url())).await;
            assert_eq!(
                response.outcome,
                AttemptOutcome::Succeeded,
                "{number}: {response:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_failure_after_an_answer_does_not_undo_it() {
    // An invalid record, and a fatal unencrypted alert, each in one write with the answer.
    for after in [
        &[0x17, 3, 3, 0, 5, 1, 2, 3, 4, 5][..],
        &[0x15, 3, 3, 0, 2, 2, 80],
    ] {
        let authority = Authority::new("trusted");
        let receiver = authority.raw_receiver(
            &Leaf::default(),
            move |mut connection: ServerConnection, mut stream| {
                read_request(&mut rustls::Stream::new(&mut connection, &mut stream))?;
                connection.writer().write_all(OK)?;
                let mut flight = Vec::new();
                while connection.wants_write() {
                    connection.write_tls(&mut flight)?;
                }
                flight.extend_from_slice(after);
                stream.write_all(&flight)
            },
        );
        let names = NameServer::answering(&["127.0.0.1"]);
        let sender = sender_with(LONG, names.config(), authority.roots());
        let response = sender.send(request(&receiver.named_url())).await;
        assert_eq!(response.status, Some(200), "{response:?}");
        assert_eq!(response.outcome, AttemptOutcome::Succeeded);
        assert_eq!(response.body.text, "ok");
    }
}

#[tokio::test]
async fn an_answer_to_a_request_that_was_not_read_whole_counts() {
    for _ in 0..20 {
        let receiver = Receiver::start(|mut stream| {
            stream.read_exact(&mut [0; 8])?;
            stream.write_all(OK)
        });
        let mut large = request(&receiver.url());
        large.body = vec![b'x'; 8 * 1024 * 1024];
        let response = sender(LONG).send(large).await;
        assert_eq!(response.outcome, AttemptOutcome::Succeeded, "{response:?}");
    }
}
