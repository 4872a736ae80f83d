//! The cost of our writes: the billed sizes of items, and the write units of a delivery from its
//! first write to its end.

use std::collections::HashMap;
use std::time::Duration;

use serde_dynamo::{AttributeValue, Item};
use webhooks_domain::delivery::{Answer, Attempt, Delivery, DeliveryStatus, FailureReason};
use webhooks_domain::due::{LongestQueueDelay, NextAttempt};
use webhooks_domain::health::{FailingStep, Health, Hold, OpenCircuit};
use webhooks_domain::message::{Message, Payload};
use webhooks_domain::outbound::{AttemptOutcome, ResponseHeaders, Timings, WebhookResponse};
use webhooks_domain::subscription::Subscription;
use webhooks_testkit::samples;
use webhooks_testkit::units::{Index, Projection, WRITE_UNIT_BYTES, item_bytes, write_units};

use crate::exchanges::BodyItem;
use crate::item::{OWED_TO, SubscriptionItem, delivery_item, message_item};

/// The index entries that are written once and never change: the message's in `messages`, and the
/// delivery's in `deliveries`.
const LIST_ENTRIES: usize = 2;

/// The billed size of an item.
pub(crate) fn billed_bytes(item: Item) -> usize {
    item_bytes(&item.into())
}

/// The message of an event with about 1 KB of detail.
fn one_kilobyte_message() -> Message {
    let lines: Vec<_> = (0..11)
        .map(|n| {
            serde_json::json!({
                "sku": format!("SKU-{:07}", n * 7_919_993 % 9_999_991),
                "name": format!("Article number {n} of the catalogue"),
                "quantity": n % 3 + 1,
                "price": format!("{}.{:02}", n * 37 % 101, n * 53 % 100),
            })
        })
        .collect();
    let detail = serde_json::json!({ "customerId": "cust_1001", "lines": lines });
    assert!((1_000..1_200).contains(&detail.to_string().len()));
    let event = serde_json::json!({
        "version": "0",
        "id": "4ff6bd79-7b06-4b43-9d9f-6a0d4ee1dc0c",
        "detail-type": "order.created",
        "source": "com.example.shop",
        "account": "123456789012",
        "time": "2026-01-31T09:30:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": detail,
    });
    let reader = samples::event_reader();
    reader.read(&event.to_string()).unwrap()
}

/// An endpoint's answers.
#[derive(Clone, Copy)]
enum Answers {
    Short,
    /// As long as what an attempt keeps itself: an IPv6 address, long headers, and a body.
    Full,
    /// A page of 16 KB, the same each time.
    SameLong,
    /// A page of 16 KB, another each time.
    NewLong,
}

impl Answers {
    /// The answer to the attempt with this number.
    fn response(self, number: u32, status: u16) -> WebhookResponse {
        let short = samples::failed_attempt(number);
        let mut response = WebhookResponse {
            addresses: short.addresses,
            headers: short.response_headers,
            body: samples::body("try later"),
            timings: Timings {
                dns_ms: Some(20),
                connect_ms: Some(40),
                tls_ms: Some(80),
                first_byte_ms: Some(14_000),
            },
            ..samples::response(status)
        };
        match self {
            Self::Short => {}
            Self::Full => {
                let address = "2001:db8:1111:2222:3333:4444:5555:6666";
                response.addresses = vec![address.parse().unwrap()];
                response.headers = ResponseHeaders::keep(|_| Some(&[b'x'; 1_000]));
                let room = room(&response);
                assert!(room > 0);
                response.body = samples::body(&"x".repeat(room));
            }
            Self::SameLong => response.body = samples::body(&page(0)),
            Self::NewLong => response.body = samples::body(&page(number)),
        }
        if response.outcome == AttemptOutcome::Succeeded {
            // The sender keeps no more.
            let room = room(&response);
            response.body.text.truncate(room);
        }
        response
    }
}

