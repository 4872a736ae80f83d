//! The local AWS: one `MiniStack` process for each stack, and the gate before it.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use crate::process::{self, ProcessId};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// The region that the emulator simulates.
pub(crate) const REGION: &str = "us-east-1";
/// The access key of the emulator's root account, given to it at its start.
pub(crate) const ACCESS_KEY_ID: &str = "test";
/// The secret of [`ACCESS_KEY_ID`].
pub(crate) const SECRET_ACCESS_KEY: &str = "test";

/// The first choice of port, which is usual for such emulators.
const USUAL_PORT: u16 = 4566;
const START_LIMIT: Duration = Duration::from_mins(1);
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A started emulator. Its record is kept in the stack's folder.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Emulator {
    process: ProcessId,
    /// The port for clients: the gate's, if there is one.
    port: u16,
    /// The emulator's own port.
    own_port: u16,
}

/// The program between an emulator and its clients that refuses what AWS would refuse.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    /// The program.
    pub(crate) program: PathBuf,
    /// The file of the refusals.
    pub(crate) refusals: PathBuf,
    /// True if operations that it does not know are forwarded.
    pub(crate) lets_unknown_pass: bool,
}

impl Gate {
    fn command(&self, port: u16, own_port: u16) -> Vec<OsString> {
        let mut command: Vec<OsString> = vec![
            self.program.clone().into(),
            "--port".into(),
            port.to_string().into(),
            "--emulator".into(),
            endpoint(own_port).into(),
            "--refusals".into(),
            self.refusals.clone().into(),
        ];
        if self.lets_unknown_pass {
            command.push("--pass-unknown-operations".into());
        }
        command
    }
}

impl Emulator {
    /// Returns the running emulator that was started for this folder.
    pub(crate) fn running(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(folder.join("emulator.json")).ok()?;
        let emulator: Self = serde_json::from_str(&text).ok()?;
        emulator.process.is_running().then_some(emulator)
    }

