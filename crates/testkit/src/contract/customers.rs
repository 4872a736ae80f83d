//! The contract of customers.

use webhooks_domain::contact::Contacts;
use webhooks_domain::customer::{Customer, CustomerName};
use webhooks_domain::ids::CustomerId;
use webhooks_domain::limits::{CustomerLimit, RateLimit};
use webhooks_domain::metadata::Metadata;
use webhooks_domain::ports::{
    Creation, CreationOutcome, CustomerTable, DeliveryTable, SubscriptionStore, WriteOutcome,
};
use webhooks_domain::quota::{CountedUsage, Quota, Usage};

use super::DUE;
use crate::samples;

fn named(read: &Customer, name: &str) -> Customer {
    let pairs = [("plan".to_owned(), name.to_owned())].into();
    Customer {
        name: Some(CustomerName::from_stored(name.to_owned())),
        metadata: Metadata::from_stored(pairs),
        updated_at: DUE,
        version: read.version + 1,
        ..read.clone()
    }
}

async fn stored(store: &impl CustomerTable, id: &CustomerId) -> Option<Customer> {
    store.customer(id).await.expect("answers")
}

async fn write(
    store: &impl CustomerTable,
    read: Option<&Customer>,
    changed: &Customer,
) -> WriteOutcome {
    let outcome = store.write_customer(read, changed).await;
    outcome.expect("answers")
}

/// The first subscription creates its customer. Writes of the customer and of its
/// usage keep each other's attributes. Customers are listed in the order of their ids.
///
/// The store's clock must show [`samples::NOW`].
pub async fn customers<S: SubscriptionStore + CustomerTable + DeliveryTable>(
    store: &S,
    salt: &str,
) {
    let salt = format!("{salt}-customers");
    created_with_the_first_subscription(store, &salt).await;
    written_before_the_first_subscription(store, &salt).await;
    listed(store, &salt).await;
    limited(store, &salt).await;
    contacts(store, &salt).await;
}

/// Contacts are written with the customer, in their order, and can be removed.
async fn contacts(store: &impl CustomerTable, salt: &str) {
    let id = samples::customer(&format!("{salt}-contacts"));
    let mut read: Option<Customer> = None;
    for (name, addresses) in [
        ("one", vec!["ops@example.com", "Dev@example.com"]),
        ("two", vec!["dev@example.com"]),
        ("three", vec![]),
    ] {
        let current = read.clone();
        let current = current.unwrap_or_else(|| Customer::unwritten(&id, samples::NOW));
        let addresses = addresses.into_iter().map(str::to_owned).collect();
        let changed = Customer {
            contacts: Contacts::of_operator(addresses).expect("addresses"),
            ..named(&current, name)
        };
        let written = write(store, read.as_ref(), &changed).await;
        assert_eq!(written, WriteOutcome::Written);
        read = stored(store, &id).await;
        assert_eq!(read.as_ref(), Some(&changed), "{name}");
    }
}

/// The limit of a customer has the version in which it was set.
async fn limited<S: CustomerTable + DeliveryTable>(store: &S, salt: &str) {
    let id = samples::customer(&format!("{salt}-limited"));
    let limit = async || store.customer_limit(&id).await.expect("answers");
    let rate = |rate: u64| RateLimit::try_from(rate).expect("within bounds");
    assert_eq!(limit().await, None);
    let mut read: Option<Customer> = None;
    for (name, own, expected) in [
        ("one", None, None),
        ("two", Some(5), Some((5, 2))),
        ("three", Some(5), Some((5, 2))),
        ("four", Some(7), Some((7, 4))),
        ("five", None, None),
    ] {
        let current = read.clone();
        let current = current.unwrap_or_else(|| Customer::unwritten(&id, samples::NOW));
        let changed = Customer {
            rate_limit: own.map(rate),
            ..named(&current, name)
        };
        let written = write(store, read.as_ref(), &changed).await;
        assert_eq!(written, WriteOutcome::Written);
        let stale = write(store, read.as_ref(), &changed).await;
        assert_eq!(stale, WriteOutcome::Conflict);
        read = stored(store, &id).await;
        assert_eq!(read.as_ref(), Some(&changed));
        let expected = expected.map(|(number, version)| CustomerLimit {
            rate: rate(number),
            version,
        });
        assert_eq!(limit().await, expected, "{name}");
    }
}

