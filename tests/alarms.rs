//! Alarms and the dashboard: nothing is missing, and they use metrics that are written.

// A failed `unwrap` or index shows more in a test than a handled one would.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};
use webhooks_lambda::metrics::{DIMENSION, NAMESPACE, Unit};
use webhooks_lambda::{Metric, Monitoring};
use webhooks_tests::template;

/// The columns of CloudWatch's grid.
const DASHBOARD_COLUMNS: u64 = 24;

/// The test, by file and name, that changes the metric of each alarm. For a metric of AWS itself
/// the emulator shows only the cause. `None` if it cannot show that either.
const PROVOKED_BY: &[(&str, Option<(&str, &str)>)] = &[
    (
        "RuleDeadLettersAlarm",
        Some((
            "tests/end_to_end/recovery.rs",
            "an_event_in_the_rules_dead_letter_queue_is_delivered",
        )),
    ),
    (
        "FailedEventsAlarm",
        Some((
            "tests/end_to_end/recovery.rs",
            "a_failed_event_is_delivered_once_its_cause_is_gone",
        )),
    ),
    (
        "DeliveryDeadLettersAlarm",
        Some((
            "tests/end_to_end/recovery.rs",
            "a_task_in_the_dead_letter_queue_is_delivered",
        )),
    ),
    (
        "DeliveryQueueAgeAlarm",
        Some((
            "tests/end_to_end/metrics.rs",
            "a_task_of_an_unknown_version_stays_in_the_queue",
        )),
    ),
    (
        "SlowDeliveryQueueAgeAlarm",
        Some((
            "tests/end_to_end/isolation.rs",
            "a_hanging_endpoint_uses_the_slow_queue_until_it_is_quick_again",
        )),
    ),
    (
        "LateAttemptsAlarm",
        Some((
            "tests/end_to_end/metrics.rs",
            "a_late_attempt_reports_its_lag",
        )),
    ),
    (
        "AttemptFailuresAlarm",
        Some((
            "tests/end_to_end/metrics.rs",
            "deliveries_are_counted_by_their_outcome_and_timed",
        )),
    ),
    (
        "HandedBackAlarm",
        Some((
            "tests/end_to_end/metrics.rs",
            "a_task_of_an_unknown_version_stays_in_the_queue",
        )),
    ),
    (
        "DeliveryKmsErrorsAlarm",
        Some((
            "functions/deliver-webhook/src/metrics.rs",
            "calls_of_kms_are_counted_with_the_batch",
        )),
    ),
    (
        "ApiKmsErrorsAlarm",
        Some((
            "functions/api/src/metrics.rs",
            "calls_of_kms_are_counted_with_the_request",
        )),
    ),
    (
        "ApiServerErrorsAlarm",
        Some((
            "functions/api/src/metrics.rs",
            "an_answer_is_counted_by_whose_fault_it_is",
        )),
    ),
    (
        "SweepStoppedAlarm",
        Some((
            "functions/requeue-due-deliveries/src/main.rs",
            "a_sweep_that_failed_does_not_count_as_one",
        )),
    ),
    (
        "SweepLagAlarm",
        Some((
            "functions/requeue-due-deliveries/src/main.rs",
            "a_sweep_that_failed_does_not_count_as_one",
        )),
    ),
    (
        "WorkflowFailuresAlarm",
        Some((
            "tests/end_to_end/malformed_events.rs",
            "an_event_without_a_customer_id_is_kept",
        )),
    ),
    ("WorkflowTimeoutsAlarm", None),
    (
        "NotificationDeadLettersAlarm",
        Some((
            "functions/notify-contacts/src/main.rs",
            "a_poison_event_or_address_stops_no_other",
        )),
    ),
    (
        "NotificationQueueAgeAlarm",
        Some((
            "functions/notify-contacts/src/main.rs",
            "what_has_no_time_left_goes_back_to_the_queue",
        )),
    ),
];

/// The conditions of alarms of functions that may be absent.
const OPTIONAL: [&str; 3] = [
    "MonitorsPortal",
    "MonitorsNotifications",
    "MonitorsNotifyContacts",
];

fn is_optional(resource: &Value) -> bool {
    let condition = resource["Condition"].as_str();
    condition.is_some_and(|condition| OPTIONAL.contains(&condition))
}

