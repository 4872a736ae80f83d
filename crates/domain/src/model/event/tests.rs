use super::*;
use crate::errors;
use crate::payload_format::PayloadFormat;
use crate::payload_shape::PayloadShape;
use proptest::prelude::*;

fn reader() -> EventReader {
    EventReader {
        operator: None,
        customer_id: "/detail/customerId".parse().unwrap(),
        idempotency_key: "/detail/idempotencyKey".parse().unwrap(),
        deadline: "/detail/webhookDeadline".parse().unwrap(),
        deliver_at: "/detail/webhookDeliverAt".parse().unwrap(),
    }
}

fn event(detail: &str) -> String {
    format!(
        r#"{{"version":"0","id":"e-1","detail-type":"order.created","source":"s","time":"2026-01-31T09:30:00Z","resources":[],"detail":{detail}}}"#
    )
}

fn error_type(event: &str) -> &'static str {
    reader().read(event).unwrap_err().error_type()
}

#[test]
fn the_payload_is_the_unchanged_event() {
    let detail = r#"{"customerId":"acme","big":12345678901234567890,"d":0.10,"e":1E-7,"a":[],"u":"ü\u00fc\ud83d\ude00","n":null}"#;
    let event = event(detail);
    let message = reader().read(&event).unwrap();
    let payload = message.payload.read().unwrap();
    assert_eq!(payload, event.as_bytes());
    assert_eq!(crate::message::detail(&payload).unwrap(), detail);
    assert_eq!(message.customer_id.as_str(), "acme");
    assert_eq!(message.event_type.as_str(), "order.created");
    assert_eq!(message.time, "2026-01-31T09:30:00Z");
}

