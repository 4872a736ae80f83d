//! Amazon DynamoDB.

mod expressions;
mod items;
mod keys;

use serde_json::Value;

use super::{Input, Rule, elements, entries, text};
use crate::gate::violation::{Violation, member, over};

const WITH_EXPRESSIONS: &[&str] = &[
    "BatchGetItem",
    "DeleteItem",
    "GetItem",
    "PutItem",
    "Query",
    "Scan",
    "TransactGetItems",
    "TransactWriteItems",
    "UpdateItem",
];
const WITH_VALUES: &[&str] = &[
    "BatchGetItem",
    "BatchWriteItem",
    "DeleteItem",
    "GetItem",
    "PutItem",
    "Query",
    "Scan",
    "TransactGetItems",
    "TransactWriteItems",
    "UpdateItem",
];
const TRANSACTIONS: &[&str] = &["TransactGetItems", "TransactWriteItems"];

const CONSTRAINTS: &str =
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html";

/// The largest request.
const REQUEST_BYTES: usize = 16 * 1_024 * 1_024;
const TRANSACTION_BYTES: usize = 4 * 1_024 * 1_024;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "values of one type each, as DynamoDB takes them",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html",
        service: "dynamodb",
        operations: WITH_VALUES,
        check: |input| items::each_value(input, items::value_fault),
    },
    Rule {
        name: "values nested 32 levels deep",
        source: CONSTRAINTS,
        service: "dynamodb",
        operations: WITH_VALUES,
        check: |input| items::each_value(input, items::too_deep),
    },
    Rule {
        name: "item of 400 KB",
        source: CONSTRAINTS,
        service: "dynamodb",
        operations: &[
            "BatchWriteItem",
            "PutItem",
            "TransactWriteItems",
            "UpdateItem",
        ],
        check: |input| each_part(input, items::too_large),
    },
    Rule {
        name: "key with the table's key attributes",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.CoreComponents.html",
        service: "dynamodb",
        operations: WITH_VALUES,
        check: |input| each_part(input, keys::mismatch),
    },
    Rule {
        name: "key that is not empty",
        source: CONSTRAINTS,
        service: "dynamodb",
        operations: WITH_VALUES,
        check: |input| each_part(input, keys::empty),
    },
    Rule {
        name: "partition key of 2,048 and sort key of 1,024 bytes",
        source: CONSTRAINTS,
        service: "dynamodb",
        operations: WITH_VALUES,
        check: |input| each_part(input, keys::too_long),
    },
    Rule {
        name: "100 different keys of a batch",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html",
        service: "dynamodb",
        operations: &["BatchGetItem"],
        check: keys::batch_of_reads,
    },
    Rule {
        name: "25 writes of different items in a batch",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html",
        service: "dynamodb",
        operations: &["BatchWriteItem"],
        check: keys::batch_of_writes,
    },
    Rule {
        name: "one action for each item of a transaction",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html",
        service: "dynamodb",
        operations: TRANSACTIONS,
        check: keys::transaction,
    },
    Rule {
        name: "transaction of 4 MB",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html",
        service: "dynamodb",
        operations: &["TransactWriteItems"],
        check: |input| {
            let parts = parts(input);
            let bytes = parts.iter().map(items::written_bytes).sum::<usize>();
            (bytes > TRANSACTION_BYTES).then(|| {
                Violation::new(
                    "TransactItems",
                    over(bytes, TRANSACTION_BYTES, "bytes together"),
                )
            })
        },
    },
    Rule {
        name: "request of 16 MB",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html",
        service: "dynamodb",
        operations: WITH_VALUES,
        check: |input| {
            let bytes = input.body.len();
            (bytes > REQUEST_BYTES).then(|| Violation::new("", over(bytes, REQUEST_BYTES, "bytes")))
        },
    },
    Rule {
        name: "consistent reads of the table alone",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Query.html",
        service: "dynamodb",
        operations: &["Query", "Scan"],
        check: |input| {
            let table = input.tables.get(text(input.value, "TableName")?)?;
            let is_global = table.indexes.contains_key(text(input.value, "IndexName")?);
            (is_global && input.value.get("ConsistentRead") == Some(&Value::Bool(true))).then(
                || {
                    Violation::new(
                        "ConsistentRead",
                        "not supported by a global secondary index",
                    )
                },
            )
        },
    },
    Rule {
        name: "expression of 4 KB",
        source: CONSTRAINTS,
        service: "dynamodb",
        operations: WITH_EXPRESSIONS,
        check: |input| each_part(input, expressions::too_long),
    },
    Rule {
        name: "300 operators of an expression, 100 values of an IN",
        source: CONSTRAINTS,
        service: "dynamodb",
        operations: WITH_EXPRESSIONS,
        check: |input| each_part(input, expressions::too_many_operators),
    },
    Rule {
        name: "update that leaves keys unchanged",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateItem.html",
        service: "dynamodb",
        operations: &["TransactWriteItems", "UpdateItem"],
        check: |input| each_part(input, expressions::sets_key),
    },
    Rule {
        name: "words of an expression",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html",
        service: "dynamodb",
        operations: WITH_EXPRESSIONS,
        check: |input| each_part(input, expressions::words),
    },
    Rule {
        name: "form and size of placeholders and their values",
        source: CONSTRAINTS,
        service: "dynamodb",
        operations: WITH_EXPRESSIONS,
        check: |input| each_part(input, expressions::substitutions),
    },
    Rule {
        name: "names and values that an expression uses",
        source: "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ExpressionAttributeNames.html",
        service: "dynamodb",
        operations: WITH_EXPRESSIONS,
        check: |input| each_part(input, expressions::undefined_or_unused),
    },
];

