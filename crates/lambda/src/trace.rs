//! X-Ray: adds each attempt to the trace of its event.
//!
//! Lambda itself traces the invocation, which handles a whole batch. An attempt belongs to the
//! trace of its queue message. Its subsegment is sent as one datagram to the daemon that Lambda
//! runs next to the function, and only if the trace is sampled.

use std::net::{Ipv4Addr, UdpSocket};

use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use webhooks_domain::timestamp::Timestamp;

/// The header that the daemon requires before each document (X-Ray developer guide, "Sending
/// segment documents to the X-Ray daemon").
const HEADER: &str = r#"{"format": "json", "version": 1}"#;

/// A trace header: `Root=1-…;Parent=…;Sampled=1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceHeader<'a> {
    /// The trace's id.
    pub root: &'a str,
    parent: Option<&'a str>,
    is_sampled: bool,
}

impl<'a> TraceHeader<'a> {
    /// Parses a header; `None` if it contains no trace.
    pub fn parse(text: &'a str) -> Option<Self> {
        let part = |name: &str| {
            let mut parts = text
                .split(';')
                .filter_map(|part| part.trim().split_once('='));
            parts.find_map(|(key, value)| (key == name).then_some(value))
        };
        // An id has 35 characters. A longer one is invalid and must not be logged.
        let root = part("Root").filter(|root| root.len() <= 64)?;
        Some(Self {
            root,
            parent: part("Parent"),
            is_sampled: part("Sampled") == Some("1"),
        })
    }
}

/// Sends subsegments.
#[derive(Debug, Default)]
pub struct Tracer {
    daemon: Option<(UdpSocket, String)>,
}

impl Tracer {
    /// Sends to the daemon at this address. Without one, nothing is sent.
    pub fn new(daemon: Option<String>) -> Self {
        Self {
            daemon: daemon.and_then(Self::connect),
        }
    }

    fn connect(address: String) -> Option<(UdpSocket, String)> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        socket.set_nonblocking(true).ok()?;
        Some((socket, address))
    }

    /// Adds a subsegment to a trace, with annotations for searching. A subsegment that cannot
    /// be sent is lost, since nothing depends on it.
    pub fn add(
        &self,
        header: &TraceHeader<'_>,
        name: &str,
        (start, end): (Timestamp, Timestamp),
        annotations: &Value,
    ) {
        let (Some((socket, daemon)), Some(parent), true) =
            (&self.daemon, header.parent, header.is_sampled)
        else {
            return;
        };
        let mut id = [0; 8];
        if SystemRandom::new().fill(&mut id).is_err() {
            return;
        }
        let document = json!({
            "type": "subsegment",
            "name": name,
            "id": format!("{:016x}", u64::from_be_bytes(id)),
            "trace_id": header.root,
            "parent_id": parent,
            "start_time": seconds(start),
            "end_time": seconds(end),
            "annotations": annotations,
        });
        let _ = socket.send_to(format!("{HEADER}\n{document}").as_bytes(), daemon);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds since 1970 are exact in a double"
)]
fn seconds(time: Timestamp) -> f64 {
    time.as_millis() as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SAMPLED: &str =
        "Root=1-6560c1f8-0123456789abcdef01234567;Parent=53995c3f42cd8ad8;Sampled=1";
    const BEGIN: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const END: Timestamp = Timestamp::from_millis(1_700_000_000_250);

    #[test]
    fn a_header_is_read_in_any_order_and_one_without_a_root_is_none() {
        let header = TraceHeader::parse("Sampled=0; Root=1-2-3").unwrap();
        assert_eq!(header.root, "1-2-3");
        assert!(!header.is_sampled);
        assert_eq!(TraceHeader::parse("Parent=1"), None);
        assert_eq!(
            TraceHeader::parse(&format!("Root={}", "x".repeat(65))),
            None
        );
    }

    #[test]
    fn an_attempt_of_a_sampled_trace_reaches_the_daemon_and_no_other() {
        let daemon = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        daemon
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        let tracer = Tracer {
            daemon: Tracer::connect(daemon.local_addr().unwrap().to_string()),
        };
        let add = |header: &str, attempt: u32| {
            let header = TraceHeader::parse(header).unwrap();
            let annotations = json!({"attempt": attempt});
            tracer.add(&header, "attempt", (BEGIN, END), &annotations);
        };
        add(&SAMPLED.replace("Sampled=1", "Sampled=0"), 1);
        add(SAMPLED, 2);
        let mut datagram = [0; 4_096];
        let size = daemon.recv(&mut datagram).unwrap();
        let text = std::str::from_utf8(&datagram[..size]).unwrap();
        let (header, document) = text.split_once('\n').unwrap();
        assert_eq!(header, HEADER);
        let document: Value = serde_json::from_str(document).unwrap();
        assert_eq!(document["annotations"]["attempt"], 2);
        assert_eq!(document["trace_id"], "1-6560c1f8-0123456789abcdef01234567");
        assert_eq!(document["parent_id"], "53995c3f42cd8ad8");
        assert_eq!(document["end_time"], 1_700_000_000.25);
        assert_eq!(document["id"].as_str().unwrap().len(), 16);
    }
}
