//! A delivery names the shape of its body, so its bytes stay the same.

use std::time::Duration;

use webhooks_domain::delivery::{DeliveryStatus, DeliveryTask, FailureReason};
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::message::Message;
use webhooks_domain::outbound::Method;
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::payload_shape::{MessageLinkTemplate, UNKNOWN_SHAPE};
use webhooks_domain::prepare::{MatchedSubscription, prepare};
use webhooks_domain::read_delivery::read_delivery;
use webhooks_domain::show_exchanges::show_exchanges;
use webhooks_testkit::samples;

use crate::stage::{Stage, header, now, schedule, stage, verifies_with};

const TRANSFORM: &str = r#"{"payloadFormat":"transform","contentType":"application/vnd.shop+json",
    "transform":{"paths":{"n":"$.detail.order"},"template":"{\"order\": <n>}"}}"#;

impl Stage {
    /// Prepares, records and queues a delivery of another event, as the workflow does.
    fn deliver_event(&self, event: &str) -> DeliveryId {
        let subscription = self.subscription_of(self.ids[0]).unwrap();
        self.deliver_to(event, MatchedSubscription::from(&subscription))
    }

    fn deliver_to(&self, event: &str, matched: MatchedSubscription) -> DeliveryId {
        let message = samples::message("acme", event);
        let links: MessageLinkTemplate = "https://app.example.com/{customerId}".parse().unwrap();
        let retention = Duration::from_hours(24 * 90);
        let delivery = prepare(
            &message,
            &matched,
            self.backend.time(),
            retention,
            Some(&links),
        );
        let id = delivery.id;
        self.backend.record_call(message, delivery);
        self.queue_first(id);
        id
    }

    fn bodies(&self) -> Vec<String> {
        let requests = self.backend.requests().into_iter();
        requests
            .map(|(_, sent)| String::from_utf8(sent.body).unwrap())
            .collect()
    }

    fn content_types(&self) -> Vec<String> {
        let requests = self.backend.requests().into_iter();
        requests
            .map(|(_, sent)| header(&sent, "content-type").to_owned())
            .collect()
    }

    /// The body that the API shows.
    fn shown_body(&self, id: DeliveryId) -> Result<Vec<u8>, String> {
        let shown = now(read_delivery(&self.backend, None, &id)).unwrap();
        shown.unwrap().unwrap().1
    }
}

/// A stage without deliveries to make.
fn idle() -> Stage {
    let stage = stage(schedule(&[0, 5, 60]));
    stage.drain();
    stage
}

