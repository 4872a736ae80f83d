#![expect(
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    reason = "tables of cases, and what makes their values"
)]

use std::collections::BTreeSet;

use serde_json::json;

use super::*;

/// A request that a rule permits, and one that is just beyond its limit.
struct Case {
    rule: &'static str,
    operation: &'static str,
    within: Value,
    beyond: Value,
    /// The member that the violation names.
    member: &'static str,
}

fn case(
    rule: &'static str,
    operation: &'static str,
    [within, beyond]: [Value; 2],
    member: &'static str,
) -> Case {
    Case {
        rule,
        operation,
        within,
        beyond,
        member,
    }
}

/// Builds the request for each of two values.
fn each<T>(values: [T; 2], make: impl Fn(T) -> Value) -> [Value; 2] {
    values.map(make)
}

fn x(count: usize) -> String {
    "x".repeat(count)
}

fn message(change: &Value) -> Value {
    let mut message = json!({"QueueUrl": "q", "MessageBody": "body"});
    let members = change.as_object().unwrap().clone();
    message.as_object_mut().unwrap().extend(members);
    message
}

fn batch(entries: impl IntoIterator<Item = Value>) -> Value {
    json!({"QueueUrl": "q", "Entries": entries.into_iter().collect::<Vec<_>>()})
}

fn entry(id: &str, body: &str) -> Value {
    json!({"Id": id, "MessageBody": body})
}

fn sqs() -> Vec<Case> {
    let number = |member: &'static str| move |number: i64| message(&json!({member: number}));
    let attribute = |name: String| {
        let value = json!({"DataType": "String", "StringValue": "v"});
        message(&json!({"MessageAttributes": {name: value}}))
    };
    let value = |value: &str| {
        let value = json!({"DataType": "String", "StringValue": value});
        message(&json!({"MessageAttributes": {"a": value}}))
    };
    let attributes = |count: usize| {
        let value = json!({"DataType": "Number", "StringValue": "1"});
        let all: serde_json::Map<_, _> = (0..count)
            .map(|n| (format!("a{n}"), value.clone()))
            .collect();
        message(&json!({"MessageAttributes": all}))
    };
    let with_attribute = |bytes: usize| {
        // The attribute has 1 + 6 + 3 bytes.
        let value = json!({"DataType": "String", "StringValue": "abc"});
        message(&json!({"MessageBody": x(bytes - 10), "MessageAttributes": {"n": value}}))
    };
    let delayed = |delay: i64| {
        let mut second = entry("b", "body");
        second["DelaySeconds"] = json!(delay);
        batch([entry("a", "body"), second])
    };
    let many = |count: usize| batch((0..count).map(|n| entry(&format!("e{n}"), "body")));
    let rule = "message of 1 to 1,048,576 bytes with its attributes";
    vec![
        case(
            "delay of 0 to 900 s",
            "SendMessage",
            each([900, 901], number("DelaySeconds")),
            "DelaySeconds",
        ),
        case(
            "delay of 0 to 900 s",
            "SendMessage",
            each([0, -1], number("DelaySeconds")),
            "DelaySeconds",
        ),
        case(
            "delay of 0 to 900 s",
            "SendMessageBatch",
            each([900, 901], delayed),
            "Entries[1].DelaySeconds",
        ),
        case(
            rule,
            "SendMessage",
            each([1_048_576, 1_048_577], with_attribute),
            "MessageBody",
        ),
        case(
            rule,
            "SendMessage",
            each(["a", ""], |body| message(&json!({"MessageBody": body}))),
            "MessageBody",
        ),
        case(
            "characters of a message",
            "SendMessage",
            each(["\t\u{FFFD}\u{10000}", "\u{FFFE}"], |body| {
                message(&json!({"MessageBody": body}))
            }),
            "MessageBody",
        ),
        case(
            "characters of a message",
            "SendMessageBatch",
            each(["a", "\u{1}"], |body| batch([entry("a", body)])),
            "Entries[0].MessageBody",
        ),
        case(
            "message attributes",
            "SendMessage",
            each([10, 11], attributes),
            "MessageAttributes",
        ),
        case(
            "message attributes",
            "SendMessage",
            each(["traceId".to_owned(), "AWS.trace".to_owned()], attribute),
            "MessageAttributes.AWS.trace",
        ),
        case(
            "message attributes",
            "SendMessage",
            each(["a.b".to_owned(), "a..b".to_owned()], attribute),
            "MessageAttributes.a..b",
        ),
        case(
            "message attributes",
            "SendMessage",
            each(["v", ""], value),
            "MessageAttributes.a.StringValue",
        ),
        case(
            "message group and deduplication id",
            "SendMessage",
            each([x(128), x(129)], |id| {
                message(&json!({"MessageGroupId": id}))
            }),
            "MessageGroupId",
        ),
        case(
            "message group and deduplication id",
            "SendMessage",
            each(["a!", "a b"], |id| {
                message(&json!({"MessageDeduplicationId": id}))
            }),
            "MessageDeduplicationId",
        ),
        case(
            "1 to 10 entries of a batch",
            "SendMessageBatch",
            each([10, 11], many),
            "Entries",
        ),
        case(
            "1 to 10 entries of a batch",
            "DeleteMessageBatch",
            each([1, 0], many),
            "Entries",
        ),
        case(
            "batch of 1,048,576 bytes",
            "SendMessageBatch",
            each([524_288, 524_289], |bytes| {
                batch([entry("a", &x(bytes)), entry("b", &x(524_288))])
            }),
            "Entries",
        ),
        case(
            "distinct ids in a batch",
            "SendMessageBatch",
            each(["b", "a"], |id| {
                batch([entry("a", "body"), entry(id, "body")])
            }),
            "Entries[1].Id",
        ),
        case(
            "form of an id in a batch",
            "SendMessageBatch",
            each([x(80), x(81)], |id| batch([entry(&id, "body")])),
            "Entries[0].Id",
        ),
        case(
            "form of an id in a batch",
            "DeleteMessageBatch",
            each(["a_-1", "a.1"], |id| batch([entry(id, "body")])),
            "Entries[0].Id",
        ),
        case(
            "visibility timeout of 12 hours",
            "ChangeMessageVisibility",
            each([43_200, 43_201], number("VisibilityTimeout")),
            "VisibilityTimeout",
        ),
        case(
            "visibility timeout of 12 hours",
            "ChangeMessageVisibilityBatch",
            each([0, -1], |seconds| {
                batch([json!({"Id": "a", "VisibilityTimeout": seconds})])
            }),
            "Entries[0].VisibilityTimeout",
        ),
        case(
            "bounds of a receive",
            "ReceiveMessage",
            each([10, 11], number("MaxNumberOfMessages")),
            "MaxNumberOfMessages",
        ),
        case(
            "bounds of a receive",
            "ReceiveMessage",
            each([1, 0], number("MaxNumberOfMessages")),
            "MaxNumberOfMessages",
        ),
        case(
            "bounds of a receive",
            "ReceiveMessage",
            each([20, 21], number("WaitTimeSeconds")),
            "WaitTimeSeconds",
        ),
        case(
            "bounds of a receive",
            "ReceiveMessage",
            each([43_200, 43_201], number("VisibilityTimeout")),
            "VisibilityTimeout",
        ),
    ]
}

