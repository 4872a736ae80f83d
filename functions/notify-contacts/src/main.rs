//! `NotifyContacts`: sends warnings to the contacts of customers by e-mail.
//!
//! A queue collects the operational events `subscription.warning`. All warnings of a batch that are
//! about one customer become one message for each of its contacts. Each contact gets a message of
//! its own, so that an address that SES refuses affects no other, and nobody sees another's address.
//!
//! A problem with one contact stops no other. If SES accepts the message of at least one contact, the
//! warnings are done with, and those whom it could not take are counted as not told: a repetition
//! would repeat the message to the others. If it accepts none, the warnings go back to the queue. So
//! a message is repeated only if an answer was lost, of SES or of this function.

mod digest;
mod mailer;
mod text;
mod warning;

use std::time::Duration;

use lambda_runtime::{Diagnostic, LambdaEvent, run, service_fn};
use tracing::{error, info, warn};
use webhooks_domain::ports::Clock;
use webhooks_domain::timestamp::Timestamp;
use webhooks_lambda::{
    Metric, Metrics, NotifyContactsConfig, SystemClock, aws_config, end_of_invocation, start,
    with_sources,
};
use webhooks_sqs::batch::{Batch, BatchItemFailure, BatchResponse};

use crate::digest::{Digest, digests};
use crate::mailer::{Mailer, SendError, SesMailer, TIME_FOR_ALL_TRIES};
use crate::text::Texts;

/// The time for one message and for the answer.
const TIME_FOR_A_MESSAGE: Duration = Duration::from_secs(TIME_FOR_ALL_TRIES.as_secs() + 1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = start::<NotifyContactsConfig>()?;
    let aws = aws_config().await;
    let texts = &Texts {
        service: config.service,
        portal: config.portal_url,
    };
    let mailer = &SesMailer::new(&aws, config.sender, config.configuration_set);
    let metrics = &Metrics::new(config.function_name, config.monitoring);
    run(service_fn(async |event: LambdaEvent<Batch>| {
        let end = end_of_invocation(&event.context) - TIME_FOR_A_MESSAGE;
        let sending = Sending {
            mailer,
            texts,
            clock: &SystemClock,
            end,
        };
        let response = handle(event.payload, &sending, metrics).await;
        metrics.write();
        Ok::<_, Diagnostic>(response)
    }))
    .await
}

/// The means of sending the messages of a batch.
struct Sending<'a, M, C> {
    mailer: &'a M,
    texts: &'a Texts,
    clock: &'a C,
    /// No message is begun after this time.
    end: Timestamp,
}

/// Sends the messages of a batch.
async fn handle<M: Mailer, C: Clock>(
    batch: Batch,
    sending: &Sending<'_, M, C>,
    metrics: &Metrics,
) -> BatchResponse {
    let (digests, unreadable) = digests(batch.records);
    let mut failed = Vec::new();
    for (message_id, failure) in unreadable {
        error!(
            sqs.message_id = message_id,
            error = with_sources(&failure),
            "a warning is not understood and stays in the queue"
        );
        failed.push(message_id);
    }
    for digest in digests {
        match send(&digest, sending).await {
            Sent::Done { not_reached } => metrics.count(Metric::ContactsNotReached, not_reached),
            Sent::Not => failed.extend(digest.messages),
        }
    }
    let failures = failed
        .into_iter()
        .map(|item_identifier| BatchItemFailure { item_identifier });
    BatchResponse {
        batch_item_failures: failures.collect(),
    }
}

/// The fate of the warnings of a digest.
#[derive(Debug, PartialEq, Eq)]
enum Sent {
    /// They are done with.
    Done {
        /// The number of contacts whose message SES could not take, while it took another's.
        not_reached: u64,
    },
    /// No contact was told. They go back to the queue.
    Not,
}

