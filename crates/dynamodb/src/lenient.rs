//! Reads subscriptions, even if they cannot be read completely.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;
use webhooks_domain::event_type::{EventTypePattern, EventTypePatterns};
use webhooks_domain::fields::FieldError;
use webhooks_domain::filter::Filter;
use webhooks_domain::health::Health;
use webhooks_domain::limits::{Limits, UpTo};
use webhooks_domain::metadata::Metadata;
use webhooks_domain::outbound::{
    CustomHeaders, EndpointUrl, Method, QueryParameters, SealedHeaders,
};
use webhooks_domain::payload_shape::PayloadShape;
use webhooks_domain::ports::StoreError;
use webhooks_domain::retry::RetryPolicy;
use webhooks_domain::signing::{SealedSecret, SealedSecrets};
use webhooks_domain::subscription::{
    BrokenSubscription, CertificateWarned, Description, Disabled, Subscription, SubscriptionStatus,
};
use webhooks_domain::timestamp::Timestamp;

use crate::item::{AuthenticationItem, HealthItem, SecretItem, ShapeAttributes};
use crate::key::{Key, PARTITION_KEY, SORT_KEY};
use crate::store::{AttributeMap, corrupt, key_text, text};

/// Reads a subscription, as far as possible. It takes the attributes out of the item one by one.
///
/// # Errors
/// If the item does not have a readable key.
pub(crate) fn read(
    item: AttributeMap,
) -> Result<Result<Subscription, Box<BrokenSubscription>>, StoreError> {
    let key = Key {
        pk: text(&item, PARTITION_KEY).to_owned(),
        sk: text(&item, SORT_KEY).to_owned(),
    };
    let (customer_id, id) = key
        .subscription_id()
        .map_err(|problem| corrupt(&key_text(&item), &problem))?;
    let mut fields = Fields {
        item,
        problems: Vec::new(),
    };
    let shape = fields.shape();
    let subscription = Subscription {
        id,
        customer_id,
        url: fields
            .required("url", |url: String| {
                EndpointUrl::from_stored(&url).ok_or("is not a URL")
            })
            .unwrap_or_else(unreadable_url),
        event_types: fields
            .required("eventTypes", |names| {
                EventTypePatterns::from_stored(names).ok_or("names no type")
            })
            .unwrap_or_else(every_type),
        filter: fields.optional("filter", |filter| {
            Ok::<_, String>(Filter::from_stored(filter))
        }),
        payload: shape.0,
        method: shape.1,
        query: shape.2,
        description: fields.harmless("description").map(Description::from_stored),
        metadata: Metadata::from_stored(fields.harmless("metadata").unwrap_or_default()),
        headers: fields
            .optional("headers", |headers| {
                Ok::<_, String>(CustomHeaders::from_stored(headers))
            })
            .unwrap_or_default(),
        secret_headers: fields
            .optional("secretHeaders", |headers: BTreeMap<_, ByteBuf>| {
                let sealed = headers.into_iter();
                let sealed = sealed.map(|(name, sealed)| (name, sealed.into_vec()));
                Ok::<_, String>(SealedHeaders::from_stored(sealed))
            })
            .unwrap_or_default(),
        authentication: fields.optional("authentication", AuthenticationItem::into_domain),
        timeout: fields.harmless("timeoutSeconds"),
        limits: Limits {
            rate: fields.optional("rateLimitPerSecond", limit),
            in_flight: fields.optional("maxInFlight", limit),
        },
        retry_policy: fields.optional("retryPolicy", RetryPolicy::from_stored),
        secrets: fields
            .required("secrets", |secrets: Vec<SecretItem>| {
                let secrets = secrets.into_iter().map(SecretItem::into_domain);
                secrets
                    .collect::<Option<Vec<_>>>()
                    .and_then(SealedSecrets::from_stored)
                    .ok_or("are not a current one and old ones that expire")
            })
            .unwrap_or_else(no_secret),
        status: fields
            .required("status", Ok::<_, String>)
            .unwrap_or(SubscriptionStatus::Active),
        disabled: fields
            .harmless("disabledReason")
            .zip(fields.harmless("disabledAt"))
            .map(|(reason, at)| Disabled { reason, at }),
        disabled_warned_at: fields.harmless("disabledWarnedAt"),
        certificate_warned: fields
            .harmless("certificateWarnedAt")
            .zip(fields.harmless("certificateWarnedOf"))
            .map(|(at, not_after)| CertificateWarned { at, not_after }),
        health: fields
            .harmless::<HealthItem>("health")
            .map(Health::from)
            .unwrap_or_default(),
        created_at: fields.moment("createdAt"),
        updated_at: fields.moment("updatedAt"),
        request_version: fields.request_version(),
        version: fields.required("version", Ok::<_, String>).unwrap_or(0),
    };
    Ok(match fields.problems {
        problems if problems.is_empty() => Ok(subscription),
        problems => Err(Box::new(BrokenSubscription {
            readable: subscription,
            problems,
        })),
    })
}

