//! Rules for `template.yaml` that linters do not check.

// A failed `unwrap` or index shows more in a test than a handled one would.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use webhooks_tests::template;

/// The statements that apply to every resource, by their names, because their actions support no
/// resource. In the order of the template.
const ON_EVERY_RESOURCE: &[(&str, &[&str])] = &[
    ("DeliverWorkflowLogs", LOG_DELIVERY_ACTIONS),
    ("WriteTraces", TRACE_ACTIONS),
    ("JoinVpc", VPC_ACTIONS),
];

const TRACE_ACTIONS: &[&str] = &[
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
];

/// The permissions that Lambda needs for a function in a VPC, and no more (Lambda developer guide,
/// "Giving Lambda functions access to resources in an Amazon VPC").
const VPC_ACTIONS: &[&str] = &[
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
];

const LOG_DELIVERY_ACTIONS: &[&str] = &[
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
];

const OUTPUTS: &[&str] = &[
    "AcceptedEventSources",
    "ApiFunctionName",
    "ApiUrl",
    "CustomerIdPointer",
    "DashboardName",
    "DeliveryDeadLetterQueueUrl",
    "DeliveryQueueUrl",
    "EchoReceiverUrl",
    "EventBusName",
    "FailedEventsQueueUrl",
    "IdempotencyKeyPointer",
    "InstallationId",
    "LongestQueueDelaySeconds",
    "RecoveryStateMachineArn",
    "RuleDeadLetterQueueUrl",
    "SelfTestTableName",
    "SigningKeyArn",
    "SlowDeliveryQueueUrl",
    "StateMachineArn",
    "TableName",
];

/// Fourteen days, the longest retention of an SQS message.
const LONGEST_RETENTION_SECONDS: u64 = 14 * 24 * 60 * 60;

#[test]
fn every_action_is_written_out() {
    for (place, statement) in all_statements(&load()) {
        let actions = actions(&statement);
        assert!(!actions.is_empty(), "{place}: no Action");
        for action in actions {
            assert!(
                !action.contains(['*', '?']) && action.contains(':'),
                "{place}: action {action}"
            );
        }
        assert!(statement.get("NotAction").is_none(), "{place}: NotAction");
        assert!(
            statement.get("NotResource").is_none(),
            "{place}: NotResource"
        );
    }
}

#[test]
fn every_statement_of_a_role_names_one_resource_of_the_stack() {
    let template = load();
    for (place, statement) in role_statements(&template) {
        let sid = statement["Sid"].as_str().unwrap_or_default();
        if let Some((_, known)) = ON_EVERY_RESOURCE.iter().find(|(name, _)| *name == sid) {
            assert_eq!(statement["Resource"], "*", "{place}");
            for action in actions(&statement) {
                assert!(known.contains(&action), "{place}: {action}");
            }
            let of_workflow = place.starts_with("WebhookDeliveryRole");
            assert!(sid != "DeliverWorkflowLogs" || of_workflow, "{place}");
            let may_join = place.starts_with("DeliverWebhookRole");
            assert!(sid != "JoinVpc" || may_join, "{place}");
            continue;
        }
        if sid == "TellOperationalEvents" {
            assert_eq!(actions(&statement), ["events:PutEvents"], "{place}");
            assert_eq!(statement["Resource"], this_bus(&template), "{place}");
            let source = webhooks_domain::operational::SOURCE;
            let condition = json!({"StringEquals": {"events:source": source}});
            assert_eq!(statement["Condition"], condition, "{place}");
            continue;
        }
        let resource = referenced(&statement["Resource"]);
        assert!(
            resource.is_some_and(|id| template["Resources"].get(id).is_some()),
            "{place}: resource {}",
            statement["Resource"]
        );
    }
}

/// A condition must be false if the request lacks its key: `IfExists` would be true then.
#[test]
fn no_condition_is_true_without_its_key() {
    for (place, statement) in all_statements(&load()) {
        let Some(condition) = statement["Condition"].as_object() else {
            continue;
        };
        for (operator, keys) in condition {
            assert!(!operator.ends_with("IfExists"), "{place}: {operator}");
            let is_leading = keys.get("dynamodb:LeadingKeys").is_some();
            if operator.starts_with("ForAllValues:") && is_leading {
                // An empty set of keys satisfies `ForAllValues`.
                let present = &condition["Null"]["dynamodb:LeadingKeys"];
                assert_eq!(present, "false", "{place}");
            }
        }
    }
}

/// The partitions that each role of a function or workflow may access, by its actions on the table.
/// Only the API reads and writes every kind.
#[test]
fn each_role_is_bound_to_the_partitions_that_it_uses() {
    let template = load();
    let mut unbound = Vec::new();
    for (place, statement) in role_statements(&template) {
        let on_table = statement["Resource"] == arn_of_table("");
        let is_bound = !statement["Condition"]["ForAllValues:StringLike"].is_null();
        if on_table && !is_bound {
            unbound.push((place, actions(&statement).join(" ")));
        }
    }
    let [(place, actions)] = unbound.as_slice() else {
        panic!("{unbound:?}");
    };
    assert!(place.starts_with("ApiRole"), "{place}");
    assert_eq!(
        actions,
        "dynamodb:GetItem dynamodb:PutItem dynamodb:UpdateItem"
    );
}

