//! Subscriptions: by key, and in pages by customer.
//!
//! Creations, changes and deletions are transactions: they also update the customer's usage, and a
//! creation writes the record of its idempotency key.

use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};
use webhooks_domain::broken::Broken;
use webhooks_domain::health::Health;
use webhooks_domain::idempotency::{IdempotencyKey, IdempotencyRecord};
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::ports::{
    Creation, CreationOutcome, HealthFate, Replacement, ReplacementOutcome, StoreError,
    SubscriptionStore, SubscriptionTable, WriteOutcome,
};
use webhooks_domain::quota::Usage;
use webhooks_domain::subscription::{
    BrokenSubscription, CertificateWarned, DisabledReason, FormerRequests, Subscription,
    SubscriptionPage, SubscriptionStatus,
};
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::due_index::SHARD_OF_SUBSCRIPTIONS;
use crate::idempotency::record_of;
use crate::item::{HealthItem, SubscriptionItem, UNHEALTHY};
use crate::key::{Key, SUBSCRIPTION_PREFIX, customer_partition};
use crate::lenient::{read, whole};
use crate::store::{
    ABSENT, AttributeMap, PRESENT, left_out, number, query_some, to_attributes, unavailable,
    write_outcome,
};
use crate::transaction::built;
use crate::usage::counted;

/// The number of tries of a replacement while the health of the endpoint changes concurrently.
const MAX_REPLACEMENTS: u32 = 4;

impl SubscriptionTable for DynamoStore {
    async fn get(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<Option<Subscription>, StoreError> {
        if let Some(loaders) = &self.loaders {
            return self.get_batched(loaders, customer, id).await;
        }
        let key = Key::subscription(customer, id);
        let item = self.get_attributes(key, "get subscription").await?;
        item.map(whole).transpose()
    }

    async fn broken(
        &self,
        customer: &CustomerId,
        id: &SubscriptionId,
    ) -> Result<Option<BrokenSubscription>, StoreError> {
        let key = Key::subscription(customer, id);
        let item = self.get_attributes(key, "get broken subscription").await?;
        Ok(item
            .map(read)
            .transpose()?
            .and_then(Result::err)
            .map(|broken| *broken))
    }

    async fn page(
        &self,
        customer: &CustomerId,
        after: Option<&SubscriptionId>,
        limit: u32,
    ) -> Result<SubscriptionPage, StoreError> {
        let start = after.map(|id| to_attributes(&Key::subscription(customer, id)));
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :customer AND begins_with(sk, :prefix)")
            .expression_attribute_values(
                ":customer",
                AttributeValue::S(customer_partition(customer)),
            )
            .expression_attribute_values(
                ":prefix",
                AttributeValue::S(SUBSCRIPTION_PREFIX.to_owned()),
            )
            .consistent_read(true)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX));
        let mut unnamed = Vec::new();
        let named = |item| {
            let read = read(item).inspect_err(|error| {
                left_out(error);
                unnamed.extend(unnamed_subscription(error));
            });
            read.ok()
        };
        let (found, has_more) = query_some(query, start, named)
            .await
            .map_err(|error| unavailable("list subscriptions", error))?;
        let (mut subscriptions, mut broken) = (Vec::new(), Vec::new());
        for subscription in found {
            match subscription {
                Ok(whole) => subscriptions.push(whole),
                Err(part) => broken.push(*part),
            }
        }
        Ok(SubscriptionPage {
            subscriptions,
            broken,
            unnamed,
            has_more,
        })
    }

    async fn change_health(
        &self,
        read: &Subscription,
        health: &Health,
    ) -> Result<WriteOutcome, StoreError> {
        let update = self
            .update_if_health_is(read, "#url = :url AND #status <> :disabled")
            .expression_attribute_names("#url", "url")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":url", AttributeValue::S(read.url.as_str().to_owned()))
            .expression_attribute_values(":disabled", disabled());
        let update = match health_value(health) {
            None => update.update_expression("REMOVE health, owedTo, dueShard, sweepAt"),
            Some(value) => update
                .expression_attribute_values(":health", value)
                .expression_attribute_values(":unhealthy", unhealthy()),
        };
        let update = match health.hold {
            Some(hold) => update
                .update_expression(
                    "SET health = :health, owedTo = :unhealthy, dueShard = :shard, sweepAt = :check",
                )
                .expression_attribute_values(":shard", number(SHARD_OF_SUBSCRIPTIONS))
                .expression_attribute_values(":check", number(hold.check_at.as_millis())),
            None if *health == Health::default() => update,
            None => update.update_expression(
                "SET health = :health, owedTo = :unhealthy REMOVE dueShard, sweepAt",
            ),
        };
        write_outcome(update.send().await, "change health of subscription")
    }

    async fn disable(
        &self,
        read: &Subscription,
        reason: DisabledReason,
        now: Timestamp,
    ) -> Result<WriteOutcome, StoreError> {
        let warned_at = read.disabled_warned_after(now);
        let result = self
            .update_if_health_is(read, "version = :read")
            .update_expression(
                "SET #status = :disabled, disabledReason = :reason, disabledAt = :now, \
                 disabledWarnedAt = :warned, updatedAt = :now, version = :next, owedTo = :unhealthy \
                 REMOVE dueShard, sweepAt",
            )
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":disabled", disabled())
            .expression_attribute_values(":unhealthy", unhealthy())
            .expression_attribute_values(":reason", AttributeValue::S(reason.as_str().to_owned()))
            .expression_attribute_values(":now", number(now.as_millis()))
            .expression_attribute_values(":warned", number(warned_at.as_millis()))
            .expression_attribute_values(":next", number(read.version + 1))
            .expression_attribute_values(":read", number(read.version))
            .send()
            .await;
        write_outcome(result, "disable subscription")
    }

    async fn note_certificate_warning(
        &self,
        read: &Subscription,
        warned: CertificateWarned,
    ) -> Result<WriteOutcome, StoreError> {
        let key = Key::subscription(&read.customer_id, &read.id);
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&key)))
            .update_expression("SET certificateWarnedAt = :at, certificateWarnedOf = :end")
            .expression_attribute_values(":at", number(warned.at.as_millis()))
            .expression_attribute_values(":end", number(warned.not_after.as_millis()))
            .expression_attribute_values(":version", number(read.version));
        let update = match read.certificate_warned {
            Some(last) => update
                .condition_expression("version = :version AND certificateWarnedAt = :last")
                .expression_attribute_values(":last", number(last.at.as_millis())),
            None => update.condition_expression(
                "version = :version AND attribute_not_exists(certificateWarnedAt)",
            ),
        };
        write_outcome(update.send().await, "note certificate warning")
    }
}