/// The bytes that addresses and headers leave for the body by default.
fn room(response: &WebhookResponse) -> usize {
    let total = WebhookResponse::MAX_DETAIL_BYTES;
    WebhookResponse::room_for_excerpt(total, &response.addresses, &response.headers)
}

/// A page of an error with about 16 KB. Each line is unlike the others.
fn page(number: u32) -> String {
    let line = |n: u32| {
        let place = (n + 7).wrapping_mul(2_654_435_761 + number);
        format!("  at handler_{place:08x} (server.js:{})", place % 997)
    };
    let lines: Vec<_> = (0..430).map(line).collect();
    let page = format!("<h1>Request {number} failed</h1>\n{}", lines.join("\n"));
    assert!((16_000..16_384).contains(&page.len()), "{}", page.len());
    page
}

/// A delivery of a 1 KB event, and the cost of its writes so far, including its message.
struct Billed {
    delivery: Delivery,
    /// True if it was held. It stays in the index `undelivered` then, until it ends.
    was_held: bool,
    answers: Answers,
    units: usize,
}

impl Billed {
    /// Writes the message and the delivery.
    fn new(answers: Answers) -> Self {
        let message = one_kilobyte_message();
        let message_bytes = billed_bytes(message_item(&message, samples::NOW, samples::NOW));
        let mut new = Self {
            delivery: samples::delivery(&message, samples::subscription_id(1)),
            was_held: false,
            answers,
            units: message_bytes.div_ceil(WRITE_UNIT_BYTES),
        };
        new.units += new.bytes().div_ceil(WRITE_UNIT_BYTES) + LIST_ENTRIES;
        new
    }

    /// Returns true if the delivery is in the `due` index.
    fn is_due(&self) -> bool {
        let is_pending = self.delivery.status == DeliveryStatus::Pending;
        is_pending && self.delivery.next_attempt_at.is_some()
    }

    /// Returns true if the delivery is in the index `undelivered`.
    fn is_undelivered(&self) -> bool {
        let was_added = self.was_held || !self.delivery.attempts.is_empty();
        was_added && self.delivery.status.is_undelivered()
    }

    /// The size of the delivery's item, including the attributes that it has only while it is in
    /// the index.
    fn bytes(&self) -> usize {
        let mut item = HashMap::from(delivery_item(&self.delivery));
        if self.is_undelivered() {
            let owed_to = self.delivery.id.subscription.to_string();
            item.insert(OWED_TO.to_owned(), AttributeValue::S(owed_to));
        }
        if self.is_due() {
            let now = samples::NOW.as_millis().to_string();
            for (name, number) in [("dueShard", "7"), ("sweepAt", &now), ("nextAttempt", "10")] {
                item.insert(name.to_owned(), AttributeValue::N(number.to_owned()));
            }
        }
        billed_bytes(item.into())
    }

    /// An update costs the larger of the item's sizes before and after it, and one unit for each
    /// index entry that it removes or adds (Developer Guide, "Read and write operations" and
    /// "Global secondary indexes"). Every update of a delivery that stays in `due` moves its entry,
    /// which counts as both; in `undelivered` an entry stays unchanged.
    fn update(&mut self, change: impl FnOnce(&mut Delivery)) {
        let (was_due, was_undelivered) = (self.is_due(), self.is_undelivered());
        let bytes = self.bytes();
        change(&mut self.delivery);
        self.was_held |= matches!(self.delivery.status, DeliveryStatus::Held(_));
        let bytes = bytes.max(self.bytes());
        let entries = usize::from(was_due)
            + usize::from(self.is_due())
            + usize::from(was_undelivered != self.is_undelivered());
        self.units += bytes.div_ceil(WRITE_UNIT_BYTES) + entries;
    }

