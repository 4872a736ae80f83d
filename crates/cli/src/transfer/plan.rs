//! The difference between an entry of the file and what is stored. Everything that the file does not
//! name stays.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use url::Url;
use webhooks_client::{NewCustomer, SubscriptionPatch};

use super::{Fields, IMPORTED_FROM, Shown, member, raw, without_marker};

/// The longest id of an entry: it becomes a value of metadata.
const MAX_ID: usize = 256;

/// A subscription of the file.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its id in the stack, or at the provider, from which it comes.
    pub(super) id: String,
    /// The fields that can be compared with what is stored.
    fields: Fields,
    /// Secret headers and the authentication, which no answer shows.
    hidden: Fields,
    /// The signing secret.
    pub(super) secret: Option<String>,
    /// The names of what the export could not read.
    pub(super) not_exported: Vec<String>,
}

/// The work for an entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// A new subscription, from this JSON.
    Create(String),
    /// Changes to a stored one: the names of the fields, and a merge patch.
    Change {
        id: String,
        version: u64,
        names: Vec<String>,
        patch: String,
    },
    /// The stored one, with this id, is the same.
    Nothing { id: String },
}

impl Entry {
    pub(super) fn of(mut fields: Fields) -> Result<Self> {
        let id: String =
            member(&fields, "id").context("`id`: is required, and must be a string")?;
        if id.is_empty() || id.chars().count() > MAX_ID {
            bail!("`id`: must be 1 to {MAX_ID} characters");
        }
        fields.remove("id");
        let missing: BTreeMap<String, Box<RawValue>> =
            member(&fields, "notExported").unwrap_or_default();
        fields.remove("notExported");
        // Names a field that does not exist, or has another type, before anything is written.
        let all = raw(&fields);
        serde_json::from_str::<SubscriptionPatch>(all.get())?;
        without_marker(&mut fields);
        let secret = member(&fields, "secret");
        fields.remove("secret");
        let hidden = ["secretHeaders", "authentication"].into_iter();
        let hidden: Fields = hidden
            .filter_map(|name| fields.remove_entry(name))
            .collect();
        let not_exported = missing.into_keys();
        let not_exported = not_exported
            .filter(|name| !hidden.contains_key(name))
            .collect();
        Ok(Self {
            id,
            fields,
            hidden,
            secret,
            not_exported,
        })
    }

