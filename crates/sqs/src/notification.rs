//! Messages to contacts: the queue that `notify-contacts` reads.

use aws_sdk_sqs::Client;
use serde::{Deserialize, Serialize};
use webhooks_domain::contact::{ContactCode, EmailAddress};
use webhooks_domain::portal_session::Origin;
use webhooks_domain::ports::{ConfirmationMailer, QueueError};

/// The queue of messages to contacts. The warnings in it come from the event bus.
#[derive(Debug, Clone)]
pub struct NotificationQueue {
    client: Client,
    url: String,
    portal: Origin,
}

/// A queue message that asks for the confirmation of an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfirmationRequest {
    /// The address.
    pub address: String,
    /// The page of the portal that confirms it. Its fragment has the code.
    pub link: String,
}

/// The form of such a queue message. Its only member distinguishes it from an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmationMessage {
    /// The request.
    pub confirmation: ConfirmationRequest,
}

impl NotificationQueue {
    /// The queue with this URL, for links to this portal.
    pub fn new(client: Client, url: String, portal: Origin) -> Self {
        Self {
            client,
            url,
            portal,
        }
    }
}

impl ConfirmationMailer for NotificationQueue {
    async fn ask_for_confirmation(
        &self,
        address: &EmailAddress,
        code: &ContactCode,
    ) -> Result<(), QueueError> {
        let message = ConfirmationMessage {
            confirmation: ConfirmationRequest {
                address: address.as_str().to_owned(),
                // In the fragment, which browsers send to no server.
                link: format!("{}/contact#code={}", self.portal, code.expose()),
            },
        };
        let body = serde_json::to_string(&message).expect("texts become JSON");
        let send = self.client.send_message();
        let sent = send.queue_url(&self.url).message_body(body).send();
        sent.await.map_err(|error| QueueError(Box::new(error)))?;
        Ok(())
    }
}
