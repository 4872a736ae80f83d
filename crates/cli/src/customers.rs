//! `webhooks customers`: the customers that have or had a subscription.

use crate::ask::Yes;
use crate::terminal::{Cell, Style, Table, Tone};
use anyhow::Result;
use clap::{Args, Subcommand};
use webhooks_client::{
    Api, Contact, Customer, CustomerPatch, CustomersQuery, NewCustomer, WholeNumber,
};

use crate::answer::{Listed, Paging, send, show};
use crate::body::Body;
use crate::input::{map_patch, pair};
use crate::print::{Facts, Printer, Report};
use crate::subscriptions::IfVersion;
use crate::when::short;
use crate::{Outcome, require_a_field};

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the customers that have or had a subscription, in the order of their ids.
    #[command(after_help = "\
Examples:
  webhooks customers list
  webhooks --json customers list --all | jq -r '.data[].id'")]
    List(List),
    /// Show a customer and the number of its subscriptions.
    #[command(after_help = "\
Example:
  webhooks customers show cust_1001")]
    Show(Named),
    /// Set all fields of a customer: name, metadata and limits. A field that is not given is
    /// removed. The customer is created if it does not exist.
    #[command(after_help = "\
Example:
  webhooks customers put cust_1001 --name 'Example Ltd' --metadata plan=gold")]
    Put(Put),
    /// Change the given fields of a customer.
    #[command(after_help = "\
Examples:
  webhooks customers update cust_1001 --name 'Example Ltd'
  webhooks customers update cust_1001 --metadata plan=gold --remove-metadata trial --if-version 3
  webhooks customers update cust_1001 --contact ops@example.com --contact dev@example.com
  webhooks customers update cust_1001 --remove name")]
    Update(Update),
    /// Delete a customer and all its data: subscriptions, messages, deliveries. It runs in the
    /// background; `customers show` shows the progress.
    #[command(after_help = "\
Examples:
  webhooks customers delete cust_1001
  webhooks customers delete cust_1001 --yes --if-version 3")]
    Delete(Delete),
}

/// Options of `customers list`.
#[derive(Args, Debug)]
pub(crate) struct List {
    #[command(flatten)]
    paging: Paging,
}

/// One customer.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// The customer.
    #[arg(value_name = "CUSTOMER")]
    customer: String,
}

/// The fields of a customer.
#[derive(Args, Debug)]
#[command(next_help_heading = "Fields")]
struct Fields {
    /// A name for people.
    #[arg(long)]
    name: Option<String>,
    /// A name and a value for your own use. Repeatable.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// The largest number of its subscriptions, in place of the stack's.
    #[arg(long, value_name = "COUNT")]
    max_subscriptions: Option<u32>,
    /// The largest number of webhooks a second to all of its subscriptions together.
    #[arg(long, value_name = "COUNT")]
    rate_limit_per_second: Option<u32>,
    /// The e-mail address of a person who is told about failing endpoints. Repeatable; all others
    /// are removed.
    #[arg(long = "contact", value_name = "ADDRESS")]
    contacts: Vec<String>,
}

/// Options of `customers put`.
#[derive(Args, Debug)]
pub(crate) struct Put {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    if_version: IfVersion,
    #[command(flatten)]
    fields: Fields,
}

/// Options of `customers update`.
#[derive(Args, Debug)]
pub(crate) struct Update {
    #[command(flatten)]
    named: Named,
    /// Remove a field. Repeatable.
    #[arg(long, value_name = "FIELD", value_parser = ["name", "metadata", "maxSubscriptions", "rateLimitPerSecond", "contacts"])]
    remove: Vec<String>,
    /// Remove one name of the metadata. Repeatable.
    #[arg(long = "remove-metadata", value_name = "NAME")]
    remove_metadata: Vec<String>,
    #[command(flatten)]
    if_version: IfVersion,
    #[command(flatten)]
    fields: Fields,
}

/// Options of `customers delete`.
#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    yes: Yes,
    #[command(flatten)]
    if_version: IfVersion,
}

impl Command {
    /// Runs the command and prints its result.
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        match self {
            Self::List(List { paging }) => {
                let page = |limit, cursor| api.customers(&CustomersQuery { limit, cursor });
                printer.print(&paging.collect(page).await?)?;
            }
            Self::Show(Named { customer }) => show(api.customer(customer), printer, text).await?,
            Self::Put(put) => {
                let call = api.put_customer(&put.named.customer, &put.body());
                let written = send(put.if_version.guard(call)).await?;
                printer.answer(&written, text)?;
            }
            Self::Update(update) => update.run(api, printer).await?,
            Self::Delete(delete) => return delete.run(api, printer).await,
        }
        Ok(Outcome::Complete)
    }
}

impl Fields {
    /// The contacts, if one is given.
    fn contacts(&self) -> Option<Vec<String>> {
        (!self.contacts.is_empty()).then(|| self.contacts.clone())
    }
}

impl Put {
    fn body(&self) -> NewCustomer {
        let metadata = &self.fields.metadata;
        NewCustomer {
            name: self.fields.name.clone(),
            metadata: (!metadata.is_empty()).then(|| metadata.iter().cloned().collect()),
            max_subscriptions: self.fields.max_subscriptions.map(WholeNumber),
            rate_limit_per_second: self.fields.rate_limit_per_second.map(WholeNumber),
            contacts: self.fields.contacts(),
        }
    }
}