/// Reads a subscription that must be readable completely.
pub(crate) fn whole(item: AttributeMap) -> Result<Subscription, StoreError> {
    read(item)?.map_err(|broken| {
        let Key { pk, sk } = Key::subscription(&broken.readable.customer_id, &broken.readable.id);
        corrupt(&format!("{pk} {sk}"), &broken.problem())
    })
}

/// The attributes that are not read yet, and the problems of the others.
struct Fields {
    item: AttributeMap,
    problems: Vec<FieldError>,
}

impl Fields {
    /// An attribute that every subscription has.
    fn required<A: DeserializeOwned, T, E: ToString>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(A) -> Result<T, E>,
    ) -> Option<T> {
        if !self.item.contains_key(name) {
            self.problem(name, "is missing");
        }
        self.optional(name, read)
    }

    /// An attribute that may be absent.
    fn optional<A: DeserializeOwned, T, E: ToString>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(A) -> Result<T, E>,
    ) -> Option<T> {
        let value = self.item.remove(name)?;
        let value = serde_dynamo::from_attribute_value(value).map_err(|error| error.to_string());
        match value.and_then(|value| read(value).map_err(|error| error.to_string())) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.problem(name, &problem);
                None
            }
        }
    }

    /// An attribute that does not affect deliveries. A stricter rule, or an error in it, does not
    /// make the subscription unreadable.
    fn harmless<A: DeserializeOwned>(&mut self, name: &str) -> Option<A> {
        let value = self.item.remove(name)?;
        serde_dynamo::from_attribute_value(value).ok()
    }

    /// The shape of the payload, the method and the query parameters.
    fn shape(&mut self) -> (PayloadShape, Method, QueryParameters) {
        let before = self.problems.len();
        let payload_format = self.optional("payloadFormat", Ok::<_, String>);
        let payload_fields = self.optional("payloadFields", Ok::<_, String>);
        let transform = self.optional("transform", Ok::<_, String>);
        let content_type = self.optional("contentType", Ok::<_, String>);
        let is_readable = self.problems.len() == before;
        let attributes = ShapeAttributes {
            payload_format: payload_format.unwrap_or_default(),
            payload_fields,
            transform,
            content_type,
            method: self.optional("method", Ok::<_, String>).unwrap_or_default(),
            query_parameters: self
                .optional("queryParameters", Ok::<_, String>)
                .unwrap_or_default(),
        };
        let method = attributes.method;
        let payload = if is_readable {
            self.or_default(attributes.payload())
        } else {
            PayloadShape::default()
        };
        (payload, method, self.or_default(attributes.query()))
    }

    fn or_default<T: Default>(&mut self, read: Result<T, FieldError>) -> T {
        read.unwrap_or_else(|problem| {
            self.problems.push(problem);
            T::default()
        })
    }

    /// The version of the requests. It decides what is shown of attempts, and which deliveries have
    /// this shape. An unreadable one becomes one that no attempt and no delivery names.
    fn request_version(&mut self) -> u64 {
        if self.item.contains_key("requestVersion") {
            self.harmless("requestVersion").unwrap_or(0)
        } else {
            1
        }
    }

    fn moment(&mut self, name: &str) -> Timestamp {
        let moment = self.harmless(name);
        moment.unwrap_or(Timestamp::from_millis(0))
    }

    fn problem(&mut self, name: &str, problem: &str) {
        let field = if name == "secrets" { "secret" } else { name };
        self.problems.push(FieldError::new(field, problem));
    }
}

/// A stored limit.
fn limit<const MAX: u16>(stored: u64) -> Result<UpTo<MAX>, &'static str> {
    UpTo::from_stored(stored).ok_or("is 0")
}

fn unreadable_url() -> EndpointUrl {
    EndpointUrl::from_stored("https://unreadable.invalid/").expect("it is a URL")
}

fn every_type() -> EventTypePatterns {
    let everything = EventTypePattern::try_from("*".to_owned()).expect("it is a pattern");
    vec![everything].try_into().expect("it is one")
}

