//! Reads response bodies.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};
use webhooks_domain::outbound::ResponseBody;

use crate::excerpt::Excerpt;
use crate::failure;
use crate::phase::Phase;
use crate::sender::Bound;

/// The largest part of a response body that is read, 64 KiB. After it the connection is
/// dropped.
///
/// A shorter body is read to its end, so that the connection can be used again.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The longest wait for a body. The head has already decided the outcome; the body only
/// provides an excerpt and lets the connection be used again.
pub(crate) const BODY_LIMIT: Duration = Duration::from_secs(1);

/// The end of a body.
pub(crate) enum Ending {
    /// Read to its end.
    Complete,
    /// The body is longer than the part that we read.
    CutOff,
    /// It was incomplete or took too long.
    Broken(String),
}

/// Reads the needed part of the body. Returns the kept part and how it ended.
pub(crate) async fn read_body(
    body: &mut Incoming,
    bound: Bound,
    mut excerpt: Excerpt,
) -> (ResponseBody, Ending) {
    let (deadline, limit) = match Instant::now() + BODY_LIMIT {
        own if own < bound.deadline => (own, BODY_LIMIT),
        _ => (bound.deadline, bound.limit),
    };
    let ending = loop {
        match timeout_at(deadline, body.frame()).await {
            Ok(Some(Ok(frame))) => {
                let Some(chunk) = frame.data_ref() else {
                    continue;
                };
                excerpt.push(chunk);
                if excerpt.read_bytes() > MAX_BODY_BYTES {
                    break Ending::CutOff;
                }
            }
            Ok(None) => break Ending::Complete,
            Ok(Some(Err(error))) => break Ending::Broken(failure::broken_body(&error)),
            Err(_) => break Ending::Broken(failure::timed_out(Phase::Body, limit)),
        }
    };
    let is_complete = matches!(ending, Ending::Complete);
    (excerpt.finish(is_complete), ending)
}
