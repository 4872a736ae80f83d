//! The table and the key.

use serde_json::{Value, json};

use crate::support::load;

#[test]
fn the_table_outlives_the_stack_and_can_be_restored() {
    let table = &load()["Resources"]["Table"];
    // A first deployment that fails does not leave a table behind each time.
    assert_eq!(table["DeletionPolicy"], "RetainExceptOnCreate");
    assert_eq!(table["UpdateReplacePolicy"], "Retain");
    let properties = &table["Properties"];
    assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST");
    // Without it the table is encrypted with a key that AWS owns. With `SSEEnabled: true` the
    // account's own KMS key is used, which costs money.
    assert_eq!(properties.get("SSESpecification"), None);
    assert_eq!(
        properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"],
        true
    );
    assert_eq!(
        properties["TimeToLiveSpecification"],
        json!({"AttributeName": "expiresAt", "Enabled": true})
    );
}

#[test]
fn a_delivery_that_succeeds_at_once_writes_one_index_entry_and_its_message_another() {
    let template = load();
    let indexes = &template["Resources"]["Table"]["Properties"]["GlobalSecondaryIndexes"];
    let texts = |values: &Value, name: &str| -> Vec<String> {
        let values = values.as_array().unwrap().iter();
        let text = |value: &Value| {
            value
                .get(name)
                .unwrap_or(value)
                .as_str()
                .unwrap()
                .to_owned()
        };
        values.map(text).collect()
    };
    let indexes = indexes.as_array().unwrap().iter().map(|index| {
        assert_eq!(index["Projection"]["ProjectionType"], "INCLUDE");
        let mut keys = texts(&index["KeySchema"], "AttributeName");
        keys.extend(texts(&index["Projection"]["NonKeyAttributes"], ""));
        (index["IndexName"].as_str().unwrap().to_owned(), keys)
    });
    let indexes: Vec<_> = indexes.collect();
    let index = |name: &str, attributes: &[&str]| {
        let attributes = attributes.iter().map(|name| (*name).to_owned());
        (name.to_owned(), attributes.collect::<Vec<_>>())
    };
    let [due, rest @ ..] = &indexes[..] else {
        panic!("no index")
    };
    // The partition key and the sort key are attributes that only failed deliveries have.
    let sparse = [
        "dueShard",
        "sweepAt",
        "nextAttempt",
        "nextAttemptAt",
        "customerId",
        "expiresAt",
    ];
    assert_eq!(due, &index("due", &sparse));
    // `owedTo` is sparse too. The other attributes never change, so an update writes no
    // index entry.
    let messages = ["customerId", "receivedAt", "eventType", "time", "expiresAt"];
    let expected = [
        index("deliveries", &["sk", "createdAt", "eventType"]),
        index("undelivered", &["owedTo", "createdAt", "eventType"]),
        index("messages", &messages),
    ];
    assert_eq!(rest, expected);
}

#[test]
fn the_key_outlives_the_stack_and_rotates() {
    let key = &load()["Resources"]["SigningKey"];
    // A key costs a dollar a month, also if a failed first deployment leaves it behind.
    assert_eq!(key["DeletionPolicy"], "RetainExceptOnCreate");
    assert_eq!(key["UpdateReplacePolicy"], "Retain");
    assert_eq!(key["Properties"]["EnableKeyRotation"], true);
}
