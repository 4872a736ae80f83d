//! `/customers/{customerId}/statistics`, and the same below a subscription.

use http::Method;

use super::{Api, Call};
use crate::Statistics;

impl Api {
    /// The statistics of a customer, or of one of its subscriptions.
    pub fn statistics(
        &self,
        customer_id: &str,
        subscription_id: Option<&str>,
    ) -> Call<'_, Statistics> {
        const PATH: &str = "statistics";
        match subscription_id {
            Some(id) => self.of_subscription(Method::GET, customer_id, id, &[PATH]),
            None => Call::new(self, Method::GET, &["customers", customer_id, PATH]),
        }
    }
}