    /// The stored subscription that it stands for: the same, or one that was imported from it.
    ///
    /// # Errors
    /// If it may be one that cannot be read. Otherwise the import would make a second one.
    pub(super) fn find<'a>(&self, stored: &'a Shown) -> Result<Option<&'a Fields>> {
        let (whole, broken) = (&stored.whole, &stored.broken);
        if broken.contains(&self.id) {
            bail!("the stored subscription cannot be read: repair it, and import again");
        }
        let by_id = whole
            .iter()
            .find(|shown| member::<String>(shown, "id").as_ref() == Some(&self.id));
        let found = by_id.or_else(|| {
            whole.iter().find(|shown| {
                let metadata: Option<Map<String, Value>> = member(shown, "metadata");
                metadata.is_some_and(|entries| entries.get(IMPORTED_FROM) == Some(&json!(self.id)))
            })
        });
        if found.is_none() && !broken.is_empty() {
            bail!(
                "may be one of the stored subscriptions that cannot be read ({}): repair them, and \
                 import again",
                broken.join(", ")
            );
        }
        Ok(found)
    }

    /// The work that makes the stored subscription as the entry is. `stored_secret` is its signing
    /// secret, if the entry has one.
    pub(super) fn work(
        &self,
        stored: Option<&Fields>,
        stored_secret: Option<&str>,
    ) -> Result<Work> {
        let Some(stored) = stored else {
            return Ok(Work::Create(self.new_subscription()));
        };
        let id = member(stored, "id").context("a subscription without an id")?;
        let version = member(stored, "version").context("a subscription without a version")?;
        let mut patch = Map::new();
        for (name, wanted) in &self.fields {
            let (wanted, stored) = (value(wanted), stored.get(name).map(|json| value(json)));
            let wanted_form = canonical(name, wanted.clone());
            let stored_form = stored.clone().and_then(|stored| canonical(name, stored));
            if wanted_form != stored_form {
                patch.insert(name.clone(), merged(name, wanted, stored));
            }
        }
        // An import must not send deliveries that were held.
        if patch.get("status") == Some(&json!("active")) {
            patch.insert("held".to_owned(), json!("keep"));
        }
        if self.secret.is_some() && self.secret.as_deref() != stored_secret {
            patch.insert("secret".to_owned(), json!(self.secret));
        }
        let lacks_hidden = self.hidden.iter().any(|(name, wanted)| {
            let names = |json: &Value| match json {
                Value::Object(members) if name == "secretHeaders" => {
                    members.keys().map(|name| name.to_lowercase()).collect()
                }
                Value::Array(names) => names.iter().map(text).collect(),
                Value::Object(members) => {
                    [members.get("type").map(text).unwrap_or_default()].into()
                }
                _ => BTreeSet::new(),
            };
            let shown = stored.get(name).map(|json| value(json)).unwrap_or_default();
            names(&value(wanted)) != names(&shown)
        });
        // They cannot be compared, so they are written with another change, or if they are missing.
        if lacks_hidden || !patch.is_empty() {
            patch.extend(
                self.hidden
                    .iter()
                    .map(|(name, json)| (name.clone(), value(json))),
            );
        }
        if patch.is_empty() {
            return Ok(Work::Nothing { id });
        }
        let names = patch.keys().filter(|name| *name != "held").cloned();
        // The texts of the file are sent: a filter may have numbers that a conversion would change.
        let texts: Fields = patch
            .iter()
            .map(|(name, value)| {
                let keeps_text = self.fields.get(name).filter(|_| !is_map(name));
                (
                    name.clone(),
                    keeps_text.cloned().unwrap_or_else(|| raw(value)),
                )
            })
            .collect();
        Ok(Work::Change {
            id,
            version,
            names: names.collect(),
            patch: raw(&texts).get().to_owned(),
        })
    }

    /// The JSON of a new subscription, which remembers the entry.
    fn new_subscription(&self) -> String {
        let mut fields = self.fields.clone();
        fields.extend(self.hidden.clone());
        let mut metadata: Map<String, Value> = member(&fields, "metadata").unwrap_or_default();
        metadata.insert(IMPORTED_FROM.to_owned(), json!(self.id));
        fields.insert("metadata".to_owned(), raw(&metadata));
        if let Some(secret) = &self.secret {
            fields.insert("secret".to_owned(), raw(secret));
        }
        raw(&fields).get().to_owned()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn value(json: &RawValue) -> Value {
    serde_json::from_str(json.get()).unwrap_or_default()
}

/// True for a field that a merge patch changes name by name.
fn is_map(name: &str) -> bool {
    matches!(name, "headers" | "metadata")
}

/// The form in which equal values are the same. `None` for the default, which is not shown.
fn canonical(name: &str, value: Value) -> Option<Value> {
    let value = match (name, value) {
        ("url", Value::String(text)) => {
            let url = Url::parse(&text).map(String::from);
            Value::String(url.unwrap_or(text))
        }
        ("headers", Value::Object(headers)) => {
            let headers = headers.into_iter();
            headers
                .map(|(name, value)| (name.to_lowercase(), value))
                .collect()
        }
        ("metadata", Value::Object(mut entries)) => {
            entries.remove(IMPORTED_FROM);
            Value::Object(entries)
        }
        // Shown with their states. A request gives addresses, which count as confirmed.
        ("contacts", Value::Array(contacts)) => {
            let is_given = |contact: &Value| contact.get("state").is_none_or(|s| s == "confirmed");
            let contacts = contacts.into_iter().filter(is_given);
            let addresses = contacts.map(|shown| shown.get("address").cloned().unwrap_or(shown));
            addresses.collect()
        }
        // The system disables a subscription; a request can only pause it.
        ("status", Value::String(text)) if text == "disabled" => json!("paused"),
        (_, value) => value,
    };
    let is_default = match &value {
        Value::Null => true,
        Value::Array(entries) => entries.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::String(text) => name == "method" && text == "POST",
        Value::Bool(_) | Value::Number(_) => false,
    };
    (!is_default).then_some(value)
}

/// The value of a merge patch that makes the stored value as it is wanted.
fn merged(name: &str, wanted: Value, stored: Option<Value>) -> Value {
    let (Value::Object(mut wanted), Some(Value::Object(stored)), true) =
        (wanted.clone(), stored, is_map(name))
    else {
        return wanted;
    };
    for (name, _) in stored {
        let is_wanted = wanted.keys().any(|key| key.eq_ignore_ascii_case(&name));
        if !is_wanted && name != IMPORTED_FROM {
            wanted.insert(name, Value::Null);
        }
    }
    Value::Object(wanted)
}

/// The fields of a customer that differ from what is stored, with their values.
pub(super) fn customer(fields: &Fields, stored: Option<&Fields>) -> Result<Map<String, Value>> {
    let mut wanted = fields.clone();
    wanted.remove("id");
    serde_json::from_str::<NewCustomer>(raw(&wanted).get()).context("customer")?;
    let mut differ = Map::new();
    for (name, wanted) in wanted {
        let (wanted, stored) = (value(&wanted), stored.and_then(|stored| stored.get(&name)));
        let stored = stored.map(|json| value(json));
        if canonical(&name, wanted.clone())
            != stored.clone().and_then(|json| canonical(&name, json))
        {
            let wanted = merged(&name, wanted, stored);
            differ.insert(name, wanted);
        }
    }
    Ok(differ)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(json: &str) -> Fields {
        serde_json::from_str(json).unwrap()
    }

    fn entry(json: &str) -> Entry {
        Entry::of(fields(json)).unwrap()
    }

    const STORED: &str = r#"{"id":"sub_1","url":"https://a.example/","eventTypes":["*"],"version":3,
        "payloadFormat":"standard","status":"active","headers":{"x-a":"1"},
        "metadata":{"importedFrom":"ep_1","team":"blue"},"secretHeaders":["x-key"]}"#;

    fn work(json: &str) -> Work {
        entry(json)
            .work(Some(&fields(STORED)), Some("whsec_x"))
            .unwrap()
    }

    #[test]
    fn a_subscription_is_found_by_its_id_or_by_the_entry_from_which_it_was_imported() {
        let stored = Shown {
            whole: vec![fields(r#"{"id":"sub_9"}"#), fields(STORED)],
            broken: Vec::new(),
        };
        for id in ["sub_1", "ep_1"] {
            let found = entry(&format!(r#"{{"id":"{id}"}}"#));
            let found = found.find(&stored).unwrap();
            assert_eq!(found.map(|found| found["id"].get()), Some("\"sub_1\""));
        }
        let other = entry(r#"{"id":"ep_2"}"#);
        assert!(other.find(&stored).unwrap().is_none());
    }

    #[test]
    fn an_entry_that_may_be_a_broken_subscription_is_not_made_a_second_time() {
        let stored = Shown {
            whole: vec![fields(STORED)],
            broken: vec!["sub_8".to_owned()],
        };
        assert!(entry(r#"{"id":"ep_1"}"#).find(&stored).unwrap().is_some());
        for (id, problem) in [("sub_8", "cannot be read: repair it"), ("ep_2", "(sub_8)")] {
            let found = entry(&format!(r#"{{"id":"{id}"}}"#));
            let error = found.find(&stored).unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn the_marker_of_an_import_is_neither_changed_nor_taken_from_the_file() {
        // The file comes from a stack whose subscription was imported from somewhere else.
        let Work::Change { patch, .. } =
            work(r#"{"id":"sub_1","metadata":{"importedFrom":"elsewhere","team":"red"}}"#)
        else {
            panic!("it differs");
        };
        assert_eq!(patch, r#"{"metadata":{"team":"red"}}"#);
        let same = work(r#"{"id":"sub_1","metadata":{"importedFrom":"elsewhere","team":"blue"}}"#);
        assert!(matches!(same, Work::Nothing { .. }), "{same:?}");
    }

    #[test]
    fn the_same_values_in_another_form_are_no_change() {
        let same = work(
            r#"{"id":"ep_1","url":"HTTPS://A.example","eventTypes":["*"],"method":"POST",
            "headers":{"X-A":"1"},"metadata":{"team":"blue"},"filter":null,"queryParameters":{},
            "secret":"whsec_x","secretHeaders":{"X-Key":"k"}}"#,
        );
        assert_eq!(
            same,
            Work::Nothing {
                id: "sub_1".to_owned()
            }
        );
    }

    #[test]
    fn only_what_differs_is_changed_and_a_name_that_the_file_does_not_have_is_removed() {
        let Work::Change {
            id,
            version,
            names,
            patch,
        } = work(
            r#"{"id":"ep_1","eventTypes":["b"],"headers":{"x-b":"2"},"metadata":{},
            "filter":{"n":[1.50]},"status":"active"}"#,
        )
        else {
            panic!("it differs");
        };
        assert_eq!((id.as_str(), version), ("sub_1", 3));
        assert_eq!(names, ["eventTypes", "filter", "headers", "metadata"]);
        let wanted = concat!(
            r#"{"eventTypes":["b"],"filter":{"n":[1.50]},"headers":{"x-a":null,"x-b":"2"},"#,
            r#""metadata":{"team":null}}"#
        );
        assert_eq!(patch, wanted);
    }

    #[test]
    fn a_subscription_that_becomes_active_sends_nothing_that_was_held() {
        let paused = STORED.replace(r#""status":"active""#, r#""status":"disabled""#);
        let wanted = entry(r#"{"id":"ep_1","status":"active"}"#);
        let work = wanted.work(Some(&fields(&paused)), None).unwrap();
        let Work::Change { names, patch, .. } = work else {
            panic!("it differs");
        };
        assert_eq!(names, ["status"]);
        assert_eq!(patch, r#"{"held":"keep","status":"active"}"#);
        let same = entry(r#"{"id":"ep_1","status":"paused"}"#);
        let same = same.work(Some(&fields(&paused)), None).unwrap();
        assert!(matches!(same, Work::Nothing { .. }), "{same:?}");
    }

    #[test]
    fn secrets_are_written_if_they_differ_or_are_missing() {
        for (json, names) in [
            (r#"{"id":"ep_1","secret":"whsec_y"}"#, ["secret"]),
            (
                r#"{"id":"ep_1","secretHeaders":{"x-b":"k"}}"#,
                ["secretHeaders"],
            ),
            (
                r#"{"id":"ep_1","authentication":{"type":"bearer","token":"t"}}"#,
                ["authentication"],
            ),
        ] {
            let Work::Change { names: changed, .. } = work(json) else {
                panic!("{json}");
            };
            assert_eq!(changed, names);
        }
    }

    #[test]
    fn a_new_subscription_remembers_its_entry() {
        let wanted = entry(
            r#"{"id":"ep_7","url":"https://b.example/","eventTypes":["*"],"secret":"whsec_x",
            "metadata":{"team":"red"},"secretHeaders":{"x-key":"k"},"notExported":{"authentication":{}}}"#,
        );
        assert_eq!(wanted.not_exported, ["authentication"]);
        let Work::Create(json) = wanted.work(None, None).unwrap() else {
            panic!("it is new");
        };
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            json["metadata"],
            json!({"importedFrom": "ep_7", "team": "red"})
        );
        assert_eq!(json["secret"], "whsec_x");
        assert_eq!(json["secretHeaders"], json!({"x-key": "k"}));
        assert!(json.get("id").is_none() && json.get("notExported").is_none());
    }

    #[test]
    fn an_entry_that_is_wrong_is_refused_before_anything_is_written() {
        for (json, problem) in [
            ("{}", "`id`"),
            (r#"{"id":7}"#, "`id`"),
            (r#"{"id":""}"#, "1 to 256"),
            (r#"{"id":"a","colour":"red"}"#, "colour"),
            (r#"{"id":"a","eventTypes":"*"}"#, "eventTypes"),
        ] {
            let error = format!("{:#}", Entry::of(fields(json)).unwrap_err());
            assert!(
                error.contains(problem) || error.contains("expected"),
                "{json}: {error}"
            );
        }
    }

    #[test]
    fn a_customer_differs_by_the_fields_that_the_file_has() {
        let stored = fields(
            r#"{"id":"a","name":"A","metadata":{"x":"1"},"version":2,"contacts":[
            {"address":"a@example.com","state":"confirmed"},
            {"address":"b@example.com","state":"pending"}]}"#,
        );
        let differ = |json: &str| customer(&fields(json), Some(&stored)).unwrap();
        assert!(differ(r#"{"id":"a","name":"A"}"#).is_empty());
        assert!(differ(r#"{"id":"a","contacts":["a@example.com"]}"#).is_empty());
        let changed = differ(r#"{"id":"a","metadata":{"y":"2"},"maxSubscriptions":5}"#);
        let wanted = json!({"metadata": {"x": null, "y": "2"}, "maxSubscriptions": 5});
        assert_eq!(Value::Object(changed), wanted);
        assert!(customer(&fields(r#"{"id":"a","nmae":"A"}"#), None).is_err());
    }
}
