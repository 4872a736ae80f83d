//! Addresses that must not be dialled.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;
use webhooks_domain::outbound::{AddressPolicy, AttemptOutcome, DevelopmentNetworks, EndpointUrl};
use webhooks_domain::ports::WebhookSender;

use super::authority::{Authority, Leaf};
use super::name_server::NameServer;
use super::receiver::{OK, Receiver};
use super::{LONG, SHORT, assert_failed, loopback, nobody, request, send_by_name, sender_under};
use crate::HttpSender;

#[tokio::test]
async fn an_address_outside_the_development_networks_of_the_sender_is_not_dialled() {
    let receiver = Receiver::answering(OK);
    let none = AddressPolicy::new(DevelopmentNetworks::none());
    let sender = HttpSender::new(none, LONG).unwrap();
    let response = sender.send(request(&receiver.url())).await;
    assert_failed(
        &response,
        AttemptOutcome::Blocked,
        "blocked: address is not globally routable (loopback, RFC 1122)",
    );
    let anywhere = "0.0.0.0/0".parse().unwrap();
    let mut public = request(&receiver.url());
    public.url = EndpointUrl::parse("http://1.1.1.1/", &anywhere).unwrap();
    let response = sender.send(public).await;
    assert_failed(
        &response,
        AttemptOutcome::Blocked,
        "blocked: url host must be a name, not an IP address",
    );
    assert_eq!(receiver.connections(), 0);
}

/// The URL may have been written to the table by hand, or accepted under an older policy.
#[tokio::test]
async fn a_stored_url_that_would_be_refused_now_reaches_no_private_address() {
    let authority = Authority::new("trusted");
    let receivers = [
        Receiver::answering(OK),
        authority.receiver(&Leaf::default()),
    ];
    let names = NameServer::answering(&["127.0.0.1"]);
    let none = DevelopmentNetworks::none();
    let policy = AddressPolicy::new(none.clone());
    let sender = sender_under(policy, LONG, names.config(), authority.roots());
    for receiver in &receivers {
        let port = receiver.port;
        for stored in [
            format!("http://127.0.0.1:{port}/"),
            format!("https://127.0.0.1:{port}/"),
            format!("https://user:password@127.0.0.1:{port}/"),
            format!("https://2130706433:{port}/"),
            format!("https://0x7f.1:{port}/"),
            format!("http://[::1]:{port}/"),
            format!("https://[::ffff:127.0.0.1]:{port}/"),
            format!("http://localhost:{port}/"),
            format!("https://localhost:{port}/"),
            format!("https://router:{port}/"),
            format!("https://db.internal:{port}/"),
            format!("https://db.internal.:{port}/"),
            format!("http://example.com:{port}/"),
            format!("https://user@example.com:{port}/"),
            "http://169.254.169.254/latest/meta-data/".to_owned(),
            "https://10.0.0.1:22/".to_owned(),
        ] {
            assert!(EndpointUrl::parse(&stored, &none).is_err(), "{stored}");
            let mut request = request(&receiver.url());
            request.url = EndpointUrl::from_stored(&stored).unwrap();
            let response = sender.send(request).await;
            let outcome = (response.outcome, response.status);
            assert_eq!(outcome, (AttemptOutcome::Blocked, None), "{stored}");
            assert!(response.addresses.is_empty(), "{stored}: {response:?}");
        }
        assert_eq!(receiver.connections(), 0);
    }
}

/// The operator may have denied the host after the subscription was created.
#[tokio::test]
async fn a_denied_host_is_not_even_resolved() {
    let names = NameServer::answering(&["127.0.0.1"]);
    let policy = AddressPolicy::new(loopback());
    let sender = sender_under(policy, LONG, names.config(), nobody())
        .denying("*.example.com".parse().unwrap());
    let response = sender.send(request("https://api.example.com/")).await;
    assert_failed(
        &response,
        AttemptOutcome::Blocked,
        "blocked: url host `api.example.com`: the operator of this service denies `*.example.com`",
    );
    assert_eq!(response.timings.dns_ms, None);
    let response = sender.send(request("https://example.com/")).await;
    assert_ne!(response.outcome, AttemptOutcome::Blocked, "{response:?}");
}

#[tokio::test]
async fn one_refused_answer_refuses_the_name_and_does_not_tell_the_address() {
    let receiver = Receiver::answering(OK);
    let answers: [&[&str]; _] = [
        &["10.1.2.3"],
        &["127.0.0.1", "10.1.2.3"],
        &["10.1.2.3", "127.0.0.1"],
        &["127.0.0.1", "fd00:ec2::254"],
        &["127.0.0.1", "::ffff:10.1.2.3"],
        &["::ffff:10.1.2.3"],
        &["1.1.1.1", "2606:4700::1111", "64:ff9b::a01:203"],
    ];
    for addresses in answers {
        let names = NameServer::answering(addresses);
        let response = send_by_name(LONG, &names, &receiver, nobody()).await;
        assert_eq!(
            (response.outcome, response.status),
            (AttemptOutcome::Blocked, None)
        );
        let error = response.error.unwrap();
        assert!(
            error.starts_with("blocked: address is not globally routable ("),
            "{error}"
        );
        assert!(!error.contains("10.1") && !error.contains("ec2"), "{error}");
    }
    assert_eq!(receiver.connections(), 0);
}

/// A port that accepts connections on one address and leaves them unanswered on another: a
/// listener with a full backlog drops new connections.
struct BlackHole {
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    async fn at(address: &str, port: u16) -> Self {
        let address = SocketAddr::new(address.parse().unwrap(), port);
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(address).unwrap();
        let listener = socket.listen(1).unwrap();
        let mut waiting = Vec::new();
        while let Ok(connected) =
            timeout(Duration::from_millis(500), TcpStream::connect(address)).await
        {
            waiting.push(connected.unwrap());
        }
        Self {
            _listener: listener,
            _waiting: waiting,
        }
    }
}

#[tokio::test]
async fn a_dead_address_among_several_does_not_use_up_the_time() {
    let authority = Authority::new("trusted");
    let receiver = authority.receiver(&Leaf::default());
    let mut dead = Vec::new();
    for address in ["127.0.0.2", "127.0.0.3"] {
        dead.push(BlackHole::at(address, receiver.port).await);
    }
    let names = NameServer::answering(&["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1"]);
    let response = send_by_name(LONG, &names, &receiver, authority.roots()).await;
    assert_eq!(response.outcome, AttemptOutcome::Succeeded, "{response:?}");
    assert_eq!(response.addresses, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
}

#[tokio::test]
async fn dead_addresses_time_out_and_are_all_recorded() {
    let receiver = Receiver::answering(OK);
    let _dead = BlackHole::at("127.0.0.2", receiver.port).await;
    let names = NameServer::answering(&["127.0.0.2"]);
    let response = send_by_name(SHORT, &names, &receiver, nobody()).await;
    assert_failed(
        &response,
        AttemptOutcome::TimedOut,
        "connect: no TCP or TLS handshake within 300 ms",
    );
    assert_eq!(response.addresses, ["127.0.0.2".parse::<IpAddr>().unwrap()]);
}
