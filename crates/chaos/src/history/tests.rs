//! A correct history has no violation. Each planted violation is found, and nothing else.

use std::time::SystemTime;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use serde_json::json;
use time::macros::datetime;
use webhooks_client::{AttemptOutcome, DeliveryTrigger, PayloadFormat};

use super::*;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const BEGIN: OffsetDateTime = datetime!(2026-01-02 03:04:05.250 UTC);

fn after(seconds: u64) -> OffsetDateTime {
    BEGIN + Duration::from_secs(seconds)
}

fn endpoint(path: &str) -> Endpoint {
    Endpoint {
        subscription_id: format!("sub_{}", &path[1..]),
        path: path.to_owned(),
        secret: SECRET.to_owned(),
        subscribed: Subscribed::Throughout,
        conduct: Conduct::MayFail,
    }
}

/// Adds an endpoint that is subscribed for part of the run, with a secret of its own.
fn replace_endpoint(history: &mut History, path: &str) {
    history.endpoints.push(Endpoint {
        secret: OTHER_SECRET.to_owned(),
        subscribed: Subscribed::Partly,
        ..endpoint(path)
    });
}

fn put(name: &str) -> PutEvent {
    PutEvent {
        message_id: format!("msg_{name}"),
        event_type: "order.created".to_owned(),
        detail: json!({KEY: name, "total": 12.5}),
    }
}

fn body(event: &PutEvent) -> String {
    let time = "2026-01-02T03:04:05Z";
    json!({"type": event.event_type, "timestamp": time, "data": event.detail}).to_string()
}

/// Builds a request of one event to one path, signed at the time when it is sent.
fn request(event: &PutEvent, path: &str, at: OffsetDateTime, answer: Option<u16>) -> Request {
    let body = body(event);
    signed(
        SECRET,
        Request {
            method: Method::POST,
            path: path.to_owned(),
            query: None,
            headers: HeaderMap::from_iter([(
                standardwebhooks::HEADER_WEBHOOK_ID.parse().unwrap(),
                event.message_id.parse().unwrap(),
            )]),
            body: Bytes::from(body),
            received_at: SystemTime::from(at + Duration::from_millis(5)),
            peer: ([127, 0, 0, 1], 50_000).into(),
            answer: answer.map(|status| StatusCode::from_u16(status).unwrap()),
            is_cut_while_kept: false,
        },
    )
}

/// Returns the request with a fresh signature over its present content.
fn signed(secret: &str, mut request: Request) -> Request {
    let timestamp = OffsetDateTime::from(request.received_at).unix_timestamp();
    let signature = standardwebhooks::Webhook::new(secret)
        .unwrap()
        .sign(request.webhook_id(), timestamp, &request.body)
        .unwrap();
    for (name, value) in [
        (
            standardwebhooks::HEADER_WEBHOOK_TIMESTAMP,
            timestamp.to_string(),
        ),
        (standardwebhooks::HEADER_WEBHOOK_SIGNATURE, signature),
    ] {
        request.headers.insert(name, value.parse().unwrap());
    }
    request
}

fn attempt(number: u32, at: OffsetDateTime, status: Option<u16>) -> Attempt {
    Attempt {
        number,
        at: at.format(&Rfc3339).unwrap(),
        duration_ms: 10,
        outcome: match status {
            Some(200..300) => AttemptOutcome::Succeeded,
            Some(_) => AttemptOutcome::HttpError,
            None => AttemptOutcome::TimedOut,
        },
        status,
        error: None,
        addresses: Vec::new(),
        response_headers: BTreeMap::new(),
        response_excerpt: None,
        timings: None,
        request: None,
        response: None,
    }
}

fn delivery(
    event: &PutEvent,
    path: &str,
    status: DeliveryStatus,
    attempts: Vec<Attempt>,
) -> Delivery {
    Delivery {
        id: format!("dlv_{}_{}", &event.message_id[4..], &path[1..]),
        message_id: event.message_id.clone(),
        subscription_id: endpoint(path).subscription_id,
        customer_id: "c".to_owned(),
        event_type: event.event_type.clone(),
        status,
        reason: None,
        created_at: "2026-01-02T03:04:05Z".to_owned(),
        next_attempt_at: None,
        earlier_attempts: 0,
        trigger: DeliveryTrigger::Event,
        payload_format: PayloadFormat::Standard,
        attempts,
    }
}

