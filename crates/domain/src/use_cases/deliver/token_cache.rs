//! Access tokens in the memory of one execution environment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::lock::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::ids::{CustomerId, SubscriptionId};
use crate::outbound::{
    AccessToken, FailedTokenRequest, TokenGeneration, TokenLease, TokenLife, TokenRecord,
};
use crate::timestamp::Timestamp;

/// Keeps access tokens in memory, so that most attempts read none from the table. Bounded in size,
/// and lost with the execution environment.
///
/// A token is found only by the customer, the subscription, and the settings and secret for which it
/// was granted.
#[derive(Debug, Default)]
pub struct TokenCache(Mutex<HashMap<TokenKey, Arc<TokenSlot>>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct TokenKey {
    customer: CustomerId,
    subscription: SubscriptionId,
    generation: TokenGeneration,
}

impl TokenCache {
    /// The largest number of tokens. They have a few megabytes at most.
    pub const MAX_TOKENS: usize = 256;

    /// The slot of a subscription. If there is no room, the one that was used least recently is
    /// dropped.
    pub(super) fn slot(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        generation: TokenGeneration,
        now: Timestamp,
    ) -> Arc<TokenSlot> {
        let key = TokenKey {
            customer: customer.clone(),
            subscription: *subscription,
            generation,
        };
        let mut slots = locked(&self.0);
        if slots.len() >= Self::MAX_TOKENS && !slots.contains_key(&key) {
            let oldest = slots.iter().min_by_key(|(_, slot)| slot.known().used_at);
            if let Some(oldest) = oldest.map(|(key, _)| key.clone()) {
                slots.remove(&oldest);
            }
        }
        let slot = Arc::clone(slots.entry(key).or_default());
        slot.known().used_at = Some(now);
        slot
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        locked(&self.0).len()
    }
}

/// A token in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HeldToken {
    pub(super) number: u64,
    pub(super) token: AccessToken,
    pub(super) life: TokenLife,
}

/// The state of one subscription.
#[derive(Debug, Default)]
pub(super) struct TokenSlot {
    /// Held by the run that asks the table. So the concurrent deliveries of an environment cause one
    /// read. It is never held during a request for a token.
    search: Arc<AsyncMutex<()>>,
    /// Held by the run that requests a token.
    request: Arc<AsyncMutex<()>>,
    known: Mutex<Known>,
}

/// The exclusive right to ask the table for the token of a subscription, within an environment.
pub(super) type Search = OwnedMutexGuard<()>;

/// A request for a token that a run of this environment makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Underway {
    pub(super) lease: TokenLease,
    /// The time by which the token endpoint has answered, or is not waited for any more.
    pub(super) ends_at: Timestamp,
}

/// The request is underway for as long as this exists.
pub(super) struct Requesting {
    slot: Arc<TokenSlot>,
    _turn: OwnedMutexGuard<()>,
}

impl Drop for Requesting {
    fn drop(&mut self) {
        self.slot.known().underway = None;
    }
}

#[derive(Debug, Default)]
struct Known {
    token: Option<HeldToken>,
    failure: Option<FailedTokenRequest>,
    underway: Option<Underway>,
    /// The time until which an ending token is left alone, because others replace it.
    left_alone_until: Option<Timestamp>,
    renewed_at: Option<Timestamp>,
    used_at: Option<Timestamp>,
}

/// The token of a slot.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// It is valid.
    Usable(HeldToken),
    /// It is valid, and a new one should be requested.
    Ending(HeldToken),
    /// The last request has just failed.
    Failed(FailedTokenRequest),
    /// None.
    Nothing,
}

