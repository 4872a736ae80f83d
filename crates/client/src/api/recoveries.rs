//! Recoveries: many deliveries sent again, as a job.

use http::Method;

use super::{Api, Call};
use crate::{Page, Recover, RecoveriesQuery, Recovery, RecoveryCount, RecoveryKind};

impl Api {
    /// Starts to send what failed or was held, or what the subscription never had.
    ///
    /// A replay takes no statuses. Only enabling a subscription starts a recovery that discards.
    pub fn start_recovery(
        &self,
        kind: RecoveryKind,
        customer_id: &str,
        subscription_id: &str,
        request: &Recover,
    ) -> Call<'_, Recovery> {
        let path = [kind.to_string()];
        let path = path.each_ref().map(String::as_str);
        self.of_subscription(Method::POST, customer_id, subscription_id, &path)
            .json(request)
    }

    /// Counts the deliveries that such a recovery would send.
    ///
    /// A replay takes no statuses.
    pub fn count_recovery(
        &self,
        kind: RecoveryKind,
        customer_id: &str,
        subscription_id: &str,
        request: &Recover,
    ) -> Call<'_, RecoveryCount> {
        let dry_run = Recover {
            dry_run: true,
            ..request.clone()
        };
        let path = [kind.to_string()];
        let path = path.each_ref().map(String::as_str);
        self.of_subscription(Method::POST, customer_id, subscription_id, &path)
            .json(&dry_run)
    }

    /// A subscription's recoveries, the newest first.
    pub fn recoveries(
        &self,
        customer_id: &str,
        subscription_id: &str,
        query: &RecoveriesQuery,
    ) -> Call<'_, Page<Recovery>> {
        let path = ["recoveries"];
        self.of_subscription(Method::GET, customer_id, subscription_id, &path)
            .query(query)
    }

    /// One recovery.
    pub fn recovery(
        &self,
        customer_id: &str,
        subscription_id: &str,
        recovery_id: &str,
    ) -> Call<'_, Recovery> {
        let path = ["recoveries", recovery_id];
        self.of_subscription(Method::GET, customer_id, subscription_id, &path)
    }

    /// Asks a recovery to stop. What it has queued is sent all the same.
    pub fn stop_recovery(
        &self,
        customer_id: &str,
        subscription_id: &str,
        recovery_id: &str,
    ) -> Call<'_, Recovery> {
        let path = ["recoveries", recovery_id, "stop"];
        self.of_subscription(Method::POST, customer_id, subscription_id, &path)
    }
}
