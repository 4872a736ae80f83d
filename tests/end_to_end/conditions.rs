//! The conditions in the IAM policies of functions and workflows. Each condition allows the right
//! call, and refuses a call that differs only in the condition's key. If the emulator did not
//! supply that key, the right call would be refused too.

use anyhow::{Context, Result};
use aws_sdk_dynamodb::Client as Table;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, KeysAndAttributes, TransactWriteItem,
};
use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use crate::fixture::Fixture;
use crate::permissions::{DENIED, Role, is_refused, roles};

/// One key in each kind of partition of the table. None of these items exists.
const KINDS: [&str; 11] = [
    "CUSTOMER#nobody",
    "CUSTOMERS",
    "MESSAGE#none",
    "SUBSCRIPTION#none",
    "RECOVERY#nobody",
    "IDEMPOTENCY#nobody",
    "PORTAL#nobody",
    "CONSOLE",
    "DATA_KEY",
    "EVENT_TYPES",
    "VALIDATED_TYPES",
];

/// The actions on the table that each role is allowed, and in which partitions.
const BOUNDS: [(&str, Action, &[&str]); 35] = [
    ("WebhookDelivery", Action::PutItem, &["MESSAGE"]),
    ("Recovery", Action::UpdateItem, &["RECOVERY"]),
    ("LookUpSubscriptions", Action::Query, &["CUSTOMER#"]),
    (
        "LookUpSubscriptions",
        Action::GetItem,
        &["MESSAGE", "EVENT_TYPES", "VALIDATED_TYPES"],
    ),
    (
        "DeliverWebhook",
        Action::GetItem,
        &["CUSTOMER", "MESSAGE", "DATA_KEY"],
    ),
    (
        "DeliverWebhook",
        Action::BatchGetItem,
        &["CUSTOMER#", "MESSAGE", "DATA_KEY"],
    ),
    (
        "DeliverWebhook",
        Action::UpdateItem,
        &["CUSTOMER#", "MESSAGE", "SUBSCRIPTION"],
    ),
    ("DeliverWebhook", Action::ConditionCheckItem, &["CUSTOMER#"]),
    (
        "RequeueDueDeliveries",
        Action::GetItem,
        &["CUSTOMER#", "MESSAGE", "RECOVERY"],
    ),
    ("RequeueDueDeliveries", Action::BatchGetItem, &["MESSAGE"]),
    ("RequeueDueDeliveries", Action::PutItem, &["RECOVERY"]),
    (
        "RequeueDueDeliveries",
        Action::UpdateItem,
        &["CUSTOMER#", "MESSAGE"],
    ),
    (
        "RecoverDeliveries",
        Action::GetItem,
        &["CUSTOMER#", "RECOVERY"],
    ),
    (
        "RecoverDeliveries",
        Action::PutItem,
        &["MESSAGE", "RECOVERY"],
    ),
    ("RecoverDeliveries", Action::BatchGetItem, &["MESSAGE"]),
    ("RecoverDeliveries", Action::UpdateItem, &["MESSAGE"]),
    ("DeleteCustomers", Action::GetItem, &["CUSTOMERS"]),
    ("DeleteCustomers", Action::UpdateItem, &["CUSTOMERS"]),
    (
        "DeleteCustomers",
        Action::Query,
        &[
            "CUSTOMER#",
            "IDEMPOTENCY",
            "MESSAGE",
            "PORTAL",
            "RECOVERY",
            "SUBSCRIPTION",
        ],
    ),
    (
        "DeleteCustomers",
        Action::DeleteItem,
        &[
            "CUSTOMER",
            "IDEMPOTENCY",
            "MESSAGE",
            "PORTAL",
            "RECOVERY",
            "SUBSCRIPTION",
        ],
    ),
    ("ApiFunction", Action::GetItem, OF_API),
    ("ApiFunction", Action::PutItem, OF_API),
    ("ApiFunction", Action::UpdateItem, OF_API),
    ("ConsoleSessions", Action::PutItem, &["CONSOLE"]),
    ("ConsoleSessions", Action::DeleteItem, &["CONSOLE"]),
    ("ConsoleSessions", Action::Query, &["CONSOLE"]),
    (
        "ApiFunction",
        Action::DeleteItem,
        &[
            "CUSTOMER#",
            "CUSTOMERS",
            "EVENT_TYPES",
            "VALIDATED_TYPES",
            "PORTAL",
        ],
    ),
    (
        "ApiFunction",
        Action::BatchGetItem,
        &["CUSTOMER#", "MESSAGE", "SUBSCRIPTION"],
    ),
    (
        "ApiFunction",
        Action::Query,
        &[
            "CUSTOMER#",
            "CUSTOMERS",
            "EVENT_TYPES",
            "RECOVERY",
            "MESSAGE",
            "PORTAL",
            "SUBSCRIPTION",
        ],
    ),
    (
        "PortalFunction",
        Action::UpdateItem,
        &["PORTAL", "CONSOLE", "MESSAGE"],
    ),
    ("PortalFunction", Action::DeleteItem, &["PORTAL", "CONSOLE"]),
    ("PortalFunction", Action::PutItem, &["RECOVERY"]),
    (
        "PortalFunction",
        Action::GetItem,
        &[
            "CUSTOMER",
            "PORTAL",
            "CONSOLE",
            "RECOVERY",
            "MESSAGE",
            "EVENT_TYPES",
        ],
    ),
    (
        "PortalFunction",
        Action::BatchGetItem,
        &["CUSTOMER#", "MESSAGE", "SUBSCRIPTION"],
    ),
    (
        "PortalFunction",
        Action::Query,
        &["CUSTOMER", "RECOVERY", "MESSAGE", "SUBSCRIPTION"],
    ),
];