/// Returns a correct history of two events and two endpoints. At `/a`, `one` succeeds at once.
/// `two` succeeds at its third attempt; its second request was made twice because of a crash.
/// At `/b`, `one` fails three times, the second time without an answer, and `two` succeeds.
fn good() -> History {
    let (one, two) = (put("one"), put("two"));
    let requests = [
        request(&one, "/a", after(0), Some(200)),
        request(&one, "/b", after(0), Some(500)),
        request(&two, "/a", after(0), Some(503)),
        request(&two, "/b", after(0), Some(204)),
        request(&one, "/b", after(2), None),
        request(&two, "/a", after(2), Some(200)),
        request(&two, "/a", after(40), Some(500)),
        request(&one, "/b", after(5), Some(500)),
        request(&two, "/a", after(44), Some(200)),
    ];
    let deliveries = vec![
        delivery(
            &one,
            "/a",
            DeliveryStatus::Succeeded,
            vec![attempt(1, after(0), Some(200))],
        ),
        delivery(
            &one,
            "/b",
            DeliveryStatus::Failed,
            vec![
                attempt(1, after(0), Some(500)),
                attempt(2, after(2), None),
                attempt(3, after(5), Some(500)),
            ],
        ),
        delivery(
            &two,
            "/a",
            DeliveryStatus::Succeeded,
            vec![
                attempt(1, after(0), Some(503)),
                attempt(2, after(40), Some(500)),
                attempt(3, after(44), Some(200)),
            ],
        ),
        delivery(
            &two,
            "/b",
            DeliveryStatus::Succeeded,
            vec![attempt(1, after(0), Some(204))],
        ),
    ];
    History {
        limits: Limits {
            schedule: [0, 1, 2].map(Duration::from_secs).to_vec(),
            request_timeout: Duration::from_secs(1),
            run_timeout: Duration::from_secs(6),
        },
        events: vec![one, two],
        endpoints: vec![endpoint("/a"), endpoint("/b")],
        requests: requests.map(Arc::new).to_vec(),
        deliveries,
        repeats: HashMap::from([("dlv_two_a".to_owned(), 1)]),
    }
}

/// Changes one request and signs it again.
fn change(history: &mut History, index: usize, change: impl FnOnce(&mut Request)) {
    let mut request = (*history.requests[index]).clone();
    change(&mut request);
    history.requests[index] = Arc::new(signed(SECRET, request));
}

/// Adds a repeat of a request, at the given number of seconds after the start.
fn again(history: &mut History, event: usize, path: &str, seconds: u64) {
    let request = request(&history.events[event], path, after(seconds), Some(500));
    history.requests.push(Arc::new(request));
}

#[test]
fn a_good_history_has_no_violation() {
    let judgement = good().judge().unwrap();
    assert!(judgement.violations.is_empty(), "{judgement:#?}");
    assert_eq!(judgement.unrecorded, 1);
}

