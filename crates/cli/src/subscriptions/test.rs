//! `webhooks subscriptions test`.

use anyhow::Result;
use clap::Args;
use webhooks_client::{Api, DeliveryStatus};

use super::Named;
use crate::Outcome;
use crate::answer::send;
use crate::deliveries::show::text;
use crate::print::Printer;

pub(super) const HELP: &str = "\
Examples:
  webhooks subscriptions test cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4
  webhooks subscriptions test cust_1001 sub_70e79b2df96dcca5a0a362236c8d86f4 --event-type order.created

The attempt is made at once and is not retried. It is also made while the subscription is
paused. The exit code is 1 if the endpoint did not answer 200 to 299.";

/// Options of `subscriptions test`.
#[derive(Args, Debug)]
pub(crate) struct Test {
    #[command(flatten)]
    named: Named,
    /// The type of the example event [default: webhook.test].
    #[arg(long, value_name = "TYPE")]
    event_type: Option<String>,
}

impl Test {
    pub(super) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let Named {
            customer,
            subscription,
        } = &self.named;
        let event_type = self.event_type.as_deref();
        let delivery = send(api.test_subscription(customer, subscription, event_type)).await?;
        printer.answer(&delivery, text)?;
        Ok(if delivery.value.status == DeliveryStatus::Succeeded {
            Outcome::Complete
        } else {
            Outcome::Incomplete
        })
    }
}
