//! The receiver of a run's webhooks: the stack's own one, or one in this command.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use tokio::time::{Instant, sleep};
use url::Url;
use webhooks_client::Stack;
use webhooks_domain::timestamp::Timestamp;
use webhooks_receiver::Receiver;
use webhooks_self_test::{Recorded, Run, RunId, Script, SelfTestTable, Step};

use super::judge::Arrival;
use crate::clock::now;

/// The time between two checks for new arrivals.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// The step that measures the receiver's clock.
const CLOCK: &str = "clock";

/// The receiver of a run.
pub(super) struct Endpoint {
    place: Place,
    run: RunId,
}

enum Place {
    /// On this machine's loopback address, for a stack on the same machine.
    Own(Receiver),
    /// The function `echo-receiver`.
    Stack {
        table: SelfTestTable,
        base: Url,
        /// The difference between its clock and this machine's, in milliseconds; positive if
        /// its clock is ahead.
        ahead_ms: i64,
        /// The arrivals that were already read, by step.
        known: Mutex<BTreeMap<Step, Vec<Arrival>>>,
    },
}

impl Endpoint {
    /// Starts a receiver in this command, which answers as the script says.
    pub(super) async fn own(run: RunId, script: &Script) -> Result<Self> {
        let receiver = Receiver::start()
            .await
            .context("cannot listen on the loopback address")?;
        for (step, answers) in script.steps() {
            let answers = answers.iter().map(|answer| {
                let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
                let answered = webhooks_receiver::Answer::status(status);
                match answer.retry_after_seconds {
                    Some(seconds) => answered.with_header(RETRY_AFTER, HeaderValue::from(seconds)),
                    None => answered,
                }
            });
            let answers: Vec<_> = answers.collect();
            if !answers.is_empty() {
                receiver.script(&path(&run, step), answers);
            }
        }
        Ok(Self {
            place: Place::Own(receiver),
            run,
        })
    }

    /// Registers the run with the stack's receiver, and checks that it can be reached.
    pub(super) async fn of_stack(stack: &Stack, run: RunId, registered: Run) -> Result<Self> {
        let client = aws_sdk_dynamodb::Client::new(stack.sdk_config());
        let table = SelfTestTable::new(client, stack.output("SelfTestTableName")?);
        let base = base(stack.output("EchoReceiverUrl")?, stack.endpoint())?;
        let clock: Step = CLOCK.parse().expect("a constant");
        let registered = Run {
            script: registered.script.with(clock.clone(), Vec::new()),
            ..registered
        };
        table
            .register(&run, &registered)
            .await
            .context("cannot register the run: these credentials need dynamodb:PutItem on the table of output SelfTestTableName")?;
        let ahead_ms = clock_difference(stack, &table, &base, &run, &clock).await?;
        Ok(Self {
            place: Place::Stack {
                table,
                base,
                ahead_ms,
                known: Mutex::default(),
            },
            run,
        })
    }

    /// Returns the URL for the webhooks of a step.
    pub(super) fn url(&self, step: &Step) -> String {
        let path = path(&self.run, step);
        match &self.place {
            Place::Own(receiver) => receiver.url(&path),
            Place::Stack { base, .. } => format!("{}{path}", base.as_str().trim_end_matches('/')),
        }
    }

    /// Returns its name for the report.
    pub(super) fn name(&self) -> &'static str {
        match self.place {
            Place::Own(_) => "a receiver of this command",
            Place::Stack { .. } => "the stack's receiver",
        }
    }

    /// Returns the number of requests that the stack's receiver served. A receiver in this
    /// command costs nothing.
    pub(super) async fn billed_requests(&self) -> u64 {
        let Place::Stack { table, .. } = &self.place else {
            return 0;
        };
        let counts = table.counts(&self.run).await.unwrap_or_default();
        counts.into_values().map(u64::from).sum()
    }

    /// Returns the arrivals of a step so far, in order.
    pub(super) async fn arrivals(&self, step: &Step) -> Result<Vec<Arrival>> {
        match &self.place {
            Place::Own(receiver) => {
                let requests = receiver.requests_to(&path(&self.run, step));
                let arrivals = requests.iter().map(|request| Arrival {
                    headers: request.headers.clone(),
                    body: request.body.clone(),
                    at: request.received_at.into(),
                });
                Ok(arrivals.collect())
            }
            Place::Stack {
                table,
                ahead_ms,
                known,
                ..
            } => {
                let mut arrivals = {
                    let known = known.lock().unwrap_or_else(PoisonError::into_inner);
                    known.get(step).cloned().unwrap_or_default()
                };
                // Reading the count costs one read unit; reading requests costs their size.
                let counts = table.counts(&self.run).await?;
                let count = counts.get(step.as_str()).copied().unwrap_or_default();
                let seen = u32::try_from(arrivals.len()).unwrap_or(u32::MAX);
                if count > seen {
                    for request in table.requests(&self.run, step, seen).await? {
                        // A request may be counted before it is recorded. It is read the next
                        // time.
                        if usize::try_from(request.number).ok() != Some(arrivals.len() + 1) {
                            break;
                        }
                        arrivals.push(arrival(request, *ahead_ms)?);
                    }
                    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                    known.insert(step.clone(), arrivals.clone());
                }
                Ok(arrivals)
            }
        }
    }

    /// Waits until a step has received `count` webhooks or the time is up. Returns its
    /// arrivals.
    pub(super) async fn wait(
        &self,
        step: &Step,
        count: usize,
        within: Duration,
    ) -> Result<Vec<Arrival>> {
        let deadline = Instant::now() + within;
        loop {
            let arrivals = self.arrivals(step).await?;
            if arrivals.len() >= count || Instant::now() >= deadline {
                return Ok(arrivals);
            }
            sleep(POLL_INTERVAL).await;
        }
    }
}

