//! Hostile inputs of a workflow, from somebody who may start it and nothing else.

use std::collections::HashMap;

use anyhow::{Context, Result};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use webhooks_client::{CreatedSubscription, ExecutionStatus};

use crate::fixture::Fixture;
use crate::machine::{Machine, by_second_interpreter};

/// Makes the page of a recovery fail on every attempt, so that the failure is written to the table.
const FAILS_FOR_GOOD: &str = "RecoverDeliveries=Unnamed*9";

/// All items of a partition.
async fn partition(test: &Fixture, pk: &str) -> Result<Vec<HashMap<String, AttributeValue>>> {
    let found = aws_sdk_dynamodb::Client::new(test.stack.sdk_config())
        .query()
        .table_name(test.stack.output("TableName")?)
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
        .consistent_read(true)
        .send()
        .await?;
    Ok(found.items.unwrap_or_default())
}

/// Inputs that try to write to an item other than the recovery's. One has the form that once held
/// the whole write; others have ids that name another partition or break out of their quotes.
fn hostile_inputs(test: &Fixture, victim: &CreatedSubscription) -> Vec<Value> {
    let pk = format!("CUSTOMER#{}", test.customer);
    let sk = format!("SUBSCRIPTION#{}", victim.subscription.id);
    let write = json!({
        "key": {"pk": {"S": pk}, "sk": {"S": sk}},
        "update": "SET #u = :u",
        "condition": "attribute_exists(pk)",
        "names": {"#u": "url"},
        "values": {":u": {"S": test.receiver.url("/stolen")}},
    });
    let recovery = "rec_019ab3f0c2d17c6e5d4c3b2a19080706";
    let usual = json!({
        "customerId": test.customer,
        "subscriptionId": victim.subscription.id,
        "recoveryId": recovery,
    });
    let with = |changes: Value| {
        let mut input = usual.clone();
        let changes = changes.as_object().unwrap().clone();
        input.as_object_mut().unwrap().extend(changes);
        input
    };
    vec![
        json!({"markFailed": write}),
        with(json!({"markFailed": write})),
        with(json!({"Key": write["key"], "UpdateExpression": write["update"]})),
        with(json!({"customerId": pk, "subscriptionId": sk})),
        with(json!({"customerId": {"S": pk}, "subscriptionId": {"S": sk}, "recoveryId": ""})),
        with(json!({"customerId": [pk], "subscriptionId": [sk], "recoveryId": null})),
        with(json!({"customerId": format!("#{pk}"), "subscriptionId": "#", "recoveryId": "#"})),
        with(json!({"customerId": format!("x' ? '{pk}' : '{pk}"), "subscriptionId": sk})),
        with(
            json!({"customerId": format!("\"}}, \"pk\": {{\"S\": \"{pk}\"}}"), "subscriptionId": sk}),
        ),
        with(json!({"customerId": format!("{{% '{pk}' %}}"), "subscriptionId": sk})),
        json!({}),
    ]
}

#[tokio::test]
async fn an_input_of_a_recovery_writes_to_no_other_item() -> Result<()> {
    let test = Fixture::new("hostile").await?;
    let victim = test.subscribe("/own").await?;
    let machine = Machine::load(&test.stack, "RecoveryStateMachineArn").await?;
    let customers = format!("CUSTOMER#{}", test.customer);
    let before = partition(&test, &customers).await?;
    let url = AttributeValue::S(test.receiver.url("/own"));
    let holds_url = |item: &HashMap<_, _>| item.values().any(|value| *value == url);
    assert!(before.iter().any(holds_url), "{before:#?}");

    for input in hostile_inputs(&test, &victim) {
        let refused = machine.run(&test, &input, "").await?;
        assert_eq!(refused.status, ExecutionStatus::Failed, "{input}");
        assert_eq!(refused.error.as_deref(), Some("InvalidInput"), "{input}");
        assert!(
            !refused.entered.contains(&"MarkFailed".to_owned()),
            "{input}"
        );

        // The function is not the only guard: this run reaches the writing state without the
        // function.
        let run = machine.run(&test, &input, FAILS_FOR_GOOD).await?;
        let is_reached = run.entered.contains(&"MarkFailed".to_owned());
        assert!(is_reached, "{input}: {run:#?}");
        if by_second_interpreter() {
            for request in run
                .requests
                .iter()
                .filter(|request| request["Key"].is_object())
            {
                let pk = request["Key"]["pk"]["S"]
                    .as_str()
                    .context(input.to_string())?;
                assert!(pk.starts_with("RECOVERY#"), "{input}: {request}");
            }
        }
        let after = partition(&test, &customers).await?;
        assert_eq!(after, before, "{input}");
    }
    let recoveries = partition(&test, &format!("RECOVERY#{}", test.customer)).await?;
    assert_eq!(recoveries, [], "an update created an item");

    test.put("order.created", json!({})).await?;
    let request = test.first_request("/own").await?;
    request.verify(&victim.secret)?;
    test.settled_delivery(request.webhook_id(), &victim).await?;
    assert_eq!(test.receiver.requests_to("/stolen").len(), 0);
    Ok(())
}
