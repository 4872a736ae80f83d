//! Queues, the rule and the sweep: nothing is lost and nothing repeats.

use serde_json::{Value, json};

use crate::support::{
    actions, assert_same_values, load, referenced, resource_statements, resources_of,
};

/// Fourteen days, the longest retention of an SQS message.
const LONGEST_RETENTION_SECONDS: u64 = 14 * 24 * 60 * 60;

#[test]
fn the_visibility_timeout_is_six_times_the_functions_timeout() {
    let template = load();
    let rows = template["Mappings"]["RequestTimeouts"].as_object().unwrap();
    for (request_timeout, row) in rows {
        let function = row["FunctionTimeout"].as_u64().unwrap();
        let visibility = row["VisibilityTimeout"].as_u64().unwrap();
        assert!(visibility >= 6 * function, "{request_timeout}: {row}");
        let batching = row["BatchingVisibilityTimeout"].as_u64().unwrap();
        assert!(batching >= 6 * function + 10, "{request_timeout}: {row}");
        assert!(
            function > request_timeout.parse().unwrap(),
            "{request_timeout}: {row}"
        );
        let api = row["ApiTimeout"].as_u64().unwrap();
        assert!(api >= function + 10, "{request_timeout}: {row}");
    }
    assert_same_values(&template, "RequestTimeoutSeconds", rows);

    let find = |column: &str| json!({"Fn::FindInMap": ["RequestTimeouts", {"Ref": "RequestTimeoutSeconds"}, column]});
    let resources = &template["Resources"];
    assert_eq!(
        resources["DeliverWebhookFunction"]["Properties"]["Timeout"],
        find("FunctionTimeout")
    );
    assert_eq!(
        resources["ApiFunction"]["Properties"]["Timeout"],
        find("ApiTimeout")
    );
    for queue in ["DeliveryQueue", "SlowDeliveryQueue"] {
        let visibility = &resources[queue]["Properties"]["VisibilityTimeout"];
        let expected = json!({"Fn::If": [
            "FillsBatches",
            find("BatchingVisibilityTimeout"),
            find("VisibilityTimeout"),
        ]});
        assert_eq!(*visibility, expected, "{queue}");
    }
}

#[test]
fn the_batching_window_is_the_number_that_was_chosen() {
    let template = load();
    let rows = template["Mappings"]["BatchingWindows"].as_object().unwrap();
    for (chosen, row) in rows {
        let seconds = chosen.parse::<u64>().unwrap();
        assert_eq!(row["Seconds"], seconds);
        // The visibility timeout is made for this much.
        assert!(seconds <= 10);
    }
    assert_same_values(&template, "BatchingWindowSeconds", rows);
    let function = &template["Resources"]["DeliverWebhookFunction"];
    let events = function["Properties"]["Events"].as_object().unwrap();
    for (name, event) in events {
        let window = json!({"Fn::FindInMap": [
            "BatchingWindows",
            {"Ref": "BatchingWindowSeconds"},
            "Seconds",
        ]});
        let properties = &event["Properties"];
        assert_eq!(
            properties["MaximumBatchingWindowInSeconds"], window,
            "{name}"
        );
    }
}

#[test]
fn the_rule_retries_for_a_day_and_then_keeps_the_event() {
    let template = load();
    let rules = resources_of(&template, "AWS::Events::Rule");
    assert!(!rules.is_empty());
    for (id, rule) in rules {
        for target in rule["Properties"]["Targets"].as_array().unwrap() {
            let retry = &target["RetryPolicy"];
            assert_eq!(retry["MaximumEventAgeInSeconds"], 86_400, "{id}");
            assert_eq!(retry["MaximumRetryAttempts"], 185, "{id}");
            let queue = referenced(&target["DeadLetterConfig"]["Arn"]).unwrap();
            assert!(
                resource_statements(&template).iter().any(|(_, statement)| {
                    actions(statement) == ["sqs:SendMessage"]
                        && statement["Principal"]["Service"] == "events.amazonaws.com"
                        && referenced(&statement["Resource"]) == Some(queue)
                        && referenced(&statement["Condition"]["ArnEquals"]["aws:SourceArn"])
                            == Some(id)
                }),
                "{id} cannot send to {queue}"
            );
        }
    }
}

#[test]
fn every_queue_is_encrypted_and_keeps_its_messages_for_fourteen_days() {
    for (id, queue) in resources_of(&load(), "AWS::SQS::Queue") {
        let properties = &queue["Properties"];
        assert_eq!(properties["SqsManagedSseEnabled"], true, "{id}");
        assert_eq!(
            properties["MessageRetentionPeriod"], LONGEST_RETENTION_SECONDS,
            "{id}"
        );
    }
}

