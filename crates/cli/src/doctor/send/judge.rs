//! Judges what the received webhooks prove. This module does no I/O.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use serde_json::value::RawValue;
use webhooks_client::{AttemptOutcome, Delivery, PayloadFormat};
use webhooks_domain::timestamp::Timestamp;

use crate::doctor::context::Described;
use crate::doctor::report::Outcome;

/// The observation, or the problem.
pub(super) type Judgement = Described<String>;

pub(super) fn fault<T>(reason: impl Into<String>, fix: impl Into<String>) -> Described<T> {
    Err(Outcome::failed(reason, fix))
}

/// A webhook as received.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// The time of arrival, by this machine's clock.
    pub(super) at: Timestamp,
}

const REPORT: &str = "this is a fault of the product: attach the report to an issue";

impl Arrival {
    pub(super) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    pub(super) fn webhook_id(&self) -> &str {
        self.header(standardwebhooks::HEADER_WEBHOOK_ID)
    }
}

/// Checks that the signature verifies with each of the secrets, by the official library.
pub(super) fn signed(arrival: &Arrival, secrets: &[&str]) -> Judgement {
    for (index, secret) in secrets.iter().enumerate() {
        let verified = standardwebhooks::Webhook::new(secret)
            .and_then(|webhook| webhook.verify(&arrival.body, &arrival.headers));
        if let Err(error) = verified {
            let which = match (secrets.len(), index) {
                (1, _) => "the secret",
                (_, 0) => "the current secret",
                _ => "the old secret",
            };
            return fault(
                format!("the signature does not verify with {which}: {error}"),
                "compare the clocks of this machine and of AWS (5 minutes are allowed); the secret \
                 that signs is in the table, encrypted under SigningKey",
            );
        }
    }
    Ok("verified with the official library".to_owned())
}

/// Checks that exactly one webhook arrived.
pub(super) fn once(arrivals: &[Arrival]) -> Judgement {
    match arrivals.len() {
        1 => Ok("arrived once".to_owned()),
        0 => fault("no webhook arrived", REPORT),
        many => fault(
            format!("one message arrived {many} times, although the receiver answered 200"),
            "delivery is at-least-once, so a rare duplicate is normal: run it again. If it happens \
             again, attach the report to an issue",
        ),
    }
}

/// Checks that all arrivals are attempts of one delivery: the same id and body, each with its
/// own signature.
pub(super) fn one_message(arrivals: &[Arrival], id: &str) -> Judgement {
    let Some(first) = arrivals.first() else {
        return fault("no webhook arrived", REPORT);
    };
    let mut signatures = BTreeSet::new();
    for arrival in arrivals {
        if arrival.webhook_id() != id {
            let other = arrival.webhook_id();
            return fault(
                format!("`webhook-id` is `{other}` instead of `{id}`"),
                REPORT,
            );
        }
        if arrival.body != first.body {
            return fault("the body differs from one attempt to the next", REPORT);
        }
        let stamp = arrival.header(standardwebhooks::HEADER_WEBHOOK_TIMESTAMP);
        let signature = arrival.header(standardwebhooks::HEADER_WEBHOOK_SIGNATURE);
        signatures.insert((stamp.to_owned(), signature.to_owned()));
    }
    // Two attempts within a second would have the same timestamp, but the self test makes none.
    if signatures.len() < arrivals.len() {
        return fault("two attempts have the same signature", REPORT);
    }
    Ok(format!("{} attempts, one id, one body", arrivals.len()))
}

/// Checks that no attempt came before its time. Times are measured at the receiver, so the
/// intervals may differ slightly from the intervals of sending.
pub(super) fn not_too_early(at: &[Timestamp], waits: &[Duration]) -> Judgement {
    const TOLERANCE: Duration = Duration::from_millis(500);
    let gaps: Vec<Duration> = at.windows(2).map(|two| two[1].since(two[0])).collect();
    for (index, (gap, wait)) in gaps.iter().zip(waits).enumerate() {
        if *gap + TOLERANCE < *wait {
            return fault(
                format!(
                    "attempt {} came {} after the previous one, and was due after {}",
                    index + 2,
                    seconds(*gap),
                    seconds(*wait)
                ),
                REPORT,
            );
        }
    }
    if gaps.len() < waits.len() {
        let (came, due) = (at.len(), waits.len() + 1);
        return fault(format!("{came} of {due} attempts came"), REPORT);
    }
    let shown: Vec<_> = gaps.iter().copied().map(seconds).collect();
    let due: Vec<_> = waits.iter().copied().map(seconds).collect();
    Ok(format!(
        "after {}; due after {}",
        shown.join(", "),
        due.join(", ")
    ))
}

