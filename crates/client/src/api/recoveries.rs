//! Recoveries: many deliveries sent again, as a job.

use http::Method;
use serde::Serialize;

use super::{Api, Call};
use crate::{Page, Recovery, RecoveryCount, RecoveryKind, UndeliveredStatus};

/// What to send again.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryRequest {
    /// From when on, inclusive, RFC 3339.
    pub since: String,
    /// Until when, exclusive, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// `failed`, `held`, or both. Not for a replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statuses: Option<Vec<UndeliveredStatus>>,
    /// How many to queue for each second, 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
}

/// A request that only counts.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DryRun<'a> {
    #[serde(flatten)]
    request: &'a RecoveryRequest,
    dry_run: bool,
}

/// The last segment of the path that starts one.
fn segment(kind: RecoveryKind) -> &'static str {
    match kind {
        RecoveryKind::Recover => "recover",
        RecoveryKind::Replay => "replay",
    }
}

impl Api {
    /// Starts to send what failed or was held, or what the subscription never had.
    pub fn start_recovery(
        &self,
        kind: RecoveryKind,
        customer_id: &str,
        subscription_id: &str,
        request: &RecoveryRequest,
    ) -> Call<'_, Recovery> {
        let path = [segment(kind)];
        self.of_subscription(Method::POST, customer_id, subscription_id, &path)
            .json(request)
    }

    /// How many deliveries such a recovery would send.
    pub fn count_recovery(
        &self,
        kind: RecoveryKind,
        customer_id: &str,
        subscription_id: &str,
        request: &RecoveryRequest,
    ) -> Call<'_, RecoveryCount> {
        let dry_run = DryRun {
            request,
            dry_run: true,
        };
        let path = [segment(kind)];
        self.of_subscription(Method::POST, customer_id, subscription_id, &path)
            .json(&dry_run)
    }

    /// A subscription's recoveries, the newest first.
    pub fn recoveries(&self, customer_id: &str, subscription_id: &str) -> Call<'_, Page<Recovery>> {
        let path = ["recoveries"];
        self.of_subscription(Method::GET, customer_id, subscription_id, &path)
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
