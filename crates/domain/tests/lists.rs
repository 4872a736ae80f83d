//! Lists: every matching entry once, newest first, with any page size.

#![allow(clippy::unwrap_used)]

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::FutureExt;
use proptest::prelude::*;
use webhooks_domain::delivery::{CancelReason, Delivery, DeliveryStatus, FailureReason, Verdict};
use webhooks_domain::due::NextAttempt;
use webhooks_domain::event_type::EventTypePattern;
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::lists::{
    CustomerPlace, DeliveryFilter, Listed, ListedDelivery, Lists, PageOf, ReadBudget, StatusFilter,
    Which,
};
use webhooks_domain::message::Message;
use webhooks_domain::paging::Place;
use webhooks_domain::ports::DeliveryTable;
use webhooks_domain::timestamp::Timestamp;
use webhooks_testkit::{InMemoryBackend, samples};

const FAILED: DeliveryStatus = DeliveryStatus::Failed(FailureReason::AttemptsExhausted);
const CANCELLED: DeliveryStatus = DeliveryStatus::Cancelled(CancelReason::SubscriptionDeleted);

/// The past of a delivery, which determines its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    NeverTried,
    Held,
    Succeeded,
    Failed,
    Cancelled,
    FailedOnce,
}

impl Fate {
    const ALL: [Self; 6] = [
        Self::NeverTried,
        Self::Held,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::FailedOnce,
    ];

    fn is_undelivered(self) -> bool {
        matches!(self, Self::Held | Self::Failed | Self::FailedOnce)
    }

    fn status(self) -> StatusFilter {
        match self {
            Self::NeverTried | Self::FailedOnce => StatusFilter::Pending,
            Self::Held => StatusFilter::Held,
            Self::Succeeded => StatusFilter::Succeeded,
            Self::Failed => StatusFilter::Failed,
            Self::Cancelled => StatusFilter::Cancelled,
        }
    }
}

/// A delivery as it was created, and the status that lists must show.
#[derive(Debug, Clone)]
struct Created {
    id: DeliveryId,
    customer: &'static str,
    event_type: &'static str,
    at: Timestamp,
    fate: Fate,
}

/// Describes a message to create: its customer, its type, its second, and one delivery for each
/// fate.
type Spec = (bool, bool, u64, Vec<Fate>);

fn second(second: u64) -> Timestamp {
    samples::NOW + Duration::from_secs(second)
}

fn make(backend: &InMemoryBackend, specs: &[Spec]) -> Vec<Created> {
    let mut created = Vec::new();
    for (number, (is_acme, is_order, at, fates)) in specs.iter().enumerate() {
        let customer = if *is_acme { "acme" } else { "bolt" };
        let event_type = if *is_order {
            "order.created"
        } else {
            "invoice.paid"
        };
        let message = Message {
            event_type: event_type.parse().unwrap(),
            ..samples::message(customer, &number.to_string())
        };
        let at = second(*at);
        backend.record_message(message.clone(), at);
        for (number, &fate) in (1..).zip(fates) {
            let delivery = Delivery {
                created_at: at,
                ..samples::delivery(&message, samples::subscription_id(number))
            };
            let id = delivery.id;
            apply(backend, message.clone(), delivery, fate);
            created.push(Created {
                id,
                customer,
                event_type,
                at,
                fate,
            });
        }
    }
    created
}

fn apply(backend: &InMemoryBackend, message: Message, delivery: Delivery, fate: Fate) {
    let id = delivery.id;
    let status = match fate {
        Fate::Held => samples::HELD,
        _ => DeliveryStatus::Pending,
    };
    backend.record_call(message, Delivery { status, ..delivery });
    let record = |verdict| {
        let attempt = samples::failed_attempt(1);
        let recorded = backend.record(&id, None, &attempt, &verdict).now_or_never();
        recorded.unwrap().unwrap();
    };
    match fate {
        Fate::NeverTried | Fate::Held => {}
        Fate::Succeeded => record(Verdict::Ended(DeliveryStatus::Succeeded)),
        Fate::Failed => record(Verdict::Ended(FAILED)),
        Fate::Cancelled => {
            let settled = backend.settle(&id, 0, CANCELLED).now_or_never();
            settled.unwrap().unwrap();
        }
        Fate::FailedOnce => record(Verdict::Retry(NextAttempt {
            due_at: second(1),
            sweep_at: second(1),
        })),
    }
}

