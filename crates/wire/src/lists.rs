//! Lists of deliveries, messages, customers, event types and unhealthy subscriptions: which page a query asks for,
//! and a page as it is shown.

use std::fmt::Display;

use webhooks_api_types as api;
use webhooks_domain::broken::Readable;
use webhooks_domain::catalogue::{CatalogueEntry, TypeName};
use webhooks_domain::customer::Customer;
use webhooks_domain::event_type::{EventTypeError, EventTypePattern};
use webhooks_domain::fields::FieldError;
use webhooks_domain::ids::CustomerId;
use webhooks_domain::lists::{DeliveryFilter, Listed, PageOf, StatusFilter};
use webhooks_domain::paging::{EntryPage, MessagePage};
use webhooks_domain::subscription::ProblemKind;
use webhooks_domain::timestamp::Timestamp;
use webhooks_domain::unhealthy::ListedUnhealthy;

use crate::answers::{self, apart};
use crate::cursor::{Cursor, CustomersPlace, EventTypesPlace, Words};

/// A page of what was listed, with each of it as it is shown.
pub fn page<T, I: Display, P: Words, S>(
    listed: Listed<Readable<T, I>, P>,
    show: impl Fn(T) -> S,
) -> api::Page<S> {
    let (data, broken) = apart(listed.found, show);
    api::Page {
        data,
        next_cursor: listed.next.map(|place| Cursor(place).to_string()),
        broken,
    }
}

/// The page of customers that a table has read.
pub fn customers(page: EntryPage<Readable<Customer, CustomerId>>) -> api::CustomerPage {
    let id = |customer: &Customer| customer.id.clone();
    entries(page, id, CustomersPlace, answers::customer)
}

/// The page of event types that a table has read.
pub fn event_types(
    page: EntryPage<Readable<CatalogueEntry, TypeName>>,
) -> api::EventTypeSummaryPage {
    let name = |entry: &CatalogueEntry| entry.name.clone();
    entries(page, name, EventTypesPlace, answers::event_type_summary)
}

/// A page of entries that go on after the id of the last one.
fn entries<T, I: Display + Clone, P: Words, S>(
    page: EntryPage<Readable<T, I>>,
    id: impl Fn(&T) -> I,
    place: impl Fn(I) -> P,
    show: impl Fn(T) -> S,
) -> api::Page<S> {
    let cursor = |id| Cursor(place(id)).to_string();
    after_last(page.entries, page.has_more, id, cursor, show)
}

/// A page of items whose ids are the cursors of their list.
pub fn by_id<T, I: Display + Clone, S>(
    found: Vec<Readable<T, I>>,
    has_more: bool,
    id: impl Fn(&T) -> I,
    show: impl Fn(T) -> S,
) -> api::Page<S> {
    after_last(found, has_more, id, |id| id.to_string(), show)
}

/// A page of items. The next one begins after the last of this one.
fn after_last<T, I: Display + Clone, S>(
    found: Vec<Readable<T, I>>,
    has_more: bool,
    id: impl Fn(&T) -> I,
    cursor: impl Fn(I) -> String,
    show: impl Fn(T) -> S,
) -> api::Page<S> {
    let last = found.last().filter(|_| has_more);
    let next_cursor = last.map(|last| {
        cursor(match last {
            Ok(found) => id(found),
            Err(broken) => broken.id.clone(),
        })
    });
    let (data, broken) = apart(found, show);
    api::Page {
        data,
        next_cursor,
        broken,
    }
}

/// A page of unhealthy subscriptions. `cursor` is the text of a place.
pub fn unhealthy<P>(
    listed: Listed<ListedUnhealthy, P>,
    cursor: impl FnOnce(P) -> String,
) -> api::UnhealthySubscriptionPage {
    let (mut data, mut broken) = (Vec::new(), Vec::new());
    for found in listed.found {
        match found {
            Ok(found) => data.extend(answers::unhealthy(&found)),
            Err(found) => broken.push(answers::broken_subscription(&found)),
        }
    }
    api::Page {
        data,
        next_cursor: listed.next.map(cursor),
        broken,
    }
}

