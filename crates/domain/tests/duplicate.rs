//! Duplicates: only a duplicate whose content differs from its message leaves a trace.

#![allow(clippy::unwrap_used)]

use futures_util::FutureExt;
use webhooks_domain::check_event::NoCheck;
use webhooks_domain::look_up::{Answer, LookUp, LookUpError};
use webhooks_domain::look_up::{Comparison, Conflict, Origin};
use webhooks_domain::message::{Message, Payload};
use webhooks_testkit::{Fault, InMemoryBackend, samples};

fn look_up(backend: &InMemoryBackend) -> LookUp<InMemoryBackend, NoCheck> {
    LookUp {
        directory: backend.clone(),
        check: NoCheck,
        reader: samples::event_reader(),
    }
}

/// An event of the customer `acme` with the key `k`.
fn event(id: &str, event_type: &str, members: &str) -> String {
    format!(
        r#"{{"id":"{id}","source":"shop","detail-type":"{event_type}","time":"2026-01-31T09:30:00Z","detail":{{"customerId":"acme","idempotencyKey":"k"{members}}}}}"#
    )
}

fn answer(backend: &InMemoryBackend, input: &str) -> Result<Answer, LookUpError> {
    look_up(backend).answer(input).now_or_never().unwrap()
}

fn compare(backend: &InMemoryBackend, event: &str) -> Result<Option<Conflict>, LookUpError> {
    let input = serde_json::json!({ "duplicate": Payload::new(event) });
    match answer(backend, &input.to_string())? {
        Answer::Comparison(Comparison { conflict }) => Ok(conflict),
        Answer::Page(page) => panic!("{page:?}"),
    }
}

/// A backend with the message of an event.
fn backend_with(event: &str) -> (InMemoryBackend, Message) {
    let backend = InMemoryBackend::default();
    backend.set_now(samples::NOW);
    let Answer::Page(page) = answer(&backend, event).unwrap() else {
        panic!("no page")
    };
    backend.record_message(page.message.clone(), samples::NOW);
    (backend, page.message)
}

#[test]
fn a_duplicate_with_other_content_is_a_conflict_and_names_both_events() {
    let (backend, message) =
        backend_with(&event("e-1", "order.created", r#","total":1,"to":["a"]"#));
    let origin = |id: &str| Origin {
        id: id.to_owned(),
        source: "shop".to_owned(),
    };
    let expected = Conflict {
        message_id: message.id,
        dropped: origin("e-2"),
        kept: origin("e-1"),
    };
    for (event_type, members) in [
        ("order.created", r#","total":2,"to":["a"]"#),
        ("order.created", r#","total":1,"to":["a","b"]"#),
        ("order.created", r#","total":1"#),
        ("order.paid", r#","total":1,"to":["a"]"#),
    ] {
        let found = compare(&backend, &event("e-2", event_type, members)).unwrap();
        assert_eq!(found.as_ref(), Some(&expected), "{event_type} {members}");
    }
    let shown = serde_json::to_string(&expected).unwrap();
    assert!(!shown.contains("total"), "{shown}");
}

#[test]
fn a_duplicate_with_the_same_content_is_not_a_conflict() {
    let (backend, _) = backend_with(&event("e-1", "order.created", r#","total":1.50,"to":"ü""#));
    for members in [
        r#","total":1.50,"to":"ü""#,
        r#", "to" : "\u00fc" , "total" : 15e-1"#,
    ] {
        let found = compare(&backend, &event("e-2", "order.created", members)).unwrap();
        assert_eq!(found, None, "{members}");
    }
    // A replay from the archive adds a field, and EventBridge sets the time.
    let replayed = event("e-1", "order.created", r#","total":1.50,"to":"ü""#)
        .replace("T09:30", "T10:30")
        .replacen('{', r#"{"replay-name":"again","#, 1);
    assert_eq!(compare(&backend, &replayed).unwrap(), None);
}

#[test]
fn an_absent_or_unreadable_message_is_not_a_conflict() {
    let (backend, message) = backend_with(&event("e-1", "order.created", ""));
    let other = event("e-2", "order.created", r#","total":2"#);
    let error_type = |backend: &InMemoryBackend| compare(backend, &other).unwrap_err().error_type();

    backend.plant([Fault::Before]);
    assert_eq!(error_type(&backend), "StoreUnavailable");
    let broken = InMemoryBackend::default();
    broken.set_now(samples::NOW);
    let unreadable = Message {
        payload: Payload::from_text("not base64".to_owned()),
        ..message
    };
    broken.record_message(unreadable, samples::NOW);
    assert_eq!(error_type(&broken), "CorruptItem");
    // The message is absent, because it expired just after its duplicate came.
    assert_eq!(compare(&InMemoryBackend::default(), &other).unwrap(), None);

    // An input that somebody forged can do no more than an event can.
    for (payload, error) in [
        ("bm90IGd6aXA=", "InvalidInput"),
        ("{}", "DetailNotAnObject"),
    ] {
        let input = serde_json::json!({ "duplicate": payload }).to_string();
        assert_eq!(answer(&backend, &input).unwrap_err().error_type(), error);
    }
}

#[test]
fn an_origin_is_short_whatever_the_event_holds() {
    let (backend, _) = backend_with(&event("e-1", "order.created", ""));
    let long = event(&"x".repeat(10_000), "order.created", r#","total":2"#);
    let conflict = compare(&backend, &long).unwrap().unwrap();
    assert_eq!(conflict.dropped.id.len(), 256);
    let strange = event("e-2", "order.created", r#","total":2"#).replace(r#""e-2""#, "[7]");
    let conflict = compare(&backend, &strange).unwrap().unwrap();
    assert_eq!(conflict.dropped.id, "");
}
