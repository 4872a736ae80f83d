//! The stack's table: its indexes and its items.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use webhooks_testkit::units::{Index, Item, Projection};

use super::key::Key;
use crate::{
    read_units::item,
    stack::{Aws, Deployment, Service},
};

/// The table, read without the proxy.
pub(super) struct Table {
    access: Option<(Aws, String)>,
    pub(super) indexes: Vec<Index>,
}

impl Table {
    /// Reads the definitions of the indexes.
    pub(super) async fn describe(deployment: &Deployment) -> Result<Self> {
        let aws = deployment.aws.clone();
        let name = deployment.stack.output("TableName")?.to_owned();
        let query = json!({"TableName": name});
        let described = aws.call(Service::DynamoDb, "DescribeTable", &query).await?;
        let table = &described["Table"];
        let table_key = key_names(&table["KeySchema"])?;
        let indexes = table["GlobalSecondaryIndexes"].as_array();
        let indexes = indexes.context("no indexes")?;
        Ok(Self {
            indexes: indexes
                .iter()
                .map(|index| read_index(index, &table_key))
                .collect::<Result<_>>()?,
            access: Some((aws, name)),
        })
    }

    /// Reads the present state of an item.
    pub(super) async fn item(&self, key: &Key) -> Result<Option<Item>> {
        let (aws, name) = self.access.as_ref().context("no table")?;
        let query = json!({"TableName": name, "Key": key.json(), "ConsistentRead": true});
        let found = aws.call(Service::DynamoDb, "GetItem", &query).await?;
        item(&found["Item"])
    }
}

fn read_index(index: &Value, table_key: &[String]) -> Result<Index> {
    let projection = &index["Projection"];
    Ok(Index {
        key: key_names(&index["KeySchema"])?,
        table_key: table_key.to_vec(),
        projection: match projection["ProjectionType"].as_str() {
            Some("ALL") => Projection::All,
            Some("KEYS_ONLY") => Projection::Only(Vec::new()),
            Some("INCLUDE") => Projection::Only(serde_json::from_value(
                projection["NonKeyAttributes"].clone(),
            )?),
            _ => bail!("an index without a projection: {index}"),
        },
    })
}

fn key_names(schema: &Value) -> Result<Vec<String>> {
    let parts = schema.as_array().context("no key schema")?;
    let name = |part: &Value| part["AttributeName"].as_str().map(str::to_owned);
    parts
        .iter()
        .map(|part| name(part).context("a key without a name"))
        .collect()
}

#[cfg(test)]
impl Table {
    pub(super) fn without_indexes() -> Self {
        Self {
            access: None,
            indexes: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_read_from_its_definition() {
        let index = json!({
            "IndexName": "due",
            "KeySchema": [
                {"AttributeName": "dueShard", "KeyType": "HASH"},
                {"AttributeName": "sweepAt", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["nextAttempt"]},
        });
        let read = read_index(&index, &["pk".to_owned()]).unwrap();
        assert_eq!(read.key, ["dueShard", "sweepAt"]);
        let included = Projection::Only(vec!["nextAttempt".to_owned()]);
        assert_eq!(read.projection, included);
    }
}