#[test]
fn every_queue_has_an_alarm_for_its_messages_or_for_their_age() {
    let template = template::load().unwrap();
    let worked_on: BTreeSet<_> = resources_of(&template, "AWS::Serverless::Function")
        .into_iter()
        .filter_map(|(_, function)| function["Properties"]["Events"].as_object())
        .flat_map(serde_json::Map::values)
        .filter(|event| event["Type"] == "SQS")
        .map(|event| event["Properties"]["Queue"]["Fn::GetAtt"].clone())
        .map(|arn| arn.as_str().unwrap().trim_end_matches(".Arn").to_owned())
        .collect();
    for (queue, _) in resources_of(&template, "AWS::SQS::Queue") {
        let metric = if worked_on.contains(queue) {
            "ApproximateAgeOfOldestMessage"
        } else {
            "ApproximateNumberOfMessagesVisible"
        };
        let name = json!({"Fn::GetAtt": format!("{queue}.QueueName")});
        assert!(has_alarm(&template, "AWS/SQS", metric, &name), "{queue}");
    }
}

#[test]
fn every_function_has_an_alarm_for_its_errors_and_one_for_its_throttles() {
    let template = template::load().unwrap();
    for (function, resource) in resources_of(&template, "AWS::Serverless::Function") {
        // The self test is watched by the person who runs it, and requests from strangers to its
        // receiver must not raise an alarm.
        if resource["Condition"] == "RunsSelfTest" {
            continue;
        }
        for metric in ["Errors", "Throttles"] {
            let name = json!({"Ref": function});
            assert!(
                has_alarm(&template, "AWS/Lambda", metric, &name),
                "{function}: {metric}"
            );
        }
    }
}

#[test]
fn an_alarm_on_our_own_metric_uses_one_that_its_function_writes() {
    let template = template::load().unwrap();
    let mut seen = 0;
    for (id, alarm) in alarms(&template) {
        if alarm["Namespace"] != NAMESPACE {
            let known = ["AWS/SQS", "AWS/Lambda", "AWS/States"];
            assert!(known.iter().any(|name| alarm["Namespace"] == *name), "{id}");
            continue;
        }
        seen += 1;
        let name = alarm["MetricName"].as_str().unwrap();
        let metric = metric(name).unwrap_or_else(|| panic!("{id}: no function writes {name}"));
        let [dimension] = &alarm["Dimensions"].as_array().unwrap()[..] else {
            panic!("{id}: one dimension")
        };
        assert_eq!(dimension["Name"], DIMENSION, "{id}");
        assert_written_by(metric, dimension["Value"]["Ref"].as_str().unwrap());
        // With `Monitoring=Essential` there must be data for the essential alarms.
        let is_essential = template["Resources"][id]["Condition"] == json!("MonitorsEssentials");
        assert!(
            !is_essential || metric.is_published(Monitoring::Essential),
            "{id}"
        );
        // Counts are summed; for the other units only single values are meaningful.
        let is_sum = alarm["Statistic"] == "Sum";
        assert_eq!(metric.unit() == Unit::Count, is_sum, "{id}");
    }
    assert!(seen > 5);
}

#[test]
fn every_alarm_goes_to_the_topic_and_has_a_runbook() {
    let template = template::load().unwrap();
    let topic = json!({"Fn::If": [
        "HasAlarmTopic",
        [{"Ref": "AlarmTopicArn"}],
        {"Ref": "AWS::NoValue"},
    ]});
    assert_eq!(template["Parameters"]["AlarmTopicArn"]["Default"], "");
    let runbooks = fs::read_to_string(template::root().join("docs/runbooks.md")).unwrap();
    for (id, alarm) in alarms(&template) {
        assert_eq!(alarm["AlarmActions"], topic, "{id}");
        assert_eq!(alarm["OKActions"], topic, "{id}");
        let description = alarm["AlarmDescription"].as_str().unwrap();
        let (_, place) = description
            .split_once(". docs/runbooks.md, ")
            .unwrap_or_else(|| panic!("{id} names no runbook: {description}"));
        let heading = format!("\n### {}\n", place.trim_end_matches('.'));
        assert!(runbooks.contains(&heading), "{id}: no `{heading}`");
    }
}

#[test]
fn only_the_alarm_for_a_stopped_sweep_treats_missing_data_as_a_fault() {
    let template = template::load().unwrap();
    for (id, alarm) in alarms(&template) {
        let expected = if id == "SweepStoppedAlarm" {
            "breaching"
        } else {
            "notBreaching"
        };
        assert_eq!(alarm["TreatMissingData"], expected, "{id}");
    }
}

