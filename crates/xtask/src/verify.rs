//! `cargo xtask build --verify`: runs the built programs before they are shipped.
//!
//! Each program runs against a stub of Lambda, and then all of them run end to end. Programs
//! for another architecture run under QEMU's user mode. If QEMU is missing they are not run,
//! and the command says so.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::architecture::Architecture;
use crate::lambda_stub::{Answer, invoke};
use crate::progress::{heading, note, step};
use crate::sam_build::{Build, programs};
use crate::workspace::Workspace;
use crate::{template, test};

/// The way in which programs of an architecture run on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Runner {
    /// Directly.
    Native,
    /// Under QEMU, with the C library in this folder.
    Qemu {
        program: PathBuf,
        libraries: PathBuf,
    },
}

impl Runner {
    /// Finds the runner for an architecture. `None` if there is none.
    fn find(architecture: Architecture) -> Option<Self> {
        let processor = architecture.processor();
        if cfg!(target_os = "linux") && processor == std::env::consts::ARCH {
            return Some(Self::Native);
        }
        let name = format!("qemu-{processor}");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&path).map(|folder| folder.join(&name));
        let program = program.into_iter().find(|program| program.is_file())?;
        let libraries = PathBuf::from(format!("/usr/{processor}-linux-gnu"));
        libraries
            .is_dir()
            .then_some(Self::Qemu { program, libraries })
    }

    /// Returns a command that runs the program.
    fn command(&self, program: &Path) -> Command {
        match self {
            Self::Native => Command::new(program),
            Self::Qemu {
                program: qemu,
                libraries,
            } => {
                let mut command = Command::new(qemu);
                command.arg("-L").arg(libraries).arg(program);
                command
            }
        }
    }

    /// Returns one file that runs the program, since the emulator needs a single file.
    fn one_file(&self, program: &Path, script: &Path) -> Result<PathBuf> {
        if *self == Self::Native {
            return Ok(program.to_owned());
        }
        let command = self.command(program);
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let words: Vec<String> = words
            .map(|word| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''")))
            .collect();
        let write = || {
            fs::write(script, format!("#!/bin/sh\nexec {}\n", words.join(" ")))?;
            fs::set_permissions(script, fs::Permissions::from_mode(0o755))
        };
        write().with_context(|| format!("writing `{}`", script.display()))?;
        Ok(script.to_owned())
    }
}

/// Runs the built programs.
pub(crate) fn run(workspace: &Workspace, build: &Build) -> Result<()> {
    let architecture = build.architecture;
    let Some(runner) = Runner::find(architecture) else {
        let processor = architecture.processor();
        note(&format!(
            "skipped: the {} programs were not run; that needs qemu-{processor} and \
             /usr/{processor}-linux-gnu (Debian and Ubuntu: apt install qemu-user \
             libc6-{}-cross)",
            architecture.name(),
            match architecture {
                Architecture::Arm64 => "arm64",
                Architecture::X86_64 => "amd64",
            }
        ));
        return Ok(());
    };
    heading(&format!("running the {} programs", architecture.name()));
    let shipped = programs(&build.folder)?;
    ensure!(!shipped.is_empty(), "nothing was built");
    let name = format!("verify/{}", architecture.name());
    let scripts = workspace.stack_dir(&name).join("scripts");
    fs::create_dir_all(&scripts).with_context(|| format!("making `{}`", scripts.display()))?;
    let mut functions = BTreeMap::new();
    let template = fs::read_to_string(workspace.root().join("template.yaml"));
    let template = template.context("reading template.yaml")?;
    for (function, program) in shipped {
        let package = template::package_name(&function)?;
        let variables = variables(&template, &function)?;
        step(&format!("{package} polls, and handles its event"), || {
            let answer = invoke(runner.command(&program), &variables, &event(&package))?;
            expect(&package, &answer)
        })?;
        let file = runner.one_file(&program, &scripts.join(&package))?;
        functions.insert(package, file);
    }
    test::on_functions(workspace, &name, functions)
}

/// The environment of a function: what the template sets, with the defaults of its parameters
/// and a placeholder for everything else, and what Lambda sets. The stub plays every service.
fn variables(template: &str, function: &str) -> Result<BTreeMap<String, String>> {
    let placeholder = || "https://placeholder.invalid/1/name".to_owned();
    let variables = template::variables(template, function)?.into_iter();
    let variables = variables.map(|(name, default)| (name, default.unwrap_or_else(placeholder)));
    let lambda = [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_LAMBDA_FUNCTION_NAME", "verified"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
    ];
    let lambda = lambda.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(variables.chain(lambda).collect())
}

/// Returns an event that a function can answer alone or with an empty table.
fn event(package: &str) -> Value {
    match package {
        "api" => {
            let host = "api.lambda-url.us-east-1.on.aws";
            json!({
                "version": "2.0",
                "routeKey": "$default",
                "rawPath": "/openapi.json",
                "rawQueryString": "",
                "headers": {"host": host},
                "requestContext": {
                    "accountId": "123456789012",
                    "apiId": "api",
                    "domainName": host,
                    "domainPrefix": "api",
                    "http": {
                        "method": "GET",
                        "path": "/openapi.json",
                        "protocol": "HTTP/1.1",
                        "sourceIp": "192.0.2.1",
                        "userAgent": "verify",
                    },
                    "requestId": "1",
                    "routeKey": "$default",
                    "stage": "$default",
                    "time": "02/Jan/2026:03:04:05 +0000",
                    "timeEpoch": 1_767_323_045_000_u64,
                },
                "isBase64Encoded": false,
            })
        }
        "deliver-webhook" => json!({"Records": []}),
        _ => json!({}),
    }
}

/// Checks a function's answer to its event. A function that receives an unsuitable event must
/// return its own error; a program that cannot run on this processor returns nothing.
fn expect(package: &str, answer: &Answer) -> Result<()> {
    let is_right = match package {
        "api" => answer.body["statusCode"] == 200,
        "deliver-webhook" => answer.body["batchItemFailures"] == json!([]),
        "requeue-due-deliveries" => !answer.is_error,
        _ => !answer.is_error || answer.body["errorType"].is_string(),
    };
    ensure!(is_right, "{package} answered {}", answer.body);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_for_another_processor_becomes_one_script() {
        let folder = std::env::temp_dir().join(format!("xtask-qemu-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let qemu = Runner::Qemu {
            program: "/bin/echo".into(),
            libraries: "/usr/aarch64-linux-gnu".into(),
        };
        let program = Path::new("/a 'b'/bootstrap");
        let script = qemu.one_file(program, &folder.join("api")).unwrap();
        let printed = Command::new(&script).output().unwrap().stdout;
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(
            String::from_utf8(printed).unwrap(),
            "-L /usr/aarch64-linux-gnu /a 'b'/bootstrap\n"
        );
        let native = Runner::Native.one_file(program, Path::new("unused"));
        assert_eq!(native.unwrap(), program);
    }

    #[test]
    fn a_wrong_answer_is_refused() {
        let answer = |is_error, body| Answer { is_error, body };
        for (package, good, bad) in [
            (
                "api",
                answer(false, json!({"statusCode": 200})),
                answer(false, json!({"statusCode": 500})),
            ),
            (
                "deliver-webhook",
                answer(false, json!({"batchItemFailures": []})),
                answer(true, json!({"errorType": "E"})),
            ),
            (
                "prepare-calls",
                answer(true, json!({"errorType": "InvalidInput"})),
                answer(true, json!({})),
            ),
        ] {
            expect(package, &good).unwrap();
            assert!(expect(package, &bad).is_err(), "{package}");
        }
    }
}
