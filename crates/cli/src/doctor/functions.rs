//! Checks that each function can start and has the configuration that it needs.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde::Deserialize;

use super::aws::LAMBDA;
use super::context::{Context, Described};
use super::program::{self, Machine, START_BYTES, Unknown};
use super::report::{Check, Group, Outcome, judge};

const GROUP: Group = Group("functions");

/// A function of the template.
struct Function {
    name: &'static str,
    logical_id: &'static str,
}

const FUNCTIONS: [Function; 7] = [
    Function {
        name: "look-up-subscriptions",
        logical_id: "LookUpSubscriptionsFunction",
    },
    Function {
        name: "prepare-calls",
        logical_id: "PrepareCallsFunction",
    },
    Function {
        name: "deliver-webhook",
        logical_id: "DeliverWebhookFunction",
    },
    Function {
        name: "requeue-due-deliveries",
        logical_id: "RequeueDueDeliveriesFunction",
    },
    Function {
        name: "recover-deliveries",
        logical_id: "RecoverDeliveriesFunction",
    },
    Function {
        name: "delete-customers",
        logical_id: "DeleteCustomersFunction",
    },
    Function {
        name: "api",
        logical_id: "ApiFunction",
    },
];

/// The functions that exist only while the parameter `Portal` is `Enabled`.
const OF_PORTAL: [Function; 2] = [
    Function {
        name: "portal",
        logical_id: "PortalFunction",
    },
    Function {
        name: "console-sessions",
        logical_id: "ConsoleSessionsFunction",
    },
];

/// The function that exists only while the parameter `NotificationSender` is set.
const OF_NOTIFICATIONS: [Function; 1] = [Function {
    name: "notify-contacts",
    logical_id: "NotifyContactsFunction",
}];

impl Function {
    /// The variables without which it does not start. Lambda itself sets those of AWS.
    fn variables(&self) -> Vec<&'static str> {
        let functions = webhooks_lambda::functions();
        let of_this = functions.into_iter().find(|(name, _)| *name == self.name);
        let (_, variables) = of_this.expect("each function has a configuration");
        let required = variables
            .into_iter()
            .filter(|variable| variable.is_required);
        required
            .map(|variable| variable.name)
            .filter(|name| !name.starts_with("AWS_"))
            .collect()
    }
}

