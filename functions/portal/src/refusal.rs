//! The reasons why a request is refused.

use webhooks_domain::portal_access::MissingCapability;
use webhooks_domain::ports::StoreError;
use webhooks_domain::read_subscription::ReadError;

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
