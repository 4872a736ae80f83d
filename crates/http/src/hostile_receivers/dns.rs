//! Names that do not resolve, resolve late, or resolve to another address than before.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use rustls::pki_types::ServerName;
use tokio::time::timeout;
use webhooks_domain::outbound::{AttemptOutcome, EndpointHost, EndpointUrl, WebhookResponse};
use webhooks_domain::ports::WebhookSender;

use super::authority::{Authority, Leaf};
use super::name_server::{NameServer, Reply, alias};
use super::receiver::{OK, Receiver};
use super::{
    LONG, SHORT, assert_failed, loopback, nobody, request, send_by_name, sender, sender_with,
};
use crate::HttpSender;
use crate::resolver::CACHED_FOR;

/// Looks up `example.com` in a test that must not connect.
async fn look_up(limit: Duration, names: &NameServer) -> WebhookResponse {
    let receiver = Receiver::answering(OK);
    let response = send_by_name(limit, names, &receiver, nobody()).await;
    assert_eq!(receiver.connections(), 0, "{response:?}");
    response
}

/// Sends to `example.com`, which resolves to a receiver.
async fn reach(names: &NameServer) -> WebhookResponse {
    let authority = Authority::new("trusted");
    let receiver = authority.receiver(&Leaf::default());
    let response = send_by_name(LONG, names, &receiver, authority.roots()).await;
    assert_eq!(receiver.connections(), 1, "{response:?}");
    response
}

fn assert_blocked(response: &WebhookResponse, reason: &str) {
    let error = format!("blocked: address is not globally routable ({reason})");
    assert_failed(response, AttemptOutcome::Blocked, &error);
}

#[tokio::test]
async fn a_name_is_asked_for_in_both_families_and_in_no_search_list() {
    let names = NameServer::start(|_| Reply::Error(ResponseCode::NXDomain));
    let response = look_up(LONG, &names).await;
    assert_failed(&response, AttemptOutcome::Unreachable, "dns: no such name");
    assert_eq!(names.questions(), ["example.com. A", "example.com. AAAA"]);
}

#[tokio::test]
async fn each_reason_for_having_no_address_has_its_own_message() {
    for (reply, words) in [
        (Reply::Error(ResponseCode::NXDomain), "no such name"),
        (Reply::Records(vec![]), "no address"),
        (Reply::Error(ResponseCode::ServFail), "name server failed"),
        (Reply::Error(ResponseCode::NotImp), "name server failed"),
        (Reply::Error(ResponseCode::Refused), "name server refused"),
        (Reply::Broken, "answer not understood"),
    ] {
        let names = NameServer::start(move |_| reply.clone());
        let response = look_up(LONG, &names).await;
        let error = format!("dns: {words}");
        assert_failed(&response, AttemptOutcome::Unreachable, &error);
    }
}

