//! Finds the cause of a failure by the types in the client's error chain, and describes it in a
//! few words.
//!
//! The client's own messages are never passed on, because they contain the URL. Nor is any text
//! that the peer wrote, such as the names in its certificate.

use std::error::Error;
use std::io;
use std::iter;
use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use rustls::{AlertDescription, CertificateError, PeerIncompatible};
use webhooks_domain::outbound::authentication::ClientIdentity;
use webhooks_domain::outbound::{AttemptOutcome, BlockedAddress};

use crate::connection::NoResponse;
use crate::phase::Phase;
use crate::resolver::ResolveError;
use crate::tls::{NoIntermediate, SelfSigned};

/// Linux: the system does not support the address family.
const EAFNOSUPPORT: i32 = 97;

/// The client, as the endpoint may see it in the TLS handshake.
#[derive(Clone, Copy)]
pub(crate) enum Client {
    /// It has no certificate.
    Anonymous,
    /// It has a certificate, and shows it if it is asked.
    Certified,
}

impl Client {
    /// The client of a request with this certificate.
    pub(crate) fn of(identity: Option<&ClientIdentity>) -> Self {
        match identity {
            Some(_) => Self::Certified,
            None => Self::Anonymous,
        }
    }
}

/// An attempt that got no response.
pub(crate) struct Failure {
    pub(crate) outcome: AttemptOutcome,
    pub(crate) error: String,
}

impl Failure {
    /// The deadline passed during `phase`.
    pub(crate) fn timed_out(phase: Phase, limit: Duration) -> Self {
        Self {
            outcome: AttemptOutcome::TimedOut,
            error: timed_out(phase, limit),
        }
    }

    /// The policy refused the request, and no connection was attempted.
    pub(crate) fn blocked(why: &str) -> Self {
        Self {
            outcome: AttemptOutcome::Blocked,
            error: format!("blocked: {why}"),
        }
    }

    /// The policy refused an address. The message does not contain the address: otherwise the
    /// customer, who chose the name, could resolve names of a private network.
    pub(crate) fn blocked_address(blocked: &BlockedAddress) -> Self {
        Self::blocked(&format!(
            "address is not globally routable ({})",
            blocked.reason()
        ))
    }

    /// The request could not be sent or was not answered.
    pub(crate) fn unreachable(error: impl Into<String>) -> Self {
        Self {
            outcome: AttemptOutcome::Unreachable,
            error: error.into(),
        }
    }

    /// The name could not be resolved.
    pub(crate) fn from_lookup(error: &ResolveError) -> Self {
        match error {
            ResolveError::Blocked(blocked) => Self::blocked_address(blocked),
            ResolveError::NotAName => Self::unreachable("dns: not a host name"),
            ResolveError::NoAddress => Self::unreachable("dns: no address"),
            ResolveError::Failed(cause) => dns_failure(cause),
        }
    }

    /// No address accepted a connection. The message gives the first failure that the endpoint
    /// caused.
    pub(crate) fn from_dial(failures: &[(IpAddr, io::Error)]) -> Self {
        let of_endpoint = failures
            .iter()
            .find(|failure| !is_missing_ipv6_route(failure));
        match of_endpoint {
            Some((_, error)) => {
                Self::from_error(error, Phase::Connect, "failed", Client::Anonymous)
            }
            None if failures.is_empty() => Self::unreachable("connect: failed"),
            None => Self::unreachable(
                "connect: the name has IPv6 addresses only, and there is no IPv6 route",
            ),
        }
    }

    /// The TLS handshake failed.
    pub(crate) fn from_handshake(error: &io::Error, client: Client) -> Self {
        Self::from_error(error, Phase::Connect, "failed", client)
    }

    /// The request was not sent, or the response's headers did not arrive. In TLS 1.3 an endpoint
    /// refuses a client certificate after the handshake, so that its alert arrives here.
    pub(crate) fn from_exchange(failure: &NoResponse, client: Client) -> Self {
        let otherwise = if failure.heard.is_empty() {
            "connection closed too early"
        } else {
            "not valid HTTP/1.1"
        };
        Self::from_error(&failure.error, Phase::Response, otherwise, client)
    }

