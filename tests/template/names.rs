//! Names of resources: they fit with the longest name of a stack.

use serde_json::{Value, json};

use crate::support::load;

/// The longest name of a stack (CloudFormation, `CreateStack`).
const LONGEST_STACK_NAME: usize = 128;

/// The longest allowed name of a resource, by type. `true` if CloudFormation is known to shorten
/// the name that it generates (`STACK-ID-RANDOM`).
const NAMES: &[(&str, &str, usize, bool)] = &[
    ("AWS::CloudWatch::Alarm", "AlarmName", 255, false),
    ("AWS::CloudWatch::Dashboard", "DashboardName", 255, false),
    ("AWS::DynamoDB::Table", "TableName", 255, false),
    ("AWS::Events::Archive", "ArchiveName", 48, false),
    ("AWS::Events::EventBus", "Name", 256, false),
    ("AWS::Events::Rule", "Name", 64, true),
    ("AWS::IAM::Role", "RoleName", 64, true),
    ("AWS::Logs::LogGroup", "LogGroupName", 512, false),
    ("AWS::SQS::Queue", "QueueName", 80, true),
    ("AWS::Scheduler::Schedule", "Name", 64, false),
    ("AWS::Serverless::Function", "FunctionName", 64, true),
    ("AWS::Serverless::StateMachine", "Name", 80, true),
];

#[test]
fn every_name_fits_with_the_longest_stack_name() {
    let template = load();
    let mut named: Vec<(String, &str, Option<&Value>)> = Vec::new();
    for (id, resource) in template["Resources"].as_object().unwrap() {
        let kind = resource["Type"].as_str().unwrap();
        let property = NAMES.iter().find(|name| name.0 == kind).map(|name| name.1);
        let name = property.and_then(|property| resource["Properties"].get(property));
        named.push((id.clone(), kind, name));
        // SAM creates a resource for each schedule.
        for (event, schedule) in resource["Properties"]["Events"]
            .as_object()
            .into_iter()
            .flatten()
        {
            if schedule["Type"] == "ScheduleV2" {
                let name = schedule["Properties"].get("Name");
                named.push((format!("{id}{event}"), "AWS::Scheduler::Schedule", name));
            }
        }
    }
    assert!(
        named
            .iter()
            .any(|(_, kind, _)| *kind == "AWS::Scheduler::Schedule")
    );
    for (id, kind, name) in named {
        let Some((_, _, limit, is_shortened)) = NAMES.iter().find(|name| name.0 == kind) else {
            let nameless = [
                "AWS::KMS::Key",
                "AWS::Lambda::Alias",
                "AWS::Lambda::Permission",
                "AWS::Lambda::Url",
                "AWS::SQS::QueuePolicy",
            ];
            assert!(
                nameless.contains(&kind),
                "{kind}: how long may its name be?"
            );
            continue;
        };
        let length = match name {
            Some(name) => longest(name),
            None if *is_shortened => continue,
            // A hyphen, the logical id, a hyphen, and up to 13 random characters.
            None => LONGEST_STACK_NAME + 1 + id.len() + 14,
        };
        assert!(length <= *limit, "{id}: {length} of {limit}");
    }
}

/// The longest possible length of a name, with the longest value of each of its parts.
fn longest(name: &Value) -> usize {
    match name {
        Value::String(text) => text.len(),
        Value::Object(object) => match object.iter().next().unwrap() {
            (kind, Value::String(text)) if kind == "Ref" => longest_of(text, &Value::Null),
            (kind, Value::String(text)) if kind == "Fn::Sub" => filled(text, &Value::Null),
            (kind, parts) if kind == "Fn::Sub" => filled(parts[0].as_str().unwrap(), &parts[1]),
            (kind, parts) if kind == "Fn::If" => longest(&parts[1]).max(longest(&parts[2])),
            // The last part of the stack's id is a UUID.
            (kind, parts)
                if kind == "Fn::Select"
                    && parts[1] == json!({"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}) =>
            {
                36
            }
            other => panic!("{other:?}"),
        },
        _ => panic!("{name}"),
    }
}

fn filled(text: &str, parts: &Value) -> usize {
    let mut pieces = text.split("${");
    let first = pieces.next().unwrap().len();
    let rest = pieces.map(|piece| {
        let (variable, after) = piece.split_once('}').unwrap();
        longest_of(variable, parts) + after.len()
    });
    first + rest.sum::<usize>()
}

fn longest_of(variable: &str, parts: &Value) -> usize {
    match variable {
        "AWS::StackName" => LONGEST_STACK_NAME,
        "AWS::Region" => "ap-southeast-7".len(),
        _ => longest(&parts[variable]),
    }
}
