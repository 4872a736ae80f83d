//! The header `Retry-After`, written by a receiver.

use std::time::Duration;

use bolero::produce;
use webhooks_domain::retry::{Jitter, RetryPolicy, parse_retry_after};
use webhooks_domain::timestamp::Timestamp;

use crate::law::check_law;
use crate::near::near;

const SEEDS: [&str; 9] = [
    "0",
    "120",
    "86400",
    "18446744073709551615",
    "99999999999999999999999",
    "Tue, 14 Nov 2023 22:14:20 GMT",
    "Tuesday, 14-Nov-23 22:14:20 GMT",
    "Tue Nov 14 22:14:20 2023",
    "Fri, 31 Dec 9999 23:59:59 GMT",
];
const TOKENS: &[&str] = &[
    " ", "\t", "-", "+", ".5", "1e3", "0", "GMT", "UTC", "60", "29 Feb", ",", "٣",
];

#[test]
fn laws_hold() {
    let policy = RetryPolicy::schedule(vec![0, 60]).unwrap();
    // Up to the year 6429.
    let now = 0..=140_737_488_355_328_i64;
    check_law!((near(SEEDS, TOKENS), now, produce::<u16>()), |(
        text,
        now,
        passed,
    )| {
        let now = Timestamp::from_millis(*now);
        let passed = Duration::from_secs(u64::from(*passed));
        let asked = parse_retry_after(text, now);
        if let Some(asked) = asked {
            let later = parse_retry_after(text, now + passed);
            let is_seconds = text.trim().bytes().all(|byte| byte.is_ascii_digit());
            if is_seconds {
                assert_eq!(later, Some(asked), "seconds that depend on the time");
                let longer = parse_retry_after(&format!("{}0", text.trim()), now);
                assert!(longer >= Some(asked), "a longer number that asks for less");
            } else {
                assert_eq!(
                    later,
                    Some(asked.saturating_sub(passed)),
                    "a date that moves"
                );
            }
            if let Ok(seconds) = text.parse::<u32>()
                && is_seconds
            {
                assert_eq!(asked, Duration::from_secs(seconds.into()));
            }
        }

        let due = |asked| policy.due_at(2, now, asked, Jitter::NONE).unwrap();
        assert!(due(asked) >= due(None), "brought forward");
        assert!(
            due(asked) <= now + RetryPolicy::MAX_RETRY_AFTER,
            "beyond the bound"
        );
    });
}
