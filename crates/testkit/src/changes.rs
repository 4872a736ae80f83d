//! Changes of subscriptions from JSON, in the words of the API.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use webhooks_domain::filter::Filter;
use webhooks_domain::manage::{Change, MapChange, NewSecret, Rotation, SubscriptionChange};
use webhooks_domain::outbound::authentication::{ApiKey, Basic, Bearer, OAuth2};
use webhooks_domain::outbound::{Credential, EndpointAuthentication, QueryParameters};
use webhooks_domain::payload_shape::{ContentType, KeptFields, Transform};
use webhooks_domain::signing::{Overlap, SecretKind};

use crate::samples;

/// The fields of a test's JSON. All of them must be read.
struct Fields(Map<String, Value>);

impl Fields {
    fn of(json: &str) -> Self {
        Self(serde_json::from_str(json).expect("tests write JSON objects"))
    }

    fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let value = self.0.remove(name)?;
        Some(serde_json::from_value(value).expect("tests name valid values"))
    }

    fn change<T: DeserializeOwned>(&mut self, name: &str) -> Change<T> {
        match self.optional(name) {
            None => Change::Keep,
            Some(None) => Change::Remove,
            Some(Some(value)) => Change::Set(value),
        }
    }

    fn change_of<J: DeserializeOwned, T>(
        &mut self,
        name: &str,
        of: impl FnOnce(J) -> T,
    ) -> Change<T> {
        match self.change(name) {
            Change::Keep => Change::Keep,
            Change::Remove => Change::Remove,
            Change::Set(json) => Change::Set(of(json)),
        }
    }

    fn map(&mut self, name: &str) -> MapChange {
        match self.optional(name) {
            None => MapChange::default(),
            Some(None) => MapChange::RemoveAll,
            Some(Some(changes)) => MapChange::Merge(changes),
        }
    }

    fn end(self) {
        assert!(self.0.is_empty(), "not read: {:?}", self.0.keys());
    }
}

#[derive(Deserialize)]
struct TransformFields {
    paths: BTreeMap<String, String>,
    template: String,
}

#[derive(Deserialize)]
#[serde(
    tag = "type",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
enum CredentialFields {
    Basic {
        username: String,
        password: String,
    },
    Bearer {
        token: String,
    },
    ApiKey {
        header: String,
        value: String,
    },
    #[serde(rename = "oauth2", rename_all = "camelCase")]
    OAuth2 {
        client_secret: String,
        #[serde(flatten)]
        settings: OAuth2,
    },
    Mtls {
        certificate: String,
        private_key: String,
    },
}

fn credential(fields: CredentialFields) -> Credential {
    let (authentication, secret) = match fields {
        CredentialFields::Basic { username, password } => {
            (EndpointAuthentication::Basic(Basic { username }), password)
        }
        CredentialFields::Bearer { token } => (EndpointAuthentication::Bearer(Bearer {}), token),
        CredentialFields::ApiKey { header, value } => {
            (EndpointAuthentication::ApiKey(ApiKey::new(&header)), value)
        }
        CredentialFields::OAuth2 {
            client_secret,
            settings,
        } => (EndpointAuthentication::OAuth2(settings), client_secret),
        CredentialFields::Mtls {
            certificate,
            private_key,
        } => {
            let given = Credential::client_certificate(&certificate, &private_key);
            return given.expect("tests name valid certificates");
        }
    };
    Credential::new(authentication, secret).expect("tests name valid credentials")
}

/// The change with these fields.
pub fn change(json: &str) -> SubscriptionChange {
    let mut fields = Fields::of(json);
    let url: Option<String> = fields.optional("url");
    let secret: Option<String> = fields.optional("secret");
    let filter = match fields.change::<Value>("filter") {
        Change::Keep => Change::Keep,
        Change::Remove => Change::Remove,
        Change::Set(filter) => {
            Change::Set(Filter::parse(&filter.to_string()).expect("tests name valid filters"))
        }
    };
    let change = SubscriptionChange {
        url: url.map(|url| samples::url(&url)),
        event_types: fields.optional("eventTypes"),
        filter,
        payload_format: fields.optional("payloadFormat"),
        payload_fields: fields.change_of("payloadFields", |pointers| {
            KeptFields::new(pointers).expect("tests name valid fields")
        }),
        transform: fields.change_of("transform", |TransformFields { paths, template }| {
            Transform::new(paths, template)
        }),
        content_type: fields.change_of("contentType", |text: String| {
            ContentType::parse(&text).expect("tests name valid content types")
        }),
        method: fields.optional("method"),
        query: fields.change_of("queryParameters", |parameters| {
            QueryParameters::new(parameters).expect("tests name valid parameters")
        }),
        timeout: fields.change("timeoutSeconds"),
        rate_limit: fields.change("rateLimitPerSecond"),
        max_in_flight: fields.change("maxInFlight"),
        metadata: fields.map("metadata"),
        description: fields.change("description"),
        headers: fields.map("headers"),
        secret_headers: fields.map("secretHeaders"),
        authentication: fields.change_of("authentication", credential),
        retry_policy: fields.change("retryPolicy"),
        secret: secret.map(|secret| secret.parse().expect("tests name valid secrets")),
        status: fields.optional("status"),
    };
    fields.end();
    change
}

/// The rotation with these fields.
pub fn rotation(json: &str) -> Rotation {
    let mut fields = Fields::of(json);
    let overlap = fields.optional("overlapSeconds").map(|seconds| {
        let overlap = Overlap::from_secs(seconds);
        overlap.expect("tests name valid overlaps")
    });
    let kind = fields
        .optional("kind")
        .map(|kind: String| match kind.as_str() {
            "v1" => SecretKind::V1,
            "v1a" => SecretKind::V1a,
            kind => panic!("{kind}"),
        });
    let secret: Option<String> = fields.optional("secret");
    let secret = secret.map(|secret| secret.parse().expect("tests name valid secrets"));
    fields.end();
    Rotation {
        overlap: overlap.unwrap_or_default(),
        new_secret: NewSecret::of(kind, secret).expect("tests name the secret's kind"),
    }
}
