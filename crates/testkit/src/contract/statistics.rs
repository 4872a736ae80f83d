//! The contract of statistics.

use std::collections::BTreeMap;
use std::time::Duration;

use webhooks_domain::ports::StatisticsTable;
use webhooks_domain::statistics::{AnswerTime, Hour, OutcomeClass, Statistics};

use crate::samples;

/// Statistics add up for each subscription and hour. They are read by a range of hours, without
/// those that have expired.
///
/// The store's clock must show [`samples::NOW`].
pub async fn statistics(store: &impl StatisticsTable) {
    let [one, other] = [81, 82].map(samples::subscription_id);
    let hour = |before: u64| Hour::of(samples::NOW - Duration::from_hours(before));
    let read = async |id, first, last| {
        let read = store.statistics(&id, first, last).await;
        read.expect("answers")
    };
    assert_eq!(read(one, hour(9), hour(0)).await, BTreeMap::new());

    let every_class = OutcomeClass::ALL.map(|class| (class, 2));
    let every_time = (0..).map_while(AnswerTime::from_index);
    let every_time = every_time.map(|time| (time, 10));
    let full = Statistics::from_counts(every_class, every_time);
    let timed_out = Statistics::from_counts([(OutcomeClass::TimedOut, 1)], []);
    let add = async |id, hour, statistics| {
        let added = store.add_statistics(&id, hour, statistics).await;
        added.expect("answers");
    };
    for (id, before, statistics) in [
        (one, 3, &timed_out),
        (one, 2, &full),
        (one, 2, &timed_out),
        (one, 0, &timed_out),
        (other, 2, &timed_out),
        (one, 8 * 24, &timed_out),
    ] {
        add(id, hour(before), statistics).await;
    }
    let mut both = full.clone();
    both += &timed_out;
    let two = [(hour(2), both.clone()), (hour(0), timed_out.clone())];
    assert_eq!(read(one, hour(2), hour(0)).await, two.into());
    assert_eq!(read(one, hour(2), hour(1)).await, [(hour(2), both)].into());
    let of_other = read(other, hour(9), hour(0)).await;
    assert_eq!(of_other, [(hour(2), timed_out)].into());
    let all = read(one, hour(9 * 24), hour(0)).await;
    let hours: Vec<_> = all.into_keys().collect();
    assert_eq!(hours, [hour(3), hour(2), hour(0)], "one has expired");
}
