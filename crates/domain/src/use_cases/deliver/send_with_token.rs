//! Requests with access tokens: the request for a token, and the webhook that has it.
//!
//! A crash after a token was granted loses the token, and another is requested. No delivery is lost.

use std::time::Duration;

use futures_util::future::join;

use super::access::{Access, Client, Found, TokenRequest, random_number};
use super::token_cache::{Held, HeldToken};
use super::{Deliver, DueAttempt};
use crate::outbound::{
    FailedTokenRequest, GrantedToken, SealedToken, TokenLife, TokenNeed, TokenRecord,
    WebhookRequest, WebhookResponse,
};
use crate::ports::{Clock, DataKeyStore, DeliveryTable, KeyService, TokenEndpoint, WebhookSender};
use crate::subscription::Subscription;
use crate::timestamp::Timestamp;
use crate::vault::Vault;

/// The status with which an endpoint refuses a token (RFC 6750, 3.1).
const UNAUTHORIZED: u16 = 401;

/// The note of an attempt whose token was refused, and not replaced, because an earlier one was.
const RENEWED_LATELY: &str = "the access token was refused; so was the one before it, less than \
                              a minute ago, so no other was requested";
/// The note of an attempt whose second token was refused too.
const REFUSED_AGAIN: &str = "a new access token was refused too";

