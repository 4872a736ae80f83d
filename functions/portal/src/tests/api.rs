//! An API that gives planned answers.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use webhooks_domain::ids::SubscriptionId;
use webhooks_testkit::samples;
use webhooks_wire::answers;

use crate::api::{Failure, InvokeApi};

/// The secret in the answers.
pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Records the events, and answers each with the next planned answer.
#[derive(Clone, Default)]
pub(super) struct PlannedApi(Arc<Mutex<Plan>>);

#[derive(Default)]
struct Plan {
    events: Vec<Value>,
    answers: VecDeque<Vec<u8>>,
}

impl PlannedApi {
    /// Plans an answer. A status of 400 or more has the body of a problem.
    pub(super) fn plan(&self, status: u16, body: &Value) {
        let answer = json!({
            "statusCode": status, "headers": {}, "multiValueHeaders": {}, "cookies": [],
            "body": body.to_string(), "isBase64Encoded": false,
        });
        self.plan_result(answer.to_string().into_bytes());
    }

    /// Plans a result of the function.
    pub(super) fn plan_result(&self, result: Vec<u8>) {
        self.0.lock().unwrap().answers.push_back(result);
    }

    /// Plans a problem.
    pub(super) fn plan_problem(&self, status: u16, field: Option<&str>, detail: &str) {
        let problem = json!({
            "type": "urn:webhooks:problem:x", "title": "Refused by the API", "status": status,
            "detail": detail, "field": field,
        });
        self.plan(status, &problem);
    }

    /// The events since the last call.
    pub(super) fn events(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock().unwrap().events)
    }

    /// The only event since the last call.
    pub(super) fn event(&self) -> Value {
        let mut events = self.events();
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }
}

impl InvokeApi for PlannedApi {
    fn invoke(&self, event: Vec<u8>) -> BoxFuture<'_, Result<Vec<u8>, Failure>> {
        let mut plan = self.0.lock().unwrap();
        plan.events.push(serde_json::from_slice(&event).unwrap());
        let answer = plan.answers.pop_front();
        async { answer.ok_or_else(|| "no answer".into()) }.boxed()
    }
}

/// `POST /customers/…`
pub(super) fn request_of(event: &Value) -> String {
    let method = event["requestContext"]["http"]["method"].as_str().unwrap();
    format!("{method} {}", event["rawPath"].as_str().unwrap())
}

/// The body of a request.
pub(super) fn body_of(event: &Value) -> Value {
    serde_json::from_str(event["body"].as_str().unwrap()).unwrap()
}

/// A subscription as the API shows it.
pub(super) fn subscription(customer: &str, number: u128) -> (SubscriptionId, Value) {
    let subscription = samples::subscription(customer, number);
    let id = subscription.id;
    (
        id,
        serde_json::to_value(answers::subscription(subscription)).unwrap(),
    )
}