/// Every kind of item, except the sessions of the console.
const OF_API: &[&str] = &[
    "CUSTOMER",
    "MESSAGE",
    "SUBSCRIPTION",
    "RECOVERY",
    "IDEMPOTENCY",
    "PORTAL",
    "DATA_KEY",
    "EVENT_TYPES",
    "VALIDATED_TYPES",
];

#[derive(Clone, Copy, Debug)]
enum Action {
    GetItem,
    BatchGetItem,
    PutItem,
    UpdateItem,
    DeleteItem,
    ConditionCheckItem,
    Query,
}

/// Makes a call that changes nothing. Returns `Ok` if it was allowed.
async fn try_action(
    table: &Table,
    name: &str,
    action: Action,
    kinds: &[&str],
) -> Result<(), String> {
    let text = |value: &str| AttributeValue::S(value.to_owned());
    let pk = kinds[0];
    match action {
        Action::GetItem => {
            let call = table.get_item().table_name(name);
            allowed(
                call.key("pk", text(pk))
                    .key("sk", text("none"))
                    .send()
                    .await,
            )
        }
        Action::BatchGetItem => {
            let mut keys = KeysAndAttributes::builder();
            for pk in kinds {
                keys = keys
                    .keys([("pk".to_owned(), text(pk)), ("sk".to_owned(), text("none"))].into());
            }
            let keys = keys.build().map_err(|error| error.to_string())?;
            allowed(
                table
                    .batch_get_item()
                    .request_items(name, keys)
                    .send()
                    .await,
            )
        }
        Action::PutItem => {
            let call = table.put_item().table_name(name);
            let call = call.item("pk", text(pk)).item("sk", text("none"));
            allowed(
                call.condition_expression("attribute_exists(pk)")
                    .send()
                    .await,
            )
        }
        Action::UpdateItem => {
            let call = table.update_item().table_name(name);
            let call = call.key("pk", text(pk)).key("sk", text("none"));
            let call = call.update_expression("REMOVE expiresAt");
            allowed(
                call.condition_expression("attribute_exists(pk)")
                    .send()
                    .await,
            )
        }
        Action::DeleteItem => {
            let call = table.delete_item().table_name(name);
            let call = call.key("pk", text(pk)).key("sk", text("none"));
            allowed(
                call.condition_expression("attribute_exists(pk)")
                    .send()
                    .await,
            )
        }
        Action::ConditionCheckItem => {
            let check = ConditionCheck::builder()
                .table_name(name)
                .key("pk", text(pk))
                .key("sk", text("none"))
                .condition_expression("attribute_not_exists(pk)")
                .build()
                .map_err(|error| error.to_string())?;
            let write = TransactWriteItem::builder().condition_check(check).build();
            let call = table.transact_write_items().transact_items(write);
            allowed(call.send().await)
        }
        Action::Query => {
            let call = table.query().table_name(name);
            let call = call.key_condition_expression("pk = :pk");
            allowed(
                call.expression_attribute_values(":pk", text(pk))
                    .send()
                    .await,
            )
        }
    }
}

/// `Ok` if a call was allowed by IAM, otherwise the error code of the refusal.
fn allowed<T, E: ProvideErrorMetadata>(result: Result<T, SdkError<E>>) -> Result<(), String> {
    match result {
        Ok(_) => Ok(()),
        Err(error) => match error.code().unwrap_or("no code") {
            "ConditionalCheckFailedException" => Ok(()),
            code => Err(code.to_owned()),
        },
    }
}

fn role<'a>(roles: &'a [Role], name: &str) -> Result<&'a Role> {
    let found = roles.iter().find(|role| role.is_of(name));
    found.with_context(|| format!("no role of {name}"))
}

