//! The access token of a subscription, as all execution environments share it.
//!
//! One environment at a time requests a token: it holds a lease, which it takes by a conditional
//! write, and which ends by itself. The others use the token that is still valid. If there is none,
//! they wait for the lease, or share the failure of the last request for a moment.

use std::time::Duration;

use ring::digest::{SHA256, digest};

use super::SealedCredential;
use crate::timestamp::Timestamp;

/// The settings and the secret with which a token was requested. Each sealing of a secret has
/// another one, so a token never outlives a change of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenGeneration([u8; Self::BYTES]);

impl TokenGeneration {
    /// The length.
    pub const BYTES: usize = 16;

    /// The generation of the tokens for this credential. Its sealed bytes have a random nonce, and
    /// are bound to customer, subscription, settings and origin.
    pub fn of(credential: &SealedCredential) -> Self {
        let hash = digest(&SHA256, &credential.sealed);
        let first = hash.as_ref().first_chunk();
        Self(*first.expect("SHA-256 is 32 bytes"))
    }

    /// A stored generation.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The validity of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenLife {
    /// The time at which it was granted.
    pub from: Timestamp,
    /// The time at which it ends.
    pub end: Timestamp,
}

impl TokenLife {
    /// The longest time before its end at which a token is used no more, so that it is valid when
    /// it arrives.
    const MARGIN: Duration = Duration::from_secs(30);
    /// The longest time before its end at which a new one is requested.
    const REFRESH: Duration = Duration::from_mins(5);

    /// Returns true if a request that is sent now may have it. A tenth of the lifetime is left
    /// then, or half a minute.
    pub fn is_usable(&self, now: Timestamp) -> bool {
        now < self.end - Self::MARGIN.min(self.lifetime() / 10)
    }

    /// Returns true if a new one should be requested: in the last fifth of the lifetime, or in its
    /// last five minutes.
    pub fn is_ending(&self, now: Timestamp) -> bool {
        now >= self.end - Self::REFRESH.min(self.lifetime() / 5)
    }

    fn lifetime(&self) -> Duration {
        self.end.since(self.from)
    }
}

/// An encrypted token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedToken {
    /// A random number that tells it from others.
    pub number: u64,
    /// The nonce, then the ciphertext with its tag.
    pub sealed: Vec<u8>,
    /// Its validity.
    pub life: TokenLife,
}

/// The lease of the environment that requests a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenLease {
    /// The time at which it was taken.
    pub since: Timestamp,
    /// The time at which it ends by itself.
    pub until: Timestamp,
}

/// A request for a token that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedTokenRequest {
    /// The time of the failure.
    pub at: Timestamp,
    /// The text of its [`TokenError`](super::TokenError).
    pub error: String,
}

impl FailedTokenRequest {
    /// The time for which all attempts share the failure, so that a token endpoint that fails sees
    /// one request in this time. It is the first delay of the default retry schedule.
    pub const SHARED: Duration = Duration::from_secs(5);
    /// The same while an earlier token is still valid.
    pub const SHARED_WITH_TOKEN: Duration = Duration::from_secs(30);

    /// The failure of a request that did not have the whole time limit. It says nothing about a
    /// request that has it, so no attempt without a token shares it.
    pub fn cut_short(now: Timestamp, error: String) -> Self {
        let at = now - Self::SHARED;
        Self { at, error }
    }

    /// Returns true if attempts share it, because there is no token.
    pub fn is_shared(&self, now: Timestamp) -> bool {
        now < self.at + Self::SHARED
    }
}

/// The stored state. Each change replaces it, if its revision is still the one that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// The generation to which everything in it belongs.
    pub generation: TokenGeneration,
    /// A random number, another one after each change.
    pub revision: u64,
    /// The token.
    pub token: Option<SealedToken>,
    /// The lease.
    pub lease: Option<TokenLease>,
    /// The last request, if it failed.
    pub failure: Option<FailedTokenRequest>,
    /// The last time at which a token was replaced because the endpoint refused it.
    pub renewed_at: Option<Timestamp>,
}

/// The reason why a token is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenNeed {
    /// For a request.
    Any,
    /// The endpoint has answered 401 to a request with this token.
    InsteadOf(u64),
}

