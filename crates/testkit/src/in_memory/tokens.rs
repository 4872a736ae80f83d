//! In-memory access tokens, and a token endpoint.

use std::collections::VecDeque;
use std::task::Poll;

use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::outbound::{TokenAnswer, TokenRecord, WebhookRequest};
use webhooks_domain::ports::{StoreError, TokenEndpoint, TokenStore, WriteOutcome};
use webhooks_domain::timestamp::Timestamp;

use super::{InMemoryBackend, Meanwhile, State};
use crate::samples;

/// The token endpoint. It grants `t0ken-1`, `t0ken-2` and so on, each for an hour, unless it has
/// other answers.
#[derive(Default)]
pub(super) struct Endpoint {
    requests: Vec<WebhookRequest>,
    answers: VecDeque<TokenAnswer>,
    granted: u32,
    meanwhile: Option<Meanwhile>,
    reads: u32,
    writes: u32,
    pauses: u32,
}

impl InMemoryBackend {
    /// Adds the next answers of the token endpoint.
    pub fn answer_tokens(&self, answers: impl IntoIterator<Item = TokenAnswer>) {
        self.state().token_endpoint.answers.extend(answers);
    }

    /// The requests that the token endpoint received.
    pub fn token_requests(&self) -> Vec<WebhookRequest> {
        self.state().token_endpoint.requests.clone()
    }

    /// Sets a callback that runs during the next request for a token.
    pub fn during_token_request(&self, meanwhile: impl Fn(&Self) + Send + Sync + 'static) {
        self.state().token_endpoint.meanwhile = Some(std::sync::Arc::new(meanwhile));
    }

    /// Lets the next request for a token wait for this many polls, while others run.
    pub fn pause_token_request(&self, polls: u32) {
        self.state().token_endpoint.pauses = polls;
    }

    /// The numbers of reads and of writes of records of access tokens, also of those that were
    /// refused.
    pub fn token_store_calls(&self) -> (u32, u32) {
        let state = self.state();
        (state.token_endpoint.reads, state.token_endpoint.writes)
    }

    /// The record of a subscription as it is stored, even if it has expired.
    pub fn stored_token_record(
        &self,
        customer: &CustomerId,
        id: SubscriptionId,
    ) -> Option<TokenRecord> {
        let state = self.state();
        state.token_records.get(&(customer.clone(), id)).cloned()
    }

    /// Changes the record of a subscription, as a writer of the table can.
    pub fn change_token_record(
        &self,
        customer: &CustomerId,
        id: SubscriptionId,
        change: impl FnOnce(&mut TokenRecord),
    ) {
        let mut state = self.state();
        let record = state.token_records.get_mut(&(customer.clone(), id));
        change(record.expect("the record exists"));
    }
}

impl State {
    fn token_record(&self, key: &(CustomerId, SubscriptionId)) -> Option<&TokenRecord> {
        let record = self.token_records.get(key);
        record.filter(|record| is_in_force(record, self.now()))
    }
}

/// The table counts whole seconds.
fn is_in_force(record: &TokenRecord, now: Timestamp) -> bool {
    record.expires_at().as_secs() > now.as_secs()
}

impl TokenStore for InMemoryBackend {
    async fn token_record(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
    ) -> Result<Option<TokenRecord>, StoreError> {
        self.store(|state| {
            state.token_endpoint.reads += 1;
            let key = (customer.clone(), *subscription);
            state.token_record(&key).cloned()
        })
    }

    async fn replace_token_record(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        read: Option<u64>,
        record: &TokenRecord,
    ) -> Result<WriteOutcome, StoreError> {
        self.store(|state| {
            state.token_endpoint.writes += 1;
            let key = (customer.clone(), *subscription);
            let stored = state.token_record(&key).map(|stored| stored.revision);
            if stored == Some(record.revision) {
                return WriteOutcome::Written;
            }
            let may_be_added = read.is_some() || state.subscriptions.contains_key(&key);
            if stored != read || !may_be_added {
                return WriteOutcome::Conflict;
            }
            state.token_records.insert(key, record.clone());
            WriteOutcome::Written
        })
    }
}

impl TokenEndpoint for InMemoryBackend {
    async fn request_token(&self, request: WebhookRequest) -> TokenAnswer {
        let meanwhile = {
            let mut state = self.state();
            state.token_endpoint.requests.push(request);
            state.token_endpoint.meanwhile.take()
        };
        if let Some(meanwhile) = meanwhile {
            meanwhile(self);
        }
        std::future::poll_fn(|context| {
            let pauses = &mut self.state().token_endpoint.pauses;
            if *pauses == 0 {
                return Poll::Ready(());
            }
            *pauses -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        let mut state = self.state();
        if let Some(answer) = state.token_endpoint.answers.pop_front() {
            return answer;
        }
        state.token_endpoint.granted += 1;
        samples::granted(&format!("t0ken-{}", state.token_endpoint.granted), 3_600)
    }
}
