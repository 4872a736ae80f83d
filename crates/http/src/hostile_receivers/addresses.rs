//! Addresses that must not be dialled.

use rustls::RootCertStore;
use webhooks_domain::outbound::{
    AddressPolicy, AttemptOutcome, DevelopmentNetworks, EndpointUrl, WebhookSender,
};

use super::name_server::NameServer;
use super::receiver::{OK, Receiver};
use super::{LONG, assert_failed, request, send_by_name};
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
        let response = send_by_name(LONG, &names, &receiver, RootCertStore::empty()).await;
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