#[test]
fn every_queue_with_a_consumer_has_a_dead_letter_queue() {
    let template = load();
    let worked_on = queue_events(&template);
    assert!(!worked_on.is_empty());
    for (function, event) in worked_on {
        let queue = referenced(&event["Queue"]).unwrap();
        let redrive = &template["Resources"][queue]["Properties"]["RedrivePolicy"];
        let dead_letters = referenced(&redrive["deadLetterTargetArn"])
            .unwrap_or_else(|| panic!("{queue}, read by {function}, has no dead-letter queue"));
        assert_eq!(
            template["Resources"][dead_letters]["Type"],
            "AWS::SQS::Queue"
        );
        assert!(redrive["maxReceiveCount"].as_u64().unwrap() >= 5, "{queue}");
    }
}

#[test]
fn every_batch_reports_failures_per_message() {
    for (function, event) in queue_events(&load()) {
        assert_eq!(
            event["FunctionResponseTypes"],
            json!(["ReportBatchItemFailures"]),
            "{function}"
        );
        // A larger batch makes one message of more warnings. Each webhook has its own request.
        let size = if function == "NotifyContactsFunction" {
            100
        } else {
            10
        };
        assert_eq!(event["BatchSize"], size, "{function}");
    }
}

#[test]
fn without_a_sender_nothing_of_the_notifications_is_deployed() {
    let template = load();
    let parameters = &template["Parameters"];
    assert_eq!(parameters["NotificationSender"]["Default"], "");
    let has_sender = json!({"Fn::Not": [{"Fn::Equals": [{"Ref": "NotificationSender"}, ""]}]});
    assert_eq!(template["Conditions"]["SendsNotifications"], has_sender);
    let mut conditional = 0;
    for (id, resource) in template["Resources"].as_object().unwrap() {
        if !id.starts_with("Notif") {
            assert_ne!(resource["Condition"], "SendsNotifications", "{id}");
            continue;
        }
        conditional += 1;
        let condition = resource["Condition"].as_str().unwrap_or_default();
        let known = [
            "SendsNotifications",
            "MonitorsNotifications",
            "MonitorsNotifyContacts",
        ];
        assert!(known.contains(&condition), "{id}: {condition}");
    }
    assert_eq!(conditional, 12);
    // The queue of the deliveries gets none of the warnings.
    let rule = &template["Resources"]["NotificationRule"]["Properties"];
    let pattern = json!({"source": ["webhooks"], "detail-type": ["subscription.warning"]});
    assert_eq!(rule["EventPattern"], pattern);
}

#[test]
fn a_warning_is_invisible_for_the_window_and_six_times_the_functions_timeout() {
    let template = load();
    let resources = &template["Resources"];
    let function = &resources["NotifyContactsFunction"]["Properties"];
    let event = &function["Events"]["NotificationQueue"]["Properties"];
    let window = event["MaximumBatchingWindowInSeconds"].as_u64().unwrap();
    let timeout = function["Timeout"].as_u64().unwrap();
    let visibility = &resources["NotificationQueue"]["Properties"]["VisibilityTimeout"];
    assert!(visibility.as_u64().unwrap() >= 6 * timeout + window);
}

#[test]
fn sweeps_neither_overlap_nor_repeat() {
    let template = load();
    let sweep = &template["Resources"]["RequeueDueDeliveriesFunction"]["Properties"];
    let schedule = &sweep["Events"]["EveryMinute"]["Properties"];
    assert_eq!(schedule["ScheduleExpression"], "rate(1 minute)");
    assert!(sweep["Timeout"].as_u64().unwrap() < 60);
    // Without a name SAM gives every stack's schedule the same name, so a second stack would fail.
    assert!(schedule["Name"].to_string().contains("AWS::StackId"));
    // Neither the schedule nor Lambda's asynchronous queue repeats a sweep.
    assert_eq!(schedule["RetryPolicy"]["MaximumRetryAttempts"], 0);
    assert_eq!(sweep["EventInvokeConfig"]["MaximumRetryAttempts"], 0);
    let age = &sweep["EventInvokeConfig"]["MaximumEventAgeInSeconds"];
    assert!(age.as_u64().unwrap() <= 60);
}

#[test]
fn lambda_does_not_treat_a_chain_of_retries_as_a_loop() {
    let deliver = &load()["Resources"]["DeliverWebhookFunction"]["Properties"];
    assert_eq!(deliver["RecursiveLoop"], "Allow");
}

#[test]
fn the_queue_holds_waits_up_to_its_longest_delay() {
    let template = load();
    let longest = &template["Parameters"]["LongestQueueDelaySeconds"];
    assert_eq!(
        (&longest["Default"], &longest["MaxValue"]),
        (&json!(900), &json!(900))
    );
}

/// The SQS events of the functions, with the function's logical id.
fn queue_events(template: &Value) -> Vec<(&str, &Value)> {
    resources_of(template, "AWS::Serverless::Function")
        .into_iter()
        .filter_map(|(id, function)| Some((id, function["Properties"].get("Events")?.as_object()?)))
        .flat_map(|(id, events)| events.values().map(move |event| (id, event)))
        .filter(|(_, event)| event["Type"] == "SQS")
        .map(|(id, event)| (id, &event["Properties"]))
        .collect()
}