impl TokenSlot {
    pub(super) fn held(&self, now: Timestamp) -> Held {
        let known = self.known();
        let token = known.token.as_ref();
        if let Some(token) = token.filter(|token| token.life.is_usable(now)) {
            let is_left_alone = known.left_alone_until.is_some_and(|until| now < until);
            let is_left_alone = is_left_alone || known.underway.is_some();
            return if token.life.is_ending(now) && !is_left_alone {
                Held::Ending(token.clone())
            } else {
                Held::Usable(token.clone())
            };
        }
        let failure = known.failure.as_ref();
        match failure.filter(|failure| failure.is_shared(now)) {
            Some(failure) => Held::Failed(failure.clone()),
            None => Held::Nothing,
        }
    }

    /// Waits until no other run asks the table.
    pub(super) async fn search(&self) -> Search {
        Arc::clone(&self.search).lock_owned().await
    }

    /// `None` if another run asks the table.
    pub(super) fn try_search(&self) -> Option<Search> {
        self.search.try_lock_owned()
    }

    /// Begins a request for a token. The caller has the search, and the lease.
    pub(super) async fn begin_request(self: &Arc<Self>, underway: Underway) -> Requesting {
        let turn = Arc::clone(&self.request).lock_owned().await;
        self.known().underway = Some(underway);
        Requesting {
            slot: Arc::clone(self),
            _turn: turn,
        }
    }

    /// The request for a token that another run of this environment makes now.
    pub(super) fn underway(&self) -> Option<Underway> {
        self.known().underway
    }

    /// Waits for the end of that request.
    pub(super) async fn end_of_request(&self) {
        drop(self.request.lock().await);
    }

    pub(super) fn keep(&self, token: HeldToken) {
        let mut known = self.known();
        known.token = Some(token);
        known.failure = None;
        known.left_alone_until = None;
    }

    pub(super) fn note_failure(&self, failure: FailedTokenRequest) {
        let mut known = self.known();
        known.left_alone_until = Some(failure.at + FailedTokenRequest::SHARED_WITH_TOKEN);
        known.failure = Some(failure);
    }

    /// Uses an ending token for some more seconds before the table is asked again.
    pub(super) fn leave_alone(&self, now: Timestamp) {
        self.known().left_alone_until = Some(now + FailedTokenRequest::SHARED);
    }

    /// Drops a token that its endpoint has refused, when another is requested.
    pub(super) fn drop_refused(&self, number: u64) {
        let mut known = self.known();
        known.token.take_if(|token| token.number == number);
    }

    pub(super) fn note_renewal(&self, at: Timestamp) {
        self.known().renewed_at = Some(at);
    }

