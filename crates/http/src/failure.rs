//! What went wrong, found in the client's chain of errors by type, and told in a few words.
//!
//! The client's own messages are never passed on: they hold the URL. Nor is anything that the
//! peer wrote, such as the names in its certificate.

use std::error::Error;
use std::io;
use std::iter;
use std::time::Duration;

use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use rustls::CertificateError;
use webhooks_domain::outbound::{AttemptOutcome, BlockedAddress};

use crate::phase::Phase;
use crate::resolver::ResolveError;

/// An attempt that got no response.
pub(crate) struct Failure {
    pub(crate) outcome: AttemptOutcome,
    pub(crate) error: String,
}

impl Failure {
    /// The deadline passed.
    pub(crate) fn timed_out(limit: Duration) -> Self {
        let error = timed_out(Phase::current(), limit);
        Self {
            outcome: AttemptOutcome::TimedOut,
            error,
        }
    }

    /// The policy refused; nothing was dialled.
    pub(crate) fn blocked(why: &str) -> Self {
        Self {
            outcome: AttemptOutcome::Blocked,
            error: format!("blocked: {why}"),
        }
    }

    /// The policy refused an address. The address itself is not told: whoever chose the name
    /// could read a private network's names off it.
    pub(crate) fn blocked_address(blocked: &BlockedAddress) -> Self {
        Self::blocked(&format!(
            "address is not globally routable ({})",
            blocked.reason()
        ))
    }

    /// The request could not be made or was not answered.
    pub(crate) fn unreachable(error: impl Into<String>) -> Self {
        Self {
            outcome: AttemptOutcome::Unreachable,
            error: error.into(),
        }
    }

    /// What the client reported while it connected, sent, or waited for the headers.
    pub(crate) fn from_client(error: &reqwest::Error, limit: Duration) -> Self {
        if error.is_timeout() {
            return Self::timed_out(limit);
        }
        let phase = if error.is_connect() {
            Phase::Connect
        } else {
            Phase::Response
        };
        for cause in causes(error) {
            if let Some(cause) = cause.downcast_ref::<ResolveError>() {
                return match cause {
                    ResolveError::Blocked(blocked) => Self::blocked_address(blocked),
                    ResolveError::NoAddress => Self::unreachable("dns: no address"),
                    ResolveError::Failed(cause) => dns_failure(cause),
                };
            }
            if let Some(what) = describe(cause, phase) {
                return Self::unreachable(what);
            }
        }
        Self::unreachable(format!("{phase}: failed"))
    }
}

/// The deadline passed in `phase`.
pub(crate) fn timed_out(phase: Phase, limit: Duration) -> String {
    let limit_ms = limit.as_millis();
    match phase {
        Phase::Connect => format!("connect: no TCP or TLS handshake within {limit_ms} ms"),
        Phase::Dns => format!("dns: no answer within {limit_ms} ms"),
        Phase::Response => format!("response: no headers within {limit_ms} ms"),
        Phase::Body => format!("body: incomplete after {limit_ms} ms"),
    }
}

/// What broke a body off after its headers had come.
pub(crate) fn broken_body(error: &reqwest::Error) -> String {
    causes(error)
        .find_map(|cause| describe(cause, Phase::Body))
        .unwrap_or_else(|| "body: broke off".to_owned())
}

/// An error and what caused it, from the outside in; an `io::Error` that only wraps another
/// error is followed by that error, which `source` would skip.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| {
        match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        }
    })
}

/// The words for a cause that is precise enough to stop at.
fn describe(cause: &(dyn Error + 'static), phase: Phase) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(format!("tls: {}", tls_failure(error)));
    }
    if let Some(error) = cause.downcast_ref::<hyper::Error>() {
        if error.is_parse_too_large() {
            return Some(format!("{phase}: too many or too large headers"));
        }
        if error.is_parse() {
            return Some(format!("{phase}: not valid HTTP/1.1"));
        }
        if error.is_incomplete_message() {
            return Some(format!("{phase}: connection closed too early"));
        }
        return None;
    }
    let error = cause.downcast_ref::<io::Error>()?;
    let what = match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => "connection reset",
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => "connection closed too early",
        io::ErrorKind::HostUnreachable => "host unreachable",
        io::ErrorKind::NetworkUnreachable => "network unreachable",
        io::ErrorKind::TimedOut => "the network timed out",
        io::ErrorKind::AddrNotAvailable => "no local address",
        _ => return None,
    };
    Some(format!("{phase}: {what}"))
}

/// Why the name servers gave no address.
fn dns_failure(error: &NetError) -> Failure {
    let what = match error {
        // Before the deadline: the resolver gave up first.
        NetError::Timeout => {
            return Failure {
                outcome: AttemptOutcome::TimedOut,
                error: "dns: no answer".to_owned(),
            };
        }
        NetError::Dns(DnsError::NoRecordsFound(nothing)) => match nothing.response_code {
            ResponseCode::NXDomain => "no such name",
            _ => "no address",
        },
        NetError::Dns(DnsError::ResponseCode(ResponseCode::Refused)) => "name server refused",
        NetError::Dns(_) => "name server failed",
        NetError::Truncated => "answer too long, and not to be had over TCP",
        NetError::Proto(_) => "answer not understood",
        NetError::Io(_) | NetError::NoConnections => "name server unreachable",
        _ => "failed",
    };
    Failure::unreachable(format!("dns: {what}"))
}

fn tls_failure(error: &rustls::Error) -> String {
    let what = match error {
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "certificate expired"
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "certificate not valid yet"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "certificate not valid for the host name"
            }
            CertificateError::UnknownIssuer => "certificate issuer not trusted",
            CertificateError::Revoked => "certificate revoked",
            _ => "certificate not valid",
        },
        rustls::Error::AlertReceived(alert) => return format!("alert {alert:?} received"),
        rustls::Error::InvalidMessage(_) => "not a TLS message",
        rustls::Error::PeerIncompatible(_) => "no common version or cipher suite (TLS 1.2 or 1.3)",
        rustls::Error::NoCertificatesPresented => "no certificate presented",
        _ => "handshake failed",
    };
    what.to_owned()
}
