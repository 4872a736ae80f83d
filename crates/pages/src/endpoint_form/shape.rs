//! The part of the form that shapes payloads and requests.

use std::collections::BTreeMap;

use webhooks_api_types::{Nullable, RequestMethod, Subscription, SubscriptionPatch, Transform};

use super::{nullable_text, read};
use crate::problem::FormProblem;

/// The fields, as they were entered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShapeForm {
    /// The kept fields, one a line.
    pub fields: String,
    /// The paths of the transform, `name: path`, one a line.
    pub paths: String,
    /// The template of the transform.
    pub template: String,
    /// The content type.
    pub content_type: String,
    /// The method; empty for the default.
    pub method: String,
    /// The query parameters, `name: value`, one a line.
    pub query: String,
}

impl ShapeForm {
    pub(super) fn of(subscription: &Subscription) -> Self {
        let lines = |pairs: &BTreeMap<String, String>| {
            let lines = pairs.iter().map(|(name, value)| format!("{name}: {value}"));
            lines.collect::<Vec<_>>().join("\n")
        };
        let transform = subscription.transform.as_ref();
        Self {
            fields: subscription.payload_fields.join("\n"),
            paths: transform.map_or_else(String::new, |transform| lines(&transform.paths)),
            template: transform.map_or_else(String::new, |transform| transform.template.clone()),
            content_type: subscription.content_type.clone().unwrap_or_default(),
            method: subscription.method.to_string(),
            query: lines(&subscription.query_parameters),
        }
    }

    /// Adds the fields that differ from what was before.
    pub(super) fn add_to(
        &self,
        patch: &mut SubscriptionPatch,
        before: Option<&Self>,
    ) -> Result<(), FormProblem> {
        let changed =
            |field: fn(&Self) -> &str| field(self) != read::unedited(before.map_or("", field));
        if changed(|form| &form.fields) {
            patch.payload_fields = match read::pointers(&self.fields) {
                none if none.is_empty() => Nullable::Null,
                fields => Nullable::Value(fields),
            };
        }
        if changed(|form| &form.paths) || changed(|form| &form.template) {
            patch.transform = if self.paths.is_empty() && self.template.is_empty() {
                Nullable::Null
            } else {
                let mut transform = self.transform()?;
                if let Some(before) = before
                    && !changed(|form| &form.template)
                {
                    transform.template.clone_from(&before.template);
                }
                Nullable::Value(transform)
            };
        }
        if changed(|form| &form.content_type) {
            patch.content_type = nullable_text(&self.content_type);
        }
        if !self.method.is_empty() && changed(|form| &form.method) {
            patch.method = Some(read::method(&self.method)?);
        }
        if changed(|form| &form.query) {
            patch.query_parameters = match read::pairs("queryParameters", &self.query)? {
                none if none.is_empty() => Nullable::Null,
                query => Nullable::Value(query),
            };
        }
        Ok(())
    }

    pub(super) fn transform(&self) -> Result<Transform, FormProblem> {
        Ok(Transform {
            paths: read::pairs("transformPaths", &self.paths)?,
            template: self.template.clone(),
        })
    }

    pub(super) fn own_content_type(&self) -> Option<String> {
        Some(self.content_type.clone()).filter(|own| !own.is_empty())
    }

    /// The methods that can be chosen.
    pub(crate) fn methods() -> [(String, &'static str); 3] {
        [
            (RequestMethod::Post, "POST"),
            (RequestMethod::Put, "PUT"),
            (RequestMethod::Patch, "PATCH"),
        ]
        .map(|(method, label)| (method.to_string(), label))
    }
}
