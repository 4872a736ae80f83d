//! Receivers that demand a client certificate: which one they see, and which connections and TLS
//! sessions requests share.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned};
use webhooks_domain::ids::CustomerId;
use webhooks_domain::outbound::authentication::{ClientIdentity, IdentityId};
use webhooks_domain::outbound::{
    AttemptOutcome, Credential, EndpointUrl, WebhookRequest, WebhookResponse,
};
use webhooks_domain::ports::WebhookSender;

use super::authority::{Authority, Leaf, server_config};
use super::name_server::NameServer;
use super::receiver::{OK, Receiver, read_request};
use super::{LONG, assert_failed, request, sender_with};
use crate::HttpSender;

/// A connection that a receiver has accepted, at its first request.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    /// The client certificate, if one came.
    certificate: Option<CertificateDer<'static>>,
    is_resumed: bool,
    /// The number of requests on the connection so far.
    requests: usize,
}

/// A receiver that knows its clients by their certificates.
struct Knowing {
    receiver: Receiver,
    seen: Arc<Mutex<Vec<Seen>>>,
    _names: NameServer,
    sender: HttpSender,
}

/// The reuse of connections by a receiver.
#[derive(Clone, Copy, PartialEq)]
enum Reuse {
    /// A connection serves many requests.
    Connections,
    /// A connection serves one request; TLS sessions are resumed.
    Sessions,
    /// A connection is kept, and breaks when its second request has arrived.
    BreaksAtSecond,
}

/// The treatment of clients without a certificate.
#[derive(Clone, Copy)]
enum Certificate {
    Required,
    Optional,
}

impl Knowing {
    fn start(clients: &Authority, leaf: &Leaf, reuse: Reuse, certificate: Certificate) -> Self {
        let servers = Authority::new("servers");
        let seen = Arc::new(Mutex::new(Vec::<Seen>::new()));
        let log = Arc::clone(&seen);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(clients.roots()), provider);
        let verifier = match certificate {
            Certificate::Required => verifier,
            Certificate::Optional => verifier.allow_unauthenticated(),
        };
        let verifier = verifier.build().unwrap();
        let (chain, key) = servers.certify(leaf);
        let mut config: ServerConfig = server_config(chain, &key, leaf, Some(verifier));
        config.ticketer = rustls::crypto::ring::Ticketer::new().unwrap();
        let config = Arc::new(config);
        let receiver = Receiver::start(move |stream| {
            let connection =
                ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(connection, stream);
            let mut index = None;
            loop {
                match read_request(&mut stream) {
                    Ok(Some(_)) => {}
                    Ok(None) => return Ok(()),
                    Err(error) => {
                        // Sends the alert.
                        let _ = stream.flush();
                        while stream.conn.wants_write() {
                            stream.conn.write_tls(&mut stream.sock)?;
                        }
                        return Err(error);
                    }
                }
                {
                    let mut seen = log.lock().unwrap();
                    let index = *index.get_or_insert_with(|| {
                        let certificates = stream.conn.peer_certificates();
                        let certificate = certificates.and_then(<[_]>::first);
                        seen.push(Seen {
                            certificate: certificate.map(|it| it.clone().into_owned()),
                            is_resumed: stream.conn.handshake_kind()
                                == Some(HandshakeKind::Resumed),
                            requests: 0,
                        });
                        seen.len() - 1
                    });
                    seen[index].requests += 1;
                    if reuse == Reuse::BreaksAtSecond && seen[index].requests == 2 {
                        return Ok(());
                    }
                }
                stream.write_all(OK)?;
                if reuse == Reuse::Sessions {
                    stream.conn.send_close_notify();
                    return stream.flush();
                }
            }
        });
        let names = NameServer::answering(&["127.0.0.1"]);
        let sender = sender_with(LONG, names.config(), servers.roots());
        Self {
            receiver,
            seen,
            _names: names,
            sender,
        }
    }

    async fn send(&self, client: Option<&Client>) -> WebhookResponse {
        let url = self.receiver.named_url();
        let request = WebhookRequest {
            identity: client.map(|client| Box::new(client.identity(&url))),
            ..request(&url)
        };
        self.sender.send(request).await
    }

    async fn succeed(&self, client: Option<&Client>) {
        let response = self.send(client).await;
        assert_eq!(response.outcome, AttemptOutcome::Succeeded, "{response:?}");
    }

    /// The connections so far: the client certificate, by its number in `clients`, if the session
    /// was resumed, and the number of requests.
    fn seen(&self, clients: &[&Client]) -> Vec<(Option<usize>, bool, usize)> {
        let number = |certificate: &CertificateDer<'_>| {
            clients
                .iter()
                .position(|client| client.der == *certificate)
                .expect("a client of the test")
        };
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .map(|seen| {
                let certificate = seen.certificate.as_ref().map(number);
                (certificate, seen.is_resumed, seen.requests)
            })
            .collect()
    }
}

