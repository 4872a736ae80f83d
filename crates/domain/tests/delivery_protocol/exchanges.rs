//! Attempts keep their exchanges: what was sent, and what came back.

use crate::stage::{NEVER, Stage, VISIBILITY_TIMEOUT, now, schedule, stage};
use webhooks_domain::delivery::BodyPlace;
use webhooks_domain::ids::DeliveryId;
use webhooks_domain::manage::ExpectedVersion;
use webhooks_domain::outbound::{ResponseBody, WebhookResponse};
use webhooks_domain::ports::SubscriptionTable;
use webhooks_domain::show_exchanges::{
    MAX_FORMER_REQUESTS, MAX_LONG_BODIES, MAX_SHOWN_BYTES, ShownExchange, show_exchanges,
};
use webhooks_testkit::changes::change;
use webhooks_testkit::{Fault, samples};

fn long(status: u16, letter: &str) -> WebhookResponse {
    WebhookResponse {
        body: samples::body(&letter.repeat(9_000)),
        ..samples::response(status)
    }
}

impl Stage {
    pub(crate) fn shown(&self) -> Vec<ShownExchange> {
        now(show_exchanges(&self.backend, &self.delivery())).unwrap()
    }

    fn shown_bodies(&self) -> Vec<ResponseBody> {
        let shown = self.shown().into_iter();
        shown.map(|shown| shown.response.unwrap().body).collect()
    }

    fn shown_urls(&self) -> Vec<Option<String>> {
        let shown = self.shown().into_iter();
        let url = |shown: ShownExchange| Some(shown.request?.url.as_str().to_owned());
        shown.map(url).collect()
    }

    /// Processes the next task of the queue.
    fn run_next(&self) {
        let task = self.backend.receive().unwrap().task;
        self.run(&task).unwrap();
    }

    /// Changes the first subscription as a request to the API does.
    pub(crate) fn update(&self, body: &str) {
        self.update_of(self.ids[0], body);
    }

    /// Changes the subscription of a delivery as a request to the API does.
    pub(crate) fn update_of(&self, delivery: DeliveryId, body: &str) {
        let customer = samples::customer("acme");
        let id = delivery.subscription;
        let manage = self.backend.manage();
        let updated = manage.update(&customer, &id, &ExpectedVersion::Any, change(body));
        now(updated).unwrap();
    }

    pub(crate) fn delete(&self) {
        let customer = samples::customer("acme");
        let id = self.ids[0].subscription;
        let manage = self.backend.manage();
        now(manage.delete(&customer, &id, &ExpectedVersion::Any)).unwrap();
    }
}

#[test]
fn the_shown_request_is_the_one_that_was_sent_with_masked_secrets() {
    let stage = stage(schedule(&[0]));
    stage.update(
        r#"{"url":"https://example.org/hook?a=1","headers":{"x-team":"blue"},
            "secretHeaders":{"authorization":"Bearer s3cret","x-key":"s3cret-2"}}"#,
    );
    stage.drain();
    let (_, sent) = stage.backend.requests().remove(0);
    let shown = stage.shown().remove(0).request.unwrap();
    assert_eq!(shown.method, sent.method);
    assert_eq!(shown.url, sent.url);
    let masked = sent.headers.iter().map(|(name, value)| {
        let is_secret = ["webhook-signature", "authorization", "x-key"].contains(&name.as_str());
        let value = if is_secret { "***" } else { value };
        (name.clone(), value.to_owned())
    });
    assert_eq!(shown.headers, masked.collect::<Vec<_>>());
    assert!(
        sent.headers
            .iter()
            .any(|(_, value)| value == "Bearer s3cret")
    );
    assert!(!format!("{:?}", stage.shown()).contains("s3cret"));
}