/// The deliveries of a list in which all are readable.
fn whole(listed: Vec<ListedDelivery>) -> Vec<Delivery> {
    listed.into_iter().map(Result::unwrap).collect()
}

/// Reads all pages, and asserts the rules that hold for each of them.
fn all_pages<T, P: Copy>(limit: u32, page: impl Fn(PageOf<P>) -> Listed<T, P>) -> Vec<T> {
    let mut found = Vec::new();
    let mut asked = PageOf {
        since: None,
        until: None,
        after: None,
        limit,
    };
    for _ in 0..10_000 {
        let listed = page(asked);
        assert!(listed.found.len() <= limit as usize);
        found.extend(listed.found);
        match listed.next {
            Some(next) => asked.after = Some(next),
            None => return found,
        }
    }
    panic!("the list does not end");
}

fn pattern(text: &str) -> EventTypePattern {
    text.to_owned().try_into().unwrap()
}

fn lists(backend: &InMemoryBackend) -> Lists<InMemoryBackend> {
    Lists {
        table: backend.clone(),
        budget: ReadBudget::LARGE,
    }
}

fn spec() -> impl Strategy<Value = Spec> {
    let fates = prop::collection::vec(prop::sample::select(&Fate::ALL[..]), 0..4);
    (prop::bool::weighted(0.8), any::<bool>(), 0_u64..6, fates)
}

fn filter() -> impl Strategy<Value = DeliveryFilter> {
    let status = prop::option::of(prop::sample::select(&Fate::ALL[..]));
    let event_type = prop::option::of(prop::sample::select(&["order.created", "order.*"][..]));
    (status, event_type).prop_map(|(fate, event_type)| DeliveryFilter {
        status: fate.map(Fate::status),
        event_type: event_type.map(pattern),
    })
}

/// A range of the seconds in which messages are created, possibly open at either end.
fn times() -> impl Strategy<Value = (Option<Timestamp>, Option<Timestamp>)> {
    let end = || prop::option::of((0_u64..7).prop_map(second));
    (end(), end())
}

/// Sort key: newest message first, and within a message the order of the subscriptions' ids.
fn by_message(delivery: &Delivery) -> impl PartialOrd + use<> {
    let message = (delivery.created_at, delivery.id.message);
    (Reverse(message), delivery.id.subscription)
}

fn is_within(at: Timestamp, (since, until): (Option<Timestamp>, Option<Timestamp>)) -> bool {
    since.is_none_or(|since| at >= since) && until.is_none_or(|until| at < until)
}

fn is_match(created: &Created, filter: &DeliveryFilter) -> bool {
    filter
        .status
        .is_none_or(|status| status == created.fate.status())
        && (filter.event_type.is_none() || created.event_type == "order.created")
}

