//! `webhooks customers`: the customers that have or had a subscription.

use crate::terminal::{Style, Table};
use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use webhooks_client::{Api, Customer};

use crate::answer::{Listed, Paging, send, show};
use crate::input::pair;
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
    /// Set the name and the metadata of a customer, and remove the old ones. It is created if it
    /// does not exist.
    #[command(after_help = "\
Example:
  webhooks customers put cust_1001 --name 'Example Ltd' --metadata plan=gold")]
    Put(Put),
    /// Change the given fields of a customer.
    #[command(after_help = "\
Examples:
  webhooks customers update cust_1001 --name 'Example Ltd'
  webhooks customers update cust_1001 --metadata plan=gold --remove-metadata trial --if-version 3
  webhooks customers update cust_1001 --remove name")]
    Update(Update),
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
    #[arg(long, value_name = "FIELD", value_parser = ["name", "metadata"])]
    remove: Vec<String>,
    /// Remove one name of the metadata. Repeatable.
    #[arg(long = "remove-metadata", value_name = "NAME")]
    remove_metadata: Vec<String>,
    #[command(flatten)]
    if_version: IfVersion,
    #[command(flatten)]
    fields: Fields,
}

impl Command {
    /// Runs the command and prints its result.
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        match self {
            Self::List(List { paging }) => {
                let page = || api.customers(None, None);
                printer.print(&paging.collect(page).await?)?;
            }
            Self::Show(Named { customer }) => show(api.customer(customer), printer, text).await?,
            Self::Put(put) => {
                let fields = put.fields.to_json();
                let call = api.put_customer(&put.named.customer, &fields);
                let written = send(put.if_version.guard(call)).await?;
                printer.answer(&written, text)?;
            }
            Self::Update(update) => update.run(api, printer).await?,
        }
        Ok(Outcome::Complete)
    }
}

impl Fields {
    /// Returns the given fields by their names in the API.
    fn to_json(&self) -> Value {
        let mut fields = Map::new();
        if let Some(name) = &self.name {
            fields.insert("name".to_owned(), json!(name));
        }
        let mut fields = Value::Object(fields);
        for (name, value) in &self.metadata {
            fields["metadata"][name] = json!(value);
        }
        fields
    }
}

impl Update {
    async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<()> {
        let changes = self.changes();
        require_a_field(&changes, "--name")?;
        let call = api.update_customer(&self.named.customer, &changes);
        let customer = send(self.if_version.guard(call)).await?;
        printer.answer(&customer, text)?;
        Ok(())
    }

    /// Returns the merge patch.
    fn changes(&self) -> Value {
        let mut changes = self.fields.to_json();
        for name in &self.remove_metadata {
            changes["metadata"][name] = Value::Null;
        }
        for field in &self.remove {
            changes[field] = Value::Null;
        }
        changes
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
    facts.add("subscriptions", customer.subscriptions.to_string());
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

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        update: Update,
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
        let line = Line::try_parse_from(options).map_err(|error| error.to_string());
        let expected = json!({"name": "Acme", "metadata": {"plan": "a=b", "trial": null}});
        assert_eq!(
            line.unwrap_or_else(|error| panic!("{error}"))
                .update
                .changes(),
            expected
        );
        let line = Line::try_parse_from(["update", "acme", "--remove", "metadata"]);
        let line = line.map_err(|error| error.to_string());
        let changes = line
            .unwrap_or_else(|error| panic!("{error}"))
            .update
            .changes();
        assert_eq!(changes, json!({"metadata": null}));
    }

    #[test]
    fn a_customer_shows_all_that_it_has() {
        let at = "2026-01-01T00:00:00.000Z";
        let customer = Customer {
            id: "acme".to_owned(),
            name: Some("Acme".to_owned()),
            metadata: [("plan".to_owned(), "gold".to_owned())].into(),
            subscriptions: 2,
            version: 3,
            created_at: at.to_owned(),
            updated_at: at.to_owned(),
        };
        assert_eq!(
            text(&customer, Style::Plain),
            "  customer       acme\n\
             \x20 name           Acme\n\
             \x20 metadata       plan: gold\n\
             \x20 subscriptions  2\n\
             \x20 version        3\n\
             \x20 created        2026-01-01T00:00:00.000Z\n\
             \x20 updated        2026-01-01T00:00:00.000Z\n"
        );
    }
}
