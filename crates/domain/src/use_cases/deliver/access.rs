//! The access token of an attempt: from memory, from the table, or by a request.
//!
//! Memory costs nothing. Otherwise the record in the table is read, and it decides: another
//! environment has stored a token, or requests one now, or has just failed to; or this one takes the
//! lease and requests one. A failure of the table is our own, and costs no attempt. A failure of the
//! token endpoint is the attempt's.
//!
//! A crash after the lease was taken delays others until it ends, and loses no delivery.

use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};

use super::attempt::DueAttempt;
use super::token_cache::{Held, HeldToken, Requesting, TokenSlot, Underway};
use super::{Deliver, DeliverError};
use crate::delivery::DeliveryTrigger;
use crate::outbound::{
    Credential, FailedTokenRequest, OAuth2, TokenGeneration, TokenLease, TokenNeed, TokenRecord,
    TokenStep,
};
use crate::ports::{Clock, DataKeyStore, DeliveryTable, KeyService, WriteOutcome};
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;
use crate::vault::{Vault, VaultError};

/// The longest time of a request for a token while the current one is valid. The attempt that makes
/// it ends with it.
const EARLY_REQUEST: Duration = Duration::from_secs(3);

/// The shortest time after which a delivery that waits for a token is checked again. The time
/// doubles while it waits.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

/// A credential that asks for access tokens.
#[derive(Clone, Copy)]
pub(super) struct Client<'a> {
    pub(super) oauth2: &'a OAuth2,
    pub(super) secret: &'a str,
    /// The header of a webhook that has the token.
    pub(super) header_name: &'a str,
    pub(super) generation: TokenGeneration,
}

impl<'a> Client<'a> {
    /// `None` if the credential needs no token.
    pub(super) fn of(credential: Option<&'a Credential>, of: &Subscription) -> Option<Self> {
        let credential = credential?;
        Some(Self {
            oauth2: credential.authentication().oauth2()?,
            secret: credential.secret()?,
            header_name: credential.authentication().header_name()?,
            generation: TokenGeneration::of(of.authentication.as_ref()?),
        })
    }
}

/// The access of an attempt to its endpoint.
pub(super) enum Access {
    /// By a token that is there.
    Token(HeldToken),
    /// By a token that is ending, which this attempt replaces.
    Replace(Box<TokenRequest>, HeldToken),
    /// By a token that this attempt requests.
    Request(Box<TokenRequest>),
    /// None, because the last request for a token has just failed.
    Failed(String),
    /// None yet: another run requests a token.
    Wait(Duration),
}

/// The right to request a token.
pub(super) struct TokenRequest {
    pub(super) slot: Arc<TokenSlot>,
    /// `None` for a request that is not shared: others do not know of it.
    pub(super) _requesting: Option<Requesting>,
    /// The record with the lease. `None` for a request that is not shared.
    pub(super) record: Option<TokenRecord>,
    /// Its longest time, if it may not have all that is left of the attempt.
    pub(super) most: Option<Duration>,
}

impl TokenRequest {
    /// A request that is not shared.
    fn of_its_own(slot: Arc<TokenSlot>) -> Box<Self> {
        Box::new(Self {
            slot,
            _requesting: None,
            record: None,
            most: None,
        })
    }
}

/// The result of a search in the table.
pub(super) enum Found {
    Token(HeldToken),
    /// This environment has the lease.
    Leased(TokenRecord),
    Wait(Duration),
    Failed(FailedTokenRequest),
    RenewedLately(Timestamp),
}