/// Checks that at most `rate × (n + 2)` webhooks arrived in any n seconds, and one more for the
/// varying transfer time.
pub(super) fn within_rate(at: &[Timestamp], rate: u64) -> Judgement {
    let mut at = at.to_vec();
    at.sort_unstable();
    for (first, from) in at.iter().enumerate() {
        for (last, to) in at.iter().enumerate().skip(first) {
            let (count, time) = ((last - first + 1) as u64, to.since(*from));
            let whole = time.as_millis().div_ceil(1_000);
            let most = rate * (u64::try_from(whole).unwrap_or(u64::MAX).saturating_add(2)) + 1;
            if count > most {
                return fault(
                    format!(
                        "{count} webhooks in {} at a limit of {rate} a second",
                        seconds(time)
                    ),
                    REPORT,
                );
            }
        }
    }
    let span = at.last().map_or(Duration::ZERO, |last| last.since(at[0]));
    Ok(format!("{} webhooks in {}", at.len(), seconds(span)))
}

/// The member of a detail that contains numbers, which are judged separately.
pub(super) const NUMBERS_MEMBER: &str = "numbers";

/// Checks that the body equals the one that the API shows, byte for byte, and contains the
/// event or detail that was sent. AWS's services may format JSON differently.
pub(super) fn body(arrival: &Arrival, shown: &str, sent: &Value) -> Judgement {
    if arrival.body != shown.as_bytes() {
        return fault(
            format!(
                "the payload was altered in transit: {} bytes arrived, and the API shows {}",
                arrival.body.len(),
                shown.len()
            ),
            "the signature covers the sent body: something between the stack and the receiver \
             changes bodies, such as a proxy",
        );
    }
    let received: Value = serde_json::from_str(shown).unwrap_or_default();
    let places = [&received["data"], &received["detail"], &received];
    if !places
        .into_iter()
        .any(|place| without_numbers(place) == without_numbers(sent))
    {
        return fault(
            format!(
                "the payload of {} bytes does not contain the event that was put",
                shown.len()
            ),
            REPORT,
        );
    }
    Ok(format!("{} bytes, as sent", shown.len()))
}

fn without_numbers(json: &Value) -> Value {
    let mut json = json.clone();
    for place in ["", "/detail"] {
        if let Some(Value::Object(members)) = json.pointer_mut(place) {
            members.remove(NUMBERS_MEMBER);
        }
    }
    json
}

/// Checks that the webhooks of all formats contain the same text of the detail.
pub(super) fn same_detail(bodies: &[(PayloadFormat, &Arrival)]) -> Judgement {
    let mut first: Option<(PayloadFormat, String)> = None;
    for &(format, arrival) in bodies {
        let Some(detail) = raw_detail(format, &arrival.body) else {
            return fault(
                format!("the body of format `{format}` is not as documented"),
                REPORT,
            );
        };
        match &first {
            None => first = Some((format, detail)),
            Some((other, earlier)) if *earlier != detail => {
                return fault(
                    format!("the detail differs between the formats `{other}` and `{format}`"),
                    REPORT,
                );
            }
            Some(_) => {}
        }
    }
    let names: Vec<_> = bodies
        .iter()
        .map(|(format, _)| format.to_string())
        .collect();
    Ok(format!(
        "{}: the same detail, byte for byte",
        names.join(", ")
    ))
}

/// Returns the text of the detail in a body.
pub(super) fn raw_detail(format: PayloadFormat, body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let name = match format {
        PayloadFormat::Standard | PayloadFormat::CloudEvents => "data",
        PayloadFormat::Event => "detail",
        PayloadFormat::Detail => return Some(text.to_owned()),
        PayloadFormat::Thin | PayloadFormat::Fields | PayloadFormat::Transform => return None,
    };
    let members: std::collections::BTreeMap<String, &RawValue> = serde_json::from_str(text).ok()?;
    Some(members.get(name)?.get().to_owned())
}