    /// Starts an emulator with an empty state and waits until it is ready. It ends with this
    /// program, unless [`Emulator::keep`] is called.
    ///
    /// Its functions receive the given environment variables. With the tools of the second
    /// interpreter, that one runs the state machines.
    pub(crate) fn start(
        workspace: &Workspace,
        tools: &Tools,
        second_interpreter: Option<&Tools>,
        folder: &Path,
        port: u16,
        gate: Option<&Gate>,
        function_environment: &[(&str, OsString)],
    ) -> Result<Self> {
        let own_port = if gate.is_some() { free_port()? } else { port };
        let temporary = folder.join("tmp");
        if temporary.exists() {
            fs::remove_dir_all(&temporary).context("removing the files of an earlier emulator")?;
        }
        fs::create_dir_all(&temporary)
            .with_context(|| format!("making `{}`", temporary.display()))?;
        let keep = folder.join("keep");
        if keep.exists() {
            fs::remove_file(&keep)?;
        }
        let log_path = folder.join("emulator.log");
        let log = process::create(&log_path)?;
        let mut command = second_interpreter.unwrap_or(tools).command("python");
        // The functions inherit this environment, so it must not contain the user's variables.
        command.env_clear();
        for name in ["HOME", "PATH", "LANG"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let child = command
            .arg(workspace.xtask_file("python/emulator.py"))
            .args(second_interpreter.map(|_| "--second-interpreter"))
            .arg(&keep)
            .args(gate.map_or_else(Vec::new, |gate| gate.command(port, own_port)))
            .env("AUTH", "true")
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .env("AWS_ENDPOINT_URL", endpoint(port))
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", own_port.to_string())
            .env("LAMBDA_EXECUTOR", "local")
            .env("MINISTACK_REGION", REGION)
            // Its other listeners use fixed ports, which two stacks cannot share.
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("STATE_DIR", temporary.join("state"))
            .env("S3_DATA_DIR", temporary.join("s3"))
            .env("TMPDIR", &temporary)
            // These are for the functions; the emulator itself needs none of them.
            .envs(function_environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // It has its own process group, so that it is ended together with its functions.
            .process_group(0)
            .spawn()
            .context("starting the emulator")?;
        let pid = child.id();
        let process = ProcessId::of(pid);
        // Waits for its end; otherwise it would remain in the process table.
        std::thread::spawn(move || {
            let mut child = child;
            child.wait()
        });
        let Some(process) = process else {
            bail!("{}", did_not_start(&log_path));
        };
        let emulator = Self {
            process,
            port,
            own_port,
        };
        fs::write(
            folder.join("emulator.json"),
            serde_json::to_string(&emulator)?,
        )?;
        if let Err(error) = emulator.wait_until_ready(&log_path) {
            emulator.stop(folder)?;
            return Err(error);
        }
        Ok(emulator)
    }

    fn wait_until_ready(&self, log: &Path) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while !is_ready(self.port) {
            ensure!(self.process.is_running(), "{}", did_not_start(log));
            ensure!(
                Instant::now() < deadline,
                "{}\nthe emulator does not answer on port {} after {} s; its log is {}",
                process::last_lines(log),
                self.port,
                START_LIMIT.as_secs(),
                log.display()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    /// Keeps the emulator running after this program.
    pub(crate) fn keep(folder: &Path) -> Result<()> {
        process::create(&folder.join("keep"))?;
        Ok(())
    }

    /// Ends the emulator and its functions, and removes its state.
    pub(crate) fn stop(&self, folder: &Path) -> Result<()> {
        self.process.end_group(STOP_LIMIT)?;
        for file in ["emulator.json", "keep"] {
            let path = folder.join(file);
            if path.exists() {
                fs::remove_file(&path).with_context(|| format!("removing `{}`", path.display()))?;
            }
        }
        let temporary = folder.join("tmp");
        if temporary.exists() {
            fs::remove_dir_all(&temporary)
                .with_context(|| format!("removing `{}`", temporary.display()))?;
        }
        Ok(())
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address for AWS clients.
    pub(crate) fn endpoint(&self) -> String {
        endpoint(self.port)
    }

    /// Returns the address behind the gate.
    pub(crate) fn own_endpoint(&self) -> String {
        endpoint(self.own_port)
    }

    /// Returns true if the emulator answers.
    pub(crate) fn is_ready(&self) -> bool {
        is_ready(self.port)
    }
}

/// Returns the requested port, or else the usual one, or else a free one.
pub(crate) fn choose_port(wanted: Option<u16>) -> Result<u16> {
    if let Some(port) = wanted {
        ensure!(
            is_free(port),
            "port {port} is in use: choose another, or omit `--port`"
        );
        return Ok(port);
    }
    if is_free(USUAL_PORT) {
        Ok(USUAL_PORT)
    } else {
        free_port()
    }
}

/// Returns a port that no process listens on.
pub(crate) fn free_port() -> Result<u16> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
    Ok(listener
        .local_addr()
        .context("looking for a free port")?
        .port())
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Returns the address of a port for AWS clients.
pub(crate) fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

fn did_not_start(log: &Path) -> String {
    format!(
        "{}\nthe emulator ended while it started; its log is {}",
        process::last_lines(log),
        log.display()
    )
}

/// Asks the emulator if it is ready. Every other answer means no.
fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let limit = Duration::from_secs(2);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(
            format!("GET /_ministack/ready HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        )?;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    ask().is_ok_and(|status| status.ends_with(" 200"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_refused_by_name() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let error = choose_port(Some(port)).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("port {port} is in use")),
            "{error}"
        );
    }

    #[test]
    fn ready_means_status_200_and_nothing_else() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\n", true),
            ("HTTP/1.1 503 \r\n\r\n", false),
            ("", false),
        ] {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 256];
                let _ = stream.read(&mut request).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            });
            assert_eq!(is_ready(port), expected, "{answer:?}");
            server.join().unwrap();
        }
    }

    #[test]
    fn a_record_of_an_ended_emulator_is_not_a_running_one() {
        let folder = std::env::temp_dir().join(format!("xtask-emulator-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join("emulator.json"),
            r#"{"process":{"pid":1,"started":"never"},"port":4566,"own_port":4567}"#,
        )
        .unwrap();
        assert!(Emulator::running(&folder).is_none());
        fs::remove_dir_all(&folder).unwrap();
    }
}
