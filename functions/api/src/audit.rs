//! The audit: one line of the log for each change of a customer, a subscription, an event type or the
//! sessions of the portal, for each cancelled message, and for each secret shown.
//!
//! Every line has `caller.arn` and `customer.id`, or `event.type` if it is about an event type, and `subscription.id` if it is about one. A line of a
//! request of the portal has no `caller.arn`, but the `session.id`, and the `actor` if it is a session of
//! the console. No line has a secret, a header's
//! value, or more of a URL than its scheme, host and port.

use tracing::info;
use webhooks_domain::cancel::Cancellation;
use webhooks_domain::catalogue::CatalogueEntry;
use webhooks_domain::customer::Customer;
use webhooks_domain::customers::WrittenCustomer;
use webhooks_domain::delivery::Delivery;
use webhooks_domain::ids::{CustomerId, MessageId, PortalSessionId, SubscriptionId};
use webhooks_domain::manage::Updated;
use webhooks_domain::manage_catalogue::WrittenEntry;
use webhooks_domain::portal_session::PortalSession;
use webhooks_domain::subscription::Subscription;
use webhooks_wire::answers;

use crate::extract::Caller;

/// A customer was to be written. If nothing has changed, nothing is logged.
pub(crate) fn customer_written(written: &WrittenCustomer, caller: &Caller) {
    let now = &written.customer;
    let blank = Customer::unwritten(&now.id, now.created_at);
    let before = written.before.as_ref().unwrap_or(&blank);
    let fields = [
        ("name", before.name != now.name),
        ("metadata", before.metadata != now.metadata),
        (
            "maxSubscriptions",
            before.max_subscriptions != now.max_subscriptions,
        ),
        ("rateLimitPerSecond", before.rate_limit != now.rate_limit),
        ("contacts", before.contacts != now.contacts),
    ];
    let changed = fields.into_iter().filter(|(_, has_changed)| *has_changed);
    let changed: Vec<_> = changed.map(|(name, _)| name).collect();
    let message = match written.before {
        Some(_) if changed.is_empty() => return,
        Some(_) => "customer changed",
        None => "customer created",
    };
    info!(
        customer.id = %now.id,
        changed.fields = changed.join(","),
        caller.arn = caller.arn,
        "{message}",
    );
}

/// The deletion of a customer was requested.
pub(crate) fn customer_deletion_requested(customer: &CustomerId, caller: &Caller) {
    info!(
        customer.id = %customer,
        caller.arn = caller.arn,
        "deletion of customer requested",
    );
}

/// An event type was to be written. If nothing has changed, nothing is logged.
pub(crate) fn event_type_written(written: &WrittenEntry, caller: &Caller) {
    let message = match &written.before {
        Some(before) if before.version == written.entry.version => return,
        Some(_) => "event type changed",
        None => "event type created",
    };
    let validation = written.entry.documentation.validation.as_str();
    info!(event.type = %written.entry.name, validation, caller.arn = caller.arn, "{message}");
}

/// An event type was deleted from the catalogue.
pub(crate) fn event_type_deleted(deleted: &CatalogueEntry, caller: &Caller) {
    info!(event.type = %deleted.name, caller.arn = caller.arn, "event type deleted");
}

/// A subscription was created, with its first secret.
pub(crate) fn created(subscription: &Subscription, caller: &Caller) {
    let secret = subscription.secrets.current();
    info!(
        customer.id = %subscription.customer_id,
        subscription.id = %subscription.id,
        secret.version = secret.version,
        secret.kind = secret.kind().as_str(),
        url.origin = subscription.url.origin(),
        caller.arn = caller.arn,
        session.id = caller.session(),
        actor = caller.actor(),
        "subscription created",
    );
}

