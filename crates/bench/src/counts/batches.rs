//! The batches of a case: deliveries are chosen so that each run writes statistics as often.

use anyhow::{Context, Result};
use serde_json::Value;
use webhooks_domain::{ids::DeliveryId, statistics::is_sampled};

use super::case::{BATCH, FIRST_STEPS, MORE_STEPS};
use crate::workload;

/// Of this many batches, one has a success that the statistics count, as in the long run: one of
/// `ATTEMPTS_PER_SAMPLE` successes.
const STEPS_PER_SAMPLE: usize = 10 / BATCH;

/// Returns the inputs of the steps. The ids of deliveries are random, and decide which successes
/// the statistics count, each with a write. So the deliveries are put in an order in which their
/// share is exact.
pub(super) fn batches(bodies: &[String]) -> Result<Vec<String>> {
    let mut counted = Vec::new();
    let mut others = Vec::new();
    for body in bodies {
        if is_sampled(&delivery(body)?, 1) {
            counted.push(body);
        } else {
            others.push(body);
        }
    }
    let (mut counted, mut others) = (counted.into_iter(), others.into_iter());
    (0..FIRST_STEPS + MORE_STEPS)
        .map(|step| {
            let is_sample = step >= FIRST_STEPS && step.is_multiple_of(STEPS_PER_SAMPLE);
            let first = if is_sample { &mut counted } else { &mut others };
            let first = first.next();
            let bodies = first.into_iter().chain(others.by_ref().take(BATCH - 1));
            let bodies: Vec<_> = bodies.map(String::as_str).collect();
            anyhow::ensure!(bodies.len() == BATCH, "too few deliveries for step {step}");
            Ok(workload::batch(bodies))
        })
        .collect()
}

/// Reads the delivery of a queue message.
fn delivery(body: &str) -> Result<DeliveryId> {
    let body: Value = serde_json::from_str(body)?;
    let id = body["deliveryId"].as_str().context("no delivery")?;
    Ok(id.parse()?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use webhooks_domain::{
        ids::{MessageId, SubscriptionId},
        statistics::ATTEMPTS_PER_SAMPLE,
    };

    use super::*;

    #[test]
    fn one_delivery_of_ten_is_counted_by_the_statistics() {
        let subscription: SubscriptionId = format!("sub_{:032x}", 7).parse().unwrap();
        let bodies: Vec<_> = (0..200)
            .map(|number| {
                let message: MessageId = format!("msg_{number:032x}").parse().unwrap();
                let delivery = DeliveryId {
                    message,
                    subscription,
                };
                json!({ "deliveryId": delivery.to_string() }).to_string()
            })
            .collect();
        let batches = batches(&bodies).unwrap();
        let counted: Vec<usize> = batches.iter().map(|batch| of_the_sample(batch)).collect();
        assert_eq!(counted[..FIRST_STEPS], [0; FIRST_STEPS]);
        assert!(counted.iter().all(|&number| number <= 1), "{counted:?}");
        let share = counted.iter().sum::<usize>() as u64 * ATTEMPTS_PER_SAMPLE;
        assert_eq!(share, (MORE_STEPS * BATCH) as u64);
        assert!(super::batches(&bodies[..20]).is_err());
    }

    fn of_the_sample(batch: &str) -> usize {
        let batch: Value = serde_json::from_str(batch).unwrap();
        let records = batch["Records"].as_array().unwrap().iter();
        let ids = records.map(|record| delivery(record["body"].as_str().unwrap()).unwrap());
        ids.filter(|id| is_sampled(id, 1)).count()
    }
}
