//! The domain's types as the API shows them.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde_json::value::RawValue;
use webhooks_api_types as api;
use webhooks_domain::broken::{Broken, Readable};
use webhooks_domain::catalogue::{CatalogueEntry, Deprecation, Example, UnknownType, Validation};
use webhooks_domain::contact::{Contact, ContactState};
use webhooks_domain::customer::Customer;
use webhooks_domain::delivery::{
    Attempt, CancelReason, Delivery, DeliveryStatus, DeliveryTrigger, FailureReason, HoldReason,
};
use webhooks_domain::health::Health;
use webhooks_domain::manage::ActiveSecret;
use webhooks_domain::message::json_string_len;
use webhooks_domain::outbound::authentication::ClientAuthentication;
use webhooks_domain::outbound::{
    AttemptOutcome, EndpointAuthentication, Method, ResponseHeaders, ShownRequest, Timings,
};
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::read_delivery::DeliveryWithBody;
use webhooks_domain::recovery::{Recovery, RecoveryKind, RecoveryStatus, UndeliveredStatus};
use webhooks_domain::retry::{RetryPolicy, Waits};
use webhooks_domain::show_exchanges::{ShownExchange, ShownResponse};
use webhooks_domain::signing::{SealedSecret, Secret, SecretKind};
use webhooks_domain::subscription::{
    BrokenSubscription, DisabledReason, ProblemKind, Subscription, SubscriptionPage,
    SubscriptionProblem, SubscriptionStatus,
};
use webhooks_domain::timestamp::Timestamp;
use webhooks_domain::unhealthy::Unhealthy;

/// A subscription.
pub fn subscription(subscription: Subscription) -> api::Subscription {
    let disabled = subscription.disabled;
    let secret_headers = subscription.secret_headers.names();
    let payload = subscription.payload.parts();
    let filter = subscription.filter.map(|filter| filter.as_str().to_owned());
    api::Subscription {
        id: subscription.id.to_string(),
        customer_id: subscription.customer_id.to_string(),
        url: subscription.url.as_str().to_owned(),
        event_types: subscription.event_types.iter().map(str::to_owned).collect(),
        filter: filter.and_then(|json| api::Filter::from_json(json).ok()),
        payload_format: payload_format(payload.format),
        payload_fields: payload
            .fields
            .map_or_else(Vec::new, |fields| fields.as_slice().to_vec()),
        transform: payload.transform.map(|transform| api::Transform {
            paths: transform.paths().clone(),
            template: transform.template().to_owned(),
        }),
        content_type: payload.content_type.map(|own| own.as_str().to_owned()),
        method: match subscription.method {
            Method::Post => api::RequestMethod::Post,
            Method::Put => api::RequestMethod::Put,
            Method::Patch => api::RequestMethod::Patch,
        },
        query_parameters: subscription.query.into(),
        description: subscription.description.map(String::from),
        metadata: subscription.metadata.into(),
        secret_headers: secret_headers.map(str::to_owned).collect(),
        cleared_secret_headers: Vec::new(),
        authentication: subscription
            .authentication
            .map(|sealed| authentication(sealed.authentication)),
        cleared_authentication: None,
        headers: subscription.headers.into(),
        timeout_seconds: subscription.timeout.map(u64::from),
        rate_limit_per_second: subscription.limits.rate.map(u64::from),
        max_in_flight: subscription.limits.in_flight.map(u64::from),
        retry_policy: subscription.retry_policy.as_ref().map(retry_policy),
        secrets: subscription.secrets.iter().map(secret_summary).collect(),
        status: subscription_status(subscription.status),
        disabled_reason: disabled.map(|disabled| disabled_reason(disabled.reason)),
        disabled_at: disabled.map(|disabled| disabled.at.to_string()),
        health: health(&subscription.health),
        recovery: None,
        warnings: Vec::new(),
        version: subscription.version,
        created_at: subscription.created_at.to_string(),
        updated_at: subscription.updated_at.to_string(),
    }
}