#[test]
fn one_parameter_sets_the_log_level_of_functions_and_of_lambda() {
    let template = load();
    let function = &template["Globals"]["Function"];
    let level = json!({"Ref": "LogLevel"});
    assert_eq!(function["LoggingConfig"]["LogFormat"], "JSON");
    assert_eq!(function["LoggingConfig"]["ApplicationLogLevel"], level);
    assert_eq!(function["Environment"]["Variables"]["LOG_LEVEL"], level);
    for (id, function) in resources_of(&template, "AWS::Serverless::Function") {
        let own = &function["Properties"];
        assert!(
            own["LoggingConfig"]["ApplicationLogLevel"].is_null(),
            "{id}"
        );
        assert!(
            own["Environment"]["Variables"]["LOG_LEVEL"].is_null(),
            "{id}"
        );
    }
    // Lambda treats lines without a level, such as metrics, as INFO. A higher level would drop
    // them, and our alarms would see no data.
    let parameter = &template["Parameters"]["LogLevel"];
    assert_eq!(parameter["Default"], "INFO");
    assert_eq!(
        parameter["AllowedValues"],
        json!(["INFO", "DEBUG", "TRACE"])
    );
}

/// The bus of the rule, as the archive names it.
fn this_bus(template: &Value) -> Value {
    template["Resources"]["EventArchive"]["Properties"]["SourceArn"].clone()
}

#[test]
fn operational_events_become_webhooks_only_with_an_operator() {
    let template = load();
    let source = webhooks_domain::operational::SOURCE;
    assert_eq!(template["Parameters"]["OperatorCustomerId"]["Default"], "");
    let pattern = &template["Resources"]["EventRule"]["Properties"]["EventPattern"]["source"];
    let sources = json!({"Ref": "EventSources"});
    let with_own = json!({"Fn::Join": [",", [{"Fn::Join": [",", sources]}, source]]});
    let split = json!({"Fn::Split": [",", with_own]});
    assert_eq!(*pattern, json!({"Fn::If": ["HasOperator", split, sources]}));
    let allowed = &template["Parameters"]["EventSources"]["AllowedPattern"];
    let refused = format!("^(?!{source}$)");
    assert!(allowed.as_str().unwrap().starts_with(&refused), "{allowed}");
}

#[test]
fn only_the_delivery_function_is_in_a_vpc_and_only_when_asked() {
    let template = load();
    for parameter in ["SubnetIds", "SecurityGroupIds"] {
        assert_eq!(template["Parameters"][parameter]["Default"], "");
    }
    assert_eq!(template["Parameters"]["EnableIpv6"]["Default"], "false");
    let is_true = json!({"Fn::Equals": [{"Ref": "EnableIpv6"}, "true"]});
    assert_eq!(template["Conditions"]["AllowIpv6"], is_true);
    for (id, function) in resources_of(&template, "AWS::Serverless::Function") {
        let network = &function["Properties"]["VpcConfig"];
        if id == "DeliverWebhookFunction" {
            assert_eq!(network["Fn::If"][0], "InVpc");
            let ipv6 = &network["Fn::If"][1]["Ipv6AllowedForDualStack"];
            assert_eq!(*ipv6, json!({"Fn::If": ["AllowIpv6", true, false]}));
            assert_eq!(network["Fn::If"][2], json!({"Ref": "AWS::NoValue"}));
        } else {
            assert!(network.is_null(), "{id}");
        }
    }
}

#[test]
fn every_function_and_the_workflow_are_traced() {
    let template = load();
    assert_eq!(template["Parameters"]["Tracing"]["Default"], "PassThrough");
    let mode = &template["Globals"]["Function"]["Tracing"];
    assert_eq!(*mode, json!({"Ref": "Tracing"}));
    let active = json!({"Fn::Equals": [{"Ref": "Tracing"}, "Active"]});
    assert_eq!(template["Conditions"]["TracesWorkflows"], active);
    let enabled = json!({"Fn::If": ["TracesWorkflows", true, false]});
    let workflows = resources_of(&template, "AWS::Serverless::StateMachine");
    let functions = resources_of(&template, "AWS::Serverless::Function");
    for (id, workflow) in &workflows {
        let tracing = &workflow["Properties"]["Tracing"];
        assert_eq!(tracing["Enabled"], enabled, "{id}");
    }
    for (id, resource) in functions.iter().chain(&workflows) {
        let role = referenced(&resource["Properties"]["Role"]).unwrap();
        let may = role_statements(&template).iter().any(|(place, statement)| {
            place.starts_with(&format!("{role},")) && statement["Sid"] == "WriteTraces"
        });
        assert!(may, "{id}: {role} cannot write traces");
    }
}

