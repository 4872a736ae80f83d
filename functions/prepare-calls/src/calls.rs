//! Converts a page of matched subscriptions to items and queue messages.

use std::time::Duration;

use serde::Serialize;
use serde_dynamo::Item;
use webhooks_domain::delivery::{Delivery, DeliveryStatus, DeliveryTask};
use webhooks_domain::look_up::Page;
use webhooks_domain::payload_shape::MessageLinkTemplate;
use webhooks_domain::prepare::MatchedSubscription;
use webhooks_domain::prepare::prepare;
use webhooks_domain::queue::QueueKind;
use webhooks_domain::timestamp::Timestamp;
use webhooks_dynamodb::item::{delivery_item, message_item};
use webhooks_sqs::encode;

/// The items and messages that the workflow writes.
#[derive(Serialize)]
pub(crate) struct Calls {
    /// The message's item, in DynamoDB's JSON.
    message: Item,
    /// One call for each subscription.
    calls: Vec<Call>,
}

/// One delivery to record, and to queue unless it is held.
#[derive(Serialize)]
struct Call {
    item: Item,
    queue: Option<Queue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Queue {
    body: String,
    group_id: String,
    kind: QueueKind,
}

/// Prepares the calls of one page.
pub(crate) fn prepare_calls(
    page: &Page,
    now: Timestamp,
    retention: Duration,
    links: Option<&MessageLinkTemplate>,
) -> Calls {
    let prepare = |subscription: &MatchedSubscription| {
        let delivery = prepare(&page.message, subscription, now, retention, links);
        call(&delivery, subscription.queue)
    };
    Calls {
        message: message_item(&page.message, now, now + retention),
        calls: page.subscriptions.iter().map(prepare).collect(),
    }
}

fn call(delivery: &Delivery, queue: QueueKind) -> Call {
    let queue = (delivery.status == DeliveryStatus::Pending).then(|| Queue {
        body: encode(&DeliveryTask::first(delivery.id).on(queue)),
        group_id: delivery.customer_id.to_string(),
        kind: queue,
    });
    Call {
        item: delivery_item(delivery),
        queue,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use webhooks_domain::event::MAX_CARRIED_BYTES;
    use webhooks_domain::look_up::{MAX_CALL_BYTES, calls_per_page};
    use webhooks_domain::message::{Message, Payload};
    use webhooks_domain::payload_format::PayloadFormat;
    use webhooks_domain::payload_shape::MessageLinkTemplate;
    use webhooks_domain::subscription::SubscriptionStatus;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    /// Returns a page in which everything has its largest permitted size.
    fn full_page(payload: Payload) -> Page {
        let message = Message {
            id: format!("msg_{:032x}", u128::MAX).parse().unwrap(),
            customer_id: ":".repeat(128).parse().unwrap(),
            event_type: "\u{10ffff}".repeat(128).parse().unwrap(),
            time: "2026-01-31T09:30:00.000000000+14:00".into(),
            deadline: Some(NOW),
            is_test: false,
            payload,
        };
        let subscriptions = (0..calls_per_page(&message) as u128).map(|n| MatchedSubscription {
            id: format!("sub_{n:032x}").parse().unwrap(),
            status: SubscriptionStatus::Active,
            payload_format: PayloadFormat::Thin,
            shape_version: Some(u64::from(u32::MAX)),
            queue: QueueKind::Slow,
        });
        Page {
            record: true,
            subscriptions: subscriptions.collect(),
            message,
            cursor: None,
            given_up: Vec::new(),
        }
    }

    /// The calls of a page, with links of the largest size.
    fn prepared(page: &Page) -> Calls {
        let fixed = "https://app.example.com/?c={customerId}&m={messageId}#";
        let padding = "x".repeat(MessageLinkTemplate::MAX_BYTES - fixed.len());
        let links: MessageLinkTemplate = format!("{fixed}{padding}").parse().unwrap();
        prepare_calls(page, NOW, DAY_MAX, Some(&links))
    }

    fn json_len(value: &impl Serialize) -> usize {
        serde_json::to_string(value).unwrap().len()
    }

    #[test]
    fn the_largest_output_is_within_the_limit_of_step_functions() {
        let compressed = Payload::from_text("H".repeat(MAX_CARRIED_BYTES));
        let plain = format!("{{{}", "\"".repeat(MAX_CARRIED_BYTES / 2));
        for payload in [Payload::new("{}"), compressed, Payload::from_text(plain)] {
            assert!(payload.carried_len() <= MAX_CARRIED_BYTES + 1);
            let page = full_page(payload);
            let calls = prepared(&page);
            let size = json_len(&calls);
            assert!(size <= 262_144, "{} calls, {size} bytes", calls.calls.len());
            assert!(json_len(&page) <= 262_144);
        }
    }

    const DAY_MAX: Duration = Duration::from_hours(24 * 3_650);

    #[test]
    fn a_call_is_no_larger_than_its_counted_size() {
        let calls = prepared(&full_page(Payload::new("{}")));
        for call in &calls.calls {
            assert!(json_len(call) <= MAX_CALL_BYTES, "{} bytes", json_len(call));
        }
    }

    /// Returns the attributes of an item in DynamoDB's JSON that a state machine cannot write,
    /// as `name: type`. It can write only strings, numbers and booleans.
    fn refused_attributes(item: &Value) -> Vec<String> {
        let attributes = item.as_object().unwrap().iter();
        attributes
            .filter_map(|(name, value)| {
                let types: Vec<&str> = value.as_object()?.keys().map(String::as_str).collect();
                (!matches!(types.as_slice(), ["S" | "N" | "BOOL"]))
                    .then(|| format!("{name}: {}", types.join(" ")))
            })
            .collect()
    }

    #[test]
    fn a_workflow_writes_strings_numbers_and_booleans_only() {
        let mut page = full_page(Payload::new(r#"{"detail":{}}"#));
        page.subscriptions.truncate(3);
        page.subscriptions[1].status = SubscriptionStatus::Paused;
        page.subscriptions[2].payload_format = PayloadFormat::Standard;
        let noise = "x".repeat(1_000);
        let long = full_page(Payload::new(&format!(r#"{{"detail":"{noise}"}}"#)));
        let test = Page {
            message: Message {
                is_test: true,
                deadline: None,
                ..page.message.clone()
            },
            ..page.clone()
        };
        for page in [page, long, test] {
            let json = serde_json::to_value(prepared(&page)).unwrap();
            let calls = json["calls"].as_array().unwrap();
            assert_eq!(calls.len(), page.subscriptions.len());
            let items = calls.iter().map(|call| &call["item"]);
            for item in items.chain([&json["message"]]) {
                assert_eq!(refused_attributes(item), [""; 0], "{item}");
            }
        }
    }

    #[test]
    fn a_planted_binary_list_or_map_is_refused() {
        let page = full_page(Payload::new("{}"));
        let json = serde_json::to_value(prepared(&page)).unwrap();
        for planted in [
            serde_json::json!({"B": "H4sI"}),
            serde_json::json!({"L": []}),
            serde_json::json!({"M": {}}),
            serde_json::json!({"SS": ["a"]}),
            serde_json::json!({"NULL": true}),
            serde_json::json!({"S": "a", "B": "H4sI"}),
        ] {
            let mut item = json["message"].clone();
            item["payload"] = planted;
            assert_eq!(refused_attributes(&item).len(), 1, "{item}");
        }
    }

    #[test]
    fn the_message_group_is_the_customer() {
        let page = full_page(Payload::new("{}"));
        let json = serde_json::to_value(prepared(&page)).unwrap();
        for call in json["calls"].as_array().unwrap() {
            assert_eq!(call["queue"]["groupId"], page.message.customer_id.as_str());
        }
    }

    #[test]
    fn a_held_delivery_is_recorded_and_not_queued() {
        let mut page = full_page(Payload::new("{}"));
        page.subscriptions.truncate(3);
        page.subscriptions[1].status = SubscriptionStatus::Paused;
        page.subscriptions[2].status = SubscriptionStatus::Disabled;
        let json = serde_json::to_value(prepared(&page)).unwrap();
        let status = |n: usize| {
            json["calls"][n]["item"]["status"]["S"]
                .as_str()
                .unwrap()
                .to_owned()
        };
        assert_eq!(
            [status(0), status(1), status(2)],
            ["pending", "held", "held"]
        );
        assert!(json["calls"][0]["queue"]["body"].is_string());
        assert_eq!(json["calls"][0]["queue"]["kind"], "slow");
        assert!(json["calls"][1]["queue"].is_null() && json["calls"][2]["queue"].is_null());
    }
}
