//! The stub's table: items, queries of the table and of its indexes, and updates.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use super::{
    TABLE,
    query::{KeyCondition, SortKey, sort_key},
    update,
};

/// The largest answer to one query (DynamoDB's limit).
const MAX_QUERY_BYTES: usize = 1_048_576;

/// An index. Its entries have its keys, the table's keys and the projected attributes.
struct Index {
    name: &'static str,
    partition: &'static str,
    sort: &'static str,
    projected: &'static [&'static str],
}

/// The indexes of template.yaml.
const INDEXES: [Index; 4] = [
    Index {
        name: "due",
        partition: "dueShard",
        sort: "sweepAt",
        projected: &["nextAttempt", "nextAttemptAt", "customerId", "expiresAt"],
    },
    Index {
        name: "deliveries",
        partition: "sk",
        sort: "createdAt",
        projected: &["eventType"],
    },
    Index {
        name: "undelivered",
        partition: "owedTo",
        sort: "createdAt",
        projected: &["eventType"],
    },
    Index {
        name: "messages",
        partition: "customerId",
        sort: "receivedAt",
        projected: &["eventType", "time", "expiresAt"],
    },
];

impl Index {
    /// Returns the place of an item: its partition and its sort key. `None` if it is not in the index.
    fn place(&self, item: &Value) -> Option<(String, SortKey)> {
        let partition = item.get(self.partition)?.to_string();
        Some((partition, sort_key(item.get(self.sort)?)))
    }

    fn entry(&self, item: &Value) -> Value {
        let keys = ["pk", "sk", self.partition, self.sort];
        only(item, keys.iter().chain(self.projected))
    }
}

type Key = (String, String);

/// The items, by their keys.
#[derive(Debug, Default)]
pub(super) struct Table {
    items: BTreeMap<Key, Value>,
    /// The keys of the items in each index, by its partitions.
    indexed: [BTreeMap<String, BTreeSet<(SortKey, Key)>>; INDEXES.len()],
    /// True if updates are applied.
    pub(super) keeps_updates: bool,
}

impl Table {
    /// Answers a call. `None` for an operation that is not one of the table.
    pub(super) fn answer(&mut self, operation: &str, call: &Value) -> Result<Option<Value>> {
        let answer = match operation {
            "GetItem" => {
                let item = self.items.get(&key(&call["Key"])?);
                item.map_or_else(|| json!({}), |item| json!({ "Item": item }))
            }
            "BatchGetItem" => self.batch_get(&call["RequestItems"])?,
            "PutItem" => {
                self.put(call["Item"].clone())?;
                json!({})
            }
            "TransactWriteItems" => self.transact(&call["TransactItems"])?,
            "UpdateItem" if self.keeps_updates => self.update(call)?,
            "UpdateItem" => json!({}),
            "Query" => self.query(call)?,
            _ => return Ok(None),
        };
        Ok(Some(answer))
    }

    pub(super) fn put(&mut self, item: Value) -> Result<()> {
        let key = key(&item)?;
        self.remove(&key);
        for (index, partitions) in INDEXES.iter().zip(&mut self.indexed) {
            if let Some((partition, sort)) = index.place(&item) {
                let entries = partitions.entry(partition).or_default();
                entries.insert((sort, key.clone()));
            }
        }
        self.items.insert(key, item);
        Ok(())
    }

    fn remove(&mut self, key: &Key) -> Option<Value> {
        let item = self.items.remove(key)?;
        for (index, partitions) in INDEXES.iter().zip(&mut self.indexed) {
            if let Some((partition, sort)) = index.place(&item)
                && let Some(entries) = partitions.get_mut(&partition)
            {
                entries.remove(&(sort, key.clone()));
            }
        }
        Some(item)
    }

    fn transact(&mut self, writes: &Value) -> Result<Value> {
        for write in writes.as_array().context("no writes")? {
            if let Some(put) = write.get("Put") {
                self.put(put["Item"].clone())?;
            }
            if let Some(update) = write.get("Update").filter(|_| self.keeps_updates) {
                self.update(update)?;
            }
        }
        Ok(json!({}))
    }

    fn update(&mut self, call: &Value) -> Result<Value> {
        let item = self.remove(&key(&call["Key"])?);
        let mut item = item.unwrap_or_else(|| call["Key"].clone());
        update::apply(&mut item, call)?;
        let answer = json!({ "Attributes": item });
        self.put(item)?;
        Ok(answer)
    }

    fn batch_get(&self, tables: &Value) -> Result<Value> {
        let keys = tables[TABLE]["Keys"].as_array();
        let keys = keys.context("no keys of the table")?;
        let mut found = Vec::with_capacity(keys.len());
        for wanted in keys {
            found.extend(self.items.get(&key(wanted)?).cloned());
        }
        Ok(json!({"Responses": {TABLE: found}, "UnprocessedKeys": {}}))
    }