/// An event type of the catalogue.
pub fn event_type(entry: CatalogueEntry) -> api::EventType {
    let documentation = entry.documentation;
    let examples = documentation.examples.iter().map(Example::as_str);
    let schema = documentation.schema.as_ref();
    api::EventType {
        name: entry.name.into(),
        schema: schema.and_then(|schema| raw(schema.as_str())),
        validation: validation(documentation.validation),
        examples: examples.filter_map(raw).collect(),
        description: documentation.description.map(String::from),
        group: documentation.group.map(String::from),
        deprecated: documentation.deprecation.map(deprecation),
        version: entry.version,
        created_at: entry.created_at.to_string(),
        updated_at: entry.updated_at.to_string(),
    }
}

/// An event type of the catalogue in a list.
pub fn event_type_summary(entry: CatalogueEntry) -> api::EventTypeSummary {
    let documentation = entry.documentation;
    api::EventTypeSummary {
        name: entry.name.into(),
        description: documentation.description.map(String::from),
        group: documentation.group.map(String::from),
        deprecated: documentation.deprecation.map(deprecation),
        version: entry.version,
    }
}

fn validation(validation: Validation) -> api::Validation {
    match validation {
        Validation::Off => api::Validation::Off,
        Validation::Warn => api::Validation::Warn,
        Validation::Refuse => api::Validation::Refuse,
    }
}

/// The warnings about event types that are not in the catalogue.
pub fn unknown_types(unknown: Vec<UnknownType>) -> Vec<api::Warning> {
    let warnings = unknown.into_iter().map(|unknown| api::Warning {
        field: "eventTypes".to_owned(),
        detail: unknown.to_string(),
        value: unknown.pattern,
        nearest: unknown.nearest,
    });
    warnings.collect()
}

fn deprecation(deprecation: Deprecation) -> api::Deprecation {
    api::Deprecation {
        replaced_by: deprecation.replaced_by.map(String::from),
    }
}

/// A stored JSON text. `None` if somebody has changed it in the table into something else.
fn raw(json: &str) -> Option<Box<RawValue>> {
    serde_json::from_str(json).ok()
}

/// The authentication to an endpoint.
pub fn authentication(authentication: EndpointAuthentication) -> api::Authentication {
    match authentication {
        EndpointAuthentication::Basic(basic) => api::Authentication::Basic {
            username: basic.username,
        },
        EndpointAuthentication::Bearer(_) => api::Authentication::Bearer {},
        EndpointAuthentication::ApiKey(api_key) => api::Authentication::ApiKey {
            header: api_key.header().to_owned(),
        },
        EndpointAuthentication::OAuth2(oauth2) => api::Authentication::OAuth2 {
            token_url: oauth2.token_url.as_str().to_owned(),
            client_id: oauth2.client_id,
            scope: oauth2.scope,
            audience: oauth2.audience,
            client_authentication: match oauth2.client_authentication {
                ClientAuthentication::Header => api::ClientAuthentication::Header,
                ClientAuthentication::Body => api::ClientAuthentication::Body,
            },
        },
        EndpointAuthentication::Mtls(mtls) => api::Authentication::Mtls {
            subject: mtls.subject().to_owned(),
            issuer: mtls.issuer().to_owned(),
            sha256_fingerprint: mtls.sha256_fingerprint().to_owned(),
            not_before: mtls.not_before().to_string(),
            not_after: mtls.not_after().to_string(),
        },
    }
}

/// A customer.
pub fn customer(customer: Customer) -> api::Customer {
    api::Customer {
        id: customer.id.to_string(),
        name: customer.name.map(String::from),
        metadata: customer.metadata.into(),
        max_subscriptions: customer.max_subscriptions.map(u32::from),
        rate_limit_per_second: customer.rate_limit.map(u32::from),
        contacts: customer.contacts.iter().map(contact).collect(),
        subscriptions: u64::try_from(customer.usage.subscriptions).unwrap_or(0),
        deletion: customer.deletion.map(|deletion| api::CustomerDeletion {
            requested_at: deletion.requested_at.to_string(),
            deleted_items: deletion.deleted,
        }),
        version: customer.version,
        created_at: customer.created_at.to_string(),
        updated_at: customer.updated_at.to_string(),
    }
}

