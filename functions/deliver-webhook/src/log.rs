//! The log lines of a queue message. A delivery that succeeds immediately writes none.

use tracing::{debug, error, info, warn};
use webhooks_domain::deliver::{DeliverError, Recorded, Report};
use webhooks_domain::delivery::{DeliveryTask, DiscardReason, Verdict};
use webhooks_domain::health::HealthChange;
use webhooks_domain::outbound::AttemptOutcome;
use webhooks_lambda::{TraceHeader, with_sources};
use webhooks_sqs::DeliveryTaskError;

pub(crate) fn report(task: &DeliveryTask, trace: Option<&TraceHeader<'_>>, report: &Report) {
    let delivery = task.delivery;
    let trace = trace.map(|trace| trace.root);
    if let Report::Attempted {
        changes,
        health_failure,
        ..
    } = report
    {
        for &change in changes {
            health(task, change);
        }
        if let Some(error) = health_failure {
            error!(
                subscription.id = %delivery.subscription,
                delivery.id = %delivery,
                error,
                "endpoint health could not be written; the next attempt observes it again",
            );
        }
    }
    match report {
        Report::Attempted {
            attempt,
            recorded: Recorded::LeftToNextTask,
            ..
        } => error!(
            delivery.id = %delivery,
            attempt = attempt.number,
            "attempt could not be recorded; the next queue message makes it again",
        ),
        Report::Attempted { attempt, .. } if attempt.outcome == AttemptOutcome::Succeeded => {
            debug!(delivery.id = %delivery, attempt = attempt.number, "attempt succeeded");
        }
        Report::Attempted {
            attempt, verdict, ..
        } => info!(
            delivery.id = %delivery,
            attempt = attempt.number,
            outcome = attempt.outcome.as_str(),
            status = attempt.status,
            duration_ms = attempt.duration_ms,
            next = next(verdict),
            trace.id = trace,
            "attempt failed",
        ),
        Report::Settled(status, _) => {
            info!(delivery.id = %delivery, status = status.as_str(), "delivery settled");
        }
        Report::Discarded(DiscardReason::NoDelivery) => {
            warn!(delivery.id = %delivery, "queue message for a delivery that is not recorded");
        }
        Report::Deferred(_) | Report::Discarded(_) => {
            debug!(delivery.id = %delivery, report = ?report, "nothing to do");
        }
    }
}

/// Logs a change of endpoint health.
fn health(task: &DeliveryTask, change: HealthChange) {
    let subscription = task.delivery.subscription;
    match change {
        HealthChange::Disabled(reason) => warn!(
            subscription.id = %subscription,
            delivery.id = %task.delivery,
            reason = reason.as_str(),
            "subscription disabled: its deliveries are held",
        ),
        change => info!(
            subscription.id = %subscription,
            delivery.id = %task.delivery,
            change = change.as_str(),
            "endpoint health changed",
        ),
    }
}

fn next(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Ended(status) => status.as_str(),
        Verdict::Retry(_) => "retry",
    }
}

pub(crate) fn our_failure(task: &DeliveryTask, failure: &DeliverError) {
    if matches!(failure, DeliverError::OutOfTime) {
        info!(delivery.id = %task.delivery, attempt = task.attempt, "handed back: too little time");
        return;
    }
    error!(
        delivery.id = %task.delivery,
        attempt = task.attempt,
        error = with_sources(failure),
        "delivery could not be attempted",
    );
}

pub(crate) fn not_understood(sqs_message_id: &str, failure: &DeliveryTaskError) {
    error!(
        sqs.message_id = sqs_message_id,
        error = with_sources(failure),
        "queue message is not understood and stays in the queue",
    );
}
