//! Steps from event to webhook: both entry points, payloads, duplicates, latency.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::try_join_all;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tokio::time::sleep;
use webhooks_client::{Delivery, DeliveryStatus, PayloadFormat, SubscriptionPatch};

use super::Checked;
use crate::clock::now;
use crate::doctor::context::Described;
use crate::doctor::report::Outcome;
use crate::doctor::send::judge::{
    Judgement, NUMBERS_MEMBER, body, numbers, once, one_message, percentile, raw_detail,
    same_detail, signed,
};
use crate::doctor::send::stage::{ARRIVAL, Stage};

pub(super) const PUT: &str = "put-events";
pub(super) const START_STANDARD: &str = "start-standard";
pub(super) const START_DETAIL: &str = "start-detail";
pub(super) const START_EVENT: &str = "start-event";
pub(super) const DUPLICATE: &str = "duplicate";
pub(super) const LARGE: &str = "large";
pub(super) const LARGEST: &str = "largest";
pub(super) const LATENCY: &str = "latency";

/// Numbers that floating point changes, or whose format changes when JSON is written again.
const NUMBERS: [(&str, &str); 6] = [
    ("beyondDouble", "9007199254740993"),
    ("beyondLong", "12345678901234567890"),
    ("trailingZero", "0.10"),
    ("small", "1e-7"),
    ("negative", "-129.90"),
    ("zero", "0"),
];

/// The local emulator rounds this one, so only AWS is tested with it.
const LONG_FRACTION: (&str, &str) = ("longFraction", "3.141592653589793238462643383279");

/// The largest size of EventBridge's envelope plus the members of the detail other than the
/// filler.
const AROUND_FILLER_BYTES: usize = 1_000;

/// Long enough for a duplicate to pass through the workflow and the queue.
const DUPLICATE_WAIT: Duration = Duration::from_secs(20);

/// The number of webhooks whose latency is measured, after some that warm up the functions.
const WARM: usize = 20;
const WARM_UP: usize = 2;

/// Puts one event with `PutEvents`, and checks the webhook's headers and body.
pub(in crate::doctor::send) async fn put_events(stage: &Stage<'_>) -> Checked {
    let created = stage
        .subscribe(PUT, PUT, SubscriptionPatch::default())
        .await?;
    let numbers_sent = numbers_sent(stage);
    let detail = stage.detail(Map::new());
    let text = with_numbers(&detail, &numbers_sent);
    let message = stage.put(PUT, &text).await?;
    let id = stage.delivery_id(PUT, message, &created)?;
    let arrivals = stage.arrivals(PUT, 1, ARRIVAL, &id).await?;
    let arrival = &arrivals[0];
    let shown = stage.body(&id).await?;
    let content = arrival.header("content-type");
    let form = if content == "application/json" {
        one_message(&arrivals, &message.to_string())
    } else {
        Err(Outcome::failed(
            format!("content-type is `{content}`"),
            "attach the report to an issue",
        ))
    };
    Ok(vec![
        ("PutEvents", form.map(|_| "arrived".to_owned())),
        ("signature", signed(arrival, &[&created.secret])),
        ("payload", body(arrival, &shown, &detail)),
        (
            "numbers through the bus",
            judge_numbers(&numbers_sent, PayloadFormat::Standard, &arrival.body),
        ),
    ])
}

