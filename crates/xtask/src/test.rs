//! `cargo xtask test`: first all tests that need no stack, then the end-to-end tests, each part
//! on its own stack.

mod background;
mod end_to_end;
mod flaky;

use std::time::{Duration, Instant};

use anyhow::Result;
use clap::{Args, ValueEnum};

use self::background::Background;
pub(crate) use self::end_to_end::on_functions;
use crate::programs::Variant;
use crate::progress::{heading, print_result};
use crate::stack::Stack;
use crate::workspace::{Package, Workspace};
use crate::{browser, chaos, choice, contract, prepare, process};

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
    /// End to end, with a Standard workflow: the tests that start with an event.
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

impl Part {
    fn name(self) -> String {
        choice::name(&self)
    }

    /// Returns true if a filter can choose among its tests.
    fn has_named_tests(self) -> bool {
        !matches!(self, Self::Browser | Self::Contract | Self::Chaos)
    }
}

impl Options {
    fn includes(&self, part: Part) -> bool {
        let is_chosen = self.only.is_empty() || self.only.contains(&part);
        is_chosen && (self.filter.is_none() || part.has_named_tests())
    }

    /// Returns true if all parts run, as in CI.
    fn is_whole(&self) -> bool {
        self.only.is_empty() && self.filter.is_none()
    }

    /// Returns the arguments after `cargo test TARGETS`.
    fn trailing(&self) -> Vec<&str> {
        let mut trailing: Vec<&str> = self.filter.iter().map(String::as_str).collect();
        trailing.push("--");
        trailing.extend(self.arguments.iter().map(String::as_str));
        trailing
    }
}

/// The parts that run beside others if all parts run. They mostly wait, so they take little from
/// the others.
const BACKGROUND: &[Part] = &[Part::Chaos, Part::Doctor];

/// A finished part.
struct Finished {
    part: Part,
    elapsed: Duration,
    passed: bool,
}

/// Runs the chosen parts, stops at the first failure, and ends with the time of each part.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let mut run = Run {
        workspace,
        options,
        finished: Vec::new(),
    };
    let tested = run.all();
    if run.finished.len() > 1 {
        heading("the parts of this run");
        for part in &run.finished {
            print_result(&part.part.name(), part.elapsed, part.passed);
        }
    }
    tested
}

struct Run<'a> {
    workspace: &'a Workspace,
    options: &'a Options,
    finished: Vec<Finished>,
}

impl Run<'_> {
    fn all(&mut self) -> Result<()> {
        self.parts(&[Part::Unit, Part::Browser])?;
        let foreground = [
            Part::Express,
            Part::Standard,
            Part::Interpreter,
            Part::Contract,
        ];
        if !self.options.is_whole() {
            self.parts(&foreground)?;
            return self.parts(BACKGROUND);
        }
        let background = Background::start(self.workspace, BACKGROUND);
        let tested = self.parts(&foreground);
        // After a failure too: nothing that this program started may go on.
        for ended in background.finish()? {
            self.finish(ended.part, ended.elapsed, ended.show())?;
        }
        tested
    }

    /// Runs those of the parts that are chosen.
    fn parts(&mut self, parts: &[Part]) -> Result<()> {
        for &part in parts {
            if self.options.includes(part) {
                let started = Instant::now();
                let tested = run_part(self.workspace, self.options, part);
                self.finish(part, started.elapsed(), tested)?;
            }
        }
        Ok(())
    }

    /// Notes the end of a part.
    fn finish(&mut self, part: Part, elapsed: Duration, tested: Result<()>) -> Result<()> {
        self.finished.push(Finished {
            part,
            elapsed,
            passed: tested.is_ok(),
        });
        tested
    }
}

fn run_part(workspace: &Workspace, options: &Options, part: Part) -> Result<()> {
    match part {
        Part::Unit => unit(workspace, options),
        Part::Browser => {
            heading("the portal's pages in a browser");
            browser::test(workspace)?;
            end_to_end::run(workspace, options, part)
        }
        Part::Express | Part::Standard | Part::Interpreter | Part::Doctor => {
            end_to_end::run(workspace, options, part)
        }
        Part::Contract => fuzz_contract(workspace),
        Part::Chaos => {
            heading("chaos, ten seeds");
            chaos::run(workspace, &chaos::Options::of_the_test())
        }
    }
}

fn unit(workspace: &Workspace, options: &Options) -> Result<()> {
    heading("unit, property, contract and template tests");
    let targets = targets_without_stack(&workspace.packages()?);
    cargo_test(workspace, &targets, options)?;
    // Cargo runs documentation examples only separately.
    cargo_test(workspace, &["--doc".to_owned()], options)
}

fn fuzz_contract(workspace: &Workspace) -> Result<()> {
    heading("the API's contract");
    let (tools, programs) = prepare::tools_and_programs(workspace, Variant::Tested)?;
    // Schemathesis starts with its own probe, which is not an AWS request.
    let stack = Stack::new(workspace, "test/contract").for_people();
    end_to_end::on_stack(&stack, &tools, &programs, "EXPRESS", |stack| {
        contract::run(workspace, stack)
    })
}

fn cargo_test(workspace: &Workspace, targets: &[String], options: &Options) -> Result<()> {
    let mut command = workspace.cargo();
    command
        .args(["test", "--workspace"])
        .args(targets)
        .args(options.trailing());
    process::run(&mut command)
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
    use std::path::PathBuf;

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