/// Checks that each number has its original value. Its format may differ.
pub(super) fn numbers(sent: &[(&str, &str)], received: &str) -> Judgement {
    let members: std::collections::BTreeMap<String, &RawValue> =
        serde_json::from_str(received).unwrap_or_default();
    let mut changed = Vec::new();
    for (name, number) in sent {
        let came = members.get(*name).map_or("nothing", |value| value.get());
        if Decimal::read(number) != Decimal::read(came) {
            changed.push(format!("{number} came as {came}"));
        }
    }
    if changed.is_empty() {
        return Ok(format!("{} numbers, each with its value", sent.len()));
    }
    // This is no fault of the stack: AWS documents no service's treatment of such numbers.
    Err(Outcome::warned(
        changed.join("; "),
        "EventBridge or Step Functions has parsed them as floating point: producers must send such \
         numbers as strings (docs/producers.md, Numbers)",
    ))
}

/// A number independent of its format: digits without zeros at either end, times ten to the
/// exponent.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn read(number: &str) -> Option<Self> {
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = all.trim_end_matches('0');
        let digits = significant.trim_start_matches('0').to_owned();
        let shift = i64::try_from(all.len() - significant.len()).ok()?;
        let fraction = i64::try_from(fraction.len()).ok()?;
        let is_zero = digits.is_empty();
        let exponent = exponent.parse::<i64>().ok()? + shift - fraction;
        Some(Self {
            negative: mantissa.starts_with('-') && !is_zero,
            exponent: if is_zero { 0 } else { exponent },
            digits,
        })
    }
}

/// Explains why a webhook did not arrive, as far as the API's delivery shows it.
pub(super) fn missing(expected: usize, came: usize, delivery: Option<&Delivery>) -> Outcome {
    let (reason, fix) = match delivery {
        None => (
            "the event became no message".to_owned(),
            "check that the rule is enabled and can start the workflow, with `webhooks doctor`; \
             `webhooks dlq list` shows events that could not be processed",
        ),
        Some(delivery) => match delivery.attempts.last() {
            None => (
                format!("its delivery is {}, without an attempt", delivery.status),
                "check with `webhooks doctor` that the event source mappings read the delivery queue; \
                 `webhooks dlq list` shows tasks that failed too often",
            ),
            Some(attempt) => {
                let outcome = attempt.status.map_or_else(
                    || {
                        attempt
                            .error
                            .clone()
                            .unwrap_or_else(|| attempt.outcome.to_string())
                    },
                    |status| format!("answered {status}"),
                );
                let fix = match (attempt.outcome, attempt.status) {
                    (AttemptOutcome::Blocked, _) => {
                        "deploy with DeniedHosts that do not deny the receiver; on a laptop, with \
                         DevelopmentAllowedCidrs=127.0.0.0/8, as samconfig.toml has it"
                    }
                    (_, Some(403)) => {
                        "the receiver's URL needs both of its permissions: deploy the template's \
                         own version again with SelfTest=Disabled, and then Enabled"
                    }
                    (_, Some(429)) => {
                        "the receiver is throttled: deploy with a higher EchoReceiverConcurrency. If it \
                         is 0, the account's Lambda concurrency is used up"
                    }
                    (_, Some(404)) => "the receiver does not know this run, or the run is over",
                    _ => "`webhooks deliveries show` has each attempt",
                };
                let status = delivery.status;
                (
                    format!("its delivery is {status}, its last attempt: {outcome}"),
                    fix,
                )
            }
        },
    };
    Outcome::failed(
        format!("{came} of {expected} webhooks arrived: {reason}"),
        fix,
    )
}

/// Checks that the recorded attempts explain all arrivals of a delivery.
pub(super) fn recorded(arrivals: usize, attempts: usize) -> Judgement {
    if arrivals > attempts {
        return fault(
            format!("{arrivals} requests arrived, and {attempts} attempts are recorded"),
            "an attempt that was not recorded was repeated. The cause may be a crash, or a queue \
             that delivers a message twice. If it happens in each run, attach the report to an issue",
        );
    }
    Ok(format!("{arrivals} of {attempts}"))
}

