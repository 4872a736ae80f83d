//! The tools that count the work of another program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use crate::{process::Process, report::Skipped};

/// A tool under which a program runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tool {
    Callgrind,
    Dhat,
    Strace,
}

impl Tool {
    const ALL: [Self; 3] = [Self::Callgrind, Self::Dhat, Self::Strace];

    /// Returns the tools that work on this machine, and the counts that are skipped without the
    /// others. A trial writes into the folder.
    pub(super) fn available(work: &Path) -> (Vec<Self>, Vec<Skipped>) {
        let mut available = Vec::new();
        let mut skipped = Vec::new();
        for tool in Self::ALL {
            match tool.why_not(work) {
                None => available.push(tool),
                Some(why) => skipped.extend(tool.counts().iter().map(|what| Skipped {
                    what: (*what).to_owned(),
                    why: why.clone(),
                })),
            }
        }
        (available, skipped)
    }

    /// Returns the reason why it cannot be used here; `None` if it can.
    fn why_not(self, work: &Path) -> Option<String> {
        let name = self.program();
        let Some(program) = self.path() else {
            return Some(format!("{name} is not installed"));
        };
        let mut trial = Command::new(program);
        trial.args(self.arguments(&work.join("trial")));
        trial.args(["/bin/sh", "-c", ":"]);
        match trial.stdin(Stdio::null()).output() {
            Ok(output) if output.status.success() => None,
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr);
                let said = said.lines().next().unwrap_or("it says nothing").to_owned();
                Some(format!("{name} does not work here: {said}"))
            }
            Err(error) => Some(format!("{name} does not work here: {error}")),
        }
    }

    /// Returns its usual name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Callgrind => "callgrind",
            Self::Dhat => "dhat",
            Self::Strace => "strace",
        }
    }

    fn program(self) -> &'static str {
        match self {
            Self::Callgrind | Self::Dhat => "valgrind",
            Self::Strace => "strace",
        }
    }

    /// Finds the tool here, because the programs start with an empty environment.
    pub(super) fn path(self) -> Option<PathBuf> {
        let folders = std::env::var_os("PATH")?;
        let mut files = std::env::split_paths(&folders).map(|folder| folder.join(self.program()));
        files.find(|file| file.is_file())
    }

    /// Returns the names of its figures.
    pub(super) fn counts(self) -> &'static [&'static str] {
        match self {
            Self::Callgrind => &["instructions"],
            Self::Dhat => &["bytes allocated", "allocations"],
            Self::Strace => &["system calls"],
        }
    }

    /// Returns the environment variables that the counted program needs in addition.
    pub(super) fn variables(self) -> Option<(&'static str, &'static str)> {
        match self {
            // The C library clears and copies long memory with one instruction that repeats
            // itself, and callgrind counts each repetition: a byte would count like an
            // instruction. With this, it uses vectors of 32 bytes.
            Self::Callgrind => Some((
                "GLIBC_TUNABLES",
                "glibc.cpu.x86_rep_stosb_threshold=4294967296:\
                 glibc.cpu.x86_rep_movsb_threshold=4294967296",
            )),
            Self::Dhat | Self::Strace => None,
        }
    }

    /// Returns the arguments before the counted program. The counts are written to the file.
    pub(super) fn arguments(self, file: &Path) -> Vec<String> {
        let file = file.display();
        let arguments: &[String] = match self {
            Self::Callgrind => &[
                "--tool=callgrind".to_owned(),
                format!("--callgrind-out-file={file}"),
                "--quiet".to_owned(),
                "--vgdb=no".to_owned(),
            ],
            Self::Dhat => &[
                "--tool=dhat".to_owned(),
                format!("--dhat-out-file={file}.json"),
                format!("--log-file={file}"),
                "--vgdb=no".to_owned(),
            ],
            Self::Strace => &[
                "-f".to_owned(),
                "-c".to_owned(),
                "-o".to_owned(),
                file.to_string(),
            ],
        };
        arguments.to_vec()
    }

    /// Returns the counted process, given the process that was started with these arguments.
    pub(super) fn counted(self, process: &Process) -> Result<u32> {
        match self {
            // Valgrind runs the counted program in its own process.
            Self::Callgrind | Self::Dhat => Ok(process.id()),
            Self::Strace => process.child(),
        }
    }

    /// Reads its figures from its output, in the order of [`Tool::counts`].
    pub(super) fn read(self, file: &Path) -> Result<Vec<f64>> {
        let text =
            fs::read_to_string(file).with_context(|| format!("reading `{}`", file.display()))?;
        self.parse(&text)
            .with_context(|| format!("no total in `{}`", file.display()))
    }

    fn parse(self, text: &str) -> Option<Vec<f64>> {
        let number = |text: &str| text.replace(',', "").parse::<f64>().ok();
        match self {
            Self::Callgrind => {
                let total = text
                    .lines()
                    .find_map(|line| line.strip_prefix("totals: "))?;
                Some(vec![number(total.trim())?])
            }
            Self::Dhat => {
                let (_, total) = text.split_once("Total:")?;
                let mut words = total.split_whitespace();
                let bytes = number(words.next()?)?;
                let blocks = number(words.nth(2)?)?;
                Some(vec![bytes, blocks])
            }
            Self::Strace => {
                let total = text.lines().find(|line| line.ends_with(" total"))?;
                Some(vec![number(total.split_whitespace().nth(3)?)?])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_totals_are_read_from_what_the_tools_write() {
        let callgrind = "events: Ir\nsummary: 7\n\nfn=(1) main\n1 5\ntotals: 1234567\n";
        assert_eq!(Tool::Callgrind.parse(callgrind), Some(vec![1_234_567.0]));
        let dhat = "==7== Command: a\n==7== \n==7== Total:     12,345 bytes in 678 blocks\n\
            ==7== At t-gmax: 1 bytes in 1 blocks\n";
        assert_eq!(Tool::Dhat.parse(dhat), Some(vec![12_345.0, 678.0]));
        let strace = "% time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ----------------\n \
            60.00    0.000006           6         1           read\n \
            40.00    0.000004           4         1         1 access\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            100.00    0.000010           5        22         1 total\n";
        assert_eq!(Tool::Strace.parse(strace), Some(vec![22.0]));
        for tool in Tool::ALL {
            assert_eq!(tool.parse("killed"), None);
        }
    }
}
