//! `NotifyContacts`: sends warnings to the contacts of customers by e-mail.
//!
//! A queue collects the operational events `subscription.warning`. All warnings of a batch that are
//! about one customer become one message for each of its contacts. Each contact gets a message of
//! its own, so that an address that SES refuses affects no other, and nobody sees another's address.
//!
//! Sending is at-least-once. If SES is unavailable in the middle of a customer's messages, all of
//! its warnings go back to the queue, and the contacts that already have the message get it again.

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
    NotifyContactsConfig, SystemClock, aws_config, end_of_invocation, start, with_sources,
};
use webhooks_sqs::batch::{Batch, BatchItemFailure, BatchResponse};

use crate::digest::{Digest, digests};
use crate::mailer::{Mailer, SendError, SesMailer};
use crate::text::Texts;

/// The longest time for one message, with the retries of the client, and for the answer.
const TIME_FOR_A_MESSAGE: Duration = Duration::from_secs(15);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = start::<NotifyContactsConfig>()?;
    let aws = aws_config().await;
    let texts = &Texts {
        service: config.service,
        portal: config.portal_url,
    };
    let mailer = &SesMailer::new(&aws, config.sender, config.configuration_set);
    run(service_fn(async |event: LambdaEvent<Batch>| {
        let end = end_of_invocation(&event.context) - TIME_FOR_A_MESSAGE;
        Ok::<_, Diagnostic>(handle(event.payload, mailer, texts, &SystemClock, end).await)
    }))
    .await
}

/// Sends the messages of a batch. No message is begun after `end`.
async fn handle<M: Mailer, C: Clock>(
    batch: Batch,
    mailer: &M,
    texts: &Texts,
    clock: &C,
    end: Timestamp,
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
        if send(&digest, mailer, texts, clock, end).await == Sent::Not {
            failed.extend(digest.messages);
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
    Done,
    Not,
}

/// Sends a digest to each contact. It is done with if SES has accepted the message of one contact
/// and has no temporary problem with another's.
async fn send<M: Mailer, C: Clock>(
    digest: &Digest,
    mailer: &M,
    texts: &Texts,
    clock: &C,
    end: Timestamp,
) -> Sent {
    let (mut accepted, mut refused) = (0_u32, 0_u32);
    for contact in &digest.contacts {
        if clock.now() >= end {
            warn!(customer.id = %digest.customer, "no time was left for a message to a contact");
            return Sent::Not;
        }
        match mailer.send(&texts.message(digest, contact)).await {
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
                error!(
                    customer.id = %digest.customer,
                    error = with_sources(&failure),
                    "a message to a contact was not sent; the warnings go back to the queue"
                );
                return Sent::Not;
            }
        }
    }
    let warnings = digest.warnings.len();
    info!(customer.id = %digest.customer, warnings, accepted, refused, "contacts notified");
    if accepted == 0 && refused > 0 {
        return Sent::Not;
    }
    Sent::Done
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::{Value, json};
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
        let recorder = Recorder::default();
        let texts = Texts {
            service: None,
            portal: None,
        };
        let response = handle(batch(bodies), &recorder, &texts, &At(NOW), end).await;
        let sent = recorder.0.into_inner().unwrap().into_iter();
        let sent = sent.map(|message| (message.to.as_str().to_owned(), message.text));
        let failed = response.batch_item_failures.into_iter();
        let mut failed: Vec<_> = failed.map(|failure| failure.item_identifier).collect();
        failed.sort();
        (sent.collect(), failed)
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
            event("c", 3, &["down@example.com"]).to_string(),
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
    async fn what_has_no_time_left_goes_back_to_the_queue() {
        let bodies = [event("acme", 1, &["ops@example.com"]).to_string()];
        let (sent, failed) = handled(&bodies, NOW).await;
        assert!(sent.is_empty());
        assert_eq!(failed, ["m0"]);
    }
}