/// A subscription was to be changed. What has not changed is not logged.
pub(crate) fn updated(updated: &Updated, caller: &Caller) {
    let (before, now) = (&updated.before, &updated.subscription);
    let fields = updated.changed_fields();
    if !fields.is_empty() {
        let joined = |names: Vec<&str>| (!names.is_empty()).then(|| names.join(","));
        let changed_headers = joined(updated.changed_secret_headers().into_iter().collect());
        let cleared_headers = joined(updated.cleared_secret_headers());
        let cleared = updated.cleared_authentication().cloned();
        let cleared = cleared.map(|it| answers::authentication(it).kind().to_string());
        info!(
            customer.id = %now.customer_id,
            subscription.id = %now.id,
            changed.fields = fields.join(","),
            secret_headers.changed = changed_headers,
            secret_headers.cleared = cleared_headers,
            authentication.cleared = cleared,
            url.origin = now.url.origin(),
            url.origin_before = before.url.origin(),
            status = now.status.as_str(),
            status_before = before.status.as_str(),
            caller.arn = caller.arn,
            session.id = caller.session(),
        actor = caller.actor(),
            "subscription changed",
        );
    }
    if updated.has_new_secret() {
        secret_replaced(now, caller);
    }
}

/// Another secret signs from now on, alone or with the one before.
pub(crate) fn secret_replaced(subscription: &Subscription, caller: &Caller) {
    let secret = subscription.secrets.current();
    info!(
        customer.id = %subscription.customer_id,
        subscription.id = %subscription.id,
        secret.version = secret.version,
        secret.kind = secret.kind().as_str(),
        caller.arn = caller.arn,
        session.id = caller.session(),
        actor = caller.actor(),
        "secret replaced",
    );
}

/// Secrets with these versions were shown.
pub(crate) fn secrets_shown(subscription: &Subscription, versions: &[u32], caller: &Caller) {
    let versions: Vec<_> = versions.iter().map(u32::to_string).collect();
    info!(
        customer.id = %subscription.customer_id,
        subscription.id = %subscription.id,
        secret.versions = versions.join(","),
        caller.arn = caller.arn,
        session.id = caller.session(),
        actor = caller.actor(),
        "secrets shown",
    );
}

/// A subscription was deleted.
pub(crate) fn deleted(customer: &CustomerId, id: &SubscriptionId, caller: &Caller) {
    info!(
        customer.id = %customer,
        subscription.id = %id,
        caller.arn = caller.arn,
        session.id = caller.session(),
        actor = caller.actor(),
        "subscription deleted",
    );
}

/// An example event was sent.
pub(crate) fn test_sent(customer: &CustomerId, tested: &Delivery, caller: &Caller) {
    info!(
        customer.id = %customer,
        subscription.id = %tested.id.subscription,
        delivery.id = %tested.id,
        status = tested.status.as_str(),
        caller.arn = caller.arn,
        session.id = caller.session(),
        actor = caller.actor(),
        "test sent",
    );
}

/// A page of the deliveries of a message was cancelled.
pub(crate) fn message_cancelled(
    customer: &CustomerId,
    message: &MessageId,
    page: &Cancellation,
    caller: &Caller,
) {
    info!(
        customer.id = %customer,
        message.id = %message,
        cancelled = page.cancelled,
        due = page.due,
        ended = page.ended,
        broken = page.broken,
        caller.arn = caller.arn,
        session.id = caller.session(),
        actor = caller.actor(),
        "message cancelled",
    );
}

/// A session of the portal was created.
pub(crate) fn portal_session_created(
    customer: &CustomerId,
    session: &PortalSession,
    caller: &Caller,
) {
    info!(
        customer.id = %customer,
        session.id = %session.id,
        session.capabilities = %session.capabilities,
        session.ends_at = %session.ends_at,
        caller.arn = caller.arn,
        "portal session created",
    );
}

/// A session of the portal was revoked.
pub(crate) fn portal_session_revoked(
    customer: &CustomerId,
    session: &PortalSessionId,
    caller: &Caller,
) {
    info!(
        customer.id = %customer,
        session.id = %session,
        caller.arn = caller.arn,
        "portal session revoked",
    );
}

/// All sessions of a customer were revoked.
pub(crate) fn portal_sessions_revoked(customer: &CustomerId, caller: &Caller) {
    info!(
        customer.id = %customer,
        caller.arn = caller.arn,
        "portal sessions revoked",
    );
}
