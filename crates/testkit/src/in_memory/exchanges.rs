//! In-memory parts of exchanges.

use webhooks_domain::delivery::ExchangeId;
use webhooks_domain::outbound::ResponseBody;
use webhooks_domain::ports::{ExchangeParts, ExchangeReader, FoundParts, StoreError};
use webhooks_domain::subscription::FormerRequests;

use super::{InMemoryBackend, State};

impl ExchangeReader for InMemoryBackend {
    async fn exchange_parts(&self, wanted: &ExchangeParts<'_>) -> Result<FoundParts, StoreError> {
        self.store(|state| {
            state.exchange_reads += 1;
            let now = state.now();
            let body = |id: &ExchangeId| {
                let (body, expires_at) = state.bodies.get(id)?;
                (*expires_at > now).then(|| (*id, body.clone()))
            };
            let mut found = FoundParts {
                bodies: wanted.bodies.iter().filter_map(body).collect(),
                ..FoundParts::default()
            };
            for (customer, subscription, version) in &wanted.requests {
                let key = ((*customer).clone(), *subscription, *version);
                let former = state.former_requests.get(&key);
                let former = former.filter(|former| former.expires_at > now);
                found
                    .requests
                    .extend(former.map(|former| (*version, former.shape.clone())));
            }
            found
        })
    }
}

impl InMemoryBackend {
    /// The former requests that are kept, also those that have expired.
    pub fn former_requests(&self) -> Vec<FormerRequests> {
        self.state().former_requests.values().cloned().collect()
    }

    /// The bodies that are stored beside their attempts.
    pub fn bodies(&self) -> Vec<(ExchangeId, ResponseBody)> {
        let state = self.state();
        let bodies = state.bodies.iter();
        bodies.map(|(id, (body, _))| (*id, body.clone())).collect()
    }
}

impl State {
    pub(super) fn keep_former(&mut self, former: Option<&FormerRequests>) {
        let key = |former: &FormerRequests| {
            let customer = former.customer_id.clone();
            (customer, former.subscription_id, former.version)
        };
        let former = former.map(|former| (key(former), former.clone()));
        self.former_requests.extend(former);
    }
}
