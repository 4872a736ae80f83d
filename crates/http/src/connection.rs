//! One HTTP/1.1 connection to an endpoint, and the meaning of a failure on it.

use std::io::{self, Read};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tokio_rustls::client::TlsStream;

/// The largest response head that is read, 256 KiB.
pub(crate) const MAX_HEAD_BYTES: usize = 256 * 1024;

/// The largest number of header lines of a response. [`MAX_HEAD_BYTES`] is the intended limit;
/// this is the capacity of the client's header map, and only lines shorter than 11 bytes reach
/// it first. hyper allocates 64 bytes for each line that may come, for every response, but does
/// not touch the memory of lines that do not come.
const MAX_HEADER_LINES: usize = 24_576;

/// A connection for one exchange at a time.
pub(crate) struct Connection {
    requests: SendRequest<Full<Bytes>>,
    heard: Arc<Heard>,
    driver: AbortHandle,
    address: IpAddr,
    /// True if a request was sent whose response has not been read to its end.
    is_busy: bool,
}

/// No response arrived.
pub(crate) struct NoResponse {
    pub(crate) error: hyper::Error,
    /// The bytes that the peer sent after the request, at most [`MAX_HEAD_BYTES`]. If there are
    /// none and the connection had been used before, the failure is no evidence against the
    /// endpoint.
    pub(crate) heard: Vec<u8>,
}

impl Connection {
    /// Starts HTTP over a stream that is connected to `address`.
    ///
    /// # Errors
    /// None is known, since nothing is sent yet.
    pub(crate) async fn over<S>(stream: S, address: IpAddr) -> Result<Self, hyper::Error>
    where
        S: Stream + Send + 'static,
    {
        let heard = Arc::new(Heard::default());
        let watched = Watched {
            stream,
            heard: Arc::clone(&heard),
            read_error: None,
            write_error: None,
        };
        let (requests, driver) = Builder::new()
            // We accept what curl and Node.js accept: see `hostile_receivers::heads`.
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .ignore_invalid_headers_in_responses(true)
            .max_headers(MAX_HEADER_LINES)
            .max_header_size(MAX_HEAD_BYTES)
            .max_buf_size(MAX_HEAD_BYTES)
            .handshake(TokioIo::new(watched))
            .await?;
        // hyper reports its error to the request in progress; without a request, nobody needs
        // it.
        let driver = tokio::spawn(async { drop(driver.await) }).abort_handle();
        Ok(Self {
            requests,
            heard,
            driver,
            address,
            is_busy: false,
        })
    }

    /// Returns the peer's address.
    pub(crate) const fn address(&self) -> IpAddr {
        self.address
    }

    /// Returns true if another request can be sent now: the last response was read to its end,
    /// and as far as we know, neither side has closed the connection.
    pub(crate) fn is_ready(&self) -> bool {
        !self.is_busy && self.requests.is_ready()
    }

    /// Sends a request and waits for the response's head.
    pub(crate) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, NoResponse> {
        self.is_busy = true;
        self.heard.listen();
        let response = self.requests.send_request(request).await;
        let heard = self.heard.stop();
        response.map_err(|error| NoResponse {
            // A request that was never written has no answer, so any received bytes are
            // ignored.
            heard: if error.is_canceled() {
                Vec::new()
            } else {
                heard
            },
            error,
        })
    }

    /// The time of the first byte of the answer to the last request.
    pub(crate) fn first_byte_at(&self) -> Option<Instant> {
        self.heard.lock().first_at
    }

    /// Records that the response was read to its end.
    pub(crate) fn finish(&mut self) {
        self.is_busy = false;
    }
}

impl Drop for Connection {
    /// Aborts a connection in the middle of an exchange: a peer that does not read could delay
    /// a graceful close for ever. An idle connection closes by itself when its last user is
    /// gone.
    fn drop(&mut self) {
        if self.is_busy {
            self.driver.abort();
        }
    }
}

/// The bytes that the peer sends while we wait for its answer.
#[derive(Default)]
struct Heard(Mutex<HeardAnswer>);

#[derive(Default)]
struct HeardAnswer {
    /// `None` while nobody waits.
    bytes: Option<Vec<u8>>,
    /// The time of the first of them.
    first_at: Option<Instant>,
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, HeardAnswer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(&self) {
        *self.lock() = HeardAnswer {
            bytes: Some(Vec::new()),
            first_at: None,
        };
    }

    fn stop(&self) -> Vec<u8> {
        self.lock().bytes.take().unwrap_or_default()
    }

    fn push(&self, bytes: &[u8]) {
        let HeardAnswer {
            bytes: heard,
            first_at,
        } = &mut *self.lock();
        if let Some(heard) = heard {
            if heard.is_empty() {
                *first_at = Some(Instant::now());
            }
            let room = MAX_HEAD_BYTES.saturating_sub(heard.len());
            heard.extend_from_slice(&bytes[..bytes.len().min(room)]);
        }
    }
}

/// The transport of a connection.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// Reads the bytes that arrived intact before a read failed, and were not yet returned.
    fn read_remainder(&mut self, buffer: &mut [u8]) -> usize;
}

impl Stream for TcpStream {
    fn read_remainder(&mut self, _: &mut [u8]) -> usize {
        0
    }
}

impl Stream for TlsStream<TcpStream> {
    /// One read can return an answer together with a fatal alert or an invalid record after it.
    fn read_remainder(&mut self, buffer: &mut [u8]) -> usize {
        self.get_mut().1.reader().read(buffer).unwrap_or_default()
    }
}

/// A stream that records what the peer sends and gives it precedence over failures.
///
/// - A peer may answer and close before it has read the whole request. Then writing fails while
///   the answer is still unread, so a failed write is reported only when there is nothing to
///   read.
/// - A failure after an answer is reported after the answer.
struct Watched<S> {
    stream: S,
    heard: Arc<Heard>,
    read_error: Option<io::Error>,
    write_error: Option<io::Error>,
}

impl<S: Stream> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(error) = self.read_error.take() {
            return Poll::Ready(Err(error));
        }
        let before = buffer.filled().len();
        if let Err(error) = ready!(Pin::new(&mut self.stream).poll_read(context, buffer)) {
            let read = self.stream.read_remainder(buffer.initialize_unfilled());
            if read == 0 {
                return Poll::Ready(Err(error));
            }
            buffer.advance(read);
            self.read_error = Some(error);
        }
        let read = &buffer.filled()[before..];
        if !read.is_empty() {
            self.heard.push(read);
        } else if let Some(error) = self.write_error.take() {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S> Watched<S> {
    /// Treats a failed write as complete, and keeps the failure for the reading side.
    fn written(
        &mut self,
        result: Poll<io::Result<usize>>,
        all_bytes: usize,
    ) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Err(error)) => {
                self.write_error = Some(error);
                Poll::Ready(Ok(all_bytes))
            }
            result => result,
        }
    }
}

impl<S: Stream> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(result, bytes.len())
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        let all_bytes = slices.iter().map(|slice| slice.len()).sum();
        self.written(result, all_bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.written(flushed.map_ok(|()| 0), 0).map_ok(drop)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
