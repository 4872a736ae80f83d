//! Lists of deliveries and of messages, the newest first: which page a query asks for, and a page as
//! it is shown.

use std::fmt::Display;

use webhooks_api_types as api;
use webhooks_domain::broken::Readable;
use webhooks_domain::event_type::{EventTypeError, EventTypePattern};
use webhooks_domain::fields::FieldError;
use webhooks_domain::lists::{DeliveryFilter, Listed, PageOf, StatusFilter};
use webhooks_domain::timestamp::Timestamp;

use crate::answers::apart;
use crate::cursor::{Cursor, Words};

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

/// The place after which a page starts.
fn place<P: Words>(cursor: Option<&str>) -> Result<Option<P>, FieldError> {
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
