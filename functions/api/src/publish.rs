//! Publishes the changes of a subscription, after they are stored.

use tracing::warn;
use webhooks_domain::ids::CustomerId;
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
    /// The subscription was enabled.
    pub(crate) async fn enabled(&self, subscription: &Subscription) {
        self.publish(Kind::SubscriptionEnabled, subscription, About::Nothing {})
            .await;
    }

    /// The subscription has a new secret.
    pub(crate) async fn secret_rotated(&self, subscription: &Subscription) {
        let current = subscription.secrets.current();
        let about = About::Secret {
            secret_version: current.version,
            secret_kind: current.kind().as_str(),
        };
        self.publish(Kind::SubscriptionSecretRotated, subscription, about)
            .await;
    }

    /// A failure is only logged: the change itself is stored.
    async fn publish(&self, kind: Kind, subscription: &Subscription, about: About) {
        let event = OperationalEvent {
            kind,
            customer_id: subscription.customer_id.clone(),
            subscription_id: subscription.id,
            about,
        };
        let published = publish(&self.bus, self.operator.as_ref(), vec![event]);
        if let Err(failure) = published.await {
            warn!(
                error = with_sources(&failure),
                "an operational event was not published"
            );
        }
    }
}
