//! `cargo xtask check`: runs all checks that need no running stack.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};

use crate::progress::{note, print_error, print_result, step};
use crate::tools::{CargoTool, ToolSet, Tools};
use crate::workspace::Workspace;
use crate::{choice, pages, process, template, test, variant, words};

const CARGO_DENY: CargoTool = CargoTool {
    name: "cargo-deny",
    version: "0.20.2",
};
const CARGO_MACHETE: CargoTool = CargoTool {
    name: "cargo-machete",
    version: "0.9.2",
};

/// Options of `check`.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Only this check; repeatable [default: all].
    #[arg(long, value_enum)]
    only: Vec<Check>,
    /// Fail if the list of known vulnerabilities is unavailable.
    #[arg(long)]
    advisories: bool,
}

/// One check.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Check {
    /// The code is formatted.
    Fmt,
    /// Clippy reports nothing.
    Clippy,
    /// The documentation builds without warnings.
    Docs,
    /// Licences, sources, and permitted dependencies (deny.toml).
    Deny,
    /// No dependency has a known vulnerability. The list is on GitHub.
    Advisories,
    /// No dependency is unused.
    Machete,
    /// `sam validate --lint` accepts the template.
    Template,
    /// The template, as translated by SAM, fits the resource schemas of every Region.
    Regions,
    /// Checkov finds nothing insecure in the template, except findings that it suppresses with
    /// a reason.
    Security,
    /// The expressions of the state machines parse.
    StateMachine,
    /// The gate's table of AWS's service models equals the pinned botocore's.
    ServiceModels,
    /// The template tests of the package webhooks-tests pass; they find what linters miss.
    Rules,
    /// No name is left that was replaced (crates/xtask/words.txt).
    Words,
    /// The links, files, tests and headings that the docs name exist.
    Pages,
}

impl Check {
    fn name(self) -> String {
        choice::name(&self)
    }
}

/// Runs the chosen checks. A failure does not stop the others.
pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let chosen: Vec<Check> = Check::value_variants()
        .iter()
        .copied()
        .filter(|check| options.only.is_empty() || options.only.contains(check))
        .collect();
    install_tools(workspace, &chosen)?;
    let mut failed = Vec::new();
    for check in chosen {
        let started = Instant::now();
        let result = run_one(workspace, check, options);
        print_result(&check.name(), started.elapsed(), result.is_ok());
        if let Err(error) = result {
            print_error(&error);
            failed.push(check.name());
        }
    }
    if !failed.is_empty() {
        let again: Vec<String> = failed
            .iter()
            .map(|name| format!(" --only {name}"))
            .collect();
        bail!(
            "{} failed; run again with `cargo xtask check{}`",
            failed.join(", "),
            again.concat()
        );
    }
    Ok(())
}

/// Installs missing tools, with one line for each, so that no check is silently slow.
fn install_tools(workspace: &Workspace, chosen: &[Check]) -> Result<()> {
    for (check, tool) in [
        (Check::Deny, CARGO_DENY),
        (Check::Advisories, CARGO_DENY),
        (Check::Machete, CARGO_MACHETE),
    ] {
        if chosen.contains(&check) {
            tool.install(workspace)?;
        }
    }
    let with_python = [Check::Template, Check::StateMachine, Check::ServiceModels];
    let needs_python = with_python.iter().any(|check| chosen.contains(check));
    if needs_python && !Tools::are_installed(workspace, ToolSet::Local)? {
        step("install SAM CLI", || {
            Tools::install(workspace, ToolSet::Local)
        })?;
    }
    if chosen.contains(&Check::Regions) && !Tools::are_installed(workspace, ToolSet::Lint)? {
        step("install cfn-lint", || {
            Tools::install(workspace, ToolSet::Lint)
        })?;
    }
    if chosen.contains(&Check::Security) && !Tools::are_installed(workspace, ToolSet::Security)? {
        step("install checkov", || {
            Tools::install(workspace, ToolSet::Security)
        })?;
    }
    Ok(())
}

fn run_one(workspace: &Workspace, check: Check, options: &Options) -> Result<()> {
    match check {
        Check::Fmt => {
            // `cargo fmt --all` formats all members of the workspace.
            quiet(workspace.cargo().args(["fmt", "--all", "--check"]))
                .context("`cargo fmt --all` formats the code")
        }
        Check::Clippy => process::run(workspace.cargo().args([
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "--deny",
            "warnings",
        ])),
        Check::Docs => process::run(
            workspace
                .cargo()
                .args([
                    "doc",
                    "--quiet",
                    "--workspace",
                    "--no-deps",
                    "--document-private-items",
                ])
                .env("RUSTDOCFLAGS", "--deny warnings"),
        ),
        Check::Deny => deny(workspace),
        Check::Advisories => advisories(workspace, options),
        Check::Machete => quiet(
            workspace
                .command(CARGO_MACHETE.install(workspace)?)
                .args(["--with-metadata", "."]),
        ),
        Check::Template => {
            let mut command = Tools::install(workspace, ToolSet::Local)?.command("sam");
            quiet(command.args([
                "validate",
                "--lint",
                "--region",
                crate::emulator::REGION,
                "--template",
                "template.yaml",
            ]))
        }
        Check::Regions => regions(workspace),
        Check::Security => security(workspace),
        Check::StateMachine => {
            let mut command = Tools::install(workspace, ToolSet::Local)?.command("python");
            command
                .arg(workspace.xtask_file("python/check_state_machine.py"))
                .args(definitions(workspace)?);
            quiet(&mut command)
        }
        Check::ServiceModels => {
            let mut command = Tools::install(workspace, ToolSet::Local)?.command("python");
            command
                .arg(workspace.xtask_file("python/service_models.py"))
                .args(["--check", "crates/proxy/service_models.json"]);
            quiet(&mut command)
        }
        Check::Rules => rules(workspace),
        Check::Words => words::check(workspace),
        Check::Pages => pages::check(workspace),
    }
}