/// The step that follows from a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStep<'a> {
    /// This token is used.
    Use(&'a SealedToken),
    /// A token is to be requested.
    Request,
    /// Another environment requests one.
    Wait(TokenLease),
    /// The last request has just failed.
    Failed(&'a FailedTokenRequest),
    /// The token was refused, and so was the one before it, at this time.
    RenewedLately(Timestamp),
}

impl TokenRecord {
    /// The shortest time between two tokens of which the first was refused. An endpoint that
    /// always answers 401 causes one request for a token in this time.
    pub const RENEWAL_INTERVAL: Duration = Duration::from_mins(1);

    /// A record that says nothing, in the place of one that cannot be read.
    pub fn blank(revision: u64) -> Self {
        Self {
            generation: TokenGeneration([0; TokenGeneration::BYTES]),
            revision,
            token: None,
            lease: None,
            failure: None,
            renewed_at: None,
        }
    }

    /// The step that follows, if its generation is the wanted one.
    pub fn step(&self, need: TokenNeed, now: Timestamp) -> TokenStep<'_> {
        let token = self.usable(need, now);
        let lease = self.lease.filter(|lease| now < lease.until);
        let failed = |shared| {
            let failure = self.failure.as_ref();
            failure.filter(|failure| now < failure.at + shared)
        };
        if let Some(token) = token {
            let is_left_alone = need != TokenNeed::Any
                || !token.life.is_ending(now)
                || lease.is_some()
                || failed(FailedTokenRequest::SHARED_WITH_TOKEN).is_some();
            return if is_left_alone {
                TokenStep::Use(token)
            } else {
                TokenStep::Request
            };
        }
        if let Some(lease) = lease {
            return TokenStep::Wait(lease);
        }
        if let Some(failure) = failed(FailedTokenRequest::SHARED) {
            return TokenStep::Failed(failure);
        }
        let renewed_at = self.renewed_at.filter(|_| need != TokenNeed::Any);
        match renewed_at.filter(|at| now < *at + Self::RENEWAL_INTERVAL) {
            Some(at) => TokenStep::RenewedLately(at),
            None => TokenStep::Request,
        }
    }

    fn usable(&self, need: TokenNeed, now: Timestamp) -> Option<&SealedToken> {
        let token = self.token.as_ref();
        token
            .filter(|token| need != TokenNeed::InsteadOf(token.number) && token.life.is_usable(now))
    }

    /// The record of an environment that takes the lease. A token that was refused is left out, so
    /// that nobody uses it again.
    pub fn leased(
        read: Option<&Self>,
        generation: TokenGeneration,
        need: TokenNeed,
        lease: TokenLease,
        revision: u64,
    ) -> Self {
        let now = lease.since;
        let read = read.filter(|read| read.generation == generation);
        let renewed_at = match need {
            TokenNeed::Any => read.and_then(|read| read.renewed_at),
            TokenNeed::InsteadOf(_) => Some(now),
        };
        Self {
            generation,
            revision,
            token: read.and_then(|read| read.usable(need, now)).cloned(),
            lease: Some(lease),
            failure: None,
            renewed_at,
        }
    }

    /// The record after the request of the lease.
    #[must_use]
    pub fn granted(self, token: SealedToken, revision: u64) -> Self {
        Self {
            token: Some(token),
            ..self.released(revision)
        }
    }

    /// The record after the request of the lease has failed.
    #[must_use]
    pub fn failed(self, failure: FailedTokenRequest, revision: u64) -> Self {
        Self {
            failure: Some(failure),
            ..self.released(revision)
        }
    }

    /// The record after a lease that was not used.
    #[must_use]
    pub fn released(self, revision: u64) -> Self {
        Self {
            revision,
            lease: None,
            ..self
        }
    }

    /// The time from which it says nothing any more, and the table may delete it.
    pub fn expires_at(&self) -> Timestamp {
        let ends = [
            self.token.as_ref().map(|token| token.life.end),
            self.lease.map(|lease| lease.until),
            self.failure
                .as_ref()
                .map(|failure| failure.at + FailedTokenRequest::SHARED_WITH_TOKEN),
            self.renewed_at.map(|at| at + Self::RENEWAL_INTERVAL),
        ];
        let last = ends.into_iter().flatten().max();
        // The table counts whole seconds.
        last.unwrap_or(Timestamp::from_millis(0)) + Duration::from_secs(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const GENERATION: TokenGeneration = TokenGeneration([1; 16]);

    fn after(seconds: u64) -> Timestamp {
        NOW + Duration::from_secs(seconds)
    }

    fn life(seconds: u64) -> TokenLife {
        TokenLife {
            from: NOW,
            end: after(seconds),
        }
    }

    fn token(number: u64, seconds: u64) -> SealedToken {
        SealedToken {
            number,
            sealed: vec![7; 40],
            life: life(seconds),
        }
    }

    fn record(token: Option<SealedToken>) -> TokenRecord {
        TokenRecord {
            generation: GENERATION,
            revision: 1,
            token,
            lease: None,
            failure: None,
            renewed_at: None,
        }
    }

    fn lease(since: u64, until: u64) -> TokenLease {
        TokenLease {
            since: after(since),
            until: after(until),
        }
    }

    #[test]
    fn a_token_is_replaced_before_its_end_and_is_not_used_at_its_end() {
        for (seconds, ending_from, usable_until) in
            [(3_600, 3_300, 3_570), (300, 240, 270), (10, 8, 9)]
        {
            let life = life(seconds);
            assert!(!life.is_ending(after(ending_from - 1)), "{seconds}");
            assert!(life.is_ending(after(ending_from)), "{seconds}");
            assert!(life.is_usable(after(usable_until - 1)), "{seconds}");
            assert!(!life.is_usable(after(usable_until)), "{seconds}");
        }
    }

    #[test]
    fn one_environment_requests_and_the_others_use_what_is_valid() {
        let mut record = record(Some(token(1, 3_600)));
        let step = |record: &TokenRecord, at| match record.step(TokenNeed::Any, after(at)) {
            TokenStep::Use(token) => format!("use {}", token.number),
            TokenStep::Request => "request".to_owned(),
            TokenStep::Wait(_) => "wait".to_owned(),
            TokenStep::Failed(failure) => failure.error.clone(),
            TokenStep::RenewedLately(_) => "renewed lately".to_owned(),
        };
        assert_eq!(step(&record, 0), "use 1");
        assert_eq!(step(&record, 3_300), "request");
        record.lease = Some(lease(3_300, 3_319));
        assert_eq!(step(&record, 3_318), "use 1");
        assert_eq!(step(&record, 3_319), "request", "the lease has ended");
        record.failure = Some(FailedTokenRequest {
            at: after(3_320),
            error: "failed".to_owned(),
        });
        assert_eq!(step(&record, 3_349), "use 1");
        assert_eq!(step(&record, 3_350), "request");
        record.failure = None;
        record.lease = Some(lease(3_570, 3_589));
        assert_eq!(step(&record, 3_570), "wait", "the token has ended");
        record.lease = None;
        record.failure = Some(FailedTokenRequest {
            at: after(3_580),
            error: "failed".to_owned(),
        });
        assert_eq!(step(&record, 3_584), "failed");
        assert_eq!(step(&record, 3_585), "request");
    }

    #[test]
    fn a_refused_token_is_replaced_once_in_an_interval() {
        let refused = TokenNeed::InsteadOf(1);
        let mut record = record(Some(token(1, 3_600)));
        assert_eq!(record.step(refused, NOW), TokenStep::Request);
        let leased = TokenRecord::leased(Some(&record), GENERATION, refused, lease(0, 19), 2);
        assert_eq!(leased.token, None, "nobody uses it any more");
        assert!(matches!(
            leased.step(TokenNeed::Any, after(1)),
            TokenStep::Wait(_)
        ));
        record = leased.granted(token(2, 3_600), 3);
        let another = record.step(refused, after(1));
        assert!(matches!(another, TokenStep::Use(token) if token.number == 2));
        let again = TokenNeed::InsteadOf(2);
        let lately = TokenStep::RenewedLately(NOW);
        assert_eq!(record.step(again, after(59)), lately);
        assert_eq!(record.step(again, after(60)), TokenStep::Request);
        // Others still use it.
        let others = record.step(TokenNeed::Any, after(59));
        assert!(matches!(others, TokenStep::Use(_)));
    }

    #[test]
    fn a_lease_keeps_a_valid_token_of_its_own_generation_only() {
        let read = record(Some(token(1, 3_600)));
        let leased = |generation, need, since| {
            let lease = lease(since, since + 19);
            TokenRecord::leased(Some(&read), generation, need, lease, 2).token
        };
        assert_eq!(leased(GENERATION, TokenNeed::Any, 3_300), read.token);
        assert_eq!(leased(GENERATION, TokenNeed::Any, 3_600), None);
        let other = TokenGeneration([2; 16]);
        assert_eq!(leased(other, TokenNeed::Any, 3_300), None);
    }

    #[test]
    fn a_record_expires_after_everything_in_it() {
        let mut record = record(Some(token(1, 3_600)));
        assert_eq!(record.expires_at(), after(3_601));
        record.lease = Some(lease(3_590, 3_700));
        assert_eq!(record.expires_at(), after(3_701));
        record.renewed_at = Some(after(3_690));
        assert_eq!(record.expires_at(), after(3_751));
    }
}
