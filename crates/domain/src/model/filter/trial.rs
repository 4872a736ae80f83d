//! Trying a filter on an event, without a subscription.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::Filter;
use crate::fields::{Field, FieldError, fields};

/// Returns true if the `filter` of a JSON body matches its `event`. The filter has the form of a
/// subscription's field; the event is a whole event from the bus, of which only `detail` is used.
///
/// # Errors
/// Names the first field that is unknown, missing or not valid.
pub fn try_filter(body: &[u8]) -> Result<bool, FieldError> {
    let (mut filter, mut detail) = (None, None);
    for (name, value) in &fields(body)? {
        let value = Field::new(name, value);
        match name.as_str() {
            "filter" => filter = value.filter()?,
            "event" => detail = Some(value.detail()?),
            _ => return Err(value.unknown("filter, event")),
        }
    }
    let filter = filter.ok_or(FieldError::required("filter"))?;
    let detail = detail.ok_or(FieldError::required("event"))?;
    filter
        .matches(detail.get())
        .map_err(|error| FieldError::new("filter", error))
}

impl Field<'_> {
    pub(crate) fn filter(&self) -> Result<Option<Filter>, FieldError> {
        match self.json {
            "null" => Ok(None),
            pattern => Filter::parse(pattern)
                .map(Some)
                .map_err(|error| self.error(error)),
        }
    }

    fn detail(&self) -> Result<Box<RawValue>, FieldError> {
        let mut event: BTreeMap<String, Box<RawValue>> = self.read()?;
        event
            .remove("detail")
            .filter(|detail| detail.get().starts_with('{'))
            .ok_or_else(|| self.error("must have a `detail` that is a JSON object"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = include_str!("../../../../../events/order-created.json");

    fn tried(filter: &str) -> bool {
        try_filter(format!(r#"{{"filter":{filter},"event":{EVENT}}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn a_filter_is_tried_on_the_detail_of_a_real_event() {
        assert!(tried(r#"{"customerId":["cust_1001"]}"#));
        assert!(!tried(r#"{"customerId":["cust_1002"]}"#));
        // A pattern for the whole event, as in a rule, matches nothing in its detail.
        assert!(!tried(r#"{"detail-type":["order.created"]}"#));
    }

    #[test]
    fn the_field_that_is_not_valid_is_named() {
        for (body, field) in [
            ("", "body"),
            ("[]", "body"),
            ("{}", "filter"),
            (r#"{"filter":null,"event":{"detail":{}}}"#, "filter"),
            (r#"{"filter":{},"event":{"detail":{}}}"#, "filter"),
            (
                r#"{"filter":{"a":[{"near":1}]},"event":{"detail":{}}}"#,
                "filter",
            ),
            (r#"{"filter":{"a":[1]}}"#, "event"),
            (r#"{"filter":{"a":[1]},"event":null}"#, "event"),
            (r#"{"filter":{"a":[1]},"event":[{}]}"#, "event"),
            (r#"{"filter":{"a":[1]},"event":{}}"#, "event"),
            (r#"{"filter":{"a":[1]},"event":{"detail":"a"}}"#, "event"),
            (r#"{"filter":{"a":[1]},"detail":{}}"#, "detail"),
        ] {
            let refused = try_filter(body.as_bytes()).unwrap_err();
            assert_eq!(refused.field, field, "{body}: {refused}");
        }
    }
}
