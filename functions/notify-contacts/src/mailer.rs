//! Sends messages by Amazon SES.

use std::future::Future;

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::{BoxError, DisplayErrorContext, ProvideErrorMetadata};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message as SesMessage};
use webhooks_domain::contact::EmailAddress;
use webhooks_lambda::SdkConfig;

/// A message to one contact, as plain text.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) to: EmailAddress,
    pub(crate) subject: &'static str,
    pub(crate) text: String,
}

/// The reason why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// SES refuses this message, and would refuse it again. The text of its error names addresses,
    /// so only its code is kept.
    #[error("SES has refused the message: {code}")]
    Refused { code: String },
    /// SES may accept it later.
    #[error("SES is not available")]
    Unavailable { source: BoxError },
}

/// Sends messages.
pub(crate) trait Mailer {
    /// Returns after the message was accepted. It may be sent twice if the answer is lost.
    fn send(&self, message: &Message) -> impl Future<Output = Result<(), SendError>> + Send;
}

/// Amazon SES.
pub(crate) struct SesMailer {
    client: Client,
    sender: EmailAddress,
    configuration_set: Option<String>,
}

impl SesMailer {
    pub(crate) fn new(
        aws: &SdkConfig,
        sender: EmailAddress,
        configuration_set: Option<String>,
    ) -> Self {
        Self {
            client: Client::new(aws),
            sender,
            configuration_set,
        }
    }
}

impl Mailer for SesMailer {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        let to = Destination::builder().to_addresses(message.to.as_str());
        let simple = SesMessage::builder()
            .subject(utf8(message.subject))
            .body(Body::builder().text(utf8(&message.text)).build());
        let sent = self
            .client
            .send_email()
            .from_email_address(self.sender.as_str())
            .set_configuration_set_name(self.configuration_set.clone())
            .destination(to.build())
            .content(EmailContent::builder().simple(simple.build()).build())
            .send();
        match sent.await {
            Ok(_) => Ok(()),
            Err(error) => Err(classified(error)),
        }
    }
}

fn utf8(text: &str) -> Content {
    let content = Content::builder().data(text).charset("UTF-8");
    content.build().expect("it has data")
}

fn classified(error: aws_sdk_sesv2::error::SdkError<SendEmailError>) -> SendError {
    let refused = error
        .as_service_error()
        .filter(|error| error.is_message_rejected() || error.is_bad_request_exception());
    if let Some(error) = refused {
        let code = error.code().unwrap_or("unknown").to_owned();
        return SendError::Refused { code };
    }
    let code = error.code().map(str::to_owned);
    match code {
        // The texts of service errors may name addresses.
        Some(code) => SendError::Unavailable {
            source: code.into(),
        },
        None => SendError::Unavailable {
            source: DisplayErrorContext(&error).to_string().into(),
        },
    }
}