/// Returns the value at this percentile; at 100, the largest value.
pub(super) fn percentile(values: &mut [Duration], percent: usize) -> Option<Duration> {
    values.sort_unstable();
    let index = (values.len() * percent).div_ceil(100).max(1) - 1;
    values.get(index).copied()
}

/// Formats a duration for the report: `1.5 s`.
pub(super) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn failed(outcome: Outcome) -> (String, String) {
        match outcome {
            Outcome::Failed { reason, fix } => (reason, fix),
            other => panic!("{other:?}"),
        }
    }

    fn reason(judgement: Judgement) -> String {
        failed(judgement.unwrap_err()).0
    }

    fn at(seconds: &[f64]) -> Vec<Timestamp> {
        #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
        let millis = |seconds: &f64| Timestamp::from_millis((seconds * 1_000.0) as i64);
        seconds.iter().map(millis).collect()
    }

    fn waits(seconds: &[u64]) -> Vec<Duration> {
        seconds.iter().copied().map(Duration::from_secs).collect()
    }

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    /// Builds a webhook that was signed `age` seconds ago with a secret.
    fn arrival(secret: &str, body: &str, age: i64) -> Arrival {
        let time = crate::clock::now().as_secs() - age;
        let webhook = standardwebhooks::Webhook::new(secret).unwrap();
        let signature = webhook.sign("msg_1", time, body.as_bytes()).unwrap();
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("webhook-id", "msg_1"),
            ("webhook-timestamp", &time.to_string()),
            ("webhook-signature", &signature),
        ] {
            headers.insert(name, HeaderValue::from_str(value).unwrap());
        }
        Arrival {
            headers,
            body: Bytes::from(body.to_owned()),
            at: Timestamp::from_millis(time * 1_000),
        }
    }

    #[test]
    fn a_wrong_secret_is_named() {
        let arrival = arrival(SECRET, "{}", 0);
        assert!(signed(&arrival, &[SECRET]).is_ok());
        let wrong = reason(signed(&arrival, &[OTHER]));
        assert!(wrong.starts_with("the signature does not verify with the secret"));
        let old = reason(signed(&arrival, &[SECRET, OTHER]));
        assert!(old.contains("the old secret"), "{old}");
    }

    #[test]
    fn an_altered_payload_is_named() {
        let sent = json!({"n": 1});
        let body_text = r#"{"type":"t","data":{"n":1}}"#;
        let whole = arrival(SECRET, body_text, 0);
        assert!(body(&whole, body_text, &sent).is_ok());
        let altered = arrival(SECRET, r#"{"type":"t","data":{"n":2}}"#, 0);
        assert!(reason(body(&altered, body_text, &sent)).contains("altered in transit"));
        let other = reason(body(&whole, body_text, &json!({"n": 2})));
        assert!(other.contains("does not contain the event that was put"));
        let mut changed = whole;
        changed.body = Bytes::from_static(b"{}");
        assert!(signed(&changed, &[SECRET]).is_err());
    }

    #[test]
    fn a_duplicate_that_is_delivered_twice_is_named() {
        let one = arrival(SECRET, "{}", 0);
        assert!(once(std::slice::from_ref(&one)).is_ok());
        assert!(reason(once(&[one.clone(), one])).contains("2 times"));
        assert_eq!(reason(once(&[])), "no webhook arrived");
    }

    #[test]
    fn attempts_are_of_one_message_and_each_has_its_own_signature() {
        let (first, second) = (arrival(SECRET, "{}", 4), arrival(SECRET, "{}", 0));
        assert!(one_message(&[first.clone(), second.clone()], "msg_1").is_ok());
        let same = reason(one_message(&[first.clone(), first.clone()], "msg_1"));
        assert!(same.contains("same signature"));
        assert!(
            reason(one_message(std::slice::from_ref(&first), "msg_2")).contains("`msg_1` instead")
        );
        let other = arrival(SECRET, "{ }", 0);
        assert!(reason(one_message(&[first, other], "msg_1")).contains("body differs"));
    }

    #[test]
    fn a_retry_that_comes_too_early_is_named() {
        let due = waits(&[2, 4]);
        assert!(not_too_early(&at(&[0.0, 2.1, 6.2]), &due).is_ok());
        let early = reason(not_too_early(&at(&[0.0, 2.1, 3.2]), &due));
        assert_eq!(
            early,
            "attempt 3 came 1.1 s after the previous one, and was due after 4.0 s"
        );
        let missing = reason(not_too_early(&at(&[0.0, 2.1]), &due));
        assert_eq!(missing, "2 of 3 attempts came");
    }

    #[test]
    fn more_than_the_limit_is_named() {
        assert!(within_rate(&at(&[0.0, 0.1, 1.0, 2.0, 3.0, 4.0]), 1).is_ok());
        let burst = reason(within_rate(&at(&[0.0, 0.1, 0.2, 0.3, 0.4, 0.5]), 1));
        assert!(burst.contains("at a limit of 1 a second"), "{burst}");
        assert!(within_rate(&[], 1).is_ok());
    }

    #[test]
    fn numbers_are_compared_by_their_values() {
        let sent = [
            ("a", "0.10"),
            ("b", "1e-7"),
            ("c", "9007199254740993"),
            ("d", "-0.0"),
        ];
        let same = r#"{"a":0.1,"b":0.0000001,"c":9007199254740993,"d":0}"#;
        assert!(numbers(&sent, same).is_ok());
        let rounded = r#"{"a":0.1,"b":1E-7,"c":9007199254740992,"d":0}"#;
        let warned = |received| match numbers(&sent, received) {
            Err(Outcome::Warned { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(warned(rounded), "9007199254740993 came as 9007199254740992");
        assert!(warned("{}").contains("0.10 came as nothing"));
    }

    #[test]
    fn the_formats_hold_the_same_text() {
        use PayloadFormat::{Detail, Event, Standard};

        let standard = arrival(SECRET, r#"{"type":"t","data":{"n": 1}}"#, 0);
        let event = arrival(SECRET, r#"{"detail":{"n": 1}}"#, 0);
        let detail = arrival(SECRET, r#"{"n": 1}"#, 0);
        let all = [(Standard, &standard), (Event, &event), (Detail, &detail)];
        assert!(same_detail(&all).is_ok());
        let other = arrival(SECRET, r#"{"n":1}"#, 0);
        let differs = reason(same_detail(&[(Standard, &standard), (Detail, &other)]));
        assert!(differs.contains("`standard` and `detail`"));
        let none = reason(same_detail(&[(Event, &standard)]));
        assert!(none.contains("not as documented"));
    }

    #[test]
    fn a_receiver_that_gets_nothing_learns_why() {
        let (none, _) = failed(missing(1, 0, None));
        assert!(none.ends_with("the event became no message"));
        let mut delivery: Delivery = serde_json::from_value(json!({
            "id": "dlv_1", "messageId": "msg_1", "subscriptionId": "sub_1", "customerId": "c",
            "eventType": "t", "payloadFormat": "standard", "status": "pending", "createdAt": "2026-01-01T00:00:00.000Z",
            "attempts": [],
        }))
        .unwrap();
        let (_, idle) = failed(missing(1, 0, Some(&delivery)));
        assert!(idle.contains("event source mappings"), "{idle}");
        for (outcome, status, fix) in [
            ("blocked", None, "DevelopmentAllowedCidrs"),
            ("httpError", Some(403), "permissions"),
            ("httpError", Some(429), "EchoReceiverConcurrency"),
            ("httpError", Some(404), "does not know this run"),
        ] {
            let attempt = json!({
                "number": 1, "at": "2026-01-01T00:00:00.000Z", "durationMs": 1,
                "outcome": outcome, "status": status,
            });
            delivery.attempts = vec![serde_json::from_value(attempt).unwrap()];
            let (reason, fix_text) = failed(missing(2, 1, Some(&delivery)));
            assert!(fix_text.contains(fix), "{fix_text}");
            assert!(reason.starts_with("1 of 2 webhooks arrived"), "{reason}");
        }
    }

    #[test]
    fn more_arrivals_than_recorded_attempts_are_reported() {
        assert!(recorded(2, 2).is_ok() && recorded(0, 1).is_ok());
        assert!(reason(recorded(3, 2)).contains("2 attempts are recorded"));
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let mut values = waits(&[4, 1, 3, 2]);
        let mut of = |percent| percentile(&mut values, percent).unwrap().as_secs();
        assert_eq!((of(50), of(99), of(0)), (2, 4, 1));
        assert_eq!(percentile(&mut [], 50), None);
    }
}