proptest! {
    #[test]
    fn a_subscriptions_deliveries_are_listed_once_each_and_newest_first(
        specs in prop::collection::vec(spec(), 0..40),
        filter in filter(),
        times in times(),
        limit in 1_u32..8,
        undelivered in any::<bool>(),
    ) {
        let backend = InMemoryBackend::default();
        let created = make(&backend, &specs);
        let subscription = samples::subscription_id(1);
        let which = if undelivered { Which::Undelivered } else { Which::All };
        let listed = all_pages(limit, |page| {
            let page = PageOf { since: times.0, until: times.1, ..page };
            let lists = lists(&backend);
            let listed = lists.deliveries(&subscription, which, &filter, &page).now_or_never();
            listed.unwrap().unwrap()
        });
        let listed = whole(listed);
        prop_assert!(listed.is_sorted_by_key(|delivery| Reverse(delivery.created_at)));
        let expected: BTreeSet<_> = created
            .iter()
            .filter(|created| created.id.subscription == subscription)
            .filter(|created| !undelivered || created.fate.is_undelivered())
            .filter(|created| is_match(created, &filter) && is_within(created.at, times))
            .map(|created| created.id)
            .collect();
        let ids: BTreeSet<_> = listed.iter().map(|delivery| delivery.id).collect();
        prop_assert_eq!(ids.len(), listed.len(), "each once");
        prop_assert_eq!(ids, expected);
    }

    #[test]
    fn a_customers_deliveries_are_listed_once_each_by_message_and_newest_first(
        specs in prop::collection::vec(spec(), 0..40),
        filter in filter(),
        times in times(),
        limit in 1_u32..8,
    ) {
        let backend = InMemoryBackend::default();
        let created = make(&backend, &specs);
        let customer = samples::customer("acme");
        let listed = all_pages(limit, |page| {
            let page = PageOf { since: times.0, until: times.1, ..page };
            let lists = lists(&backend);
            let listed = lists.customer_deliveries(&customer, &filter, &page).now_or_never();
            listed.unwrap().unwrap()
        });
        let listed = whole(listed);
        prop_assert!(listed.is_sorted_by_key(by_message));
        let expected: BTreeSet<_> = created
            .iter()
            .filter(|created| created.customer == "acme")
            .filter(|created| is_match(created, &filter) && is_within(created.at, times))
            .map(|created| created.id)
            .collect();
        let ids: BTreeSet<_> = listed.iter().map(|delivery| delivery.id).collect();
        prop_assert_eq!(ids.len(), listed.len(), "each once");
        prop_assert_eq!(ids, expected);
    }

    #[test]
    fn a_customers_messages_are_listed_once_each_and_newest_first(
        specs in prop::collection::vec(spec(), 0..40),
        orders_only in any::<bool>(),
        times in times(),
        limit in 1_u32..8,
    ) {
        let backend = InMemoryBackend::default();
        make(&backend, &specs);
        let customer = samples::customer("acme");
        let wanted = orders_only.then(|| pattern("order.*"));
        let listed = all_pages(limit, |page| {
            let page = PageOf { since: times.0, until: times.1, ..page };
            let lists = lists(&backend);
            let listed = lists.messages(&customer, wanted.as_ref(), &page).now_or_never();
            listed.unwrap().unwrap()
        });
        prop_assert!(listed.is_sorted_by_key(|message| Reverse(message.received_at)));
        let expected = specs.iter().filter(|(is_acme, is_order, at, _)| {
            *is_acme && (*is_order || !orders_only) && is_within(second(*at), times)
        });
        let ids: BTreeSet<_> = listed.iter().map(|message| message.id).collect();
        prop_assert_eq!(ids.len(), listed.len(), "each once");
        prop_assert_eq!(ids.len(), expected.count());
    }
}

/// This many messages of one customer and type, each with one delivery without an attempt.
fn many(count: u64) -> Vec<Spec> {
    let spec = |number| (true, true, number, vec![Fate::NeverTried]);
    (0..count).map(spec).collect()
}

