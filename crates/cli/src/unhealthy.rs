//! `webhooks unhealthy`: the subscriptions that have a problem, with the next step for each.

use crate::terminal::{Cell, Style, Table, Tone};
use anyhow::Result;
use clap::{Args, ValueEnum};
use webhooks_client::{
    Api, CustomerUnhealthyQuery, OwedDeliveries, ProblemKind, UnhealthyQuery, UnhealthySubscription,
};

use crate::Outcome;
use crate::answer::{Listed, Paging};
use crate::print::{Printer, Report};
use crate::when::short;

/// The examples in the help text.
pub(crate) const HELP: &str = "\
Examples:
  webhooks unhealthy
  webhooks unhealthy cust_1001
  webhooks unhealthy --kind disabled --all

The column OWED counts deliveries that are held, or pending after a failed attempt. It looks at the
50 newest that were not delivered; `12+` means at least 12.";

/// Options of `unhealthy`.
#[derive(Args, Debug)]
pub(crate) struct Unhealthy {
    /// Only subscriptions of this customer.
    #[arg(value_name = "CUSTOMER")]
    customer: Option<String>,
    /// Only subscriptions with a problem of this kind.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    #[command(flatten)]
    paging: Paging,
}

/// A kind of problem, as an option.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// The system has disabled it.
    Disabled,
    /// Its circuit breaker is open.
    CircuitOpen,
    /// Every attempt fails.
    Failing,
    /// Its attempts take long.
    Slow,
    /// Deliveries are held because the endpoint is unavailable.
    Holding,
}

impl From<Kind> for ProblemKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Disabled => Self::Disabled,
            Kind::CircuitOpen => Self::CircuitOpen,
            Kind::Failing => Self::Failing,
            Kind::Slow => Self::Slow,
            Kind::Holding => Self::Holding,
        }
    }
}

impl Unhealthy {
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let kind = self.kind.map(ProblemKind::from);
        let page = |limit, cursor| match &self.customer {
            Some(customer) => {
                let query = CustomerUnhealthyQuery {
                    kind,
                    limit,
                    cursor,
                };
                api.unhealthy_subscriptions_of_customer(customer, &query)
            }
            None => api.unhealthy_subscriptions(&UnhealthyQuery {
                kind,
                limit,
                cursor,
            }),
        };
        printer.print(&self.paging.collect(page).await?)?;
        Ok(Outcome::Complete)
    }
}

impl Report for Listed<UnhealthySubscription> {
    fn text(&self, style: Style) -> String {
        let table = || {
            let mut table = Table::new([
                "CUSTOMER",
                "SUBSCRIPTION",
                "PROBLEM",
                "SINCE",
                "OWED",
                "NEXT STEP",
            ]);
            for row in &self.rows {
                let problems = row.problems.iter().map(|problem| words(problem.kind));
                let problems: Vec<_> = problems.collect();
                table.push([
                    row.customer_id.as_str().into(),
                    row.id.as_str().into(),
                    Cell::new(problems.join(", "), tone(row)),
                    short(&row.since).into(),
                    owed(row.owed).into(),
                    next_step(row).into(),
                ]);
            }
            table
        };
        self.text("no unhealthy subscription", table, style)
    }
}

fn words(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::Disabled => "disabled",
        ProblemKind::CircuitOpen => "circuit open",
        ProblemKind::Failing => "failing",
        ProblemKind::Slow => "slow",
        ProblemKind::Holding => "holding",
    }
}

/// The most serious problem, which is the first.
fn worst(row: &UnhealthySubscription) -> Option<ProblemKind> {
    row.problems.first().map(|problem| problem.kind)
}

fn tone(row: &UnhealthySubscription) -> Tone {
    match worst(row) {
        Some(ProblemKind::Slow | ProblemKind::Holding) | None => Tone::Waiting,
        Some(_) => Tone::Bad,
    }
}

fn owed(owed: OwedDeliveries) -> String {
    let more = if owed.complete { "" } else { "+" };
    format!("{}{more}", owed.count)
}

/// The command that shows the cause of the problem, or that ends the problem once its cause is
/// repaired.
fn next_step(row: &UnhealthySubscription) -> String {
    let UnhealthySubscription {
        customer_id, id, ..
    } = row;
    match worst(row) {
        Some(ProblemKind::Disabled) => {
            format!("once repaired: webhooks subscriptions enable {customer_id} {id}")
        }
        Some(ProblemKind::CircuitOpen | ProblemKind::Failing) => {
            format!("webhooks undelivered {customer_id} {id}")
        }
        // Its circuit breaker has closed: a recovery sends what is held.
        Some(ProblemKind::Holding) => format!("webhooks recoveries list {customer_id} {id}"),
        Some(ProblemKind::Slow) | None => {
            format!("webhooks deliveries list {customer_id} --subscription {id}")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(problems: &[&str], complete: bool) -> UnhealthySubscription {
        let since = "2026-01-01T00:00:00.000Z";
        let problem = |kind| json!({"kind": kind, "since": since});
        serde_json::from_value(json!({
            "id": "sub_1", "customerId": "acme", "url": "https://example.com/",
            "status": "active", "since": since, "owed": {"count": 12, "complete": complete},
            "problems": problems.iter().map(problem).collect::<Vec<_>>(),
        }))
        .unwrap()
    }

    #[test]
    fn the_next_step_follows_from_the_most_serious_problem() {
        let step = |problems: &[&str]| next_step(&row(problems, true));
        let enable = "once repaired: webhooks subscriptions enable acme sub_1";
        assert_eq!(step(&["disabled", "failing"]), enable);
        let undelivered = "webhooks undelivered acme sub_1";
        assert_eq!(step(&["circuitOpen", "slow"]), undelivered);
        assert_eq!(step(&["failing"]), undelivered);
        let all = "webhooks deliveries list acme --subscription sub_1";
        assert_eq!(step(&["slow"]), all);
        assert_eq!(step(&["failing", "holding"]), undelivered);
        let recoveries = "webhooks recoveries list acme sub_1";
        assert_eq!(step(&["holding"]), recoveries);
    }

    #[test]
    fn an_incomplete_count_is_a_lower_bound() {
        assert_eq!(owed(row(&["slow"], true).owed), "12");
        assert_eq!(owed(row(&["slow"], false).owed), "12+");
    }
}