#[test]
fn only_the_keys_own_policy_allows_every_resource() {
    for (place, statement) in resource_statements(&load()) {
        assert_eq!(statement["Effect"], "Allow", "{place}");
        if place.starts_with("SigningKey") {
            assert_eq!(statement["Resource"], "*", "{place}");
            assert!(
                actions(&statement)
                    .iter()
                    .all(|action| action.starts_with("kms:")),
                "{place}"
            );
        } else {
            assert!(referenced(&statement["Resource"]).is_some(), "{place}");
            assert!(
                statement["Condition"].is_object(),
                "{place}: allows every caller"
            );
        }
    }
}

#[test]
fn every_policy_of_a_role_is_written_in_the_template() {
    let template = load();
    for key in ["ManagedPolicyArns", "PolicyArn", "PermissionsBoundary"] {
        assert!(!has_key(&template, key), "{key}");
    }
    for (id, role) in resources_of(&template, "AWS::IAM::Role") {
        let trust = &role["Properties"]["AssumeRolePolicyDocument"]["Statement"];
        assert_eq!(
            trust.as_array().unwrap().len(),
            1,
            "{id} must trust one service only"
        );
        assert!(
            trust[0]["Principal"]["Service"].is_string(),
            "{id}: {}",
            trust[0]["Principal"]
        );
    }
    // SAM would create its own role, or add its own policies to this one.
    for kind in ["AWS::Serverless::Function", "AWS::Serverless::StateMachine"] {
        for (id, resource) in resources_of(&template, kind) {
            let properties = &resource["Properties"];
            assert!(
                referenced(&properties["Role"]).is_some(),
                "{id} has no role"
            );
            assert!(properties.get("Policies").is_none(), "{id} has policies");
        }
    }
}

#[test]
fn no_two_functions_share_a_role() {
    let template = load();
    let functions = resources_of(&template, "AWS::Serverless::Function");
    let roles: BTreeSet<_> = functions
        .iter()
        .map(|(_, function)| referenced(&function["Properties"]["Role"]).unwrap())
        .collect();
    assert_eq!(roles.len(), functions.len());
}

#[test]
fn every_parameter_is_described_and_limited() {
    let template = load();
    for (name, parameter) in template["Parameters"].as_object().unwrap() {
        assert!(
            is_sentence(&parameter["Description"]),
            "{name} has no description"
        );
        assert!(
            parameter["ConstraintDescription"].is_string(),
            "{name} does not limit its values"
        );
        let limited = parameter.get("AllowedPattern").is_some()
            || parameter.get("AllowedValues").is_some()
            || (parameter.get("MinValue").is_some() && parameter.get("MaxValue").is_some());
        assert!(limited, "{name} takes anything");
        assert!(parameter.get("Default").is_some(), "{name} has no default");
    }
}

#[test]
fn every_output_is_described_and_none_is_missing() {
    let template = load();
    let outputs = template["Outputs"].as_object().unwrap();
    let names: BTreeSet<_> = outputs.keys().map(String::as_str).collect();
    assert_eq!(names, OUTPUTS.iter().copied().collect());
    for (name, output) in outputs {
        assert!(
            is_sentence(&output["Description"]),
            "{name} has no description"
        );
    }
}

/// SAM CLI would use the list instead of the name, and `sam deploy` would end with a `TypeError`.
#[test]
fn no_output_has_the_name_of_a_parameter_that_is_a_list() {
    let template = load();
    for name in template["Outputs"].as_object().unwrap().keys() {
        let kind = &template["Parameters"][name]["Type"];
        assert_ne!(*kind, "CommaDelimitedList", "{name}");
    }
}

#[test]
fn no_private_address_is_allowed_by_default() {
    let template = load();
    assert_eq!(
        template["Parameters"]["DevelopmentAllowedCidrs"]["Default"],
        ""
    );
    let samconfig = std::fs::read_to_string(template::root().join("samconfig.toml")).unwrap();
    let (default, local) = samconfig.split_once("[local.").unwrap();
    assert!(!default.contains("DevelopmentAllowedCidrs"));
    assert!(local.contains("DevelopmentAllowedCidrs=127.0.0.0/8"));
}

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
fn the_delivery_concurrency_is_the_parameters_value() {
    let template = load();
    let rows = template["Mappings"]["DeliveryConcurrencies"]
        .as_object()
        .unwrap();
    for (chosen, row) in rows {
        assert_eq!(row["Maximum"], chosen.parse::<u64>().unwrap());
    }
    for parameter in [
        "MaximumDeliveryConcurrency",
        "MaximumSlowDeliveryConcurrency",
    ] {
        assert_same_values(&template, parameter, rows);
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
        assert_eq!(event["BatchSize"], 10, "{function}");
    }
}

