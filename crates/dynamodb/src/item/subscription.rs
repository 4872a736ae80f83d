//! The item of a subscription, with its secrets and the health of its endpoint.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use webhooks_domain::health::{FailingStep, Health, Hold, OpenCircuit};
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::outbound::{
    AuthenticationError, EndpointAuthentication, RequestTimeout, SealedCredential,
};
use webhooks_domain::retry::RetryPolicyFields;
use webhooks_domain::signing::{PublicKey, SealedSecret};
use webhooks_domain::subscription::{DisabledReason, Subscription, SubscriptionStatus};
use webhooks_domain::timestamp::Timestamp;

use crate::due_index::SHARD_OF_SUBSCRIPTIONS;
use crate::item::{ShapeAttributes, UNHEALTHY, is_first};
use crate::key::Key;

/// A subscription for writing; [`crate::lenient`] reads it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubscriptionItem {
    #[serde(flatten)]
    key: Key,
    id: SubscriptionId,
    customer_id: CustomerId,
    url: String,
    event_types: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    #[serde(flatten)]
    shape: ShapeAttributes,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    secret_headers: BTreeMap<String, ByteBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authentication: Option<AuthenticationItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_seconds: Option<RequestTimeout>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit_per_second: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_in_flight: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_policy: Option<RetryPolicyFields>,
    secrets: Vec<SecretItem>,
    status: SubscriptionStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<DisabledReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_warned_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_warned_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate_warned_of: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<HealthItem>,
    /// Only while it is unhealthy. The updates of its health maintain it.
    #[serde(skip_serializing_if = "Option::is_none")]
    owed_to: Option<&'static str>,
    /// With `sweep_at`, its entry of the `due` index: only while it is active, and its deliveries
    /// are held because the endpoint is unavailable.
    #[serde(skip_serializing_if = "Option::is_none")]
    due_shard: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep_at: Option<Timestamp>,
    created_at: Timestamp,
    updated_at: Timestamp,
    version: u64,
    /// Absent while they are those of the creation.
    #[serde(skip_serializing_if = "is_first")]
    request_version: u64,
}

impl From<&Subscription> for SubscriptionItem {
    fn from(subscription: &Subscription) -> Self {
        let is_active = subscription.status == SubscriptionStatus::Active;
        let hold = subscription.health.hold.filter(|_| is_active);
        Self {
            key: Key::subscription(&subscription.customer_id, &subscription.id),
            id: subscription.id,
            customer_id: subscription.customer_id.clone(),
            url: subscription.url.as_str().to_owned(),
            event_types: subscription.event_types.iter().map(str::to_owned).collect(),
            filter: subscription
                .filter
                .as_ref()
                .map(|filter| filter.as_str().to_owned()),
            shape: ShapeAttributes::new(
                &subscription.payload,
                subscription.method,
                &subscription.query,
            ),
            description: subscription.description.clone().map(String::from),
            headers: subscription.headers.clone().into(),
            secret_headers: subscription
                .secret_headers
                .iter()
                .map(|(name, sealed)| (name.to_owned(), ByteBuf::from(sealed)))
                .collect(),
            authentication: subscription
                .authentication
                .clone()
                .map(AuthenticationItem::from),
            metadata: subscription.metadata.clone().into(),
            timeout_seconds: subscription.timeout,
            rate_limit_per_second: subscription.limits.rate.map(u64::from),
            max_in_flight: subscription.limits.in_flight.map(u64::from),
            retry_policy: subscription
                .retry_policy
                .clone()
                .map(RetryPolicyFields::from),
            secrets: subscription.secrets.iter().map(SecretItem::from).collect(),
            status: subscription.status,
            disabled_reason: subscription.disabled.map(|disabled| disabled.reason),
            disabled_at: subscription.disabled.map(|disabled| disabled.at),
            disabled_warned_at: subscription.disabled_warned_at,
            certificate_warned_at: subscription.certificate_warned.map(|warned| warned.at),
            certificate_warned_of: subscription
                .certificate_warned
                .map(|warned| warned.not_after),
            health: HealthItem::of(&subscription.health),
            owed_to: subscription.is_unhealthy().then_some(UNHEALTHY),
            due_shard: hold.map(|_| SHARD_OF_SUBSCRIPTIONS),
            sweep_at: hold.map(|hold| hold.check_at),
            created_at: subscription.created_at,
            updated_at: subscription.updated_at,
            version: subscription.version,
            request_version: subscription.request_version,
        }
    }
}

/// An authentication with its sealed secret.
#[derive(Serialize, Deserialize)]
pub(crate) struct AuthenticationItem {
    #[serde(flatten)]
    authentication: EndpointAuthentication,
    sealed: ByteBuf,
}

impl From<SealedCredential> for AuthenticationItem {
    fn from(credential: SealedCredential) -> Self {
        Self {
            authentication: credential.authentication,
            sealed: credential.sealed.into(),
        }
    }
}

