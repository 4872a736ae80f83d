//! The documented schemas and examples of operational events, compared with the code.

// A failed `unwrap` or index shows more in a test than a handled one would.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use webhooks_domain::delivery::{DeliveryStatus, FailureReason};
use webhooks_domain::health::WarningStep;
use webhooks_domain::operational::{
    About, EndpointInTrouble, Kind, LastAttempt, OperationalEvent, SOURCE,
};
use webhooks_domain::outbound::AttemptOutcome;
use webhooks_tests::template;

fn read(folder: &str, kind: Kind) -> Value {
    let file = format!("events/{folder}/{}.json", kind.as_str());
    let text = fs::read_to_string(template::root().join(&file)).expect(&file);
    serde_json::from_str(&text).expect(&file)
}

fn last_attempt() -> LastAttempt {
    LastAttempt {
        number: 1,
        at: "2026-05-07T15:02:44.090Z".to_owned(),
        outcome: AttemptOutcome::HttpError,
        status: Some(500),
    }
}

/// An event as the code publishes it, with every optional field.
fn published(kind: Kind) -> Value {
    let delivery = format!("dlv_{:032x}_{:032x}", 1, 2);
    let about = match kind {
        Kind::DeliveryFailed | Kind::DeliveryRecovered => About::Delivery {
            delivery_id: delivery.parse().unwrap(),
            message_id: format!("msg_{:032x}", 1).parse().unwrap(),
            event_type: "order.created".parse().unwrap(),
            reason: (kind == Kind::DeliveryFailed).then_some("expired"),
            last_attempt: Some(last_attempt()),
        },
        Kind::SubscriptionChanged => About::Change {
            changed_fields: vec!["url", "secretHeaders"],
        },
        Kind::SubscriptionWarning => About::Warning(EndpointInTrouble {
            step: WarningStep::Recovered.as_str(),
            reason: Some("failing"),
            endpoint: "https://example.com/a".to_owned(),
            failing_since: Some("2026-05-07T15:02:44.090Z".to_owned()),
            disabled_at: Some("2026-05-12T15:02:44.090Z".to_owned()),
            certificate_not_after: Some("2026-06-01T00:00:00.000Z".to_owned()),
            last_attempt: last_attempt(),
            contacts: vec!["ops@example.com".to_owned()],
        }),
        Kind::SubscriptionDisabled => About::Reason {
            reason: "endpointGone",
        },
        Kind::SubscriptionSecretRotated => About::Secret {
            secret_version: 2,
            secret_kind: "v1a",
        },
        Kind::SubscriptionFailing
        | Kind::SubscriptionRecovered
        | Kind::SubscriptionEnabled
        | Kind::SubscriptionCreated
        | Kind::SubscriptionDeleted => About::Nothing {},
    };
    let event = OperationalEvent {
        kind,
        customer_id: "acme".parse().unwrap(),
        subscription_id: format!("sub_{:032x}", 2).parse().unwrap(),
        about,
    };
    serde_json::from_str(&event.detail()).unwrap()
}

#[test]
fn published_events_and_examples_match_the_schema() {
    for kind in Kind::ALL {
        let schema = read("schemas", kind);
        assert_eq!(schema["title"], kind.as_str());
        fits(&published(kind), &schema, kind.as_str()).unwrap();
        let example = read("operational", kind);
        assert_eq!(example["source"], SOURCE);
        assert_eq!(example["detail-type"], kind.as_str());
        fits(&example["detail"], &schema, kind.as_str()).unwrap();
    }
}

#[test]
fn every_schema_and_example_belongs_to_an_existing_event() {
    let known: BTreeSet<_> = Kind::ALL
        .iter()
        .map(|kind| format!("{}.json", kind.as_str()))
        .collect();
    for folder in ["schemas", "operational"] {
        let entries = fs::read_dir(template::root().join("events").join(folder)).unwrap();
        let found = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(found.collect::<BTreeSet<_>>(), known, "{folder}");
    }
}

#[test]
fn the_schema_of_a_warning_has_every_step() {
    let schema = read("schemas", Kind::SubscriptionWarning);
    let steps = &schema["properties"]["step"]["enum"];
    assert_eq!(*steps, json!(WarningStep::NAMES));
}

#[test]
fn the_schema_of_a_failed_delivery_has_every_published_reason() {
    let schema = read("schemas", Kind::DeliveryFailed);
    let reasons = &schema["properties"]["reason"]["enum"];
    let published = FailureReason::ALL
        .into_iter()
        .filter(|it| it.is_published());
    let published = published.map(|reason| DeliveryStatus::Failed(reason).reason());
    assert_eq!(*reasons, json!(published.collect::<Vec<_>>()));
}

#[test]
fn the_page_about_notifications_shows_the_event_of_a_warning() {
    let page = fs::read_to_string(template::root().join("docs/notifications.md")).unwrap();
    let (_, section) = page.split_once("## By an operational event").unwrap();
    let (_, example) = section.split_once("```json\n").unwrap();
    let (example, _) = example.split_once("```").unwrap();
    let example: Value = serde_json::from_str(example).unwrap();
    let schema = read("schemas", Kind::SubscriptionWarning);
    fits(&example, &schema, "docs/notifications.md").unwrap();
}

#[test]
fn a_value_that_does_not_match_a_schema_is_found() {
    let schema = read("schemas", Kind::SubscriptionDisabled);
    let good = published(Kind::SubscriptionDisabled);
    for (field, value) in [
        ("reason", json!("boredom")),
        ("reason", json!(1)),
        ("more", json!("x")),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert!(fits(&bad, &schema, "bad").is_err(), "{bad}");
    }
    let mut bad = good;
    bad.as_object_mut().unwrap().remove("customerId");
    assert!(fits(&bad, &schema, "bad").is_err());
}

/// Checks a value against a schema. Panics on a schema keyword that it does not support.
fn fits(value: &Value, schema: &Value, place: &str) -> Result<(), String> {
    let object = value.as_object();
    let properties = schema["properties"].as_object();
    for (word, wanted) in schema.as_object().unwrap() {
        let holds = match word.as_str() {
            "$schema" | "title" | "description" => true,
            "type" => match wanted.as_str().unwrap() {
                "object" => value.is_object(),
                "string" => value.is_string(),
                "integer" => value.is_u64(),
                "array" => value.is_array(),
                other => panic!("{place}: type {other}"),
            },
            "enum" => wanted.as_array().unwrap().contains(value),
            "required" => {
                let names = wanted.as_array().unwrap();
                names
                    .iter()
                    .all(|name| !value[name.as_str().unwrap()].is_null())
            }
            "additionalProperties" => {
                assert_eq!(*wanted, json!(false), "{place}");
                let known = |name: &String| properties.is_some_and(|all| all.contains_key(name));
                object.is_some_and(|object| object.keys().all(known))
            }
            "properties" => {
                for (name, inner) in properties.unwrap() {
                    if let Some(member) = object.and_then(|object| object.get(name)) {
                        fits(member, inner, &format!("{place}.{name}"))?;
                    }
                }
                true
            }
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    fits(item, wanted, &format!("{place}[]"))?;
                }
                true
            }
            other => panic!("{place}: the test does not support `{other}`"),
        };
        if !holds {
            return Err(format!("{place}: `{word}` is not satisfied by {value}"));
        }
    }
    Ok(())
}