    /// The next attempt, with its answer. Its long answer is an item of its own, in no index.
    fn attempt(&mut self, status: u16) -> Attempt {
        let number = self.delivery.next_attempt();
        let response = self.answers.response(number, status);
        let answer = Answer::of(&response, &self.delivery);
        let attempt = samples::failed_attempt(number);
        if let Some(body) = answer.long_body() {
            let id = attempt.exchange_id(self.delivery.id);
            let item = BodyItem::new(&id, body, samples::NOW);
            let bytes = billed_bytes(serde_dynamo::to_item(item).unwrap());
            self.units += bytes.div_ceil(WRITE_UNIT_BYTES);
        }
        let kept = answer.kept(true);
        Attempt {
            outcome: response.outcome,
            status: response.status,
            addresses: response.addresses.clone(),
            timings: response.timings,
            response_headers: kept.headers,
            response_excerpt: kept.excerpt,
            answer_body: kept.body,
            ..attempt
        }
    }

    /// It waits for the time of its first attempt: it is made with an entry in `due`.
    fn waiting(answers: Answers) -> Self {
        let mut new = Self::new(answers);
        let (before, entry) = (new.bytes().div_ceil(WRITE_UNIT_BYTES), 1);
        new.delivery.next_attempt_at = Some(samples::NOW);
        new.units += new.bytes().div_ceil(WRITE_UNIT_BYTES) - before + entry;
        new
    }

    /// An attempt fails, and there is a next one.
    fn fail(mut self) -> Self {
        let attempt = self.attempt(500);
        self.update(|delivery| {
            delivery.attempts.push(attempt);
            delivery.next_attempt_at = Some(samples::NOW);
        });
        self
    }

    /// The sweep queues the task, after a long wait.
    fn sweep(mut self) -> Self {
        self.update(|_| ());
        self
    }

    /// It is held, because its endpoint is unavailable.
    fn hold(mut self) -> Self {
        self.update(|delivery| delivery.status = samples::AWAITING_ENDPOINT);
        self
    }

    /// It continues.
    fn resume(mut self) -> Self {
        self.update(|delivery| {
            let next = NextAttempt::plan(samples::NOW, samples::NOW, LongestQueueDelay::MAX);
            let resumption = delivery.resume(next).expect("it is held");
            *delivery = resumption.reopened();
        });
        self
    }

    /// The last attempt is made.
    fn end(mut self, status: DeliveryStatus) -> Self {
        let attempt = self.attempt(match status {
            DeliveryStatus::Succeeded => 200,
            _ => 500,
        });
        self.update(|delivery| {
            delivery.attempts.push(attempt);
            delivery.next_attempt_at = None;
            delivery.status = status;
        });
        self
    }
}

#[test]
fn a_wait_for_the_first_attempt_costs_two_writes_and_three_more_if_the_sweep_ends_it() {
    let succeeded = DeliveryStatus::Succeeded;
    let at_once = Billed::new(Answers::Short).end(succeeded).units;
    let soon = Billed::waiting(Answers::Short).end(succeeded).units;
    let later = Billed::waiting(Answers::Short).sweep().end(succeeded).units;
    assert_eq!((soon - at_once, later - soon), (2, 3));
}

#[test]
fn a_message_of_one_kilobyte_costs_one_write_unit() {
    let size = billed_bytes(message_item(
        &one_kilobyte_message(),
        samples::NOW,
        samples::NOW,
    ));
    println!("message item of a 1 KB event: {size} bytes");
    assert!(size <= WRITE_UNIT_BYTES, "{size} bytes");
}

#[test]
fn a_subscription_costs_one_write_unit_even_with_two_secrets() {
    let one = samples::subscription("cust_1001", 1);
    let two = Subscription {
        secrets: samples::migrating_secrets(),
        ..one.clone()
    };
    let size = |subscription| {
        billed_bytes(serde_dynamo::to_item(SubscriptionItem::from(subscription)).unwrap())
    };
    let (one, two) = (size(&one), size(&two));
    println!("subscription item: {one} bytes with one secret, {two} with one of each kind");
    assert!(two <= WRITE_UNIT_BYTES, "{two} bytes");
}

