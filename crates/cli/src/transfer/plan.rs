//! The difference between an entry of the file and what is stored. Everything that the file does not
//! name stays.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use webhooks_client::{MapPatch, NewCustomer, SubscriptionPatch};

use super::form::{endpoint, is_same_secret, of_customer, of_subscription, value};
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
        cleared: Cleared,
    },
    /// The stored one, with this id, is the same.
    Nothing { id: String },
}

/// The hidden values that the API removes because the origin of `url` changes and the entry does not
/// give them. An answer of the API has the same fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Cleared {
    /// The type of the authentication.
    #[serde(
        rename = "clearedAuthentication",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) authentication: Option<String>,
    /// The names of the secret headers.
    #[serde(rename = "clearedSecretHeaders", skip_serializing_if = "Vec::is_empty")]
    pub(super) secret_headers: Vec<String>,
}

impl Cleared {
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
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
        let read = serde_json::from_str::<SubscriptionPatch>(all.get())?;
        // It belongs to a change. An import never sends what was held.
        if read.held.is_some() {
            bail!("`held`: is not a field of a subscription");
        }
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
            let shown = stored.get(name);
            let shown_form = shown.and_then(|shown| of_subscription(name, shown));
            if of_subscription(name, wanted) != shown_form {
                let shown = shown.map(|shown| value(shown));
                let wanted = merged(name, value(wanted), shown, Some(IMPORTED_FROM));
                patch.insert(name.clone(), wanted);
            }
        }
        // An import must not send deliveries that were held.
        if patch.get("status") == Some(&json!("active")) {
            patch.insert("held".to_owned(), json!("keep"));
        }
        if let Some(secret) = &self.secret
            && !stored_secret.is_some_and(|stored| is_same_secret(secret, stored))
        {
            patch.insert("secret".to_owned(), json!(secret));
        }
        let (hidden, cleared) = self.hidden_values(stored);
        patch.extend(hidden);
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
            cleared,
        })
    }

    /// The changes of the hidden values, and those that the API clears. Stored values cannot be
    /// compared, and may be newer than the file, so they stay wherever they have the same name.
    fn hidden_values(&self, stored: &Fields) -> (Map<String, Value>, Cleared) {
        let mut changes = Map::new();
        let mut cleared = Cleared::default();
        let moves = self.moves(stored);

        let stored_type = stored.get("authentication").and_then(|json| kind(json));
        let given = self.hidden.get("authentication");
        let given_type = given.and_then(|json| kind(json));
        // The API clears what it has for another origin.
        let kept_type = stored_type.clone().filter(|_| !moves);
        if let Some(given) = given.filter(|_| given_type != kept_type) {
            changes.insert("authentication".to_owned(), value(given));
        }
        if moves && given_type.is_none() {
            cleared.authentication = stored_type;
        }

        let mut stored_names: BTreeSet<String> =
            member(stored, "secretHeaders").unwrap_or_default();
        let given = self.hidden.get("secretHeaders");
        let headers: Option<MapPatch> = member(&self.hidden, "secretHeaders");
        let headers = headers.unwrap_or_default().into_iter();
        let headers: BTreeMap<String, String> = headers
            .filter_map(|(name, value)| Some((name, value?)))
            .collect();
        let names = headers.keys().map(|name| name.to_ascii_lowercase());
        let names: BTreeSet<String> = names.collect();
        if moves {
            let left = stored_names.difference(&names);
            cleared.secret_headers = left.cloned().collect();
            stored_names.clear();
        }
        let removed = stored_names.difference(&names).cloned();
        let removed = removed.map(|name| (name, Value::Null));
        let is_new = |name: &String| !stored_names.contains(&name.to_ascii_lowercase());
        let added = headers.into_iter().filter(|(name, _)| is_new(name));
        let added = added.map(|(name, value)| (name, Value::String(value)));
        let difference: Map<String, Value> = removed.chain(added).collect();
        if given.is_some() && !difference.is_empty() {
            changes.insert("secretHeaders".to_owned(), Value::Object(difference));
        }
        (changes, cleared)
    }

    /// Returns true if the entry changes the scheme, host or port of the URL.
    fn moves(&self, stored: &Fields) -> bool {
        let origin = |of: &Fields| {
            let url = endpoint(&member::<String>(of, "url")?);
            url.map(|url| url.origin())
        };
        self.fields.contains_key("url") && origin(&self.fields) != origin(stored)
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

/// The type of an authentication. `None` for `null`.
fn kind(json: &RawValue) -> Option<String> {
    let kind = value(json).get("type")?.as_str()?.to_owned();
    Some(kind)
}

/// True for a field that a merge patch changes name by name.
fn is_map(name: &str) -> bool {
    matches!(name, "headers" | "metadata")
}

/// The value of a merge patch that makes the stored value as it is wanted. Of a map, the entry `kept`
/// stays.
fn merged(name: &str, wanted: Value, stored: Option<Value>, kept: Option<&str>) -> Value {
    // `null` would remove the kept entry too.
    let wanted = match wanted {
        Value::Null if is_map(name) => Value::Object(Map::new()),
        wanted => wanted,
    };
    let (Value::Object(mut wanted), Some(Value::Object(stored)), true) =
        (wanted.clone(), stored, is_map(name))
    else {
        return wanted;
    };
    let is_same = |one: &str, other: &str| match name {
        "headers" => one.eq_ignore_ascii_case(other),
        _ => one == other,
    };
    for (name, _) in stored {
        let is_wanted = wanted.keys().any(|key| is_same(key, &name));
        if !is_wanted && Some(name.as_str()) != kept {
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
        let shown = stored.and_then(|stored| stored.get(&name));
        let shown_form = shown.and_then(|shown| of_customer(&name, shown));
        if of_customer(&name, &wanted) != shown_form {
            let shown = shown.map(|shown| value(shown));
            let wanted = merged(&name, value(&wanted), shown, None);
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
    fn metadata_that_is_null_removes_all_but_the_marker_of_the_import() {
        let Work::Change { patch, .. } = work(r#"{"id":"ep_1","metadata":null}"#) else {
            panic!("it differs");
        };
        assert_eq!(patch, r#"{"metadata":{"team":null}}"#);
        let bare = STORED.replace(r#","team":"blue""#, "");
        let wanted = entry(r#"{"id":"ep_1","metadata":null}"#);
        let same = wanted.work(Some(&fields(&bare)), None).unwrap();
        assert!(matches!(same, Work::Nothing { .. }), "{same:?}");
        let Work::Create(json) = wanted.work(None, None).unwrap() else {
            panic!("it is new");
        };
        assert_eq!(json, r#"{"metadata":{"importedFrom":"ep_1"}}"#);
    }

    #[test]
    fn names_of_metadata_differ_by_case_and_names_of_headers_do_not() {
        let Work::Change { patch, .. } =
            work(r#"{"id":"ep_1","metadata":{"Team":"blue"},"headers":{"X-A":"2"}}"#)
        else {
            panic!("it differs");
        };
        let wanted = r#"{"headers":{"X-A":"2"},"metadata":{"Team":"blue","team":null}}"#;
        assert_eq!(patch, wanted);
    }

    /// As the API shows it after the first import.
    const WITH_SECRETS: &str = r#"{"id":"sub_1","url":"https://a.example/","eventTypes":["a"],
        "version":3,"payloadFormat":"standard","status":"active",
        "retryPolicy":{"schedule":[0,60],"jitter":0.1},"metadata":{"importedFrom":"ep_1"},
        "secretHeaders":["x-key","x-other"],"authentication":{"type":"basic","username":"ann"}}"#;

    fn work_with_secrets(json: &str) -> (String, Cleared) {
        let work = entry(json).work(Some(&fields(WITH_SECRETS)), None);
        match work.unwrap() {
            Work::Change { patch, cleared, .. } => (patch, cleared),
            Work::Nothing { .. } => ("nothing".to_owned(), Cleared::default()),
            Work::Create(json) => panic!("{json}"),
        }
    }

    const BASIC: &str = r#""authentication":{"type":"basic","username":"ann","password":"old"}"#;
    const HEADERS: &str = r#""secretHeaders":{"X-Key":"old","x-other":"old"}"#;

    #[test]
    fn hidden_values_that_are_stored_are_never_written_again() {
        let same = r#""url":"https://A.example.","eventTypes":["a","a"],
            "retryPolicy":{"schedule":[0,60.0]}"#;
        let (patch, _) = work_with_secrets(&format!(r#"{{"id":"ep_1",{same},{BASIC},{HEADERS}}}"#));
        assert_eq!(patch, "nothing");
        let other = r#""eventTypes":["b"],"url":"https://a.example/in""#;
        let (patch, cleared) =
            work_with_secrets(&format!(r#"{{"id":"ep_1",{other},{BASIC},{HEADERS}}}"#));
        let wanted = r#"{"eventTypes":["b"],"url":"https://a.example/in"}"#;
        assert_eq!((patch.as_str(), cleared.is_empty()), (wanted, true));
    }

    #[test]
    fn only_secret_headers_whose_names_differ_are_written() {
        let (patch, cleared) =
            work_with_secrets(r#"{"id":"ep_1","secretHeaders":{"X-KEY":"old","X-New":"k"}}"#);
        let wanted = r#"{"secretHeaders":{"X-New":"k","x-other":null}}"#;
        assert_eq!((patch.as_str(), cleared.is_empty()), (wanted, true));
        let (patch, _) = work_with_secrets(r#"{"id":"ep_1","secretHeaders":null}"#);
        let wanted = r#"{"secretHeaders":{"x-key":null,"x-other":null}}"#;
        assert_eq!(patch, wanted);
        let (patch, _) = work_with_secrets(r#"{"id":"ep_1","authentication":null}"#);
        assert_eq!(patch, r#"{"authentication":null}"#);
    }

    #[test]
    fn another_origin_needs_the_hidden_values_again_and_clears_the_others() {
        let url = r#""url":"https://b.example/""#;
        let (patch, cleared) =
            work_with_secrets(&format!(r#"{{"id":"ep_1",{url},{BASIC},{HEADERS}}}"#));
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(json(&patch), json(&format!("{{{BASIC},{HEADERS},{url}}}")));
        assert!(cleared.is_empty());

        let one = r#""secretHeaders":{"X-Key":"old"}"#;
        let (patch, cleared) = work_with_secrets(&format!(r#"{{"id":"ep_1",{url},{one}}}"#));
        assert_eq!(patch, format!("{{{one},{url}}}"));
        let wanted = Cleared {
            authentication: Some("basic".to_owned()),
            secret_headers: vec!["x-other".to_owned()],
        };
        assert_eq!(cleared, wanted);
        let (_, cleared) =
            work_with_secrets(r#"{"id":"ep_1","url":"https://a.example:8443/","status":"paused"}"#);
        assert_eq!(cleared.secret_headers, ["x-key", "x-other"]);
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
            cleared,
        } = work(
            r#"{"id":"ep_1","eventTypes":["b"],"headers":{"x-b":"2"},"metadata":{},
            "filter":{"n":[1.50]},"status":"active"}"#,
        )
        else {
            panic!("it differs");
        };
        assert_eq!((id.as_str(), version), ("sub_1", 3));
        assert!(cleared.is_empty());
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
            (r#"{"id":"a","status":"active","held":"send"}"#, "`held`"),
            (r#"{"id":"a","secret":null}"#, "expected"),
            (r#"{"id":"a","status":null}"#, "expected"),
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
        // A customer has no marker of an import.
        let marked = differ(r#"{"id":"a","metadata":{"x":"1","importedFrom":"y"}}"#);
        assert_eq!(marked["metadata"]["importedFrom"], "y");
    }
}
