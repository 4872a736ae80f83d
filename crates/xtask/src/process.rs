//! Runs and ends other programs.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

/// The number of log lines that an error shows.
const SHOWN_LINES: usize = 30;

/// Runs a command that uses the terminal itself.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = describe(command);
    let status = command
        .status()
        .with_context(|| format!("starting `{name}`"))?;
    if !status.success() {
        bail!("`{name}` failed ({status})");
    }
    Ok(())
}

/// Runs a command with its output in `log`. An error shows the end of the log.
pub(crate) fn run_logged(command: &mut Command, log: &Path) -> Result<()> {
    let name = describe(command);
    let file = create(log)?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file.try_clone().context("sharing the log")?)
        .stderr(file)
        .status()
        .with_context(|| format!("starting `{name}`"))?;
    if !status.success() {
        bail!(
            "{}\n`{name}` failed ({status}); all of its output is in {}",
            last_lines(log),
            log.display()
        );
    }
    Ok(())
}

/// Runs a command and returns its output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let name = describe(command);
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting `{name}`"))?;
    if !status.success() {
        bail!(
            "{}\n`{name}` failed ({status})",
            String::from_utf8_lossy(&stderr).trim_end()
        );
    }
    String::from_utf8(stdout).with_context(|| format!("reading what `{name}` printed"))
}

/// Creates a new, empty file, and its folder if needed.
pub(crate) fn create(path: &Path) -> Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("making `{}`", folder.display()))?;
    }
    File::create(path).with_context(|| format!("creating `{}`", path.display()))
}

/// Returns the end of a log, for an error.
pub(crate) fn last_lines(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}

/// Returns a command's program and first arguments, to identify it in an error.
pub(crate) fn describe(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_default();
    std::iter::once(program)
        .chain(command.get_args().take(3))
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// A process that outlives this program. Its start time distinguishes it from a later process
/// with the same id.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProcessId {
    pid: u32,
    started: String,
}

impl ProcessId {
    /// Identifies a running process; `None` if there is none with this id.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        start_of(pid).map(|started| Self { pid, started })
    }

    pub(crate) fn is_running(&self) -> bool {
        start_of(self.pid).as_deref() == Some(&self.started)
    }

    /// Ends the process and its whole process group: first by a request, and by force after
    /// `time_limit`.
    pub(crate) fn end_group(&self, time_limit: Duration) -> Result<()> {
        if !self.is_running() {
            return Ok(());
        }
        self.signal_group("TERM")?;
        let deadline = Instant::now() + time_limit;
        while self.is_running() {
            if Instant::now() > deadline {
                self.signal_group("KILL")?;
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        // Members of the group may need longer than their leader.
        let _ = self.signal_group("KILL");
        Ok(())
    }

    fn signal_group(&self, signal: &str) -> Result<()> {
        // The shell's built-in `kill`, because some small systems have no such program.
        let mut command = Command::new("sh");
        command.args([
            "-c",
            "kill -s \"$1\" -- \"-$2\"",
            "sh",
            signal,
            &self.pid.to_string(),
        ]);
        output(&mut command).with_context(|| format!("ending process {}", self.pid))?;
        Ok(())
    }
}

/// Returns the start time of a process in the system's format, for comparison only.
fn start_of(pid: u32) -> Option<String> {
    if Path::new("/proc/self/stat").exists() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        return start_in_stat(&stat);
    }
    let mut command = Command::new("ps");
    command
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .args(["-o", "lstart=", "-p", &pid.to_string()]);
    output(&mut command)
        .ok()
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
}

/// Reads the start time from a line of `/proc/PID/stat`; `None` for a process that has ended
/// and waits for its parent.
fn start_in_stat(stat: &str) -> Option<String> {
    // The second field is the program's name in parentheses, which may contain any character.
    let (_, after_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    // Fields 3 (state) and 22 (start time) of proc(5).
    if matches!(*fields.first()?, "Z" | "X") {
        return None;
    }
    fields.get(19).map(|field| (*field).to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;

    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_hide_the_start_time() {
        let stat = "42 (a) (b c) S 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 1 1";
        assert_eq!(start_in_stat(stat).as_deref(), Some("777"));
    }

    #[test]
    fn a_process_that_has_ended_has_no_start_time() {
        let stat = "42 (a) Z 1 42 42 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 777 1 1";
        assert_eq!(start_in_stat(stat), None);
    }

    #[test]
    fn a_later_process_with_the_same_number_is_another_one() {
        let me = ProcessId::of(std::process::id()).unwrap();
        assert!(me.is_running());
        let earlier = ProcessId {
            started: "1".to_owned(),
            ..me
        };
        assert!(!earlier.is_running());
        // It is not ended: otherwise this test would end, too.
        earlier.end_group(Duration::ZERO).unwrap();
    }

    #[test]
    fn ending_a_group_ends_what_its_leader_started() {
        let mut leader = Command::new("sh")
            .args(["-c", "sleep 60 & echo $!; wait"])
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(
            &mut std::io::BufReader::new(leader.stdout.take().unwrap()),
            &mut line,
        )
        .unwrap();
        let child = ProcessId::of(line.trim().parse().unwrap()).unwrap();
        let id = ProcessId::of(leader.id()).unwrap();
        id.end_group(Duration::from_secs(5)).unwrap();
        leader.wait().unwrap();
        assert!(!id.is_running());
        // A signal ends a process a moment later.
        let deadline = Instant::now() + Duration::from_secs(5);
        while child.is_running() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!child.is_running());
    }

    #[test]
    fn an_error_shows_the_end_of_the_log() {
        let log = std::env::temp_dir().join(format!("xtask-log-{}", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", "seq 1 100; echo broken >&2; exit 3"]);
        let error = run_logged(&mut command, &log).unwrap_err().to_string();
        fs::remove_file(&log).unwrap();
        assert!(error.contains("100\nbroken\n`sh -c"), "{error}");
        assert!(!error.contains("\n50\n"), "{error}");
    }
}
