//! Checks log groups and alarms.

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::json;

use super::aws::{CLOUDWATCH, LOGS};
use super::context::{Context, Described};
use super::report::{Check, Group, Outcome, judge};

const GROUP: Group = Group("watching");

/// `DescribeLogGroups`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogGroups {
    #[serde(default)]
    log_groups: Vec<LogGroup>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LogGroup {
    log_group_name: String,
    retention_in_days: Option<u64>,
}

/// `DescribeAlarms`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Alarms {
    #[serde(default)]
    metric_alarms: Vec<Alarm>,
}

#[expect(clippy::struct_field_names, reason = "AWS's names")]
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Alarm {
    alarm_name: String,
    state_value: String,
    state_reason: Option<String>,
    #[serde(default)]
    actions_enabled: bool,
    #[serde(default)]
    alarm_actions: Vec<String>,
}

/// The checks of this group.
pub(crate) async fn checks(context: &Context) -> Vec<Check> {
    context.progress.say("log groups and alarms");
    let (log_groups, alarms) = match (
        ids(context, "AWS::Logs::LogGroup"),
        ids(context, "AWS::CloudWatch::Alarm"),
    ) {
        (Ok(log_groups), Ok(alarms)) => (log_groups, alarms),
        (Err(outcome), _) | (_, Err(outcome)) => {
            return vec![GROUP.check("log groups and alarms", outcome)];
        }
    };
    let described = log_groups.iter().map(async |(id, name)| {
        let group = log_group(context, name).await;
        judge(GROUP, id, &group, &[("retention", &judge_retention)])
    });
    let mut checks = join_all(described).await.concat();
    let described = describe(context, &alarms).await;
    for (id, name) in &alarms {
        let alarm = match &described {
            Ok(described) => find(described, name),
            Err(outcome) => Err(outcome.clone()),
        };
        checks.extend(judge(
            GROUP,
            id,
            &alarm,
            &[("state", &|alarm| judge_alarm(alarm, id))],
        ));
    }
    let alarms = described.map(|alarms| alarms.metric_alarms);
    if !context.is_local() {
        checks.extend(judge(
            GROUP,
            "Alarms",
            &alarms,
            &[("alarms notify somebody", &|alarms| judge_actions(alarms))],
        ));
    }
    checks
}

/// Returns the logical and physical ids of all resources of a type.
fn ids(context: &Context, kind: &str) -> Described<Vec<(String, String)>> {
    let resources = context.resources()?.iter();
    let of_kind = resources.filter(|(_, resource)| resource.kind == kind);
    Ok(of_kind
        .map(|(id, resource)| (id.clone(), resource.physical_id.clone()))
        .collect())
}

async fn log_group(context: &Context, name: &str) -> Described<LogGroup> {
    let input = json!({"logGroupNamePrefix": name});
    let groups: LogGroups = context.call(&LOGS, "DescribeLogGroups", &input).await?;
    let mut groups = groups.log_groups.into_iter();
    groups
        .find(|group| group.log_group_name == name)
        .ok_or_else(|| {
            Outcome::failed(
                "somebody has deleted it, and the function cannot create it again: its log is lost",
                "`aws logs create-log-group --log-group-name NAME`, or docs/doctor.md, Drift",
            )
        })
}

async fn describe(context: &Context, alarms: &[(String, String)]) -> Described<Alarms> {
    let mut all = Vec::new();
    // The largest number of names in one request.
    for names in alarms.chunks(100) {
        let names: Vec<_> = names.iter().map(|(_, name)| name).collect();
        let input = json!({"AlarmNames": names, "MaxRecords": 100});
        let alarms: Alarms = context.call(&CLOUDWATCH, "DescribeAlarms", &input).await?;
        all.extend(alarms.metric_alarms);
    }
    Ok(Alarms { metric_alarms: all })
}

fn find(alarms: &Alarms, name: &str) -> Described<Alarm> {
    let mut alarms = alarms.metric_alarms.iter();
    alarms
        .find(|alarm| alarm.alarm_name == name)
        .cloned()
        .ok_or_else(|| {
            Outcome::failed(
                "somebody has deleted it",
                "restore it as described in docs/doctor.md, Drift",
            )
        })
}

