//! Statistics of attempts: an item for each subscription and hour, beside the limiter.
//!
//! | attribute | of [`Statistics`] |
//! |---|---|
//! | `n2xx`, `n4xx`, `nTimedOut`, … | the number of attempts with this outcome |
//! | `t0` to `t29` | the number of answers in this bucket of answer times |
//!
//! A count of zero has no attribute. A write adds to the counts, and creates the item. It always
//! costs one write unit, because the item stays below 1 KB.

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use webhooks_domain::ids::SubscriptionId;
use webhooks_domain::ports::{StatisticsTable, StoreError};
use webhooks_domain::statistics::{AnswerTime, Hour, OutcomeClass, Statistics};

use crate::DynamoStore;
use crate::key::{Key, PARTITION_KEY, SORT_KEY};
use crate::store::{
    AttributeMap, corrupt, key_text, left_out, number, text, to_attributes, unavailable,
};

const ADD: &str = "add to statistics";
const READ: &str = "read statistics";

impl StatisticsTable for DynamoStore {
    async fn add_statistics(
        &self,
        subscription: &SubscriptionId,
        hour: Hour,
        statistics: &Statistics,
    ) -> Result<(), StoreError> {
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::statistics(subscription, hour))))
            .expression_attribute_values(":expiresAt", number(hour.expires_at().as_secs()));
        let mut added = Vec::new();
        for (name, count) in counts(statistics) {
            let value = format!(":{name}");
            added.push(format!("{name} {value}"));
            update = update.expression_attribute_values(value, number(count));
        }
        let added = added.join(", ");
        update
            .update_expression(format!("SET expiresAt = :expiresAt ADD {added}"))
            .send()
            .await
            .map_err(|error| unavailable(ADD, error))?;
        Ok(())
    }

    async fn statistics(
        &self,
        subscription: &SubscriptionId,
        first: Hour,
        last: Hour,
    ) -> Result<BTreeMap<Hour, Statistics>, StoreError> {
        let [first, last] = [first, last].map(|hour| Key::statistics(subscription, hour));
        let mut items = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", AttributeValue::S(first.pk))
            .expression_attribute_values(":first", AttributeValue::S(first.sk))
            .expression_attribute_values(":last", AttributeValue::S(last.sk))
            .into_paginator()
            .items()
            .send();
        let mut found = BTreeMap::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| unavailable(READ, error))?;
            if self.is_in_force(&item)
                && let Some((hour, statistics)) = read(&item)?
            {
                found.insert(hour, statistics);
            }
        }
        Ok(found)
    }
}

/// The attributes with the counts.
fn counts(statistics: &Statistics) -> impl Iterator<Item = (String, u64)> {
    let outcomes = statistics.outcomes();
    let outcomes = outcomes.map(|(class, count)| (name(class).to_owned(), count));
    let times = statistics.answer_times();
    outcomes.chain(times.map(|(time, count)| (format!("t{}", time.index()), count)))
}

const fn name(class: OutcomeClass) -> &'static str {
    match class {
        OutcomeClass::Succeeded => "n2xx",
        OutcomeClass::Status3xx => "n3xx",
        OutcomeClass::Status4xx => "n4xx",
        OutcomeClass::Status5xx => "n5xx",
        OutcomeClass::OtherStatus => "nOther",
        OutcomeClass::TimedOut => "nTimedOut",
        OutcomeClass::Unreachable => "nUnreachable",
        OutcomeClass::Blocked => "nBlocked",
        OutcomeClass::NoToken => "nNoToken",
    }
}