/// The problem by which unhealthy subscriptions are selected.
pub fn problem_kind(kind: api::ProblemKind) -> ProblemKind {
    match kind {
        api::ProblemKind::Disabled => ProblemKind::Disabled,
        api::ProblemKind::CircuitOpen => ProblemKind::CircuitOpen,
        api::ProblemKind::Failing => ProblemKind::Failing,
        api::ProblemKind::Slow => ProblemKind::Slow,
        api::ProblemKind::Holding => ProblemKind::Holding,
    }
}

/// A message with a page of its deliveries.
pub fn message(page: MessagePage) -> api::Message {
    let deliveries = after_last(
        page.deliveries,
        page.has_more,
        |delivery| delivery.id,
        |id| id.subscription.to_string(),
        answers::delivery,
    );
    api::Message {
        id: page.message.id.to_string(),
        customer_id: page.message.customer_id.to_string(),
        event_type: page.message.event_type.into(),
        time: page.message.time,
        received_at: page.received_at.to_string(),
        deliver_at: page.message.deliver_at.map(|at| at.to_string()),
        cancelled_at: page.message.cancelled_at.map(|at| at.to_string()),
        deliveries: deliveries.data,
        broken: deliveries.broken,
        next_cursor: deliveries.next_cursor,
    }
}

/// The place after which a page starts.
///
/// # Errors
/// If the text is not a cursor of this list.
pub fn place<P: Words>(cursor: Option<&str>) -> Result<Option<P>, FieldError> {
    let place = cursor.map(str::parse::<Cursor<P>>).transpose();
    let place = place.map_err(|error| FieldError::new("cursor", error))?;
    Ok(place.map(|Cursor(place)| place))
}

/// The page that a query asks for.
///
/// # Errors
/// The first parameter that is not valid.
pub fn page_of<P: Words>(
    since: Option<&str>,
    until: Option<&str>,
    limit: Option<api::ListLimit>,
    cursor: Option<&str>,
) -> Result<PageOf<P>, FieldError> {
    let time = |name, text: Option<&str>| {
        let time = text.map(Timestamp::read).transpose();
        time.map_err(|error| FieldError::new(name, error))
    };
    let (since, until) = (time("since", since)?, time("until", until)?);
    if since.is_some() && until.is_some() && since >= until {
        return Err(FieldError::new("until", "must be after `since`"));
    }
    Ok(PageOf {
        since,
        until,
        after: place(cursor)?,
        limit: limit.unwrap_or_default().get(),
    })
}

/// The event types that a query selects.
///
/// # Errors
/// If they are not valid.
pub fn event_type(text: Option<String>) -> Result<Option<EventTypePattern>, FieldError> {
    let pattern = text.map(EventTypePattern::try_from).transpose();
    pattern.map_err(|error: EventTypeError| FieldError::new("eventType", error))
}

/// The deliveries that a query selects, and the page.
///
/// # Errors
/// The first parameter that is not valid.
pub fn selected<P: Words>(
    query: api::DeliveriesQuery,
) -> Result<(DeliveryFilter, PageOf<P>), FieldError> {
    let (since, until) = (query.since.as_deref(), query.until.as_deref());
    let page = page_of(since, until, query.limit, query.cursor.as_deref())?;
    let filter = DeliveryFilter {
        status: query.status.map(status),
        event_type: event_type(query.event_type)?,
    };
    Ok((filter, page))
}

fn status(status: api::DeliveryStatus) -> StatusFilter {
    match status {
        api::DeliveryStatus::Pending => StatusFilter::Pending,
        api::DeliveryStatus::Held => StatusFilter::Held,
        api::DeliveryStatus::Succeeded => StatusFilter::Succeeded,
        api::DeliveryStatus::Failed => StatusFilter::Failed,
        api::DeliveryStatus::Cancelled => StatusFilter::Cancelled,
    }
}
