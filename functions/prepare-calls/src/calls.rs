//! Converts a page of matched subscriptions to items and queue messages.

use std::time::Duration;

use serde::Serialize;
use serde_dynamo::Item;
use webhooks_domain::delivery::{Delivery, DeliveryStatus, DeliveryTask};
use webhooks_domain::due::{LongestQueueDelay, NextAttempt};
use webhooks_domain::look_up::Page;
use webhooks_domain::payload_shape::MessageLinkTemplate;
use webhooks_domain::prepare::{MatchedSubscription, TooFarAhead, check_wait, expires_at, prepare};
use webhooks_domain::queue::QueueKind;
use webhooks_domain::retention::Retention;
use webhooks_domain::timestamp::Timestamp;
use webhooks_dynamodb::item::{delivery_item, message_item, waiting_delivery_item};
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
#[serde(rename_all = "camelCase")]
struct Call {
    item: Item,
    /// Its first task. `None` if the sweep sends it.
    queue: Option<Queue>,
    /// True if the task is sent only if the delivery exists already. An earlier execution may have
    /// recorded it as pending and failed before it was queued, and its subscription was paused then.
    is_held: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Queue {
    body: String,
    group_id: String,
    kind: QueueKind,
    /// Absent if the task is sent without a delay.
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_seconds: Option<u64>,
}

/// The settings of the stack that decide about calls.
pub(crate) struct Settings<'a> {
    pub(crate) retention: &'a Retention,
    pub(crate) longest_queue_delay: LongestQueueDelay,
    pub(crate) links: Option<&'a MessageLinkTemplate>,
}

/// Prepares the calls of one page.
///
/// # Errors
/// If the message waits too long for its first attempts.
pub(crate) fn prepare_calls(
    page: &Page,
    now: Timestamp,
    settings: &Settings<'_>,
) -> Result<Calls, TooFarAhead> {
    let message = &page.message;
    check_wait(message, now, settings.retention.longest())?;
    let retention = settings.retention.of(&message.event_type);
    let prepare = |subscription: &MatchedSubscription| {
        let delivery = prepare(message, subscription, now, retention, settings.links);
        call(&delivery, subscription.queue, now, settings)
    };
    Ok(Calls {
        message: message_item(message, now, expires_at(message, now, retention)),
        calls: page.subscriptions.iter().map(prepare).collect(),
    })
}

fn call(delivery: &Delivery, queue: QueueKind, now: Timestamp, settings: &Settings<'_>) -> Call {
    let task = DeliveryTask::new(delivery.id, 1, delivery.next_attempt_at).on(queue);
    let queued = |delay_seconds| Queue {
        body: encode(&task),
        group_id: delivery.customer_id.to_string(),
        kind: queue,
        delay_seconds,
    };
    let is_held = matches!(delivery.status, DeliveryStatus::Held(_));
    match delivery.next_attempt_at {
        // A long wait is left to the sweep, and a short one to the queue.
        Some(due_at) => {
            let next = NextAttempt::plan(due_at, now, settings.longest_queue_delay);
            let delay = next.queue_delay(now);
            Call {
                item: waiting_delivery_item(delivery, &next),
                queue: delay.map(|delay| queued(Some(whole_seconds(delay)))),
                is_held,
            }
        }
        None => Call {
            item: delivery_item(delivery),
            queue: Some(queued(None)),
            is_held,
        },
    }
}