/// Sends a digest to each contact. It is done with if SES has accepted the message of one contact,
/// or if there is no contact.
async fn send<M: Mailer, C: Clock>(digest: &Digest, sending: &Sending<'_, M, C>) -> Sent {
    let (mut accepted, mut refused, mut not_reached) = (0_u64, 0_u64, 0_u64);
    for contact in &digest.contacts {
        if sending.clock.now() >= sending.end {
            not_reached += 1;
            warn!(customer.id = %digest.customer, "no time was left for a message to a contact");
            continue;
        }
        let message = sending.texts.message(digest, contact);
        match sending.mailer.send(&message).await {
            Ok(()) => accepted += 1,
            Err(failure @ SendError::Refused { .. }) => {
                refused += 1;
                warn!(
                    customer.id = %digest.customer,
                    error = with_sources(&failure),
                    "a message to a contact was refused"
                );
            }
            Err(failure @ SendError::Unavailable { .. }) => {
                not_reached += 1;
                warn!(
                    customer.id = %digest.customer,
                    error = with_sources(&failure),
                    "a message to a contact was not sent"
                );
            }
        }
    }
    if accepted == 0 && refused + not_reached > 0 {
        error!(
            customer.id = %digest.customer,
            refused,
            not_reached,
            "no contact was told; the warnings go back to the queue"
        );
        return Sent::Not;
    }
    if not_reached > 0 {
        error!(
            customer.id = %digest.customer,
            not_reached,
            "some contacts were not told, and are not told again"
        );
    }
    let warnings = digest.warnings.len();
    info!(customer.id = %digest.customer, warnings, accepted, refused, "contacts notified");
    Sent::Done { not_reached }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::{Value, json};
    use webhooks_lambda::Monitoring;
    use webhooks_sqs::batch::Record;

    use super::*;
    use crate::mailer::Message;

    /// Refuses and fails by the address.
    #[derive(Default)]
    struct Recorder(Mutex<Vec<Message>>);

    impl Mailer for Recorder {
        async fn send(&self, message: &Message) -> Result<(), SendError> {
            let address = message.to.as_str();
            if address.starts_with("refused") {
                return Err(SendError::Refused {
                    code: "MessageRejected".to_owned(),
                });
            }
            if address.starts_with("down") {
                let source = std::io::Error::other("no network").into();
                return Err(SendError::Unavailable { source });
            }
            self.0.lock().unwrap().push(message.clone());
            Ok(())
        }
    }

    struct At(Timestamp);

    impl Clock for At {
        fn now(&self) -> Timestamp {
            self.0
        }
    }

    const NOW: Timestamp = Timestamp::from_millis(1_795_461_722_000);

    fn event(customer: &str, subscription: u32, contacts: &[&str]) -> Value {
        let sample = include_str!("../../../events/operational/subscription.warning.json");
        let mut event: Value = serde_json::from_str(sample).unwrap();
        event["detail"]["customerId"] = json!(customer);
        event["detail"]["subscriptionId"] = json!(format!("sub_{subscription:032x}"));
        event["detail"]["contacts"] = json!(contacts);
        event
    }

    fn batch(bodies: &[String]) -> Batch {
        let records = bodies.iter().enumerate().map(|(position, body)| {
            let record = json!({"messageId": format!("m{position}"), "body": body});
            serde_json::from_value::<Record>(record).unwrap()
        });
        Batch {
            records: records.collect(),
        }
    }

    async fn handled(bodies: &[String], end: Timestamp) -> (Vec<(String, String)>, Vec<String>) {
        let (sent, failed, _) = handled_with_metrics(bodies, end).await;
        (sent, failed)
    }

    async fn handled_with_metrics(
        bodies: &[String],
        end: Timestamp,
    ) -> (Vec<(String, String)>, Vec<String>, Option<Value>) {
        let recorder = Recorder::default();
        let texts = Texts {
            service: None,
            portal: None,
        };
        let metrics = Metrics::new("notify", Monitoring::Full);
        let sending = Sending {
            mailer: &recorder,
            texts: &texts,
            clock: &At(NOW),
            end,
        };
        let response = handle(batch(bodies), &sending, &metrics).await;
        let line = metrics.take(NOW);
        let line = line.map(|line| serde_json::from_str(&line).unwrap());
        let sent = recorder.0.into_inner().unwrap().into_iter();
        let sent = sent.map(|message| (message.to.as_str().to_owned(), message.text));
        let failed = response.batch_item_failures.into_iter();
        let mut failed: Vec<_> = failed.map(|failure| failure.item_identifier).collect();
        failed.sort();
        (sent.collect(), failed, line)
    }

    const LATER: Timestamp = Timestamp::from_millis(1_795_461_723_000);

    #[tokio::test]
    async fn all_warnings_of_a_customer_are_one_message_for_each_contact() {
        let contacts = ["ops@example.com", "dev@example.com"];
        let mut bodies: Vec<_> = (1..=3)
            .map(|number| event("acme", number, &contacts).to_string())
            .collect();
        bodies.push(event("other", 4, &["other@example.com"]).to_string());
        // A duplicate.
        bodies.push(bodies[0].clone());
        let (sent, failed) = handled(&bodies, LATER).await;
        let to: Vec<_> = sent.iter().map(|(to, _)| to.as_str()).collect();
        assert_eq!(
            to,
            ["ops@example.com", "dev@example.com", "other@example.com"]
        );
        let [one, two, three] = [1, 2, 3].map(|number| format!("sub_{number:032x}"));
        for (_, text) in &sent[..2] {
            for subscription in [&one, &two, &three] {
                assert_eq!(text.matches(subscription.as_str()).count(), 1, "{text}");
            }
            assert!(!text.contains("other"), "{text}");
        }
        assert!(failed.is_empty(), "{failed:?}");
    }

    #[tokio::test]
    async fn a_poison_event_or_address_stops_no_other() {
        let bodies = [
            "not JSON".to_owned(),
            json!({"detail-type": "subscription.failing", "detail": {}}).to_string(),
            event("a", 1, &["refused@example.com", "ops@example.com"]).to_string(),
            event(
                "b",
                2,
                &["a@b.c\r\nBcc: victim@example.com", "b@example.com"],
            )
            .to_string(),
            event("c", 3, &["down@example.com", "refused@example.com"]).to_string(),
            event("d", 4, &["refused@example.com"]).to_string(),
            event("e", 5, &[]).to_string(),
            event("f", 6, &["f@example.com"]).to_string(),
        ];
        let (sent, failed) = handled(&bodies, LATER).await;
        let to: Vec<_> = sent.iter().map(|(to, _)| to.as_str()).collect();
        assert_eq!(to, ["ops@example.com", "b@example.com", "f@example.com"]);
        // Neither the unknown events, nor what SES cannot take now, nor what it refuses for all.
        assert_eq!(failed, ["m0", "m1", "m4", "m5"]);
    }

    #[tokio::test]
    async fn a_contact_whom_ses_cannot_take_silences_no_other_and_repeats_no_message() {
        let contacts = ["down@example.com", "ops@example.com", "down2@example.com"];
        let bodies = [
            event("acme", 1, &contacts).to_string(),
            event("other", 2, &["down@example.com"]).to_string(),
        ];
        let (sent, failed, metrics) = handled_with_metrics(&bodies, LATER).await;
        let to: Vec<_> = sent.iter().map(|(to, _)| to.as_str()).collect();
        assert_eq!(to, ["ops@example.com"]);
        assert_eq!(failed, ["m1"], "only if nobody was told");
        assert_eq!(metrics.unwrap()["ContactsNotReached"], 2);
    }

    #[tokio::test]
    async fn the_contacts_of_all_warnings_get_one_message_each() {
        let all: Vec<_> = (0..8).map(|n| format!("{n}@example.com")).collect();
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        let cases: [(&[&[&str]], &[&str]); 5] = [
            // The customer of the last warning could not be read.
            (&[&all[..1], &[]], &all[..1]),
            (&[&[], &all[..1]], &all[..1]),
            (
                &[&["Ops@example.com"], &["ops@example.com"]],
                &["ops@example.com"],
            ),
            (&[&all[1..2], &all[..1]], &all[..2]),
            // At most as many as a customer may have, those of the last warning first.
            (&[&all[4..8], &all[..4]], &all[..5]),
        ];
        for (lists, expected) in cases {
            let bodies: Vec<_> = (1..)
                .zip(lists)
                .map(|(number, contacts)| event("acme", number, contacts).to_string())
                .collect();
            let (sent, failed) = handled(&bodies, LATER).await;
            let to: Vec<_> = sent.iter().map(|(to, _)| to.as_str()).collect();
            assert_eq!(to, expected, "{lists:?}");
            for (_, text) in &sent {
                assert!(text.contains("\n2. "), "both warnings: {text}");
            }
            assert!(failed.is_empty(), "{failed:?}");
        }
    }

    #[tokio::test]
    async fn what_has_no_time_left_goes_back_to_the_queue() {
        let bodies = [event("acme", 1, &["ops@example.com"]).to_string()];
        let (sent, failed) = handled(&bodies, NOW).await;
        assert!(sent.is_empty());
        assert_eq!(failed, ["m0"]);
    }
}
