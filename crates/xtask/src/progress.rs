//! Shows the progress of work: one line for each step.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;

/// The interval at which a long step is mentioned if the line cannot be redrawn.
const REMINDER: Duration = Duration::from_secs(20);

/// The environment variable with the file to which each finished step is appended, for
/// `bench --only patience`.
const STEPS: &str = "WEBHOOKS_STEPS";

/// Runs one step and prints its result and duration. While it runs, a terminal shows the time,
/// and a log gets a line at intervals.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let ticker = Ticker::start(name);
    let started = Instant::now();
    let result = work();
    ticker.stop();
    print_result(name, started.elapsed(), result.is_ok());
    result
}

/// Announces work that prints its own output.
pub(crate) fn heading(text: &str) {
    eprintln!("{} {text}", paint(Colour::Bold, "==>"));
}

/// Prints one remark.
pub(crate) fn note(text: &str) {
    eprintln!("    {text}");
}

/// Prints the line of a step that was timed by the caller.
pub(crate) fn print_result(name: &str, elapsed: Duration, succeeded: bool) {
    let word = if succeeded {
        paint(Colour::Green, "ok    ")
    } else {
        paint(Colour::Red, "failed")
    };
    eprintln!("{word} {name}  {}", paint(Colour::Dim, &seconds(elapsed)));
    if let Some(file) = std::env::var_os(STEPS)
        && let Err(error) = append_step(Path::new(&file), name, elapsed)
    {
        eprintln!("{STEPS}: {error}");
    }
}

/// Appends a step as a line of JSON.
fn append_step(file: &Path, name: &str, elapsed: Duration) -> io::Result<()> {
    let step = serde_json::json!({ "name": name, "seconds": elapsed.as_secs_f64() });
    let mut file = File::options().create(true).append(true).open(file)?;
    file.write_all(format!("{step}\n").as_bytes())
}

/// Prints an error with its causes.
pub(crate) fn print_error(error: &anyhow::Error) {
    eprintln!("{} {error:#}", paint(Colour::Red, "error:"));
}

fn seconds(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs();
    if seconds < 60 {
        format!("{:.1} s", elapsed.as_secs_f64())
    } else {
        format!("{} min {} s", seconds / 60, seconds % 60)
    }
}

#[derive(Clone, Copy)]
enum Colour {
    Bold,
    Dim,
    Green,
    Red,
}

fn paint(colour: Colour, text: &str) -> String {
    if !is_colourful() {
        return text.to_owned();
    }
    let code = match colour {
        Colour::Bold => "1",
        Colour::Dim => "2",
        Colour::Green => "32",
        Colour::Red => "31",
    };
    format!("\x1b[{code}m{text}\x1b[0m")
}

/// Returns true on a terminal, unless <https://no-color.org> disables colours.
fn is_colourful() -> bool {
    std::io::stderr().is_terminal()
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Shows that a step is still running.
struct Ticker {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Ticker {
    fn start(name: &str) -> Self {
        let (stop, stopped) = mpsc::channel();
        let name = name.to_owned();
        let is_terminal = std::io::stderr().is_terminal();
        let thread = thread::spawn(move || {
            let started = Instant::now();
            let pause = if is_terminal {
                Duration::from_millis(250)
            } else {
                REMINDER
            };
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let elapsed = started.elapsed().as_secs();
                if is_terminal {
                    eprint!("\r\x1b[2K...    {name}  {elapsed} s");
                    let _ = std::io::stderr().flush();
                } else {
                    eprintln!("...    {name}  {elapsed} s");
                }
            }
            if is_terminal {
                eprint!("\r\x1b[2K");
            }
        });
        Self { stop, thread }
    }

    fn stop(self) {
        drop(self.stop);
        // It only prints, and a panic in it was already shown.
        let _ = self.thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_times_are_shown_in_minutes() {
        assert_eq!(seconds(Duration::from_millis(1_250)), "1.2 s");
        assert_eq!(seconds(Duration::from_secs(59)), "59.0 s");
        assert_eq!(seconds(Duration::from_secs(125)), "2 min 5 s");
    }
}
