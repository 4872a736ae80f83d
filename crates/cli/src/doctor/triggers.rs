//! Checks the triggers: the event rule that starts the workflow, and the schedules that start
//! functions.

mod event_rule;
mod schedules;

use super::context::Context;
use super::report::{Check, Group, Outcome};

const TRIGGERS: Group = Group("triggers");

/// The checks of this group.
pub(crate) async fn checks(context: &Context) -> Vec<Check> {
    let mut checks = event_rule::checks(context).await;
    checks.extend(schedules::checks(context).await);
    checks
}

fn judge_role(role: Option<&str>) -> Outcome {
    match role {
        Some(role) if !role.is_empty() => Outcome::passed(role.rsplit('/').next().unwrap_or(role)),
        _ => Outcome::failed(
            "none: it has no permission to start its target",
            "somebody has changed it: restore it as described in docs/doctor.md, Drift",
        ),
    }
}
