//! Requests with access tokens: the request for a token, and the webhook that has it.
//!
//! A crash after a token was granted loses the token, and another is requested. No delivery is lost.

use std::time::Duration;

use futures_util::future::join;

use super::Deliver;
use super::access::{Access, Client, Found, TokenRequest, begin, random_number};
use super::attempt::DueAttempt;
use super::token_cache::{Held, HeldToken};
use crate::outbound::{
    FailedTokenRequest, GrantedToken, SealedToken, TokenAnswer, TokenLife, TokenNeed, TokenRecord,
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
/// The note of an attempt whose token was refused near its end.
const REFUSED_LATE: &str = "the access token was refused when too little time of the attempt was \
                            left to request another; the next attempt does";
/// The note of an attempt whose second request got no answer, before the reason.
const NO_SECOND_ANSWER: &str = "the access token was refused; with a new one: ";

/// The shortest time that must be left of an attempt for the request for another token and for a
/// second webhook.
const SHORTEST_RENEWAL: Duration = Duration::from_secs(2);
/// The longest time of such a request for a token. It has at most half of the time that is left, so
/// that the webhook has the other half.
const LONGEST_RENEWAL: Duration = Duration::from_secs(5);

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
    /// this environment requests after a refusal, share the time limit of the attempt, which began
    /// at `started`.
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
                // The new token is for later attempts. Its request has a short limit of its own,
                // because this attempt ends with it.
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
                if second.status.is_none() {
                    // The first answer tells more: the endpoint is there, and refuses the token.
                    let reason = second.error.unwrap_or_default();
                    let note = || Some(format!("{NO_SECOND_ANSWER}{reason}"));
                    response.error = response.error.or_else(note);
                    response.duration_ms = response.duration_ms.max(second.duration_ms);
                    return response;
                }
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
        let value = held.token.header_value();
        request.set_header(client.header_name, value.clone());
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
        let limit = self.time_limit(due.subscription);
        let left = |now: Timestamp| limit.saturating_sub(spent + now.since(started));
        let another = |now: Timestamp| match slot.held(now) {
            Held::Usable(held) | Held::Ending(held) => {
                Some(held).filter(|held| held.number != refused.number)
            }
            Held::Failed(_) | Held::Nothing => None,
        };
        if let Some(another) = another(started) {
            return Ok(another);
        }
        if let Some(underway) = slot.underway() {
            // That request has a time limit of its own, which must leave time for the webhook.
            if underway.ends_at.since(started) + SHORTEST_RENEWAL / 2 > left(started) {
                return Err(None);
            }
            slot.end_of_request().await;
        }
        let search = slot.search().await;
        let now = self.clock.now();
        if let Some(another) = another(now) {
            return Ok(another);
        }
        if slot.underway().is_some() {
            return Err(None);
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
                let now = self.clock.now();
                let left = left(now);
                if left < SHORTEST_RENEWAL {
                    // Nobody uses the refused token any more.
                    let next = TokenRecord::released;
                    self.share(due.subscription, Some(record), next).await;
                    return Err(Some(REFUSED_LATE.to_owned()));
                }
                let most = LONGEST_RENEWAL.min(left / 2);
                let request = begin(&slot, record, Some(most), now + most).await;
                drop(search);
                let spent = spent + now.since(started);
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
        let timeout = subscription.timeout;
        // A shorter limit is as if the rest had been spent before.
        let before = |most| self.time_limit(subscription).saturating_sub(most);
        let spent = pending.most.map_or(spent, |most| spent.max(before(most)));
        let request = client.oauth2.token_request(client.secret, timeout, spent);
        let answer = self.sender.request_token(request).await;
        let now = self.clock.now();
        let granted = match GrantedToken::read(&answer) {
            Ok(granted) => granted,
            Err(error) => {
                let text = error.to_string();
                let failure = match answer {
                    TokenAnswer::Failed { .. } if pending.most.is_some() => {
                        FailedTokenRequest::cut_short(now, text)
                    }
                    _ => FailedTokenRequest {
                        at: now,
                        error: text,
                    },
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