/// A page of the portal costs at most 60 read units.
#[test]
fn a_small_budget_ends_a_page_after_few_reads_and_the_list_goes_on() {
    let backend = InMemoryBackend::default();
    make(&backend, &many(400));
    let lists = Lists {
        budget: ReadBudget::SMALL,
        ..lists(&backend)
    };
    let filters = [
        // Each delivery is read.
        (Some(StatusFilter::Succeeded), None, 40),
        // The index has the type.
        (None, Some(pattern("no.such")), 300),
    ];
    for (status, event_type, looked_at) in filters {
        let filter = DeliveryFilter { status, event_type };
        let page = PageOf {
            since: None,
            until: None,
            after: None,
            limit: 25,
        };
        let subscription = samples::subscription_id(1);
        let mut pages = 0;
        let mut after = None;
        loop {
            let page = PageOf { after, ..page };
            let listed = lists.deliveries(&subscription, Which::All, &filter, &page);
            let listed = listed.now_or_never().unwrap().unwrap();
            pages += 1;
            after = listed.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(pages, 400_usize.div_ceil(looked_at));
    }
}

#[test]
fn a_filter_that_matches_nothing_ends_the_page_early_but_not_the_list() {
    let backend = InMemoryBackend::default();
    make(&backend, &many(u64::from(ReadBudget::LARGE.entries) + 1));
    let none = DeliveryFilter {
        status: Some(StatusFilter::Succeeded),
        event_type: None,
    };
    let page = |after| PageOf {
        since: None,
        until: None,
        after,
        limit: 1,
    };
    let lists = lists(&backend);
    let subscription = samples::subscription_id(1);
    let listed = |after| {
        let page = page(after);
        let listed = lists.deliveries(&subscription, Which::All, &none, &page);
        listed.now_or_never().unwrap().unwrap()
    };
    let first = listed(None);
    assert_eq!(first.found, []);
    let next = first.next.unwrap();
    assert_eq!(
        next.at,
        second(1),
        "1,000 entries were read, and one is left"
    );
    assert_eq!(listed(Some(next)).next, None);

    let customer = samples::customer("acme");
    let after = None::<CustomerPlace>;
    let page = PageOf {
        since: None,
        until: None,
        after,
        limit: 1,
    };
    let listed = lists.customer_deliveries(&customer, &none, &page);
    let listed = listed.now_or_never().unwrap().unwrap();
    assert_eq!(listed.found, []);
    let next = listed.next.unwrap();
    assert_eq!(
        next.message.at,
        second(501),
        "a message and its delivery count as two"
    );
}

#[test]
fn a_cursor_with_another_customers_message_shows_nothing_of_it() {
    let backend = InMemoryBackend::default();
    let created = make(
        &backend,
        &[
            (false, true, 3, vec![Fate::NeverTried; 3]),
            (true, true, 2, vec![Fate::NeverTried]),
        ],
    );
    let forged = CustomerPlace {
        message: Place {
            at: second(3),
            message: created[0].id.message,
        },
        delivery_to: Some(samples::subscription_id(1)),
    };
    let page = PageOf {
        since: None,
        until: None,
        after: Some(forged),
        limit: 50,
    };
    let customer = samples::customer("acme");
    let filter = DeliveryFilter::default();
    let lists = lists(&backend);
    let listed = lists.customer_deliveries(&customer, &filter, &page);
    let listed = listed.now_or_never().unwrap().unwrap();
    let ids: Vec<_> = whole(listed.found)
        .iter()
        .map(|delivery| delivery.id)
        .collect();
    assert_eq!(ids, [created[3].id], "only the customer's own");
    assert_eq!(listed.next, None);
}

#[test]
fn an_unreadable_delivery_is_listed_by_its_id_and_hides_no_other() {
    let backend = InMemoryBackend::default();
    let created = make(
        &backend,
        &[
            (true, true, 1, vec![Fate::Failed]),
            (true, true, 2, vec![Fate::Failed]),
            (true, true, 3, vec![Fate::Failed]),
            (false, true, 4, vec![Fate::Failed]),
        ],
    );
    backend.break_delivery(created[1].id);
    backend.break_delivery(created[3].id);
    let named = |listed: Vec<ListedDelivery>| -> Vec<(DeliveryId, bool)> {
        let listed = listed.into_iter();
        let named = listed.map(|listed| match listed {
            Ok(delivery) => (delivery.id, true),
            Err(broken) => (broken.id, false),
        });
        named.collect()
    };
    let lists = lists(&backend);
    let failed = DeliveryFilter {
        status: Some(StatusFilter::Failed),
        event_type: None,
    };
    for filter in [DeliveryFilter::default(), failed] {
        for which in [Which::All, Which::Undelivered] {
            let listed = all_pages(1, |page| {
                let subscription = samples::subscription_id(1);
                let listed = lists.deliveries(&subscription, which, &filter, &page);
                listed.now_or_never().unwrap().unwrap()
            });
            let expected = [3, 2, 1, 0].map(|n| (created[n].id, n % 2 == 0));
            assert_eq!(named(listed), expected);
        }
        let listed = all_pages(1, |page| {
            let customer = samples::customer("acme");
            let listed = lists.customer_deliveries(&customer, &filter, &page);
            listed.now_or_never().unwrap().unwrap()
        });
        let expected = [2, 1, 0].map(|n| (created[n].id, n % 2 == 0));
        assert_eq!(named(listed), expected, "only the customer's own");
    }
}
