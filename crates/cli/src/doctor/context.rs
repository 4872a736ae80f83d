//! Data and functions that all groups of checks share: the stack, its resources, and calls to
//! AWS.

use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::time::Duration;

use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudformation::types::StackStatus;
use indicatif::ProgressBar;
use tokio::time::timeout;
use webhooks_client::Stack;

use super::report::{Check, Group, Outcome};
use crate::print;

/// The time limit of one call, including the SDK's retries.
pub(super) const CALL_DEADLINE: Duration = Duration::from_secs(20);

/// A description, or the outcome of all checks that depend on it.
pub(crate) type Described<T> = Result<T, Outcome>;

/// Shared by all groups of checks. AWS clients are created from `stack.sdk_config()`.
pub(crate) struct Context {
    pub(crate) stack: Stack,
    pub(crate) progress: Progress,
    description: Described<Description>,
    resources: Described<BTreeMap<String, Resource>>,
}

/// The stack as described by CloudFormation.
#[derive(Clone, Debug)]
pub(crate) struct Description {
    pub(crate) status: StackStatus,
    pub(crate) parameters: BTreeMap<String, String>,
}

/// One resource of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    /// Such as `AWS::SQS::Queue`.
    pub(crate) kind: String,
    pub(crate) physical_id: String,
    /// Such as `CREATE_COMPLETE`.
    pub(crate) status: String,
}

impl Context {
    /// Lists the stack's resources. Also returns the checks of this step.
    pub(crate) async fn new(stack: Stack) -> (Self, Vec<Check>) {
        let mut context = Self {
            stack,
            progress: Progress::new(),
            description: Err(Outcome::skipped("not read yet")),
            resources: Ok(BTreeMap::new()),
        };
        context.description = context.describe().await;
        context.progress.say("listing the stack's resources");
        let listed = context.list_resources().await;
        let outcome = match &listed {
            Ok(resources) => Outcome::passed(format!("{} resources", resources.len())),
            Err(outcome) => outcome.clone(),
        };
        context.resources = listed.map_err(|_| {
            Outcome::skipped("the stack's resources could not be listed (check `resources`)")
        });
        let check = Group("stack").check("resources", outcome);
        (context, vec![check])
    }

    async fn list_resources(&self) -> Described<BTreeMap<String, Resource>> {
        let name = self.name()?;
        let client = Client::new(self.stack.sdk_config());
        let mut resources = BTreeMap::new();
        let mut token = None;
        loop {
            let page = client
                .list_stack_resources()
                .stack_name(name)
                .set_next_token(token)
                .send();
            let page = self.ask("cloudformation:ListStackResources", page).await?;
            for one in page.stack_resource_summaries.unwrap_or_default() {
                let status = one.resource_status.map(|status| status.as_str().to_owned());
                let resource = Resource {
                    kind: one.resource_type.unwrap_or_default(),
                    physical_id: one.physical_resource_id.unwrap_or_default(),
                    status: status.unwrap_or_default(),
                };
                resources.insert(one.logical_resource_id.unwrap_or_default(), resource);
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(resources);
            }
        }
    }

    fn name(&self) -> Described<&str> {
        self.stack.name().ok_or_else(|| {
            Outcome::failed(
                "the stack file contains no stack name",
                "write it again: `cargo xtask local up`",
            )
        })
    }

    async fn describe(&self) -> Described<Description> {
        let client = Client::new(self.stack.sdk_config());
        let call = client.describe_stacks().stack_name(self.name()?).send();
        let output = self.ask("cloudformation:DescribeStacks", call).await?;
        let stack = output.stacks.into_iter().flatten().next();
        let stack = stack.and_then(|stack| Some((stack.stack_status?, stack.parameters)));
        let (status, parameters) = stack.ok_or_else(|| {
            Outcome::failed("CloudFormation describes no stack", "run this again")
        })?;
        let parameters = parameters.unwrap_or_default().into_iter();
        let parameters =
            parameters.filter_map(|one| Some((one.parameter_key?, one.parameter_value?)));
        Ok(Description {
            status,
            parameters: parameters.collect(),
        })
    }

    /// Returns the stack's status and parameters.
    pub(crate) fn description(&self) -> Described<&Description> {
        self.description.as_ref().map_err(Clone::clone)
    }

