//! The records of access tokens: one item for each subscription that needs them.
//!
//! No index has them, and the token is encrypted. Each change is one conditional update, and costs
//! the size of the token, once for the lease and once for the token: usually two or three write
//! units for each token. Only the first lease is a transaction, which also checks that the subscription
//! exists. It costs two write units for each kilobyte of the subscription more, once for each record.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Delete, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
    Update,
};
use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use webhooks_domain::ids::{CustomerId, SubscriptionId};
use webhooks_domain::outbound::{
    FailedTokenRequest, SealedToken, TokenGeneration, TokenLease, TokenLife, TokenRecord,
};
use webhooks_domain::ports::{StoreError, TokenStore, WriteOutcome};
use webhooks_domain::subscription::Subscription;
use webhooks_domain::timestamp::Timestamp;

use crate::DynamoStore;
use crate::key::Key;
use crate::store::{
    ABSENT_OR_EXPIRED, AttributeMap, NOW, PRESENT, into_domain, left_out, text, to_attributes,
    unavailable,
};
use crate::transaction::built;

/// A record, without its key. Numbers of 64 bits are texts: a number of the table is exact only to
/// 38 digits, but a client may read it as a float.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenAttributes {
    generation: ByteBuf,
    revision: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<TokenAttribute>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<LeaseAttribute>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<FailureAttribute>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renewed_at: Option<Timestamp>,
    expires_at: i64,
}

#[derive(Serialize, Deserialize)]
struct TokenAttribute {
    number: String,
    sealed: ByteBuf,
    from: Timestamp,
    end: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct LeaseAttribute {
    since: Timestamp,
    until: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct FailureAttribute {
    at: Timestamp,
    error: String,
}

impl From<&TokenRecord> for TokenAttributes {
    fn from(record: &TokenRecord) -> Self {
        Self {
            generation: record.generation.as_bytes().to_vec().into(),
            revision: record.revision.to_string(),
            token: record.token.as_ref().map(|token| TokenAttribute {
                number: token.number.to_string(),
                sealed: token.sealed.clone().into(),
                from: token.life.from,
                end: token.life.end,
            }),
            lease: record.lease.map(|lease| LeaseAttribute {
                since: lease.since,
                until: lease.until,
            }),
            failure: record.failure.as_ref().map(|failure| FailureAttribute {
                at: failure.at,
                error: failure.error.clone(),
            }),
            renewed_at: record.renewed_at,
            expires_at: record.expires_at().as_secs(),
        }
    }
}

impl TryFrom<TokenAttributes> for TokenRecord {
    type Error = String;

    fn try_from(item: TokenAttributes) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u64>().map_err(|error| error.to_string());
        let generation = item.generation.into_vec().try_into();
        let generation = generation.map_err(|_| "generation: has another length")?;
        let token = item.token.map(|token| {
            Ok::<_, String>(SealedToken {
                number: number(&token.number)?,
                sealed: token.sealed.into_vec(),
                life: TokenLife {
                    from: token.from,
                    end: token.end,
                },
            })
        });
        Ok(Self {
            generation: TokenGeneration::from_bytes(generation),
            revision: number(&item.revision)?,
            token: token.transpose()?,
            lease: item.lease.map(|lease| TokenLease {
                since: lease.since,
                until: lease.until,
            }),
            failure: item.failure.map(|failure| FailedTokenRequest {
                at: failure.at,
                error: failure.error,
            }),
            renewed_at: item.renewed_at,
        })
    }
}

/// The attributes of a record that may be absent.
const OPTIONAL: [&str; 4] = ["token", "lease", "failure", "renewedAt"];

/// The update that makes an item equal to a record: its expression, its names and its values.
/// Some of the names are reserved words.
fn replacement(record: &TokenRecord) -> (String, Vec<(String, String)>, AttributeMap) {
    let attributes = to_attributes(&TokenAttributes::from(record));
    let removed = OPTIONAL.into_iter();
    let removed = removed.filter(|name| !attributes.contains_key(*name));
    let removed: Vec<_> = removed.map(|name| format!("#{name}")).collect();
    let mut set: Vec<_> = attributes.keys().cloned().collect();
    set.sort_unstable();
    let assignments: Vec<_> = set
        .iter()
        .map(|name| format!("#{name} = :{name}"))
        .collect();
    let mut expression = format!("SET {}", assignments.join(", "));
    if !removed.is_empty() {
        expression = format!("{expression} REMOVE {}", removed.join(", "));
    }
    let removed = removed.iter().map(|name| name[1..].to_owned());
    let names = set.into_iter().chain(removed);
    let names = names.map(|name| (format!("#{name}"), name)).collect();
    let values = attributes.into_iter();
    let values = values.map(|(name, value)| (format!(":{name}"), value));
    (expression, names, values.collect())
}

impl TokenStore for DynamoStore {
    async fn token_record(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
    ) -> Result<Option<TokenRecord>, StoreError> {
        let key = Key::token(customer, subscription);
        let item = self.get_attributes(key, "get access token").await?;
        Ok(item.and_then(|item| {
            let revision = text(&item, "revision").parse().ok();
            let record = into_domain::<TokenAttributes, TokenRecord>(item);
            let record = record.inspect_err(left_out);
            record.ok().or_else(|| revision.map(TokenRecord::blank))
        }))
    }