/// A customer with a client certificate.
#[derive(Clone)]
struct Client {
    customer: &'static str,
    credential: Credential,
    der: CertificateDer<'static>,
}

impl Client {
    fn of(customer: &'static str, authority: &Authority) -> Self {
        Self::until(customer, authority, 2100)
    }

    fn until(customer: &'static str, authority: &Authority, to_year: i32) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, customer);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(to_year, 1, 1);
        let key = KeyPair::generate().unwrap();
        let der = authority.sign(&params, &key);
        let certificate = pem("CERTIFICATE", &der);
        let private_key = pem("PRIVATE KEY", &key.serialize_der());
        let credential = Credential::client_certificate(&certificate, &private_key);
        Self {
            customer,
            credential: credential.unwrap(),
            der,
        }
    }

    fn identity(&self, url: &str) -> ClientIdentity {
        let customer: CustomerId = self.customer.parse().unwrap();
        let subscription = "sub_00000000000000000000000000000001".parse().unwrap();
        let url = EndpointUrl::parse(url, &super::loopback()).unwrap();
        let certificate = self.credential.certificate().unwrap().clone();
        ClientIdentity::new(&customer, &subscription, &url, certificate)
    }
}

/// The identity of the subscription with this number, with one certificate for all of them.
pub(crate) fn identity(number: usize) -> IdentityId {
    static CLIENT: LazyLock<Client> =
        LazyLock::new(|| Client::of("acme", &Authority::new("clients")));
    let subscription = format!("sub_{number:032x}").parse().unwrap();
    let url = EndpointUrl::parse("https://example.com/", &super::loopback()).unwrap();
    let certificate = CLIENT.credential.certificate().unwrap().clone();
    let customer = "acme".parse().unwrap();
    ClientIdentity::new(&customer, &subscription, &url, certificate).id()
}

fn pem(label: &str, der: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----\n")
}

fn versions() -> [Leaf; 2] {
    [&rustls::version::TLS12, &rustls::version::TLS13].map(|version| Leaf {
        versions: vec![version],
        ..Leaf::default()
    })
}

#[tokio::test]
async fn a_receiver_sees_the_certificate_of_the_request_and_the_connection_is_kept() {
    let authority = Authority::new("clients");
    for leaf in versions() {
        let knowing = Knowing::start(&authority, &leaf, Reuse::Connections, Certificate::Required);
        let client = Client::of("acme", &authority);
        for _ in 0..3 {
            knowing.succeed(Some(&client)).await;
        }
        assert_eq!(knowing.seen(&[&client]), [(Some(0), false, 3)]);
    }
}

#[tokio::test]
async fn no_connection_is_shared_with_another_customer_or_with_a_request_without_a_certificate() {
    let authority = Authority::new("clients");
    for leaf in versions() {
        let knowing = Knowing::start(&authority, &leaf, Reuse::Connections, Certificate::Optional);
        let acme = Client::of("acme", &authority);
        let other = Client::of("other", &authority);
        // The same certificate in the hands of a third customer.
        let third = Client {
            customer: "third",
            ..acme.clone()
        };
        let clients = [Some(&acme), Some(&other), None, Some(&third)];
        for _ in 0..2 {
            for client in clients {
                knowing.succeed(client).await;
            }
        }
        assert_eq!(
            knowing.seen(&[&acme, &other]),
            [
                (Some(0), false, 2),
                (Some(1), false, 2),
                (None, false, 2),
                (Some(0), false, 2)
            ]
        );
    }
}

