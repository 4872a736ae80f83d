//! Lists of deliveries and of messages, the newest first.

use std::fmt::Display;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use webhooks_api_types as api;
use webhooks_domain::broken::{Broken, Readable};
use webhooks_domain::event_type::{EventTypeError, EventTypePattern};
use webhooks_domain::ids::CustomerId;
use webhooks_domain::lists::{DeliveryFilter, Listed, PageOf, StatusFilter, Which};
use webhooks_domain::manage::ManageError;
use webhooks_domain::paging::MessageEntry;
use webhooks_domain::timestamp::Timestamp;

use crate::Api;
use crate::answers::{self, apart};
use crate::cursor::{Cursor, Words};
use crate::extract::{PathTexts, QueryTexts};
use crate::openapi::parameters;
use crate::pages::{CURSOR, LIMIT, LIMITS};
use crate::problem::Problem;
use crate::subscriptions::{CUSTOMER_ID, ids};

const STATUS: &str = "status";
const EVENT_TYPE: &str = "eventType";
const SINCE: &str = "since";
const UNTIL: &str = "until";

/// A page of what was listed, with each of it as it is shown.
fn page<T, I: Display, P: Words, S>(
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

impl QueryTexts {
    fn event_type(&self) -> Result<Option<EventTypePattern>, Problem> {
        let text = self.text(EVENT_TYPE).map(str::to_owned);
        let pattern = text.map(EventTypePattern::try_from).transpose();
        pattern.map_err(|error: EventTypeError| Problem::bad_parameter(EVENT_TYPE, error))
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let time = self.text(name).map(Timestamp::read).transpose();
        time.map_err(|error| Problem::bad_parameter(name, error))
    }

    fn page_of<P: Words>(&self) -> Result<PageOf<P>, Problem> {
        let (since, until) = (self.time(SINCE)?, self.time(UNTIL)?);
        if since.is_some() && until.is_some() && since >= until {
            return Err(Problem::bad_parameter(UNTIL, "must be after `since`"));
        }
        let (limit, after): (_, Option<Cursor<P>>) = self.page(LIMITS)?;
        Ok(PageOf {
            since,
            until,
            after: after.map(|cursor| cursor.0),
            limit,
        })
    }

    /// The query of a list of deliveries.
    fn deliveries<P: Words>(&self) -> Result<(DeliveryFilter, PageOf<P>), Problem> {
        self.only(&[STATUS, EVENT_TYPE, SINCE, UNTIL, LIMIT, CURSOR])?;
        let filter = DeliveryFilter {
            status: self.parse(STATUS)?,
            event_type: self.event_type()?,
        };
        Ok((filter, self.page_of()?))
    }
}

/// List the deliveries of a subscription
///
/// The newest first. A page looks at 1,000 deliveries at most, so a filter may make it short.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/deliveries",
    operation_id = "listDeliveries",
    params(
        parameters::OfCustomer, parameters::OfSubscription,
        parameters::ByStatus, parameters::ByTypeAndTime, parameters::ListPage,
    ),
    responses((status = 200, description = "A page of deliveries.", body = api::DeliveryPage)),
)]
pub(crate) async fn deliveries(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    query: QueryTexts,
) -> Result<Json<api::DeliveryPage>, Problem> {
    of_subscription(&api, &path, &query, Which::All).await
}

/// List the undelivered deliveries of a subscription
///
/// Lists deliveries that are held, have failed, or are pending after a failure, the newest first.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/subscriptions/{subscriptionId}/undelivered",
    operation_id = "listUndelivered",
    params(
        parameters::OfCustomer, parameters::OfSubscription,
        parameters::ByUndeliveredStatus, parameters::ByTypeAndTime, parameters::ListPage,
    ),
    responses((status = 200, description = "A page of deliveries.", body = api::DeliveryPage)),
)]
pub(crate) async fn undelivered(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    query: QueryTexts,
) -> Result<Json<api::DeliveryPage>, Problem> {
    of_subscription(&api, &path, &query, Which::Undelivered).await
}

async fn of_subscription(
    api: &Api,
    path: &PathTexts,
    query: &QueryTexts,
    which: Which,
) -> Result<Json<api::DeliveryPage>, Problem> {
    let (customer, subscription) = ids(path)?;
    let (filter, range) = query.deliveries()?;
    let can_be_listed = match which {
        Which::All => true,
        Which::Undelivered => filter.status.is_none_or(StatusFilter::is_undelivered),
    };
    if !can_be_listed {
        let problem = "must be `pending`, `held` or `failed`: only these are undelivered";
        return Err(Problem::bad_parameter(STATUS, problem));
    }
    // The list goes by the subscription alone: here it is held to be this customer's.
    match api.manage.show(&customer, &subscription).await {
        // Its deliveries can be read.
        Ok(_) | Err(ManageError::Broken(_)) => {}
        Err(error) => return Err(error.into()),
    }
    let listed = api.lists.deliveries(&subscription, which, &filter, &range);
    Ok(Json(page(listed.await?, answers::delivery)))
}

/// List the deliveries of a customer
///
/// Message by message, the newest message first. The times are those at which the messages were
/// stored. A page looks at 1,000 messages and deliveries at most.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/deliveries",
    operation_id = "listDeliveriesOfCustomer",
    params(
        parameters::OfCustomer,
        parameters::ByStatus, parameters::ByTypeAndTime, parameters::ListPage,
    ),
    responses((status = 200, description = "A page of deliveries.", body = api::DeliveryPage)),
)]
pub(crate) async fn of_customer(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    query: QueryTexts,
) -> Result<Json<api::DeliveryPage>, Problem> {
    let customer = path.parse(CUSTOMER_ID)?;
    let (filter, range) = query.deliveries()?;
    let listed = api.lists.customer_deliveries(&customer, &filter, &range);
    Ok(Json(page(listed.await?, answers::delivery)))
}

/// List the messages of a customer
///
/// The newest first. A page looks at 1,000 messages at most, so a filter may make it short.
#[utoipa::path(
    get,
    path = "/customers/{customerId}/messages",
    operation_id = "listMessages",
    params(parameters::OfCustomer, parameters::ByTypeAndTime, parameters::ListPage),
    responses((status = 200, description = "A page of messages.", body = api::MessageEntryPage)),
)]
pub(crate) async fn messages(
    State(api): State<Arc<Api>>,
    path: PathTexts,
    query: QueryTexts,
) -> Result<Json<api::MessageEntryPage>, Problem> {
    let customer: CustomerId = path.parse(CUSTOMER_ID)?;
    query.only(&[EVENT_TYPE, SINCE, UNTIL, LIMIT, CURSOR])?;
    let (event_type, range) = (query.event_type()?, query.page_of()?);
    let listed = api.lists.messages(&customer, event_type.as_ref(), &range);
    let listed = listed.await?;
    let read = |entry: MessageEntry| {
        let problem = match (entry.event_type, entry.time) {
            (Some(event_type), Some(time)) => {
                return Ok(api::MessageEntry {
                    id: entry.id.to_string(),
                    customer_id: customer.to_string(),
                    event_type: event_type.into(),
                    time,
                    received_at: entry.received_at.to_string(),
                });
            }
            (None, _) => "eventType: is missing, or no text",
            (_, None) => "time: is missing, or no text",
        };
        Err(Broken {
            id: entry.id,
            customer_id: Some(customer.clone()),
            problem: problem.to_owned(),
        })
    };
    let listed = Listed {
        found: listed.found.into_iter().map(read).collect(),
        next: listed.next,
    };
    Ok(Json(page(listed, |entry| entry)))
}
