//! Changes of a customer's data.

use tracing::info;
use webhooks_domain::portal_access::Access;
use webhooks_domain::ports::Clock;
use webhooks_pages::paths::Route;

use crate::answer::{Answer, see_other};
use crate::data::{Queue, Table};
use crate::refusal::Refusal;
use crate::router::{Action, Portal};
use crate::views::RESENT;

impl<T: Table, Q: Queue, C: Clock + Sync> Portal<T, Q, C> {
    /// Makes a change for the customer of a session, and leads to the page that shows it.
    pub(crate) async fn act(&self, access: &Access, action: Action) -> Result<Answer, Refusal> {
        let scope = &access.scope;
        match action {
            Action::Resend(delivery) => {
                self.data.resend(scope, &delivery).await?;
                info!(
                    customer.id = %scope.customer(),
                    session.id = %scope.session().id,
                    delivery.id = %delivery,
                    "delivery sent again",
                );
                let route = Route::Delivery {
                    customer: scope.customer().to_string(),
                    delivery: delivery.to_string(),
                };
                Ok(see_other(&format!("{}?done={RESENT}", route.path())))
            }
        }
    }
}