impl Update {
    async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<()> {
        let changes = self.changes()?;
        require_a_field(&changes, "--name")?;
        let call = api.update_customer(&self.named.customer, &changes);
        let customer = send(self.if_version.guard(call)).await?;
        printer.answer(&customer, text)?;
        Ok(())
    }

    /// Returns the merge patch.
    fn changes(&self) -> Result<Body> {
        let mut changes = Body::of(&CustomerPatch {
            name: self.fields.name.clone().into(),
            metadata: map_patch(&self.fields.metadata, &self.remove_metadata),
            max_subscriptions: self.fields.max_subscriptions.map(WholeNumber).into(),
            rate_limit_per_second: self.fields.rate_limit_per_second.map(WholeNumber).into(),
            contacts: self.fields.contacts().into(),
        })?;
        for field in &self.remove {
            changes.remove(field);
        }
        Ok(changes)
    }
}

impl Delete {
    async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        let customer = &self.named.customer;
        if !self.yes.yes {
            let shown = send(api.customer(customer)).await?;
            let question = format!(
                "Delete customer {customer}, its {} subscriptions and all its messages and \
                 deliveries for good?",
                shown.value.subscriptions
            );
            if !self.yes.confirmed(&question)? {
                printer.note("nothing was deleted")?;
                return Ok(Outcome::Incomplete);
            }
        }
        let call = api.delete_customer(customer);
        let deleted = send(self.if_version.guard(call)).await?;
        printer.answer(&deleted, text)?;
        Ok(Outcome::Complete)
    }
}

/// Shows a customer in full.
fn text(customer: &Customer, style: Style) -> String {
    let mut facts = Facts::default();
    facts.add("customer", customer.id.as_str());
    facts.maybe("name", customer.name.as_deref());
    for (name, value) in &customer.metadata {
        facts.add("metadata", format!("{name}: {value}"));
    }
    let most = customer.max_subscriptions.map(|most| most.to_string());
    facts.maybe("at most", most);
    let rate = customer.rate_limit_per_second;
    facts.maybe("rate", rate.map(|rate| format!("{rate} a second")));
    for contact in &customer.contacts {
        let Contact { address, state } = contact;
        facts.add("contact", format!("{address} ({state})"));
    }
    facts.add("subscriptions", customer.subscriptions.to_string());
    if let Some(deletion) = &customer.deletion {
        let (at, deleted) = (&deletion.requested_at, deletion.deleted_items);
        let progress = format!("requested at {at}, {deleted} items deleted so far");
        facts.add("deletion", Cell::new(progress, Tone::Waiting));
    }
    facts.add("version", customer.version.to_string());
    facts.add("created", customer.created_at.as_str());
    facts.add("updated", customer.updated_at.as_str());
    facts.text(style)
}

impl Report for Listed<Customer> {
    fn text(&self, style: Style) -> String {
        let table = || {
            let mut table = Table::new(["CUSTOMER", "NAME", "SUBSCRIPTIONS", "CREATED"]);
            for row in &self.rows {
                table.push([
                    row.id.as_str().into(),
                    row.name.as_deref().unwrap_or_default().into(),
                    row.subscriptions.to_string().into(),
                    short(&row.created_at).into(),
                ]);
            }
            table
        };
        self.text("no customer", table, style)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};
    use webhooks_client::{ContactState, CustomerDeletion};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        update: Update,
    }

    fn changes(options: &[&str]) -> Value {
        let line = Line::try_parse_from(options).map_err(|error| error.to_string());
        let line = line.unwrap_or_else(|error| panic!("{error}"));
        serde_json::to_value(line.update.changes().unwrap()).unwrap()
    }

    #[test]
    fn an_update_is_a_merge_patch() {
        let options = [
            "update",
            "acme",
            "--name",
            "Acme",
            "--metadata",
            "plan=a=b",
            "--remove-metadata",
            "trial",
        ];
        let expected = json!({"name": "Acme", "metadata": {"plan": "a=b", "trial": null}});
        assert_eq!(changes(&options), expected);
        let removed = changes(&["update", "acme", "--remove", "metadata"]);
        assert_eq!(removed, json!({"metadata": null}));
    }

    #[test]
    fn a_customer_shows_all_that_it_has() {
        let at = "2026-01-01T00:00:00.000Z";
        let customer = Customer {
            id: "acme".to_owned(),
            name: Some("Acme".to_owned()),
            metadata: [("plan".to_owned(), "gold".to_owned())].into(),
            max_subscriptions: Some(5),
            rate_limit_per_second: Some(9),
            contacts: vec![Contact {
                address: "ops@example.com".to_owned(),
                state: ContactState::Confirmed,
            }],
            subscriptions: 2,
            deletion: Some(CustomerDeletion {
                requested_at: at.to_owned(),
                deleted_items: 7,
            }),
            version: 3,
            created_at: at.to_owned(),
            updated_at: at.to_owned(),
        };
        assert_text!(text(&customer, Style::Plain));
    }
}
