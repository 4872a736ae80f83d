//! `cargo xtask test`: first all tests that need no stack, then the end-to-end tests, each part
//! on its own stack.

mod flaky;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};

use crate::artifacts::{Programs, Variant};
use crate::parameters::Parameter;
use crate::progress::{heading, step};
use crate::stack::Stack;
use crate::tools::{ToolSet, Tools};
use crate::workspace::{Package, Workspace};
use crate::{browser, chaos, contract, failpoints, prepare, process};

/// The package of the system tests.
pub(crate) const SYSTEM_TESTS: &str = "webhooks-tests";
/// Its test target that needs a deployed stack.
const END_TO_END: &str = "end_to_end";

/// Options of `test`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Only this part; repeatable [default: all].
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Only tests whose names contain this text.
    #[arg(long)]
    filter: Option<String>,
    /// Arguments for the test programs, such as `--nocapture`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// A part of the test run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    /// Unit, property, contract and template tests.
    Unit,
    /// The portal in a real browser: every page with sample data, and the portal of a stack.
    Browser,
    /// End to end, with an Express workflow as deployed by default.
    Express,
    /// End to end, with a Standard workflow.
    Standard,
    /// End to end, with the second interpreter of state machines: the tests that start with an
    /// event.
    Interpreter,
    /// End to end, one test at a time: the findings of `webhooks doctor` on a stack that is broken
    /// on purpose, and a restored table in a second stack.
    Doctor,
    /// Requests generated from the API's document, and the check of their answers.
    Contract,
    /// End to end, while calls fail and functions crash.
    Chaos,
}

impl Options {
    fn includes(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    /// Returns the arguments after `cargo test TARGETS`.
    fn trailing(&self) -> Vec<&str> {
        let mut trailing: Vec<&str> = self.filter.iter().map(String::as_str).collect();
        trailing.push("--");
        trailing.extend(self.arguments.iter().map(String::as_str));
        trailing
    }
}

/// Runs the chosen parts and stops at the first failure.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    if options.includes(Part::Unit) {
        heading("unit, property, contract and template tests");
        cargo_test(
            workspace,
            &targets_without_stack(&workspace.packages()?),
            options,
        )?;
        // Cargo runs documentation examples only separately.
        cargo_test(workspace, &["--doc".to_owned()], options)?;
    }
    // A filter chooses tests of other parts.
    if options.includes(Part::Browser) && options.filter.is_none() {
        heading("the portal's pages in a browser");
        browser::test(workspace)?;
        heading("the portal of a stack in a browser");
        in_browser(workspace, options)?;
    }
    let chosen: Vec<_> = EndToEnd::ALL
        .iter()
        .filter(|run| options.includes(run.part))
        .collect();
    if !chosen.is_empty() {
        end_to_end(workspace, options, &chosen)?;
    }
    // The other parts have no tests that a filter could choose.
    if options.filter.is_some() {
        return Ok(());
    }
    if options.includes(Part::Contract) {
        heading("the API's contract");
        let (tools, programs) = prepare::tools_and_programs(workspace, Variant::Deployed)?;
        // Schemathesis starts with its own probe, which is not an AWS request.
        let stack = Stack::new(workspace, "test/contract").for_people();
        on_stack(&stack, &tools, &programs, "EXPRESS", |stack| {
            contract::run(workspace, stack)
        })?;
    }
    if options.includes(Part::Chaos) {
        heading("chaos, ten seeds");
        chaos::run(workspace, &chaos::Options::of_the_test())?;
    }
    Ok(())
}

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

/// The interpreter of moto, which calls the emulator through an SDK.
const SECOND: &str = "second";