fn contact(contact: &Contact) -> api::Contact {
    api::Contact {
        address: contact.address.as_str().to_owned(),
        state: match contact.state {
            ContactState::Confirmed => api::ContactState::Confirmed,
        },
    }
}

fn subscription_status(status: SubscriptionStatus) -> api::SubscriptionStatus {
    match status {
        SubscriptionStatus::Active => api::SubscriptionStatus::Active,
        SubscriptionStatus::Paused => api::SubscriptionStatus::Paused,
        SubscriptionStatus::Disabled => api::SubscriptionStatus::Disabled,
    }
}

fn disabled_reason(reason: DisabledReason) -> api::DisabledReason {
    match reason {
        DisabledReason::EndpointGone => api::DisabledReason::EndpointGone,
        DisabledReason::Failing => api::DisabledReason::Failing,
    }
}

fn payload_format(format: PayloadFormat) -> api::PayloadFormat {
    match format {
        PayloadFormat::Standard => api::PayloadFormat::Standard,
        PayloadFormat::Detail => api::PayloadFormat::Detail,
        PayloadFormat::Event => api::PayloadFormat::Event,
        PayloadFormat::Thin => api::PayloadFormat::Thin,
        PayloadFormat::CloudEvents => api::PayloadFormat::CloudEvents,
        PayloadFormat::Fields => api::PayloadFormat::Fields,
        PayloadFormat::Transform => api::PayloadFormat::Transform,
    }
}

fn retry_policy(policy: &RetryPolicy) -> api::RetryPolicy {
    let jitter = Some(policy.jitter());
    match policy.waits() {
        Waits::Schedule(delays) => api::RetryPolicy::Schedule(api::RetrySchedule {
            schedule: delays.clone(),
            jitter,
        }),
        &Waits::Backoff {
            max_attempts,
            interval_seconds,
            backoff_rate,
            max_delay_seconds,
        } => api::RetryPolicy::Backoff(api::RetryBackoff {
            max_attempts,
            interval_seconds,
            backoff_rate,
            max_delay_seconds,
            jitter,
        }),
    }
}

fn health(health: &Health) -> api::EndpointHealth {
    let text = |at: Timestamp| at.to_string();
    api::EndpointHealth {
        failing_since: health.failing_since.map(text),
        circuit_open_since: health.circuit.map(|circuit| text(circuit.since)),
        circuit_open_until: health.circuit.map(|circuit| text(circuit.until)),
        slow_since: health.slow_since.map(text),
        holding_since: health.hold.map(|hold| text(hold.since)),
    }
}

fn secret_kind(kind: SecretKind) -> api::SecretKind {
    match kind {
        SecretKind::V1 => api::SecretKind::V1,
        SecretKind::V1a => api::SecretKind::V1a,
    }
}

fn secret_summary((secret, expires_at): (&SealedSecret, Option<Timestamp>)) -> api::SecretSummary {
    api::SecretSummary {
        version: secret.version,
        kind: secret_kind(secret.kind()),
        public_key: secret.public_key.map(|key| key.to_string()),
        expires_at: expires_at.map(|at| at.to_string()),
    }
}

/// A new secret, which is shown once.
pub fn new_secret(secret: &Secret) -> api::NewSecret {
    api::NewSecret {
        secret: secret.expose(),
        public_key: secret.public_key().map(|key| key.to_string()),
    }
}

/// A secret that signs.
pub fn active_secret(active: &ActiveSecret) -> api::ActiveSecret {
    api::ActiveSecret {
        version: active.version,
        kind: secret_kind(active.secret.kind()),
        secret: active.secret.expose(),
        public_key: active.secret.public_key().map(|key| key.to_string()),
        expires_at: active.expires_at.map(|at| at.to_string()),
    }
}