impl AuthenticationItem {
    pub(crate) fn into_domain(self) -> Result<SealedCredential, AuthenticationError> {
        self.authentication.check()?;
        Ok(SealedCredential {
            authentication: self.authentication,
            sealed: self.sealed.into_vec(),
        })
    }
}

/// The health of an endpoint. A healthy endpoint has none, which costs nothing.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HealthItem {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failing_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cooldown_seconds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slow_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hold_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    check_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warned: Option<FailingStep>,
}

impl HealthItem {
    pub(crate) fn of(health: &Health) -> Option<Self> {
        (*health != Health::default()).then(|| Self {
            failing_since: health.failing_since,
            open_since: health.circuit.map(|circuit| circuit.since),
            open_until: health.circuit.map(|circuit| circuit.until),
            cooldown_seconds: health.circuit.map(|circuit| circuit.cooldown.as_secs()),
            slow_since: health.slow_since,
            hold_since: health.hold.map(|hold| hold.since),
            check_at: health.hold.map(|hold| hold.check_at),
            warned: health.warned,
        })
    }
}

impl From<HealthItem> for Health {
    fn from(item: HealthItem) -> Self {
        let circuit = item.open_until.zip(item.cooldown_seconds);
        let circuit = item.open_since.zip(circuit);
        let hold = item.hold_since.zip(item.check_at);
        Self {
            failing_since: item.failing_since,
            circuit: circuit.map(|(since, (until, seconds))| OpenCircuit {
                since,
                until,
                cooldown: Duration::from_secs(seconds),
            }),
            slow_since: item.slow_since,
            hold: hold.map(|(since, check_at)| Hold { since, check_at }),
            warned: item.warned,
        }
    }
}

