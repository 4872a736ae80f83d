//! `/customers`

use http::Method;
use serde::Serialize;

use super::{Api, Call};
use crate::{Customer, Page};

impl Api {
    /// One page of the customers that have or had a subscription, or were put.
    pub fn customers(&self, limit: Option<u32>, cursor: Option<&str>) -> Call<'_, Page<Customer>> {
        let list = Call::new(self, Method::GET, &["customers"]);
        list.maybe_query("limit", limit).cursor(cursor)
    }

    /// One customer.
    pub fn customer(&self, customer_id: &str) -> Call<'_, Customer> {
        Call::new(self, Method::GET, &["customers", customer_id])
    }

    /// Writes a customer as a whole, from `{name?, metadata?}`.
    pub fn put_customer(&self, customer_id: &str, customer: &impl Serialize) -> Call<'_, Customer> {
        Call::new(self, Method::PUT, &["customers", customer_id]).json(customer)
    }

    /// Changes a customer by a JSON merge patch (RFC 7396).
    pub fn update_customer(
        &self,
        customer_id: &str,
        changes: &impl Serialize,
    ) -> Call<'_, Customer> {
        Call::new(self, Method::PATCH, &["customers", customer_id]).json(changes)
    }
}
