//! Publishes the changes of a subscription, after they are stored.

use tracing::warn;
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::manage::Updated;
use webhooks_domain::operational::{About, Kind, OperationalEvent};
use webhooks_domain::publish::publish;
use webhooks_domain::subscription::Subscription;
use webhooks_lambda::{EventBus, with_sources};

/// Publishes operational events.
pub(crate) struct Publisher {
    pub(crate) bus: EventBus,
    pub(crate) operator: Option<CustomerId>,
}

impl Publisher {
    /// The subscription was created.
    pub(crate) async fn created(&self, subscription: &Subscription) {
        let created = event(Kind::SubscriptionCreated, subscription, About::Nothing {});
        self.publish(vec![created]).await;
    }

    /// The subscription was to be changed. If nothing has changed, nothing is published.
    pub(crate) async fn updated(&self, updated: &Updated) {
        let subscription = &updated.subscription;
        let changed_fields = updated.changed_fields();
        let mut events = Vec::new();
        if !changed_fields.is_empty() {
            let about = About::Change { changed_fields };
            events.push(event(Kind::SubscriptionChanged, subscription, about));
        }
        if updated.has_new_secret() {
            events.push(rotated(subscription));
        }
        self.publish(events).await;
    }

    /// The subscription was enabled.
    pub(crate) async fn enabled(&self, subscription: &Subscription) {
        let enabled = event(Kind::SubscriptionEnabled, subscription, About::Nothing {});
        self.publish(vec![enabled]).await;
    }

    /// The subscription has a new secret.
    pub(crate) async fn secret_rotated(&self, subscription: &Subscription) {
        self.publish(vec![rotated(subscription)]).await;
    }

    /// The subscription was deleted.
    pub(crate) async fn deleted(&self, customer: &CustomerId, id: SubscriptionId) {
        let deleted = OperationalEvent {
            kind: Kind::SubscriptionDeleted,
            customer_id: customer.clone(),
            subscription_id: id,
            about: About::Nothing {},
        };
        self.publish(vec![deleted]).await;
    }

    /// A failure is only logged: the change itself is stored.
    async fn publish(&self, events: Vec<OperationalEvent>) {
        let published = publish(&self.bus, self.operator.as_ref(), events);
        if let Err(failure) = published.await {
            warn!(
                error = with_sources(&failure),
                "an operational event was not published"
            );
        }
    }
}

fn event(kind: Kind, subscription: &Subscription, about: About) -> OperationalEvent {
    OperationalEvent {
        kind,
        customer_id: subscription.customer_id.clone(),
        subscription_id: subscription.id,
        about,
    }
}

fn rotated(subscription: &Subscription) -> OperationalEvent {
    let current = subscription.secrets.current();
    let about = About::Secret {
        secret_version: current.version,
        secret_kind: current.kind().as_str(),
    };
    event(Kind::SubscriptionSecretRotated, subscription, about)
}