#[test]
fn every_alarm_has_a_test_that_changes_its_metric() {
    let template = template::load().unwrap();
    let ids: BTreeSet<_> = alarms(&template)
        .into_iter()
        // Lambda counts these by itself.
        .filter(|(_, alarm)| alarm["Namespace"] != "AWS/Lambda")
        .map(|(id, _)| id)
        .collect();
    assert_eq!(ids, PROVOKED_BY.iter().map(|(id, _)| *id).collect());
    for (id, test) in PROVOKED_BY {
        if let Some((file, name)) = test {
            let text = fs::read_to_string(template::root().join(file)).unwrap();
            assert!(text.contains(&format!("fn {name}()")), "{id}: {name}");
        }
    }
}

/// Each costs $0.10 a month, and may wake a person.
#[test]
fn ten_alarms_are_essential_and_the_others_are_for_full_monitoring() {
    let template = template::load().unwrap();
    assert_eq!(template["Parameters"]["Monitoring"]["Default"], "Essential");
    let by_condition = |condition: &str| -> BTreeSet<&str> {
        let alarms = resources_of(&template, "AWS::CloudWatch::Alarm").into_iter();
        alarms
            .filter(|(_, alarm)| alarm["Condition"] == condition)
            .map(|(id, _)| id)
            .collect()
    };
    let essential = by_condition("MonitorsEssentials");
    assert_eq!(essential.len(), 10, "{essential:#?}");
    let portal = by_condition("MonitorsPortal");
    assert_eq!(portal.len(), 4, "{portal:#?}");
    // Two that should wake a person, and two for full monitoring.
    let notifications = ["MonitorsNotifications", "MonitorsNotifyContacts"].map(by_condition);
    assert_eq!(notifications.each_ref().map(BTreeSet::len), [2, 2]);
    let all = alarms(&template).len() - 4;
    let rest = by_condition("MonitorsAll").len() + portal.len();
    assert_eq!(essential.len() + rest, all);
    // These three watch for events that were not processed.
    for alarm in [
        "RuleDeadLettersAlarm",
        "FailedEventsAlarm",
        "WorkflowTimeoutsAlarm",
    ] {
        assert!(essential.contains(alarm), "{alarm}");
    }
    let not_off = json!({"Fn::Not": [{"Fn::Equals": [{"Ref": "Monitoring"}, "Off"]}]});
    assert_eq!(template["Conditions"]["MonitorsEssentials"], not_off);
    let full = json!({"Fn::Equals": [{"Ref": "Monitoring"}, "Full"]});
    assert_eq!(template["Conditions"]["MonitorsAll"], full);
    let with_portal = json!({"Fn::And": [
        {"Condition": "MonitorsAll"},
        {"Condition": "RunsPortal"},
    ]});
    assert_eq!(template["Conditions"]["MonitorsPortal"], with_portal);
    for (name, monitoring) in [
        ("MonitorsNotifications", "MonitorsEssentials"),
        ("MonitorsNotifyContacts", "MonitorsAll"),
    ] {
        let with_sender = json!({"Fn::And": [
            {"Condition": monitoring},
            {"Condition": "SendsNotifications"},
        ]});
        assert_eq!(template["Conditions"][name], with_sender);
    }
    assert_eq!(
        template["Resources"]["Dashboard"]["Condition"],
        "MonitorsAll"
    );
}

