//! Crashes on purpose between any two effects.
//!
//! Only test builds with the feature `failpoints` contain this module. Such a build needs the
//! variable `FAILPOINTS_FOLDER` and does not start without it. In this folder, the file
//! `crashes` contains the rate of crashes as `SEED PER_MILLION`. It may change at any time, and
//! without it there are no crashes. The file `journal` gets a line when the handling of a queue
//! message begins, when it ends, when its invocation is answered, and when the process crashes. A
//! beginning without an end was interrupted. A message that was handled, but whose invocation was
//! not answered, comes again.

use std::fmt::Display;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use webhooks_domain::deliver::Deliver;
use webhooks_domain::delivery::{DeliveryTask, OutgoingTask, RefusedTask};
use webhooks_domain::ids::{CustomerId, DeliveryId};
use webhooks_domain::outbound::{TokenAnswer, WebhookRequest, WebhookResponse};
use webhooks_domain::ports::{DeliveryQueue, QueueError, TokenEndpoint, WebhookSender};
use webhooks_http::HttpSender;
use webhooks_lambda::{Config, Environment};
use webhooks_sqs::SqsQueue;

use crate::use_case;

/// The delivery of webhooks, with the ports that crash.
pub(crate) type DeliverWebhooks = use_case::DeliverWebhooks<Failing<SqsQueue>, Failing<HttpSender>>;

webhooks_lambda::config! {
    /// The settings that a test adds to the configuration.
    FailpointsConfig {
        /// The folder. `cargo xtask build` recognizes a test build by this variable.
        folder: PathBuf = required("FAILPOINTS_FOLDER"),
    }
}

/// Decides about crashes. All decorators share it.
#[derive(Debug)]
pub(crate) struct Failpoints {
    folder: PathBuf,
    journal: File,
    crossed: AtomicU64,
    /// The deliveries whose message was handled in this invocation.
    handled: Mutex<Vec<DeliveryId>>,
}

impl Failpoints {
    /// Opens the journal in the folder.
    pub(crate) fn new() -> Result<Arc<Self>, lambda_runtime::Error> {
        let FailpointsConfig { folder } = FailpointsConfig::from_environment(&Environment::read())?;
        let journal = File::options()
            .create(true)
            .append(true)
            .open(folder.join("journal"))?;
        Ok(Arc::new(Self {
            folder,
            journal,
            crossed: AtomicU64::new(0),
            handled: Mutex::default(),
        }))
    }

    /// Returns the use case with a sender and a queue that may crash.
    pub(crate) fn around<T, Q, W, V, C>(
        self: &Arc<Self>,
        deliver: Deliver<T, Q, W, V, C>,
    ) -> Deliver<T, Failing<Q>, Failing<W>, V, C> {
        Deliver {
            table: deliver.table,
            queue: self.failing(deliver.queue),
            sender: self.failing(deliver.sender),
            vault: deliver.vault,
            clock: deliver.clock,
            policy: deliver.policy,
            longest_queue_delay: deliver.longest_queue_delay,
            request_timeout: deliver.request_timeout,
            time_for_attempt: deliver.time_for_attempt,
            health_monitor: deliver.health_monitor,
            customer_limits: deliver.customer_limits,
            tokens: deliver.tokens,
            random: deliver.random,
        }
    }

    fn failing<P>(self: &Arc<Self>, port: P) -> Failing<P> {
        Failing {
            port,
            failpoints: Arc::clone(self),
        }
    }

    /// Runs the use case for a task, and records its beginning and end in the journal.
    pub(crate) async fn run<T>(&self, task: &DeliveryTask, run: impl Future<Output = T>) -> T {
        self.note("begin", task.delivery);
        let result = run.await;
        self.cross("before the answer");
        self.note("end", task.delivery);
        self.handled().push(task.delivery);
        result
    }

    /// Records in the journal that the invocation is answered.
    pub(crate) fn answered(&self) {
        for delivery in self.handled().drain(..) {
            self.note("answered", delivery);
        }
    }

    fn handled(&self) -> MutexGuard<'_, Vec<DeliveryId>> {
        self.handled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Crashes if this boundary is chosen.
    fn cross(&self, boundary: &str) {
        let Ok(text) = fs::read_to_string(self.folder.join("crashes")) else {
            return;
        };
        let mut numbers = text.split_whitespace().flat_map(str::parse::<u64>);
        let (Some(seed), Some(per_million)) = (numbers.next(), numbers.next()) else {
            return;
        };
        let crossed = self.crossed.fetch_add(1, Ordering::Relaxed);
        let mut hasher = DefaultHasher::new();
        (seed, process::id(), crossed, boundary).hash(&mut hasher);
        if hasher.finish() % 1_000_000 < per_million {
            self.note("crash", boundary);
            process::abort();
        }
    }

    fn note(&self, what: &str, whom: impl Display) {
        // One write for each line, so that lines of several processes do not mix.
        let line = format!("{what} {whom}\n");
        (&self.journal)
            .write_all(line.as_bytes())
            .expect("a test machine has room for a line");
    }
}

/// A port that may crash before and after its effects.
pub(crate) struct Failing<P> {
    port: P,
    failpoints: Arc<Failpoints>,
}

impl<P: WebhookSender + Sync> WebhookSender for Failing<P> {
    async fn send(&self, request: WebhookRequest) -> WebhookResponse {
        self.failpoints.cross("before the request");
        let response = self.port.send(request).await;
        self.failpoints.cross("after the request");
        response
    }
}

impl<P: TokenEndpoint + Sync> TokenEndpoint for Failing<P> {
    async fn request_token(&self, request: WebhookRequest) -> TokenAnswer {
        self.failpoints.cross("before the request for a token");
        let answer = self.port.request_token(request).await;
        self.failpoints.cross("after the request for a token");
        answer
    }
}

impl<P: DeliveryQueue + Sync> DeliveryQueue for Failing<P> {
    async fn send(
        &self,
        customer: &CustomerId,
        task: &DeliveryTask,
        delay: Duration,
    ) -> Result<(), QueueError> {
        let sent = self.port.send(customer, task, delay).await;
        self.failpoints.cross("after queueing");
        sent
    }

    async fn send_batch(&self, tasks: &[OutgoingTask<'_>]) -> Result<Vec<RefusedTask>, QueueError> {
        self.port.send_batch(tasks).await
    }
}
