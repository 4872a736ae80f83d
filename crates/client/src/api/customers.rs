//! `/customers`

use http::Method;
use serde::Serialize;

use super::{Api, Call};
use crate::{Customer, CustomersQuery, Page};

impl Api {
    /// One page of the customers that have or had a subscription, or were put.
    pub fn customers(&self, query: &CustomersQuery) -> Call<'_, Page<Customer>> {
        Call::new(self, Method::GET, &["customers"]).query(query)
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

    /// Requests the deletion of a customer and of all its data. The answer is the customer.
    pub fn delete_customer(&self, customer_id: &str) -> Call<'_, Customer> {
        Call::new(self, Method::DELETE, &["customers", customer_id])
    }
}