/// A sealed secret. The names are short, because every read of a subscription pays for them.
#[derive(Serialize, Deserialize)]
pub(crate) struct SecretItem {
    #[serde(rename = "v")]
    version: u32,
    #[serde(rename = "s")]
    sealed: ByteBuf,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    public_key: Option<ByteBuf>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

impl From<(&SealedSecret, Option<Timestamp>)> for SecretItem {
    fn from((secret, expires_at): (&SealedSecret, Option<Timestamp>)) -> Self {
        Self {
            version: secret.version,
            sealed: secret.sealed.clone().into(),
            public_key: secret.public_key.map(|key| ByteBuf::from(key.as_bytes())),
            expires_at,
        }
    }
}

impl SecretItem {
    pub(crate) fn into_domain(self) -> Option<(SealedSecret, Option<Timestamp>)> {
        let public_key = match self.public_key {
            Some(bytes) => Some(PublicKey::from_bytes(bytes.into_vec().try_into().ok()?)),
            None => None,
        };
        let secret = SealedSecret {
            version: self.version,
            public_key,
            sealed: self.sealed.into_vec(),
        };
        Some((secret, self.expires_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::to_item;
    use crate::lenient::whole;
    use crate::write_units::billed_bytes;
    use webhooks_domain::filter::Filter;
    use webhooks_domain::limits::Limits;
    use webhooks_domain::outbound::{
        CustomHeaders, EndpointUrl, Method, QueryParameters, SealedHeaders,
    };
    use webhooks_domain::payload_format::PayloadFormat;
    use webhooks_domain::payload_shape::{
        ContentType, KeptFields, PayloadShape, PayloadShapeParts, Transform,
    };
    use webhooks_domain::retry::RetryPolicy;
    use webhooks_domain::subscription::{CertificateWarned, Disabled};
    use webhooks_testkit::samples;

    /// A shape with a transform of this many paths.
    fn transform(paths: usize) -> PayloadShape {
        let path = |n| (format!("name-{n}"), format!("$.detail.lines[{n}].sku"));
        let paths = (0..paths).map(path).collect();
        PayloadShape::new(PayloadShapeParts {
            format: PayloadFormat::Transform,
            transform: Some(Transform::new(paths, format!("\"{}\"", "x".repeat(500)))),
            content_type: Some(ContentType::parse("application/json; charset=utf-8").unwrap()),
            fields: None,
        })
        .unwrap()
    }

    #[test]
    fn a_subscription_with_every_field_is_read_back() {
        let metadata = BTreeMap::from([("plan".to_owned(), "gold".to_owned())]);
        let subscription = Subscription {
            secrets: samples::migrating_secrets(),
            payload: transform(3),
            method: Method::Put,
            query: QueryParameters::new(metadata.clone()).unwrap(),
            version: 12,
            request_version: 7,
            timeout: Some(7.try_into().unwrap()),
            secret_headers: samples::secret_headers(),
            authentication: Some(samples::authentication()),
            metadata: metadata.try_into().unwrap(),
            disabled: Some(Disabled {
                reason: DisabledReason::Failing,
                at: samples::NOW,
            }),
            disabled_warned_at: Some(samples::NOW),
            certificate_warned: Some(CertificateWarned {
                at: samples::NOW,
                not_after: samples::NOW,
            }),
            health: Health {
                failing_since: Some(samples::NOW),
                circuit: Some(OpenCircuit {
                    since: samples::NOW,
                    until: samples::NOW,
                    cooldown: OpenCircuit::LONGEST,
                }),
                slow_since: Some(samples::NOW),
                hold: Some(Hold::released(samples::NOW)),
                warned: Some(FailingStep::HalfTimeToDisabling),
            },
            ..samples::subscription("acme", 1)
        };
        let item = to_item(&SubscriptionItem::from(&subscription));
        assert_eq!(whole(item.into()).unwrap(), subscription);
    }

    #[test]
    fn no_item_is_larger_than_the_counted_size_of_its_subscription() {
        let text = |length| "x".repeat(length);
        let pairs = (0..20).map(|n| (format!("x-name-{n:02}"), text(100)));
        let query = pairs.clone().take(5).collect();
        let pairs: BTreeMap<_, _> = pairs.collect();
        let patterns = (0..50).map(|n| format!("order.created.{n}").try_into().unwrap());
        let schedule = (0..50_u32).map(|n| 604_800 * n.min(1)).collect();
        let health = Health {
            failing_since: Some(samples::NOW),
            circuit: Some(OpenCircuit {
                since: samples::NOW,
                until: samples::NOW,
                cooldown: OpenCircuit::LONGEST,
            }),
            slow_since: Some(samples::NOW),
            hold: Some(Hold::released(samples::NOW)),
            warned: Some(FailingStep::HalfTimeToDisabling),
        };
        let sealed = (0..20).map(|n| (format!("x-name-{n:02}"), vec![0; 128]));
        let small = Subscription {
            health,
            disabled_warned_at: Some(samples::NOW),
            certificate_warned: Some(CertificateWarned {
                at: samples::NOW,
                not_after: samples::NOW,
            }),
            version: 1_000_000,
            request_version: 1_000_000,
            ..samples::subscription("acme", 1)
        };
        let large = Subscription {
            customer_id: text(128).parse().unwrap(),
            url: EndpointUrl::from_stored(&format!("https://example.com/{}", text(1_000))).unwrap(),
            event_types: patterns.collect::<Vec<_>>().try_into().unwrap(),
            filter: Some(Filter::from_stored(text(2_048))),
            payload: transform(40),
            method: Method::Patch,
            query: QueryParameters::new(query).unwrap(),
            description: Some(text(512).try_into().unwrap()),
            metadata: pairs.clone().try_into().unwrap(),
            headers: CustomHeaders::new(pairs).unwrap(),
            timeout: Some(7.try_into().unwrap()),
            limits: Limits {
                rate: Some(200.try_into().unwrap()),
                in_flight: Some(50.try_into().unwrap()),
            },
            retry_policy: Some(RetryPolicy::schedule(schedule).unwrap()),
            secrets: samples::migrating_secrets(),
            disabled: Some(Disabled {
                reason: DisabledReason::EndpointGone,
                at: samples::NOW,
            }),
            ..small.clone()
        };
        let secret = Subscription {
            headers: CustomHeaders::default(),
            secret_headers: SealedHeaders::from_stored(sealed),
            authentication: Some(SealedCredential {
                sealed: vec![0; 1_052],
                ..samples::authentication()
            }),
            ..large.clone()
        };
        let fields = (0..100).map(|n| format!("/lines/{n}/sku")).collect();
        let fields = Subscription {
            payload: PayloadShape::new(PayloadShapeParts {
                format: PayloadFormat::Fields,
                fields: Some(KeptFields::new(fields).unwrap()),
                ..PayloadShapeParts::default()
            })
            .unwrap(),
            ..small.clone()
        };
        let certificate = Subscription {
            authentication: Some(samples::client_certificate()),
            ..small.clone()
        };
        for subscription in [small, large, secret, fields, certificate] {
            let item = to_item(&SubscriptionItem::from(&subscription));
            let (bytes, counted) = (billed_bytes(item), subscription.size_bytes());
            assert!(bytes <= counted, "{bytes} bytes, counted as {counted}");
            let most = bytes + bytes / 10 + 200;
            assert!(counted < most, "{bytes} bytes, counted as {counted}");
        }
    }

    /// So they cost nothing where there are none.
    #[test]
    fn an_item_without_secret_headers_or_authentication_has_no_attribute_for_them() {
        let subscription = samples::subscription("acme", 1);
        let item = to_item(&SubscriptionItem::from(&subscription));
        for name in ["secretHeaders", "authentication"] {
            assert!(!item.contains_key(name), "{name}");
        }
    }

    #[test]
    fn a_subscription_without_a_current_secret_is_not_read() {
        let subscription = samples::subscription("acme", 1);
        for expires_at in [vec![], vec![Some(samples::NOW)], vec![None, None]] {
            let mut item = SubscriptionItem::from(&subscription);
            let current = subscription.secrets.current();
            let secrets = expires_at.into_iter().map(|end| (current, end).into());
            item.secrets = secrets.collect();
            assert!(whole(to_item(&item).into()).is_err());
        }
    }
}
