//! A measured program: its environment, output, CPU time and memory.

use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use tokio::time::{sleep, timeout};

/// The number of output lines kept for an error.
const KEPT_LINES: usize = 20;

/// The time limit for a program to end after it is asked to.
const TIME_TO_END: Duration = Duration::from_secs(30);

/// A running program. It is killed when the value is dropped.
pub(crate) struct Process {
    child: Child,
    output: Arc<Output>,
    readers: Vec<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Output {
    bytes: AtomicU64,
    /// The number of bytes if each number counts as one digit.
    bytes_without_numbers: AtomicU64,
    last_lines: Mutex<VecDeque<String>>,
}

impl Output {
    fn read(&self, stream: impl Read) {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            self.bytes
                .fetch_add(line.len() as u64 + 1, Ordering::Relaxed);
            self.bytes_without_numbers
                .fetch_add(len_without_numbers(&line) + 1, Ordering::Relaxed);
            let mut lines = self
                .last_lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if lines.len() == KEPT_LINES {
                lines.pop_front();
            }
            lines.push_back(String::from_utf8_lossy(&line).into_owned());
        }
    }
}

impl Process {
    /// Starts a program with these environment variables and no others.
    pub(crate) fn start(
        program: &Path,
        arguments: &[&str],
        variables: &BTreeMap<String, String>,
    ) -> Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(variables)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting `{}`", program.display()))?;
        let output = Arc::new(Output::default());
        let mut readers = Vec::new();
        if let Some(stream) = child.stdout.take() {
            let output = Arc::clone(&output);
            readers.push(thread::spawn(move || output.read(stream)));
        }
        if let Some(stream) = child.stderr.take() {
            let output = Arc::clone(&output);
            readers.push(thread::spawn(move || output.read(stream)));
        }
        Ok(Self {
            child,
            output,
            readers,
        })
    }

    /// Takes its standard input. `None` if it was already taken.
    pub(crate) fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.child.stdin.take()
    }

    /// Returns its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the id of its only child process.
    pub(crate) fn child(&self) -> Result<u32> {
        let id = self.id();
        let path = format!("/proc/{id}/task/{id}/children");
        let children = fs::read_to_string(&path).with_context(|| format!("reading `{path}`"))?;
        let child = children.trim().parse();
        child.with_context(|| format!("children of process {id}: `{children}`"))
    }

    /// Asks this process or its child to end, and waits until this process has ended and all of
    /// its output is read.
    pub(crate) async fn end(&mut self, id: u32) -> Result<()> {
        // The shell's built-in `kill`, because some small systems have no such program.
        let kill = ["-c", "kill -s TERM \"$1\"", "sh", &id.to_string()];
        let asked = Command::new("sh").args(kill).status();
        let asked = asked.context("asking a process to end")?;
        ensure!(asked.success(), "process {id} cannot be asked to end");
        let ended = async {
            while self.ended().is_none() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let ended = timeout(TIME_TO_END, ended).await;
        ended.with_context(|| format!("process {id} does not end"))?;
        for reader in self.readers.drain(..) {
            // A reader that panicked has read nothing more.
            let _ = reader.join();
        }
        Ok(())
    }

    /// Returns its exit status, if it has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Returns the number of bytes that it has printed.
    pub(crate) fn printed_bytes(&self) -> u64 {
        self.output.bytes.load(Ordering::Relaxed)
    }

    /// Returns the number of bytes that it has printed, with each number as one digit, so that
    /// printed durations do not matter.
    pub(crate) fn printed_bytes_without_numbers(&self) -> u64 {
        self.output.bytes_without_numbers.load(Ordering::Relaxed)
    }

    /// Returns the last lines that it printed, for an error message.
    pub(crate) fn last_lines(&self) -> String {
        let lines = self
            .output
            .last_lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect::<Vec<_>>().join("\n")
    }

    /// Returns the CPU time of all its threads, user and system.
    ///
    /// This is the scheduler's own count, in nanoseconds. It does not include threads that have
    /// ended.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        let pid = self.child.id();
        let threads = format!("/proc/{pid}/task");
        let mut total = 0;
        for thread in fs::read_dir(&threads).with_context(|| format!("reading `{threads}`"))? {
            // A thread may end during the loop.
            let Ok(text) = fs::read_to_string(thread?.path().join("schedstat")) else {
                continue;
            };
            let on_cpu = text.split_whitespace().next().unwrap_or_default();
            total += on_cpu
                .parse::<u64>()
                .with_context(|| format!("schedstat of process {pid}: `{text}`"))?;
        }
        // A process that has just begun may have no time yet.
        let has_ended = total == 0 && has_ended(pid);
        ensure!(
            !has_ended,
            "process {pid} has ended:\n{}",
            self.last_lines()
        );
        Ok(Duration::from_nanos(total))
    }

    /// Returns the CPU time since `before`.
    pub(crate) fn cpu_time_since(&self, before: Duration) -> Result<Duration> {
        Ok(self.cpu_time()?.saturating_sub(before))
    }

    /// Returns its present resident memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> Result<u64> {
        self.status("VmRSS")
    }

    /// Returns the peak of its resident memory, in bytes.
    pub(crate) fn peak_resident_bytes(&self) -> Result<u64> {
        self.status("VmHWM")
    }

    fn status(&self, name: &str) -> Result<u64> {
        let path = format!("/proc/{}/status", self.child.id());
        let text = fs::read_to_string(&path).with_context(|| format!("reading `{path}`"))?;
        kibibytes(&text, name)
            .map(|kibibytes| kibibytes * 1_024)
            .with_context(|| format!("`{path}` has no {name}:\n{}", self.last_lines()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the length of a text, with each number as one digit.
fn len_without_numbers(text: &[u8]) -> u64 {
    let digits = text.iter().map(u8::is_ascii_digit);
    let before = std::iter::once(false).chain(digits.clone());
    digits
        .zip(before)
        .filter(|pair| *pair != (true, true))
        .count() as u64
}

fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.parse().ok()
}

/// Returns true if a child process is a zombie (`man 5 proc`).
fn has_ended(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name may contain any character, including parentheses.
    let state = stat.rsplit(") ").next().unwrap_or_default();
    stat.is_empty() || state.starts_with(['Z', 'X'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_one_digit_however_long_it_is() {
        for (text, length) in [
            ("", 0),
            ("took 7 ms", 9),
            ("took 1234 ms", 9),
            ("1.25,3", 5),
        ] {
            assert_eq!(len_without_numbers(text.as_bytes()), length, "{text}");
        }
    }

    #[test]
    fn memory_is_read_by_its_whole_name() {
        let status = "Name:\ta\nVmRSSx:\t1 kB\nVmRSS:\t   6420 kB\n";
        assert_eq!(kibibytes(status, "VmRSS"), Some(6_420));
        assert_eq!(kibibytes(status, "VmHWM"), None);
    }

    #[test]
    fn the_cpu_time_and_output_of_a_program_are_counted() {
        let script = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo 1234567; read x";
        let mut variables = BTreeMap::new();
        variables.insert("LANG".to_owned(), "C".to_owned());
        let process = Process::start(Path::new("/bin/sh"), &["-c", script], &variables).unwrap();
        while process.printed_bytes() == 0 {
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(process.printed_bytes(), 8);
        assert_eq!(process.last_lines(), "1234567");
        assert!(process.cpu_time().unwrap() > Duration::from_millis(1));
        let peak = process.peak_resident_bytes().unwrap();
        assert!(peak >= process.resident_bytes().unwrap() && peak > 100_000);
    }
}