#[test]
fn a_body_has_the_payload_format_of_its_delivery() {
    let stage = stage(schedule(&[0, 5]));
    stage.backend.answer([samples::response(500)]);
    stage.run_first();
    stage.update(r#"{"payloadFormat":"event"}"#);
    stage.drain();
    stage.deliver_event("later");
    stage.drain();
    let standard =
        r#"{"type":"order.created","timestamp":"2026-01-31T09:30:00Z","data":{"order":1}}"#;
    assert_eq!(
        stage.bodies(),
        [standard, standard, r#"{"detail":{"order":1}}"#]
    );
    assert!(verifies_with(&stage.backend.requests()[2].1, &stage.secret));
    assert_eq!(stage.backend.exchange_reads(), 0, "a format needs no read");
}

#[test]
fn a_transform_stays_that_of_the_delivery_whatever_is_edited() {
    let stage = idle();
    stage.update(TRANSFORM);
    stage.backend.answer([500, 500].map(samples::response));
    let first = stage.deliver_event("first");
    stage.drain_queue();
    assert_eq!(stage.backend.exchange_reads(), 0, "the subscription has it");
    stage.update(r#"{"transform":{"paths":{},"template":"[]"},"contentType":null}"#);
    stage.update(r#"{"url":"https://example.org/moved","method":"PUT"}"#);
    stage.update(r#"{"payloadFormat":"detail"}"#);
    stage.drain();
    stage.deliver_event("second");
    stage.drain();

    let shaped = r#"{"order": 1}"#;
    assert_eq!(
        stage.bodies()[1..],
        [shaped, shaped, shaped, r#"{"order":1}"#]
    );
    let own = "application/vnd.shop+json";
    assert_eq!(
        stage.content_types()[1..],
        [own, own, own, "application/json"]
    );
    let requests = stage.backend.requests();
    let sent: Vec<_> = requests[1..]
        .iter()
        .map(|(_, sent)| (sent.method, sent.url.as_str()))
        .collect();
    let moved = (Method::Put, "https://example.org/moved");
    assert_eq!(sent[3], moved, "method and URL are those of the attempt");
    assert_eq!(stage.shown_body(first), Ok(shaped.into()));
    let delivery = stage.delivery_of(first);
    for shown in now(show_exchanges(&stage.backend, &delivery)).unwrap() {
        let headers = shown.request.unwrap().headers;
        assert!(headers.contains(&("content-type".into(), own.into())));
    }
}

#[test]
fn a_delivery_of_a_deleted_subscription_still_shows_its_body() {
    let stage = idle();
    stage.update(TRANSFORM);
    let id = stage.deliver_event("first");
    stage.drain();
    stage.delete();
    assert_eq!(stage.shown_body(id), Ok(br#"{"order": 1}"#.into()));
}

#[test]
fn a_transform_outlives_the_wait_for_the_first_attempt() {
    let stage = idle();
    stage.update(TRANSFORM);
    let retention = stage.backend.manage().retention;
    let day = Duration::from_hours(24);
    let message = Message {
        deliver_at: Some(stage.backend.time() + retention),
        ..samples::message("acme", "waits")
    };
    let id = stage.deliver_message(&message);
    stage.update(r#"{"payloadFormat":"detail"}"#);
    // The endpoint is down on the first day, and the last attempt comes just before the expiry.
    stage
        .backend
        .set_now(stage.backend.time() + retention + day);
    stage.backend.answer([samples::response(500)]);
    stage.drain();
    stage
        .backend
        .set_now(stage.delivery_of(id).expires_at - day);
    stage.resend(id).unwrap();
    stage.drain();
    let shaped = r#"{"order": 1}"#;
    assert_eq!(stage.bodies()[1..], [shaped, shaped, shaped]);
    assert_eq!(stage.delivery_of(id).status, DeliveryStatus::Succeeded);
}

#[test]
fn a_delivery_whose_shape_is_lost_fails_alone() {
    let stage = idle();
    stage.update(TRANSFORM);
    let id = stage.deliver_event("first");
    // Another version, of which nothing was kept.
    stage.change(id, |subscription| subscription.request_version += 1);
    let other = stage.deliver_event("second");
    stage.drain();
    let status = DeliveryStatus::Failed(FailureReason::SubscriptionUnreadable);
    assert_eq!(stage.delivery_of(id).status, status);
    assert_eq!(stage.delivery_of(other).status, DeliveryStatus::Succeeded);
    assert!(stage.shown_body(id).unwrap_err().contains("shape"));
}

/// Otherwise a subscription that wants only ids would get the whole event after its repair.
#[test]
fn a_delivery_that_was_made_while_the_shape_was_unreadable_has_the_repaired_one() {
    let stage = idle();
    stage.update(r#"{"payloadFormat":"thin"}"#);
    let subscription = stage.subscription_of(stage.ids[0]).unwrap();
    let unreadable = MatchedSubscription {
        payload_format: PayloadFormat::default(),
        shape_version: Some(UNKNOWN_SHAPE),
        ..MatchedSubscription::from(&subscription)
    };
    let id = stage.deliver_to("first", unreadable);
    stage.drain();
    assert_eq!(stage.delivery_of(id).status, DeliveryStatus::Succeeded);
    let body: serde_json::Value = serde_json::from_str(&stage.bodies()[1]).unwrap();
    let members: Vec<_> = body["data"].as_object().unwrap().keys().collect();
    assert_eq!(members, ["customerId", "messageId"]);
}

/// The read of a former shape counts as time before the attempt. A shape that is lost shows that the
/// read was made.
#[test]
fn the_shape_is_read_before_the_time_is_checked() {
    let stage = idle();
    stage.update(TRANSFORM);
    let id = stage.deliver_event("first");
    stage.change(id, |subscription| subscription.request_version += 1);
    stage.queue_first(id);
    let no_time_left = stage.backend.time();
    now(stage.deliver.run(&DeliveryTask::first(id), no_time_left)).unwrap();
    let status = DeliveryStatus::Failed(FailureReason::SubscriptionUnreadable);
    assert_eq!(stage.delivery_of(id).status, status);
}

#[test]
fn a_body_that_is_too_large_fails_its_delivery() {
    let stage = idle();
    let placeholders = "<e>,".repeat(2_000);
    let large = format!(
        r#"{{"payloadFormat":"transform","transform":{{"paths":{{"e":"$"}},"template":"[{placeholders}0]"}}}}"#
    );
    stage.update(&large);
    let message = webhooks_domain::message::Message {
        payload: webhooks_domain::message::Payload::new(&format!(
            r#"{{"detail":{{"text":"{}"}}}}"#,
            "x".repeat(100_000)
        )),
        ..samples::message("acme", "large")
    };
    let subscription = stage.subscription_of(stage.ids[0]).unwrap();
    let matched = MatchedSubscription::from(&subscription);
    let retention = Duration::from_hours(24 * 90);
    let delivery = prepare(&message, &matched, stage.backend.time(), retention, None);
    let id = delivery.id;
    stage.backend.record_call(message, delivery);
    stage.queue_first(id);
    let requests = stage.backend.requests().len();
    stage.drain();
    let status = DeliveryStatus::Failed(FailureReason::BodyTooLarge);
    assert_eq!(stage.delivery_of(id).status, status);
    assert_eq!(stage.backend.requests().len(), requests);
    assert!(stage.shown_body(id).unwrap_err().contains("1048576"));
}

#[test]
fn a_thin_webhook_keeps_its_link() {
    let stage = idle();
    stage.update(r#"{"payloadFormat":"thin"}"#);
    let id = stage.deliver_event("first");
    stage.drain();
    let (link, body) = (
        stage.delivery_of(id).link.unwrap(),
        stage.bodies().remove(1),
    );
    assert_eq!(link, "https://app.example.com/acme");
    assert!(
        body.ends_with(&format!(r#","customerId":"acme","link":"{link}"}}}}"#)),
        "{body}"
    );
    stage.update(r#"{"payloadFormat":"standard"}"#);
    let without = stage.deliver_event("second");
    assert_eq!(stage.delivery_of(without).link, None);
}

#[test]
fn method_and_query_parameters_are_those_of_the_attempt() {
    let stage = stage(schedule(&[0, 5]));
    stage.backend.answer([samples::response(500)]);
    stage.run_first();
    stage.update(r#"{"method":"PATCH","queryParameters":{"b":"2","a":"1 &"}}"#);
    stage.drain();
    let requests = stage.backend.requests();
    assert_eq!(requests[0].1.method, Method::Post);
    let second = &requests[1].1;
    assert_eq!(second.method, Method::Patch);
    assert_eq!(second.url.as_str(), "https://example.com/hook?a=1+%26&b=2");
    let shown = now(show_exchanges(&stage.backend, &stage.delivery())).unwrap();
    let shown: Vec<_> = shown
        .into_iter()
        .map(|shown| shown.request.unwrap())
        .collect();
    assert_eq!(
        (shown[0].method, shown[1].method),
        (Method::Post, Method::Patch)
    );
    assert_eq!(
        (&shown[0].url, &shown[1].url),
        (&requests[0].1.url, &second.url)
    );
}