/// Reads an item. `None` if it has no readable hour.
fn read(item: &AttributeMap) -> Result<Option<(Hour, Statistics)>, StoreError> {
    let key = Key {
        pk: text(item, PARTITION_KEY).to_owned(),
        sk: text(item, SORT_KEY).to_owned(),
    };
    let hour = match key.hour() {
        Ok(hour) => hour,
        Err(problem) => {
            left_out(&corrupt(&key_text(item), &problem));
            return Ok(None);
        }
    };
    let count = |name: &str| -> Result<u64, StoreError> {
        let Some(value) = item.get(name) else {
            return Ok(0);
        };
        let count = value.as_n().ok().and_then(|digits| digits.parse().ok());
        let problem = || corrupt(&key_text(item), &format!("{name}: is not a count"));
        count.ok_or_else(problem)
    };
    let outcomes = OutcomeClass::ALL.map(|class| Ok((class, count(name(class))?)));
    let outcomes = outcomes
        .into_iter()
        .collect::<Result<Vec<_>, StoreError>>()?;
    let times = (0..).map_while(AnswerTime::from_index);
    let times = times.map(|time| Ok((time, count(&format!("t{}", time.index()))?)));
    let times = times.collect::<Result<Vec<_>, StoreError>>()?;
    Ok(Some((hour, Statistics::from_counts(outcomes, times))))
}

#[cfg(test)]
mod tests {
    use serde_dynamo::Item;
    use webhooks_domain::statistics::Summary;
    use webhooks_testkit::samples;
    use webhooks_testkit::units::{READ_UNIT_BYTES, WRITE_UNIT_BYTES};

    use super::*;
    use crate::look_up_units::{Consistency, Partition};
    use crate::write_units::billed_bytes;

    /// An item with the given buckets of answer times and each outcome, all with this count.
    fn item(hour: Hour, buckets: std::ops::Range<u8>, count: u64) -> Item {
        let outcomes = OutcomeClass::ALL.map(|class| (class, count));
        let times = buckets.filter_map(AnswerTime::from_index);
        let statistics = Statistics::from_counts(outcomes, times.map(|time| (time, count)));
        let mut item = to_attributes(&Key::statistics(&samples::subscription_id(1), hour));
        item.insert("expiresAt".to_owned(), number(hour.expires_at().as_secs()));
        item.extend(counts(&statistics).map(|(name, count)| (name, number(count))));
        item.into()
    }

    #[test]
    fn the_statistics_of_an_hour_stay_within_one_write_unit() {
        let hour = Hour::of(samples::NOW);
        // More than ten times as many attempts as one item can count in an hour.
        let full = billed_bytes(item(hour, 0..AnswerTime::BUCKETS, 999_999_999_999));
        let usual = billed_bytes(item(hour, 14..20, 9_999));
        println!("statistics of an hour: {usual} bytes with six buckets, at most {full}");
        assert!(full <= WRITE_UNIT_BYTES, "{full} bytes");
    }

    #[test]
    fn a_count_that_is_no_number_is_named() {
        let mut item: AttributeMap = item(Hour::of(samples::NOW), 3..4, 7).into();
        assert!(read(&item).unwrap().is_some());
        item.insert("t3".to_owned(), AttributeValue::S("7".to_owned()));
        let error = read(&item).unwrap_err().to_string();
        assert!(error.contains("t3: is not a count"), "{error}");
    }

    #[tokio::test]
    async fn a_summary_is_one_query_that_reads_less_than_a_unit_for_each_hour() {
        let now = samples::NOW;
        let (first, last) = (Summary::first_hour(now), Hour::of(now));
        for (buckets, units) in [(14..20, 6), (0..AnswerTime::BUCKETS, 12)] {
            let items = first.to(last);
            let partition = Partition::of(items.map(|hour| item(hour, buckets.clone(), 9_999_999)))
                .reading(Consistency::Eventual);
            let store = partition.store().standing_at(now);
            let subscription = samples::subscription_id(1);
            let read = store.statistics(&subscription, first, last).await.unwrap();
            assert_eq!(read.len(), Summary::MAX_HOURS);
            let queries = partition.queries();
            let [bytes] = queries[..] else {
                panic!("{queries:?}");
            };
            // An eventually consistent read costs half a unit for each 4 KB.
            let half_units = bytes.div_ceil(READ_UNIT_BYTES);
            println!(
                "{} hours: {bytes} bytes, {half_units} half read units",
                read.len()
            );
            assert!(half_units.div_ceil(2) <= units, "{half_units}");
        }
    }
}