impl<T, Q, W, S, K, C> Deliver<T, Q, W, Vault<S, K, C>, C>
where
    T: DeliveryTable,
    S: DataKeyStore,
    K: KeyService,
    C: Clock,
{
    /// Finds the token of an attempt, or the way to it.
    pub(super) async fn access(
        &self,
        due: &DueAttempt<'_>,
        client: Client<'_>,
    ) -> Result<Access, DeliverError> {
        let now = self.clock.now();
        let slot = self.slot(due.subscription, client, now);
        let (search, ending) = match slot.held(now) {
            Held::Usable(token) => return Ok(Access::Token(token)),
            Held::Failed(failure) => return Ok(Access::Failed(failure.error)),
            Held::Ending(token) => match slot.try_search() {
                Some(search) => (search, Some(token)),
                None => return Ok(Access::Token(token)),
            },
            Held::Nothing => match slot.underway() {
                Some(underway) => return Ok(beside(underway, due, slot, now)),
                None => (slot.search().await, None),
            },
        };
        // Another run may have found one, or begun to request one, while this one waited.
        let now = self.clock.now();
        match (slot.held(now), slot.underway()) {
            (Held::Usable(token), _) => return Ok(Access::Token(token)),
            (Held::Failed(failure), _) => return Ok(Access::Failed(failure.error)),
            (Held::Nothing, Some(underway)) => return Ok(beside(underway, due, slot, now)),
            (Held::Ending(_) | Held::Nothing, _) => {}
        }
        let need = TokenNeed::Any;
        let found = self.find(&slot, due.subscription, client, need, now).await;
        let access = match (found, ending) {
            (Ok(Found::Token(token)), _) => {
                if token.life.is_ending(now) {
                    // Another environment replaces it.
                    slot.leave_alone(now);
                }
                Access::Token(token)
            }
            (Ok(Found::Leased(record)), ending) => {
                let limit = self.time_limit(due.subscription);
                let most = ending.as_ref().map(|_| EARLY_REQUEST.min(limit));
                let request = begin(&slot, record, most, now + most.unwrap_or(limit)).await;
                match ending {
                    Some(token) => Access::Replace(Box::new(request), token),
                    None => Access::Request(Box::new(request)),
                }
            }
            (_, Some(token)) => {
                slot.leave_alone(now);
                Access::Token(token)
            }
            (Ok(Found::Wait(_)), None) if must_not_wait(due) => {
                Access::Request(TokenRequest::of_its_own(slot))
            }
            (Ok(Found::Wait(delay)), None) => Access::Wait(delay),
            (Ok(Found::Failed(failure)), None) => {
                let error = failure.error.clone();
                slot.note_failure(failure);
                Access::Failed(error)
            }
            // It follows only for a token that was refused.
            (Ok(Found::RenewedLately(_)), None) => Access::Wait(SHORTEST_WAIT),
            (Err(failure), None) => return Err(failure),
        };
        drop(search);
        Ok(access)
    }

    /// The time limit of an attempt: of its requests for tokens and of the webhook together.
    pub(super) fn time_limit(&self, subscription: &Subscription) -> Duration {
        let limit = self.request_timeout;
        let own = subscription.timeout;
        own.map_or(limit, |own| limit.min(own.into()))
    }

    /// Reads the record, and takes the lease if a token is to be requested.
    pub(super) async fn find(
        &self,
        slot: &TokenSlot,
        subscription: &Subscription,
        client: Client<'_>,
        need: TokenNeed,
        now: Timestamp,
    ) -> Result<Found, DeliverError> {
        let (customer, id) = (&subscription.customer_id, &subscription.id);
        let generation = client.generation;
        let read = self.table.token_record(customer, id).await?;
        let current = read.as_ref();
        let mut current = current.filter(|record| record.generation == generation);
        match current.map_or(TokenStep::Request, |record| record.step(need, now)) {
            TokenStep::Use(sealed) => {
                let opened = self
                    .vault
                    .open_token(&sealed.sealed, &generation, subscription);
                match opened.await {
                    Ok(token) => {
                        let held = HeldToken {
                            number: sealed.number,
                            token,
                            life: sealed.life,
                        };
                        slot.keep(held.clone());
                        return Ok(Found::Token(held));
                    }
                    // It was changed in the table. Another one replaces it.
                    Err(VaultError::NotOurs { .. }) => current = None,
                    Err(failure) => return Err(failure.into()),
                }
            }
            TokenStep::Request => {}
            TokenStep::Wait(lease) => return Ok(Found::Wait(wait_for(lease, now))),
            TokenStep::Failed(failure) => return Ok(Found::Failed(failure.clone())),
            TokenStep::RenewedLately(at) => return Ok(Found::RenewedLately(at)),
        }
        let lease = TokenLease {
            since: now,
            until: now + self.time_for_attempt,
        };
        let revision = random_number(&self.random);
        let record = TokenRecord::leased(current, generation, need, lease, revision);
        let before = read.as_ref().map(|read| read.revision);
        let table = &self.table;
        let written = table.replace_token_record(customer, id, before, &record);
        Ok(match written.await? {
            WriteOutcome::Written => Found::Leased(record),
            WriteOutcome::Conflict => Found::Wait(SHORTEST_WAIT),
        })
    }

    pub(super) fn slot(
        &self,
        subscription: &Subscription,
        client: Client<'_>,
        now: Timestamp,
    ) -> Arc<TokenSlot> {
        let (customer, id) = (&subscription.customer_id, &subscription.id);
        self.tokens.slot(customer, id, client.generation, now)
    }
}

/// Begins the request of a lease, which ends by this time.
pub(super) async fn begin(
    slot: &Arc<TokenSlot>,
    record: TokenRecord,
    most: Option<Duration>,
    ends_at: Timestamp,
) -> TokenRequest {
    let requesting = match record.lease {
        Some(lease) => Some(slot.begin_request(Underway { lease, ends_at }).await),
        None => None,
    };
    TokenRequest {
        slot: Arc::clone(slot),
        _requesting: requesting,
        record: Some(record),
        most,
    }
}

/// The access of an attempt while another run of this environment requests a token. A slow token
/// endpoint must not hold the batch, so the delivery is deferred.
fn beside(
    underway: Underway,
    due: &DueAttempt<'_>,
    slot: Arc<TokenSlot>,
    now: Timestamp,
) -> Access {
    if must_not_wait(due) {
        Access::Request(TokenRequest::of_its_own(slot))
    } else {
        Access::Wait(wait_for(underway.lease, now))
    }
}

/// Returns true for a test, because a caller waits for its result, and for a probe, because the
/// circuit breaker does. They request a token of their own.
fn must_not_wait(due: &DueAttempt<'_>) -> bool {
    due.is_probe || due.delivery.trigger == DeliveryTrigger::Test
}

/// The delay until a delivery is checked again. It doubles while the lease lasts, so that a slow
/// token endpoint causes few checks.
fn wait_for(lease: TokenLease, now: Timestamp) -> Duration {
    let longest = lease.until.since(now).max(SHORTEST_WAIT);
    now.since(lease.since).clamp(SHORTEST_WAIT, longest)
}

/// A random number, or 0 if the generator fails.
pub(super) fn random_number(random: &SystemRandom) -> u64 {
    let mut bytes = [0; 8];
    let _ = random.fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::tests::NOW;

    #[test]
    fn a_wait_doubles_and_ends_with_the_lease() {
        let seconds = Duration::from_secs;
        let lease = TokenLease {
            since: NOW,
            until: NOW + seconds(19),
        };
        let mut waits = Vec::new();
        let mut now = NOW;
        while now < lease.until {
            let wait = wait_for(lease, now);
            waits.push(wait.as_secs());
            now = now + wait;
        }
        assert_eq!(waits, [1, 1, 2, 4, 8, 3]);
    }
}