/// The readable parts of a subscription.
pub fn broken_subscription(broken: &BrokenSubscription) -> api::Broken {
    let (url, status) = (broken.can_read("url"), broken.can_read("status"));
    let readable = &broken.readable;
    api::Broken {
        id: readable.id.to_string(),
        customer_id: Some(readable.customer_id.to_string()),
        problem: broken.problem(),
        url: url.then(|| readable.url.as_str().to_owned()),
        status: status.then(|| subscription_status(readable.status)),
    }
}

/// A page of subscriptions. The next one begins after the last of this one.
pub fn subscription_page(page: SubscriptionPage) -> api::SubscriptionPage {
    let last = page.last_id().filter(|_| page.has_more);
    let next_cursor = last.map(|id| id.to_string());
    let broken_ones = page.broken.iter().map(broken_subscription);
    let unnamed = page.unnamed.into_iter().map(broken);
    let whole = page.subscriptions.into_iter().map(subscription);
    api::Page {
        data: whole.collect(),
        next_cursor,
        broken: broken_ones.chain(unnamed).collect(),
    }
}

/// The longest body that is shown, in JSON. Lambda gives back 6 MB at most, in which each quote of
/// this JSON takes two bytes, and the answers of the attempts need room too.
const MAX_BODY_BYTES: usize = 1_250_000;

/// A delivery with the body of its requests, or the reason why there is none.
///
/// `exchanges` are those of its attempts, in the same order; empty if they are not read.
pub fn delivery_with_body(
    found: DeliveryWithBody,
    exchanges: Vec<ShownExchange>,
) -> api::ShownDelivery {
    let (found, body) = match found {
        Ok(found) => found,
        Err(unreadable) => return api::Shown::Broken(broken(unreadable)),
    };
    // Events are JSON texts, and so is what is made of them.
    let text = |body: Vec<u8>| {
        let text = String::from_utf8_lossy(&body).into_owned();
        let bytes = json_string_len(&text);
        if bytes > MAX_BODY_BYTES {
            return Err(format!(
                "is too long for this answer: {bytes} bytes in JSON, at most {MAX_BODY_BYTES}"
            ));
        }
        Ok(text)
    };
    let (body, body_problem) = match body.and_then(text) {
        Ok(body) => (Some(body), None),
        Err(problem) => (None, Some(problem)),
    };
    api::Shown::whole(api::DeliveryWithBody {
        delivery: delivery_with_exchanges(found, exchanges),
        body,
        body_problem,
    })
}

/// An unhealthy subscription. `None` without a problem.
pub fn unhealthy(unhealthy: &Unhealthy) -> Option<api::UnhealthySubscription> {
    let Unhealthy {
        subscription,
        problems,
        owed,
    } = unhealthy;
    let disabled = subscription.disabled;
    let problem = |problem: &SubscriptionProblem| api::SubscriptionProblem {
        kind: problem_kind(problem.kind),
        since: problem.since.to_string(),
    };
    Some(api::UnhealthySubscription {
        id: subscription.id.to_string(),
        customer_id: subscription.customer_id.to_string(),
        url: subscription.url.as_str().to_owned(),
        status: subscription_status(subscription.status),
        disabled_reason: disabled.map(|disabled| disabled_reason(disabled.reason)),
        since: problems
            .iter()
            .map(|problem| problem.since)
            .min()?
            .to_string(),
        problems: problems.iter().map(problem).collect(),
        owed: api::OwedDeliveries {
            count: owed.count,
            complete: owed.complete,
        },
    })
}

fn problem_kind(kind: ProblemKind) -> api::ProblemKind {
    match kind {
        ProblemKind::Disabled => api::ProblemKind::Disabled,
        ProblemKind::CircuitOpen => api::ProblemKind::CircuitOpen,
        ProblemKind::Failing => api::ProblemKind::Failing,
        ProblemKind::Slow => api::ProblemKind::Slow,
        ProblemKind::Holding => api::ProblemKind::Holding,
    }
}

/// An item that cannot be read, with its problem.
pub fn broken<I: Display>(broken: Broken<I>) -> api::Broken {
    api::Broken {
        id: broken.id.to_string(),
        customer_id: broken.customer_id.map(|customer| customer.to_string()),
        problem: broken.problem,
        url: None,
        status: None,
    }
}

