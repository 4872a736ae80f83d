//! The part `functions`: CPU of an event in `look-up-subscriptions` and `prepare-calls`.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::{
    function::Function,
    report::{Part, Table, Unit, cell},
    setup::{Programs, Setup},
    stats::{Measured, micros, ratios},
    workload::{Subscriber, event},
};

const EVENT_TYPE: &str = "order.created";

/// One customer: the number of its subscriptions, and which of them match the event.
pub(crate) struct Customer {
    id: &'static str,
    pub(crate) subscriptions: usize,
    wants: Wants,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// The first one matches by its event type; the others name another type.
    OneByType,
    /// The first one matches by its filter; the filters of the others do not match.
    OneByFilter,
    /// All of them match.
    All,
    /// The first one matches by its filter. Together they use about the permitted 1 MB per
    /// customer.
    OneOfMegabyte,
}

pub(crate) const CUSTOMERS: [Customer; 9] = [
    Customer {
        id: "one",
        subscriptions: 1,
        wants: Wants::All,
    },
    Customer {
        id: "one-filter",
        subscriptions: 1,
        wants: Wants::OneByFilter,
    },
    Customer {
        id: "hundred",
        subscriptions: 100,
        wants: Wants::OneByType,
    },
    Customer {
        id: "hundred-filters",
        subscriptions: 100,
        wants: Wants::OneByFilter,
    },
    Customer {
        id: "hundred-all",
        subscriptions: 100,
        wants: Wants::All,
    },
    Customer {
        id: "thousand",
        subscriptions: 1_000,
        wants: Wants::OneByType,
    },
    Customer {
        id: "thousand-filters",
        subscriptions: 1_000,
        wants: Wants::OneByFilter,
    },
    Customer {
        id: "thousand-all",
        subscriptions: 1_000,
        wants: Wants::All,
    },
    Customer {
        id: "bound",
        subscriptions: 1_000,
        wants: Wants::OneOfMegabyte,
    },
];

/// The length that makes a thousand subscriptions use the permitted size.
const MEGABYTE_DESCRIPTION: usize = 300;

/// The number of rounds. Each round has events for every customer.
const ROUNDS: usize = 9;

impl Customer {
    /// Returns the number of events in a round: fewer if an event takes longer.
    fn events(&self) -> usize {
        (600 / self.subscriptions).clamp(4, 100)
    }

    /// Returns true if its events are counted: with one subscription, and with a page of
    /// subscriptions that all have a filter or all match.
    pub(crate) fn is_counted(&self) -> bool {
        matches!(self.id, "one" | "hundred-filters" | "hundred-all")
    }

    fn wanted(&self) -> usize {
        if self.wants == Wants::All {
            self.subscriptions
        } else {
            1
        }
    }

    pub(crate) fn title(&self) -> String {
        let wants = match (self.wants, self.subscriptions) {
            (Wants::OneByFilter, 1) => "with a filter",
            (Wants::OneByFilter, _) => "each with a filter, one matches",
            (Wants::OneOfMegabyte, _) => "of 1 MB together, each with a filter, one matches",
            (Wants::OneByType, _) => "one of the event's type",
            (Wants::All, 1) => "it matches",
            (Wants::All, _) => "all match",
        };
        format!("{} subscriptions, {wants}", self.subscriptions)
    }
}

/// The measurements of one customer.
struct Row {
    customer: &'static Customer,
    /// The CPU time of a whole event, all pages included.
    look_up: Vec<f64>,
    prepare: Vec<f64>,
    pages: usize,
    bytes: usize,
}

/// Runs the part.
pub(crate) async fn run(programs: &Programs, quick: bool) -> Result<Part> {
    let mut part = Part::new("functions", "The other functions", quick)?;
    part.how(
        "CPU time of `look-up-subscriptions` and `prepare-calls` for one event of 1 KB with \
         all of its pages. A stub of DynamoDB answers immediately, over TLS. The real `api` \
         created the subscriptions. Each round has events for every customer. Ratios compare \
         with the first line within a round.",
    );
    let setup = Setup::start(programs).await?;
    eprintln!("functions: creating subscriptions");
    subscribe(&setup).await?;
    let mut look_up = Function::start(&setup.surroundings, "look-up-subscriptions").await?;
    let mut prepare = Function::start(&setup.surroundings, "prepare-calls").await?;
    let mut rows: Vec<Row> = CUSTOMERS.iter().map(Row::new).collect();
    let rounds = if quick { 3 } else { ROUNDS };
    for round in 0..=rounds {
        eprintln!("functions: round {round} of {rounds}");
        for row in &mut rows {
            let run = row.run(&mut look_up, &mut prepare, round).await?;
            if round > 0 {
                row.look_up.push(run.0);
                row.prepare.push(run.1);
            }
        }
    }
    let mut table = Table::new(
        "CPU of one event",
        &[
            "customer",
            "look-up ÷ first",
            "look-up",
            "prepare ÷ first",
            "prepare",
            "pages",
            "largest output",
        ],
    );
    let (first_look_up, first_prepare) = (rows[0].look_up.clone(), rows[0].prepare.clone());
    for row in &rows {
        let to_first = ratios(&row.look_up, &first_look_up);
        let prepare_to_first = ratios(&row.prepare, &first_prepare);
        table.row([
            row.customer.title(),
            cell(to_first, Unit::Ratio),
            cell(Measured::of(&row.look_up), Unit::Micros),
            cell(prepare_to_first, Unit::Ratio),
            cell(Measured::of(&row.prepare), Unit::Micros),
            row.pages.to_string(),
            format!("{} bytes", row.bytes),
        ]);
    }
    part.tables.push(table);
    Ok(part)
}