#[tokio::test]
async fn a_role_reaches_the_partitions_that_it_uses_and_no_other() -> Result<()> {
    let test = Fixture::new("partitions").await?;
    let name = test.stack.output("TableName")?;
    let roles = roles(&test.stack).await?;
    for (name_of_role, action, bound) in BOUNDS {
        let table = Table::new(&role(&roles, name_of_role)?.sdk);
        let is_in = |kind: &&str| bound.iter().any(|prefix| kind.starts_with(prefix));
        for kind in KINDS {
            let asked = try_action(&table, name, action, &[kind]).await;
            let case = format!("{name_of_role} {action:?} {kind}");
            if is_in(&kind) {
                assert_eq!(asked, Ok(()), "{case}");
            } else {
                let code = asked.expect_err(&case);
                assert!(DENIED.contains(&code.as_str()), "{case}: {code}");
            }
        }
        // One foreign key among the keys refuses the whole batch.
        if matches!(action, Action::BatchGetItem) {
            let inside: Vec<_> = KINDS.into_iter().filter(is_in).collect();
            assert_eq!(
                try_action(&table, name, action, &inside).await,
                Ok(()),
                "{name_of_role}"
            );
            let asked = try_action(&table, name, action, &KINDS).await;
            assert!(asked.is_err(), "{name_of_role} {action:?} of all");
        }
    }
    Ok(())
}

/// In a query on an index, the condition applies to the partition key of the index.
#[tokio::test]
async fn the_index_of_deliveries_gives_no_other_items() -> Result<()> {
    let test = Fixture::new("index").await?;
    let roles = roles(&test.stack).await?;
    let api = role(&roles, "ApiFunction")?;
    for (key, is_right) in [("DELIVERY#sub_0", true), ("SUBSCRIPTION#sub_0", false)] {
        let query = Table::new(&api.sdk)
            .query()
            .table_name(test.stack.output("TableName")?)
            .index_name("deliveries")
            .key_condition_expression("sk = :key")
            .expression_attribute_values(":key", AttributeValue::S(key.to_owned()));
        let asked = allowed(query.send().await);
        assert_eq!(asked.is_ok(), is_right, "{key}: {asked:?}");
    }
    Ok(())
}

/// A portal that somebody has taken over cannot make a session, or give one more rights.
#[tokio::test]
async fn the_portal_writes_no_attribute_that_makes_a_session() -> Result<()> {
    let test = Fixture::new("attributes").await?;
    let found = roles(&test.stack).await?;
    let portal = role(&found, "PortalFunction")?;
    let string = |value: &str| AttributeValue::S(value.to_owned());
    for (update, is_right) in [
        (
            "SET tokenDigest = :x, enteredAt = :x, expiresAt = :x REMOVE codeDigest",
            true,
        ),
        ("SET expiresAt = :x, testsUntil = :x", true),
        ("SET capabilities = :x", false),
        ("SET endsAt = :x", false),
        ("SET createdBy = :x", false),
        ("SET tokenDigest = :x, #other = :x", false),
    ] {
        let call = Table::new(&portal.sdk)
            .update_item()
            .table_name(test.stack.output("TableName")?)
            .key("pk", string("PORTAL#nobody"))
            .key("sk", string("pse_none"))
            .update_expression(update)
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":x", string("x"));
        let is_aliased = update.contains("#other");
        let aliases = is_aliased.then(|| [("#other".to_owned(), "capabilities".to_owned())].into());
        let call = call.set_expression_attribute_names(aliases);
        let asked = allowed(call.send().await);
        assert_eq!(asked.is_ok(), is_right, "{update}: {asked:?}");
    }
    Ok(())
}

#[tokio::test]
async fn events_are_put_from_the_system_itself_only() -> Result<()> {
    let test = Fixture::new("sources").await?;
    let bus = test.stack.output("EventBusName")?;
    let roles = roles(&test.stack).await?;
    for name in ["DeliverWebhookFunction", "ApiFunction"] {
        let role = role(&roles, name)?;
        let put = async |sources: &[&str]| {
            let entry = |source: &&str| {
                PutEventsRequestEntry::builder()
                    .event_bus_name(bus)
                    .source(*source)
                    .detail_type("nobody.subscribes")
                    .detail("{}")
                    .build()
            };
            let entries = sources.iter().map(entry).collect();
            let call = aws_sdk_eventbridge::Client::new(&role.sdk).put_events();
            call.set_entries(Some(entries)).send().await
        };
        put(&["webhooks"]).await.with_context(|| name.to_owned())?;
        for wrong in [&["com.example.shop"][..], &["webhooks", "com.example.shop"]] {
            is_refused(put(wrong).await, &DENIED, role, &format!("put {wrong:?}"));
        }
    }
    Ok(())
}