fn no_secret() -> SealedSecrets {
    SealedSecrets::only(SealedSecret {
        version: 0,
        public_key: None,
        sealed: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::SubscriptionItem;
    use crate::store::to_attributes;
    use aws_sdk_dynamodb::types::AttributeValue;
    use webhooks_testkit::samples;

    /// The attributes that do not affect deliveries.
    const HARMLESS: [&str; 12] = [
        "description",
        "metadata",
        "timeoutSeconds",
        "health",
        "disabledReason",
        "disabledAt",
        "disabledWarnedAt",
        "certificateWarnedAt",
        "certificateWarnedOf",
        "createdAt",
        "updatedAt",
        "requestVersion",
    ];

    fn item_with(name: &str, value: Option<AttributeValue>) -> AttributeMap {
        let subscription = samples::subscription("acme", 7);
        let mut item = to_attributes(&SubscriptionItem::from(&subscription));
        match value {
            Some(value) => drop(item.insert(name.to_owned(), value)),
            None => drop(item.remove(name)),
        }
        item
    }

    fn broken_by(name: &str, value: Option<AttributeValue>) -> BrokenSubscription {
        *read(item_with(name, value)).unwrap().unwrap_err()
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "the attribute is there: the other rows have none"
    )]
    fn string(text: &str) -> Option<AttributeValue> {
        Some(AttributeValue::S(text.to_owned()))
    }

    #[test]
    fn the_readable_fields_of_a_subscription_are_read_and_the_others_named() {
        let good = samples::subscription("acme", 7);
        for (name, value, field) in [
            ("url", string("not a url"), "url"),
            ("url", None, "url"),
            ("eventTypes", string("*"), "eventTypes"),
            (
                "eventTypes",
                Some(AttributeValue::L(Vec::new())),
                "eventTypes",
            ),
            ("secrets", Some(AttributeValue::L(Vec::new())), "secret"),
            ("status", string("asleep"), "status"),
            ("version", string("one"), "version"),
            (
                "maxInFlight",
                Some(AttributeValue::N("0".to_owned())),
                "maxInFlight",
            ),
            ("retryPolicy", string("often"), "retryPolicy"),
            ("method", string("GET"), "method"),
            ("payloadFormat", string("xml"), "payloadFormat"),
            ("contentType", string("a\r\nb"), "contentType"),
            ("queryParameters", string("x"), "queryParameters"),
            ("headers", string("x"), "headers"),
            ("secretHeaders", string("x"), "secretHeaders"),
            ("authentication", string("x"), "authentication"),
        ] {
            let broken = broken_by(name, value);
            let problems: Vec<_> = broken.problems.iter().map(|p| p.field.as_str()).collect();
            assert_eq!(problems, [field], "{name}: {}", broken.problem());
            assert_eq!(broken.readable.id, good.id);
            assert_eq!(broken.readable.customer_id, good.customer_id);
            if name != "url" {
                assert_eq!(broken.readable.url, good.url, "{name}");
            }
            if name != "version" {
                assert_eq!(broken.readable.version, good.version, "{name}");
            }
        }
    }

    #[test]
    fn an_unreadable_attribute_that_affects_no_delivery_breaks_nothing() {
        for name in HARMLESS {
            let item = item_with(name, Some(AttributeValue::Bool(true)));
            assert!(read(item).unwrap().is_ok(), "{name}");
        }
        let url = string("https://foo-.example.net/");
        assert!(read(item_with("url", url)).unwrap().is_ok(), "a later rule");
    }

    #[test]
    fn a_limit_that_has_become_stricter_breaks_nothing() {
        let number = |n: &str| AttributeValue::N(n.to_owned());
        let long = AttributeValue::S("x".repeat(5_000));
        let pairs = (0..100).map(|n| (format!("name {n}\n"), long.clone()));
        let types = (0..100).map(|n| AttributeValue::S(format!("{}.{n}", "x".repeat(500))));
        let policy = AttributeMap::from([(
            "schedule".to_owned(),
            AttributeValue::L(vec![number("999999999"); 100]),
        )]);
        for (name, value) in [
            ("maxInFlight", number("60000")),
            ("rateLimitPerSecond", number("1000000")),
            ("timeoutSeconds", number("900")),
            ("eventTypes", AttributeValue::L(types.collect())),
            ("retryPolicy", AttributeValue::M(policy)),
            ("metadata", AttributeValue::M(pairs.collect())),
            ("description", long),
        ] {
            let read = read(item_with(name, Some(value))).unwrap();
            let read = read.unwrap_or_else(|broken| panic!("{name}: {}", broken.problem()));
            let kept = to_attributes(&SubscriptionItem::from(&read));
            assert!(
                kept.contains_key(name) || name == "timeoutSeconds",
                "{name}"
            );
        }
    }

    #[test]
    fn an_item_that_names_no_subscription_is_corrupt() {
        for sk in ["SUBSCRIPTION#which", "LIMITER", ""] {
            assert!(read(item_with("sk", string(sk))).is_err(), "{sk}");
        }
    }
}