impl EndToEnd {
    const ALL: [Self; 4] = [
        Self {
            part: Part::Express,
            workflow_type: "EXPRESS",
            interpreter: "emulator",
            tests: &[],
            arguments: &[],
            at_once: "12",
        },
        Self {
            part: Part::Standard,
            workflow_type: "STANDARD",
            interpreter: "emulator",
            tests: &[],
            arguments: &[],
            at_once: "12",
        },
        // This interpreter shares the emulator's process, so only a few tests run at once.
        Self {
            part: Part::Interpreter,
            workflow_type: "STANDARD",
            interpreter: SECOND,
            tests: &[
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
            ],
            // Some tests are ignored elsewhere: the other interpreter needs no permissions.
            arguments: &["--include-ignored"],
            at_once: "4",
        },
        Self {
            part: Part::Doctor,
            workflow_type: "EXPRESS",
            interpreter: "emulator",
            tests: &ALONE,
            arguments: &[],
            at_once: "1",
        },
    ];

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

fn end_to_end(workspace: &Workspace, options: &Options, chosen: &[&EndToEnd]) -> Result<()> {
    let (tools, programs) = prepare::tools_and_programs(workspace, Variant::Deployed)?;
    ensure!(
        !failpoints::are_in(programs.path("deliver-webhook")?)?,
        "deliver-webhook has failpoints, which are for chaos runs only"
    );
    compile_end_to_end(workspace)?;
    for &run in chosen {
        heading(&format!(
            "end-to-end tests, workflow type {}, interpreter `{}`",
            run.workflow_type, run.interpreter
        ));
        let mut stack = Stack::new(workspace, &format!("test/{:?}", run.part).to_lowercase());
        if run.interpreter == SECOND {
            let tools = Tools::install_shown(workspace, ToolSet::Interpreter)?;
            stack = stack.with_second_interpreter(tools);
        }
        on_stack(&stack, &tools, &programs, run.workflow_type, |stack| {
            test_stack(workspace, stack, run, options, &[])
        })?;
    }
    Ok(())
}

/// Runs the tests that need a browser on a stack of their own.
fn in_browser(workspace: &Workspace, options: &Options) -> Result<()> {
    let (tools, programs) = prepare::tools_and_programs(workspace, Variant::Deployed)?;
    let environment = browser::environment(workspace)?;
    compile_end_to_end(workspace)?;
    let run = &EndToEnd::BROWSER;
    let stack = Stack::new(workspace, "test/browser");
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
    let (tools, mut programs) = prepare::tools_and_programs(workspace, Variant::Deployed)?;
    for (package, program) in functions {
        programs.replace(&package, program);
    }
    compile_end_to_end(workspace)?;
    let options = Options {
        only: Vec::new(),
        filter: None,
        arguments: Vec::new(),
    };
    let stack = Stack::new(workspace, name);
    on_stack(&stack, &tools, &programs, run.workflow_type, |stack| {
        test_stack(workspace, stack, run, &options, &[])
    })
}

fn compile_end_to_end(workspace: &Workspace) -> Result<()> {
    let mut compile = workspace.cargo();
    process::run(compile.args(["test", "--workspace", "--test", END_TO_END, "--no-run"]))
}

/// Starts a stack for the tests, runs them, and takes the stack down.
fn on_stack(
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

fn cargo_test(workspace: &Workspace, targets: &[String], options: &Options) -> Result<()> {
    let mut command = workspace.cargo();
    command
        .args(["test", "--workspace"])
        .args(targets)
        .args(options.trailing());
    process::run(&mut command)
}

/// Short waits, so that a test can observe several attempts and a timeout.
fn parameters(workflow_type: &str) -> Vec<Parameter> {
    vec![
        Parameter::new("RequestTimeoutSeconds", "3"),
        Parameter::new("RetrySchedule", "0,1,1,2,2"),
        // Otherwise a wait that the sweep ends would take at least 15 minutes.
        Parameter::new("LongestQueueDelaySeconds", "5"),
        Parameter::new("WorkflowType", workflow_type),
        Parameter::new("OperatorCustomerId", "operator"),
        Parameter::new("SelfTest", "Enabled"),
        Parameter::new("Monitoring", "Full"),
        Parameter::new("PortalReturnUrls", "https://app.example.com"),
    ]
}

/// Returns cargo's arguments for all test targets except the one that needs a stack.
pub(crate) fn targets_without_stack(packages: &[Package]) -> Vec<String> {
    let mut arguments = vec!["--lib".to_owned(), "--bins".to_owned()];
    for package in packages {
        arguments.extend(test_targets(package));
    }
    arguments
}

/// Returns cargo's arguments for the test targets of one package that need no stack.
pub(crate) fn test_targets(package: &Package) -> impl Iterator<Item = String> {
    package
        .targets
        .iter()
        .filter(|target| target.kind.iter().any(|kind| kind == "test"))
        .filter(|target| package.name != SYSTEM_TESTS || target.name != END_TO_END)
        .map(|target| format!("--test={}", target.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::Target;

    fn package(name: &str, targets: &[(&str, &str)]) -> Package {
        let target = |(name, kind): &(&str, &str)| Target {
            name: (*name).to_owned(),
            kind: vec![(*kind).to_owned()],
        };
        Package {
            name: name.to_owned(),
            manifest_path: PathBuf::new(),
            targets: targets.iter().map(target).collect(),
        }
    }

    #[test]
    fn everything_but_the_end_to_end_tests_runs_without_a_stack() {
        let packages = [
            package(
                "webhooks-domain",
                &[("webhooks_domain", "lib"), ("laws", "test")],
            ),
            package(SYSTEM_TESTS, &[("template", "test"), (END_TO_END, "test")]),
        ];
        assert_eq!(
            targets_without_stack(&packages),
            ["--lib", "--bins", "--test=laws", "--test=template"]
        );
    }

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
            for run in &EndToEnd::ALL {
                let is_asked_for = run.trailing(&options).contains(&"--include-ignored");
                assert_eq!(is_asked_for, run.interpreter == SECOND, "{run:?}");
            }
        }
    }

    #[test]
    fn a_filter_comes_before_the_arguments_of_the_test_programs() {
        let options = Options {
            only: vec![Part::Unit],
            filter: Some("retry".to_owned()),
            arguments: vec!["--nocapture".to_owned()],
        };
        assert_eq!(options.trailing(), ["retry", "--", "--nocapture"]);
        assert!(!options.includes(Part::Express));
    }
}
