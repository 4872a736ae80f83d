//! The strict gate: refuses what AWS would refuse and the emulator takes.
//!
//! Each request is held against AWS's published service models (required and unknown members,
//! types, lengths, patterns, enumerations), and then against rules for what the models do not
//! say. What is refused is answered as AWS answers it, and recorded, so that a test run fails
//! by the operation and the member. An operation that the models' table does not have is
//! refused, too: so the table stays whole.

mod answers;
mod emf;
mod expression;
mod form;
mod models;
mod refusals;
mod request;
mod rules;
mod shape;
mod tables;
mod violation;

use std::{collections::HashMap, path::Path};

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use self::{
    models::{Models, Protocol},
    refusals::Refusals,
    request::{Asked, Unreadable},
    rules::Input,
    tables::Tables,
    violation::Violation,
};
use crate::{CallError, Interceptor, Next, call::header, failure::Form};

pub use self::refusals::GateError;

/// A test that sends a request which AWS would refuse names the member in this header. The
/// request is refused, and not recorded.
const EXPECTED: &str = "x-expected-refusal";

/// The largest body that a function's URL takes.
const URL_BODY_BYTES: usize = rules::SYNCHRONOUS_BYTES;

/// The gate.
pub struct Gate {
    models: Models,
    tables: Tables,
    refusals: Refusals,
    lets_unknown_pass: bool,
}

impl Gate {
    /// A gate that records what it refuses in this file, a line of JSON each. An operation
    /// that it does not know is refused.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn strict(refusals: &Path) -> Result<Self, GateError> {
        Ok(Self {
            models: Models::new(),
            tables: Tables::default(),
            refusals: Refusals::to(refusals)?,
            lets_unknown_pass: false,
        })
    }

    /// The same gate, through which operations that it does not know pass.
    #[must_use]
    pub fn open_to_unknown(self) -> Self {
        Self {
            lets_unknown_pass: true,
            ..self
        }
    }

    /// What AWS would refuse about a request, and by which rule.
    async fn violation(&self, asked: &Asked<'_>, next: &impl Next) -> Option<(Row, Violation)> {
        let of_shape = shape::violation(asked.service, asked.shape, &asked.input);
        if let Some(violation) = of_shape {
            return Some((MODEL, violation));
        }
        let input = Input {
            operation: asked.operation,
            value: &asked.input,
            body: asked.body,
            tables: self.tables(asked, next).await,
        };
        let (rule, violation) = rules::broken(asked.service_name, &input)?;
        Some((rule.row(), violation))
    }

    async fn tables(
        &self,
        asked: &Asked<'_>,
        next: &impl Next,
    ) -> HashMap<String, std::sync::Arc<tables::Table>> {
        let mut tables = HashMap::new();
        if asked.service_name == "dynamodb" {
            for name in rules::tables_of(asked.operation, &asked.input) {
                if let Some(table) = self.tables.get(name, next).await {
                    tables.insert(name.to_owned(), table);
                }
            }
        }
        tables
    }

    /// Records a refusal unless the client expects it, and gives the answer.
    fn refuse(&self, call: &Request<Bytes>, operation: &str, refused: &Refused) -> Response<Bytes> {
        let violation = &refused.violation;
        if header(call, EXPECTED) != Some(&violation.member) {
            self.refusals.record(operation, refused.row, violation);
        }
        let code = violation.code.unwrap_or(refused.usual_code);
        let status = if code == "RequestTooLargeException" {
            StatusCode::PAYLOAD_TOO_LARGE
        } else {
            StatusCode::BAD_REQUEST
        };
        refused.form.error(status, code, &violation.to_string())
    }
}

/// What says that AWS refuses something: a row of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Row {
    /// What is held.
    name: &'static str,
    /// AWS's page that says so.
    source: &'static str,
}

const MODEL: Row = Row {
    name: "the service's model",
    source: "https://github.com/boto/botocore",
};

const URL_BODY: Row = Row {
    name: "request to a function's URL of 6 MB",
    source: "https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html",
};

/// What is refused, and how it is answered.
struct Refused {
    row: Row,
    violation: Violation,
    form: Form,
    usual_code: &'static str,
}

impl Interceptor for Gate {
    async fn answer(
        &self,
        call: Request<Bytes>,
        next: &impl Next,
    ) -> Result<Response<Bytes>, CallError> {
        if request::passes(&call) {
            let bytes = call.body().len();
            if request::is_function_url(&call) && bytes > URL_BODY_BYTES {
                let reason = violation::over(bytes, URL_BODY_BYTES, "bytes");
                let refused = Refused {
                    row: URL_BODY,
                    violation: Violation::new("body", reason),
                    form: Form::RestJson,
                    usual_code: "RequestTooLargeException",
                };
                return Ok(self.refuse(&call, "function URL", &refused));
            }
            return next.forward(&call).await;
        }
        let asked = match request::read(&self.models, &call) {
            Ok(asked) => asked,
            Err(unreadable) if unreadable.is_unknown && self.lets_unknown_pass => {
                return next.forward(&call).await;
            }
            Err(Unreadable {
                operation,
                form,
                violation,
                ..
            }) => {
                let refused = Refused {
                    row: MODEL,
                    violation,
                    form,
                    usual_code: "ValidationException",
                };
                return Ok(self.refuse(&call, &operation, &refused));
            }
        };
        let operation = format!("{} {}", asked.service_name, asked.operation);
        if let Some((row, violation)) = self.violation(&asked, next).await {
            let refused = Refused {
                row,
                violation,
                form: request::form(asked.service.protocol),
                usual_code: usual_code(asked.service_name, asked.service.protocol),
            };
            return Ok(self.refuse(&call, &operation, &refused));
        }
        let answer = next.forward(&call).await?;
        for (rule, violation) in answers::broken(&operation, answer.body()) {
            let operation = format!("answer to {operation}");
            self.refusals.record(&operation, rule.row(), &violation);
        }
        Ok(answer)
    }
}

/// The code by which a service says that a request is wrong, where no rule has another one.
fn usual_code(service: &str, protocol: Protocol) -> &'static str {
    match (service, protocol) {
        ("sqs", _) => "InvalidParameterValue",
        ("logs", _) => "InvalidParameterException",
        ("lambda", _) => "InvalidParameterValueException",
        (_, Protocol::Json) => "ValidationException",
        _ => "ValidationError",
    }
}

#[cfg(test)]
mod tests;
