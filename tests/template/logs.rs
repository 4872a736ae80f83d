//! Log groups.

use serde_json::json;

use crate::support::{load, referenced, resources_of};

#[test]
fn every_log_group_has_one_writer_and_a_retention() {
    let template = load();
    let mut writers: Vec<&str> = resources_of(&template, "AWS::Serverless::Function")
        .into_iter()
        .map(|(id, function)| {
            referenced(&function["Properties"]["LoggingConfig"]["LogGroup"])
                .unwrap_or_else(|| panic!("{id} has no log group of its own"))
        })
        .collect();
    for (_, workflow) in resources_of(&template, "AWS::Serverless::StateMachine") {
        // Step Functions itself keeps the history of a Standard execution.
        if workflow["Properties"]["Type"] == "STANDARD" {
            continue;
        }
        let destination = &workflow["Properties"]["Logging"]["Destinations"][0];
        writers.push(referenced(&destination["CloudWatchLogsLogGroup"]["LogGroupArn"]).unwrap());
    }
    writers.sort_unstable();

    let groups = resources_of(&template, "AWS::Logs::LogGroup");
    let ids: Vec<&str> = groups.iter().map(|(id, _)| *id).collect();
    assert_eq!(writers, ids);
    for (id, group) in groups {
        assert_eq!(
            group["Properties"]["RetentionInDays"],
            json!({"Ref": "LogRetentionDays"}),
            "{id}"
        );
    }
}

#[test]
fn the_workflow_logs_its_failures_without_the_event() {
    let logging = &load()["Resources"]["WebhookDelivery"]["Properties"]["Logging"];
    assert_eq!(logging["Level"], "ERROR");
    assert_eq!(logging["IncludeExecutionData"], false);
}