/// Checks the whole dependency graph, and then the domain's part of it.
fn deny(workspace: &Workspace) -> Result<()> {
    let program = CARGO_DENY.install(workspace)?;
    let mut command = workspace.command(&program);
    command.args([
        "--log-level",
        "error",
        "check",
        "--hide-inclusion-graph",
        "bans",
        "licenses",
        "sources",
    ]);
    quiet(&mut command)?;
    quiet(
        workspace
            .command(&program)
            .args([
                "--manifest-path",
                "crates/domain/Cargo.toml",
                "--exclude-dev",
            ])
            .arg("--config")
            .arg(workspace.xtask_file("deny-domain.toml"))
            .args(["check", "bans"]),
    )
    .context("webhooks-domain has a dependency that it must not have")
}

/// Checks against the list of known vulnerabilities: today's, or the last one that was fetched.
///
/// If there is no list, the check is skipped with a note. It fails only if the advisories were
/// requested: otherwise a machine without network access could run no checks.
fn advisories(workspace: &Workspace, options: &Options) -> Result<()> {
    let program = CARGO_DENY.install(workspace)?;
    let fetched = workspace
        .command(&program)
        .args(["--log-level", "off", "fetch", "db"])
        .output()
        .context("fetching the advisories")?
        .status
        .success();
    let mut check = workspace.command(&program);
    check.args(["--log-level", "error", "--offline", "check"]);
    check.args(["--hide-inclusion-graph", "advisories"]);
    if fetched {
        return quiet(&mut check);
    }
    let output = check.output().context("starting the check")?;
    if output.status.success() {
        note("using the advisories of an earlier day, because today's could not be fetched");
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    // The error text if no list was ever fetched.
    let has_list = !text.contains("FETCH_HEAD");
    if has_list || options.advisories {
        eprint!("{}{text}", String::from_utf8_lossy(&output.stdout));
        bail!(
            "a dependency has an advisory, or the list from github.com/rustsec/advisory-db is missing"
        );
    }
    note("NOT CHECKED: the list of known vulnerabilities must be fetched from github.com once");
    Ok(())
}

/// Lints both variants of the template, each translated as AWS does it.
fn regions(workspace: &Workspace) -> Result<()> {
    let template = workspace.root().join("template.yaml");
    let text = std::fs::read_to_string(&template).context("reading template.yaml")?;
    let without = workspace
        .tools_dir()
        .join("template-without-function-urls.yaml");
    std::fs::write(&without, variant::without_function_urls(&text)?)?;
    quiet(
        Tools::install(workspace, ToolSet::Lint)?
            .command("python")
            .arg(workspace.xtask_file("python/lint_regions.py"))
            .args([template, without]),
    )
}

fn security(workspace: &Workspace) -> Result<()> {
    let template = std::fs::read_to_string(workspace.root().join("template.yaml"))
        .context("reading template.yaml")?;
    let suppressed = template::suppressed_rules(&template)?;
    let mut command = Tools::install(workspace, ToolSet::Security)?.command("checkov");
    command.args(["--file", "template.yaml", "--framework", "cloudformation"]);
    command.args(["--compact", "--quiet", "--skip-download"]);
    if !suppressed.is_empty() {
        command.args(["--skip-check", &suppressed.join(",")]);
    }
    quiet(&mut command)
}

fn rules(workspace: &Workspace) -> Result<()> {
    let packages = workspace.packages()?;
    let targets: Vec<String> = packages
        .iter()
        .filter(|package| package.name == test::SYSTEM_TESTS)
        .flat_map(test::test_targets)
        .collect();
    ensure!(
        !targets.is_empty(),
        "the package `{}` has no tests of the template",
        test::SYSTEM_TESTS
    );
    quiet(
        workspace
            .cargo()
            .args(["test", "--quiet", "--workspace"])
            .args(targets),
    )
}

/// Runs a check that is silent if it finds nothing.
fn quiet(command: &mut Command) -> Result<()> {
    let output = command.output().context("starting the check")?;
    if !output.status.success() {
        eprint!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        bail!("it ended with {}", output.status);
    }
    Ok(())
}

/// Returns the state machine definitions, relative to the checkout.
fn definitions(workspace: &Workspace) -> Result<Vec<PathBuf>> {
    let folder = workspace.root().join("statemachine");
    let mut found = Vec::new();
    for entry in
        std::fs::read_dir(&folder).with_context(|| format!("reading `{}`", folder.display()))?
    {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            found.push(
                path.strip_prefix(workspace.root())
                    .unwrap_or(&path)
                    .to_owned(),
            );
        }
    }
    ensure!(!found.is_empty(), "no definition in `{}`", folder.display());
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_named_on_the_command_line_as_in_the_report() {
        assert_eq!(Check::StateMachine.name(), "state-machine");
        assert_eq!(Check::Fmt.name(), "fmt");
    }

    #[test]
    fn a_check_that_ends_with_an_error_fails() {
        assert!(quiet(&mut Command::new("true")).is_ok());
        assert!(quiet(&mut Command::new("false")).is_err());
    }
}
