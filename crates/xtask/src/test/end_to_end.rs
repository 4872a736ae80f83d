//! The end-to-end tests, each run of them on a stack of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{END_TO_END, Options, Part, flaky};
use crate::parameters::Parameter;
use crate::programs::{Programs, Variant};
use crate::progress::{heading, step};
use crate::stack::Stack;
use crate::tools::{ToolSet, Tools};
use crate::workspace::Workspace;
use crate::{browser, failpoints, prepare, process};

/// One run of the end-to-end tests on its own stack.
#[derive(Debug)]
struct EndToEnd {
    part: Part,
    workflow_type: &'static str,
    /// The tests' name of the interpreter that runs the state machines.
    interpreter: &'static str,
    /// Filters of the tests; empty means all. Tests mostly wait, so more of them run at once
    /// than there are cores.
    tests: &'static [&'static str],
    /// Arguments for the test program.
    arguments: &'static [&'static str],
    at_once: &'static str,
}

/// The tests that run one at a time on a stack of their own: they break it, empty queues that all
/// tests share, or deploy a second stack, during which the emulator answers nobody for seconds.
const ALONE: [&str; 3] = ["doctor::", "restoring::", "self_test::a_run_"];

/// The module of the tests that share the stack with the others, but run while no other test does.
const ALONE_MODULE: &str = "::alone::";

/// Returns the tests of [`ALONE_MODULE`] in the harness's list of tests.
fn alone_of(list: &str) -> Vec<String> {
    let names = list.lines().filter_map(|line| line.strip_suffix(": test"));
    let alone = names.filter(|name| name.contains(ALONE_MODULE));
    alone.map(str::to_owned).collect()
}

/// The tests that need a browser.
const IN_BROWSER: &str = "browser::";

/// The tests that begin with an event, and so run a workflow. All others do the same whatever its
/// type and interpreter are.
const OF_THE_WORKFLOW: [&str; 12] = [
    "delivering::",
    "duplicates::",
    "failed_events::",
    "malformed_events::",
    "odd_text::",
    "payload_formats::",
    "payload_shapes::",
    "state_failures::",
    "story::",
    "values::",
    "workflow::",
    "workflow_rights::",
];

/// The interpreter of moto, which calls the emulator through an SDK.
const SECOND: &str = "second";

impl EndToEnd {
    const EXPRESS: Self = Self {
        part: Part::Express,
        workflow_type: "EXPRESS",
        interpreter: "emulator",
        tests: &[],
        arguments: &[],
        at_once: "12",
    };

    /// The type of the workflow changes nothing else.
    const STANDARD: Self = Self {
        part: Part::Standard,
        workflow_type: "STANDARD",
        interpreter: "emulator",
        tests: &OF_THE_WORKFLOW,
        arguments: &[],
        at_once: "12",
    };

    /// This interpreter shares the emulator's process, so only a few tests run at once.
    const INTERPRETER: Self = Self {
        part: Part::Interpreter,
        workflow_type: "STANDARD",
        interpreter: SECOND,
        tests: &OF_THE_WORKFLOW,
        // Some tests are ignored elsewhere: the other interpreter needs no permissions.
        arguments: &["--include-ignored"],
        at_once: "4",
    };

    const DOCTOR: Self = Self {
        part: Part::Doctor,
        workflow_type: "EXPRESS",
        interpreter: "emulator",
        tests: &ALONE,
        arguments: &[],
        at_once: "1",
    };

    /// Returns the run of a part.
    fn of(part: Part) -> Option<&'static Self> {
        const ALL: [&EndToEnd; 5] = [
            &EndToEnd::EXPRESS,
            &EndToEnd::STANDARD,
            &EndToEnd::INTERPRETER,
            &EndToEnd::DOCTOR,
            &EndToEnd::BROWSER,
        ];
        ALL.into_iter().find(|run| run.part == part)
    }

    /// The tests for programs that are built for AWS.
    const VERIFIED: Self = Self {
        part: Part::Express,
        workflow_type: "EXPRESS",
        interpreter: "emulator",
        tests: &["story::", "delivering::", "signing::", "retrying::"],
        arguments: &[],
        at_once: "8",
    };

    /// The tests in a browser, which run apart from the others.
    const BROWSER: Self = Self {
        part: Part::Browser,
        workflow_type: "EXPRESS",
        interpreter: "emulator",
        tests: &[IN_BROWSER],
        arguments: &[],
        at_once: "1",
    };

    /// Returns the arguments after `cargo test TARGETS`. The user's filter replaces ours.
    fn trailing<'a>(&'a self, options: &'a Options) -> Vec<&'a str> {
        let mut trailing = options.trailing();
        if options.filter.is_none() {
            trailing.extend(self.tests);
        }
        trailing.extend(self.arguments);
        if self.part != Part::Doctor {
            trailing.extend(ALONE.iter().flat_map(|tests| ["--skip", tests]));
        }
        if self.part != Part::Browser {
            trailing.extend(["--skip", IN_BROWSER]);
        }
        trailing
    }
}

