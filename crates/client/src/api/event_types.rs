//! `/event-types`

use http::Method;
use serde::Serialize;

use super::{Api, Call};
use crate::{EventType, EventTypeSummary, EventTypesQuery, Page};

impl Api {
    /// One page of the event types of the catalogue.
    pub fn event_types(&self, query: &EventTypesQuery) -> Call<'_, Page<EventTypeSummary>> {
        Call::new(self, Method::GET, &["event-types"]).query(query)
    }

    /// One event type.
    pub fn event_type(&self, name: &str) -> Call<'_, EventType> {
        Call::new(self, Method::GET, &["event-types", name])
    }

    /// Writes an event type as a whole.
    pub fn put_event_type(&self, name: &str, event_type: &impl Serialize) -> Call<'_, EventType> {
        Call::new(self, Method::PUT, &["event-types", name]).json(event_type)
    }

    /// Deletes an event type from the catalogue.
    pub fn delete_event_type(&self, name: &str) -> Call<'_, ()> {
        Call::new(self, Method::DELETE, &["event-types", name])
    }
}