/// A request for one table, or the part for one table in a request for several.
struct Part<'a> {
    /// The path of this part in the request.
    path: String,
    table: &'a str,
    value: &'a Value,
}

/// Returns the first violation in any part.
fn each_part(
    input: &Input,
    fault: impl Fn(&Part, &Input) -> Option<Violation>,
) -> Option<Violation> {
    parts(input).iter().find_map(|part| fault(part, input))
}

/// Splits a request into its parts.
fn parts<'a>(input: &'a Input) -> Vec<Part<'a>> {
    match input.operation {
        "BatchGetItem" => entries(input.value, "RequestItems")
            .map(|(table, value)| Part {
                path: member("RequestItems", table),
                table,
                value,
            })
            .collect(),
        "BatchWriteItem" => entries(input.value, "RequestItems")
            .flat_map(|(table, writes)| {
                let writes = writes.as_array().into_iter().flatten().enumerate();
                writes.flat_map(move |(index, write)| {
                    let actions = write.as_object().into_iter().flatten();
                    actions.map(move |(action, value)| Part {
                        path: format!("RequestItems.{table}[{index}].{action}"),
                        table,
                        value,
                    })
                })
            })
            .collect(),
        "TransactGetItems" | "TransactWriteItems" => elements(input.value, "TransactItems")
            .iter()
            .enumerate()
            .flat_map(|(index, item)| {
                let actions = item.as_object().into_iter().flatten();
                actions.map(move |(action, value)| Part {
                    path: format!("TransactItems[{index}].{action}"),
                    table: text(value, "TableName").unwrap_or_default(),
                    value,
                })
            })
            .collect(),
        _ => vec![Part {
            path: String::new(),
            table: text(input.value, "TableName").unwrap_or_default(),
            value: input.value,
        }],
    }
}

/// Returns the tables that a DynamoDB request names.
pub(crate) fn tables_of<'a>(operation: &str, value: &'a Value) -> Vec<&'a str> {
    match operation {
        "BatchGetItem" | "BatchWriteItem" => entries(value, "RequestItems")
            .map(|(table, _)| table.as_str())
            .collect(),
        "TransactGetItems" | "TransactWriteItems" => elements(value, "TransactItems")
            .iter()
            .flat_map(|item| item.as_object().into_iter().flatten())
            .filter_map(|(_, action)| text(action, "TableName"))
            .collect(),
        "DescribeTable" => Vec::new(),
        _ => text(value, "TableName").into_iter().collect(),
    }
}
