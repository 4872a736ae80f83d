//! Deliveries: one, or lists of them.

use http::Method;

use super::{Api, Call};
use crate::{DeliveriesQuery, Delivery, DeliveryWithBody, Page, UndeliveredQuery};

impl Api {
    /// A delivery with its attempts and its body.
    pub fn delivery(&self, delivery_id: &str) -> Call<'_, DeliveryWithBody> {
        Call::new(self, Method::GET, &["deliveries", delivery_id])
    }

    /// The same, if it is this customer's.
    pub fn delivery_of_customer(
        &self,
        customer_id: &str,
        delivery_id: &str,
    ) -> Call<'_, DeliveryWithBody> {
        let path = ["customers", customer_id, "deliveries", delivery_id];
        Call::new(self, Method::GET, &path)
    }

    /// Sends a delivery again. The answer is the delivery, pending.
    pub fn resend_delivery(&self, delivery_id: &str) -> Call<'_, Delivery> {
        Call::new(self, Method::POST, &["deliveries", delivery_id, "resend"])
    }

    /// The same, if it is this customer's.
    pub fn resend_delivery_of_customer(
        &self,
        customer_id: &str,
        delivery_id: &str,
    ) -> Call<'_, Delivery> {
        let path = [
            "customers",
            customer_id,
            "deliveries",
            delivery_id,
            "resend",
        ];
        Call::new(self, Method::POST, &path)
    }

    /// A customer's deliveries, those of the newest message first.
    pub fn deliveries_of_customer(
        &self,
        customer_id: &str,
        query: &DeliveriesQuery,
    ) -> Call<'_, Page<Delivery>> {
        let path = ["customers", customer_id, "deliveries"];
        Call::new(self, Method::GET, &path).query(query)
    }

    /// A subscription's deliveries, the newest first.
    pub fn deliveries(
        &self,
        customer_id: &str,
        subscription_id: &str,
        query: &DeliveriesQuery,
    ) -> Call<'_, Page<Delivery>> {
        let path = ["deliveries"];
        self.of_subscription(Method::GET, customer_id, subscription_id, &path)
            .query(query)
    }

    /// The undelivered deliveries of a subscription: held, failed, or pending after a failure; the
    /// newest first.
    pub fn undelivered(
        &self,
        customer_id: &str,
        subscription_id: &str,
        query: &UndeliveredQuery,
    ) -> Call<'_, Page<Delivery>> {
        let path = ["undelivered"];
        self.of_subscription(Method::GET, customer_id, subscription_id, &path)
            .query(query)
    }
}
