//! Tests of the part of an answer that an attempt keeps.

use super::BodyPlace::{Excerpt, OwnItem, SameAs};
use super::*;
use crate::delivery::tests::{NOW, delivery};
use crate::outbound::Timings;

/// An answer with this status and this body.
fn response(status: u16, text: &str) -> WebhookResponse {
    WebhookResponse {
        outcome: if status == 200 {
            AttemptOutcome::Succeeded
        } else {
            AttemptOutcome::HttpError
        },
        status: Some(status),
        error: None,
        addresses: Vec::new(),
        headers: ResponseHeaders::keep(|name| {
            (name == "content-type").then_some(b"text/plain".as_slice())
        }),
        body: ResponseBody {
            text: text.to_owned(),
            size_bytes: u32::try_from(text.len()).unwrap(),
            is_cut: false,
        },
        retry_after: None,
        duration_ms: 1,
        timings: Timings::default(),
    }
}

/// Appends an attempt with this answer. Returns the body that is stored beside it.
fn attempt(to: &mut Delivery, response: &WebhookResponse, is_stored: bool) -> Option<String> {
    let answer = Answer::of(response, to);
    let long = answer.long_body().map(|body| body.text.clone());
    let kept = answer.kept(is_stored);
    let mut attempts = delivery(1).attempts;
    let mut new = attempts.pop().unwrap();
    new.number = to.next_attempt();
    new.at = NOW;
    new.response_headers = kept.headers;
    new.response_excerpt = kept.excerpt;
    new.answer_body = kept.body;
    to.attempts.push(new);
    long
}

fn places(of: &Delivery) -> Vec<BodyPlace> {
    let attempts = of.attempts.iter();
    attempts.map(|attempt| attempt.answer_body.place).collect()
}

#[test]
fn a_long_answer_is_stored_once_while_it_stays_the_same() {
    let long = response(500, &"x".repeat(2_000));
    let mut delivery = delivery(0);
    assert!(attempt(&mut delivery, &long, true).is_some());
    assert!(attempt(&mut delivery, &long, true).is_none());
    assert!(attempt(&mut delivery, &long, true).is_none());
    let other_status = response(502, &long.body.text);
    assert!(attempt(&mut delivery, &other_status, true).is_some());
    let other_body = response(502, &"y".repeat(2_000));
    assert!(attempt(&mut delivery, &other_body, true).is_some());
    assert!(attempt(&mut delivery, &long, true).is_some());
    let expected = [OwnItem, SameAs(1), SameAs(1), OwnItem, OwnItem, OwnItem];
    assert_eq!(places(&delivery), expected);
    let third = &delivery.attempts[2];
    assert!(third.response_excerpt.is_none() && third.response_headers.is_empty());
    let (headers, excerpt) = delivery.answer_of(third);
    assert_eq!(*headers, long.headers);
    assert_eq!(excerpt.map(str::len), Some(SHORT_EXCERPT_BYTES));
    assert_eq!(delivery.exchange_of(third).unwrap().attempt, 1);
}

#[test]
fn a_medium_answer_is_kept_in_the_attempt_and_named_by_the_next() {
    let medium = response(500, &"x".repeat(300));
    let mut delivery = delivery(0);
    for _ in 0..3 {
        assert!(attempt(&mut delivery, &medium, true).is_none());
    }
    assert_eq!(places(&delivery), [Excerpt, SameAs(1), SameAs(1)]);
    let (_, excerpt) = delivery.answer_of(&delivery.attempts[2]);
    assert_eq!(excerpt.map(str::len), Some(300));
    assert_eq!(delivery.exchange_of(&delivery.attempts[2]), None);
}

#[test]
fn a_short_answer_is_repeated() {
    let mut delivery = delivery(0);
    for _ in 0..2 {
        assert!(attempt(&mut delivery, &response(500, "try later"), true).is_none());
    }
    assert_eq!(places(&delivery), [Excerpt; 2]);
    assert_eq!(delivery.attempts[1].answer_body, AnswerBody::default());
}

#[test]
fn other_headers_are_kept_and_missing_ones_are_not_confused_with_the_same() {
    let long = response(500, &"x".repeat(2_000));
    let mut delivery = delivery(0);
    attempt(&mut delivery, &long, true);
    let id = |name: &str| (name == "x-request-id").then_some(b"two".as_slice());
    let other = WebhookResponse {
        headers: ResponseHeaders::keep(id),
        ..long.clone()
    };
    attempt(&mut delivery, &other, true);
    let (headers, _) = delivery.answer_of(&delivery.attempts[1]);
    assert_eq!(*headers, other.headers);
    let none = WebhookResponse {
        headers: ResponseHeaders::default(),
        ..long
    };
    assert!(attempt(&mut delivery, &none, true).is_some());
    let (headers, _) = delivery.answer_of(&delivery.attempts[2]);
    assert!(headers.is_empty());
}

#[test]
fn an_answer_that_could_not_be_stored_is_cut_and_stored_the_next_time() {
    let long = response(500, &"x".repeat(2_000));
    let mut delivery = delivery(0);
    attempt(&mut delivery, &long, false);
    let first = &delivery.attempts[0];
    let excerpt = first.response_excerpt.as_ref().map(String::len);
    assert!(excerpt > Some(400), "{excerpt:?}");
    assert!(first.answer_body.is_cut);
    assert_eq!(first.answer_body.size_bytes, Some(2_000));
    assert!(attempt(&mut delivery, &long, true).is_some());
    assert_eq!(places(&delivery)[1], OwnItem);
}

#[test]
fn a_success_is_kept_in_the_attempt() {
    let mut delivery = delivery(0);
    let response = response(200, &"x".repeat(2_000));
    assert!(attempt(&mut delivery, &response, true).is_none());
    let kept = &delivery.attempts[0];
    assert_eq!(kept.response_excerpt.as_ref().map(String::len), Some(2_000));
    assert_eq!(kept.answer_body, AnswerBody::default());
}

#[test]
fn a_stored_number_that_names_no_answer_shows_nothing() {
    let mut delivery = delivery(3);
    for number in [2, 3, 9] {
        let attempt = &mut delivery.attempts[1];
        attempt.answer_body.place = SameAs(number);
        let attempt = &delivery.attempts[1];
        assert!(delivery.owner_of_answer(attempt).is_none());
        assert_eq!(delivery.exchange_of(attempt), None);
    }
}