/// `GetFunction`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Description {
    configuration: Configuration,
    code: Option<Code>,
    concurrency: Option<Concurrency>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Configuration {
    state: Option<String>,
    state_reason: Option<String>,
    last_update_status: Option<String>,
    last_update_status_reason: Option<String>,
    #[serde(default)]
    architectures: Vec<String>,
    pub(super) timeout: u64,
    environment: Option<Environment>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Code {
    location: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Concurrency {
    reserved_concurrent_executions: Option<u32>,
}

/// `GetFunctionRecursionConfig`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Recursion {
    recursive_loop: String,
}

/// The checks of this group.
pub(crate) async fn checks(context: &Context) -> Vec<Check> {
    context.progress.say("functions and their programs");
    let runs_portal = context.stack.output("PortalAddress").is_ok();
    let of_portal = OF_PORTAL.iter().filter(|_| runs_portal);
    let notifies = context.stack.output("NotificationQueueUrl").is_ok();
    let of_notifications = OF_NOTIFICATIONS.iter().filter(|_| notifies);
    let functions = FUNCTIONS.iter().chain(of_portal).chain(of_notifications);
    let functions = functions.map(|function| of_one(context, function));
    let mut checks = join_all(functions).await.concat();
    let recursion = recursion(context).await;
    checks.extend(judge(
        GROUP,
        "deliver-webhook",
        &recursion,
        &[("recursive loop", &|recursion| {
            judge_recursion(recursion).unless_local(context.is_local())
        })],
    ));
    checks
}

async fn of_one(context: &Context, function: &Function) -> Vec<Check> {
    let description = describe(context, function.logical_id).await;
    let program = match &description {
        Ok(description) => program(context, description).await,
        Err(outcome) => Err(outcome.clone()),
    };
    let is_local = context.is_local();
    let machine = |description: &Description| match &program {
        Ok(machine) => judge_architecture(&description.configuration.architectures, *machine),
        Err(outcome) => outcome.clone(),
    };
    judge(
        GROUP,
        function.name,
        &description,
        &[
            ("state", &|d| judge_state(&d.configuration)),
            ("last update", &|d| judge_update(&d.configuration)),
            ("architecture", &machine),
            ("variables", &|d| {
                judge_variables(&d.configuration, &function.variables(), is_local)
            }),
            ("reserved concurrency", &|d| judge_reserve(d.reserve())),
        ],
    )
}

async fn describe(context: &Context, logical_id: &str) -> Described<Description> {
    let name = context.resource(logical_id)?;
    let path = format!("/2015-03-31/functions/{name}");
    context.get(&LAMBDA, "GetFunction", &path).await
}

/// Reads the configuration of a function in the template.
pub(super) async fn configuration(context: &Context, logical_id: &str) -> Described<Configuration> {
    let description = describe(context, logical_id).await?;
    Ok(description.configuration)
}

/// Reads the processor architecture of the deployed program.
async fn program(context: &Context, description: &Description) -> Described<Machine> {
    let location = description.code.as_ref();
    let location = location.and_then(|code| code.location.as_deref());
    let Some(location) = location else {
        return Err(Outcome::skipped(
            "Lambda returned no address of the program",
        ));
    };
    let http = context.stack.signed_http();
    let start = http.start_of(location, START_BYTES);
    let start = tokio::time::timeout(super::context::CALL_DEADLINE, start).await;
    let Ok(Ok(start)) = start else {
        return Err(Outcome::skipped(
            "the program could not be downloaded from Lambda's storage",
        ));
    };
    program::machine(&start).map_err(|unknown| match unknown {
        Unknown::NotElf if context.is_local() => {
            Outcome::skipped("the local program is a script, which has no ELF header")
        }
        Unknown::NotElf => Outcome::failed(
            "`bootstrap` in the function's archive is not an ELF program",
            "build with `cargo xtask build`, and deploy again",
        ),
        Unknown::NoBootstrap => Outcome::skipped(format!(
            "no `bootstrap` in the first {START_BYTES} bytes of the function's archive"
        )),
    })
}

async fn recursion(context: &Context) -> Described<Recursion> {
    let name = context.resource("DeliverWebhookFunction")?;
    let path = format!("/2024-08-31/functions/{name}/recursion-config");
    context
        .get(&LAMBDA, "GetFunctionRecursionConfig", &path)
        .await
}

impl Description {
    fn reserve(&self) -> Option<u32> {
        self.concurrency.as_ref()?.reserved_concurrent_executions
    }
}

fn judge_state(configuration: &Configuration) -> Outcome {
    let reason = configuration.state_reason.as_deref().unwrap_or_default();
    match configuration.state.as_deref() {
        Some("Active") => Outcome::passed("Active"),
        Some("Inactive") => {
            Outcome::passed("Inactive: unused for weeks; its next call activates it")
        }
        Some("Pending") => Outcome::failed(
            "Pending: Lambda is still creating it",
            "wait a minute, and run this again",
        ),
        state => Outcome::failed(
            format!("{}: {reason}", state.unwrap_or("no state")),
            "the reason names what is missing, often a subnet or the role; then deploy again",
        ),
    }
}

fn judge_update(configuration: &Configuration) -> Outcome {
    let reason = configuration.last_update_status_reason.as_deref();
    match configuration.last_update_status.as_deref() {
        Some("Successful") => Outcome::passed("Successful"),
        Some("InProgress") => Outcome::failed(
            "InProgress: Lambda is still changing it",
            "wait a minute, and run this again",
        ),
        status => Outcome::failed(
            format!(
                "{}: {}",
                status.unwrap_or("no status"),
                reason.unwrap_or_default()
            ),
            "the previous version still runs: fix the reported cause, and deploy again",
        ),
    }
}

fn judge_architecture(configured: &[String], program: Machine) -> Outcome {
    // A function without this field is x86_64.
    let configured = configured.first().map_or("x86_64", String::as_str);
    if Machine::of_architecture(configured) == Some(program) {
        return Outcome::passed(format!("{configured}, the same as its program"));
    }
    Outcome::failed(
        format!("the function is {configured}, but its program is {program}: it cannot start"),
        format!(
            "build the programs for {configured} and deploy them: `cargo xtask build \
             --architecture {configured}`, `sam deploy`"
        ),
    )
}

fn judge_variables(configuration: &Configuration, needed: &[&str], is_local: bool) -> Outcome {
    let variables = configuration.environment.as_ref();
    let value = |name: &str| variables.and_then(|all| all.variables.get(name));
    let is_missing = |name: &&&str| value(name).is_none_or(String::is_empty);
    let missing: Vec<_> = needed.iter().filter(is_missing).copied().collect();
    if !missing.is_empty() {
        return Outcome::failed(
            format!("missing or empty: {}", missing.join(", ")),
            "somebody has changed the function's configuration: restore it as described in \
             docs/doctor.md, Drift",
        );
    }
    let networks = value("DEVELOPMENT_ALLOWED_CIDRS").filter(|value| !value.is_empty());
    if let Some(networks) = networks.filter(|_| !is_local) {
        return Outcome::warned(
            format!("customers' webhooks may reach the private addresses {networks}"),
            "deploy with DevelopmentAllowedCidrs empty: it is for development only",
        );
    }
    Outcome::passed(format!("all {} that it needs", needed.len()))
}

fn judge_reserve(reserved: Option<u32>) -> Outcome {
    match reserved {
        None => Outcome::passed("none: it uses the account's unreserved concurrency"),
        Some(0) => Outcome::failed(
            "0: every call of the function is throttled",
            "somebody has stopped it: `aws lambda delete-function-concurrency \
             --function-name NAME`",
        ),
        Some(reserved) => Outcome::passed(format!("{reserved}")),
    }
}

fn judge_recursion(recursion: &Recursion) -> Outcome {
    if recursion.recursive_loop == "Allow" {
        return Outcome::passed("Allow");
    }
    Outcome::failed(
        format!(
            "{}: Lambda mistakes many short retries for a loop, and stops them",
            recursion.recursive_loop
        ),
        "`aws lambda put-function-recursion-config --recursive-loop Allow --function-name NAME`",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::doctor::report::fixtures::{is_failed, is_passed, is_warned};

    fn configuration(fields: Value) -> Configuration {
        let mut all = json!({
            "State": "Active", "LastUpdateStatus": "Successful", "Architectures": ["arm64"],
            "Timeout": 10, "Environment": {"Variables": {"TABLE_NAME": "t"}},
        });
        let (Value::Object(all_fields), Value::Object(fields)) = (&mut all, fields) else {
            panic!("both are objects");
        };
        all_fields.extend(fields);
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn a_function_that_cannot_run_is_red() {
        assert!(is_passed(&judge_state(&configuration(json!({})))));
        for state in ["Pending", "Failed"] {
            let broken = configuration(json!({"State": state, "StateReason": "no subnet"}));
            assert!(is_failed(&judge_state(&broken)), "{state}");
        }
        let failed =
            configuration(json!({"LastUpdateStatus": "Failed", "LastUpdateStatusReason": "image"}));
        assert!(is_failed(&judge_update(&failed)));
        assert!(is_passed(&judge_update(&configuration(json!({})))));
    }

    #[test]
    fn a_program_for_another_processor_is_red() {
        let arm = ["arm64".to_owned()];
        assert!(is_passed(&judge_architecture(&arm, Machine::Arm64)));
        assert!(is_failed(&judge_architecture(&arm, Machine::X86_64)));
        assert!(is_failed(&judge_architecture(&arm, Machine::Other(3))));
        assert!(is_failed(&judge_architecture(&[], Machine::Arm64)));
    }

    #[test]
    fn a_missing_variable_is_red_by_name() {
        let outcome = judge_variables(&configuration(json!({})), &["TABLE_NAME", "KEY"], false);
        let Outcome::Failed { reason, .. } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(reason, "missing or empty: KEY");
        let none = configuration(json!({"Environment": null}));
        assert!(is_failed(&judge_variables(&none, &["TABLE_NAME"], false)));
    }

    #[test]
    fn private_networks_are_for_development_only() {
        let variables =
            json!({"Environment": {"Variables": {"DEVELOPMENT_ALLOWED_CIDRS": "10.0.0.0/8"}}});
        let open = configuration(variables);
        assert!(is_warned(&judge_variables(&open, &[], false)));
        assert!(is_passed(&judge_variables(&open, &[], true)));
    }

    #[test]
    fn a_function_that_was_stopped_is_red() {
        assert!(is_failed(&judge_reserve(Some(0))));
        assert!(is_passed(&judge_reserve(Some(5))) && is_passed(&judge_reserve(None)));
    }

    #[test]
    fn a_loop_that_lambda_ends_is_red() {
        let recursion = |recursive_loop: &str| Recursion {
            recursive_loop: recursive_loop.to_owned(),
        };
        assert!(is_failed(&judge_recursion(&recursion("Terminate"))));
        assert!(is_passed(&judge_recursion(&recursion("Allow"))));
    }

    #[test]
    fn every_function_needs_variables_that_the_template_sets() {
        for function in FUNCTIONS {
            let variables = function.variables();
            assert!(variables.contains(&"LOG_LEVEL"), "{}", function.name);
        }
    }
}