    /// Queries one partition of the table or of an index. Filters are ignored.
    fn query(&self, call: &Value) -> Result<Value> {
        let condition = KeyCondition::of(call)?;
        let index = match call["IndexName"].as_str() {
            Some(name) => {
                let place = INDEXES.iter().position(|index| index.name == name);
                Some(place.with_context(|| format!("no index `{name}`"))?)
            }
            None => None,
        };
        let mut selected: Vec<(&Key, &Value)> = match index {
            Some(place) => self.entries(place, &condition),
            None => self.partition(&condition),
        };
        let index = index.map(|place| &INDEXES[place]);
        let [partition, sort] = index.map_or(["pk", "sk"], |index| [index.partition, index.sort]);
        selected.retain(|(_, item)| condition.selects(&item[sort]));
        if call["ScanIndexForward"] == false {
            selected.reverse();
        }
        let start = call.get("ExclusiveStartKey").map(key).transpose()?;
        let start = start.map_or(0, |start| {
            let before = selected.iter().position(|(key, _)| **key == start);
            before.map_or(selected.len(), |place| place + 1)
        });
        let limit = call["Limit"].as_u64().unwrap_or(u64::MAX);
        let mut answer = Map::new();
        let mut found: Vec<Value> = Vec::new();
        let mut bytes = 0;
        for (_, item) in &selected[start..] {
            if found.len() as u64 == limit || bytes > MAX_QUERY_BYTES {
                let (_, last) = selected[start + found.len() - 1];
                let place = only(last, &["pk", "sk", partition, sort]);
                answer.insert("LastEvaluatedKey".to_owned(), place);
                break;
            }
            let entry = index.map_or_else(|| (*item).clone(), |index| index.entry(item));
            bytes += entry.to_string().len();
            found.push(entry);
        }
        answer.insert("Count".to_owned(), found.len().into());
        answer.insert("Items".to_owned(), found.into());
        Ok(answer.into())
    }
}

impl Table {
    /// Returns a partition of the table, in the order of its sort key.
    fn partition(&self, condition: &KeyCondition) -> Vec<(&Key, &Value)> {
        let pk = condition.partition["S"].as_str().unwrap_or_default();
        let items = self.items.range((pk.to_owned(), String::new())..);
        items.take_while(|((found, _), _)| found == pk).collect()
    }

    /// Returns a partition of an index, in the order of its sort key.
    fn entries(&self, index: usize, condition: &KeyCondition) -> Vec<(&Key, &Value)> {
        let entries = self.indexed[index].get(&condition.partition.to_string());
        let keys = entries.into_iter().flatten().map(|(_, key)| key);
        keys.map(|key| (key, &self.items[key])).collect()
    }
}

/// Returns the attributes with these names.
fn only<'a>(item: &Value, names: impl IntoIterator<Item = &'a &'static str>) -> Value {
    let names = names.into_iter();
    let kept = names.filter_map(|name| Some(((*name).to_owned(), item.get(*name)?.clone())));
    Value::Object(kept.collect())
}