#[test]
fn every_operational_event_belongs_to_the_operator() {
    let own =
        event(r#"{"customerId":"acme"}"#).replace(r#""source":"s""#, r#""source":"webhooks""#);
    let with_operator = EventReader {
        operator: Some("operator".parse().unwrap()),
        ..reader()
    };
    let read = |event: &str| with_operator.read(event).unwrap().customer_id;
    assert_eq!(read(&own).as_str(), "operator");
    assert_eq!(read(&event(r#"{"customerId":"acme"}"#)).as_str(), "acme");
    assert_eq!(error_type(&own), "InvalidEvent");
}

#[test]
fn each_missing_field_has_its_own_error() {
    let good = event(r#"{"customerId":"acme"}"#);
    assert!(reader().read(&good).is_ok());
    assert_eq!(error_type(&event("{}")), "MissingCustomerId");
    assert_eq!(
        error_type(&event(r#"{"customerId":null}"#)),
        "MissingCustomerId"
    );
    assert_eq!(
        error_type(&event(r#"{"customerId":""}"#)),
        "MissingCustomerId"
    );
    assert_eq!(error_type(&event("[]")), "DetailNotAnObject");
    assert_eq!(error_type(&event("\"{}\"")), "DetailNotAnObject");
    assert_eq!(error_type(&event("null")), "DetailNotAnObject");
    assert_eq!(
        error_type(&good.replace("order.created", "")),
        "MissingEventType"
    );
    assert_eq!(
        error_type(&good.replace("detail-type", "type")),
        "MissingEventType"
    );
    assert_eq!(error_type(&good.replace("e-1", "")), "InvalidEvent");
    assert_eq!(
        error_type(&good.replace("2026", "last year")),
        "InvalidEvent"
    );
    assert_eq!(
        error_type(&good.replace("\"order.created\"", "7")),
        "InvalidEvent"
    );
    assert_eq!(error_type(&event(r#"{"customerId":{}}"#)), "InvalidEvent");
    assert_eq!(error_type(&event(r#"{"customerId":1.5}"#)), "InvalidEvent");
    assert_eq!(
        error_type(&event(r#"{"customerId":"a/b"}"#)),
        "InvalidEvent"
    );
    assert_eq!(
        error_type(&event(r#"{"customerId":"a","idempotencyKey":7}"#)),
        "InvalidEvent"
    );
    assert_eq!(error_type("[]"), "InvalidInput");
    assert_eq!(error_type("7"), "InvalidInput");
}

#[test]
fn a_customer_id_may_be_a_whole_number() {
    let message = reader()
        .read(&event(r#"{"customerId":90071992547409931}"#))
        .unwrap();
    assert_eq!(message.customer_id.as_str(), "90071992547409931");
}

#[test]
fn an_idempotency_key_replaces_the_event_id() {
    let with_key = event(r#"{"customerId":"acme","idempotencyKey":"k"}"#);
    let id = |event: &str| reader().read(event).unwrap().id;
    assert_eq!(id(&with_key), id(&with_key.replace("e-1", "e-2")));
    let without = event(r#"{"customerId":"acme"}"#);
    assert_ne!(id(&without), id(&without.replace("e-1", "e-2")));
}

#[test]
fn the_idempotency_keys_of_two_sources_are_independent() {
    let of = |source: &str, key: &str| {
        let detail = format!(r#"{{"customerId":"acme","idempotencyKey":"{key}"}}"#);
        let event = event(&detail).replace(r#""source":"s","#, source);
        reader().read(&event).map(|message| message.id)
    };
    let id = of(r#""source":"s","#, "k").unwrap();
    assert_eq!(of(r#""source":"s","#, "k").unwrap(), id);
    assert_ne!(of(r#""source":"t","#, "k").unwrap(), id);
    // An execution that was started by hand, without a source.
    assert_ne!(of("", "k").unwrap(), id);
    for (source, key) in [(r#""source":"s\u0000k","#, "k"), (r#""source":7,"#, "k")] {
        assert!(of(source, key).is_err(), "{source}");
    }
}

#[test]
fn an_error_never_repeats_the_input() {
    let error = reader().read("\"4242 4242\"").unwrap_err();
    assert!(!error.to_string().contains("4242"), "{error}");
}

#[test]
fn a_deadline_is_an_rfc_3339_time() {
    let read = |deadline: &str| {
        reader().read(&event(&format!(
            r#"{{"customerId":"acme","webhookDeadline":{deadline}}}"#
        )))
    };
    let deadline = read(r#""2026-01-31T10:30:00+01:00""#).unwrap().deadline;
    assert_eq!(deadline, Timestamp::parse_rfc3339("2026-01-31T09:30:00Z"));
    assert_eq!(read("null").unwrap().deadline, None);
    for bad in ["1769851800", r#""tomorrow""#, r#""""#, "{}"] {
        let error = read(bad).unwrap_err();
        assert_eq!(error.error_type(), errors::INVALID_EVENT, "{bad}");
        assert!(
            error.to_string().contains("/detail/webhookDeadline"),
            "{error}"
        );
    }
}

#[test]
fn an_event_that_compresses_badly_has_a_lower_size_limit() {
    let mut state = 1_u64;
    let noise: String = std::iter::repeat_with(|| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(b'A' + u8::try_from((state >> 33) % 58).unwrap())
    })
    .map(|noise| if noise == '\\' { '/' } else { noise })
    .take(260_000)
    .collect();
    let event = event(&format!(r#"{{"customerId":"acme","noise":"{noise}"}}"#));
    assert!(event.len() < MAX_EVENT_BYTES);
    let read = reader().read(&event);
    assert!(
        matches!(read, Err(EventError::TooLargeCompressed { .. })),
        "{read:?}"
    );
}

#[test]
fn an_event_above_the_limit_is_too_large() {
    let event = event(&format!(
        r#"{{"customerId":"acme","text":"{}"}}"#,
        "x".repeat(MAX_EVENT_BYTES)
    ));
    assert_eq!(error_type(&event), "EventTooLarge");
}

#[test]
fn a_deeply_nested_detail_is_carried() {
    let detail = format!(
        r#"{{"customerId":"acme","deep":{}1{}}}"#,
        "[".repeat(5_000),
        "]".repeat(5_000)
    );
    let message = reader().read(&event(&detail)).unwrap();
    let body = message
        .body(
            &PayloadShape::of_format(PayloadFormat::Detail).unwrap(),
            None,
        )
        .unwrap();
    assert_eq!(body, detail.as_bytes());
}

#[test]
fn an_unpaired_surrogate_is_carried_and_hides_no_field() {
    let detail = r#"{"\ud83d":1,"customerId":"acme","x":{"\ude00":"\ud83d"},"idempotencyKey":"k"}"#;
    let event = event(detail).replace(r#"{"version""#, r#"{"\udfff":"\ud800","version""#);
    let message = reader().read(&event).unwrap();
    assert_eq!(message.customer_id.as_str(), "acme");
    let plain = self::event(r#"{"customerId":"acme","idempotencyKey":"k"}"#);
    assert_eq!(message.id, reader().read(&plain).unwrap().id);
    assert_eq!(
        message
            .body(
                &PayloadShape::of_format(PayloadFormat::Detail).unwrap(),
                None
            )
            .unwrap(),
        detail.as_bytes()
    );
    assert_eq!(
        message
            .body(
                &PayloadShape::of_format(PayloadFormat::Event).unwrap(),
                None
            )
            .unwrap(),
        event.as_bytes()
    );
}

#[test]
fn a_name_with_a_raw_control_character_is_not_json() {
    for name in ["reso\nrces", "\u{1}", "a\t"] {
        let event = format!(r#"{{"{name}":[],"detail-type":"a","detail":{{}}}}"#);
        let error = reader().read(&event).unwrap_err();
        assert!(matches!(error, EventError::NotAnEvent { .. }), "{error}");
    }
}

#[test]
fn an_error_names_the_field_of_an_unpaired_surrogate() {
    let good = event(r#"{"customerId":"acme","idempotencyKey":"k"}"#);
    for (what, place) in [
        ("acme", "/detail/customerId"),
        ("\"k", "/detail/idempotencyKey"),
        ("order.created", "detail-type"),
    ] {
        let bad = good.replace(what, &format!("{what}\\ud83d"));
        let error = reader().read(&bad).unwrap_err();
        assert_eq!(error.error_type(), errors::INVALID_EVENT);
        let text = error.to_string();
        assert!(text.contains(place) && text.contains("surrogate"), "{text}");
    }
}

#[test]
fn a_pointer_reads_escapes_and_array_elements() {
    let json = r#"{"a/b":[{"c~d":"x"}],"detail":{"a/b":[{"c~d":7}]}}"#;
    let event = EventMembers::read(json).unwrap();
    let resolve = |text: &str| text.parse::<JsonPointer>().unwrap().resolve(&event);
    assert_eq!(resolve("/a~1b/0/c~0d"), Some("\"x\""));
    assert_eq!(resolve("/a~1b/1"), None);
    assert_eq!(resolve("/detail/a~1b/0/c~0d"), Some("7"));
    assert_eq!(resolve("/detail/a~1b/0"), Some(r#"{"c~d":7}"#));
    assert_eq!(resolve("/detail"), Some(r#"{"a/b":[{"c~d":7}]}"#));
    assert_eq!(resolve("/detail/nothing"), None);
    assert_eq!(resolve("/nothing"), None);
    assert!("detail".parse::<JsonPointer>().is_err());
}

proptest! {
    #[test]
    fn no_input_makes_it_panic(input in "[ -~]{0,200}") {
        let _ = reader().read(&input);
        let _ = reader().read(&event(&input));
    }
}
