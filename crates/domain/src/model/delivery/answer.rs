//! The part of an answer that an attempt keeps itself, and the part that is kept beside it.
//!
//! Every update of a delivery pays for all of its attempts. So a long answer to a failed attempt is
//! an item of its own, and an attempt with the answer of the attempt before it only names that one.

use ring::digest;

use super::{Attempt, Delivery};
use crate::ids::DeliveryId;
use crate::outbound::{AttemptOutcome, ResponseBody, ResponseHeaders, WebhookResponse, cut};
use crate::timestamp::Timestamp;

/// The excerpt of an answer that is kept beside its attempt.
const SHORT_EXCERPT_BYTES: usize = 128;

/// The shortest body that is compared with the one before. Repeating a shorter one costs about as
/// much as naming it.
const MIN_SHARED_BYTES: usize = 48;

/// The body of an answer, as an attempt has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AnswerBody {
    /// The number of bytes that were read, if it is not the length of the excerpt.
    pub size_bytes: Option<u32>,
    /// True if the excerpt is all that is kept, and the body was longer.
    pub is_cut: bool,
    /// Distinguishes the answer from others. Only of failures whose body is not short.
    pub digest: Option<AnswerDigest>,
    /// The place of the body.
    pub place: BodyPlace,
}

/// The place of an answer's body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BodyPlace {
    /// The excerpt of the attempt.
    #[default]
    Excerpt,
    /// An item of its own. The excerpt is its beginning.
    OwnItem,
    /// The answer is that of an earlier attempt with this number. The attempt has no excerpt, and it
    /// has headers only if they are others.
    SameAs(u32),
}

/// The first bytes of the SHA-256 of status and body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AnswerDigest([u8; Self::BYTES]);

impl AnswerDigest {
    /// Its length.
    pub const BYTES: usize = 8;

    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    fn of(status: Option<u16>, body: &ResponseBody) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&status.unwrap_or(0).to_be_bytes());
        context.update(&body.size_bytes.to_be_bytes());
        context.update(body.text.as_bytes());
        let whole = context.finish();
        let first = whole.as_ref().first_chunk();
        Self(*first.expect("a SHA-256 has 32 bytes"))
    }
}

/// The id of a body that is kept beside its attempt.
///
/// The time tells it from the body of another run of the same attempt, which was not recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The number of the attempt.
    pub attempt: u32,
    /// The time at which the attempt began.
    pub at: Timestamp,
}

/// The headers and the body that an attempt keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The headers.
    pub headers: ResponseHeaders,
    /// The beginning of the body.
    pub excerpt: Option<String>,
    /// The rest of what it has of the body.
    pub body: AnswerBody,
}

/// The answer to a new attempt, and where it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    response: &'a WebhookResponse,
    digest: Option<AnswerDigest>,
    /// The earlier attempt with the same answer.
    same_as: Option<&'a Attempt>,
}

impl<'a> Answer<'a> {
    /// The answer to the next attempt of a delivery.
    pub fn of(response: &'a WebhookResponse, delivery: &'a Delivery) -> Self {
        let is_compared = response.outcome != AttemptOutcome::Succeeded
            && response.body.text.len() >= MIN_SHARED_BYTES;
        let digest = is_compared.then(|| AnswerDigest::of(response.status, &response.body));
        let before = delivery.attempts.last();
        let before = before.and_then(|last| delivery.owner_of_answer(last));
        let same_as = before.filter(|owner| {
            digest.is_some()
                && owner.answer_body.digest == digest
                && owner.has_all_of(&response.body)
                // Otherwise "no headers" would mean "the same headers".
                && (!response.headers.is_empty() || owner.response_headers.is_empty())
        });
        Self {
            response,
            digest,
            same_as,
        }
    }