impl<T, Q, W, S, K, C> Deliver<T, Q, W, Vault<S, K, C>, C>
where
    T: DeliveryTable,
    W: WebhookSender + TokenEndpoint,
    S: DataKeyStore,
    K: KeyService,
    C: Clock,
{
    /// Sends the request with a token, and once more if the endpoint refuses a token from before
    /// this attempt. Both requests, those for tokens, and the wait for a token that another run of
    /// this environment has requested, share the time limit of the attempt, which began at
    /// `started`.
    pub(super) async fn send_with(
        &self,
        access: Access,
        due: &DueAttempt<'_>,
        client: Client<'_>,
        request: WebhookRequest,
        started: Timestamp,
    ) -> WebhookResponse {
        let spent = || self.clock.now().since(started);
        let (held, again, mut response) = match access {
            Access::Token(held) => {
                let again = Some(request.clone());
                let response = self.send_once(request, client, &held, spent()).await;
                (held, again, response)
            }
            Access::Replace(pending, held) => {
                let again = Some(request.clone());
                // The new token is for later attempts, so this one does not wait for it.
                let (response, _) = join(
                    self.send_once(request, client, &held, spent()),
                    self.request_token(*pending, due, client, spent()),
                )
                .await;
                (held, again, response)
            }
            Access::Request(pending) => {
                match self.request_token(*pending, due, client, spent()).await {
                    // An endpoint that refuses a token of this same attempt refuses the client.
                    Ok(held) => {
                        let response = self.send_once(request, client, &held, spent()).await;
                        (held, None, response)
                    }
                    Err(error) => return WebhookResponse::without_token(error, spent()),
                }
            }
            Access::Failed(error) => return WebhookResponse::without_token(error, spent()),
            Access::Wait(_) => unreachable!("an attempt that waits is deferred"),
        };
        let Some(again) = again.filter(|_| response.status == Some(UNAUTHORIZED)) else {
            return response;
        };
        match self.renew(due, client, &held, spent()).await {
            Ok(renewed) => {
                let mut second = self.send_once(again, client, &renewed, spent()).await;
                // It has seen both.
                second.hide([held.token.header_value().as_str(), held.token.as_str()]);
                if second.status == Some(UNAUTHORIZED) {
                    second.error = second.error.or(Some(REFUSED_AGAIN.to_owned()));
                }
                second
            }
            Err(reason) => {
                response.error = response.error.or(reason);
                response
            }
        }
    }

    async fn send_once(
        &self,
        mut request: WebhookRequest,
        client: Client<'_>,
        held: &HeldToken,
        spent: Duration,
    ) -> WebhookResponse {
        let name = client.credential.authentication().header_name();
        let name = name.unwrap_or_default();
        let value = held.token.header_value();
        request.set_header(name, value.clone());
        request.spent = spent;
        let mut response = self.sender.send(request).await;
        response.hide([value.as_str(), held.token.as_str()]);
        response
    }

    /// Finds the token after the endpoint has refused this one: another one, or a new one.
    ///
    /// # Errors
    /// If there is none. The answer of the endpoint is then the result of the attempt, with this
    /// note.
    async fn renew(
        &self,
        due: &DueAttempt<'_>,
        client: Client<'_>,
        refused: &HeldToken,
        spent: Duration,
    ) -> Result<HeldToken, Option<String>> {
        let started = self.clock.now();
        let slot = self.slot(due.subscription, client, started);
        let search = slot.search().await;
        let now = self.clock.now();
        match slot.held(now) {
            Held::Usable(other) | Held::Ending(other) if other.number != refused.number => {
                return Ok(other);
            }
            _ => {}
        }
        if slot.is_renewed_lately(now) {
            return Err(Some(RENEWED_LATELY.to_owned()));
        }
        let need = TokenNeed::InsteadOf(refused.number);
        match self.find(&slot, due.subscription, client, need, now).await {
            Ok(Found::Token(token)) => Ok(token),
            Ok(Found::Leased(record)) => {
                slot.drop_refused(refused.number);
                slot.note_renewal(now);
                let request = TokenRequest {
                    slot,
                    _search: search,
                    record: Some(record),
                };
                let spent = spent + self.clock.now().since(started);
                let granted = self.request_token(request, due, client, spent).await;
                granted.map_err(Some)
            }
            Ok(Found::RenewedLately(at)) => {
                slot.note_renewal(at);
                Err(Some(RENEWED_LATELY.to_owned()))
            }
            Ok(Found::Failed(failure)) => Err(Some(failure.error)),
            // The next attempt uses the token that another environment requests now.
            Ok(Found::Wait(_)) | Err(_) => Err(None),
        }
    }

    /// Requests a token, keeps it, and shares it with the other environments.
    ///
    /// # Errors
    /// If none is granted.
    async fn request_token(
        &self,
        pending: TokenRequest,
        due: &DueAttempt<'_>,
        client: Client<'_>,
        spent: Duration,
    ) -> Result<HeldToken, String> {
        let subscription = due.subscription;
        let secret = client.credential.secret().unwrap_or_default();
        let timeout = subscription.timeout;
        let request = client.oauth2.token_request(secret, timeout, spent);
        let answer = self.sender.request_token(request).await;
        let now = self.clock.now();
        let granted = match GrantedToken::read(&answer) {
            Ok(granted) => granted,
            Err(error) => {
                let failure = FailedTokenRequest {
                    at: now,
                    error: error.to_string(),
                };
                pending.slot.note_failure(failure.clone());
                let next = |record: TokenRecord, revision| record.failed(failure, revision);
                self.share(subscription, pending.record, next).await;
                return Err(error.to_string());
            }
        };
        let held = HeldToken {
            number: random_number(&self.random),
            token: granted.token,
            life: TokenLife {
                from: now,
                end: now + granted.lifetime,
            },
        };
        pending.slot.keep(held.clone());
        let vault = &self.vault;
        let sealed = vault.seal_token(&held.token, &client.generation, subscription);
        // Without it, the others request a token of their own.
        let sealed = sealed.await.ok();
        let next = |record: TokenRecord, revision| match sealed {
            Some(sealed) => {
                let (number, life) = (held.number, held.life);
                let token = SealedToken {
                    number,
                    sealed,
                    life,
                };
                record.granted(token, revision)
            }
            None => record.released(revision),
        };
        self.share(subscription, pending.record, next).await;
        Ok(held)
    }

    /// Replaces the record of a lease. Best-effort: a record that cannot be replaced keeps its lease
    /// until it ends.
    async fn share(
        &self,
        subscription: &Subscription,
        record: Option<TokenRecord>,
        next: impl FnOnce(TokenRecord, u64) -> TokenRecord + Send,
    ) {
        let Some(record) = record else { return };
        let read = record.revision;
        let next = next(record, random_number(&self.random));
        let (customer, id) = (&subscription.customer_id, &subscription.id);
        let table = &self.table;
        let written = table.replace_token_record(customer, id, Some(read), &next);
        let _ = written.await;
    }

    /// Gives back the right to request a token. A lease that cannot be released ends by itself.
    pub(super) async fn give_back(&self, due: &DueAttempt<'_>, access: Access) {
        if let Access::Request(request) | Access::Replace(request, _) = access {
            let next = TokenRecord::released;
            self.share(due.subscription, request.record, next).await;
        }
    }
}
