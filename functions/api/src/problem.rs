//! Errors as problem details (RFC 9457).

use std::fmt::Display;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tracing::error;
use webhooks_api_types as api;
use webhooks_domain::customers::CustomerError;
use webhooks_domain::fields::FieldError;
use webhooks_domain::manage::ManageError;
use webhooks_domain::ports::{CompileError, StoreError};
use webhooks_domain::read_subscription::ReadError;
use webhooks_domain::vault::VaultError;
use webhooks_lambda::with_sources;

use crate::extract;

/// A problem, and the status with which it is answered.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    body: api::Problem,
}

impl Problem {
    fn new(name: &str, title: &'static str, status: StatusCode, detail: String) -> Self {
        let body = api::Problem {
            kind: format!("urn:webhooks:problem:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail,
            field: None,
        };
        Self { status, body }
    }

    pub(crate) fn not_found(detail: String) -> Self {
        Self::new("not-found", "Not found", StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn no_such_path() -> Self {
        Self::not_found("there is nothing at this path".to_owned())
    }

    /// A request of the portal that its session does not permit. No other caller gets this.
    pub(crate) fn not_permitted(detail: String) -> Self {
        Self::new(
            "not-permitted",
            "Not permitted",
            StatusCode::FORBIDDEN,
            detail,
        )
    }

    pub(crate) fn method_not_allowed() -> Self {
        let detail = "this path does not take this method".to_owned();
        Self::new(
            "method-not-allowed",
            "Method not allowed",
            StatusCode::METHOD_NOT_ALLOWED,
            detail,
        )
    }

    pub(crate) fn body_too_large(max_bytes: usize) -> Self {
        let problem = format!("must be at most {max_bytes} bytes");
        let error = FieldError::new("body", problem);
        Self::invalid_field(StatusCode::PAYLOAD_TOO_LARGE, error)
    }

    /// A part of the path, of the query or a header that is not valid.
    pub(crate) fn bad_parameter(field: &str, problem: impl Display) -> Self {
        Self::of_parameter(FieldError::new(field, problem))
    }

    /// The same, where the error names it.
    pub(crate) fn of_parameter(error: FieldError) -> Self {
        Self::invalid_field(StatusCode::BAD_REQUEST, error)
    }

    fn invalid_field(status: StatusCode, error: FieldError) -> Self {
        let problem = Self::new("invalid-field", "Invalid field", status, error.to_string());
        problem.of_field(error.field)
    }

    fn of_field(mut self, field: String) -> Self {
        self.body.field = Some(field);
        self
    }

    /// The request conflicts with the current state.
    pub(crate) fn customer_being_deleted(error: &impl ToString) -> Self {
        Self::conflict(
            "customer-being-deleted",
            "Customer is being deleted",
            error.to_string(),
        )
    }

    pub(crate) fn conflict(name: &str, title: &'static str, detail: String) -> Self {
        Self::new(name, title, StatusCode::CONFLICT, detail)
    }

    /// `If-Match` names another version.
    pub(crate) fn another_version(detail: String) -> Self {
        let status = StatusCode::PRECONDITION_FAILED;
        Self::new("precondition-failed", "Precondition failed", status, detail)
    }

    pub(crate) fn subscription_not_active(detail: String) -> Self {
        let title = "Subscription not active";
        Self::conflict("subscription-not-active", title, detail)
    }

    pub(crate) fn subscription_broken(detail: String) -> Self {
        Self::conflict("subscription-broken", "Subscription broken", detail)
    }

    /// A failure of ours that may pass.
    pub(crate) fn unavailable(failure: &dyn std::error::Error) -> Self {
        error!(error = with_sources(failure), "request failed");
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let detail = "the request could not be served; try again".to_owned();
        Self::new("unavailable", "Temporarily unavailable", status, detail)
    }

    /// A failure of ours that stays until somebody mends what is stored.
    fn unreadable(failure: &dyn std::error::Error) -> Self {
        error!(error = with_sources(failure), "request failed");
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let detail = "what is stored cannot be read; trying again does not help".to_owned();
        Self::new("unreadable", "Stored data cannot be read", status, detail)
    }
}

impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Self {
        Self::invalid_field(StatusCode::UNPROCESSABLE_ENTITY, error)
    }
}

/// An item that cannot be read is a fault of that item: the answer names it.
impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { .. } => Self::unavailable(&error),
            StoreError::Corrupt { .. } => {
                error!(error = with_sources(&error), "request refused");
                Self::conflict("item-broken", "Item broken", error.to_string())
            }
        }
    }
}

impl From<CompileError> for Problem {
    fn from(error: CompileError) -> Self {
        match error {
            CompileError::Schema(error) => FieldError::new("schema", error).into(),
            CompileError::NotStarted(failure) => Self::unavailable(&failure),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Broken(broken) => Self::subscription_broken(broken.to_string()),
            ReadError::Store(error) => error.into(),
        }
    }
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Store(StoreError::Unavailable { .. }) | VaultError::Keys(_) => {
                Self::unavailable(&error)
            }
            VaultError::NotOurs { .. } => {
                Self::subscription_broken(format!("{error}: a new secret repairs it"))
            }
            VaultError::Store(StoreError::Corrupt { .. }) | VaultError::NoDataKey => {
                Self::unreadable(&error)
            }
        }
    }
}

impl From<ManageError> for Problem {
    fn from(error: ManageError) -> Self {
        match error {
            ManageError::Field(error) => error.into(),
            ManageError::NotFound { .. } => Self::not_found(error.to_string()),
            ManageError::Conflict { .. } => {
                Self::conflict("conflict", "Conflict", error.to_string())
            }
            ManageError::AnotherVersion { .. } => Self::another_version(error.to_string()),
            ManageError::KeyReused { .. } => Self::conflict(
                "idempotency-key-reused",
                "Idempotency key reused",
                error.to_string(),
            )
            .of_field(extract::IDEMPOTENCY_KEY.to_owned()),
            ManageError::TooMany { .. } => Self::conflict(
                "too-many-subscriptions",
                "Too many subscriptions",
                error.to_string(),
            ),
            ManageError::TooLargeTogether { .. } => Self::conflict(
                "subscriptions-too-large",
                "Subscriptions too large",
                error.to_string(),
            ),
            ManageError::CustomerDeleted { .. } => Self::customer_being_deleted(&error),
            ManageError::Broken(broken) => Self::subscription_broken(broken.to_string()),
            ManageError::Store(error) => error.into(),
            ManageError::Vault(error) => error.into(),
        }
    }
}

impl From<CustomerError> for Problem {
    fn from(error: CustomerError) -> Self {
        match error {
            CustomerError::Field(error) => error.into(),
            CustomerError::NotFound { .. } => Self::not_found(error.to_string()),
            CustomerError::Conflict { .. } => {
                Self::conflict("conflict", "Conflict", error.to_string())
            }
            CustomerError::AnotherVersion { .. } => Self::another_version(error.to_string()),
            CustomerError::BeingDeleted { .. } => Self::customer_being_deleted(&error),
            CustomerError::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        (self.status, content_type, axum::Json(self.body)).into_response()
    }
}
