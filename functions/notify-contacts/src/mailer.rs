//! Sends messages by Amazon SES.

use std::future::Future;
use std::time::Duration;

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::Builder;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::config::timeout::TimeoutConfig;
use aws_sdk_sesv2::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message as SesMessage};
use webhooks_domain::contact::EmailAddress;
use webhooks_lambda::{SdkConfig, with_sources};

/// The longest time for a message, with all tries. SES drops what exceeds the rate of the account, and
/// asks for another try after a while.
pub(crate) const TIME_FOR_ALL_TRIES: Duration = Duration::from_secs(14);
/// The longest time for a try. SES has no token that makes a repetition safe, so a try ends late.
const TIME_FOR_A_TRY: Duration = Duration::from_secs(5);
const MAX_TRIES: u32 = 6;

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
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(TIME_FOR_A_TRY)
            .operation_timeout(TIME_FOR_ALL_TRIES)
            .build();
        let config = Builder::from(aws)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(MAX_TRIES))
            .build();
        Self {
            client: Client::from_conf(config),
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
            Err(error) => Err(classified(&error)),
        }
    }
}

fn utf8(text: &str) -> Content {
    let content = Content::builder().data(text).charset("UTF-8");
    content.build().expect("it has data")
}

/// The texts and bodies of answers may name addresses, so neither is kept.
fn classified(error: &SdkError<SendEmailError>) -> SendError {
    let refused = error
        .as_service_error()
        .filter(|error| error.is_message_rejected() || error.is_bad_request_exception());
    if let Some(error) = refused {
        let code = error.code().unwrap_or("unknown").to_owned();
        return SendError::Refused { code };
    }
    let source = match (error.code(), error) {
        (Some(code), _) => code.to_owned(),
        (None, SdkError::DispatchFailure(failure)) => failure
            .as_connector_error()
            .map_or("the request failed".to_owned(), |error| with_sources(error)),
        (None, SdkError::TimeoutError(_)) => "no answer in time".to_owned(),
        (None, SdkError::ConstructionFailure(_)) => "the request could not be made".to_owned(),
        (None, _) => "the answer is not understood".to_owned(),
    };
    SendError::Unavailable {
        source: source.into(),
    }
}