/// Separates entries that can be read, converted for the answer, from broken ones.
pub fn apart<T, I: Display, S>(
    found: Vec<Readable<T, I>>,
    show: impl Fn(T) -> S,
) -> (Vec<S>, Vec<api::Broken>) {
    let (mut whole, mut rest) = (Vec::new(), Vec::new());
    for found in found {
        match found {
            Ok(found) => whole.push(show(found)),
            Err(found) => rest.push(broken(found)),
        }
    }
    (whole, rest)
}

/// A delivery with the exchanges of its attempts, which are in the same order.
pub fn delivery_with_exchanges(of: Delivery, exchanges: Vec<ShownExchange>) -> api::Delivery {
    let mut shown = delivery(of);
    for (attempt, exchange) in shown.attempts.iter_mut().zip(exchanges) {
        attempt.request = exchange.request.map(request);
        attempt.response = exchange.response.map(response);
    }
    shown
}

/// A delivery with its attempts.
pub fn delivery(delivery: Delivery) -> api::Delivery {
    let attempts = delivery.attempts.iter();
    let attempts = attempts.map(|of| attempt(&delivery, of)).collect();
    let (status, reason) = delivery_status(delivery.status);
    api::Delivery {
        id: delivery.id.to_string(),
        message_id: delivery.id.message.to_string(),
        subscription_id: delivery.id.subscription.to_string(),
        customer_id: delivery.customer_id.to_string(),
        event_type: delivery.event_type.into(),
        payload_format: payload_format(delivery.payload_format),
        trigger: delivery_trigger(delivery.trigger),
        status,
        reason,
        created_at: delivery.created_at.to_string(),
        next_attempt_at: delivery.next_attempt_at.map(|at| at.to_string()),
        earlier_attempts: delivery.earlier_attempts,
        attempts,
    }
}

fn delivery_trigger(trigger: DeliveryTrigger) -> api::DeliveryTrigger {
    match trigger {
        DeliveryTrigger::Event => api::DeliveryTrigger::Event,
        DeliveryTrigger::Resend => api::DeliveryTrigger::Resend,
        DeliveryTrigger::Replay => api::DeliveryTrigger::Replay,
        DeliveryTrigger::Test => api::DeliveryTrigger::Test,
    }
}

fn delivery_status(status: DeliveryStatus) -> (api::DeliveryStatus, Option<api::DeliveryReason>) {
    use api::DeliveryReason as Reason;
    match status {
        DeliveryStatus::Pending => (api::DeliveryStatus::Pending, None),
        DeliveryStatus::Held(HoldReason::NotActive) => (api::DeliveryStatus::Held, None),
        DeliveryStatus::Held(HoldReason::EndpointUnavailable) => (
            api::DeliveryStatus::Held,
            Some(api::DeliveryReason::EndpointUnavailable),
        ),
        DeliveryStatus::Succeeded => (api::DeliveryStatus::Succeeded, None),
        DeliveryStatus::Failed(reason) => {
            let reason = match reason {
                FailureReason::AttemptsExhausted => Reason::AttemptsExhausted,
                FailureReason::EndpointGone => Reason::EndpointGone,
                FailureReason::Expired => Reason::Expired,
                FailureReason::TestFailed => Reason::TestFailed,
                FailureReason::SubscriptionUnreadable => Reason::SubscriptionUnreadable,
                FailureReason::BodyTooLarge => Reason::BodyTooLarge,
            };
            (api::DeliveryStatus::Failed, Some(reason))
        }
        DeliveryStatus::Cancelled(reason) => {
            let reason = match reason {
                CancelReason::SubscriptionDeleted => Reason::SubscriptionDeleted,
                CancelReason::Discarded => Reason::Discarded,
                CancelReason::Requested => Reason::Requested,
            };
            (api::DeliveryStatus::Cancelled, Some(reason))
        }
    }
}

