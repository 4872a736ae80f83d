//! Tests of a filter.

use webhooks_api_types as api;
use webhooks_domain::fields::FieldError;
use webhooks_domain::filter::Filter;

/// Returns true if the filter of a request matches its event.
///
/// # Errors
/// The first field that is not valid.
pub(crate) fn filter_matches(request: &api::FilterTest) -> Result<bool, FieldError> {
    let filter = Filter::parse(request.filter.as_json());
    let matches = filter.and_then(|filter| filter.matches(request.event.detail.get()));
    matches.map_err(|error| FieldError::new("filter", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body;

    const EVENT: &str = include_str!("../../../../events/order-created.json");

    fn try_filter(body: &str) -> Result<bool, FieldError> {
        filter_matches(&body::read(body.as_bytes())?)
    }

    fn tried(filter: &str) -> bool {
        try_filter(&format!(r#"{{"filter":{filter},"event":{EVENT}}}"#)).unwrap()
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
            let refused = try_filter(body).unwrap_err();
            assert_eq!(refused.field, field, "{body}: {refused}");
        }
    }
}