impl SubscriptionStore for DynamoStore {
    async fn insert(&self, creation: &Creation<'_>) -> Result<CreationOutcome, StoreError> {
        const OPERATION: &str = "insert subscription";
        let subscription = creation.subscription;
        let customer = &subscription.customer_id;
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(to_attributes(&SubscriptionItem::from(subscription))))
            .condition_expression(ABSENT);
        let growth = self.grow_usage(customer, Usage::of(subscription), creation.quota);
        let mut writes = vec![put_item(put)];
        writes.extend(growth);
        let record_at = writes.len();
        writes.extend(
            creation
                .record
                .map(|record| self.put_record(record, creation.deleted)),
        );
        let Some(mut refusals) = self.transact(writes, OPERATION).await? else {
            return Ok(CreationOutcome::Created);
        };
        if let Some(record) = creation.record
            && let Some(found) = refusals.remove(&record_at)
        {
            let found = record_of(customer, &record.key, found)?;
            return Ok(CreationOutcome::KeyInUse(found));
        }
        if refusals.contains_key(&0) {
            return Ok(CreationOutcome::AlreadyThere);
        }
        let refused = refusals.into_values().next().unwrap_or_default();
        Ok(CreationOutcome::Refused(counted(&refused)))
    }

    async fn idempotency_record(
        &self,
        customer: &CustomerId,
        key: &IdempotencyKey,
    ) -> Result<Option<IdempotencyRecord>, StoreError> {
        let item = Key::idempotency(customer, key);
        let item = self.get_attributes(item, "read an idempotency key").await?;
        item.map(|item| record_of(customer, key, item)).transpose()
    }

    async fn replace(
        &self,
        replacement: &Replacement<'_>,
    ) -> Result<ReplacementOutcome, StoreError> {
        const OPERATION: &str = "replace subscription";
        let &Replacement { read, changed, .. } = replacement;
        let growth = Usage::of(changed) - Usage::of(read);
        let mut written = changed.clone();
        if replacement.health == HealthFate::Kept {
            written.health = read.health;
        }
        // A put also writes the health, so a health that is kept must equal the stored one.
        for _ in 0..MAX_REPLACEMENTS {
            let mut writes = vec![self.put_over(&written, read.version, replacement.health)];
            writes.extend(self.grow_usage(&read.customer_id, growth, replacement.quota));
            writes.extend(replacement.former.map(|former| self.put_former(former)));
            let Some(mut refusals) = self.transact(writes, OPERATION).await? else {
                return Ok(ReplacementOutcome::Written);
            };
            if refusals.remove(&0).is_none() {
                let refused = refusals.into_values().next().unwrap_or_default();
                return Ok(ReplacementOutcome::Refused(counted(&refused)));
            }
            let Some(stored) = self.get(&read.customer_id, &read.id).await? else {
                return Ok(ReplacementOutcome::Conflict);
            };
            // This write was repeated, because its response was lost.
            let health = stored.health;
            if (Subscription {
                health,
                ..written.clone()
            }) == stored
            {
                return Ok(ReplacementOutcome::Written);
            }
            if stored.version != read.version {
                return Ok(ReplacementOutcome::Conflict);
            }
            if replacement.health == HealthFate::Kept {
                written.health = health;
            }
        }
        Ok(ReplacementOutcome::Conflict)
    }

    async fn remove(
        &self,
        read: &Subscription,
        former: Option<&FormerRequests>,
    ) -> Result<WriteOutcome, StoreError> {
        const OPERATION: &str = "remove subscription";
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::subscription(
                &read.customer_id,
                &read.id,
            ))))
            .condition_expression(version_is(read.version))
            .set_expression_attribute_values(version_value(read.version));
        let delete = TransactWriteItem::builder().delete(built(delete.build()));
        let mut writes = vec![delete.build()];
        writes.extend(former.map(|former| self.put_former(former)));
        writes.extend(self.delete_token(read));
        let without_usage = writes.len();
        let freed = Usage::default() - Usage::of(read);
        writes.extend(self.shrink_usage(&read.customer_id, freed));
        let refusals = self.transact(writes.clone(), OPERATION).await?;
        let refusals = match refusals {
            // The customer does not exist, so there is no usage.
            Some(refusals) if !refusals.contains_key(&0) => {
                writes.truncate(without_usage);
                self.transact(writes, OPERATION).await?
            }
            refusals => refusals,
        };
        Ok(match refusals {
            None => WriteOutcome::Written,
            Some(_) => WriteOutcome::Conflict,
        })
    }

    async fn correct_usage(
        &self,
        customer: &CustomerId,
        counted: Usage,
        actual: Usage,
    ) -> Result<WriteOutcome, StoreError> {
        self.set_usage(customer, counted, actual).await
    }
}