    /// Returns true if a refused token was replaced a moment ago.
    pub(super) fn is_renewed_lately(&self, now: Timestamp) -> bool {
        let renewed_at = self.known().renewed_at;
        renewed_at.is_some_and(|at| now < at + TokenRecord::RENEWAL_INTERVAL)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        locked(&self.known)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;

    use super::*;
    use crate::delivery::tests::NOW;

    fn after(seconds: u64) -> Timestamp {
        NOW + Duration::from_secs(seconds)
    }

    fn token(number: u64) -> HeldToken {
        HeldToken {
            number,
            token: AccessToken::new(format!("t0ken-{number}")).unwrap(),
            life: TokenLife {
                from: NOW,
                end: after(3_600),
            },
        }
    }

    /// Another customer's, another subscription's, or that of other settings is another.
    #[test]
    fn a_token_is_found_only_by_its_own_subscription_and_settings() {
        let cache = TokenCache::default();
        let customer = |name: &str| name.parse::<CustomerId>().unwrap();
        let slot = |name: &str, id: u8, generation: u8| {
            let id = SubscriptionId::from_bytes([id; 16]);
            let generation = TokenGeneration::from_bytes([generation; 16]);
            cache.slot(&customer(name), &id, generation, NOW)
        };
        slot("acme", 1, 1).keep(token(1));
        assert_eq!(slot("acme", 1, 1).held(NOW), Held::Usable(token(1)));
        for other in [slot("bolt", 1, 1), slot("acme", 2, 1), slot("acme", 1, 2)] {
            assert_eq!(other.held(NOW), Held::Nothing);
        }
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_what_is_used() {
        let cache = TokenCache::default();
        let customer: CustomerId = "acme".parse().unwrap();
        let generation = TokenGeneration::from_bytes([1; 16]);
        let slot = |number: usize| {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            let id = SubscriptionId::from_bytes(bytes);
            cache.slot(&customer, &id, generation, after(number as u64))
        };
        slot(0).keep(token(0));
        for number in 1..TokenCache::MAX_TOKENS {
            slot(number).keep(token(1));
        }
        assert_eq!(slot(0).held(NOW), Held::Usable(token(0)));
        slot(TokenCache::MAX_TOKENS);
        assert_eq!(cache.len(), TokenCache::MAX_TOKENS);
        // It was used least recently, and makes room for others.
        assert_eq!(slot(0).held(NOW), Held::Nothing);
        assert_eq!(slot(2).held(NOW), Held::Usable(token(1)));
    }

    #[test]
    fn an_ending_token_is_used_while_others_replace_it() {
        let slot = TokenSlot::default();
        assert_eq!(slot.held(NOW), Held::Nothing);
        slot.keep(token(1));
        assert_eq!(slot.held(after(3_299)), Held::Usable(token(1)));
        assert_eq!(slot.held(after(3_300)), Held::Ending(token(1)));
        slot.leave_alone(after(3_300));
        assert_eq!(slot.held(after(3_304)), Held::Usable(token(1)));
        assert_eq!(slot.held(after(3_305)), Held::Ending(token(1)));
        assert_eq!(slot.held(after(3_570)), Held::Nothing);
    }

    #[test]
    fn a_request_is_known_while_it_lasts() {
        let slot = Arc::new(TokenSlot::default());
        slot.keep(token(1));
        let underway = Underway {
            lease: TokenLease {
                since: NOW,
                until: after(17),
            },
            ends_at: after(15),
        };
        let begun = slot.begin_request(underway).now_or_never().unwrap();
        assert_eq!(slot.underway(), Some(underway));
        assert_eq!(slot.held(after(3_300)), Held::Usable(token(1)));
        assert!(slot.end_of_request().now_or_never().is_none());
        drop(begun);
        assert_eq!(slot.underway(), None);
        assert_eq!(slot.held(after(3_300)), Held::Ending(token(1)));
        assert!(slot.end_of_request().now_or_never().is_some());
    }

    #[test]
    fn a_failure_that_was_cut_short_is_shared_only_with_a_token() {
        let slot = TokenSlot::default();
        slot.note_failure(FailedTokenRequest::cut_short(NOW, "failed".to_owned()));
        assert_eq!(slot.held(NOW), Held::Nothing);
    }

    #[test]
    fn a_failure_is_shared_for_a_moment() {
        let slot = TokenSlot::default();
        let failure = FailedTokenRequest {
            at: NOW,
            error: "failed".to_owned(),
        };
        slot.note_failure(failure.clone());
        assert_eq!(slot.held(after(4)), Held::Failed(failure));
        assert_eq!(slot.held(after(5)), Held::Nothing);
        slot.keep(token(1));
        assert_eq!(slot.held(after(6)), Held::Usable(token(1)));
    }

    #[test]
    fn one_run_at_a_time_looks_for_a_token() {
        let slot = TokenSlot::default();
        let search = slot.try_search();
        assert!(search.is_some() && slot.try_search().is_none());
        drop(search);
        assert!(slot.try_search().is_some());
    }

    #[test]
    fn only_the_refused_token_is_dropped() {
        let slot = TokenSlot::default();
        slot.keep(token(2));
        slot.drop_refused(1);
        assert_eq!(slot.held(NOW), Held::Usable(token(2)));
        slot.drop_refused(2);
        assert_eq!(slot.held(NOW), Held::Nothing);
        slot.note_renewal(NOW);
        assert!(slot.is_renewed_lately(after(59)) && !slot.is_renewed_lately(after(60)));
    }
}