    /// Returns the value of a template parameter, if it is known.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let parameters = &self.description.as_ref().ok()?.parameters;
        parameters.get(name).map(String::as_str)
    }

    /// Returns all resources by logical id.
    pub(crate) fn resources(&self) -> Described<&BTreeMap<String, Resource>> {
        self.resources.as_ref().map_err(Clone::clone)
    }

    /// Returns the physical id of a resource in the template.
    pub(crate) fn resource(&self, logical_id: &str) -> Described<&str> {
        match self.resources()?.get(logical_id) {
            Some(resource) => Ok(&resource.physical_id),
            None => Err(Outcome::failed(
                format!("the stack has no resource {logical_id}"),
                "deploy the template of this command's version",
            )),
        }
    }

    /// Returns an output of the template.
    pub(crate) fn output(&self, name: &str) -> Described<&str> {
        self.stack.output(name).map_err(|_| {
            Outcome::failed(
                format!("the stack has no output {name}"),
                "deploy the template of this command's version",
            )
        })
    }

    /// Returns true for a local emulator, false for AWS.
    pub(crate) fn is_local(&self) -> bool {
        self.stack.endpoint().is_some()
    }

    /// Calls AWS with a time limit. `operation` is the IAM action, such as
    /// `lambda:GetFunction`. A failure becomes the outcome of the check.
    pub(crate) async fn ask<T, E>(
        &self,
        operation: &str,
        call: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Described<T>
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let Ok(answer) = timeout(CALL_DEADLINE, call).await else {
            return Err(no_answer(operation));
        };
        answer.map_err(|error| match &error {
            SdkError::ServiceError(_) => {
                let code = error.code().unwrap_or("no error code");
                refused(operation, code, error.message(), self.is_local())
            }
            SdkError::TimeoutError(_) => no_answer(operation),
            _ => Outcome::failed(
                format!("{operation}: {}", causes(&error)),
                "look at the network, the Region and the credentials, and run this again",
            ),
        })
    }
}

/// Returns the outcome of a refused call.
pub(super) fn refused(
    operation: &str,
    code: &str,
    message: Option<&str>,
    is_local: bool,
) -> Outcome {
    const DENIED: [&str; 5] = [
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "UnauthorizedOperation",
    ];
    const UNKNOWN: [&str; 5] = [
        "InvalidAction",
        "UnknownOperationException",
        "UnsupportedOperation",
        "NotImplemented",
        "NotImplementedException",
    ];
    if is_local && UNKNOWN.contains(&code) {
        return Outcome::skipped(format!("the local emulator does not know {operation}"));
    }
    let reason = match message {
        Some(message) => format!("{operation}: {code}: {message}"),
        None => format!("{operation}: {code}"),
    };
    let fix = if DENIED.contains(&code) {
        format!("allow {operation} to these credentials (docs/doctor.md, Permissions)")
    } else if code.contains("Throttl") || code == "TooManyRequestsException" {
        "others use up the account's rate of such calls: run this again".to_owned()
    } else if code.contains("NotFound") || code.ends_with("NonExistentQueue") {
        "somebody has deleted it: restore it as described in docs/doctor.md, Drift".to_owned()
    } else {
        "read the reason; docs/doctor.md explains the check".to_owned()
    };
    Outcome::failed(reason, fix)
}

pub(super) fn no_answer(operation: &str) -> Outcome {
    Outcome::failed(
        format!(
            "{operation}: no answer within {} s",
            CALL_DEADLINE.as_secs()
        ),
        "look at the network and the Region, and run this again",
    )
}

/// Formats an error and its causes on one line.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}

/// Shows the current check on standard error: as one changing line on a terminal, otherwise as
/// a line for each.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    fn new() -> Self {
        Self(print::progress())
    }

    /// Shows the current check.
    pub(crate) fn say(&self, text: &str) {
        if self.0.is_hidden() {
            print::tell(format_args!("doctor: {text}"));
        } else {
            self.0.set_message(crate::terminal::clean(text));
        }
    }

    /// Removes the line.
    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fix_of(outcome: Outcome) -> String {
        match outcome {
            Outcome::Failed { fix, .. } => fix,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_refused_call_says_what_to_do() {
        let fix = |code| fix_of(refused("kms:GetKeyPolicy", code, Some("no"), false));
        assert!(fix("AccessDeniedException").contains("allow kms:GetKeyPolicy"));
        assert!(fix("ThrottlingException").contains("run this again"));
        assert!(fix("ResourceNotFoundException").contains("deleted"));
        assert!(fix("InternalFailure").contains("docs/doctor.md"));
        assert!(fix_of(no_answer("kms:GetKeyPolicy")).contains("network"));
    }

    #[test]
    fn only_a_local_stack_may_lack_an_operation() {
        let refused = |is_local| refused("kms:X", "InvalidAction", None, is_local);
        assert!(matches!(refused(true), Outcome::Skipped { .. }));
        assert!(matches!(refused(false), Outcome::Failed { .. }));
    }
}