#[tokio::test]
async fn hosts_accepted_by_the_url_policy_are_names_for_resolver_and_tls() {
    let longest = format!("{}com", "a.".repeat(125));
    let label = format!("{}.com", "a".repeat(63));
    for name in [
        "a_b.example.com",
        "_a_.example.com",
        "a--b.1a.com",
        "1.2.3.4a.com",
        &longest,
        &label,
    ] {
        let url = EndpointUrl::parse(&format!("https://{name}/"), &loopback()).unwrap();
        let EndpointHost::Name(name) = url.host() else {
            panic!("{url:?}");
        };
        assert!(ServerName::try_from(name).is_ok(), "{name}");
        assert!(Name::from_ascii(name).is_ok(), "{name}");
    }
    for name in ["foo-.example.com", "-foo.example.com", "foo.example.com-"] {
        assert!(EndpointUrl::parse(&format!("https://{name}/"), &loopback()).is_err());
        assert!(ServerName::try_from(name).is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_stored_name_that_would_not_be_accepted_now_fails_with_words_or_works() {
    let authority = Authority::new("trusted");
    let receiver = authority.receiver(&Leaf::default());
    let names = NameServer::answering(&["127.0.0.1"]);
    let sender = sender_with(LONG, names.config(), authority.roots());
    let stored = |host: &str| {
        let mut request = request(&receiver.named_url());
        let url = format!("https://{host}:{}/", receiver.port);
        request.url = EndpointUrl::from_stored(&url).unwrap();
        request
    };
    let response = sender.send(stored("example.com.")).await;
    assert_eq!(response.outcome, AttemptOutcome::Succeeded, "{response:?}");
    for (host, error) in [
        ("foo-.example.com", "tls: host name not valid"),
        ("-foo.example.com", "dns: not a host name"),
        ("a*b.example.com", "dns: not a host name"),
    ] {
        let response = sender.send(stored(host)).await;
        assert_failed(&response, AttemptOutcome::Unreachable, error);
    }
}

#[tokio::test]
async fn no_name_server_at_all_is_unreachable() {
    let response = sender(LONG).send(request("https://example.com/")).await;
    let error = "dns: name server unreachable";
    assert_failed(&response, AttemptOutcome::Unreachable, error);
}

#[tokio::test]
async fn a_silent_name_server_ends_with_the_deadline() {
    let names = NameServer::start(|_| Reply::Silence);
    let response = look_up(SHORT, &names).await;
    let error = "dns: no answer within 300 ms";
    assert_failed(&response, AttemptOutcome::TimedOut, error);
}

#[tokio::test]
async fn a_silent_name_server_is_given_up_before_a_long_deadline() {
    let names = NameServer::start(|_| Reply::Silence);
    let response = look_up(LONG, &names).await;
    assert_failed(&response, AttemptOutcome::TimedOut, "dns: no answer");
}

#[tokio::test]
async fn a_family_that_fails_does_not_take_the_other_along() {
    for failure in [
        Reply::Silence,
        Reply::Error(ResponseCode::ServFail),
        Reply::Error(ResponseCode::NXDomain),
    ] {
        let names = NameServer::start(move |question| match question.query_type() {
            RecordType::A => Reply::addresses(question, &["127.0.0.1"]),
            _ => failure.clone(),
        });
        assert_eq!(reach(&names).await.outcome, AttemptOutcome::Succeeded);
    }
}

#[tokio::test]
async fn the_slower_family_is_waited_for_and_can_refuse_the_name() {
    for (late, addresses, reason) in [
        (
            RecordType::AAAA,
            ["127.0.0.1", "fd00::1"],
            "unique local, RFC 4193",
        ),
        (
            RecordType::A,
            ["10.0.0.1", "2606:4700::1111"],
            "private use, RFC 1918",
        ),
    ] {
        let names = NameServer::start(move |question| {
            if question.query_type() == late {
                thread::sleep(Duration::from_millis(300));
            }
            Reply::addresses(question, &addresses)
        });
        assert_blocked(&look_up(LONG, &names).await, reason);
    }
}

/// A name that resolves to a receiver first, and to a private address later.
struct TurnsPrivate {
    names: NameServer,
    receiver: Receiver,
    sender: HttpSender,
    is_private: Arc<AtomicBool>,
}

impl TurnsPrivate {
    /// Makes one request. The answers of the name server live for this many seconds.
    async fn after_one_request(seconds: u32) -> Self {
        let authority = Authority::new("trusted");
        let receiver = authority.receiver(&Leaf::default());
        let is_private = Arc::new(AtomicBool::new(false));
        let private = Arc::clone(&is_private);
        let names = NameServer::start(move |question| {
            let address = if private.load(Ordering::SeqCst) {
                "169.254.169.254"
            } else {
                "127.0.0.1"
            };
            Reply::addresses(question, &[address]).living(seconds)
        });
        let sender = sender_with(LONG, names.config(), authority.roots());
        let name = Self {
            names,
            receiver,
            sender,
            is_private,
        };
        let first = name.send().await;
        assert_eq!(first.outcome, AttemptOutcome::Succeeded, "{first:?}");
        name
    }

    async fn send(&self) -> WebhookResponse {
        self.sender.send(request(&self.receiver.named_url())).await
    }
}

#[tokio::test]
async fn a_name_that_turns_private_is_refused_when_it_is_dialled_again() {
    let name = TurnsPrivate::after_one_request(0).await;
    name.is_private.store(true, Ordering::SeqCst);
    assert_blocked(&name.send().await, "link local, RFC 3927");
    assert_eq!(name.receiver.connections(), 1);
}

#[tokio::test]
async fn an_answer_that_lives_is_kept_and_is_the_one_that_was_checked() {
    let name = TurnsPrivate::after_one_request(3_600).await;
    name.is_private.store(true, Ordering::SeqCst);
    let second = name.send().await;
    assert_eq!(second.outcome, AttemptOutcome::Succeeded, "{second:?}");
    assert_eq!(second.addresses, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
    assert_eq!(name.names.count(), 1);
}

#[tokio::test]
async fn an_answer_is_kept_for_seconds_however_long_it_lives() {
    let name = TurnsPrivate::after_one_request(3_600).await;
    name.is_private.store(true, Ordering::SeqCst);
    let until_asked_again = async {
        loop {
            let response = name.send().await;
            if response.outcome != AttemptOutcome::Succeeded {
                return response;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let refused = timeout(CACHED_FOR + LONG, until_asked_again).await;
    assert_blocked(&refused.unwrap(), "link local, RFC 3927");
}

/// Answers with a chain of aliases: `example.com` to `1.example.com` and so on to the last
/// name, which has the addresses.
fn chain(question: &Query, last: usize, addresses: &[&str]) -> Reply {
    let name = question.name().to_ascii();
    let (label, _) = name.split_once('.').unwrap();
    let position = label.parse().unwrap_or(0);
    if position == last {
        return Reply::addresses(question, addresses);
    }
    let next = format!("{}.example.com.", position + 1);
    Reply::Records(vec![alias(&name, &next)])
}

#[tokio::test]
async fn a_chain_of_aliases_is_followed_to_an_address_that_is_checked() {
    let names = NameServer::start(|question| chain(question, 3, &["127.0.0.1"]));
    assert_eq!(reach(&names).await.outcome, AttemptOutcome::Succeeded);
    for (addresses, reason) in [
        (["10.0.0.1"], "private use, RFC 1918"),
        (["fe80::1"], "link local, RFC 4291"),
    ] {
        let names = NameServer::start(move |question| chain(question, 3, &addresses));
        assert_blocked(&look_up(LONG, &names).await, reason);
    }
}

#[tokio::test]
async fn a_chain_of_aliases_in_one_answer_is_checked_at_its_end() {
    let names = NameServer::start(|question| {
        let Reply::Records(mut records) = Reply::addresses(question, &["127.0.0.1", "10.0.0.1"])
        else {
            return Reply::Silence;
        };
        for record in &mut records {
            record.name = "1.example.com.".parse().unwrap();
        }
        records.insert(0, alias("example.com.", "1.example.com."));
        Reply::Records(records)
    });
    assert_blocked(&look_up(LONG, &names).await, "private use, RFC 1918");
}

#[tokio::test]
async fn an_alias_for_localhost_is_refused() {
    let names = NameServer::start(|_| Reply::Records(vec![alias("example.com.", "localhost.")]));
    // The development networks contain 127.0.0.1, but not ::1.
    assert_blocked(&look_up(LONG, &names).await, "loopback, RFC 4291");
}

#[tokio::test]
async fn aliases_in_a_circle_and_without_end_are_unreachable() {
    let circle = NameServer::start(|question| {
        let name = question.name().to_ascii();
        let other = if name == "example.com." {
            "1.example.com."
        } else {
            "example.com."
        };
        Reply::Records(vec![alias(&name, other)])
    });
    let itself = NameServer::start(|_| Reply::Records(vec![alias("example.com.", "example.com.")]));
    let endless = NameServer::start(|question| chain(question, usize::MAX, &[]));
    for names in [circle, itself, endless] {
        let response = look_up(LONG, &names).await;
        assert_failed(&response, AttemptOutcome::Unreachable, "dns: no address");
        assert!(names.questions().len() <= 20, "{:?}", names.questions());
    }
}

#[tokio::test]
async fn an_answer_of_600_bytes_comes_over_udp() {
    let many: Vec<_> = (1..=36).map(|last| format!("127.0.0.{last}")).collect();
    let names = NameServer::start(move |question| {
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        Reply::addresses(question, &many)
    });
    assert_eq!(
        reach(&names.without_tcp()).await.outcome,
        AttemptOutcome::Succeeded
    );
}

/// An answer that is too large for UDP.
fn hundreds(question: &Query, last: &str) -> Reply {
    let mut addresses: Vec<_> = (1..=250).map(|last| format!("127.0.0.{last}")).collect();
    addresses.push(last.to_owned());
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    Reply::addresses(question, &addresses)
}

#[tokio::test]
async fn hundreds_of_answers_are_all_checked() {
    let names = NameServer::start(|question| hundreds(question, "127.0.1.1"));
    assert_eq!(reach(&names).await.outcome, AttemptOutcome::Succeeded);
    let names = NameServer::start(|question| hundreds(question, "10.0.0.1"));
    assert_blocked(&look_up(LONG, &names).await, "private use, RFC 1918");
}

#[tokio::test]
async fn a_truncated_answer_with_no_tcp_behind_it_is_unreachable() {
    let names = NameServer::start(|question| hundreds(question, "127.0.1.1")).without_tcp();
    let response = look_up(LONG, &names).await;
    let error = "dns: answer too long for UDP, and none over TCP";
    assert_failed(&response, AttemptOutcome::Unreachable, error);
}