fn attempt(delivery: &Delivery, attempt: &Attempt) -> api::Attempt {
    let addresses = attempt.addresses.iter();
    let (headers, excerpt) = delivery.answer_of(attempt);
    api::Attempt {
        number: attempt.number,
        at: attempt.at.to_string(),
        duration_ms: attempt.duration_ms.into(),
        outcome: outcome(attempt.outcome),
        status: attempt.status,
        error: attempt.error.clone(),
        addresses: addresses.map(ToString::to_string).collect(),
        response_headers: response_headers(headers),
        response_excerpt: excerpt.map(str::to_owned),
        timings: (!attempt.timings.is_empty()).then(|| timings(attempt.timings)),
        request: None,
        response: None,
    }
}

fn timings(timings: Timings) -> api::AttemptTimings {
    api::AttemptTimings {
        dns_ms: timings.dns_ms.map(u64::from),
        connect_ms: timings.connect_ms.map(u64::from),
        tls_ms: timings.tls_ms.map(u64::from),
        first_byte_ms: timings.first_byte_ms.map(u64::from),
    }
}

fn request(request: ShownRequest) -> api::AttemptRequest {
    api::AttemptRequest {
        method: request.method.as_str().to_owned(),
        url: request.url.as_str().to_owned(),
        headers: request.headers.into_iter().collect(),
    }
}

fn response(response: ShownResponse) -> api::AttemptResponse {
    api::AttemptResponse {
        status: response.status,
        headers: response_headers(&response.headers),
        body: response.body.text,
        body_truncated: response.body.is_cut,
        size_bytes: response.body.size_bytes.into(),
    }
}

fn response_headers(headers: &ResponseHeaders) -> BTreeMap<String, String> {
    headers
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn outcome(outcome: AttemptOutcome) -> api::AttemptOutcome {
    match outcome {
        AttemptOutcome::Succeeded => api::AttemptOutcome::Succeeded,
        AttemptOutcome::HttpError => api::AttemptOutcome::HttpError,
        AttemptOutcome::TimedOut => api::AttemptOutcome::TimedOut,
        AttemptOutcome::Unreachable => api::AttemptOutcome::Unreachable,
        AttemptOutcome::Blocked => api::AttemptOutcome::Blocked,
        AttemptOutcome::NoToken => api::AttemptOutcome::NoToken,
    }
}

/// A recovery.
pub fn recovery(recovery: &Recovery) -> api::Recovery {
    let progress = recovery.progress;
    let (kind, statuses) = match recovery.kind {
        RecoveryKind::Recover(statuses) => {
            let statuses = statuses.to_list().into_iter().map(undelivered_status);
            (api::RecoveryKind::Recover, Some(statuses.collect()))
        }
        RecoveryKind::Replay => (api::RecoveryKind::Replay, None),
        RecoveryKind::Discard => (api::RecoveryKind::Discard, None),
        RecoveryKind::Release => (api::RecoveryKind::Release, None),
    };
    api::Recovery {
        id: recovery.id.to_string(),
        kind,
        status: recovery_status(recovery.status),
        since: recovery.range.since.to_string(),
        until: recovery.range.until.to_string(),
        statuses,
        per_second: recovery.per_second.get(),
        examined: progress.examined,
        queued: progress.queued,
        skipped: progress.skipped,
        started_at: recovery.started_at.to_string(),
        updated_at: recovery.updated_at.to_string(),
    }
}

fn undelivered_status(status: UndeliveredStatus) -> api::UndeliveredStatus {
    match status {
        UndeliveredStatus::Failed => api::UndeliveredStatus::Failed,
        UndeliveredStatus::Held => api::UndeliveredStatus::Held,
    }
}

fn recovery_status(status: RecoveryStatus) -> api::RecoveryStatus {
    match status {
        RecoveryStatus::Running => api::RecoveryStatus::Running,
        RecoveryStatus::Stopping => api::RecoveryStatus::Stopping,
        RecoveryStatus::Stopped => api::RecoveryStatus::Stopped,
        RecoveryStatus::Succeeded => api::RecoveryStatus::Succeeded,
        RecoveryStatus::Failed => api::RecoveryStatus::Failed,
    }
}
