//! `webhooks export` and `webhooks import`: customers and their subscriptions, as a file.

pub(crate) mod export;
mod file;
mod form;
pub(crate) mod import;
mod plan;

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use webhooks_client::{Api, ListLimit, SubscriptionsQuery};

use crate::answer::read;

/// The members of a JSON object, whose texts are kept.
type Fields = BTreeMap<String, Box<RawValue>>;

/// The entry of a subscription's metadata that has the id of the file's entry.
const IMPORTED_FROM: &str = "importedFrom";

/// The fields of a shown subscription that no request can write, or that the file has in another
/// form.
const NOT_SETTABLE: [&str; 15] = [
    "authentication",
    "clearedAuthentication",
    "clearedSecretHeaders",
    "createdAt",
    "customerId",
    "disabledAt",
    "disabledReason",
    "health",
    "id",
    "recovery",
    "secretHeaders",
    "secrets",
    "updatedAt",
    "version",
    "warnings",
];

/// A page of subscriptions, as the API shows them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ShownPage {
    data: Vec<Fields>,
    #[serde(default)]
    broken: Vec<Fields>,
    next_cursor: Option<String>,
}

/// All subscriptions of a customer: those that can be read, and the ids of the others.
struct Shown {
    whole: Vec<Fields>,
    broken: Vec<String>,
}

/// Reads all subscriptions of a customer. They have at most 1 MB together.
async fn subscriptions(api: &Api, customer: &str) -> Result<Shown> {
    let mut all = Shown {
        whole: Vec::new(),
        broken: Vec::new(),
    };
    let mut cursor = None;
    loop {
        let limit = Some(ListLimit::up_to(u32::MAX));
        let call = api.subscriptions(customer, &SubscriptionsQuery { limit, cursor });
        let answer = read::<serde::de::IgnoredAny>(call.answer()).await?;
        let page: ShownPage = serde_json::from_slice(&answer.json)
            .context("the list of subscriptions has another form")?;
        all.whole.extend(page.data);
        let id = |broken| member(broken, "id").unwrap_or_default();
        all.broken.extend(page.broken.iter().map(id));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

/// Removes the marker of an import from the metadata of an entry. It is about the stack that has it.
fn without_marker(entry: &mut Fields) {
    let Some(mut metadata) = member::<Fields>(entry, "metadata") else {
        return;
    };
    if metadata.remove(IMPORTED_FROM).is_some() {
        entry.insert("metadata".to_owned(), raw(&metadata));
    }
}

/// A member of this type, if there is one.
fn member<T: DeserializeOwned>(of: &Fields, name: &str) -> Option<T> {
    serde_json::from_str(of.get(name)?.get()).ok()
}

/// The JSON text of a value.
fn raw(value: &impl serde::Serialize) -> Box<RawValue> {
    serde_json::value::to_raw_value(value).expect("it has a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// A new field of a subscription is exported and imported without a change here, unless no
    /// request can write it.
    #[test]
    fn every_field_that_is_shown_can_be_written_or_is_left_out() {
        let document = include_str!("../../../docs/openapi.json");
        let document: Value = serde_json::from_str(document).unwrap();
        let schemas = &document["components"]["schemas"];
        let names = |schema: &str| -> Vec<String> {
            let properties = schemas[schema]["properties"].as_object().unwrap();
            properties.keys().cloned().collect()
        };
        let written = names("SubscriptionPatch");
        for name in names("Subscription") {
            let is_left_out = NOT_SETTABLE.contains(&name.as_str());
            assert!(is_left_out || written.contains(&name), "`{name}`");
        }
        for name in NOT_SETTABLE {
            assert!(
                names("Subscription").iter().any(|shown| shown == name),
                "`{name}`"
            );
        }
    }
}