/// Starts the workflow with one event for a subscription of each payload format.
pub(in crate::doctor::send) async fn start_execution(stage: &Stage<'_>) -> Checked {
    let formats = [
        (PayloadFormat::Standard, START_STANDARD),
        (PayloadFormat::Detail, START_DETAIL),
        (PayloadFormat::Event, START_EVENT),
    ];
    let subscribe = formats.map(|(format, step)| async move {
        let fields = SubscriptionPatch {
            payload_format: Some(format),
            ..SubscriptionPatch::default()
        };
        stage.subscribe(step, "start", fields).await
    });
    let created = try_join_all(subscribe).await?;
    let numbers_sent = numbers_sent(stage);
    let text = with_numbers(&stage.detail(Map::new()), &numbers_sent);
    let started = stage.start("start", &text).await?;
    let mut arrived = Vec::new();
    let mut signatures: Judgement = Ok("each verified with the official library".to_owned());
    for ((format, step), created) in formats.iter().zip(&created) {
        let id = stage.delivery_id(step, started.message, created)?;
        let arrival = stage.arrivals(step, 1, ARRIVAL, &id).await?.swap_remove(0);
        let verified = signed(&arrival, &[&created.secret]);
        signatures = signatures.and_then(|all| verified.map(|_| all));
        arrived.push((*format, arrival));
    }
    let all: Vec<_> = arrived.iter().map(|(format, one)| (*format, one)).collect();
    let formats = same_detail(&all).and_then(|same| signatures.map(|_| same));
    let whole = all[2].1;
    let is_whole = whole.body == started.envelope.as_bytes();
    let whole: Judgement = if is_whole {
        Ok("identical, byte for byte".to_owned())
    } else {
        let sent: Value = serde_json::from_str(&started.envelope).unwrap_or_default();
        body(whole, &String::from_utf8_lossy(&whole.body), &sent)
            .map(|_| "the same value, formatted anew by Step Functions".to_owned())
    };
    Ok(vec![
        ("StartExecution", Ok("arrived".to_owned())),
        ("payload formats", formats),
        ("the whole event", whole),
        (
            "numbers through StartExecution",
            judge_numbers(&numbers_sent, PayloadFormat::Detail, &all[1].1.body),
        ),
    ])
}

/// Puts an event twice with one idempotency key, and checks that it arrives once.
pub(in crate::doctor::send) async fn duplicate(stage: &Stage<'_>) -> Checked {
    let created = stage
        .subscribe(DUPLICATE, DUPLICATE, SubscriptionPatch::default())
        .await?;
    let detail = stage.with_key(stage.detail(Map::new()), DUPLICATE);
    let detail = detail.to_string();
    let message = stage.put(DUPLICATE, &detail).await?;
    let id = stage.delivery_id(DUPLICATE, message, &created)?;
    stage.arrivals(DUPLICATE, 1, ARRIVAL, &id).await?;
    // The second event waits until the first attempt is recorded; an earlier duplicate might
    // cause a second request.
    let is_over = |delivery: &Delivery| delivery.status == DeliveryStatus::Succeeded;
    stage.delivery_when(&id, ARRIVAL, is_over).await?;
    let again = stage.put(DUPLICATE, &detail).await?;
    // Nothing shows when a duplicate was dropped.
    sleep(DUPLICATE_WAIT).await;
    let arrivals = stage.arrived(DUPLICATE).await?;
    let same = if message == again {
        once(&arrivals)
    } else {
        Err(Outcome::failed(
            "one idempotency key created two messages",
            "check that IdempotencyKeyPointer is the place where producers put the key",
        ))
    };
    Ok(vec![("duplicate event", same)])
}

/// Sends payloads of 200 KB, and of the largest size that is always accepted.
pub(in crate::doctor::send) async fn large(stage: &Stage<'_>) -> Checked {
    let sizes = [
        ("payload of 200 KB", LARGE, 200_000),
        ("payload of 245 KB", LARGEST, 245_000),
    ];
    let sent = sizes.map(|(name, step, bytes)| async move {
        let created = stage
            .subscribe(step, step, SubscriptionPatch::default())
            .await?;
        let mut members = Map::new();
        members.insert(
            "filler".to_owned(),
            json!(filler(bytes - AROUND_FILLER_BYTES)?),
        );
        let detail = stage.detail(members);
        let message = stage.put(step, &detail.to_string()).await?;
        let id = stage.delivery_id(step, message, &created)?;
        let arrival = stage.arrivals(step, 1, ARRIVAL, &id).await?.swap_remove(0);
        let shown = stage.body(&id).await?;
        let judged =
            signed(&arrival, &[&created.secret]).and_then(|_| body(&arrival, &shown, &detail));
        Ok((name, judged))
    });
    try_join_all(sent).await
}