#[test]
fn an_attempt_shows_the_request_of_its_own_time_also_after_the_subscription_is_deleted() {
    let stage = stage(schedule(&[0, 5, 5, 5]));
    stage.backend.answer_always(samples::response(500));
    stage.run_next();
    stage.update(r#"{"url":"https://example.com/second","headers":{"x-team":"blue"}}"#);
    // Neither makes other requests.
    stage.update(r#"{"status":"paused"}"#);
    stage.update(r#"{"status":"active"}"#);
    stage.run_next();
    stage.update(r#"{"secretHeaders":{"authorization":"s3cret"}}"#);
    stage.run_next();
    // Another value of the same secret header.
    stage.update(r#"{"secretHeaders":{"authorization":"another"}}"#);
    stage.update(r#"{"url":"https://example.com/third"}"#);
    stage.run_next();

    let versions: Vec<_> = stage
        .delivery()
        .attempts
        .iter()
        .map(|attempt| attempt.request_version)
        .collect();
    assert_eq!(versions, [1, 2, 5, 7]);
    let urls = ["hook", "second", "second", "third"]
        .map(|path| Some(format!("https://example.com/{path}")));
    assert_eq!(stage.shown_urls(), urls);
    let before = stage.shown();
    let header = |number: usize, name: &str| {
        let request = before[number].request.as_ref().unwrap();
        let found = request.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.clone())
    };
    assert_eq!(header(0, "x-team"), None);
    assert_eq!(header(1, "x-team").as_deref(), Some("blue"));
    assert_eq!(header(1, "authorization"), None);
    assert_eq!(header(2, "authorization").as_deref(), Some("***"));
    stage.delete();
    assert_eq!(stage.shown(), before);
    // The former requests expire with the last delivery that can name them.
    let longest = stage.backend.manage().retention * 2;
    stage.backend.set_now(stage.backend.time() + longest);
    assert_eq!(stage.shown_urls(), [const { None }; 4]);
}

#[test]
fn a_header_that_becomes_secret_is_masked_in_earlier_requests_too() {
    let stage = stage(schedule(&[0, 5, 5]));
    stage.backend.answer_always(samples::response(500));
    stage.update(r#"{"headers":{"x-key":"s3cret","x-team":"blue"}}"#);
    stage.run_next();
    stage.update(r#"{"headers":{"x-team":"red","x-key":null}}"#);
    stage.run_next();
    // The values are secret from now on, and so are those of the attempts before.
    stage
        .update(r#"{"headers":{"x-team":null},"secretHeaders":{"x-key":"s3cret","x-team":"red"}}"#);
    stage.run_next();
    let masked = || {
        let shown = stage.shown().into_iter();
        let headers = shown.flat_map(|shown| shown.request.unwrap().headers);
        let values = headers.filter(|(name, _)| ["x-key", "x-team"].contains(&name.as_str()));
        values.map(|(_, value)| value).collect::<Vec<_>>()
    };
    // The second request had one of them only.
    assert_eq!(masked(), ["***"; 5]);
    // The value that was moved is not even kept.
    let kept = stage.backend.former_requests();
    let before = kept.iter().find(|former| former.version == 3).unwrap();
    assert!(before.shape.headers.is_empty(), "{before:?}");
    stage.delete();
    assert_eq!(masked(), ["***"; 5]);
}

#[test]
fn a_repair_of_an_unreadable_url_claims_nothing_about_earlier_requests() {
    let stage = stage(schedule(&[0, 5]));
    stage.backend.answer([samples::response(500)]);
    stage.run_first();
    let customer = samples::customer("acme");
    let id = stage.ids[0].subscription;
    stage.backend.break_subscription(&customer, id, "url");
    assert_eq!(stage.shown_urls(), [None]);
    stage.update(r#"{"url":"https://example.com/repaired"}"#);
    stage.drain();
    let repaired = "https://example.com/repaired".to_owned();
    assert_eq!(stage.shown_urls(), [None, Some(repaired)]);
    // What else cannot be read does not matter here.
    stage.backend.break_subscription(&customer, id, "filter");
    assert!(now(stage.backend.get(&customer, &id)).is_err());
    assert!(stage.shown_urls()[1].is_some());
}

#[test]
fn the_same_long_answer_is_stored_once_and_shown_with_each_attempt() {
    let stage = stage(schedule(&[0, 5, 5, 5]));
    stage
        .backend
        .answer([long(500, "a"), long(500, "a"), long(500, "b")]);
    stage.drain();
    let bodies = stage.backend.bodies();
    let attempts: Vec<_> = bodies.iter().map(|(id, _)| id.attempt).collect();
    assert_eq!(attempts, [1, 3]);
    let [a, b] = ["a", "b"].map(|letter| samples::body(&letter.repeat(9_000)));
    let shown = stage.shown_bodies();
    assert_eq!(shown, [a.clone(), a, b, ResponseBody::default()]);
    let attempts = stage.delivery().attempts;
    assert_eq!(attempts[1].answer_body.place, BodyPlace::SameAs(1));
    assert_eq!(attempts[3].status, Some(200));
}

#[test]
fn an_answer_that_cannot_be_stored_costs_the_delivery_nothing() {
    for fault in [Fault::Before, Fault::After] {
        let stage = stage(schedule(&[0, 5]));
        stage.backend.answer([long(500, "a")]);
        // The next task is queued, and the answer is not stored.
        stage.backend.during_requests(move |backend| {
            backend.during_requests(|_| ());
            backend.plant([Fault::None, fault]);
        });
        stage.drain();
        assert_eq!(stage.delivery().attempts.len(), 2, "no attempt is repeated");
        assert_eq!(stage.backend.tasks_sent(), 2);
        let first = stage.shown_bodies().remove(0);
        assert_eq!((first.size_bytes, first.is_cut), (9_000, true));
        assert!(
            first.text.len() > 400,
            "the excerpt is kept: {}",
            first.text.len()
        );
    }
}

#[test]
fn the_answer_of_another_run_of_the_same_attempt_is_not_shown() {
    let stage = stage(schedule(&[0, 5]));
    stage.backend.answer([long(500, "a"), long(500, "b")]);
    // The first run crashes before it records the attempt.
    stage.backend.during_requests(|backend| {
        backend.during_requests(|_| ());
        backend.plant([Fault::None, Fault::None, Fault::Before]);
    });
    let task = stage.backend.receive().unwrap();
    let _ = stage.run(&task.task);
    assert_eq!(stage.delivery().attempts.len(), 0);
    stage
        .backend
        .set_now(stage.backend.time() + VISIBILITY_TIMEOUT);
    stage.drain();
    assert_eq!(stage.backend.bodies().len(), 2);
    let shown = stage.shown_bodies().remove(0);
    assert!(shown.text.starts_with('b'), "{}", shown.text);
}

#[test]
fn a_secret_that_the_endpoint_repeats_is_masked_in_a_long_answer() {
    let stage = stage(schedule(&[0]));
    stage.update(r#"{"secretHeaders":{"authorization":"Bearer t0ken-of-acme"}}"#);
    let text = format!("{} t0ken-of-acme {}", "x".repeat(5_000), "y".repeat(3_000));
    stage.backend.answer([WebhookResponse {
        body: samples::body(&text),
        ..samples::response(500)
    }]);
    stage.drain();
    let (_, stored) = stage.backend.bodies().remove(0);
    assert!(!stored.text.contains("t0ken"));
    assert!(stored.text.contains(" *** "));
}

/// Otherwise a hundred attempts with one answer of 64 KiB would make an answer of the API that is too
/// large.
#[test]
fn the_bytes_of_a_shown_delivery_are_bounded() {
    let stage = stage(schedule(&[0]));
    let body = samples::body(&"x".repeat(65_536));
    stage.backend.answer([WebhookResponse {
        body: body.clone(),
        ..samples::response(500)
    }]);
    stage.run_next();
    let mut delivery = stage.delivery();
    for number in 2..=100 {
        let mut attempt = samples::failed_attempt(number);
        attempt.answer_body.place = BodyPlace::SameAs(1);
        delivery.attempts.push(attempt);
    }
    let shown = now(show_exchanges(&stage.backend, &delivery)).unwrap();
    let bodies: Vec<_> = shown
        .into_iter()
        .map(|shown| shown.response.unwrap().body)
        .collect();
    let bytes: usize = bodies.iter().map(|body| body.text.len()).sum();
    assert!(bytes <= MAX_SHOWN_BYTES + 100 * 128, "{bytes}");
    let whole = MAX_SHOWN_BYTES / body.text.len();
    let (cut, last) = bodies.split_at(100 - whole);
    assert!(last.iter().all(|shown| *shown == body));
    assert!(
        cut.iter()
            .all(|shown| shown.is_cut && shown.text.len() == 128)
    );
}

#[test]
fn the_reads_of_a_shown_delivery_are_bounded() {
    let count = MAX_LONG_BODIES + 5;
    let delays = (0..count).map(|n| u32::from(n > 0) * 5);
    let stage = stage(schedule(&delays.collect::<Vec<_>>()));
    let mut task = stage.backend.receive().unwrap().task;
    for n in 0..count {
        stage.backend.answer([WebhookResponse {
            body: samples::body(&format!("answer {n:03} ").repeat(800)),
            ..samples::response(500)
        }]);
        now(stage.deliver.run(&task, NEVER)).unwrap();
        stage.update(&format!(r#"{{"url":"https://example.com/{n}"}}"#));
        if let Some(next) = stage.backend.receive() {
            task = next.task;
        }
    }
    assert_eq!(stage.backend.bodies().len(), count);
    let shown = stage.shown();
    let with_request = shown.iter().filter(|shown| shown.request.is_some()).count();
    assert_eq!(with_request, MAX_FORMER_REQUESTS);
    let bodies = stage.shown_bodies();
    let (first, last) = bodies.split_at(count - MAX_LONG_BODIES);
    assert!(last.iter().all(|body| !body.is_cut));
    assert!(
        first
            .iter()
            .all(|body| body.is_cut && !body.text.is_empty())
    );
    assert!(
        shown.last().unwrap().request.is_some(),
        "the last ones are shown"
    );
}