fn path(run: &RunId, step: &Step) -> String {
    format!("/{}/{}", run.as_str(), step.as_str())
}

/// Returns the function's URL as the stack reaches it. The emulator's URLs have AWS's host
/// names, which do not resolve; there, a path of the emulator's address is used.
fn base(url: &str, emulator: Option<&Url>) -> Result<Url> {
    let url = Url::parse(url).context("output EchoReceiverUrl is not a URL")?;
    let Some(emulator) = emulator else {
        return Ok(url);
    };
    let host = url.host_str().unwrap_or_default();
    let (id, _) = host
        .split_once('.')
        .context("output EchoReceiverUrl has no name")?;
    Ok(emulator.join(&format!("/_aws/lambda-url/{id}/"))?)
}

fn arrival(request: Recorded, ahead_ms: i64) -> Result<Arrival> {
    let mut headers = HeaderMap::new();
    for (name, value) in &request.headers {
        headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    Ok(Arrival {
        headers,
        body: Bytes::from(request.body),
        at: Timestamp::from_millis(request.received_at.as_millis() - ahead_ms),
    })
}

/// Sends a request to the receiver itself. This shows that it can be reached, and the time of
/// its clock, with an error of at most half the request's duration.
async fn clock_difference(
    stack: &Stack,
    table: &SelfTestTable,
    base: &Url,
    run: &RunId,
    clock: &Step,
) -> Result<i64> {
    let url = format!(
        "{}{}",
        base.as_str().trim_end_matches('/'),
        path(run, clock)
    );
    let http = stack.signed_http().unsigned();
    let mut differences = Vec::new();
    // The first request starts the function.
    for _ in 0..3 {
        let before = now();
        let request = Request::post(&url).body(Bytes::new())?;
        let answer = http.send("lambda", request).await?;
        let took = now().since(before);
        match answer.status().as_u16() {
            200 => differences.push((took, before)),
            403 => {
                bail!(
                    "the receiver's URL refuses all callers: one of its two permissions is missing"
                )
            }
            status => bail!("the receiver's URL answers {status}"),
        }
    }
    let recorded = table.requests(run, clock, 0).await?;
    ensure!(
        recorded.len() >= differences.len(),
        "the receiver has recorded nothing"
    );
    let both = differences.iter().zip(&recorded);
    let quickest = both.min_by_key(|((took, _), _)| *took);
    let ((took, before), request) = quickest.context("no request was answered")?;
    let half = i64::try_from(took.as_millis() / 2).unwrap_or(0);
    Ok(request.received_at.as_millis() - before.as_millis() - half)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn the_emulator_is_reached_by_a_path_of_its_address() {
        let url = "https://abc123.lambda-url.us-east-1.on.aws/";
        assert_eq!(base(url, None).unwrap().as_str(), url);
        let emulator = Url::parse("http://127.0.0.1:4566").unwrap();
        assert_eq!(
            base(url, Some(&emulator)).unwrap().as_str(),
            "http://127.0.0.1:4566/_aws/lambda-url/abc123/"
        );
        assert!(base("nothing", None).is_err());
    }

    #[test]
    fn an_arrival_is_timed_by_this_machines_clock() {
        let recorded = Recorded {
            step: "a".parse().unwrap(),
            number: 1,
            headers: BTreeMap::from([("webhook-id".to_owned(), "msg_1".to_owned())]),
            body: b"{}".to_vec(),
            received_at: Timestamp::from_millis(10_250),
        };
        let arrival = arrival(recorded, 250).unwrap();
        assert_eq!(arrival.at, Timestamp::from_millis(10_000));
        assert_eq!(arrival.webhook_id(), "msg_1");
    }

    #[tokio::test]
    async fn a_receiver_in_this_command_answers_by_the_script() {
        let run: RunId = "ab".repeat(32).parse().unwrap();
        let step: Step = "a".parse().unwrap();
        let slow = webhooks_self_test::Answer {
            status: 429,
            retry_after_seconds: Some(7),
        };
        let script = Script::default().with(step.clone(), vec![slow]);
        let endpoint = Endpoint::own(run, &script).await.unwrap();
        let url: http::Uri = endpoint.url(&step).parse().unwrap();
        let address = url.authority().unwrap().as_str().to_owned();
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!(
            "POST {} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}",
            url.path()
        );
        let mut answer = String::new();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
        assert!(answer.contains("retry-after: 7"), "{answer}");
        let arrivals = endpoint.wait(&step, 1, Duration::from_secs(5)).await;
        assert_eq!(arrivals.unwrap().len(), 1);
        assert_eq!(endpoint.billed_requests().await, 0);
    }
}
