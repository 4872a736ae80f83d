//! The reasons why a request is refused.

use std::error::Error;

use webhooks_api_types::Problem;
use webhooks_domain::portal_access::MissingCapability;
use webhooks_domain::portal_allowance::AllowanceError;
use webhooks_domain::ports::StoreError;
use webhooks_domain::read_subscription::ReadError;
use webhooks_domain::recover::RecoveriesError;
use webhooks_domain::resend::ResendError;
use webhooks_pages::problem::FormProblem;

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
    /// The API refused the request.
    Api(Problem),
    /// The state of the item does not allow it.
    Conflict(String),
    /// The allowance of the customer is used for now.
    Limited(AllowanceError),
    /// The table, the workflow of recoveries or the API did not answer.
    Failed(Box<dyn Error + Send + Sync>),
}

impl Refusal {
    /// The problem of a form that the API has refused.
    ///
    /// # Errors
    /// The refusal itself if it is not about a form.
    pub(crate) fn of_form(self) -> Result<FormProblem, Self> {
        match self {
            // The session may not do it, whatever the form has.
            Self::Api(problem) if problem.status == 403 => Err(Self::Api(problem)),
            Self::Api(problem) => Ok(problem.into()),
            other => Err(other),
        }
    }
}

/// The result of a request to the API, or the problem of its form.
///
/// # Errors
/// A refusal that is not about the form.
pub(crate) fn accepted<T>(result: Result<T, Refusal>) -> Result<Result<T, FormProblem>, Refusal> {
    match result {
        Ok(accepted) => Ok(Ok(accepted)),
        Err(refusal) => refusal.of_form().map(Err),
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl From<AllowanceError> for Refusal {
    fn from(error: AllowanceError) -> Self {
        match error {
            AllowanceError::Store(error) => error.into(),
            limited => Self::Limited(limited),
        }
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
