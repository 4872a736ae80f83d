//! The owner of an endpoint is taken of the end of its client certificate, in steps.

use std::time::Duration;

use crate::stage::{Stage, schedule, stage as stage_of};
use webhooks_domain::deliver::Report;
use webhooks_domain::ports::{SubscriptionTable, WriteOutcome};
use webhooks_domain::subscription::{CertificateWarned, Subscription};
use webhooks_domain::timestamp::Timestamp;
use webhooks_testkit::client_certificates::ClientAuthority;
use webhooks_testkit::samples;

const DAY: Duration = Duration::from_hours(24);
const MINUTE: Duration = Duration::from_mins(1);

fn replace(stage: &Stage, not_after: Timestamp) {
    let authority = ClientAuthority::new("Example CA");
    let issued = authority.issue("webhooks", samples::NOW - DAY, not_after);
    stage.update(&issued.change());
}

/// A stage whose subscription presents a certificate. Its delivery is not queued.
fn stage(not_after: Timestamp) -> Stage {
    let stage = stage_of(schedule(&[0]));
    stage.backend.purge_queue();
    replace(&stage, not_after);
    stage
}

fn steps(reports: &[Report]) -> Vec<&'static str> {
    let warnings = reports.iter().filter_map(|report| match report {
        Report::Attempted { warning, .. } => warning.as_ref(),
        _ => None,
    });
    warnings
        .map(|warning| warning.warning.step.as_str())
        .collect()
}

/// The steps that an attempt at this time takes.
fn attempt(stage: &Stage, at: Timestamp) -> Vec<&'static str> {
    stage.backend.set_now(at);
    stage.queue_first(stage.another_delivery(&at.to_string()));
    steps(&stage.drain())
}

#[test]
fn each_distance_to_the_end_is_warned_of_once() {
    let end = samples::NOW + 40 * DAY;
    let stage = stage(end);
    let mut taken = Vec::new();
    for hours in (0..45 * 24).step_by(6) {
        let at = samples::NOW + Duration::from_hours(hours);
        taken.extend(
            attempt(&stage, at)
                .into_iter()
                .map(|step| (hours / 24, step)),
        );
    }
    let expected = [
        (10, "certificateExpires"),
        (33, "certificateExpires"),
        (39, "certificateExpires"),
        (40, "certificateExpired"),
    ];
    assert_eq!(taken, expected);
    // Attempts that come late are taken of the last step only.
    let stage = self::stage(end);
    assert_eq!(attempt(&stage, end), ["certificateExpired"]);
    assert_eq!(attempt(&stage, end + DAY), [""; 0]);
}

#[test]
fn the_warning_has_the_end_and_nothing_else_changes() {
    let end = samples::NOW + 2 * DAY;
    let stage = stage(end);
    let before = stage.subscription_of(stage.ids[0]).unwrap();
    stage.queue_first(stage.another_delivery("a"));
    let reports = stage.drain();
    let [
        Report::Attempted {
            warning: Some(warning),
            changes,
            ..
        },
    ] = &reports[..]
    else {
        panic!("{reports:?}")
    };
    assert_eq!(warning.warning.certificate_not_after, Some(end));
    assert_eq!(*changes, []);
    let mut after = stage.subscription_of(stage.ids[0]).unwrap();
    assert!(after.certificate_warned.take().is_some());
    assert_eq!(after, before);
}

#[test]
fn a_new_certificate_is_warned_of_at_its_own_steps_and_not_at_once() {
    let stage = stage(samples::NOW + 20 * DAY);
    let now = samples::NOW + DAY;
    assert_eq!(attempt(&stage, now), ["certificateExpires"]);
    // Customers who replace one short certificate by another get no message for each, also if the
    // end of each is a moment away from a step.
    let mut at = now;
    for _ in 0..10 {
        replace(&stage, at + 30 * DAY + MINUTE);
        at = at + 2 * MINUTE;
        assert_eq!(attempt(&stage, at), [""; 0]);
    }
    let later = now + Subscription::WARNED_AGAIN_AFTER;
    assert_eq!(attempt(&stage, later), ["certificateExpires"]);
    replace(&stage, now + 100 * DAY);
    assert_eq!(attempt(&stage, now + 9 * DAY), [""; 0]);
    assert_eq!(attempt(&stage, now + 70 * DAY), ["certificateExpires"]);
    assert_eq!(attempt(&stage, now + 100 * DAY), ["certificateExpired"]);
    stage.update(r#"{"authentication":null}"#);
    assert_eq!(attempt(&stage, now + 200 * DAY), [""; 0]);
}

#[test]
fn a_certificate_that_replaces_one_that_has_ended_is_warned_of_too() {
    let end = samples::NOW + DAY;
    let stage = stage(end);
    assert_eq!(attempt(&stage, end), ["certificateExpired"]);
    replace(&stage, end + 20 * DAY);
    assert_eq!(attempt(&stage, end + MINUTE), [""; 0]);
    assert_eq!(attempt(&stage, end + DAY), ["certificateExpires"]);
}

#[test]
fn of_two_environments_one_tells_it() {
    let stage = stage(samples::NOW + DAY);
    let id = stage.another_delivery("under way");
    stage.backend.during_requests(move |backend| {
        let acme = samples::customer("acme");
        let read = SubscriptionTable::get(backend, &acme, &id.subscription);
        let read = crate::stage::now(read).unwrap().unwrap();
        let warned = CertificateWarned {
            at: samples::NOW,
            not_after: samples::NOW + DAY,
        };
        let noted = crate::stage::now(backend.note_certificate_warning(&read, warned));
        assert_eq!(noted.unwrap(), WriteOutcome::Written);
    });
    stage.queue_first(id);
    assert_eq!(steps(&stage.drain()), [""; 0]);
}

/// A step of the certificate waits for an attempt that changes no health: one write is enough.
#[test]
fn a_change_of_health_comes_first() {
    let stage = crate::stage::stage_with(schedule(&[0, 60]), &[None]);
    stage.backend.purge_queue();
    replace(&stage, samples::NOW + 30 * DAY + Duration::from_secs(30));
    stage.backend.answer([500, 500].map(samples::response));
    stage.queue_first(stage.another_delivery("fails"));
    assert_eq!(steps(&stage.drain()), [""; 0], "the endpoint is failing");
    let health = stage.subscription_of(stage.ids[0]).unwrap().health;
    assert!(health.failing_since.is_some());
    stage.queue_first(stage.another_delivery("succeeds"));
    assert_eq!(steps(&stage.drain()), [""; 0], "the endpoint works again");
    stage.queue_first(stage.another_delivery("succeeds too"));
    assert_eq!(steps(&stage.drain()), ["certificateExpires"]);
}