    /// The body that must be kept in an item of its own, if the attempt cannot keep it.
    pub fn long_body(&self) -> Option<&'a ResponseBody> {
        let body = &self.response.body;
        (self.digest.is_some() && self.same_as.is_none() && body.text.len() > self.room())
            .then_some(body)
    }

    /// The part that the attempt keeps. `is_stored` is true if the
    /// [long body](Self::long_body) was stored.
    pub fn kept(&self, is_stored: bool) -> KeptAnswer {
        let response = self.response;
        if let Some(owner) = self.same_as {
            let headers = &response.headers;
            return KeptAnswer {
                headers: if *headers == owner.response_headers {
                    ResponseHeaders::default()
                } else {
                    headers.clone()
                },
                excerpt: None,
                body: AnswerBody {
                    place: BodyPlace::SameAs(owner.number),
                    ..AnswerBody::default()
                },
            };
        }
        let whole = &response.body;
        let has_own_item = is_stored && self.long_body().is_some();
        let room = if has_own_item {
            SHORT_EXCERPT_BYTES
        } else {
            self.room()
        };
        let excerpt = cut(&whole.text, room);
        let is_size_known = usize::try_from(whole.size_bytes) == Ok(excerpt.len());
        KeptAnswer {
            headers: response.headers.clone(),
            excerpt: (!excerpt.is_empty()).then(|| excerpt.to_owned()),
            body: AnswerBody {
                size_bytes: (!is_size_known).then_some(whole.size_bytes),
                is_cut: !has_own_item && (whole.is_cut || excerpt.len() < whole.text.len()),
                digest: self.digest,
                place: if has_own_item {
                    BodyPlace::OwnItem
                } else {
                    BodyPlace::Excerpt
                },
            },
        }
    }

    /// The bytes of the body that the attempt can keep itself.
    fn room(&self) -> usize {
        let WebhookResponse {
            outcome,
            addresses,
            headers,
            body,
            ..
        } = self.response;
        match outcome {
            // The sender has left out what is too much.
            AttemptOutcome::Succeeded => body.text.len(),
            _ => WebhookResponse::room_for_excerpt(
                WebhookResponse::MAX_DETAIL_BYTES,
                addresses,
                headers,
            ),
        }
    }
}

impl Delivery {
    /// The attempt that has the answer of this attempt: itself, or an earlier one.
    pub fn owner_of_answer<'a>(&'a self, attempt: &'a Attempt) -> Option<&'a Attempt> {
        match attempt.answer_body.place {
            BodyPlace::SameAs(number) => {
                let earlier = self.attempts.iter().filter(|owner| owner.number == number);
                let mut owners = earlier.filter(|owner| owner.number < attempt.number);
                owners.find(|owner| !matches!(owner.answer_body.place, BodyPlace::SameAs(_)))
            }
            BodyPlace::Excerpt | BodyPlace::OwnItem => Some(attempt),
        }
    }

    /// The headers and the excerpt of the answer to an attempt, also if an earlier attempt has them.
    pub fn answer_of<'a>(&'a self, attempt: &'a Attempt) -> (&'a ResponseHeaders, Option<&'a str>) {
        let owner = self.owner_of_answer(attempt).unwrap_or(attempt);
        let headers = if attempt.response_headers.is_empty() {
            &owner.response_headers
        } else {
            &attempt.response_headers
        };
        (headers, owner.response_excerpt.as_deref())
    }

    /// The id of the item with the answer to an attempt, if there is one.
    pub fn exchange_of(&self, attempt: &Attempt) -> Option<ExchangeId> {
        let owner = self.owner_of_answer(attempt)?;
        (owner.answer_body.place == BodyPlace::OwnItem).then(|| owner.exchange_id(self.id))
    }
}

impl Attempt {
    /// Returns true if a body with its digest is kept completely.
    fn has_all_of(&self, body: &ResponseBody) -> bool {
        let excerpt = self.response_excerpt.as_deref().unwrap_or_default();
        self.answer_body.place == BodyPlace::OwnItem || excerpt.len() == body.text.len()
    }

    /// The id of the item with its answer, if it is a long one.
    pub fn exchange_id(&self, delivery: DeliveryId) -> ExchangeId {
        ExchangeId {
            delivery,
            attempt: self.number,
            at: self.at,
        }
    }
}

#[cfg(test)]
mod tests;
