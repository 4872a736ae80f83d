//! The reasons why a request is refused.

use std::error::Error;

use webhooks_domain::portal_access::MissingCapability;
use webhooks_domain::ports::StoreError;
use webhooks_domain::read_subscription::ReadError;
use webhooks_domain::recover::RecoveriesError;
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
    /// The table, or the workflow of recoveries, did not answer.
    Failed(Box<dyn Error + Send + Sync>),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Failed(Box::new(error))
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
            ReadError::Store(error) => error.into(),
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

impl From<RecoveriesError> for Refusal {
    fn from(error: RecoveriesError) -> Self {
        match error {
            RecoveriesError::NoSubscription { .. } | RecoveriesError::NotFound(_) => Self::NotFound,
            RecoveriesError::Broken { .. } => Self::Broken(error.to_string()),
            RecoveriesError::NotActive(_) | RecoveriesError::Conflict(_) => {
                Self::Conflict(error.to_string())
            }
            RecoveriesError::Subscription(error) => error.into(),
            RecoveriesError::Store(error) => error.into(),
            RecoveriesError::Workflow(error) => Self::Failed(Box::new(error)),
        }
    }
}
