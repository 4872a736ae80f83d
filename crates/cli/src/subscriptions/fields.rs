//! The fields of a subscription, as options.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use webhooks_client::{
    Filter, NewAuthentication, PayloadFormat, RequestMethod, RetryPolicy, RetrySchedule,
    SubscriptionPatch, Transform, WholeNumber,
};

use crate::body::Body;
use crate::input::{
    SecretText, json, map_patch, pair, secret_file, secret_json, secret_pair, text_file, word,
};

/// The fields that can be set on creation and on change.
#[derive(Args, Debug)]
#[command(next_help_heading = "Fields")]
pub(super) struct Fields {
    /// Only events whose detail matches this EventBridge pattern: JSON, or @FILE.
    #[arg(long, value_name = "JSON|@FILE", value_parser = json::<Filter>)]
    filter: Option<Filter>,
    /// A header of each request. Repeatable.
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = pair)]
    pub(super) headers: Vec<(String, String)>,
    /// A header whose value is encrypted and never shown. @- reads standard input. Repeatable.
    #[arg(long = "secret-header", value_name = "NAME=VALUE|@FILE|env:NAME", value_parser = secret_pair)]
    secret_headers: Vec<(String, SecretText)>,
    /// The authentication of each request (docs/api-authentication.md): JSON. @- reads standard
    /// input.
    #[arg(long, value_name = "@FILE|env:NAME", value_parser = secret_json::<NewAuthentication>)]
    authentication: Option<NewAuthentication>,
    /// A client certificate in PEM, then those of its authorities: authentication of the type
    /// `mtls`.
    #[arg(long, value_name = "FILE", value_parser = text_file, requires = "client_key", conflicts_with = "authentication")]
    client_certificate: Option<String>,
    /// The private key of the client certificate in PEM. - reads standard input.
    #[arg(long, value_name = "FILE", value_parser = secret_file, requires = "client_certificate")]
    client_key: Option<SecretText>,
    /// The content of a body (docs/payloads.md).
    #[arg(long, value_name = "FORMAT", value_parser = word::<PayloadFormat>(&["standard", "detail", "event", "thin", "cloudEvents", "fields", "transform"]))]
    payload_format: Option<PayloadFormat>,
    /// A field of the detail that a body has, with the format `fields`: a JSON pointer. Repeatable.
    #[arg(long = "payload-field", value_name = "POINTER")]
    kept: Vec<String>,
    /// The paths and the template of a body, with the format `transform`: JSON, or @FILE.
    #[arg(long, value_name = "JSON|@FILE", value_parser = json::<Transform>)]
    transform: Option<Transform>,
    /// The content type, if it is not that of the format.
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,
    /// The method.
    #[arg(long, value_name = "METHOD", value_parser = word::<RequestMethod>(&["POST", "PUT", "PATCH"]))]
    method: Option<RequestMethod>,
    /// A query parameter that is added to the URL. Repeatable; replaces all others.
    #[arg(long = "query-parameter", value_name = "NAME=VALUE", value_parser = pair)]
    query_parameters: Vec<(String, String)>,
    /// The time limit of one attempt.
    #[arg(long, value_name = "SECONDS")]
    timeout_seconds: Option<u32>,
    /// The largest number of webhooks per second.
    #[arg(long, value_name = "COUNT")]
    rate_limit_per_second: Option<u32>,
    /// The largest number of concurrent requests.
    #[arg(long, value_name = "COUNT")]
    max_in_flight: Option<u32>,
    /// The seconds before each attempt, such as `0,60,3600`. The first is 0.
    #[arg(
        long,
        value_name = "SECONDS,…",
        value_delimiter = ',',
        conflicts_with = "retry_policy"
    )]
    retry_schedule: Vec<u32>,
    /// The retry policy (docs/api-subscriptions.md): JSON, or @FILE.
    #[arg(long, value_name = "JSON|@FILE", value_parser = json::<RetryPolicy>)]
    retry_policy: Option<RetryPolicy>,
    /// A description for people.
    #[arg(long)]
    description: Option<String>,
    /// A name and a value for your own use. Repeatable.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// Any other field of the API, such as `timeoutSeconds=5`: a JSON value, or a text. Repeatable.
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = pair)]
    others: Vec<(String, String)>,
}

impl Fields {
    /// Returns the fields that have an option of their own.
    pub(super) fn patch(&self) -> SubscriptionPatch {
        let schedule = Some(&self.retry_schedule).filter(|schedule| !schedule.is_empty());
        let schedule = schedule.map(|schedule| {
            RetryPolicy::Schedule(RetrySchedule {
                schedule: schedule.clone(),
                jitter: None,
            })
        });
        SubscriptionPatch {
            filter: self.filter.clone().into(),
            headers: map_patch(&self.headers, &[]),
            secret_headers: map_patch(&self.secret_headers(), &[]),
            authentication: self.authentication().into(),
            payload_format: self.payload_format,
            payload_fields: some(self.kept.clone()).into(),
            transform: self.transform.clone().into(),
            content_type: self.content_type.clone().into(),
            method: self.method,
            query_parameters: some(self.query_parameters.clone())
                .map(BTreeMap::from_iter)
                .into(),
            timeout_seconds: self.timeout_seconds.map(WholeNumber).into(),
            rate_limit_per_second: self.rate_limit_per_second.map(WholeNumber).into(),
            max_in_flight: self.max_in_flight.map(WholeNumber).into(),
            retry_policy: self.retry_policy.clone().or(schedule).into(),
            description: self.description.clone().into(),
            metadata: map_patch(&self.metadata, &[]),
            ..SubscriptionPatch::default()
        }
    }

    fn authentication(&self) -> Option<NewAuthentication> {
        let pair = self
            .client_certificate
            .clone()
            .zip(self.client_key.as_ref());
        let of_pair = pair.map(|(certificate, key)| NewAuthentication::Mtls {
            certificate,
            private_key: key.expose().to_owned(),
        });
        self.authentication.clone().or(of_pair)
    }

    /// Returns the secret headers with their values.
    pub(super) fn secret_headers(&self) -> Vec<(String, String)> {
        let headers = self.secret_headers.iter();
        let exposed = |(name, value): &(String, SecretText)| (name.clone(), value.expose().into());
        headers.map(exposed).collect()
    }

    /// Returns the body of a request, with the other fields that are given.
    pub(super) fn body(&self, request: &impl Serialize) -> Result<Body> {
        let mut body = Body::of(request)?;
        for (name, text) in &self.others {
            body.set(name, text)?;
        }
        Ok(body)
    }
}

/// The values of a repeatable option, if it was given.
fn some<T>(values: Vec<T>) -> Option<Vec<T>> {
    Some(values).filter(|values| !values.is_empty())
}
