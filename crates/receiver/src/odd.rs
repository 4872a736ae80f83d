//! Answers that a well-behaved HTTP server does not give.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Frame;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Interval, interval},
};

/// Between two pieces of an endless body.
const PIECE_INTERVAL: Duration = Duration::from_millis(100);

/// Stands in a header's value for the end of a line. As long as [`FOLD`].
const MARK: &[u8; 6] = b"_FOLD_";

/// The end of a line within a header's value (`obs-fold`, RFC 9112 section 5.2).
const FOLD: &[u8; 6] = b"\r\n    ";

/// The value of a folded header, as it is given to the HTTP server.
pub(super) const FOLDED_VALUE: &str = "one_FOLD_two";

/// The body of an answer.
pub(super) type Body = BoxBody<Bytes, std::convert::Infallible>;

/// A body of these bytes, that may go on after them.
pub(super) fn body(bytes: Bytes, endless: bool) -> Body {
    if endless {
        let pieces = interval(PIECE_INTERVAL);
        Endless {
            first: Some(bytes),
            pieces,
        }
        .boxed()
    } else {
        Full::new(bytes).boxed()
    }
}

/// Bytes, and then dots.
struct Endless {
    first: Option<Bytes>,
    pieces: Interval,
}

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        self.pieces
            .poll_tick(context)
            .map(|_| Some(Ok(Frame::data(Bytes::from_static(b".")))))
    }
}

/// A connection that folds the header values that ask for it.
pub(super) struct Folding(pub(super) TcpStream);

impl AsyncRead for Folding {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Folding {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mark = buffer.windows(MARK.len()).position(|bytes| bytes == MARK);
        let Some(mark) = mark else {
            return Pin::new(&mut self.0).poll_write(context, buffer);
        };
        let mut folded = buffer.to_vec();
        folded[mark..mark + FOLD.len()].copy_from_slice(FOLD);
        Pin::new(&mut self.0).poll_write(context, &folded)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
