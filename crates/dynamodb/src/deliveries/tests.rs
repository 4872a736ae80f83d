//! The attributes of a resend.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::config::{BehaviorVersion, Config};
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::{Client, config::Region};
use webhooks_domain::delivery::{Delivery, DeliveryStatus, FailureReason};
use webhooks_domain::due::{LongestQueueDelay, NextAttempt};
use webhooks_testkit::samples;

use super::RESEND_ATTRIBUTES;
use crate::DynamoStore;

/// The attributes that an update names, as IAM sees them (`dynamodb:Attributes`).
fn attributes_of(update: &UpdateItemFluentBuilder) -> BTreeSet<String> {
    let expressions = [
        update.get_update_expression(),
        update.get_condition_expression(),
    ];
    let text = expressions.map(|text| text.clone().unwrap()).join(" ");
    let names = update.get_expression_attribute_names().clone();
    let names = names.unwrap_or_default();
    let words = text.split(|c: char| !c.is_alphanumeric() && !"#:_".contains(c));
    let words = words.filter(|word| !word.is_empty() && !word.starts_with(':'));
    let syntax = ["SET", "REMOVE", "AND", "size", "attribute_not_exists"];
    let words = words.filter(|word| !syntax.contains(word));
    let attributes = words.map(|word| names.get(word).cloned().unwrap_or(word.to_owned()));
    attributes
        .chain(update.get_key().clone().unwrap().into_keys())
        .collect()
}

#[test]
fn a_resend_uses_the_attributes_that_the_portal_may_use() {
    let region = Region::new("us-east-1");
    let config = Config::builder().behavior_version(BehaviorVersion::latest());
    let client = Client::from_conf(config.region(region).build());
    let store = DynamoStore::new(client, "table".to_owned());
    let message = samples::message("acme", "event");
    let next = NextAttempt::plan(samples::NOW, samples::NOW, LongestQueueDelay::MAX);
    let mut used = BTreeSet::new();
    for attempts in [Vec::new(), vec![samples::failed_attempt(1)]] {
        let delivery = Delivery {
            status: DeliveryStatus::Failed(FailureReason::AttemptsExhausted),
            attempts,
            ..samples::delivery(&message, samples::subscription_id(1))
        };
        let reopening = delivery.reopen(&message, next).unwrap();
        used.extend(attributes_of(&store.reopening(&reopening)));
        let due = reopening.due();
        used.extend(attributes_of(&store.postponing(&due, samples::NOW)));
    }
    assert_eq!(used, RESEND_ATTRIBUTES.map(str::to_owned).into());
}
