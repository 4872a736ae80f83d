//! Messages: one with its deliveries, or a list of them.

use std::time::Duration;

use http::Method;
use tokio::time::{Instant, sleep};

use super::{Api, Call};
use crate::{CancelQuery, Cancellation, Error, Message, MessageEntry, MessagesQuery, Page};

/// Between two looks at a message that is waited for.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

impl Api {
    /// A message with its deliveries.
    pub fn message(&self, message_id: &str) -> Call<'_, Message> {
        Call::new(self, Method::GET, &["messages", message_id])
    }

    /// The same, if it is this customer's.
    pub fn message_of_customer(&self, customer_id: &str, message_id: &str) -> Call<'_, Message> {
        let path = ["customers", customer_id, "messages", message_id];
        Call::new(self, Method::GET, &path)
    }

    /// Cancels a page of what is still pending of a customer's message.
    pub fn cancel_message(
        &self,
        customer_id: &str,
        message_id: &str,
        query: &CancelQuery,
    ) -> Call<'_, Cancellation> {
        let path = ["customers", customer_id, "messages", message_id, "cancel"];
        Call::new(self, Method::POST, &path).query(query)
    }

    /// A customer's messages, the newest first.
    pub fn messages(
        &self,
        customer_id: &str,
        query: &MessagesQuery,
    ) -> Call<'_, Page<MessageEntry>> {
        let path = ["customers", customer_id, "messages"];
        Call::new(self, Method::GET, &path).query(query)
    }

    /// Asks for a message until it is as wanted.
    ///
    /// # Errors
    /// As [`message_by_when`](Self::message_by_when).
    pub async fn message_when(
        &self,
        message_id: &str,
        within: Duration,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Message, Error> {
        let ask = || self.message(message_id);
        self.message_by_when(ask, within, wanted).await
    }

    /// Asks for a message by this call until it is as wanted.
    ///
    /// # Errors
    /// [`Error::StillWaiting`] with the last answer when the time is up. An
    /// answer that the message is unknown is waited out, any other error is
    /// returned at once.
    pub async fn message_by_when<'a>(
        &'a self,
        ask: impl Fn() -> Call<'a, Message>,
        within: Duration,
        wanted: impl Fn(&Message) -> bool,
    ) -> Result<Message, Error> {
        let deadline = Instant::now() + within;
        loop {
            let last = match ask().await {
                Ok(message) if wanted(&message) => return Ok(message),
                Ok(message) => serde_json::to_string_pretty(&message).unwrap_or_default(),
                Err(Error::Problem(problem)) if problem.status == 404 => problem.to_string(),
                Err(error) => return Err(error),
            };
            if Instant::now() >= deadline {
                return Err(Error::StillWaiting { within, last });
            }
            sleep(POLL_INTERVAL).await;
        }
    }
}
