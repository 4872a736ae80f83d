//! How far an exchange has come, so that a timeout can say what was waited for.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tower::{Layer, Service};

/// What an exchange is waiting for.
#[derive(Clone, Copy)]
pub(crate) enum Phase {
    Dns,
    Connect,
    Response,
    Body,
}

impl fmt::Display for Phase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Response => "response",
            Self::Body => "body",
        })
    }
}

tokio::task_local! {
    static PHASE: Cell<Phase>;
}

impl Phase {
    /// Runs an exchange with a phase of its own, which is [`Response`](Self::Response) until
    /// something else is waited for: a kept connection has nothing before it.
    pub(crate) async fn track<F: Future>(exchange: F) -> F::Output {
        PHASE.scope(Cell::new(Self::Response), exchange).await
    }

    /// Notes what the current exchange waits for now.
    ///
    /// A connection may outlive the exchange that began it; then there is nothing to note.
    pub(crate) fn enter(self) {
        let _ = PHASE.try_with(|phase| phase.set(self));
    }

    /// What the current exchange waits for.
    pub(crate) fn current() -> Self {
        PHASE.try_with(Cell::get).unwrap_or(Self::Response)
    }
}

/// Notes when the client's connector begins (TCP and TLS, with the resolver inside) and ends.
#[derive(Clone, Copy)]
pub(crate) struct ConnectPhase;

impl<S> Layer<S> for ConnectPhase {
    type Service = ConnectPhaseService<S>;

    fn layer(&self, connector: S) -> Self::Service {
        ConnectPhaseService { connector }
    }
}

/// The connector that [`ConnectPhase`] makes.
#[derive(Clone)]
pub(crate) struct ConnectPhaseService<S> {
    connector: S,
}

impl<S, R> Service<R> for ConnectPhaseService<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.connector.poll_ready(context)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let connection = self.connector.call(target);
        Box::pin(async move {
            Phase::Connect.enter();
            let connection = connection.await?;
            Phase::Response.enter();
            Ok(connection)
        })
    }
}
