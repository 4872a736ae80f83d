//! The strict gate: refuses calls that AWS would refuse but the emulator accepts.
//!
//! It checks each request against AWS's published service models (required and unknown members,
//! types, lengths, patterns, enumerations), and then against rules for limits that the models
//! do not contain. A refused call is answered as AWS answers it, and recorded, so that the test
//! run fails and names the operation and the member. The gate also refuses operations that its
//! table of models does not contain, so that the table stays complete.

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

/// A test sends this header, with the name of a member, to announce a request that AWS would
/// refuse. Such a request is refused but not recorded.
const EXPECTED: &str = "x-expected-refusal";

/// The largest body of a request to a function's URL.
const URL_BODY_BYTES: usize = rules::SYNCHRONOUS_BYTES;

/// Refuses calls that AWS would refuse.
pub struct Gate {
    models: Models,
    tables: Tables,
    refusals: Refusals,
    lets_unknown_pass: bool,
}

impl Gate {
    /// Creates a gate that records its refusals in this file, one line of JSON each. It refuses
    /// operations that it does not know.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn strict(refusals: &Path) -> Result<Self, GateError> {
        Ok(Self {
            models: Models::new(),
            tables: Tables::default(),
            refusals: Refusals::to(refusals)?,
            lets_unknown_pass: false,
        })
    }

    /// Returns the gate in a mode that forwards operations that it does not know.
    #[must_use]
    pub fn open_to_unknown(self) -> Self {
        Self {
            lets_unknown_pass: true,
            ..self
        }
    }

    /// Returns the reason why AWS would refuse a request, and the rule that says so.
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

    /// Records a refusal, unless the client expects it, and returns the answer.
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

/// The rule by which AWS refuses a call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Row {
    /// The limit or property that is checked.
    name: &'static str,
    /// The page of AWS's documentation that states it.
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

/// A refused call and the format of its answer.
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

/// Returns the service's code for an invalid request, used if a rule has no other one.
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