#[test]
fn an_unhealthy_subscription_costs_one_write_unit_and_a_healthy_one_has_no_entry() {
    let healthy = samples::subscription("cust_1001", 1);
    let since = samples::NOW;
    let unhealthy = Subscription {
        health: Health {
            failing_since: Some(since),
            circuit: Some(OpenCircuit {
                since,
                until: since,
                cooldown: OpenCircuit::LONGEST,
            }),
            slow_since: Some(since),
            hold: None,
            warned: Some(FailingStep::HalfTimeToDisabling),
        },
        ..healthy.clone()
    };
    let item = |subscription| -> Item {
        serde_dynamo::to_item(SubscriptionItem::from(subscription)).unwrap()
    };
    assert!(!item(&healthy).contains_key(OWED_TO));
    assert!(item(&unhealthy).contains_key(OWED_TO));
    let index = |partition: &str| Index {
        key: vec![partition.to_owned(), "createdAt".to_owned()],
        table_key: vec!["pk".to_owned(), "sk".to_owned()],
        projection: Projection::Only(vec!["eventType".to_owned()]),
    };
    let indexes = [index("sk"), index(OWED_TO)];
    let worse = Subscription {
        health: Health {
            slow_since: None,
            ..unhealthy.health
        },
        ..unhealthy.clone()
    };
    let update = |before, after| {
        let (before, after) = (item(before).into(), item(after).into());
        let units = write_units(Some(&before), Some(&after), &indexes);
        (units.table, units.indexes)
    };
    let bytes = billed_bytes(item(&unhealthy));
    println!("unhealthy subscription item: {bytes} bytes");
    assert_eq!(update(&healthy, &unhealthy), (1, 1), "it becomes unhealthy");
    assert_eq!(update(&unhealthy, &worse), (1, 0), "it stays unhealthy");
    assert_eq!(update(&worse, &healthy), (1, 1), "it becomes healthy");
}

#[test]
fn a_delivery_that_fails_once_costs_one_write_unit_for_each_write() {
    let new = Billed::new(Answers::Full);
    let new_bytes = new.bytes();
    let failed = new.fail().bytes();
    let short = Billed::new(Answers::Short).end(DeliveryStatus::Succeeded);
    println!(
        "delivery item: {new_bytes} bytes new, {} after one attempt",
        short.bytes()
    );
    println!("{failed} bytes after a failure with a full answer");
    assert!(failed <= WRITE_UNIT_BYTES, "{failed} bytes");
}

#[test]
fn a_shape_costs_nothing_where_there_is_none_and_no_write_unit_where_there_is_one() {
    let subscription: Item =
        serde_dynamo::to_item(SubscriptionItem::from(&samples::subscription("a", 1))).unwrap();
    let delivery = delivery_item(&Billed::new(Answers::Full).delivery);
    let shape = ["payloadFields", "transform", "contentType", "method"];
    for name in [&shape[..], &["queryParameters", "shapeVersion", "link"]].concat() {
        assert!(!subscription.contains_key(name), "{name}");
        assert!(!delivery.contains_key(name), "{name}");
    }
    let units = |shape_version, link: Option<&str>| {
        let mut new = Billed::new(Answers::Full);
        new.delivery.shape_version = shape_version;
        new.delivery.link = link.map(str::to_owned);
        new.fail().end(DeliveryStatus::Succeeded).units
    };
    let link = "https://app.example.com/messages/cust_1001/msg_453fbf35334da6e30474cfcfd6be54db";
    let none = units(None, None);
    assert_eq!(
        (units(Some(12), None), units(None, Some(link))),
        (none, none)
    );
}

#[test]
fn a_delivery_to_an_unavailable_endpoint_costs_a_small_multiple_of_one() {
    let sent = |billed: Billed| billed.resume().end(DeliveryStatus::Succeeded).units;
    let units = |answers| {
        let new = || Billed::new(answers);
        [
            new().hold().units,
            sent(new().hold()),
            sent(new().fail().fail().hold()),
        ]
    };
    let (short, full) = (units(Answers::Short), units(Answers::Full));
    println!("write units held, then sent, and then sent at the third attempt: {short:?}");
    let (same, new) = (units(Answers::SameLong), units(Answers::NewLong));
    println!("the same with full answers: {full:?}");
    println!("with the same long answer: {same:?}, with another each time: {new:?}");
    assert_eq!((short, full), ([6, 11, 17], [6, 11, 21]));
    assert_eq!((same, new), ([6, 11, 22], [6, 11, 26]));
}