/// Runs the tests of a part.
pub(super) fn run(workspace: &Workspace, options: &Options, part: Part) -> Result<()> {
    let run = EndToEnd::of(part).with_context(|| format!("{part:?} needs no stack"))?;
    let (tools, programs) = prepare::tools_and_programs(workspace, Variant::Tested)?;
    ensure!(
        !failpoints::are_in(programs.path("deliver-webhook")?)?,
        "deliver-webhook has failpoints, which are for chaos runs only"
    );
    let environment = match part {
        Part::Browser => browser::environment(workspace)?,
        _ => Vec::new(),
    };
    heading(&format!(
        "end-to-end tests, workflow type {}, interpreter `{}`",
        run.workflow_type, run.interpreter
    ));
    let mut stack = Stack::new(workspace, &format!("test/{}", part.name()));
    if run.interpreter == SECOND {
        let tools = Tools::install_shown(workspace, ToolSet::Interpreter)?;
        stack = stack.with_second_interpreter(tools);
    }
    on_stack(&stack, &tools, &programs, run.workflow_type, |stack| {
        test_stack(workspace, stack, run, options, &environment)
    })
}

/// Runs the end-to-end tests of a delivery on a stack with this name, with the given function
/// programs, by package name.
pub(crate) fn on_functions(
    workspace: &Workspace,
    name: &str,
    functions: BTreeMap<String, PathBuf>,
) -> Result<()> {
    let run = &EndToEnd::VERIFIED;
    let (tools, mut programs) = prepare::tools_and_programs(workspace, Variant::Tested)?;
    let options = Options {
        only: Vec::new(),
        filter: None,
        arguments: Vec::new(),
    };
    let stack = Stack::new(workspace, name);
    programs.replace(functions, stack.folder().to_owned());
    on_stack(&stack, &tools, &programs, run.workflow_type, |stack| {
        test_stack(workspace, stack, run, &options, &[])
    })
}

/// Starts a stack for the tests, runs them, and takes the stack down.
pub(super) fn on_stack(
    stack: &Stack,
    tools: &Tools,
    programs: &Programs,
    workflow_type: &str,
    tests: impl FnOnce(&Stack) -> Result<()>,
) -> Result<()> {
    // Removes the stack of an interrupted run.
    stack.down()?;
    let port = crate::emulator::free_port()?;
    stack.up(tools, programs, Some(port), &parameters(workflow_type))?;
    let tested = stack.judge(tests(stack));
    step("take the stack down", || stack.down())?;
    tested
}

fn test_stack(
    workspace: &Workspace,
    stack: &Stack,
    run: &EndToEnd,
    options: &Options,
    environment: &[(&str, PathBuf)],
) -> Result<()> {
    let description = stack.description_file();
    // A test that needs a second stack deploys it with this program.
    let xtask = std::env::current_exe()?;
    let tests = |at_once: &str, trailing: &[&str]| -> Command {
        let mut command = workspace.cargo();
        command
            .args(["test", "--workspace", "--test", END_TO_END])
            .args(trailing)
            .env("WEBHOOKS_STACK", &description)
            .env("WEBHOOKS_XTASK", &xtask)
            .env("WEBHOOKS_INTERPRETER", run.interpreter)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env("RUST_TEST_THREADS", at_once);
        command
    };
    let one = |test: &str| tests("1", &["--", "--exact", "--include-ignored", test]);
    let chosen = run.trailing(options);
    let beside = [&chosen[..], &["--skip", ALONE_MODULE]].concat();
    flaky::run(&mut tests(run.at_once, &beside), one)?;
    // If these ran among the others, each of them would wait until all running tests have ended.
    let list = [&chosen[..], &["--list", "--format", "terse"]].concat();
    let alone = alone_of(&process::output(&mut tests("1", &list))?);
    if alone.is_empty() {
        return Ok(());
    }
    heading("the tests that run while no other test does");
    let mut trailing = vec!["--", "--exact"];
    trailing.extend(run.arguments);
    trailing.extend(options.arguments.iter().map(String::as_str));
    trailing.extend(alone.iter().map(String::as_str));
    flaky::run(&mut tests("1", &trailing), one)
}

/// Short waits, so that a test can observe several attempts and a timeout.
fn parameters(workflow_type: &str) -> Vec<Parameter> {
    vec![
        Parameter::new("RequestTimeoutSeconds", "3"),
        Parameter::new("RetrySchedule", "0,1,1,2,2"),
        // Otherwise a wait that the sweep ends would take at least 15 minutes.
        Parameter::new("LongestQueueDelaySeconds", "5"),
        // Otherwise a change of an event type applies only after a minute.
        Parameter::new("EventTypeRefreshSeconds", "1"),
        Parameter::new("WorkflowType", workflow_type),
        Parameter::new("OperatorCustomerId", "operator"),
        Parameter::new("SelfTest", "Enabled"),
        Parameter::new("Monitoring", "Full"),
        Parameter::new("PortalReturnUrls", "https://app.example.com"),
        Parameter::new("NotificationSender", "webhooks@example.com"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_of_an_alone_module_are_found_in_the_list() {
        let list = "crash::alone::a: test\ncrash::b: test\nstandalone::c: test\n\n2 tests\n";
        assert_eq!(alone_of(list), ["crash::alone::a"]);
    }

    #[test]
    fn ignored_tests_run_with_the_second_interpreter() {
        for filter in [None, Some("rights".to_owned())] {
            let options = Options {
                only: Vec::new(),
                filter,
                arguments: Vec::new(),
            };
            for run in [EndToEnd::EXPRESS, EndToEnd::STANDARD, EndToEnd::INTERPRETER] {
                let is_asked_for = run.trailing(&options).contains(&"--include-ignored");
                assert_eq!(is_asked_for, run.interpreter == SECOND, "{run:?}");
            }
        }
    }
}
