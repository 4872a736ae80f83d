//! Publishes operational events on the stack's event bus.

use aws_config::SdkConfig;
use aws_sdk_eventbridge::Client;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use webhooks_domain::operational::{OperationalEvent, SOURCE};
use webhooks_domain::ports::{OperationalEventPublisher, PublishError};

/// The event bus.
#[derive(Debug, Clone)]
pub struct EventBus {
    client: Client,
    name: String,
}

impl EventBus {
    /// Returns the bus with this name.
    pub fn new(aws: &SdkConfig, name: String) -> Self {
        Self {
            client: Client::new(aws),
            name,
        }
    }
}

impl OperationalEventPublisher for EventBus {
    async fn publish(&self, events: &[OperationalEvent]) -> Result<(), PublishError> {
        let entries = events.iter().map(|event| {
            PutEventsRequestEntry::builder()
                .event_bus_name(&self.name)
                .source(SOURCE)
                .detail_type(event.kind.as_str())
                .detail(event.detail())
                .build()
        });
        let output = self
            .client
            .put_events()
            .set_entries(Some(entries.collect()))
            .send()
            .await
            .map_err(|error| PublishError(Box::new(error)))?;
        let refused = output.entries.unwrap_or_default().into_iter();
        match refused.into_iter().find_map(|entry| entry.error_code) {
            None => Ok(()),
            Some(code) => Err(PublishError(code.into())),
        }
    }
}
