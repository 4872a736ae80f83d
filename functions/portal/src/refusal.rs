//! The reasons why a request is refused.

use webhooks_domain::portal_access::MissingCapability;
use webhooks_domain::ports::StoreError;
use webhooks_domain::read_subscription::ReadError;
use webhooks_domain::resend::ResendError;

/// The reason why a request is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is nothing at this path, or it is another customer's.
    NotFound,
    /// The path does not take this method.
    Method,
    /// A part of the request has another form.
    Malformed,
    /// The body of the form is too large.
    TooLarge,
    /// There is no session, or it has ended or was revoked.
    Ended,
    /// The link was used, or is too old.
    LinkUsed,
    /// The form comes from a page of another site, or of another session.
    Foreign,
    /// The session may not do this.
    Missing(MissingCapability),
    /// The item cannot be read.
    Broken(String),
    /// The state of the item does not allow it.
    Conflict(String),
    /// The table did not answer.
    Failed(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<MissingCapability> for Refusal {
    fn from(missing: MissingCapability) -> Self {
        Self::Missing(missing)
    }
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Broken(broken) => Self::Broken(broken.to_string()),
            ReadError::Store(error) => Self::Failed(error),
        }
    }
}

impl From<ResendError> for Refusal {
    fn from(error: ResendError) -> Self {
        match error {
            ResendError::NotFound(_) => Self::NotFound,
            ResendError::Broken { .. } => Self::Broken(error.to_string()),
            ResendError::NotActive(_) | ResendError::Reopen(_) | ResendError::Conflict(_) => {
                Self::Conflict(error.to_string())
            }
            ResendError::Subscription(error) => error.into(),
            ResendError::Store(error) => error.into(),
        }
    }
}