/// The condition that the stored version is this one. The version of a broken subscription may be
/// unreadable, and then counts as 0: in this case the subscription must only exist.
fn version_is(version: u64) -> &'static str {
    match version {
        0 => PRESENT,
        _ => "version = :read",
    }
}

fn version_value(version: u64) -> Option<AttributeMap> {
    (version > 0).then(|| AttributeMap::from([(":read".to_owned(), number(version))]))
}

fn put_item(put: PutBuilder) -> TransactWriteItem {
    TransactWriteItem::builder().put(built(put.build())).build()
}

impl DynamoStore {
    /// Puts a subscription over one with this version and, if the health is kept, with the same
    /// health.
    fn put_over(
        &self,
        subscription: &Subscription,
        version: u64,
        health: HealthFate,
    ) -> TransactWriteItem {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(to_attributes(&SubscriptionItem::from(subscription))))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::None)
            .set_expression_attribute_values(version_value(version));
        let as_read = version_is(version);
        let put = match (health, health_condition(&subscription.health)) {
            (HealthFate::Replaced, _) => put.condition_expression(as_read),
            (HealthFate::Kept, (health_as_read, value)) => {
                let put = put.condition_expression(format!("{as_read} AND {health_as_read}"));
                match value {
                    Some(value) => put.expression_attribute_values(READ_HEALTH, value),
                    None => put,
                }
            }
        };
        put_item(put)
    }

    /// An update of a subscription whose health has not changed since it was read, with one more
    /// condition.
    fn update_if_health_is(&self, read: &Subscription, condition: &str) -> UpdateItemFluentBuilder {
        let (health_as_read, health) = health_condition(&read.health);
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::subscription(
                &read.customer_id,
                &read.id,
            ))))
            .condition_expression(format!("{condition} AND {health_as_read}"));
        match health {
            Some(health) => update.expression_attribute_values(READ_HEALTH, health),
            None => update,
        }
    }
}

fn disabled() -> AttributeValue {
    AttributeValue::S(SubscriptionStatus::Disabled.as_str().to_owned())
}

/// The entry of an unhealthy subscription in the index `undelivered`.
fn unhealthy() -> AttributeValue {
    AttributeValue::S(UNHEALTHY.to_owned())
}

/// The value that [`health_condition`] uses.
const READ_HEALTH: &str = ":readHealth";

/// The condition that the stored health is this one, with its value if there is one.
fn health_condition(read: &Health) -> (String, Option<AttributeValue>) {
    match health_value(read) {
        None => ("attribute_not_exists(health)".to_owned(), None),
        Some(value) => (format!("health = {READ_HEALTH}"), Some(value)),
    }
}

/// The stored form of an endpoint's health. A healthy endpoint has none.
fn health_value(health: &Health) -> Option<AttributeValue> {
    HealthItem::of(health).map(|item| AttributeValue::M(to_attributes(&item)))
}

/// The entry for an item without a readable subscription id.
fn unnamed_subscription(error: &StoreError) -> Option<Broken<String>> {
    let StoreError::Corrupt { key, problem } = error else {
        return None;
    };
    let (_, id) = key.split_once(SUBSCRIPTION_PREFIX)?;
    Some(Broken {
        id: id.to_owned(),
        customer_id: None,
        problem: format!(
            "{problem}: only an operator with write access to the table can repair or delete it"
        ),
    })
}
