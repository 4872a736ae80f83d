//! Shows stored items that cannot be read: their readable parts, and how to repair them.

use crate::terminal::{Cell, Style, Table, Tone};
use webhooks_client::Broken;

use crate::print::{Facts, task};
use crate::words;

/// The prefix of a subscription's id.
const SUBSCRIPTION: &str = "sub_";

/// Shows one item in full.
pub(crate) fn text(broken: &Broken, style: Style) -> String {
    let mut facts = Facts::default();
    facts.add("id", broken.id.as_str());
    facts.maybe("customer", broken.customer_id.as_deref());
    let status = broken.status;
    facts.maybe(
        "status",
        status.map(|status| Cell::new(status.to_string(), words::subscription_tone(status))),
    );
    facts.maybe("url", broken.url.as_deref());
    facts.add("broken", Cell::new(broken.problem.as_str(), Tone::Bad));
    facts.text(style) + &task(advice(&broken.id))
}

/// Returns a table of a list's unreadable items, under its own heading; empty if there are
/// none.
pub(crate) fn table(broken: &[Broken], style: Style) -> String {
    let Some(first) = broken.first() else {
        return String::new();
    };
    let mut table = Table::new(["BROKEN", "BECAUSE"]);
    for row in broken {
        let problem = Cell::new(row.problem.as_str(), Tone::Bad);
        table.push([row.id.as_str().into(), problem]);
    }
    format!("\n{}{}", table.text(style), task(advice(&first.id)))
}

fn advice(id: &str) -> &'static str {
    if id.starts_with(SUBSCRIPTION) {
        "`webhooks subscriptions update` with the named fields repairs it, `delete` removes it."
    } else {
        "Repair it in the table: docs/runbooks.md, \"An item cannot be read\"."
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_broken_subscription_shows_what_can_be_read_and_what_repairs_it() {
        let broken: Broken = serde_json::from_value(json!({
            "id": "sub_1", "status": "active", "problem": "url: is not a URL",
        }))
        .unwrap();
        assert_text!(text(&broken, Style::Plain));
        assert_text!(table(&[broken], Style::Plain));
        assert_eq!(table(&[], Style::Plain), "");
    }
}