    async fn replace_token_record(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        read: Option<u64>,
        record: &TokenRecord,
    ) -> Result<WriteOutcome, StoreError> {
        const OPERATION: &str = "replace access token";
        let Some(read) = read else {
            return self.add_token_record(customer, subscription, record).await;
        };
        let (expression, names, mut values) = replacement(record);
        values.insert(":read".to_owned(), AttributeValue::S(read.to_string()));
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::token(customer, subscription))))
            .update_expression(expression)
            .condition_expression("#revision = :read")
            .set_expression_attribute_names(Some(names.into_iter().collect()))
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = result else {
            return Ok(WriteOutcome::Written);
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Ok(refused(failed.item.as_ref(), record))
            }
            _ => Err(unavailable(OPERATION, error)),
        }
    }
}

/// The outcome of a write that was refused because of this item. It is written if it was repeated,
/// because its response was lost.
fn refused(actual: Option<&AttributeMap>, record: &TokenRecord) -> WriteOutcome {
    let revision = record.revision.to_string();
    match actual.map(|item| text(item, "revision")) {
        Some(actual) if actual == revision => WriteOutcome::Written,
        _ => WriteOutcome::Conflict,
    }
}

impl DynamoStore {
    /// Writes a record where there is none, if its subscription still exists: an attempt may have read
    /// the subscription before it was deleted, and nobody would delete the record.
    async fn add_token_record(
        &self,
        customer: &CustomerId,
        subscription: &SubscriptionId,
        record: &TokenRecord,
    ) -> Result<WriteOutcome, StoreError> {
        let (expression, names, mut values) = replacement(record);
        values.insert(NOW.to_owned(), self.now_secs());
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&Key::token(customer, subscription))))
            .update_expression(expression)
            .condition_expression(ABSENT_OR_EXPIRED)
            .set_expression_attribute_names(Some(names.into_iter().collect()))
            .set_expression_attribute_values(Some(values))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let key = Key::subscription(customer, subscription);
        let exists = ConditionCheck::builder()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&key)))
            .condition_expression(PRESENT);
        let update = TransactWriteItem::builder().update(built(update.build()));
        let exists = TransactWriteItem::builder().condition_check(built(exists.build()));
        let writes = vec![update.build(), exists.build()];
        let refusals = self.transact(writes, "add access token").await?;
        Ok(refusals.map_or(WriteOutcome::Written, |refusals| {
            refused(refusals.get(&0), record)
        }))
    }

    /// The part of a transaction that deletes the access token of a subscription, if it may have
    /// one.
    pub(crate) fn delete_token(&self, subscription: &Subscription) -> Option<TransactWriteItem> {
        let authentication = subscription.authentication.as_ref()?;
        authentication.authentication.oauth2()?;
        let key = Key::token(&subscription.customer_id, &subscription.id);
        let delete = Delete::builder()
            .table_name(&self.table)
            .set_key(Some(to_attributes(&key)));
        let delete = TransactWriteItem::builder().delete(built(delete.build()));
        Some(delete.build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::from_attributes;
    use crate::write_units::billed_bytes;
    use webhooks_testkit::samples;

    #[test]
    fn a_record_is_read_back_and_is_in_no_index() {
        let whole = samples::token_record(1);
        let least = TokenRecord {
            token: None,
            lease: None,
            failure: None,
            renewed_at: None,
            ..whole.clone()
        };
        for record in [whole, least] {
            let item = to_attributes(&TokenAttributes::from(&record));
            for attribute in [
                "createdAt",
                "receivedAt",
                "owedTo",
                "dueShard",
                "customerId",
            ] {
                assert!(!item.contains_key(attribute), "{attribute}");
            }
            let read: TokenAttributes = from_attributes(item).unwrap();
            assert_eq!(TokenRecord::try_from(read), Ok(record));
        }
    }

    /// A lease and a token cost a write each, by the size of the token.
    #[test]
    fn a_token_of_a_kilobyte_costs_two_write_units() {
        let units = |bytes: Option<usize>| {
            let mut record = samples::token_record(u64::MAX);
            record.token = record.token.zip(bytes).map(|(token, bytes)| SealedToken {
                sealed: vec![9; bytes + 28],
                ..token
            });
            let mut item = to_attributes(&TokenAttributes::from(&record));
            let customer = "c".repeat(64).parse().unwrap();
            item.extend(to_attributes(&Key::token(
                &customer,
                &samples::subscription_id(1),
            )));
            billed_bytes(item.into()).div_ceil(1_024)
        };
        assert_eq!(units(None), 1);
        assert_eq!(units(Some(300)), 1);
        assert_eq!(units(Some(1_024)), 2);
        assert_eq!(units(Some(8_192)), 9);
    }

    #[test]
    fn a_replacement_sets_or_removes_every_attribute() {
        let record = TokenRecord {
            lease: None,
            renewed_at: None,
            ..samples::token_record(1)
        };
        let (expression, names, values) = replacement(&record);
        assert_eq!(
            expression,
            "SET #expiresAt = :expiresAt, #failure = :failure, #generation = :generation, \
             #revision = :revision, #token = :token REMOVE #lease, #renewedAt"
        );
        assert_eq!((names.len(), values.len()), (7, 5));
    }
}
