//! Reads events from files, and computes the messages that they become.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use webhooks_client::{Event, Stack};
use webhooks_domain::event::EventReader;
use webhooks_domain::message::Message;

/// An entry of `PutEvents`, in the format of the `aws` command.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    source: String,
    detail_type: String,
    /// JSON as a string.
    detail: String,
}

/// Reads the events of a file: whole events or entries of `PutEvents`, one or an array.
pub(super) fn events(json: &[u8]) -> Result<Vec<Event>> {
    let json: &RawValue = serde_json::from_slice(json).context("not JSON")?;
    let many = if json.get().starts_with('[') {
        serde_json::from_str(json.get())?
    } else {
        vec![json]
    };
    if many.is_empty() {
        bail!("it contains no event");
    }
    let events = many.iter().enumerate().map(|(index, json)| {
        event(json.get()).with_context(|| format!("event {} of {}", index + 1, many.len()))
    });
    events.collect()
}

fn event(json: &str) -> Result<Event> {
    const FORMS: &str = "neither a whole event (`source`, `detail-type`, `detail`) \
                         nor an entry of PutEvents (`Source`, `DetailType`, `Detail`)";
    if let Ok(entry) = serde_json::from_str::<Entry>(json) {
        return Ok(Event {
            source: entry.source,
            event_type: entry.detail_type,
            detail: RawValue::from_string(entry.detail)
                .context("`Detail` must be a string of JSON")?,
        });
    }
    serde_json::from_str(json).context(FORMS)
}

/// Returns a reader with the stack's pointers into an event.
pub(crate) fn reader(stack: &Stack) -> Result<EventReader> {
    // A stack without these outputs is of an older version; nearly all such stacks use the
    // defaults.
    let pointer = |output, default: &str| stack.output(output).unwrap_or(default).parse();
    Ok(EventReader {
        // Only the system puts operational events.
        operator: None,
        customer_id: pointer("CustomerIdPointer", "/detail/customerId")?,
        idempotency_key: pointer("IdempotencyKeyPointer", "/detail/idempotencyKey")?,
        // No id depends on it.
        deadline: "/detail/webhookDeadline".parse()?,
        deliver_at: "/detail/webhookDeliverAt".parse()?,
    })
}

/// The parts of an event that determine its message's id.
#[derive(Serialize)]
struct Whole<'a> {
    id: &'a str,
    #[serde(flatten)]
    event: &'a Event,
    time: &'static str,
}

/// Returns the message that an event becomes once the bus has given it an id. `Err` has the
/// reason why it becomes none.
pub(crate) fn message(reader: &EventReader, id: &str, event: &Event) -> Result<Message, String> {
    let whole = Whole {
        id,
        event,
        // The bus sets its own time, and no id depends on it.
        time: "2026-01-01T00:00:00Z",
    };
    let whole = serde_json::to_string(&whole).map_err(|error| error.to_string())?;
    whole_message(reader, &whole)
}

/// Returns the message that a whole event becomes.
pub(crate) fn whole_message(reader: &EventReader, event: &str) -> Result<Message, String> {
    let read = reader.read(event);
    read.map_err(|error| format!("{:#}", anyhow::Error::new(error)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn sample(name: &str) -> Vec<u8> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
        std::fs::read(folder.join(name)).unwrap()
    }

    fn default_reader() -> EventReader {
        EventReader {
            operator: None,
            customer_id: "/detail/customerId".parse().unwrap(),
            idempotency_key: "/detail/idempotencyKey".parse().unwrap(),
            deadline: "/detail/webhookDeadline".parse().unwrap(),
            deliver_at: "/detail/webhookDeliverAt".parse().unwrap(),
        }
    }

    #[test]
    fn both_forms_of_a_sample_are_the_same_event() {
        for name in ["order-created", "invoice-paid", "order-created-odd-values"] {
            let whole = events(&sample(&format!("{name}.json"))).unwrap();
            let put = events(&sample(&format!("put-{name}.json"))).unwrap();
            assert_eq!((whole.len(), put.len()), (1, 1), "{name}");
            assert_eq!(whole[0].source, put[0].source);
            assert_eq!(whole[0].event_type, put[0].event_type);
        }
    }

    #[test]
    fn a_number_reaches_the_bus_as_it_stands_in_the_file() {
        let event = &events(&sample("put-order-created-odd-values.json")).unwrap()[0];
        assert!(
            event
                .detail
                .get()
                .contains("123456789012345678901234567890")
        );
    }

    #[test]
    fn a_file_without_an_event_says_what_is_wrong() {
        for (json, wrong) in [
            ("{", "not JSON"),
            ("[]", "no event"),
            ("{\"a\": 1}", "neither a whole event"),
            (
                r#"[{"Source": "s", "DetailType": "t", "Detail": "{"}]"#,
                "`Detail`",
            ),
        ] {
            let error = format!("{:#}", events(json.as_bytes()).unwrap_err());
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn the_message_follows_from_the_event_or_its_key() {
        let reader = default_reader();
        let id = |name, event_id| {
            let event = &events(&sample(name)).unwrap()[0];
            message(&reader, event_id, event).unwrap().id
        };
        let whole = String::from_utf8(sample("order-created.json")).unwrap();
        let by_id = id("order-created.json", "6a7e8feb-b491-4cf7-a9f1-bf3703467718");
        assert_eq!(by_id, whole_message(&reader, &whole).unwrap().id);
        assert_ne!(by_id, id("order-created.json", "another"));
        let keyed = "put-order-created-with-key.json";
        assert_eq!(id(keyed, "one"), id(keyed, "another"));
        let event = &events(&sample("put-order-created-without-customer.json")).unwrap()[0];
        let reason = message(&reader, "e", event).unwrap_err();
        assert!(reason.contains("no customer id"), "{reason}");
    }
}
