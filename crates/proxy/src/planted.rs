//! Planted failures: the next matching calls receive them instead of an answer.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde::Deserialize;

use crate::{CallError, Failure, Interceptor, Next, call::operation};

/// The path at which tests plant failures: `POST` with a [`Plant`] as JSON.
const PATH: &str = "/_proxy/failures";

/// A test's request for failures.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Plant {
    /// The operation that fails, such as `Decrypt`.
    operation: String,
    /// The error code, such as `ThrottlingException`.
    failure: String,
    /// The number of calls that fail. A client's own retries count.
    times: usize,
    /// Only calls whose path or body contains this text fail: the calls of one test.
    containing: String,
}

/// Answers with the planted failures until they are used up.
#[derive(Debug, Default)]
pub struct Planted {
    plants: Mutex<Vec<Plant>>,
}

impl Planted {
    fn plants(&self) -> MutexGuard<'_, Vec<Plant>> {
        self.plants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn plant(&self, call: &Request<Bytes>) -> Response<Bytes> {
        let planted = serde_json::from_slice::<Plant>(call.body())
            .map_err(|error| error.to_string())
            .and_then(|plant| {
                if Failure::is_known(&plant.failure) {
                    Ok(plant)
                } else {
                    Err(format!("AWS has no failure `{}`", plant.failure))
                }
            });
        let mut response = Response::new(Bytes::new());
        match planted {
            Ok(plant) => self.plants().push(plant),
            Err(error) => {
                *response.status_mut() = StatusCode::BAD_REQUEST;
                *response.body_mut() = error.into();
            }
        }
        response
    }

    /// Takes one planted failure that matches this call.
    fn failure(&self, call: &Request<Bytes>) -> Option<Failure> {
        let mut plants = self.plants();
        let (place, failure) = plants.iter().enumerate().find_map(|(place, plant)| {
            let is_meant = operation_of(call) == Some(&plant.operation)
                && contains(call, plant.containing.as_bytes());
            let failure = is_meant.then(|| Failure::with_code(call, &plant.failure));
            Some((place, failure.flatten()?))
        })?;
        plants[place].times = plants[place].times.saturating_sub(1);
        if plants[place].times == 0 {
            plants.remove(place);
        }
        Some(failure)
    }
}

impl Interceptor for Planted {
    async fn answer(
        &self,
        call: Request<Bytes>,
        next: &impl Next,
    ) -> Result<Response<Bytes>, CallError> {
        if call.uri().path() == PATH && call.method() == Method::POST {
            return Ok(self.plant(&call));
        }
        match self.failure(&call) {
            Some(failure) => Ok(failure.answer()),
            None => next.forward(&call).await,
        }
    }
}

/// Returns the operation, for services with a target header and for Lambda's one operation that
/// tests plant failures for.
fn operation_of(call: &Request<Bytes>) -> Option<&str> {
    let is_invoke = call.uri().path().ends_with("/invocations");
    operation(call).or(is_invoke.then_some("Invoke"))
}

fn contains(call: &Request<Bytes>, text: &[u8]) -> bool {
    let holds = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part == text);
    text.is_empty() || holds(call.uri().path().as_bytes()) || holds(call.body())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Emulator;

    impl Next for Emulator {
        async fn forward(&self, _: &Request<Bytes>) -> Result<Response<Bytes>, CallError> {
            Ok(Response::new(Bytes::from("forwarded")))
        }
    }

    async fn plant(planted: &Planted, plant: serde_json::Value) -> StatusCode {
        let call = Request::post(PATH).body(plant.to_string().into()).unwrap();
        planted.answer(call, &Emulator).await.unwrap().status()
    }

    async fn decrypt(planted: &Planted, body: &'static str) -> StatusCode {
        let call = Request::post("/")
            .header("x-amz-target", "TrentService.Decrypt")
            .header(
                "authorization",
                "Credential=KEY/20260101/us-east-1/kms/aws4_request",
            )
            .body(Bytes::from(body))
            .unwrap();
        planted.answer(call, &Emulator).await.unwrap().status()
    }

    #[tokio::test]
    async fn the_next_calls_that_a_failure_is_planted_for_get_it() {
        let planted = Planted::default();
        let throttled = json!({
            "operation": "Decrypt", "failure": "ThrottlingException",
            "times": 2, "containing": "customer 1",
        });
        assert_eq!(plant(&planted, throttled).await, 200);
        assert_eq!(decrypt(&planted, "of customer 2").await, 200);
        assert_eq!(decrypt(&planted, "of customer 1").await, 400);
        assert_eq!(decrypt(&planted, "of customer 1").await, 400);
        assert_eq!(decrypt(&planted, "of customer 1").await, 200);
    }

    #[tokio::test]
    async fn a_failure_that_aws_does_not_have_cannot_be_planted() {
        let planted = Planted::default();
        let unknown = json!({
            "operation": "Decrypt", "failure": "OutOfLuck", "times": 1, "containing": "",
        });
        assert_eq!(plant(&planted, unknown).await, 400);
        assert_eq!(decrypt(&planted, "").await, 200);
    }
}