/// SQS takes whole seconds. A delay is never shortened.
fn whole_seconds(delay: Duration) -> u64 {
    delay.as_secs() + u64::from(delay.subsec_nanos() > 0)
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
            deadline: Some(NOW + DAY_MAX),
            deliver_at: Some(NOW + DAY_MAX),
            cancelled_at: None,
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
            warning: None,
        }
    }

    /// The calls of a page in this stack.
    fn calls_of(page: &Page, links: Option<&MessageLinkTemplate>) -> Result<Calls, TooFarAhead> {
        let settings = Settings {
            retention: &Retention::of_stack(DAY_MAX),
            longest_queue_delay: LongestQueueDelay::MAX,
            links,
        };
        prepare_calls(page, NOW, &settings)
    }

    /// The calls of a page, with links of the largest size.
    fn prepared(page: &Page) -> Calls {
        let fixed = "https://app.example.com/?c={customerId}&m={messageId}#";
        let padding = "x".repeat(MessageLinkTemplate::MAX_BYTES - fixed.len());
        let links: MessageLinkTemplate = format!("{fixed}{padding}").parse().unwrap();
        calls_of(page, Some(&links)).unwrap()
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
        let mut page = full_page(Payload::new("{}"));
        for wait in [Duration::from_mins(15), DAY_MAX] {
            page.message.deliver_at = Some(NOW + wait);
            for call in &prepared(&page).calls {
                assert!(json_len(call) <= MAX_CALL_BYTES, "{} bytes", json_len(call));
            }
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
                deliver_at: None,
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
        let mut page = full_page(Payload::new("{}"));
        page.message.deliver_at = Some(NOW + Duration::from_mins(10));
        let json = serde_json::to_value(prepared(&page)).unwrap();
        for call in json["calls"].as_array().unwrap() {
            assert_eq!(call["queue"]["groupId"], page.message.customer_id.as_str());
        }
    }

    /// The JSON of the first call of a message whose first attempt is due after this time.
    fn waiting_for(wait: Duration) -> Value {
        let mut page = full_page(Payload::new("{}"));
        page.subscriptions.truncate(1);
        page.message.deliver_at = Some(NOW + wait);
        serde_json::to_value(calls_of(&page, None).unwrap()).unwrap()
    }

    fn number(of: &Value) -> i64 {
        of["N"].as_str().unwrap().parse().unwrap()
    }

    #[test]
    fn a_short_wait_is_left_to_the_queue_and_a_long_one_to_the_sweep() {
        let due_at = |wait: Duration| (NOW + wait).as_millis();
        let short = Duration::from_millis(899_001);
        let json = waiting_for(short);
        let call = &json["calls"][0];
        assert_eq!(call["queue"]["delaySeconds"], 900);
        assert_eq!(number(&call["item"]["nextAttemptAt"]), due_at(short));
        let sweep_at = number(&call["item"]["sweepAt"]);
        assert!(sweep_at > due_at(short), "the sweep only repairs");

        let long = Duration::from_hours(24 * 30);
        let json = waiting_for(long);
        let call = &json["calls"][0];
        assert!(call["queue"].is_null(), "{call}");
        assert_eq!(number(&call["item"]["nextAttemptAt"]), due_at(long));
        assert_eq!(number(&call["item"]["sweepAt"]), due_at(long) - 900_000);
        assert_eq!(number(&call["item"]["nextAttempt"]), 1);
        // The wait takes nothing away from the retries.
        let expires_at = number(&call["item"]["expiresAt"]);
        assert_eq!(expires_at, (NOW + long + DAY_MAX).as_secs());
        assert_eq!(number(&json["message"]["expiresAt"]), expires_at);
    }

    #[test]
    fn an_event_whose_time_has_come_has_the_calls_of_one_without_a_time() {
        let mut page = full_page(Payload::new("{}"));
        page.message.deliver_at = None;
        let without = serde_json::to_value(calls_of(&page, None).unwrap()).unwrap();
        page.message.deliver_at = Some(NOW);
        let with = serde_json::to_value(calls_of(&page, None).unwrap()).unwrap();
        assert_eq!(with["calls"], without["calls"]);
        let text = without["calls"].to_string();
        for name in ["delaySeconds", "nextAttemptAt", "sweepAt", "dueShard"] {
            assert!(!text.contains(name), "{name}");
        }
    }

    #[test]
    fn a_time_beyond_the_retention_is_refused() {
        let mut page = full_page(Payload::new("{}"));
        page.message.deliver_at = Some(NOW + DAY_MAX);
        assert!(calls_of(&page, None).is_ok());
        page.message.deliver_at = Some(NOW + DAY_MAX + Duration::from_millis(1));
        let error = calls_of(&page, None).err().unwrap().to_string();
        assert!(error.contains("at most 3650 days"), "{error}");
    }

    #[test]
    fn messages_are_kept_as_long_as_their_type_says() {
        let mut page = full_page(Payload::new("{}"));
        page.message.deliver_at = None;
        let day = Duration::from_hours(24);
        let by_type = format!("{}=1", page.message.event_type);
        let settings = Settings {
            retention: &Retention::new(90 * day, by_type.parse().unwrap()),
            longest_queue_delay: LongestQueueDelay::MAX,
            links: None,
        };
        let json = serde_json::to_value(prepare_calls(&page, NOW, &settings).unwrap()).unwrap();
        let expires_at = (NOW + day).as_secs();
        assert_eq!(number(&json["message"]["expiresAt"]), expires_at);
        assert_eq!(number(&json["calls"][0]["item"]["expiresAt"]), expires_at);
    }

    #[test]
    fn a_held_delivery_does_not_wait() {
        let mut page = full_page(Payload::new("{}"));
        page.subscriptions.truncate(1);
        page.subscriptions[0].status = SubscriptionStatus::Paused;
        let json = serde_json::to_value(prepared(&page)).unwrap();
        let call = &json["calls"][0];
        assert_eq!(call["item"]["status"]["S"], "held");
        assert!(call["item"]["nextAttemptAt"].is_null() && call["item"]["sweepAt"].is_null());
    }

    #[test]
    fn a_held_delivery_is_recorded_and_not_queued() {
        let mut page = full_page(Payload::new("{}"));
        page.message.deliver_at = None;
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
        let is_held = |n: usize| json["calls"][n]["isHeld"].as_bool().unwrap();
        assert_eq!([is_held(0), is_held(1), is_held(2)], [false, true, true]);
        // In case that the delivery exists already.
        assert!(json["calls"][1]["queue"]["body"].is_string());
    }
}