/// Measures the time from `PutEvents` to the request, one event after the other, with warm
/// functions.
pub(in crate::doctor::send) async fn latency(stage: &Stage<'_>) -> Checked {
    let created = stage
        .subscribe(LATENCY, LATENCY, SubscriptionPatch::default())
        .await?;
    let mut took = Vec::new();
    for number in 0..WARM_UP + WARM {
        let mut members = Map::new();
        members.insert("number".to_owned(), json!(number));
        let detail = stage.detail(members).to_string();
        let put_at = now();
        let message = stage.put(LATENCY, &detail).await?;
        let id = stage.delivery_id(LATENCY, message, &created)?;
        let arrivals = stage.arrivals(LATENCY, number + 1, ARRIVAL, &id).await?;
        if number >= WARM_UP {
            took.push(arrivals[number].at.since(put_at));
        }
    }
    let shown = |took: &mut [Duration], percent| {
        percentile(took, percent).map_or(0, |duration| duration.as_millis())
    };
    let (median, slowest) = (shown(&mut took, 50), shown(&mut took, 99));
    let seen =
        format!("p50 {median} ms, p99 {slowest} ms of {WARM} warm events, PutEvents to POST");
    Ok(vec![("latency", Ok(seen))])
}

fn numbers_sent(stage: &Stage<'_>) -> Vec<(&'static str, &'static str)> {
    let mut numbers = NUMBERS.to_vec();
    if stage.stack.endpoint().is_none() {
        numbers.push(LONG_FRACTION);
    }
    numbers
}

/// Inserts numbers as text into a detail, so that they never pass through a float.
fn with_numbers(detail: &Value, numbers: &[(&str, &str)]) -> String {
    let members: Vec<_> = numbers
        .iter()
        .map(|(name, number)| format!("\"{name}\":{number}"))
        .collect();
    let text = detail.to_string();
    let open = text.strip_suffix('}').unwrap_or(&text);
    format!("{open},\"{NUMBERS_MEMBER}\":{{{}}}}}", members.join(","))
}

fn judge_numbers(sent: &[(&str, &str)], format: PayloadFormat, received: &[u8]) -> Judgement {
    let detail = raw_detail(format, received).unwrap_or_default();
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(&detail).unwrap_or_default();
    let received = members.get(NUMBERS_MEMBER).map_or("", |value| value.get());
    numbers(sent, received)
}

/// Returns characters that compress to no less than their entropy, three quarters.
fn filler(bytes: usize) -> Described<String> {
    let mut random = vec![0; bytes / 4 * 3];
    let filled = SystemRandom::new().fill(&mut random);
    filled.map_err(|_| Outcome::failed("no random numbers", "run it on another machine"))?;
    Ok(STANDARD.encode(random))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_put_as_text_and_found_as_text() {
        let text = with_numbers(&json!({"a": 1}), &NUMBERS);
        assert!(text.starts_with(r#"{"a":1,"numbers":{"beyondDouble":9007199254740993,"#));
        assert!(judge_numbers(&NUMBERS, PayloadFormat::Detail, text.as_bytes()).is_ok());
        let standard = format!(r#"{{"type":"t","data":{text}}}"#);
        let format = PayloadFormat::Standard;
        assert!(judge_numbers(&NUMBERS, format, standard.as_bytes()).is_ok());
        assert!(judge_numbers(&NUMBERS, format, text.as_bytes()).is_err());
    }

    #[test]
    fn the_filler_has_its_size_and_needs_no_escapes() {
        let filler = filler(199_000).unwrap();
        assert_eq!(filler.len(), 199_000);
        assert_eq!(json!(filler).to_string().len(), 199_002);
    }
}