fn judge_retention(group: &LogGroup) -> Outcome {
    match group.retention_in_days {
        Some(days) => Outcome::passed(format!("{days} days")),
        None => Outcome::failed(
            "its lines are stored for ever, and cost money",
            format!(
                "`aws logs put-retention-policy --retention-in-days 30 --log-group-name {}`",
                group.log_group_name
            ),
        ),
    }
}

fn judge_alarm(alarm: &Alarm, id: &str) -> Outcome {
    let reason = alarm.state_reason.as_deref().unwrap_or("no reason given");
    match (alarm.state_value.as_str(), alarm.actions_enabled) {
        ("ALARM", _) => Outcome::failed(
            format!("ALARM: {reason}"),
            format!("docs/runbooks.md, {id}, has the steps"),
        ),
        (state, false) => Outcome::warned(
            format!("{state}, and its actions are disabled: it notifies nobody"),
            format!(
                "`aws cloudwatch enable-alarm-actions --alarm-names {}`",
                alarm.alarm_name
            ),
        ),
        (state, true) => Outcome::passed(state),
    }
}

fn judge_actions(alarms: &[Alarm]) -> Outcome {
    if alarms.is_empty() {
        return Outcome::warned(
            "there are none: nobody is told when an event is not delivered",
            "deploy with Monitoring=Essential",
        );
    }
    let mute = alarms.iter().filter(|alarm| alarm.alarm_actions.is_empty());
    match mute.count() {
        0 => Outcome::passed("every alarm has an action"),
        mute => Outcome::warned(
            format!("{mute} alarms notify nobody: they are visible only in CloudWatch"),
            "deploy with AlarmTopicArn: an SNS topic with the person on call as a subscriber",
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::doctor::report::fixtures::{is_failed, is_passed, is_warned};

    fn alarm(fields: Value) -> Alarm {
        let mut all = json!({
            "AlarmName": "a", "StateValue": "OK", "ActionsEnabled": true, "AlarmActions": ["topic"],
        });
        let (Value::Object(all_fields), Value::Object(fields)) = (&mut all, fields) else {
            panic!("both are objects");
        };
        all_fields.extend(fields);
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn a_log_group_without_retention_is_red() {
        let kept = |days: Option<u64>| LogGroup {
            log_group_name: "g".to_owned(),
            retention_in_days: days,
        };
        assert!(is_passed(&judge_retention(&kept(Some(30)))));
        assert!(is_failed(&judge_retention(&kept(None))));
    }

    #[test]
    fn an_alarm_in_alarm_is_red_and_a_mute_one_is_reported() {
        assert!(is_passed(&judge_alarm(&alarm(json!({})), "A")));
        let fires = alarm(json!({"StateValue": "ALARM", "StateReason": "full"}));
        let Outcome::Failed { reason, fix } = judge_alarm(&fires, "FailedEventsAlarm") else {
            panic!("it passed");
        };
        assert!(reason.contains("full") && fix.contains("FailedEventsAlarm"));
        let waiting = alarm(json!({"StateValue": "INSUFFICIENT_DATA"}));
        assert!(is_passed(&judge_alarm(&waiting, "A")));
        let mute = alarm(json!({"StateValue": "INSUFFICIENT_DATA", "ActionsEnabled": false}));
        assert!(is_warned(&judge_alarm(&mute, "A")));
    }

    #[test]
    fn alarms_without_actions_are_reported() {
        assert!(is_passed(&judge_actions(&[alarm(json!({}))])));
        assert!(is_warned(&judge_actions(&[alarm(
            json!({"AlarmActions": []})
        )])));
    }

    #[test]
    fn a_deleted_alarm_is_red() {
        let alarms = Alarms {
            metric_alarms: vec![alarm(json!({}))],
        };
        assert!(find(&alarms, "a").is_ok() && find(&alarms, "b").is_err());
    }
}
