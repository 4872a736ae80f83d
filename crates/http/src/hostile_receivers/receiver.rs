//! A receiver on a raw socket.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// The longest life of a receiver's thread.
pub(super) const RECEIVER_LIMIT: Duration = Duration::from_secs(20);

pub(super) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub(super) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A receiver on loopback that runs a script on each connection.
pub(super) struct Receiver {
    pub(super) port: u16,
    connections: Arc<AtomicUsize>,
}

impl Receiver {
    pub(super) fn start(
        script: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let script = Arc::new(script);
        thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                let script = Arc::clone(&script);
                thread::spawn(move || {
                    let stream = stream?;
                    stream.set_read_timeout(Some(RECEIVER_LIMIT))?;
                    stream.set_write_timeout(Some(RECEIVER_LIMIT))?;
                    script(stream)
                });
            }
        });
        Self { port, connections }
    }

    /// Answers each request on a connection with the same bytes and keeps the connection open.
    pub(super) fn answering(response: impl Into<Vec<u8>>) -> Self {
        let response = response.into();
        Self::start(move |mut stream| {
            while read_request(&mut stream)?.is_some() {
                stream.write_all(&response)?;
            }
            Ok(())
        })
    }

    /// Answers the first request on a connection and then closes it.
    pub(super) fn answering_once(response: impl Into<Vec<u8>>) -> Self {
        let response = response.into();
        Self::start(move |mut stream| {
            read_request(&mut stream)?;
            stream.write_all(&response)
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook", self.port)
    }

    /// Returns the receiver's URL with a host name, over TLS.
    pub(super) fn named_url(&self) -> String {
        format!("https://example.com:{}/hook", self.port)
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Reads one whole request, head and body. Returns `None` if the connection ends first.
pub(super) fn read_request(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Ok(None);
        }
        request.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&request).to_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    request.extend(body);
    Ok(Some(request))
}

/// Stays silent for longer than any exchange lasts.
pub(super) fn hang() {
    thread::sleep(RECEIVER_LIMIT);
}
