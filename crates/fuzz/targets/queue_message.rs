//! A message in the delivery queue, which another version of this system may have written.

use std::collections::HashMap;

use bolero::produce;
use serde_json::value::RawValue;
use webhooks_domain::delivery::DeliveryTask;
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::timestamp::Timestamp;
use webhooks_sqs::{decode, encode};

use crate::law::check_law;
use crate::near::near;

const TOKENS: &[&str] = &[
    "\"v\":1,",
    "\"v\":2,",
    "\"v\":",
    "1e0",
    "1.0",
    "-1",
    "null",
    "18446744073709551616",
    "4294967296",
    "\"dueAt\":",
    "\"attempt\":",
    "\"deliveryId\":",
    "dlv_",
    "{",
    "}",
    "[",
    "\"",
    ",",
    "\\u0031",
    "\0",
];

fn task(message: u128, subscription: u128, attempt: u32, due_at: Option<i64>) -> DeliveryTask {
    let delivery: DeliveryId = format!("dlv_{message:032x}_{subscription:032x}")
        .parse()
        .unwrap();
    DeliveryTask::new(delivery, attempt, due_at.map(Timestamp::from_millis))
}

#[test]
fn laws_hold() {
    let first = encode(&task(1, 2, 1, None));
    let second = encode(&task(u128::MAX, 0, 2, Some(1_700_000_000_000)));
    let newer = first.replace("\"v\":1", "\"v\":2");
    let texts = near([first, second, newer], TOKENS);
    let fields = produce::<(u128, u128, u32, Option<i64>)>();
    check_law!((texts, fields), |(
        text,
        (message, subscription, attempt, due_at),
    )| {
        let task = task(*message, *subscription, *attempt, *due_at);
        assert_eq!(decode(&encode(&task)).unwrap(), task);

        if let Ok(task) = decode(text) {
            assert_eq!(decode(&encode(&task)).unwrap(), task);
            let fields: HashMap<String, &RawValue> = serde_json::from_str(text).unwrap();
            assert_eq!(fields["v"].get(), "1", "an unknown version was understood");
            assert_eq!(fields["attempt"].get(), task.attempt.to_string());
        }
    },);
}
