//! A stub of the Lambda Runtime API for one invocation. It also simulates empty AWS services.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// The time limit for a function to start and answer, also with an emulated processor.
const TIME_LIMIT: Duration = Duration::from_mins(1);
/// The time between two checks that the program still runs.
const LOOK: Duration = Duration::from_millis(100);

/// A function's answer to an event.
#[derive(Debug)]
pub(crate) struct Answer {
    /// True if the function reported an error.
    pub(crate) is_error: bool,
    pub(crate) body: Value,
}

/// One request to the stub.
struct Request {
    method: String,
    path: String,
    body: Vec<u8>,
}

/// Starts a function, invokes it with one event, and ends it.
pub(crate) fn invoke(
    mut command: Command,
    variables: &BTreeMap<String, String>,
    event: &Value,
) -> Result<Answer> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("opening the stub")?;
    let address = listener.local_addr().context("opening the stub")?;
    let (answers, answered) = mpsc::channel();
    // The event is given out once; the second poll gets no answer.
    let event = Arc::new(Mutex::new(Some(event.to_string())));
    thread::spawn(move || {
        // The thread ends with this program: nothing connects after the function's end.
        for stream in listener.incoming().flatten() {
            let (answers, event) = (answers.clone(), Arc::clone(&event));
            thread::spawn(move || serve(&stream, &event, &answers));
        }
    });
    let mut child = command
        .env_clear()
        .envs(variables)
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_ENDPOINT_URL", format!("http://{address}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("starting `{}`", command.get_program().display()))?;
    let deadline = Instant::now() + TIME_LIMIT;
    loop {
        match answered.recv_timeout(LOOK) {
            Ok(answer) => {
                stop(&mut child)?;
                return Ok(answer);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("the stub ended"),
        }
        if let Some(status) = child.try_wait().context("looking at the function")? {
            bail!("{}\nit ended ({status}) without an answer", printed(child)?);
        }
        if Instant::now() > deadline {
            stop(&mut child)?;
            bail!("{}\nno answer within {TIME_LIMIT:?}", printed(child)?);
        }
    }
}

fn stop(child: &mut Child) -> Result<()> {
    child.kill().context("ending the function")?;
    child.wait().context("ending the function").map(drop)
}

/// Returns the output of a function that has ended or was killed.
fn printed(child: Child) -> Result<String> {
    let output = child.wait_with_output().context("reading its output")?;
    let both = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&both).trim_end().to_owned())
}

/// Answers the requests of one connection until it closes or a request gets no answer.
fn serve(
    stream: &TcpStream,
    event: &Mutex<Option<String>>,
    answers: &Sender<Answer>,
) -> Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader)? {
        let segments: Vec<&str> = request.path.split('/').collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", [.., "invocation", "next"]) => {
                let event = event.lock().unwrap_or_else(PoisonError::into_inner).take();
                let Some(event) = event else {
                    thread::park();
                    continue;
                };
                let deadline = std::time::SystemTime::now() + TIME_LIMIT;
                let deadline = deadline.duration_since(std::time::UNIX_EPOCH)?.as_millis();
                let headers = format!(
                    "Lambda-Runtime-Aws-Request-Id: 1\r\n\
                     Lambda-Runtime-Deadline-Ms: {deadline}\r\n\
                     Lambda-Runtime-Invoked-Function-Arn: \
                     arn:aws:lambda:us-east-1:123456789012:function:verified\r\n"
                );
                write(stream, "200 OK", &headers, &event)?;
            }
            ("POST", [.., kind @ ("response" | "error")]) => {
                write(stream, "202 Accepted", "", "{}")?;
                let body = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
                answers.send(Answer {
                    is_error: *kind == "error",
                    body,
                })?;
            }
            // DynamoDB, with an empty table.
            _ => write(
                stream,
                "200 OK",
                "",
                r#"{"Items":[],"Count":0,"ScannedCount":0}"#,
            )?,
        }
    }
    Ok(())
}

fn write(mut stream: &TcpStream, status: &str, headers: &str, body: &str) -> Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{headers}Content-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )?;
    Ok(())
}

/// Reads the next request of a connection. `None` at its end.
fn read(reader: &mut impl BufRead) -> Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let (Some(method), Some(path)) = (words.next(), words.next()) else {
        bail!("`{}` is not a request", line.trim());
    };
    let (method, path) = (method.to_owned(), path.to_owned());
    let (mut length, mut is_chunked) = (0, false);
    loop {
        let mut header = String::new();
        ensure!(reader.read_line(&mut header)? > 0, "a request was cut off");
        let header = header.trim_end().to_ascii_lowercase();
        match header.split_once(':') {
            None => break,
            Some(("content-length", value)) => length = value.trim().parse()?,
            Some(("transfer-encoding", value)) => is_chunked = value.trim() == "chunked",
            Some(_) => {}
        }
    }
    let mut body = Vec::new();
    if is_chunked {
        read_chunks(reader, &mut body)?;
    } else {
        reader.take(length).read_to_end(&mut body)?;
    }
    Ok(Some(Request { method, path, body }))
}

fn read_chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> Result<()> {
    loop {
        let mut size = String::new();
        reader.read_line(&mut size)?;
        let size = u64::from_str_radix(size.trim(), 16).context("the size of a chunk")?;
        reader.take(size).read_to_end(body)?;
        reader.read_line(&mut String::new())?;
        if size == 0 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_follow_each_other_with_both_kinds_of_bodies() {
        let text = "POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\
                    POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
                    2\r\nde\r\n1\r\nf\r\n0\r\n\r\n\
                    GET /c HTTP/1.1\r\n\r\n";
        let mut reader = text.as_bytes();
        let mut found = Vec::new();
        while let Some(request) = read(&mut reader).unwrap() {
            found.push((request.path, String::from_utf8(request.body).unwrap()));
        }
        let expected = [("/a", "abc"), ("/b", "def"), ("/c", "")];
        assert_eq!(
            found,
            expected.map(|(path, body)| (path.to_owned(), body.to_owned()))
        );
    }

    #[test]
    fn a_program_that_ends_without_an_answer_is_an_error_that_shows_what_it_printed() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "echo cannot run >&2; exit 3"]);
        let error = invoke(command, &BTreeMap::new(), &json!({}))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("cannot run\nit ended"), "{error}");
    }
}
