//! `/customers/{customerId}/subscriptions`, and `/filters`.

use http::Method;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Api, Call};
use crate::{
    ActiveSecrets, CreatedSubscription, CustomerUnhealthyQuery, Delivery, Enable, FilterTestResult,
    HeldFate, NewSecret, Page, Subscription, SubscriptionsQuery, Test, TransformTest,
    TransformTestResult, UnhealthyQuery, UnhealthySubscription,
};

const UNHEALTHY: &str = "unhealthy-subscriptions";

impl Api {
    /// Creates a subscription from `{url, eventTypes, …}`.
    pub fn create_subscription(
        &self,
        customer_id: &str,
        subscription: &impl Serialize,
    ) -> Call<'_, CreatedSubscription> {
        let path = ["customers", customer_id, "subscriptions"];
        Call::new(self, Method::POST, &path).json(subscription)
    }

    /// One page of a customer's subscriptions.
    pub fn subscriptions(
        &self,
        customer_id: &str,
        query: &SubscriptionsQuery,
    ) -> Call<'_, Page<Subscription>> {
        let path = ["customers", customer_id, "subscriptions"];
        Call::new(self, Method::GET, &path).query(query)
    }

    /// One page of the unhealthy subscriptions of all customers.
    pub fn unhealthy_subscriptions(
        &self,
        query: &UnhealthyQuery,
    ) -> Call<'_, Page<UnhealthySubscription>> {
        Call::new(self, Method::GET, &[UNHEALTHY]).query(query)
    }

    /// One page of the unhealthy subscriptions of a customer.
    pub fn unhealthy_subscriptions_of_customer(
        &self,
        customer_id: &str,
        query: &CustomerUnhealthyQuery,
    ) -> Call<'_, Page<UnhealthySubscription>> {
        let path = ["customers", customer_id, UNHEALTHY];
        Call::new(self, Method::GET, &path).query(query)
    }

    /// One subscription.
    pub fn subscription(&self, customer_id: &str, subscription_id: &str) -> Call<'_, Subscription> {
        self.of_subscription(Method::GET, customer_id, subscription_id, &[])
    }

    /// Changes a subscription by a JSON merge patch (RFC 7396).
    pub fn update_subscription(
        &self,
        customer_id: &str,
        subscription_id: &str,
        changes: &impl Serialize,
    ) -> Call<'_, Subscription> {
        self.of_subscription(Method::PATCH, customer_id, subscription_id, &[])
            .json(changes)
    }

    /// Deletes a subscription.
    pub fn delete_subscription(&self, customer_id: &str, subscription_id: &str) -> Call<'_, ()> {
        self.of_subscription(Method::DELETE, customer_id, subscription_id, &[])
    }

    /// Makes a subscription active that is paused or disabled. Without a choice the deliveries that
    /// were held are sent.
    pub fn enable_subscription(
        &self,
        customer_id: &str,
        subscription_id: &str,
        held: Option<HeldFate>,
    ) -> Call<'_, Subscription> {
        self.of_subscription(Method::POST, customer_id, subscription_id, &["enable"])
            .json(&Enable { held })
    }

    /// Gives a subscription a new secret, by `{overlapSeconds?, kind?, secret?}`.
    pub fn rotate_secret(
        &self,
        customer_id: &str,
        subscription_id: &str,
        rotation: &impl Serialize,
    ) -> Call<'_, NewSecret> {
        let path = ["secret", "rotate"];
        self.of_subscription(Method::POST, customer_id, subscription_id, &path)
            .json(rotation)
    }

    /// The secrets that sign now.
    pub fn secrets(&self, customer_id: &str, subscription_id: &str) -> Call<'_, ActiveSecrets> {
        self.of_subscription(Method::GET, customer_id, subscription_id, &["secret"])
    }

    /// Sends an example event now, once. The answer is the delivery with its attempt.
    pub fn test_subscription(
        &self,
        customer_id: &str,
        subscription_id: &str,
        event_type: Option<&str>,
    ) -> Call<'_, Delivery> {
        let body = Test {
            event_type: event_type.map(str::to_owned),
        };
        self.of_subscription(Method::POST, customer_id, subscription_id, &["test"])
            .json(&body)
    }

    /// Tests a filter on an event, which is a whole event or has at least a `detail`.
    pub fn test_filter(&self, filter: &Value, event: &Value) -> Call<'_, FilterTestResult> {
        let body = json!({"filter": filter, "event": event});
        Call::new(self, Method::POST, &["filters", "test"]).json(&body)
    }

    /// Makes the body of a webhook from an event, with a transform and a content type.
    pub fn test_transform(&self, test: &TransformTest) -> Call<'_, TransformTestResult> {
        Call::new(self, Method::POST, &["transforms", "test"]).json(test)
    }

    /// A request to what is below a subscription.
    pub(super) fn of_subscription<T>(
        &self,
        method: Method,
        customer_id: &str,
        subscription_id: &str,
        rest: &[&str],
    ) -> Call<'_, T> {
        let path = ["customers", customer_id, "subscriptions", subscription_id];
        Call::new(self, method, &[&path, rest].concat())
    }
}