#[tokio::test]
async fn a_tls_session_is_resumed_by_its_own_customer_only() {
    let authority = Authority::new("clients");
    for leaf in versions() {
        let knowing = Knowing::start(&authority, &leaf, Reuse::Sessions, Certificate::Optional);
        let acme = Client::of("acme", &authority);
        let other = Client::of("other", &authority);
        let third = Client {
            customer: "third",
            ..acme.clone()
        };
        let clients = [Some(&acme), Some(&other), None, Some(&third)];
        for _ in 0..2 {
            for client in clients {
                knowing.succeed(client).await;
            }
        }
        let expected = |is_resumed| {
            [Some(0), Some(1), None, Some(0)].map(|certificate| (certificate, is_resumed, 1))
        };
        let seen = knowing.seen(&[&acme, &other]);
        assert_eq!(seen[..4], expected(false));
        assert_eq!(seen[4..], expected(true));
    }
}

/// The first request after a rotation shows the new certificate, though a connection and a session
/// of the former one exist.
#[tokio::test]
async fn a_new_certificate_is_shown_at_once() {
    let authority = Authority::new("clients");
    for reuse in [Reuse::Connections, Reuse::Sessions] {
        let leaf = Leaf::default();
        let knowing = Knowing::start(&authority, &leaf, reuse, Certificate::Required);
        let former = Client::of("acme", &authority);
        let new = Client::of("acme", &authority);
        knowing.succeed(Some(&former)).await;
        knowing.succeed(Some(&new)).await;
        assert_eq!(
            knowing.seen(&[&former, &new]),
            [(Some(0), false, 1), (Some(1), false, 1)]
        );
    }
}

#[tokio::test]
async fn a_refused_certificate_is_named_with_the_reason() {
    let authority = Authority::new("clients");
    let unknown = Client::of("acme", &Authority::new("unknown"));
    let expired = Client::until("acme", &authority, 2021);
    for leaf in versions() {
        let knowing = Knowing::start(&authority, &leaf, Reuse::Connections, Certificate::Required);
        for (client, error) in [
            (
                Some(&unknown),
                "tls: client certificate refused: its issuer is not trusted there (alert UnknownCA received)",
            ),
            (
                Some(&expired),
                "tls: client certificate refused: expired (alert CertificateExpired received)",
            ),
            (
                None,
                "tls: client certificate wanted (alert CertificateRequired received)",
            ),
        ] {
            let response = knowing.send(client).await;
            assert_failed(&response, AttemptOutcome::Unreachable, error);
        }
        // A refused certificate spoils nothing for others.
        let good = Client::of("other", &authority);
        knowing.succeed(Some(&good)).await;
    }
}

/// The certificate of a client may be refused after a while, for example because it was revoked.
/// The endpoint then closes the connection, and refuses the next one.
#[tokio::test]
async fn a_kept_connection_that_breaks_is_replaced_by_one_with_the_same_certificate() {
    let authority = Authority::new("clients");
    let leaf = Leaf::default();
    let reuse = Reuse::BreaksAtSecond;
    let knowing = Knowing::start(&authority, &leaf, reuse, Certificate::Required);
    let client = Client::of("acme", &authority);
    for _ in 0..2 {
        knowing.succeed(Some(&client)).await;
    }
    let seen = knowing.seen(&[&client]);
    let requests: Vec<_> = seen
        .iter()
        .map(|(certificate, _, requests)| (*certificate, *requests))
        .collect();
    assert_eq!(requests, [(Some(0), 2), (Some(0), 1)]);
}

/// Whoever asks for no certificate gets none, and the request is made.
#[tokio::test]
async fn an_endpoint_that_asks_for_no_certificate_gets_none() {
    let servers = Authority::new("servers");
    let receiver = servers.receiver(&Leaf::default());
    let names = NameServer::answering(&["127.0.0.1"]);
    let sender = sender_with(LONG, names.config(), servers.roots());
    let client = Client::of("acme", &Authority::new("clients"));
    let url = receiver.named_url();
    let response = sender
        .send(WebhookRequest {
            identity: Some(Box::new(client.identity(&url))),
            ..request(&url)
        })
        .await;
    assert_eq!(response.outcome, AttemptOutcome::Succeeded, "{response:?}");
}