/// Creates the subscriptions of all customers.
pub(crate) async fn subscribe(setup: &Setup) -> Result<()> {
    let mut subscriber = Subscriber::start(&setup.surroundings).await?;
    for customer in &CUSTOMERS {
        for number in 0..customer.subscriptions {
            let is_wanted = number < customer.wanted();
            let event_type = match customer.wants {
                Wants::OneByType if !is_wanted => "invoice.paid",
                _ => EVENT_TYPE,
            };
            let mut subscription = json!({
                "url": format!("https://receiver.example.com/webhooks/{number}"),
                "eventTypes": [event_type],
            });
            if matches!(customer.wants, Wants::OneByFilter | Wants::OneOfMegabyte) {
                let bound = if is_wanted { 0 } else { 1_000_000_000 + number };
                subscription["filter"] = json!({
                    "total": [{"numeric": [">=", bound]}],
                    "lines": {"sku": [{"prefix": "SKU-"}]},
                });
            }
            if customer.wants == Wants::OneOfMegabyte {
                subscription["description"] = json!("x".repeat(MEGABYTE_DESCRIPTION));
            }
            subscriber.create(customer.id, &subscription).await?;
        }
    }
    Ok(())
}

/// Looks up all pages of an event. Returns the function's inputs and the pages.
pub(crate) async fn pages(
    look_up: &mut Function,
    customer: &Customer,
    number: usize,
) -> Result<(Vec<String>, Vec<String>)> {
    let (mut inputs, mut pages) = (Vec::new(), Vec::new());
    let mut input = event(customer.id, EVENT_TYPE, number);
    loop {
        inputs.push(input.to_string());
        let page = look_up.invoke(input.to_string()).await?;
        pages.push(String::from_utf8(page.body.to_vec())?);
        let mut page: Value = serde_json::from_slice(&page.body)?;
        if page["cursor"].is_null() {
            return Ok((inputs, pages));
        }
        // In the form in which the state machine passes it on.
        input =
            json!({"payload": page["message"]["payload"].take(), "cursor": page["cursor"].take()});
    }
}

impl Row {
    fn new(customer: &'static Customer) -> Self {
        Self {
            customer,
            look_up: Vec::new(),
            prepare: Vec::new(),
            pages: 0,
            bytes: 0,
        }
    }

    /// Measures the CPU time of one event in both functions, in microseconds.
    async fn run(
        &mut self,
        look_up: &mut Function,
        prepare: &mut Function,
        round: usize,
    ) -> Result<(f64, f64)> {
        let events = self.customer.events();
        let mut pages = Vec::new();
        let before = look_up.process.cpu_time()?;
        for number in 0..events {
            let found = self::pages(look_up, self.customer, round * 1_000 + number).await?;
            pages.extend(found.1);
        }
        let look_up_took = look_up.process.cpu_time_since(before)?;
        self.pages = pages.len() / events;
        let before = prepare.process.cpu_time()?;
        let mut calls = 0;
        for page in pages {
            let answer = prepare.invoke(page).await?;
            self.bytes = self.bytes.max(answer.body.len());
            let answer: Value = serde_json::from_slice(&answer.body)?;
            calls += answer["calls"].as_array().context("no calls")?.len();
        }
        let prepare_took = prepare.process.cpu_time_since(before)?;
        let wanted = self.customer.wanted() * events;
        ensure!(
            calls == wanted,
            "{}: {calls} calls, {wanted} wanted",
            self.customer.id
        );
        #[expect(clippy::cast_precision_loss, reason = "at most a hundred")]
        let each = |took| micros(took) / events as f64;
        Ok((each(look_up_took), each(prepare_took)))
    }
}