#[test]
fn an_endpoint_subscribed_for_a_part_may_have_missing_and_cancelled_deliveries() {
    let mut history = good();
    replace_endpoint(&mut history, "/c");
    let cancelled = delivery(
        &history.events[0],
        "/c",
        DeliveryStatus::Cancelled,
        Vec::new(),
    );
    history.deliveries.push(cancelled);
    let violations = history.judge().unwrap().violations;
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn a_kept_connection_that_is_cut_explains_one_more_request() {
    let mut history = good();
    again(&mut history, 1, "/a", 42);
    let cut = history.requests.len() - 1;
    change(&mut history, cut, |request| {
        request.answer = None;
        request.is_cut_while_kept = true;
    });
    let violations = history.judge().unwrap().violations;
    assert!(violations.is_empty(), "{violations:#?}");
    again(&mut history, 1, "/a", 42);
    let violations = history.judge().unwrap().violations;
    assert_eq!(violations.len(), 1, "{violations:#?}");
}

/// Plants a violation in a correct history.
type Plant = fn(&mut History);

const PLANTS: &[(&str, Kind, Plant)] = &[
    ("a delivery that was never written", Kind::Lost, |history| {
        history.events.push(put("three"));
        let three = &history.events[2];
        let attempts = vec![attempt(1, after(0), Some(200))];
        let written = delivery(three, "/a", DeliveryStatus::Succeeded, attempts);
        let sent = request(three, "/a", after(0), Some(200));
        history.deliveries.push(written);
        history.requests.push(Arc::new(sent));
    }),
    ("a success that no receiver gave", Kind::Lost, |history| {
        change(history, 3, |request| request.answer = None);
        history.deliveries[3].attempts[0].status = None;
    }),
    ("a failure before the last attempt", Kind::Lost, |history| {
        history.deliveries[1].attempts.pop();
        history.requests.remove(7);
    }),
    ("a delivery that is cancelled", Kind::Lost, |history| {
        history.deliveries[1].status = DeliveryStatus::Cancelled;
    }),
    ("a delivery that is held", Kind::Lost, |history| {
        history.deliveries[1].status = DeliveryStatus::Held;
    }),
    ("a request of an unknown event", Kind::Phantom, |history| {
        let unknown = request(&put("three"), "/a", after(0), Some(200));
        history.requests.push(Arc::new(unknown));
    }),
    ("a request to an unknown path", Kind::Phantom, |history| {
        again(history, 0, "/c", 0);
    }),
    ("a request without a delivery", Kind::Phantom, |history| {
        history.deliveries.remove(3);
    }),
    ("a delivery of an unknown event", Kind::Phantom, |history| {
        let status = DeliveryStatus::Cancelled;
        let unknown = delivery(&put("three"), "/a", status, Vec::new());
        history.deliveries.push(unknown);
    }),
    ("an attempt without its request", Kind::Phantom, |history| {
        history.requests.remove(7);
    }),
    ("an attempt with another status", Kind::Phantom, |history| {
        history.deliveries[1].attempts[2].status = Some(502);
        history.repeats.insert("dlv_one_b".to_owned(), 1);
    }),
    ("an unexplained request", Kind::Forked, |history| {
        again(history, 1, "/a", 42);
    }),
    ("two chains of retries", Kind::Forked, |history| {
        again(history, 0, "/b", 0);
        again(history, 0, "/b", 2);
        again(history, 0, "/b", 5);
        history.repeats.insert("dlv_one_b".to_owned(), 1);
    }),
    ("an attempt too many", Kind::BeyondBound, |history| {
        history.deliveries[1]
            .attempts
            .push(attempt(4, after(9), Some(500)));
        again(history, 0, "/b", 9);
    }),
    ("a request after the end", Kind::BeyondBound, |history| {
        again(history, 0, "/a", 60);
    }),
    ("an id that changes", Kind::BadId, |history| {
        change(history, 4, |request| {
            let name = standardwebhooks::HEADER_WEBHOOK_ID;
            request.headers.insert(name, "msg_other".parse().unwrap());
        });
    }),
    ("bytes that change", Kind::BadBody, |history| {
        change(history, 4, |request| {
            let spaced = [b" ", &request.body[..]].concat();
            request.body = Bytes::from(spaced);
        });
    }),
    ("a value that changes", Kind::BadBody, |history| {
        history.events[0].detail["total"] = json!(12);
    }),
    ("a type that changes", Kind::BadBody, |history| {
        history.events[0].event_type = "order.paid".to_owned();
    }),
    ("a body that is not JSON", Kind::BadBody, |history| {
        change(history, 1, |request| request.body = Bytes::from("{"));
    }),
    ("another secret", Kind::BadSignature, |history| {
        let request = signed(OTHER_SECRET, (*history.requests[4]).clone());
        history.requests[4] = Arc::new(request);
    }),
    ("no signature", Kind::BadSignature, |history| {
        let mut request = (*history.requests[4]).clone();
        let name = standardwebhooks::HEADER_WEBHOOK_SIGNATURE;
        request.headers.remove(name);
        history.requests[4] = Arc::new(request);
    }),
    ("a timestamp of long ago", Kind::BadSignature, |history| {
        let mut request = (*history.requests[4]).clone();
        request.received_at += Duration::from_secs(20);
        history.requests[4] = Arc::new(request);
    }),
    (
        "a timestamp that lies ahead",
        Kind::BadSignature,
        |history| {
            let mut request = (*history.requests[4]).clone();
            request.received_at -= Duration::from_secs(1);
            history.requests[4] = Arc::new(request);
        },
    ),
    ("an attempt before its time", Kind::TooEarly, |history| {
        history.limits.schedule[1] = Duration::from_millis(1_991);
        history.limits.schedule[2] = Duration::from_millis(2_990);
    }),
    ("a delivery that is pending", Kind::NotTerminal, |history| {
        history.deliveries[1].status = DeliveryStatus::Pending;
    }),
    (
        "an id that is used again",
        Kind::WrongRecipient,
        |history| {
            replace_endpoint(history, "/c");
            history.endpoints[2].subscription_id = endpoint("/b").subscription_id;
        },
    ),
    (
        "a request to an endpoint without such a delivery",
        Kind::WrongRecipient,
        |history| {
            replace_endpoint(history, "/c");
            let misled = request(&history.events[0], "/c", after(0), Some(200));
            let misled = signed(OTHER_SECRET, misled);
            history.requests.push(Arc::new(misled));
        },
    ),
    (
        "a request that is signed for another endpoint",
        Kind::WrongRecipient,
        |history| {
            replace_endpoint(history, "/c");
            let misled = signed(OTHER_SECRET, (*history.requests[4]).clone());
            history.requests[4] = Arc::new(misled);
        },
    ),
    (
        "a failure of an endpoint that accepts all",
        Kind::Misjudged,
        |history| {
            history.endpoints[0].conduct = Conduct::AcceptsAll;
            history.deliveries[2]
                .attempts
                .iter_mut()
                .for_each(|a| a.outcome = AttemptOutcome::TimedOut);
            history.deliveries[0].attempts[0].outcome = AttemptOutcome::Unreachable;
        },
    ),
    (
        "a success that used its full time",
        Kind::Misjudged,
        |history| {
            history.endpoints[0].conduct = Conduct::AcceptsAll;
            history.deliveries[2]
                .attempts
                .iter_mut()
                .for_each(|a| a.outcome = AttemptOutcome::TimedOut);
            history.deliveries[0].attempts[0].duration_ms = 1_000;
        },
    ),
    ("an attempt left out", Kind::NotContiguous, |history| {
        history.deliveries[2].attempts.remove(1);
        history.repeats.insert("dlv_two_a".to_owned(), 2);
    }),
    (
        "an attempt recorded twice",
        Kind::NotContiguous,
        |history| {
            history.deliveries[2].attempts[1].number = 1;
        },
    ),
];

#[test]
fn each_planted_violation_is_found_alone() {
    for (plant, expected, apply) in PLANTS {
        let mut history = good();
        apply(&mut history);
        let found = history.judge().unwrap().violations;
        assert!(!found.is_empty(), "{plant}: not found");
        let others: Vec<_> = found.iter().filter(|v| v.kind != *expected).collect();
        assert!(others.is_empty(), "{plant}: {others:#?}");
    }
}

#[test]
fn every_kind_of_violation_is_planted() {
    use Kind::{
        BadBody, BadId, BadSignature, BeyondBound, Forked, Lost, Misjudged, NotContiguous,
        NotTerminal, Phantom, TooEarly, WrongRecipient,
    };
    let planted: HashSet<_> = PLANTS.iter().map(|(_, kind, _)| *kind).collect();
    let all = [
        Lost,
        Phantom,
        Forked,
        BeyondBound,
        BadId,
        BadBody,
        BadSignature,
        TooEarly,
        NotTerminal,
        NotContiguous,
        WrongRecipient,
        Misjudged,
    ];
    assert_eq!(planted, HashSet::from(all));
}
