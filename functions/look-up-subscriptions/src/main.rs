//! `LookUpSubscriptions`: validates an event and pages through the customer's matching
//! subscriptions. Compares a duplicate with the stored message.

use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::value::RawValue;
use webhooks_domain::catalogue::Finding;
use webhooks_domain::check_event::CheckByCatalogue;
use webhooks_domain::look_up::{Answer, Comparison, LookUp, LookUpError, Page};
use webhooks_domain::subscription::SubscriptionStatus;
use webhooks_dynamodb::DynamoStore;
use webhooks_lambda::{
    FunctionError, LookUpSubscriptionsConfig, Metric, Metrics, SystemClock, aws_config, start,
};
use webhooks_schema::JsonSchemas;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let config = start::<LookUpSubscriptionsConfig>()?;
    let metrics = &Metrics::new(config.function_name, config.monitoring);
    let client = aws_sdk_dynamodb::Client::new(&aws_config().await);
    let table = DynamoStore::new(client, config.table_name);
    let period = config.event_type_refresh;
    let look_up = LookUp {
        directory: table.clone(),
        check: CheckByCatalogue::new(table, JsonSchemas, SystemClock, period),
        reader: config.event_reader,
    };
    let look_up = &look_up;
    run(service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        let answer = look_up.answer(event.payload.get()).await;
        match &answer {
            Ok(Answer::Page(page)) => count(metrics, page),
            Ok(Answer::Comparison(comparison)) => report_conflict(metrics, comparison),
            // The failed-events queue has the reason.
            Err(LookUpError::Refused(finding)) => metrics.count(metric(finding), 1),
            Err(_) => {}
        }
        let failed_reads = look_up.check.take_failed_reads();
        metrics.count(Metric::EventTypesNotRead, failed_reads);
        metrics.write();
        answer.map_err(|error| FunctionError::new(error.error_type(), &error))
    }))
    .await
}

/// Counts and logs an event that is not delivered because another event already has its message
/// id.
fn report_conflict(metrics: &Metrics, comparison: &Comparison) {
    let Some(conflict) = &comparison.conflict else {
        return;
    };
    metrics.count(Metric::ConflictingDuplicates, 1);
    tracing::warn!(
        message.id = %conflict.message_id,
        event.id = conflict.dropped.id,
        event.source = conflict.dropped.source,
        kept.event.id = conflict.kept.id,
        "event not delivered: an earlier one with its idempotency key, or its id, has another payload"
    );
}

/// The metric of an event that fails the check of its type.
fn metric(finding: &Finding) -> Metric {
    match finding {
        Finding::Violation { .. } | Finding::ViolationSomewhere => Metric::SchemaViolations,
        Finding::NotChecked(_) => Metric::EventsNotChecked,
    }
}

/// Counts and logs an event that fails the check of its type, and is delivered nevertheless.
fn warn(metrics: &Metrics, page: &Page) {
    let Some(finding) = &page.warning else {
        return;
    };
    metrics.count(metric(finding), 1);
    let (path, rule) = match finding {
        Finding::Violation { path, rule } => (Some(path.as_str()), Some(rule.as_str())),
        Finding::ViolationSomewhere => (Some("/detail"), None),
        Finding::NotChecked(_) => (None, None),
    };
    tracing::warn!(
        message.id = %page.message.id,
        event.type = %page.message.event_type,
        event.path = path,
        schema.rule = rule,
        "event delivered although it fails the check of its type: {finding}"
    );
}

/// Counts a page, and the event with its last page, because each event has exactly one last page.
///
/// The results of `prepare-calls` for the page are also counted here, because a separate log
/// line for each event would cost as much as this one.
fn count(metrics: &Metrics, page: &Page) {
    warn(metrics, page);
    let matched = page.subscriptions.len();
    let active = page
        .subscriptions
        .iter()
        .filter(|subscription| subscription.status == SubscriptionStatus::Active)
        .count();
    metrics.count(Metric::Accepted, u64::from(page.cursor.is_none()));
    metrics.count(Metric::Matched, matched as u64);
    metrics.count(Metric::Held, (matched - active) as u64);
    metrics.count(Metric::FiltersGivenUp, page.given_up.len() as u64);
    for subscription in &page.given_up {
        tracing::warn!(
            message.id = %page.message.id,
            subscription.id = %subscription,
            "filter given up, because it costs too much with this event: the event is sent"
        );
    }
}
