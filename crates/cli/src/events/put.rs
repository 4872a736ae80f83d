//! `webhooks events put`.

use std::path::PathBuf;

use crate::terminal::{Cell, Style, Table, Tone};
use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;
use webhooks_client::Stack;
use webhooks_domain::ids::{CustomerId, MessageId};

use super::file;
use crate::Outcome;
use crate::advice::advise;
use crate::input;
use crate::print::{Printer, Report, one_line, task};

/// Options of `events put`.
#[derive(Args, Debug)]
pub(crate) struct Put {
    /// The file with the events; `-` is standard input.
    file: PathBuf,
}

#[derive(Serialize)]
#[serde(transparent)]
struct PutEvents(Vec<PutEvent>);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PutEvent {
    event_id: String,
    event_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<CustomerId>,
    /// The message that it becomes if the customer has a matching subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<MessageId>,
    /// The reason why it becomes no message.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl Put {
    pub(super) async fn run(&self, stack: &Stack, printer: &mut Printer<'_>) -> Result<Outcome> {
        let json = input::read(&self.file)?;
        let events = file::events(&json).with_context(|| format!("`{}`", self.file.display()))?;
        let reader = file::reader(stack)?;
        let sources = stack.output("AcceptedEventSources").map_err(advise)?;
        let ids = stack.put_events(&events).await.map_err(advise)?;
        let put = ids.into_iter().zip(&events).map(|(event_id, event)| {
            let message = file::message(&reader, &event_id, event);
            let message = message.and_then(|message| match not_matched(&event.source, sources) {
                Some(problem) => Err(problem),
                None => Ok(message),
            });
            let (message, problem) = match message {
                Ok(message) => (Some(message), None),
                Err(problem) => (None, Some(problem)),
            };
            PutEvent {
                event_id,
                event_type: event.event_type.clone(),
                customer_id: message.as_ref().map(|message| message.customer_id.clone()),
                message_id: message.map(|message| message.id),
                problem,
            }
        });
        let put = PutEvents(put.collect());
        printer.print(&put)?;
        Ok(if put.0.iter().all(|put| put.problem.is_none()) {
            Outcome::Complete
        } else {
            Outcome::Incomplete
        })
    }
}

/// Returns the reason why the stack's rule matches no event with this source. `accepted` is the
/// stack's list of sources.
fn not_matched(source: &str, accepted: &str) -> Option<String> {
    let is_accepted = accepted.split(',').any(|one| one.trim() == source);
    (!is_accepted).then(|| {
        format!(
            "the stack accepts only events with the source {accepted} (EventSources), not `{source}`"
        )
    })
}

impl Report for PutEvents {
    fn text(&self, style: Style) -> String {
        let mut table = Table::new(["EVENT TYPE", "CUSTOMER", "EVENT", "MESSAGE"]);
        for row in &self.0 {
            let message = match (&row.message_id, &row.problem) {
                (Some(id), _) => id.to_string().into(),
                (None, problem) => {
                    let problem = problem.as_deref().unwrap_or_default();
                    Cell::new(one_line(&format!("none: {problem}")), Tone::Bad)
                }
            };
            let customer = row.customer_id.as_ref();
            table.push([
                row.event_type.as_str().into(),
                customer.map_or("-".to_owned(), ToString::to_string).into(),
                row.event_id.as_str().into(),
                message,
            ]);
        }
        let mut text = table.text(style);
        if let Some(id) = self.0.iter().find_map(|row| row.message_id) {
            let shows = format!("`webhooks messages show {id} --wait` shows its deliveries.");
            text.push_str(&task(shows));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_another_source_starts_nothing() {
        let accepted = "com.example.shop, com.example.billing";
        for source in ["com.example.shop", "com.example.billing"] {
            assert_eq!(not_matched(source, accepted), None);
        }
        let problem = not_matched("com.example", accepted).unwrap();
        assert!(problem.contains("`com.example`") && problem.contains(accepted));
    }

    #[test]
    fn an_event_is_shown_with_its_message_or_the_reason_for_having_none() {
        let event = |customer: Option<&str>, problem: Option<&str>| {
            let customer_id: Option<CustomerId> = customer.map(|id| id.parse().unwrap());
            let message_id = customer_id
                .as_ref()
                .map(|id| MessageId::from_event_id(id, "e"));
            PutEvent {
                event_id: "e".to_owned(),
                event_type: "order.created".to_owned(),
                customer_id,
                message_id,
                problem: problem.map(str::to_owned),
            }
        };
        let put = PutEvents(vec![
            event(None, Some("no customer")),
            event(Some("acme"), None),
        ]);
        assert_text!(put.text(Style::Plain));
    }
}
