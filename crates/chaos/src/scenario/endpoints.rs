//! The endpoints of a customer: their answers, and the endpoint that is deleted and created
//! again while events flow.

use std::time::Duration;

use anyhow::{Context, Result};
use fastrand::Rng;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use webhooks_client::{Api, CreatedSubscription, Error};
use webhooks_receiver::Answer;

use super::Scenario;
use crate::history::{Conduct, Endpoint, Subscribed};

/// The percentage of requests that each endpoint fails. The first one accepts everything, with
/// unusual answers. The last one always fails: a second chain of retries would show there at
/// every attempt.
const FAILURES: [u8; 5] = [0, 10, 25, 40, 100];

/// The index of the endpoint that has a rate limit and a concurrency limit.
const LIMITED: usize = 1;

/// The percentage of requests that the replaced endpoint fails, so that it has pending retries.
const FAILURES_OF_REPLACED: u8 = 40;

/// The paths of the replaced endpoint, before and after its replacement.
const REPLACED: [&str; 2] = ["/before", "/after"];

/// One answer in this many is slow.
const SLOW_ANSWERS: u32 = 10;

/// The delay of a slow answer.
const SLOW: Duration = Duration::from_millis(300);

/// For the endpoint that accepts everything: the percentages of answers whose body never ends,
/// and of answers with a folded header.
const ENDLESS_BODIES: u8 = 5;
const FOLDED_HEADERS: u8 = 20;

/// The number of answers planned for each event, including retries. The last answer is
/// repeated.
const ANSWERS_PER_EVENT: usize = 8;

/// The wait between two tries of an API request, since the faults also affect the API.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// The longest time for which the API may fail.
const API_ANSWERS: Duration = Duration::from_mins(1);

impl Scenario {
    /// Subscribes an endpoint to which every event must be delivered.
    pub(super) async fn subscribe(
        &self,
        api: &Api,
        rng: &mut Rng,
        index: usize,
    ) -> Result<Endpoint> {
        let path = format!("/{index}");
        let percent = FAILURES[index % FAILURES.len()];
        let conduct = if percent == 0 {
            self.script(&path, || odd_acceptance(rng));
            // A connection that is closed while the next request is on its way is no evidence
            // against the endpoint.
            self.receiver.close_kept_connections(&path);
            Conduct::AcceptsAll
        } else {
            self.script(&path, || answer(rng, percent));
            Conduct::MayFail
        };
        let mut subscription = self.subscription(&path);
        if index == LIMITED {
            subscription["rateLimitPerSecond"] = json!(10);
            subscription["maxInFlight"] = json!(2);
        }
        let created = api
            .create_subscription(&self.customer, &subscription)
            .await
            .with_context(|| format!("subscribing endpoint {index} of {}", self.customer))?;
        Ok(endpoint(created, path, Subscribed::Throughout, conduct))
    }

    /// Subscribes the endpoint that will be replaced.
    pub(super) async fn subscribe_replaced(&self, api: &Api, rng: &mut Rng) -> Result<Endpoint> {
        for path in REPLACED {
            self.script(path, || answer(rng, FAILURES_OF_REPLACED));
        }
        let [before, _] = REPLACED;
        let created = self.create_replaced(api, before).await?;
        let part = Subscribed::Partly;
        Ok(endpoint(created, before.to_owned(), part, Conduct::MayFail))
    }

    /// Deletes the endpoint's subscription and creates it again with the same idempotency key,
    /// but for another path.
    pub(super) async fn replace(&self, api: &Api) -> Result<Endpoint> {
        let [before, after] = REPLACED;
        let replaced = self.endpoints.iter().find(|e| e.path == before);
        let replaced = replaced.context("nothing to replace")?;
        let deleted = insist(async || {
            let id = &replaced.subscription_id;
            match api.delete_subscription(&self.customer, id).await {
                // An earlier try deleted it, and its answer was lost.
                Err(Error::Problem(problem)) if problem.status == 404 => Ok(()),
                answer => answer,
            }
        });
        deleted.await.context("deleting a subscription")?;
        let created = self.create_replaced(api, after).await?;
        let part = Subscribed::Partly;
        Ok(endpoint(created, after.to_owned(), part, Conduct::MayFail))
    }

    async fn create_replaced(&self, api: &Api, path: &str) -> Result<CreatedSubscription> {
        let subscription = self.subscription(path);
        let created = insist(async || {
            let creation = api.create_subscription(&self.customer, &subscription);
            creation.idempotency_key("replaced").await
        });
        created.await.with_context(|| format!("subscribing {path}"))
    }

    fn subscription(&self, path: &str) -> Value {
        json!({"url": self.receiver.url(path), "eventTypes": ["order.*"]})
    }

    fn script(&self, path: &str, answer: impl FnMut() -> Answer) {
        let count = self.events.len() * ANSWERS_PER_EVENT;
        let answers = std::iter::repeat_with(answer).take(count);
        self.receiver.script(path, answers);
    }
}

fn endpoint(
    created: CreatedSubscription,
    path: String,
    subscribed: Subscribed,
    conduct: Conduct,
) -> Endpoint {
    Endpoint {
        subscription_id: created.subscription.id,
        path,
        secret: created.secret,
        subscribed,
        conduct,
    }
}

/// Repeats a request until the API answers it. Faults in the API's own calls are not refusals.
async fn insist<T>(ask: impl AsyncFn() -> Result<T, Error>) -> Result<T> {
    let answered = async {
        loop {
            match ask().await {
                Err(Error::Problem(problem)) if problem.status < 500 => {
                    return Err(Error::Problem(problem));
                }
                Ok(answer) => return Ok(answer),
                Err(_) => sleep(TRY_AGAIN_AFTER).await,
            }
        }
    };
    let answered = timeout(API_ANSWERS, answered).await;
    Ok(answered.context("the API goes on failing")??)
}

/// Returns an answer of an endpoint that fails this percentage of requests.
fn answer(rng: &mut Rng, percent: u8) -> Answer {
    let answer = if rng.u8(0..100) >= percent {
        Answer::ok().with_body("thank you")
    } else {
        match rng.u8(0..10) {
            0..=4 => {
                Answer::status(StatusCode::INTERNAL_SERVER_ERROR).with_body("database is down")
            }
            5..=6 => Answer::status(StatusCode::SERVICE_UNAVAILABLE),
            7..=8 => return Answer::cut(),
            _ => return Answer::never(),
        }
    };
    sometimes_slow(rng, answer)
}

/// Returns an answer of the endpoint that accepts everything.
fn odd_acceptance(rng: &mut Rng) -> Answer {
    let accepted = Answer::ok().with_body("thank you");
    let drawn = rng.u8(0..100);
    if drawn < ENDLESS_BODIES {
        accepted.with_endless_body()
    } else if drawn < ENDLESS_BODIES + FOLDED_HEADERS {
        accepted.with_folded_header()
    } else {
        sometimes_slow(rng, accepted)
    }
}

fn sometimes_slow(rng: &mut Rng, answer: Answer) -> Answer {
    if rng.u32(..SLOW_ANSWERS) == 0 {
        answer.after(SLOW)
    } else {
        answer
    }
}