#[test]
fn a_function_has_the_name_of_its_package() {
    let template = load();
    let functions = resources_of(&template, "AWS::Serverless::Function");
    let mut packages = BTreeSet::new();
    for (id, function) in functions {
        let package = kebab_case(id.strip_suffix("Function").unwrap());
        assert_eq!(
            function["Metadata"]["BuildMethod"], "rust-cargolambda",
            "{id}"
        );
        assert_eq!(
            function["Metadata"]["BuildProperties"]["Binary"], package,
            "{id}"
        );
        assert_eq!(function["Properties"]["CodeUri"], ".", "{id}");
        let manifest = template::root()
            .join("functions")
            .join(&package)
            .join("Cargo.toml");
        let manifest = std::fs::read_to_string(&manifest).unwrap();
        assert!(manifest.contains(&format!("name = \"{package}\"")), "{id}");
        packages.insert(package);
    }
    let folders: BTreeSet<_> = std::fs::read_dir(template::root().join("functions"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(packages, folders);
}

#[test]
fn every_function_gets_the_variables_that_it_reads_and_no_others() {
    let template = load();
    for (package, variables) in webhooks_lambda::functions() {
        let id = format!("{}Function", pascal_case(package));
        let set: BTreeSet<_> = environment(&template, &id).into_keys().collect();
        let read = variables.iter().map(|variable| variable.name.to_owned());
        // Lambda itself sets these.
        let read: BTreeSet<_> = read.filter(|name| !name.starts_with("AWS_")).collect();
        assert_eq!(set, read, "{id}");
    }
}

#[test]
fn a_variable_has_the_value_that_its_name_says() {
    let template = load();
    let bus = json!({"Fn::If": [
        "CreateEventBus",
        {"Ref": "EventBus"},
        {"Ref": "EventBusName"},
    ]});
    let resources = json!({
        "TABLE_NAME": table_name(),
        "DELIVERY_QUEUE_URL": {"Ref": "DeliveryQueue"},
        "SLOW_DELIVERY_QUEUE_URL": {"Ref": "SlowDeliveryQueue"},
        "SIGNING_KEY_ARN": signing_key_arn(),
        "INSTALLATION_ID": installation_id(),
        "EVENT_BUS_NAME": bus,
        "RECOVERY_STATE_MACHINE_ARN": {"Ref": "Recovery"},
        "LAMBDA_ENDPOINT": {"Fn::Sub": "https://lambda.${AWS::Region}.${AWS::URLSuffix}"},
        "DELIVER_WEBHOOK_FUNCTION_NAME": {"Ref": "DeliverWebhookFunction"},
        "SELF_TEST_TABLE_NAME": {"Ref": "SelfTestTable"},
    });
    for (id, _) in resources_of(&template, "AWS::Serverless::Function") {
        for (name, value) in environment(&template, id) {
            // The others are parameters.
            let parameter = pascal_case(&name.to_lowercase().replace('_', "-"));
            let parameter = json!({"Ref": parameter});
            let expected = resources.get(&name).unwrap_or(&parameter);
            assert_eq!(value, *expected, "{id}: {name}");
        }
    }
}

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
fn a_table_is_adopted_only_with_the_key_and_the_installation_of_its_secrets() {
    let template = load();
    let is_empty = |parameter: &str| json!({"Fn::Equals": [{"Ref": parameter}, ""]});
    for (condition, parameter) in [
        ("CreateTable", "ExistingTableName"),
        ("CreateSigningKey", "ExistingKeyArn"),
        ("OwnInstallation", "InstallationId"),
    ] {
        assert_eq!(template["Conditions"][condition], is_empty(parameter));
        assert_eq!(template["Parameters"][parameter]["Default"], "");
    }
    assert_eq!(template["Resources"]["Table"]["Condition"], "CreateTable");
    let key = &template["Resources"]["SigningKey"];
    assert_eq!(key["Condition"], "CreateSigningKey");

    let rule = &template["Rules"]["AdoptTableWithItsSecrets"];
    let is_given = |parameter: &str| json!({"Fn::Not": [is_empty(parameter)]});
    assert_eq!(rule["RuleCondition"], is_given("ExistingTableName"));
    let assertions = rule["Assertions"].as_array().unwrap().iter();
    let needed: Vec<_> = assertions.map(|one| &one["Assert"]).collect();
    let expected = ["ExistingKeyArn", "InstallationId"].map(is_given);
    assert_eq!(needed, expected.iter().collect::<Vec<_>>());
}

/// The parameters are used in the roles' policies, so a value with more than one table, key or
/// installation would widen the permissions.
#[test]
fn the_adoption_parameters_name_one_table_one_key_and_one_installation() {
    let template = load();
    let arn = "arn:aws:kms:eu-west-1:123456789012:key/";
    let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
    for (parameter, good, bad) in [
        (
            "ExistingTableName",
            "webhooks-Table-1QX.restored_2",
            ["web*", "webhook?", "t/index/due", "a", "${AWS::StackName}"],
        ),
        (
            "ExistingKeyArn",
            &format!("{arn}mrk-{}", id.replace('-', "")),
            [
                &format!("{arn}*"),
                &format!("{arn}{id}?"),
                "arn:aws:kms:eu-west-1:123456789012:alias/webhooks",
                "arn:aws:kms:*:123456789012:key/1",
                id,
            ],
        ),
        ("InstallationId", id, ["*", "a?", "a b", "${aws:x}", "a/b"]),
    ] {
        let pattern = &template["Parameters"][parameter]["AllowedPattern"];
        let pattern = regex_lite::Regex::new(pattern.as_str().unwrap()).unwrap();
        for value in ["", good] {
            assert!(pattern.is_match(value), "{parameter}: {value}");
        }
        for value in bad {
            assert!(!pattern.is_match(value), "{parameter}: {value}");
        }
    }
}

/// A stack that adopts a table has the same permissions: the adopted table, key and installation
/// replace the stack's own, and nothing else changes.
#[test]
fn a_stack_that_adopts_a_table_differs_only_in_table_key_and_installation() {
    let template = load();
    let own = [
        json!({"Ref": "Table"}),
        json!({"Fn::GetAtt": "SigningKey.Arn"}),
        json!({"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}),
    ];
    let adopted = ["ExistingTableName", "ExistingKeyArn", "InstallationId"]
        .map(|parameter| json!({"Ref": parameter}));
    let variant = |owns: bool, named: &[Value; 3]| {
        let mut variant = json!({
            "Resources": template["Resources"],
            "Outputs": template["Outputs"],
        });
        for resource in ["Table", "SigningKey"] {
            variant["Resources"]
                .as_object_mut()
                .unwrap()
                .remove(resource);
        }
        choose(&mut variant, owns, named);
        variant
    };
    let (created, adopting) = (variant(true, &own), variant(false, &adopted));
    assert_eq!(created, adopting);
    // No reference to the other variant is left.
    let text = created.to_string();
    assert!(text.contains(ADOPTABLE[0]) && text.contains(ADOPTABLE[1]));
    for name in [
        "\"Table\"",
        "${Table",
        "\"SigningKey.Arn",
        "${SigningKey",
        "Existing",
    ] {
        assert!(!text.contains(name), "{name}");
    }
}

/// The placeholders for the table, the key and the installation after a variant is chosen.
const ADOPTABLE: [&str; 3] = ["<table>", "<key>", "<installation>"];

/// Replaces each condition on adoption by one of its branches, and the resource that this branch
/// names by a placeholder.
fn choose(value: &mut Value, owns: bool, named: &[Value; 3]) {
    let conditions = ["CreateTable", "CreateSigningKey", "OwnInstallation"];
    if let Some(branches) = value.get("Fn::If").and_then(Value::as_array)
        && conditions.iter().any(|name| branches[0] == **name)
    {
        *value = branches[if owns { 1 } else { 2 }].clone();
        if let Some(index) = named.iter().position(|name| name == value) {
            *value = ADOPTABLE[index].into();
        }
        return;
    }
    match value {
        Value::Object(object) => object
            .values_mut()
            .for_each(|inner| choose(inner, owns, named)),
        Value::Array(items) => items
            .iter_mut()
            .for_each(|inner| choose(inner, owns, named)),
        _ => {}
    }
}

#[test]
fn secrets_are_decrypted_for_their_purpose_and_installation_only() {
    let template = load();
    let mut holders = Vec::new();
    for (place, statement) in role_statements(&template) {
        if !actions(&statement)
            .iter()
            .any(|one| one.starts_with("kms:"))
        {
            continue;
        }
        assert_eq!(statement["Resource"], signing_key_arn(), "{place}");
        let condition = json!({
            "StringEquals": {
                "kms:EncryptionContext:purpose": "subscription-secrets",
                "kms:EncryptionContext:installation": installation_id(),
            },
            "ForAllValues:StringEquals": {
                "kms:EncryptionContextKeys": ["purpose", "installation"],
            },
        });
        assert_eq!(statement["Condition"], condition, "{place}");
        holders.push(place);
    }
    let roles = holders.iter().map(|place| place.split(',').next().unwrap());
    assert_eq!(roles.collect::<Vec<_>>(), ["ApiRole", "DeliverWebhookRole"]);
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
fn the_queue_holds_waits_up_to_its_longest_delay() {
    let template = load();
    let longest = &template["Parameters"]["LongestQueueDelaySeconds"];
    assert_eq!(
        (&longest["Default"], &longest["MaxValue"]),
        (&json!(900), &json!(900))
    );
}

#[test]
fn the_key_outlives_the_stack_and_rotates() {
    let key = &load()["Resources"]["SigningKey"];
    // A key costs a dollar a month, also if a failed first deployment leaves it behind.
    assert_eq!(key["DeletionPolicy"], "RetainExceptOnCreate");
    assert_eq!(key["UpdateReplacePolicy"], "Retain");
    assert_eq!(key["Properties"]["EnableKeyRotation"], true);
}

/// IAM cannot grant a permission that the key's policy does not grant.
#[test]
fn the_keys_policy_allows_every_command_that_the_docs_name() {
    let template = load();
    let statement = &template["Resources"]["SigningKey"]["Properties"]["KeyPolicy"]["Statement"][0];
    let allowed: BTreeSet<_> = actions(statement).into_iter().collect();
    let mut named = BTreeSet::new();
    let docs = std::fs::read_dir(template::root().join("docs")).unwrap();
    let pages = docs.map(|entry| entry.unwrap().path());
    for page in pages.chain([template::root().join("README.md")]) {
        let text = std::fs::read_to_string(&page).unwrap_or_default();
        for after in text.split("aws kms ").skip(1) {
            let verb = |c: char| !c.is_ascii_lowercase() && c != '-';
            let action = format!("kms:{}", pascal_case(after.split(verb).next().unwrap()));
            assert!(allowed.contains(&*action), "{}: {action}", page.display());
            named.insert(action);
        }
    }
    assert!(named.contains("kms:RotateKeyOnDemand"), "{named:?}");
}

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

#[test]
fn the_api_accepts_signed_requests_only() {
    let template = load();
    let api = json!({"Ref": "ApiFunction"});
    let auth: Vec<_> = resources_of(&template, "AWS::Lambda::Url")
        .into_iter()
        .filter(|(_, url)| url["Properties"]["TargetFunctionArn"] == api)
        .map(|(id, url)| (id, &url["Properties"]["AuthType"]))
        .collect();
    assert_eq!(auth, [("ApiFunctionUrl", &json!("AWS_IAM"))]);
    // Callers are allowed only by their own policies.
    for (id, permission) in resources_of(&template, "AWS::Lambda::Permission") {
        assert_ne!(permission["Properties"]["FunctionName"], api, "{id}");
    }
    // A URL that is part of its function cannot be left out in a Region without Function URLs.
    for (id, function) in resources_of(&template, "AWS::Serverless::Function") {
        assert!(
            function["Properties"].get("FunctionUrlConfig").is_none(),
            "{id}"
        );
    }
}

/// `sam build` uses the default and `sam deploy` uses the parameter, so only one value may exist.
#[test]
fn only_the_built_architecture_can_be_deployed() {
    let template = load();
    let parameter = &template["Parameters"]["Architecture"];
    assert_eq!(parameter["AllowedValues"], json!([parameter["Default"]]));
    assert_eq!(
        template["Globals"]["Function"]["Architectures"],
        json!([{"Ref": "Architecture"}])
    );
    for (id, function) in resources_of(&template, "AWS::Serverless::Function") {
        assert!(
            function["Properties"].get("Architectures").is_none(),
            "{id}"
        );
    }
}

/// The smallest Lambda concurrency of a new account.
const SMALLEST_ACCOUNT: u64 = 10;

/// The concurrency that the workflow, the sweep and the API need for one event at a time.
const OTHERS: u64 = 3;

#[test]
fn the_defaults_leave_a_new_account_room_for_the_workflow() {
    let template = load();
    let default = |name: &str| template["Parameters"][name]["Default"].as_u64().unwrap();
    let delivery =
        default("MaximumDeliveryConcurrency") + default("MaximumSlowDeliveryConcurrency");
    assert!(delivery + OTHERS <= SMALLEST_ACCOUNT, "{delivery}");
}

/// `sam deploy` fixes the parameters that samconfig.toml sets. All others come from the template
/// and change with it.
#[test]
fn samconfig_sets_no_parameter_for_aws() {
    let samconfig = std::fs::read_to_string(template::root().join("samconfig.toml")).unwrap();
    let (default, _) = samconfig.split_once("[local.").unwrap();
    let mut set = default.lines().filter(|line| !line.starts_with('#'));
    assert!(!set.any(|line| line.contains("parameter_overrides")));
}

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

/// Lambda takes empty values. If it ever drops one, the function must still start.
#[test]
fn a_function_starts_without_a_variable_that_may_be_empty() {
    let template = load();
    let mut empty = BTreeSet::new();
    for (package, variables) in webhooks_lambda::functions() {
        let id = format!("{}Function", pascal_case(package));
        let set = environment(&template, &id);
        for variable in variables {
            let value = set.get(variable.name).unwrap_or(&Value::Null);
            let parameter = value["Ref"].as_str().unwrap_or_default();
            let parameter = &template["Parameters"][parameter];
            let pattern = parameter["AllowedPattern"].as_str().unwrap_or_default();
            // A pattern of the template that allows an empty text ends so: all of it is optional.
            if parameter["Default"] == "" || pattern.ends_with(")?$") {
                assert!(!variable.is_required, "{id}: {}", variable.name);
                empty.insert(variable.name);
            }
        }
    }
    let expected = [
        "DEVELOPMENT_ALLOWED_CIDRS",
        "OPERATOR_CUSTOMER_ID",
        "RETRY_SCHEDULE",
    ];
    assert_eq!(empty, expected.into());
}

/// The self test adds nothing by default, and its one public function can access its own table
/// only.
#[test]
fn the_self_test_is_off_by_default_and_reaches_its_own_table_only() {
    let template = load();
    assert_eq!(template["Parameters"]["SelfTest"]["Default"], "Disabled");
    let enabled = json!({"Fn::Equals": [{"Ref": "SelfTest"}, "Enabled"]});
    assert_eq!(template["Conditions"]["RunsSelfTest"], enabled);
    let is_of_self_test = |id: &str| id.starts_with("EchoReceiver") || id == "SelfTestTable";
    let resources = template["Resources"].as_object().unwrap();
    let mut kinds = Vec::new();
    for (id, resource) in resources {
        let is_conditional = resource["Condition"] == "RunsSelfTest";
        assert_eq!(is_conditional, is_of_self_test(id), "{id}");
        if is_of_self_test(id) {
            kinds.push(resource["Type"].as_str().unwrap());
        }
    }
    kinds.sort_unstable();
    let expected = [
        "AWS::DynamoDB::Table",
        "AWS::IAM::Role",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Permission",
        "AWS::Lambda::Url",
        "AWS::Logs::LogGroup",
        "AWS::Serverless::Function",
    ];
    assert_eq!(kinds, expected);
    for output in ["EchoReceiverUrl", "SelfTestTableName"] {
        assert_eq!(template["Outputs"][output]["Condition"], "RunsSelfTest");
    }
    for (place, statement) in role_statements(&template) {
        let of_its_role = place.starts_with("EchoReceiverRole,");
        let on_its_table = referenced(&statement["Resource"]) == Some("SelfTestTable");
        let on_a_table = actions(&statement)[0].starts_with("dynamodb:");
        assert_eq!(of_its_role && on_a_table, on_its_table, "{place}");
    }
}

/// A public URL without authentication needs both permissions (Lambda developer guide, "Control
/// access to Lambda function URLs"; since October 2025).
#[test]
fn the_receiver_of_the_self_test_is_public_bounded_and_invoked_by_its_url_only() {
    let template = load();
    let resources = &template["Resources"];
    let properties = |id: &str| resources[id]["Properties"].clone();
    assert_eq!(
        properties("EchoReceiverUrl"),
        json!({"AuthType": "NONE", "TargetFunctionArn": {"Fn::GetAtt": "EchoReceiverFunction.Arn"}})
    );
    let function = json!({"Ref": "EchoReceiverFunction"});
    assert_eq!(
        properties("EchoReceiverUrlPermission"),
        json!({
            "Action": "lambda:InvokeFunctionUrl", "FunctionName": function,
            "FunctionUrlAuthType": "NONE", "Principal": "*",
        })
    );
    assert_eq!(
        properties("EchoReceiverInvokePermission"),
        json!({
            "Action": "lambda:InvokeFunction", "FunctionName": function,
            "InvokedViaFunctionUrl": true, "Principal": "*",
        })
    );
    assert_eq!(
        properties("EchoReceiverFunction")["ReservedConcurrentExecutions"],
        json!({"Fn::If": [
            "ReservesForEchoReceiver",
            {"Ref": "EchoReceiverConcurrency"},
            {"Ref": "AWS::NoValue"},
        ]})
    );
}

fn load() -> Value {
    template::load().unwrap()
}

/// The resources of one type, by logical id, in the order of their ids.
fn resources_of<'a>(template: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let mut found: Vec<_> = template["Resources"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, resource)| resource["Type"] == kind)
        .map(|(id, resource)| (id.as_str(), resource))
        .collect();
    found.sort_unstable_by_key(|(id, _)| *id);
    found
}

/// The SQS events of the functions, with the function's logical id.
/// The variables of a function, those of all functions included.
fn environment(template: &Value, id: &str) -> BTreeMap<String, Value> {
    let all = &template["Globals"]["Function"];
    let own = &template["Resources"][id]["Properties"];
    let variables = [all, own].map(|of| of["Environment"]["Variables"].as_object());
    let variables = variables.into_iter().flatten().flatten();
    variables
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

fn queue_events(template: &Value) -> Vec<(&str, &Value)> {
    resources_of(template, "AWS::Serverless::Function")
        .into_iter()
        .filter_map(|(id, function)| Some((id, function["Properties"].get("Events")?.as_object()?)))
        .flat_map(|(id, events)| events.values().map(move |event| (id, event)))
        .filter(|(_, event)| event["Type"] == "SQS")
        .map(|(id, event)| (id, &event["Properties"]))
        .collect()
}

/// Every statement of a role's policies, with its location.
fn role_statements(template: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (id, role) in resources_of(template, "AWS::IAM::Role") {
        for policy in role["Properties"]["Policies"].as_array().unwrap() {
            collect(id, &policy["PolicyDocument"], &mut found);
        }
    }
    assert!(!found.is_empty());
    found
}

/// Every statement of a policy of a resource, with its location.
fn resource_statements(template: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (id, resource) in template["Resources"].as_object().unwrap() {
        for key in ["KeyPolicy", "PolicyDocument"] {
            if let Some(document) = resource["Properties"].get(key) {
                collect(id, document, &mut found);
            }
        }
    }
    assert!(!found.is_empty());
    found
}

fn all_statements(template: &Value) -> Vec<(String, Value)> {
    let mut found = role_statements(template);
    found.extend(resource_statements(template));
    found
}

fn collect(id: &str, document: &Value, found: &mut Vec<(String, Value)>) {
    for (index, statement) in document["Statement"].as_array().unwrap().iter().enumerate() {
        let statement = statement
            .get("Fn::If")
            .map_or(statement, |choice| &choice[1]);
        found.push((format!("{id}, statement {index}"), statement.clone()));
    }
}

/// The actions of a statement, which may be one text or a list.
fn actions(statement: &Value) -> Vec<&str> {
    match &statement["Action"] {
        Value::String(action) => vec![action],
        Value::Array(actions) => actions
            .iter()
            .map(|action| action.as_str().unwrap())
            .collect(),
        _ => vec![],
    }
}

/// The logical id that a `!Ref` or `!GetAtt` names. An adopted resource has the id of the resource
/// that it replaces, and an index has its table's id.
fn referenced(value: &Value) -> Option<&str> {
    if *value == signing_key_arn() {
        return Some("SigningKey");
    }
    let indexes =
        ["deliveries", "due", "messages", "undelivered"].map(|name| format!("/index/{name}"));
    let mut suffixes = indexes.iter().map(String::as_str).chain([""]);
    if suffixes.any(|suffix| *value == arn_of_table(suffix)) {
        return Some("Table");
    }
    let id = value
        .get("Ref")
        .or_else(|| value.get("Fn::GetAtt"))?
        .as_str()?;
    Some(id.split('.').next().unwrap_or(id))
}

/// The name of the table, the stack's own or an adopted one.
fn table_name() -> Value {
    json!({"Fn::If": ["CreateTable", {"Ref": "Table"}, {"Ref": "ExistingTableName"}]})
}

/// The table's ARN with a suffix, for an index.
fn arn_of_table(suffix: &str) -> Value {
    let arn = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Name}";
    json!({"Fn::Sub": [format!("{arn}{suffix}"), {"Name": table_name()}]})
}

/// The key of the secrets, the stack's own or an adopted one.
fn signing_key_arn() -> Value {
    json!({"Fn::If": [
        "CreateSigningKey",
        {"Fn::GetAtt": "SigningKey.Arn"},
        {"Ref": "ExistingKeyArn"},
    ]})
}

/// The installation id to which the secrets are bound: the id of the stack, or an adopted one.
fn installation_id() -> Value {
    let own = json!({"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]});
    json!({"Fn::If": ["OwnInstallation", own, {"Ref": "InstallationId"}]})
}

fn has_key(value: &Value, key: &str) -> bool {
    match value {
        Value::Object(object) => {
            object.contains_key(key) || object.values().any(|inner| has_key(inner, key))
        }
        Value::Array(items) => items.iter().any(|inner| has_key(inner, key)),
        _ => false,
    }
}

fn is_sentence(value: &Value) -> bool {
    value
        .as_str()
        .is_some_and(|text| text.len() > 10 && text.ends_with('.'))
}

/// Asserts that a mapping has a row for each value that a parameter takes.
fn assert_same_values(template: &Value, parameter: &str, rows: &Map<String, Value>) {
    let allowed: BTreeSet<_> = template["Parameters"][parameter]["AllowedValues"]
        .as_array()
        .unwrap()
        .iter()
        .map(Value::to_string)
        .collect();
    assert_eq!(
        rows.keys().cloned().collect::<BTreeSet<_>>(),
        allowed,
        "{parameter}"
    );
}

/// `rotate-key-on-demand` becomes `RotateKeyOnDemand`.
fn pascal_case(kebab_case: &str) -> String {
    let words = kebab_case.split('-').filter(|word| !word.is_empty());
    words
        .map(|word| word[..1].to_ascii_uppercase() + &word[1..])
        .collect()
}

fn kebab_case(pascal_case: &str) -> String {
    let mut kebab = String::new();
    for letter in pascal_case.chars() {
        if letter.is_ascii_uppercase() && !kebab.is_empty() {
            kebab.push('-');
        }
        kebab.push(letter.to_ascii_lowercase());
    }
    kebab
}
