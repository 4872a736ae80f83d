//! An event as its producer wrote it.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// An EventBridge event: what a rule matches, and what starts the workflow.
///
/// Read with serde from the whole event as EventBridge delivers it. Members
/// other than these three are left to the bus, which sets its own. The detail
/// is kept as the producer's own text, so that no number is rounded on its way.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Event {
    /// The producer, such as `com.example.shop`.
    pub source: String,
    /// The event type, such as `order.created`.
    #[serde(rename = "detail-type")]
    pub event_type: String,
    /// The payload, a JSON object.
    pub detail: Box<RawValue>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_keeps_the_text_of_its_detail() {
        let event: Event = serde_json::from_str(
            r#"{"id": "1", "source": "s", "detail-type": "t", "detail": {"n": 12345678901234567890.10}}"#,
        )
        .unwrap();
        assert_eq!(event.detail.get(), r#"{"n": 12345678901234567890.10}"#);
    }
}
