//! Subscriptions of which not everything can be read.

use webhooks_domain::event_type::EventTypePattern;
use webhooks_domain::health::Health;
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::limits::Limits;
use webhooks_domain::manage::FieldError;
use webhooks_domain::metadata::Metadata;
use webhooks_domain::outbound::{CustomHeaders, EndpointUrl};
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::ports::StoreError;
use webhooks_domain::signing::{SealedSecret, SealedSecrets};
use webhooks_domain::subscription::{BrokenSubscription, Subscription, SubscriptionStatus};
use webhooks_domain::timestamp::Timestamp;

use crate::item::{PARTITION_KEY, SORT_KEY, SUBSCRIPTION_PREFIX, SubscriptionItem};
use crate::store::{AttributeMap, corrupt, into_domain, key_text, text, to_attributes};

/// What nothing that is sent depends on: a stricter rule, or a fault in it, stops nobody.
const HARMLESS: [&str; 8] = [
    "description",
    "metadata",
    "timeoutSeconds",
    "health",
    "disabledReason",
    "disabledAt",
    "createdAt",
    "updatedAt",
];

/// What every subscription has.
const REQUIRED: [&str; 7] = [
    "url",
    "eventTypes",
    "secrets",
    "status",
    "version",
    "createdAt",
    "updatedAt",
];

/// Reads a subscription, whole or in part.
///
/// # Errors
/// When it does not even say whose and which it is.
pub(crate) fn read(
    item: &AttributeMap,
) -> Result<Result<Subscription, Box<BrokenSubscription>>, StoreError> {
    match into_domain::<SubscriptionItem, Subscription>(item.clone()) {
        Ok(whole) => Ok(Ok(whole)),
        Err(failure) => read_in_part(item).ok_or(failure),
    }
}

/// Reads a subscription that is whole.
#[expect(clippy::needless_pass_by_value, reason = "as a batch hands it over")]
pub(crate) fn whole(item: AttributeMap) -> Result<Subscription, StoreError> {
    let key = key_text(&item);
    read(&item)?.map_err(|broken| corrupt(&key, &broken.problem()))
}

/// Reads one attribute after the other into a subscription that has none of them.
fn read_in_part(item: &AttributeMap) -> Option<Result<Subscription, Box<BrokenSubscription>>> {
    let customer = text(item, PARTITION_KEY).strip_prefix("CUSTOMER#")?;
    let id = text(item, SORT_KEY).strip_prefix(SUBSCRIPTION_PREFIX)?;
    let nothing = nothing(customer.parse().ok()?, id.parse().ok()?);
    let mut readable = to_attributes(&SubscriptionItem::from(&nothing));
    let mut subscription = nothing;
    let missing = REQUIRED.iter().filter(|name| !item.contains_key(**name));
    let mut problems: Vec<_> = missing
        .map(|name| (*name, "is missing".to_owned()))
        .collect();
    let mut names: Vec<_> = item.keys().collect();
    names.sort();
    for name in names {
        if ["pk", "sk", "id", "customerId"].contains(&name.as_str()) {
            continue;
        }
        let mut with_it = readable.clone();
        with_it.insert(name.clone(), item[name].clone());
        match into_domain::<SubscriptionItem, Subscription>(with_it.clone()) {
            Ok(read) => (readable, subscription) = (with_it, read),
            Err(StoreError::Corrupt { problem, .. }) => problems.push((name, problem)),
            Err(StoreError::Unavailable { .. }) => {}
        }
    }
    problems.retain(|(name, _)| !HARMLESS.contains(name));
    if problems.is_empty() {
        return Some(Ok(subscription));
    }
    let problems = problems.into_iter().map(|(name, problem)| {
        let field = if name == "secrets" { "secret" } else { name };
        FieldError::new(field, problem)
    });
    Some(Err(Box::new(BrokenSubscription {
        problems: problems.collect(),
        readable: subscription,
    })))
}

/// A subscription with nothing of its own.
fn nothing(customer_id: CustomerId, id: SubscriptionId) -> Subscription {
    let everything = EventTypePattern::try_from("*".to_owned()).expect("it is a pattern");
    let secret = SealedSecret {
        version: 0,
        public_key: None,
        sealed: Vec::new(),
    };
    Subscription {
        id,
        customer_id,
        url: EndpointUrl::from_stored("https://unreadable.invalid/").expect("it is a URL"),
        event_types: vec![everything].try_into().expect("it is one"),
        filter: None,
        payload_format: PayloadFormat::default(),
        description: None,
        metadata: Metadata::default(),
        headers: CustomHeaders::default(),
        timeout: None,
        limits: Limits::default(),
        retry_policy: None,
        secrets: SealedSecrets::only(secret),
        status: SubscriptionStatus::Active,
        disabled: None,
        health: Health::default(),
        created_at: Timestamp::from_millis(0),
        updated_at: Timestamp::from_millis(0),
        version: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::types::AttributeValue;
    use webhooks_testkit::samples;

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
        *read(&item_with(name, value)).unwrap().unwrap_err()
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "the attribute is there: the other rows have none"
    )]
    fn string(text: &str) -> Option<AttributeValue> {
        Some(AttributeValue::S(text.to_owned()))
    }

    #[test]
    fn what_can_be_read_of_a_subscription_is_read_and_the_rest_is_named() {
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
            ("headers", string("x"), "headers"),
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
    fn what_nothing_depends_on_breaks_nothing() {
        for name in HARMLESS {
            let item = item_with(name, Some(AttributeValue::Bool(true)));
            assert!(read(&item).unwrap().is_ok(), "{name}");
        }
        let url = string("https://foo-.example.net/");
        assert!(
            read(&item_with("url", url)).unwrap().is_ok(),
            "a rule of later"
        );
    }

    #[test]
    fn a_bound_that_has_become_tighter_breaks_nothing() {
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
            let read = read(&item_with(name, Some(value))).unwrap();
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
        let item = item_with("sk", string("SUBSCRIPTION#7"));
        let mut item_without_url = item;
        item_without_url.remove("url");
        assert!(read(&item_without_url).is_err());
    }
}
