//! The event of a test.

use webhooks_api_types as api;
use webhooks_domain::event_type::EventType;
use webhooks_domain::fields::FieldError;

use super::parsed;

/// The type of the event of a test.
///
/// # Errors
/// When it is not valid.
pub(crate) fn test_event_type(request: api::Test) -> Result<EventType, FieldError> {
    let event_type = parsed("eventType", request.event_type, EventType::try_from)?;
    Ok(event_type.unwrap_or_else(EventType::of_a_test))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body;

    fn test_event_type(body: &[u8]) -> Result<EventType, FieldError> {
        super::test_event_type(body::read_or_default(body)?)
    }

    #[test]
    fn a_test_has_a_type_by_default() {
        assert_eq!(test_event_type(b"").unwrap().as_str(), "webhook.test");
        assert_eq!(test_event_type(b"{}").unwrap().as_str(), "webhook.test");
        let chosen = test_event_type(br#"{"eventType":"order.created"}"#).unwrap();
        assert_eq!(chosen.as_str(), "order.created");
        for (body, field) in [
            ("[]", "body"),
            (r#"{"type":"order.created"}"#, "type"),
            (r#"{"eventType":null}"#, "eventType"),
            (r#"{"eventType":""}"#, "eventType"),
            (r#"{"eventType":["order.created"]}"#, "eventType"),
        ] {
            let refused = test_event_type(body.as_bytes()).unwrap_err();
            assert_eq!(refused.field, field, "{body}");
        }
    }
}