#[test]
fn a_probe_moves_the_entry_of_its_subscription_three_times() {
    let health = |check_at| Health {
        hold: Some(Hold {
            since: samples::NOW,
            check_at,
        }),
        ..Health::default()
    };
    let holding = |minutes| Subscription {
        health: health(samples::NOW + Duration::from_mins(minutes)),
        ..samples::subscription("cust_1001", 1)
    };
    let index = Index {
        key: vec!["dueShard".to_owned(), "sweepAt".to_owned()],
        table_key: vec!["pk".to_owned(), "sk".to_owned()],
        projection: Projection::Only(vec!["customerId".to_owned()]),
    };
    let item = |subscription: &Subscription| -> Item {
        serde_dynamo::to_item(SubscriptionItem::from(subscription)).unwrap()
    };
    let move_entry = |from, to| {
        let (before, after) = (item(&holding(from)).into(), item(&holding(to)).into());
        let units = write_units(Some(&before), Some(&after), std::slice::from_ref(&index));
        (units.table, units.indexes)
    };
    // The check, the claim of the probe, and its result.
    for (from, to) in [(0, 5), (5, 1), (1, 15)] {
        assert_eq!(move_entry(from, to), (1, 2));
    }
    let healthy = item(&samples::subscription("cust_1001", 1));
    assert!(!healthy.contains_key("dueShard"));
}

#[test]
fn a_delivery_that_succeeds_at_once_pays_for_no_sparse_index() {
    const GIVEN_UP: DeliveryStatus = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);
    let write_units = |answers| {
        let new = || Billed::new(answers);
        let third = new().fail().fail().end(DeliveryStatus::Succeeded);
        // The default schedule: after the waits of 5 s and 5 min there are seven long waits.
        let ten = (0..7).fold(new().fail().fail(), |billed, _| billed.fail().sweep());
        println!("delivery item: {} bytes after nine failures", ten.bytes());
        [
            new().end(DeliveryStatus::Succeeded).units,
            third.units,
            ten.end(GIVEN_UP).units,
        ]
    };
    let short = write_units(Answers::Short);
    let full = write_units(Answers::Full);
    let same = write_units(Answers::SameLong);
    let new = write_units(Answers::NewLong);
    println!("write units succeeded at once, at the third attempt, failed ten times:");
    println!("{short:?} with short answers, {full:?} with full ones");
    println!("{same:?} with the same long answer, {new:?} with another each time");
    assert_eq!((short, full), ([5, 13, 61], [5, 15, 70]));
    assert_eq!((same, new), ([5, 18, 63], [5, 22, 114]));
}

/// The message of a short event is not compressed, and takes one write unit even with the longest
/// customer id and a long event type.
#[test]
fn a_message_with_an_uncompressed_text_is_one_unit() {
    let text = |length: usize| format!(r#"{{"detail":{{"n":"{}"}}}}"#, "x".repeat(length - 19));
    let longest = (0..2_000).map(|more| Payload::new(&text(20 + more)));
    let longest = longest
        .take_while(|payload| payload.as_text().starts_with('{'))
        .last();
    let message = Message {
        payload: longest.unwrap(),
        event_type: "t".repeat(128).parse().unwrap(),
        deadline: Some(samples::NOW),
        deliver_at: Some(samples::NOW),
        ..samples::message(&"c".repeat(128), "one")
    };
    let end = samples::NOW + Duration::from_hours(24);
    let bytes = billed_bytes(message_item(&message, samples::NOW, end));
    println!("message item: {bytes} bytes");
    assert!(bytes <= WRITE_UNIT_BYTES, "{bytes}");
}
