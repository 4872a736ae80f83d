//! Deliveries: one, or lists of them.

use http::Method;

use super::{Api, Call};
use crate::{Delivery, DeliveryStatus, DeliveryWithBody, Page};

/// Selects the deliveries or messages of a list. By default, all of them.
#[derive(Clone, Debug, Default)]
pub struct ListFilter {
    /// Deliveries of this status only. Not for messages.
    pub status: Option<DeliveryStatus>,
    /// Of this event type only.
    pub event_type: Option<String>,
    /// From when on, inclusive, RFC 3339.
    pub since: Option<String>,
    /// The end of the range, exclusive, RFC 3339.
    pub until: Option<String>,
    /// The maximum number of entries of a page, 1 to 100.
    pub limit: Option<u32>,
}

impl ListFilter {
    pub(super) fn apply<'a, T>(&self, call: Call<'a, T>) -> Call<'a, T> {
        call.maybe_query("status", self.status)
            .maybe_query("eventType", self.event_type.as_ref())
            .maybe_query("since", self.since.as_ref())
            .maybe_query("until", self.until.as_ref())
            .maybe_query("limit", self.limit)
    }
}

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
        filter: &ListFilter,
    ) -> Call<'_, Page<Delivery>> {
        let path = ["customers", customer_id, "deliveries"];
        filter.apply(Call::new(self, Method::GET, &path))
    }

    /// A subscription's deliveries, the newest first.
    pub fn deliveries(
        &self,
        customer_id: &str,
        subscription_id: &str,
        filter: &ListFilter,
    ) -> Call<'_, Page<Delivery>> {
        let path = ["deliveries"];
        filter.apply(self.of_subscription(Method::GET, customer_id, subscription_id, &path))
    }

    /// The undelivered deliveries of a subscription: held, failed, or pending after a failure; the
    /// newest first.
    pub fn undelivered(
        &self,
        customer_id: &str,
        subscription_id: &str,
        filter: &ListFilter,
    ) -> Call<'_, Page<Delivery>> {
        let path = ["undelivered"];
        filter.apply(self.of_subscription(Method::GET, customer_id, subscription_id, &path))
    }
}