#[test]
fn the_dashboard_names_only_existing_resources_and_metrics() {
    let template = template::load().unwrap();
    let body = dashboard();
    for name in placeholders(&body.to_string()) {
        let (id, _) = name.split_once('.').unwrap_or((&name, ""));
        // `Name` is the table's name, whether the table is the stack's own or adopted.
        assert!(
            name.starts_with("AWS::") || name == "Name" || template["Resources"].get(id).is_some(),
            "{name}"
        );
    }
    for metric_row in metric_rows(&body) {
        if metric_row[0] == NAMESPACE {
            let name = metric_row[1].as_str().unwrap();
            let metric = metric(name).unwrap_or_else(|| panic!("no function writes {name}"));
            assert_eq!(metric_row[2], DIMENSION, "{name}");
            let function = metric_row[3].as_str().unwrap();
            assert_written_by(metric, function.trim_matches(['$', '{', '}']));
        }
    }
    let shown: BTreeSet<_> = widgets(&body)
        .iter()
        .filter_map(|widget| widget["properties"]["alarms"].as_array())
        .flatten()
        .map(|arn| arn.as_str().unwrap().to_owned())
        .collect();
    // The dashboard must not name a resource that may be absent.
    let expected = resources_of(&template, "AWS::CloudWatch::Alarm")
        .into_iter()
        .filter(|(_, alarm)| !is_optional(alarm))
        .map(|(id, _)| format!("${{{id}.Arn}}"))
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn every_queue_is_on_the_dashboard() {
    let template = template::load().unwrap();
    let rows = metric_rows(&dashboard());
    for (queue, resource) in resources_of(&template, "AWS::SQS::Queue") {
        // The dashboard must not name a resource that may be absent.
        if resource["Condition"] == "SendsNotifications" {
            continue;
        }
        let name = format!("${{{queue}.QueueName}}");
        assert!(rows.iter().any(|row| row[3] == *name), "{queue}");
    }
}

/// The metrics of the table itself do not include its indexes.
#[test]
fn the_consumption_of_each_index_is_on_the_dashboard() {
    let template = template::load().unwrap();
    let rows = metric_rows(&dashboard());
    let indexes = &template["Resources"]["Table"]["Properties"]["GlobalSecondaryIndexes"];
    for index in indexes.as_array().unwrap() {
        for metric in ["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"] {
            let dimensions = json!([
                "AWS/DynamoDB",
                metric,
                "TableName",
                "${Name}",
                "GlobalSecondaryIndexName",
                index["IndexName"]
            ]);
            let shown = |row: &Value| {
                row.as_array().unwrap()[..].starts_with(dimensions.as_array().unwrap())
            };
            assert!(rows.iter().any(shown), "{metric} of {}", index["IndexName"]);
        }
    }
}

#[test]
fn no_two_widgets_share_a_place() {
    let mut taken = BTreeSet::new();
    for widget in widgets(&dashboard()) {
        let side = |name: &str| widget[name].as_u64().unwrap();
        for x in side("x")..side("x") + side("width") {
            assert!(x < DASHBOARD_COLUMNS, "{widget}");
            for y in side("y")..side("y") + side("height") {
                assert!(taken.insert((x, y)), "{widget}");
            }
        }
    }
}

/// The body of the dashboard as written in the template, without substitution of `${…}`.
fn dashboard() -> Value {
    let template = template::load().unwrap();
    let body = &template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"][0];
    serde_json::from_str(body.as_str().unwrap()).unwrap()
}

/// Asserts that a function writes a metric.
fn assert_written_by(metric: Metric, function: &str) {
    let folder = match function {
        "LookUpSubscriptionsFunction" => "look-up-subscriptions",
        "DeliverWebhookFunction" => "deliver-webhook",
        "RequeueDueDeliveriesFunction" => "requeue-due-deliveries",
        "ApiFunction" => "api",
        other => panic!("{other} writes no metrics"),
    };
    let sources = template::root().join("functions").join(folder).join("src");
    let written = fs::read_dir(sources).unwrap().any(|entry| {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap_or_default();
        text.contains(&format!("Metric::{metric:?}"))
    });
    assert!(written, "{function} does not write {metric:?}");
}

fn metric(name: &str) -> Option<Metric> {
    let known = Metric::ALL.iter().copied();
    known.into_iter().find(|metric| metric.as_str() == name)
}

fn widgets(body: &Value) -> Vec<Value> {
    body["widgets"].as_array().unwrap().clone()
}

fn metric_rows(body: &Value) -> Vec<Value> {
    widgets(body)
        .iter()
        .filter_map(|widget| widget["properties"]["metrics"].as_array())
        .flatten()
        .cloned()
        .collect()
}

/// The names in `${…}`.
fn placeholders(text: &str) -> BTreeSet<String> {
    let parts = text.split("${").skip(1);
    parts
        .map(|part| part.split('}').next().unwrap().to_owned())
        .collect()
}

fn alarms(template: &Value) -> Vec<(&str, &Value)> {
    let alarms = resources_of(template, "AWS::CloudWatch::Alarm");
    let properties = alarms
        .into_iter()
        .map(|(id, alarm)| (id, &alarm["Properties"]));
    properties.collect()
}

fn has_alarm(template: &Value, namespace: &str, metric: &str, dimension: &Value) -> bool {
    alarms(template).into_iter().any(|(_, alarm)| {
        alarm["Namespace"] == namespace
            && alarm["MetricName"] == metric
            && alarm["Dimensions"][0]["Value"] == *dimension
    })
}

/// The resources of one type, by logical id.
fn resources_of<'a>(template: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let resources = template["Resources"].as_object().unwrap().iter();
    resources
        .filter(|(_, resource)| resource["Type"] == kind)
        .map(|(id, resource)| (id.as_str(), resource))
        .collect()
}