async fn created_with_the_first_subscription<S: SubscriptionStore + CustomerTable>(
    store: &S,
    salt: &str,
) {
    let customer = &format!("{salt}-b");
    let id = samples::customer(customer);
    let [first, second] = [1, 2].map(|number| samples::subscription(customer, number));
    let insert = async |subscription| {
        let creation = Creation::of(subscription, samples::QUOTA);
        store.insert(&creation).await.expect("answers")
    };
    let created = insert(&first).await;
    assert_eq!(created, CreationOutcome::Created);
    let new = Customer {
        usage: Usage::of(&first),
        version: 1,
        ..Customer::unwritten(&id, samples::NOW)
    };
    assert_eq!(stored(store, &id).await.as_ref(), Some(&new));

    let named = named(&new, "Müller & Söhne");
    let stale = write(store, None, &named).await;
    assert_eq!(stale, WriteOutcome::Conflict, "it exists");
    // The usage changes between read and write.
    let created = insert(&second).await;
    assert_eq!(created, CreationOutcome::Created);
    let written = write(store, Some(&new), &named).await;
    assert_eq!(written, WriteOutcome::Written);
    let repeated = write(store, Some(&new), &named).await;
    assert_eq!(repeated, WriteOutcome::Conflict);
    let both = Customer {
        usage: Usage::of(&first) + Usage::of(&second),
        ..named.clone()
    };
    assert_eq!(stored(store, &id).await.as_ref(), Some(&both));

    for subscription in [&first, &second] {
        let removed = store.remove(subscription, None).await.expect("answers");
        assert_eq!(removed, WriteOutcome::Written);
    }
    let had = Customer {
        usage: Usage::default(),
        ..both.clone()
    };
    assert_eq!(stored(store, &id).await.as_ref(), Some(&had));
    let bare = Customer {
        name: None,
        metadata: Metadata::default(),
        version: had.version + 1,
        ..had.clone()
    };
    let written = write(store, Some(&had), &bare).await;
    assert_eq!(written, WriteOutcome::Written);
    assert_eq!(stored(store, &id).await, Some(bare));
}

async fn written_before_the_first_subscription<S: SubscriptionStore + CustomerTable>(
    store: &S,
    salt: &str,
) {
    let customer = &format!("{salt}-a");
    let id = samples::customer(customer);
    let early = Customer {
        created_at: DUE,
        ..named(&Customer::unwritten(&id, DUE), "early")
    };
    let written = write(store, None, &early).await;
    assert_eq!(written, WriteOutcome::Written);
    let subscription = samples::subscription(customer, 3);
    let insert = async |subscription, most| {
        let quota = Quota {
            subscriptions: most,
        };
        let creation = Creation::of(subscription, quota);
        store.insert(&creation).await.expect("answers")
    };
    let created = insert(&subscription, 1).await;
    assert_eq!(created, CreationOutcome::Created);
    let usage = Usage::of(&subscription);
    let expected = Customer { usage, ..early };
    assert_eq!(stored(store, &id).await.as_ref(), Some(&expected));

    // Its own limit replaces that of the stack, whichever is higher.
    let second = samples::subscription(customer, 4);
    let refused = |own: Option<u64>| {
        CreationOutcome::Refused(CountedUsage {
            usage,
            max_subscriptions: own.map(|own| own.try_into().expect("within bounds")),
            is_being_deleted: false,
        })
    };
    assert_eq!(insert(&second, 1).await, refused(None));
    let limited = |read: &Customer, own: Option<u64>| Customer {
        max_subscriptions: own.map(|own| own.try_into().expect("within bounds")),
        version: read.version + 1,
        ..read.clone()
    };
    let one = limited(&expected, Some(1));
    let written = write(store, Some(&expected), &one).await;
    assert_eq!(written, WriteOutcome::Written);
    assert_eq!(insert(&second, 1_000).await, refused(Some(1)));
    let two = limited(&one, Some(2));
    let written = write(store, Some(&one), &two).await;
    assert_eq!(written, WriteOutcome::Written);
    assert_eq!(insert(&second, 1).await, CreationOutcome::Created);
    let none = limited(&two, None);
    let written = write(store, Some(&two), &none).await;
    assert_eq!(written, WriteOutcome::Written);
    let stored = stored(store, &id).await.expect("it exists");
    assert_eq!(stored.max_subscriptions, None);
}

async fn listed(store: &impl CustomerTable, salt: &str) {
    let page = async |after: &str, limit| {
        let after = samples::customer(after);
        let page = store.customers(Some(&after), limit).await.expect("answers");
        let ids = page.entries.iter().map(|customer| {
            let customer = customer.as_ref().expect("whole");
            customer.id.to_string()
        });
        (ids.collect::<Vec<_>>(), page.has_more)
    };
    let [a, b] = ["a", "b"].map(|end| format!("{salt}-{end}"));
    assert_eq!(page(salt, 2).await.0, [a.clone(), b.clone()]);
    assert_eq!(page(salt, 1).await, (vec![a.clone()], true));
    assert_eq!(page(&a, 1).await.0, [b]);
    let (none, has_more) = page("|||", 1).await;
    assert_eq!((none.len(), has_more), (0, false), "nothing comes after it");
}