    fn from_error(
        error: &(dyn Error + 'static),
        phase: Phase,
        otherwise: &str,
        client: Client,
    ) -> Self {
        causes(error)
            .find_map(|cause| describe(cause, phase, client))
            .map_or_else(
                || Self::unreachable(format!("{phase}: {otherwise}")),
                Self::unreachable,
            )
    }
}

/// Returns true if this system has no IPv6 route, so that the failure says nothing about the
/// endpoint.
fn is_missing_ipv6_route((address, error): &(IpAddr, io::Error)) -> bool {
    address.is_ipv6()
        && (matches!(
            error.kind(),
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable
        ) || error.raw_os_error() == Some(EAFNOSUPPORT))
}

/// Describes a deadline that passed during `phase`.
pub(crate) fn timed_out(phase: Phase, limit: Duration) -> String {
    let limit_ms = limit.as_millis();
    match phase {
        Phase::Connect => format!("connect: no TCP or TLS handshake within {limit_ms} ms"),
        Phase::Dns => format!("dns: no answer within {limit_ms} ms"),
        Phase::Response => format!("response: no headers within {limit_ms} ms"),
        Phase::Body => format!("body: incomplete after {limit_ms} ms"),
    }
}

/// Describes the failure of a body after its headers arrived.
pub(crate) fn broken_body(error: &hyper::Error) -> String {
    causes(error)
        .find_map(|cause| describe(cause, Phase::Body, Client::Anonymous))
        .unwrap_or_else(|| "body: broke off".to_owned())
}

/// Returns an error and its causes, outermost first. If an `io::Error` only wraps another
/// error, that error follows too; `source` would skip it.
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

/// Describes a cause if it is specific enough; otherwise the next cause is examined.
fn describe(cause: &(dyn Error + 'static), phase: Phase, client: Client) -> Option<String> {
    if let Some(error) = cause.downcast_ref::<rustls::Error>() {
        return Some(format!("tls: {}", tls_failure(error, client)));
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

/// Describes why the name servers returned no address.
fn dns_failure(error: &NetError) -> Failure {
    let what = match error {
        // The resolver gave up before the deadline.
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
        NetError::Truncated => "answer too long for UDP, and none over TCP",
        NetError::Proto(_) => "answer not understood",
        NetError::Io(_) | NetError::NoConnections => "name server unreachable",
        _ => "failed",
    };
    Failure::unreachable(format!("dns: {what}"))
}

fn tls_failure(error: &rustls::Error, client: Client) -> String {
    let what = match error {
        rustls::Error::InvalidCertificate(error) => certificate_failure(error),
        rustls::Error::AlertReceived(alert) => return alert_received(*alert, client),
        rustls::Error::InvalidMessage(_) => "not a TLS message",
        rustls::Error::PeerIncompatible(error) => match error {
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig => {
                "no common version (TLS 1.2 or 1.3)"
            }
            PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => {
                "client certificate refused: its key type is not supported there"
            }
            PeerIncompatible::NoSignatureSchemesInCommon => {
                "key type or signature algorithm not supported"
            }
            _ => "no common version, cipher suite or key exchange",
        },
        rustls::Error::NoCertificatesPresented => "no certificate presented",
        rustls::Error::PeerMisbehaved(_) => "the peer breaks the protocol",
        _ => "handshake failed",
    };
    what.to_owned()
}

fn certificate_failure(error: &CertificateError) -> &'static str {
    #[expect(deprecated, reason = "it can still be constructed")]
    match error {
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
        CertificateError::Other(other) if other.0.is::<NoIntermediate>() => {
            "certificate issuer not trusted, and no intermediate certificate sent"
        }
        CertificateError::Other(other) if other.0.is::<SelfSigned>() => "certificate self-signed",
        CertificateError::Revoked => "certificate revoked",
        CertificateError::UnsupportedSignatureAlgorithm
        | CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "certificate's key type or signature algorithm not supported"
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "certificate not for servers"
        }
        CertificateError::BadSignature => "certificate's signature or key not valid",
        _ => "certificate not valid",
    }
}

/// Describes an alert that ended the handshake: its name, and its most frequent cause.
fn alert_received(alert: AlertDescription, client: Client) -> String {
    let refused = match client {
        Client::Anonymous => None,
        Client::Certified => certificate_refused(alert),
    };
    if let Some(meaning) = refused {
        return format!("{meaning} (alert {alert:?} received)");
    }
    let meaning = match alert {
        AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity => {
            "no common cipher suite, key exchange or key type"
        }
        AlertDescription::ProtocolVersion => "no common version (TLS 1.2 or 1.3)",
        AlertDescription::NoApplicationProtocol => "no HTTP/1.1",
        AlertDescription::UnrecognisedName => "host name not known there",
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::NoCertificate
        | AlertDescription::AccessDenied => "client certificate wanted",
        _ => return format!("alert {alert:?} received"),
    };
    format!("{meaning} (alert {alert:?} received)")
}

/// The reason why an endpoint refuses a client certificate, by its alert (RFC 8446, 6.2).
fn certificate_refused(alert: AlertDescription) -> Option<&'static str> {
    Some(match alert {
        AlertDescription::UnknownCA => {
            "client certificate refused: its issuer is not trusted there"
        }
        AlertDescription::CertificateExpired => "client certificate refused: expired",
        AlertDescription::CertificateRevoked => "client certificate refused: revoked",
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            "client certificate wanted, and ours cannot be used there"
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::AccessDenied
        | AlertDescription::DecryptError => "client certificate refused",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn dialled(failures: &[(&str, io::ErrorKind)]) -> String {
        let failures: Vec<_> = failures
            .iter()
            .map(|&(address, kind)| (address.parse().unwrap(), kind.into()))
            .collect();
        Failure::from_dial(&failures).error
    }

    #[test]
    fn a_name_with_ipv6_addresses_only_is_reported_where_there_is_no_ipv6_route() {
        use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, NetworkUnreachable};

        let no_route = "connect: the name has IPv6 addresses only, and there is no IPv6 route";
        for kind in [NetworkUnreachable, AddrNotAvailable] {
            assert_eq!(dialled(&[("2600::1", kind), ("2600::2", kind)]), no_route);
        }
        let unknown_family = io::Error::from_raw_os_error(EAFNOSUPPORT);
        let failures = [("2600::1".parse().unwrap(), unknown_family)];
        assert_eq!(Failure::from_dial(&failures).error, no_route);
        // Failures of the endpoint have precedence, and IPv4 always counts as reachable.
        let failures = [
            ("2600::1", NetworkUnreachable),
            ("1.1.1.1", ConnectionRefused),
        ];
        assert_eq!(dialled(&failures), "connect: connection refused");
        let failures = [
            ("2600::1", ConnectionRefused),
            ("2600::2", NetworkUnreachable),
        ];
        assert_eq!(dialled(&failures), "connect: connection refused");
        let failures = [("1.1.1.1", NetworkUnreachable)];
        assert_eq!(dialled(&failures), "connect: network unreachable");
    }
}
