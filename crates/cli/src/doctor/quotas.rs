//! Checks the account's limits that are reached first.

use serde::Deserialize;

use super::aws::LAMBDA;
use super::context::{Context, Described};
use super::report::{Check, Group, Outcome, judge};

const GROUP: Group = Group("quotas");

/// The least concurrent executions of the stack's other functions with little traffic: the
/// workflow's, the sweep and the API. The template's defaults and these fit into the 10 of a new
/// account.
const OTHERS: u64 = 3;

/// `GetAccountSettings`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Account {
    account_limit: Limit,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Limit {
    unreserved_concurrent_executions: u64,
}

/// The checks of this group.
pub(crate) async fn checks(context: &Context) -> Vec<Check> {
    let account: Described<Account> = context
        .get(
            &LAMBDA,
            "GetAccountSettings",
            "/2016-08-19/account-settings/",
        )
        .await;
    let number = |name| context.parameter(name)?.parse::<u64>().ok();
    let pollers = number("MaximumDeliveryConcurrency")
        .zip(number("MaximumSlowDeliveryConcurrency"))
        .map(|(fast, slow)| fast + slow);
    let mut checks = judge(
        GROUP,
        "Lambda",
        &account,
        &[("concurrency", &|account| {
            judge_concurrency(
                account.account_limit.unreserved_concurrent_executions,
                pollers,
            )
        })],
    );
    let kind = context.parameter("WorkflowType").unwrap_or("EXPRESS");
    checks.push(GROUP.check("Step Functions: events a second", judge_starts(kind)));
    checks.push(GROUP.check(
        "DynamoDB: writes a second",
        Outcome::passed(
            "by default 40,000 units for the table (about 10,000 deliveries), 1,000 for one \
             partition",
        ),
    ));
    checks
}

fn judge_concurrency(unreserved: u64, pollers: Option<u64>) -> Outcome {
    let Some(pollers) = pollers else {
        return Outcome::passed(format!("{unreserved} for all functions without a reserve"));
    };
    let needed = pollers + OTHERS;
    if unreserved >= needed {
        return Outcome::passed(format!(
            "{unreserved}, of which deliveries may use {pollers}"
        ));
    }
    let fix = "lower MaximumDeliveryConcurrency and MaximumSlowDeliveryConcurrency, or ask for more \
               in Service Quotas (Lambda, Concurrent executions, L-B99A9384)";
    if unreserved >= pollers {
        return Outcome::warned(
            format!(
                "{unreserved}, of which deliveries may use {pollers}: little remains for the \
                 workflow's functions"
            ),
            fix,
        );
    }
    Outcome::failed(
        format!(
            "{unreserved}, and deliveries may use {pollers}: under load attempts are throttled into \
             the dead-letter queue, and events into the failed-events queue"
        ),
        fix,
    )
}

/// The defaults of `StartExecution` (AWS, Step Functions service quotas).
fn judge_starts(workflow_type: &str) -> Outcome {
    if workflow_type == "STANDARD" {
        return Outcome::warned(
            "by default 300 in us-east-1, us-west-2 and eu-west-1, and 150 elsewhere: bursts wait",
            "deploy with WorkflowType=EXPRESS, or ask for more in Service Quotas (Step Functions, \
             StartExecution)",
        );
    }
    Outcome::passed("by default 6,000")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::fixtures::{is_failed, is_passed, is_warned};

    #[test]
    fn a_new_accounts_concurrency_is_red() {
        assert!(is_failed(&judge_concurrency(10, Some(120))));
        assert!(is_warned(&judge_concurrency(122, Some(120))));
        assert!(is_passed(&judge_concurrency(10, Some(7))));
        assert!(is_passed(&judge_concurrency(1000, Some(120))));
        assert!(is_passed(&judge_concurrency(10, None)));
        assert!(is_warned(&judge_starts("STANDARD")));
        assert!(is_passed(&judge_starts("EXPRESS")));
    }
}