fn other_services() -> Vec<Case> {
    let event = |change: Value| {
        let mut entry = json!({"Source": "s", "DetailType": "t", "Detail": "{}"});
        entry
            .as_object_mut()
            .unwrap()
            .extend(change.as_object().unwrap().clone());
        json!({"Entries": [entry]})
    };
    // Time 14, source 1, type 1, a resource 3, and the detail with its 8 bytes of JSON.
    let of_bytes = |bytes: usize| {
        let detail = json!({"a": x(bytes - 14 - 1 - 1 - 3 - 8)}).to_string();
        event(json!({"Time": 1, "Resources": ["abc"], "Detail": detail}))
    };
    let execution = |input: String| json!({"stateMachineArn": "arn", "input": input});
    let name = |name: &str| json!({"stateMachineArn": "arn", "name": name});
    let template = |bytes: usize| json!({"StackName": "s", "TemplateBody": x(bytes)});
    let parameters = |count: usize| json!({"StackName": "s", "Parameters": vec![json!({"ParameterKey": "k"}); count]});
    let value =
        |bytes: usize| json!({"Parameters": [{"ParameterKey": "k", "ParameterValue": x(bytes)}]});
    let entries = "source, detail type and detail of an entry";
    let stack = "template in the request, and its parameters";
    vec![
        case(
            "entries of less than 1 MB together",
            "PutEvents",
            each([1_048_575, 1_048_576], of_bytes),
            "Entries",
        ),
        case(
            entries,
            "PutEvents",
            each([json!({}), json!({"Source": ""})], event),
            "Entries[0].Source",
        ),
        case(
            entries,
            "PutEvents",
            each([json!({}), json!({"Source": "aws.s3"})], event),
            "Entries[0].Source",
        ),
        case(
            entries,
            "PutEvents",
            each([json!({}), json!({"DetailType": null})], event),
            "Entries[0].DetailType",
        ),
        case(
            entries,
            "PutEvents",
            each([x(128), x(129)].map(|t| json!({"DetailType": t})), event),
            "Entries[0].DetailType",
        ),
        case(
            entries,
            "PutEvents",
            each([json!({}), json!({"Detail": "[]"})], event),
            "Entries[0].Detail",
        ),
        // Half of a surrogate pair is a valid escape.
        case(
            entries,
            "PutEvents",
            each(
                [r#" {"a":"\ud83d"}"#, r#"{"a":"\ud83"}"#].map(|text| json!({"Detail": text})),
                event,
            ),
            "Entries[0].Detail",
        ),
        case(
            "input of 262,144 bytes",
            "StartExecution",
            // Two bytes for each character, and two quotation marks.
            each([131_071, 131_072], |count| {
                execution(format!("\"{}\"", "ü".repeat(count)))
            }),
            "input",
        ),
        case(
            "input of 262,144 bytes",
            "StartExecution",
            each(["{}", "{"], |text| execution(text.to_owned())),
            "input",
        ),
        case(
            "input of 262,144 bytes",
            "StartExecution",
            each([r#""\ud83d""#, r#""\ud83""#], |text| {
                execution(text.to_owned())
            }),
            "input",
        ),
        case(
            "name of an execution",
            "StartExecution",
            each(["a-b_c.1", "a:b"], name),
            "name",
        ),
        case(
            "name of an execution",
            "StartExecution",
            each(["ü", "a\u{85}"], name),
            "name",
        ),
        case(
            "exactly one length of a data key",
            "GenerateDataKey",
            [
                json!({"KeySpec": "AES_256"}),
                json!({"KeySpec": "AES_256", "NumberOfBytes": 32}),
            ],
            "KeySpec",
        ),
        case(
            "exactly one length of a data key",
            "GenerateDataKey",
            [json!({"NumberOfBytes": 32}), json!({"KeyId": "k"})],
            "KeySpec",
        ),
        case(
            stack,
            "CreateChangeSet",
            each([51_200, 51_201], template),
            "TemplateBody",
        ),
        case(
            stack,
            "CreateChangeSet",
            each([200, 201], parameters),
            "Parameters",
        ),
        case(
            stack,
            "CreateChangeSet",
            each([4_096, 4_097], value),
            "Parameters[0].ParameterValue",
        ),
    ]
}

fn put(change: Value) -> Value {
    let mut item = json!({"pk": {"S": "p"}, "sk": {"S": "s"}});
    item.as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    json!({"TableName": "t", "Item": item})
}

fn get(pk: &str, sk: &str) -> Value {
    json!({"TableName": "t", "Key": {"pk": {"S": pk}, "sk": {"S": sk}}})
}

fn query(change: Value) -> Value {
    let mut query = json!({"TableName": "t"});
    query
        .as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    query
}

fn items() -> Vec<Case> {
    let types = "values of one type each, as DynamoDB takes them";
    let value = |value: Value| put(json!({"v": value}));
    let deep = |levels: usize| {
        let innermost = json!({"S": "a"});
        value((0..levels).fold(innermost, |inner, _| json!({"L": [inner]})))
    };
    // pk 2 + 1, sk 2 + 1, the name 1.
    let sized = |bytes: usize| put(json!({"v": {"S": x(bytes - 7)}}));
    let update = |bytes: usize| {
        query(json!({
            "UpdateExpression": "SET a = :v",
            "ExpressionAttributeValues": {":v": {"S": x(bytes - 2)}},
        }))
    };
    let writes = |bytes: usize| {
        let item = |n: usize, bytes: usize| {
            let item =
                json!({"pk": {"S": "p"}, "sk": {"S": format!("{n:02}")}, "v": {"S": x(bytes - 8)}});
            json!({"Put": {"TableName": "t", "Item": item}})
        };
        let others = (0..10).map(|n| item(n, 400 * 1_024));
        let others: Vec<_> = others.chain([item(10, bytes)]).collect();
        json!({"TransactItems": others})
    };
    let whole = 4 * 1_024 * 1_024 - 10 * 400 * 1_024;
    vec![
        case(
            types,
            "PutItem",
            each([json!({"S": ""}), json!({})], value),
            "Item.v",
        ),
        case(
            types,
            "PutItem",
            each([json!({"S": ""}), json!({"S": "", "N": "1"})], value),
            "Item.v",
        ),
        case(
            types,
            "PutItem",
            each([json!({"N": "1"}), json!({"N": "one"})], value),
            "Item.v.N",
        ),
        case(
            types,
            "PutItem",
            each([json!({"NULL": true}), json!({"NULL": false})], value),
            "Item.v.NULL",
        ),
        case(
            types,
            "PutItem",
            each([json!({"SS": ["a"]}), json!({"SS": []})], value),
            "Item.v.SS",
        ),
        case(
            types,
            "PutItem",
            each(
                [json!({"NS": ["1", "2"]}), json!({"NS": ["1", "1"]})],
                value,
            ),
            "Item.v.NS",
        ),
        case(
            types,
            "PutItem",
            each([json!({"L": []}), json!({"L": [{"M": {"a": {}}}]})], value),
            "Item.v.L[0].M.a",
        ),
        case(
            "values nested 32 levels deep",
            "PutItem",
            each([32, 33], deep),
            "Item.v",
        ),
        case(
            "item of 400 KB",
            "PutItem",
            each([409_600, 409_601], sized),
            "Item",
        ),
        case(
            "item of 400 KB",
            "UpdateItem",
            each([409_600, 409_601], update),
            "ExpressionAttributeValues",
        ),
        case(
            "transaction of 4 MB",
            "TransactWriteItems",
            each([whole, whole + 1], writes),
            "TransactItems",
        ),
        case(
            "consistent reads of the table alone",
            "Query",
            each([false, true], |is| {
                query(json!({"IndexName": "due", "ConsistentRead": is}))
            }),
            "ConsistentRead",
        ),
    ]
}

fn keys() -> Vec<Case> {
    let key = |key: Value| json!({"TableName": "t", "Key": key});
    let whole = json!({"pk": {"S": "p"}, "sk": {"S": "s"}});
    let schema = "key with the table's key attributes";
    let empty = "key that is not empty";
    let length = "partition key of 2,048 and sort key of 1,024 bytes";
    let owed = |value: &str| put(json!({"owedTo": {"S": value}}));
    let keys = |keys: Vec<Value>| json!({"RequestItems": {"t": {"Keys": keys}}});
    let numbered = |n: usize| json!({"pk": {"S": "p"}, "sk": {"S": n.to_string()}});
    let reads = |count: usize| keys((0..count).map(numbered).collect());
    let writes = |count: usize| {
        let puts: Vec<_> = (0..count)
            .map(|n| json!({"PutRequest": {"Item": numbered(n)}}))
            .collect();
        json!({"RequestItems": {"t": puts}})
    };
    let put_and_delete = |n: usize| {
        json!({"RequestItems": {"t": [
            {"PutRequest": {"Item": numbered(0)}}, {"DeleteRequest": {"Key": numbered(n)}},
        ]}})
    };
    let checked = |n: usize| {
        let put = json!({"Put": {"TableName": "t", "Item": numbered(0)}});
        let check = json!({"ConditionCheck": {
            "TableName": "t", "Key": numbered(n), "ConditionExpression": "attribute_exists(pk)",
        }});
        json!({"TransactItems": [put, check]})
    };
    vec![
        case(
            schema,
            "GetItem",
            each([whole.clone(), json!({"pk": {"S": "p"}})], key),
            "Key",
        ),
        case(
            schema,
            "GetItem",
            each(
                [whole.clone(), json!({"pk": {"S": "p"}, "sk": {"N": "1"}})],
                key,
            ),
            "Key.sk",
        ),
        case(
            schema,
            "PutItem",
            each([json!({}), json!({"pk": {"N": "1"}})], put),
            "Item.pk",
        ),
        case(
            schema,
            "PutItem",
            each(
                [json!({"owedTo": {"S": "a"}}), json!({"owedTo": {"N": "1"}})],
                put,
            ),
            "Item.owedTo",
        ),
        case(
            empty,
            "GetItem",
            each(["s", ""], |sk| get("p", sk)),
            "Key.sk",
        ),
        case(empty, "PutItem", each(["a", ""], owed), "Item.owedTo"),
        case(
            empty,
            "BatchGetItem",
            each(["a", ""], |sk| keys(vec![get("p", sk)["Key"].clone()])),
            "RequestItems.t.Keys[0].sk",
        ),
        case(
            length,
            "GetItem",
            each([2_048, 2_049], |n| get(&x(n), "s")),
            "Key.pk",
        ),
        case(
            length,
            "GetItem",
            each([1_024, 1_025], |n| get("p", &x(n))),
            "Key.sk",
        ),
        case(
            "100 different keys of a batch",
            "BatchGetItem",
            each([100, 101], reads),
            "RequestItems",
        ),
        case(
            "100 different keys of a batch",
            "BatchGetItem",
            each([1, 0], |n| keys(vec![numbered(0), numbered(n)])),
            "RequestItems.t.Keys[1]",
        ),
        case(
            "25 writes of different items in a batch",
            "BatchWriteItem",
            each([25, 26], writes),
            "RequestItems",
        ),
        case(
            "25 writes of different items in a batch",
            "BatchWriteItem",
            each([1, 0], put_and_delete),
            "RequestItems.t[1].DeleteRequest.Key",
        ),
        case(
            "one action for each item of a transaction",
            "TransactWriteItems",
            each([1, 0], checked),
            "TransactItems[1].ConditionCheck.Key",
        ),
        case(
            "one action for each item of a transaction",
            "TransactWriteItems",
            [checked(1), json!({"TransactItems": [{}]})],
            "TransactItems[0]",
        ),
    ]
}

fn expressions() -> Vec<Case> {
    let filter = |expression: String| query(json!({"FilterExpression": expression}));
    let long = |bytes: usize| filter(format!("attribute_exists({})", x(bytes - 18)));
    let many = |functions: usize| {
        let all = vec!["size(a)"; functions].join(",");
        query(json!({"UpdateExpression": format!("SET a = {all}")}))
    };
    let named = |names: Value| {
        query(
            json!({"FilterExpression": "attribute_exists(#a)", "ExpressionAttributeNames": names}),
        )
    };
    let valued = |values: Value| {
        query(json!({"FilterExpression": "a = :a", "ExpressionAttributeValues": values}))
    };
    let substituted = "form and size of placeholders and their values";
    let used = "names and values that an expression uses";
    let of_in = |count: usize| {
        let all = vec!["b"; count].join(", ");
        filter(format!("a IN ({all})"))
    };
    let set = |attribute: &str, value: &str| {
        json!({
            "TableName": "t",
            "Key": {"pk": {"S": "p"}, "sk": {"S": "s"}},
            "UpdateExpression": "SET #a = :a",
            "ExpressionAttributeNames": {"#a": attribute},
            "ExpressionAttributeValues": {":a": {"S": value}},
        })
    };
    let whole = "update that leaves keys unchanged";
    let long_name = |bytes: usize| {
        let name = format!("#{}", x(bytes - 1));
        query(json!({
            "ProjectionExpression": name.clone(), "ExpressionAttributeNames": {name: "a"},
        }))
    };
    vec![
        case(
            "expression of 4 KB",
            "Scan",
            each([4_096, 4_097], long),
            "FilterExpression",
        ),
        case(
            "expression of 4 KB",
            "Scan",
            each(["attribute_exists(a)", ""], |e| filter(e.to_owned())),
            "FilterExpression",
        ),
        case(
            "300 operators of an expression, 100 values of an IN",
            "UpdateItem",
            each([300, 301], many),
            "UpdateExpression",
        ),
        case(
            "300 operators of an expression, 100 values of an IN",
            "Scan",
            each([100, 101], of_in),
            "FilterExpression",
        ),
        case(
            whole,
            "UpdateItem",
            [set("a", ""), set("pk", "p")],
            "UpdateExpression",
        ),
        case(
            whole,
            "UpdateItem",
            [set("owedTo", "a"), set("owedTo", "")],
            "UpdateExpression",
        ),
        case(
            "words of an expression",
            "Scan",
            each(["size(a) = b", "status = b"], |e| filter(e.to_owned())),
            "FilterExpression",
        ),
        case(
            "words of an expression",
            "Scan",
            each(["size(a) = b", "length(a) = b"], |e| filter(e.to_owned())),
            "FilterExpression",
        ),
        case(
            substituted,
            "Scan",
            [
                filter("a = b".to_owned()),
                query(json!({"ExpressionAttributeValues": {}})),
            ],
            "ExpressionAttributeValues",
        ),
        case(
            substituted,
            "Scan",
            [
                named(json!({"#a": "status"})),
                named(json!({"#a": "a", "b": "b"})),
            ],
            "ExpressionAttributeNames.b",
        ),
        case(substituted, "Scan", each([255, 256], long_name), LONG_NAME),
        case(
            used,
            "Scan",
            [named(json!({"#a": "b"})), named(json!({"#b": "b"}))],
            "FilterExpression",
        ),
        case(
            used,
            "Scan",
            [
                named(json!({"#a": "b"})),
                named(json!({"#a": "a", "#b": "b"})),
            ],
            "ExpressionAttributeNames.#b",
        ),
        case(
            used,
            "Scan",
            [
                valued(json!({":a": {"S": ""}})),
                valued(json!({":a": {"S": ""}, ":b": {"S": ""}})),
            ],
            "ExpressionAttributeValues.:b",
        ),
        case(
            used,
            "Scan",
            [
                valued(json!({":a": {"S": ""}})),
                valued(json!({":b": {"S": ""}})),
            ],
            "FilterExpression",
        ),
    ]
}

/// Matches any member: the expected name is too long to write here.
const LONG_NAME: &str = "*";

/// Cases of rules that examine the body and not the members.
fn bodies() -> Vec<(&'static str, &'static str, Value, [Bytes; 2])> {
    let event = json!({"InvocationType": "Event"});
    let text = |bytes: usize| Bytes::from(format!("\"{}\"", x(bytes - 2)));
    vec![
        (
            "payload of 6 MB, or 1 MB of an event",
            "Invoke",
            json!({}),
            [6_291_456, 6_291_457].map(text),
        ),
        (
            "payload of 6 MB, or 1 MB of an event",
            "Invoke",
            event,
            [1_048_576, 1_048_577].map(text),
        ),
        (
            "payload that is JSON",
            "Invoke",
            json!({}),
            ["{}", "{"].map(Bytes::from),
        ),
        (
            "payload that is JSON",
            "Invoke",
            json!({}),
            [r#""\ud83d""#, r#""\ud83""#].map(Bytes::from),
        ),
        (
            "request of 16 MB",
            "PutItem",
            put(json!({})),
            [16_777_216, 16_777_217].map(text),
        ),
    ]
}

/// A table as the emulator describes it.
fn table() -> HashMap<String, Arc<Table>> {
    let described = json!({"Table": {
        "AttributeDefinitions": [
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
            {"AttributeName": "owedTo", "AttributeType": "S"},
        ],
        "KeySchema": [
            {"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
        "GlobalSecondaryIndexes": [
            {"IndexName": "due", "KeySchema": [{"AttributeName": "owedTo", "KeyType": "HASH"}]},
        ],
    }});
    let table = Table::described(&described).unwrap();
    HashMap::from([("t".to_owned(), Arc::new(table))])
}

fn check(operation: &str, value: &Value, body: &Bytes) -> Vec<(&'static str, Violation)> {
    let input = Input {
        operation,
        value,
        body,
        tables: table(),
    };
    all()
        .filter(|rule| rule.operations.contains(&operation))
        .filter_map(|rule| Some((rule.name, (rule.check)(&input)?)))
        .collect()
}

#[test]
fn each_rule_is_broken_beyond_its_bound_and_nowhere_else() {
    let mut tried = BTreeSet::new();
    let cases = [sqs(), other_services(), items(), keys(), expressions()];
    for case in cases.into_iter().flatten() {
        let no_body = Bytes::new();
        let within = check(case.operation, &case.within, &no_body);
        assert_eq!(within, [], "{} {}", case.rule, case.operation);
        let beyond = check(case.operation, &case.beyond, &no_body);
        let of_rule = beyond.iter().find(|(name, _)| *name == case.rule);
        let Some((_, violation)) = of_rule else {
            panic!("{} {} is not broken: {beyond:?}", case.rule, case.member);
        };
        if case.member != LONG_NAME {
            assert_eq!(violation.member, case.member, "{}: {violation}", case.rule);
        }
        tried.insert(case.rule);
    }
    for (rule, operation, value, [within, beyond]) in bodies() {
        assert_eq!(check(operation, &value, &within), [], "{rule}");
        let broken = check(operation, &value, &beyond);
        assert!(
            broken.iter().any(|(name, _)| *name == rule),
            "{rule}: {broken:?}"
        );
        tried.insert(rule);
    }
    // Each rule must have a case here.
    let names: BTreeSet<_> = all().map(|rule| rule.name).collect();
    assert_eq!(tried, names);
}

#[test]
fn each_rule_names_its_page_in_aws_documentation() {
    for rule in all() {
        assert!(
            rule.source.starts_with("https://docs.aws.amazon.com/"),
            "{}",
            rule.name
        );
    }
}
