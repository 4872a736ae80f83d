//! `/event-types` and `/event-types/{name}`: the event catalogue.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use webhooks_api_types as api;
use webhooks_domain::catalogue::CatalogueEntry;
use webhooks_domain::manage_catalogue::CatalogueError;
use webhooks_schema::JsonSchemas;
use webhooks_wire::answers;
use webhooks_wire::cursor::{Cursor, EventTypesPlace};
use webhooks_wire::lists;

use crate::Api;
use crate::audit;
use crate::body;
use crate::extract::{Body, Caller, NoQuery, Path, Query};
use crate::if_match::IfMatch;
use crate::pages::place;
use crate::path::OfEventType;
use crate::problem::Problem;
use crate::requests;
use crate::subscriptions::{ETag, etag};

/// List event types
///
/// All types of the catalogue, in the order of their names, without their schemas and examples.
#[utoipa::path(
    get,
    path = "/event-types",
    operation_id = "listEventTypes",
    params(api::EventTypesQuery),
    responses((status = 200, description = "A page of event types.", body = api::EventTypeSummaryPage)),
)]
pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    Query(query): Query<api::EventTypesQuery>,
) -> Result<Json<api::EventTypeSummaryPage>, Problem> {
    let after: Option<Cursor<EventTypesPlace>> = place(query.cursor.as_deref())?;
    let limit = query.limit.unwrap_or_default().get();
    let after = after.map(|Cursor(EventTypesPlace(name))| name);
    let page = api.catalogue.list(after.as_ref(), limit).await?;
    Ok(Json(lists::event_types(page)))
}

/// Read an event type
#[utoipa::path(
    get,
    path = "/event-types/{name}",
    operation_id = "showEventType",
    params(OfEventType),
    responses((status = 200, description = "The event type.", body = api::EventType,
        headers(("ETag" = String, description = "The version, in quotes.")))),
)]
pub(crate) async fn show(
    State(api): State<Arc<Api>>,
    Path(OfEventType { name }): Path<OfEventType>,
    _: NoQuery,
) -> Result<(ETag, Json<api::EventType>), Problem> {
    Ok(with_etag(api.catalogue.show(&name).await?))
}

/// Put an event type
///
/// Writes all of its fields: a field that is absent is removed. A type that is not in the catalogue is
/// added, unless there is an `If-Match`. The catalogue has at most 1,000 types.
#[utoipa::path(
    put,
    path = "/event-types/{name}",
    operation_id = "putEventType",
    params(OfEventType, IfMatch),
    request_body = api::NewEventType,
    responses(
        (status = 200, description = "The event type.", body = api::EventType,
            headers(("ETag" = String, description = "The version, in quotes."))),
        (status = 201, description = "The event type, which is new.", body = api::EventType,
            headers(("ETag" = String, description = "The version, in quotes."))),
    ),
)]
pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    Path(OfEventType { name }): Path<OfEventType>,
    _: NoQuery,
    IfMatch(expected): IfMatch,
    caller: Caller,
    Body(body): Body,
) -> Result<(StatusCode, ETag, Json<api::EventType>), Problem> {
    let documentation = requests::documentation(body::read(&body)?)?;
    requests::check_schema(&documentation, &JsonSchemas)?;
    let written = api
        .catalogue
        .replace(&name, &expected, documentation)
        .await?;
    audit::event_type_written(&written, &caller);
    let status = match written.before {
        Some(_) => StatusCode::OK,
        None => StatusCode::CREATED,
    };
    let (etag, shown) = with_etag(written.entry);
    Ok((status, etag, shown))
}

/// Delete an event type
///
/// Removes it from the catalogue. Subscriptions and events of this type are not affected.
#[utoipa::path(
    delete,
    path = "/event-types/{name}",
    operation_id = "deleteEventType",
    params(OfEventType, IfMatch),
    responses((status = 204, description = "It is deleted.")),
)]
pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    Path(OfEventType { name }): Path<OfEventType>,
    _: NoQuery,
    IfMatch(expected): IfMatch,
    caller: Caller,
) -> Result<StatusCode, Problem> {
    let deleted = api.catalogue.delete(&name, &expected).await?;
    audit::event_type_deleted(&deleted, &caller);
    Ok(StatusCode::NO_CONTENT)
}

/// An event type with its version as the entity tag.
fn with_etag(entry: CatalogueEntry) -> (ETag, Json<api::EventType>) {
    let etag = etag(entry.version);
    (etag, Json(answers::event_type(entry)))
}

impl From<CatalogueError> for Problem {
    fn from(error: CatalogueError) -> Self {
        match error {
            CatalogueError::Field(error) => error.into(),
            CatalogueError::NotFound { .. } => Self::not_found(error.to_string()),
            CatalogueError::Conflict { .. } => {
                Self::conflict("conflict", "Conflict", error.to_string())
            }
            CatalogueError::AnotherVersion { .. } => Self::another_version(error.to_string()),
            CatalogueError::Full => {
                Self::conflict("catalogue-full", "Catalogue full", error.to_string())
            }
            CatalogueError::Store(error) => error.into(),
        }
    }
}