fn key(item: &Value) -> Result<Key> {
    let part = |name: &str| {
        let text = item[name]["S"].as_str();
        text.map(str::to_owned)
            .with_context(|| format!("an item or key without {name}"))
    };
    Ok((part("pk")?, part("sk")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::default();
        for (pk, sk, at) in [
            ("C#1", "S#1", "30"),
            ("C#1", "S#2", "4"),
            ("C#1", "S#3", "5"),
            ("C#1", "T#1", "6"),
            ("C#2", "S#1", "7"),
            ("C#3", "S#1", "7"),
        ] {
            let item = json!({
                "pk": {"S": pk}, "sk": {"S": sk}, "createdAt": {"N": at}, "n": {"N": "1"},
            });
            table.put(item).unwrap();
        }
        table
    }

    /// The keys of all pages of two.
    fn pages(call: &Value) -> Vec<Vec<(String, String)>> {
        let mut table = table();
        let mut pages = Vec::new();
        let mut call = call.clone();
        call["Limit"] = json!(2);
        loop {
            let answer = table.answer("Query", &call).unwrap().unwrap();
            let items = answer["Items"].as_array().unwrap();
            pages.push(items.iter().map(|item| key(item).unwrap()).collect());
            match &answer["LastEvaluatedKey"] {
                Value::Null => return pages,
                last => call["ExclusiveStartKey"] = last.clone(),
            }
        }
    }

    fn keys(keys: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(pk, sk): &(&str, &str)| ((*pk).to_owned(), (*sk).to_owned());
        keys.iter().map(owned).collect()
    }

    #[test]
    fn a_query_gives_each_item_of_the_prefix_once_in_pages() {
        let call = json!({
            "KeyConditionExpression": "pk = :customer AND begins_with(sk, :prefix)",
            "ExpressionAttributeValues": {":customer": {"S": "C#1"}, ":prefix": {"S": "S#"}},
        });
        let expected = [
            keys(&[("C#1", "S#1"), ("C#1", "S#2")]),
            keys(&[("C#1", "S#3")]),
        ];
        assert_eq!(pages(&call), expected);
    }

    #[test]
    fn a_query_of_an_index_is_in_the_order_of_its_numbers_and_has_only_what_it_projects() {
        let call = json!({
            "IndexName": "deliveries",
            "KeyConditionExpression": "#partition = :partition AND #time BETWEEN :first AND :last",
            "ExpressionAttributeNames": {"#partition": "sk", "#time": "createdAt"},
            "ExpressionAttributeValues": {
                ":partition": {"S": "S#1"}, ":first": {"N": "7"}, ":last": {"N": "30"},
            },
            "ScanIndexForward": false,
        });
        let expected = [
            keys(&[("C#1", "S#1"), ("C#3", "S#1")]),
            keys(&[("C#2", "S#1")]),
        ];
        assert_eq!(pages(&call), expected);
        let answer = table().answer("Query", &call).unwrap().unwrap();
        let first = json!({"pk": {"S": "C#1"}, "sk": {"S": "S#1"}, "createdAt": {"N": "30"}});
        assert_eq!(answer["Items"][0], first);
        let call = json!({
            "IndexName": "due",
            "KeyConditionExpression": "dueShard = :shard AND sweepAt <= :until",
            "ExpressionAttributeValues": {":shard": {"N": "1"}, ":until": {"N": "9"}},
        });
        assert_eq!(pages(&call), [keys(&[])]);
    }

    #[test]
    fn the_indexes_are_those_of_the_template() {
        let template = include_str!("../../../../template.yaml");
        assert_eq!(template.matches("- IndexName: ").count(), INDEXES.len());
        for index in INDEXES {
            let Index {
                name,
                partition,
                sort,
                projected,
            } = index;
            let projected = projected.join(", ");
            let defined = format!(
                "        - IndexName: {name}\n          KeySchema:\n            \
                 - {{ AttributeName: {partition}, KeyType: HASH }}\n            \
                 - {{ AttributeName: {sort}, KeyType: RANGE }}\n          Projection:\n            \
                 ProjectionType: INCLUDE\n            NonKeyAttributes: [{projected}]\n"
            );
            assert!(template.contains(&defined), "{defined}");
        }
    }

    #[test]
    fn a_batch_gives_what_is_there() {
        let keys = [("C#1", "S#3"), ("C#9", "S#1"), ("C#2", "S#1")];
        let keys = keys.map(|(pk, sk)| json!({"pk": {"S": pk}, "sk": {"S": sk}}));
        let call = json!({"RequestItems": {TABLE: {"Keys": keys}}});
        let answer = table().answer("BatchGetItem", &call).unwrap().unwrap();
        assert_eq!(answer["Responses"][TABLE].as_array().unwrap().len(), 2);
    }

    #[test]
    fn a_transaction_puts_its_items_and_updates_only_on_request() {
        let mut table = table();
        let item = json!({"pk": {"S": "C#3"}, "sk": {"S": "S#5"}});
        let key = json!({"pk": {"S": "C#3"}, "sk": {"S": "COUNT"}});
        let update = json!({
            "Key": key,
            "UpdateExpression": "ADD n :n",
            "ExpressionAttributeValues": {":n": {"N": "1"}},
        });
        let writes = json!({"TransactItems": [{"Put": {"Item": item}}, {"Update": update}]});
        table.answer("TransactWriteItems", &writes).unwrap();
        let found = |table: &mut Table, key: &Value| {
            let call = json!({"Key": key});
            table.answer("GetItem", &call).unwrap().unwrap()
        };
        assert_eq!(found(&mut table, &item), json!({"Item": item}));
        assert_eq!(found(&mut table, &key), json!({}));
        table.keeps_updates = true;
        table.answer("TransactWriteItems", &writes).unwrap();
        assert_eq!(found(&mut table, &key)["Item"]["n"], json!({"N": "1"}));
    }

    #[test]
    fn an_update_is_applied_only_on_request() {
        let mut table = table();
        let key = json!({"pk": {"S": "C#9"}, "sk": {"S": "S#9"}});
        let call = json!({
            "Key": key,
            "UpdateExpression": "SET a = :a",
            "ExpressionAttributeValues": {":a": {"S": "1"}},
        });
        let get = json!({"Key": key});
        table.answer("UpdateItem", &call).unwrap();
        assert_eq!(table.answer("GetItem", &get).unwrap(), Some(json!({})));
        table.keeps_updates = true;
        table.answer("UpdateItem", &call).unwrap();
        let found = table.answer("GetItem", &get).unwrap().unwrap();
        assert_eq!(found["Item"]["a"], json!({"S": "1"}));
    }
}
