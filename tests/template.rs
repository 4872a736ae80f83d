//! Rules that `template.yaml` keeps and that linters do not know.

// A failed `unwrap` or index shows more in a test than a handled one would.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use webhooks_tests::template;

/// The statements on every resource, by their names: their actions know no resource.
/// Ordered as in the template.
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

/// What Lambda needs for a function in a VPC, and no more (Lambda developer guide,
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
    "ApiFunctionName",
    "ApiUrl",
    "CustomerIdPointer",
    "DashboardName",
    "DeliveryDeadLetterQueueUrl",
    "DeliveryQueueUrl",
    "EventBusName",
    "FailedEventsQueueUrl",
    "IdempotencyKeyPointer",
    "RecoveryStateMachineArn",
    "RuleDeadLetterQueueUrl",
    "SigningKeyArn",
    "SlowDeliveryQueueUrl",
    "StateMachineArn",
    "TableName",
];

/// Fourteen days, the longest that SQS keeps a message.
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

/// A key that a request may lack is no condition: `IfExists` holds without it.
#[test]
fn no_condition_holds_where_its_key_is_absent() {
    for (place, statement) in all_statements(&load()) {
        let Some(condition) = statement["Condition"].as_object() else {
            continue;
        };
        for (operator, keys) in condition {
            assert!(!operator.ends_with("IfExists"), "{place}: {operator}");
            let is_leading = keys.get("dynamodb:LeadingKeys").is_some();
            if operator.starts_with("ForAllValues:") && is_leading {
                // A set without a member is a part of every set.
                let present = &condition["Null"]["dynamodb:LeadingKeys"];
                assert_eq!(present, "false", "{place}");
            }
        }
    }
}

/// Which partitions a role of a function or workflow is bound to, by its actions on the table.
/// The API alone reads and writes every kind.
#[test]
fn each_role_is_bound_to_the_partitions_that_it_uses() {
    let template = load();
    let mut unbound = Vec::new();
    for (place, statement) in role_statements(&template) {
        let on_table = statement["Resource"] == json!({"Fn::GetAtt": ["Table", "Arn"]})
            || statement["Resource"] == json!({"Fn::GetAtt": "Table.Arn"});
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
fn what_a_function_logs_and_what_lambda_keeps_are_one_parameter() {
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
    // Lines without a level, those of metrics, are INFO for Lambda. A higher level would drop
    // them, and every alarm of ours would be blind.
    let parameter = &template["Parameters"]["LogLevel"];
    assert_eq!(parameter["Default"], "INFO");
    assert_eq!(
        parameter["AllowedValues"],
        json!(["INFO", "DEBUG", "TRACE"])
    );
}

/// The bus that the rule listens on, as the archive names it.
fn this_bus(template: &Value) -> Value {
    template["Resources"]["EventArchive"]["Properties"]["SourceArn"].clone()
}

#[test]
fn only_the_operator_makes_operational_events_into_webhooks() {
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
    assert_eq!(template["Parameters"]["Tracing"]["Default"], "Active");
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
        assert!(may, "{id}: {role} may not write traces");
    }
}

#[test]
fn only_the_keys_own_policy_says_every_resource_and_means_the_key() {
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
                "{place}: open to every caller"
            );
        }
    }
}

#[test]
fn no_role_has_a_policy_that_is_not_written_here() {
    let template = load();
    for key in ["ManagedPolicyArns", "PolicyArn", "PermissionsBoundary"] {
        assert!(!has_key(&template, key), "{key}");
    }
    for (id, role) in resources_of(&template, "AWS::IAM::Role") {
        let trust = &role["Properties"]["AssumeRolePolicyDocument"]["Statement"];
        assert_eq!(
            trust.as_array().unwrap().len(),
            1,
            "{id} is trusted to one service"
        );
        assert!(
            trust[0]["Principal"]["Service"].is_string(),
            "{id}: {}",
            trust[0]["Principal"]
        );
    }
    // SAM would write a role of its own, or add policies of its own to it.
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
            "{name} says not what it takes"
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

#[test]
fn no_private_address_may_be_reached_unless_the_deployer_says_so() {
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
fn a_message_stays_hidden_for_six_times_as_long_as_its_function_may_run() {
    let template = load();
    let rows = template["Mappings"]["RequestTimeouts"].as_object().unwrap();
    for (request_timeout, row) in rows {
        let function = row["FunctionTimeout"].as_u64().unwrap();
        let visibility = row["VisibilityTimeout"].as_u64().unwrap();
        assert!(visibility >= 6 * function, "{request_timeout}: {row}");
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
        assert_eq!(*visibility, find("VisibilityTimeout"), "{queue}");
    }
}

#[test]
fn the_delivery_concurrency_is_the_number_that_was_chosen() {
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
                "{id} may not send to {queue}"
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
fn every_queue_that_is_worked_on_has_a_dead_letter_queue() {
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
fn a_batch_fails_message_by_message() {
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
fn every_function_gets_the_environment_that_it_reads() {
    let template = load();
    assert_eq!(
        template["Globals"]["Function"]["Environment"]["Variables"],
        json!({"LOG_LEVEL": {"Ref": "LogLevel"}})
    );
    let bus = json!({"Fn::If": [
        "CreateEventBus",
        {"Ref": "EventBus"},
        {"Ref": "EventBusName"},
    ]});
    let expected = json!({
        "LookUpSubscriptionsFunction": {
            "TABLE_NAME": {"Ref": "Table"},
            "OPERATOR_CUSTOMER_ID": {"Ref": "OperatorCustomerId"},
            "CUSTOMER_ID_POINTER": {"Ref": "CustomerIdPointer"},
            "IDEMPOTENCY_KEY_POINTER": {"Ref": "IdempotencyKeyPointer"},
            "DEADLINE_POINTER": {"Ref": "DeadlinePointer"},
        },
        "PrepareCallsFunction": {
            "RETENTION_DAYS": {"Ref": "RetentionDays"},
        },
        "DeliverWebhookFunction": {
            "EVENT_BUS_NAME": bus,
            "OPERATOR_CUSTOMER_ID": {"Ref": "OperatorCustomerId"},
            "TABLE_NAME": {"Ref": "Table"},
            "DELIVERY_QUEUE_URL": {"Ref": "DeliveryQueue"},
            "SLOW_DELIVERY_QUEUE_URL": {"Ref": "SlowDeliveryQueue"},
            "SIGNING_KEY_ARN": {"Fn::GetAtt": "SigningKey.Arn"},
            "REQUEST_TIMEOUT_SECONDS": {"Ref": "RequestTimeoutSeconds"},
            "RETENTION_DAYS": {"Ref": "RetentionDays"},
            "RETRY_SCHEDULE": {"Ref": "RetrySchedule"},
            "RETRY_MAX_ATTEMPTS": {"Ref": "RetryMaxAttempts"},
            "RETRY_INTERVAL_SECONDS": {"Ref": "RetryIntervalSeconds"},
            "RETRY_BACKOFF_RATE": {"Ref": "RetryBackoffRate"},
            "RETRY_MAX_DELAY_SECONDS": {"Ref": "RetryMaxDelaySeconds"},
            "LONGEST_QUEUE_DELAY_SECONDS": {"Ref": "LongestQueueDelaySeconds"},
            "DISABLE_AFTER_DAYS": {"Ref": "DisableAfterDays"},
            "CIRCUIT_FAILURE_PERCENT": {"Ref": "CircuitFailurePercent"},
            "CIRCUIT_MINIMUM_ATTEMPTS": {"Ref": "CircuitMinimumAttempts"},
            "CIRCUIT_COOLDOWN_SECONDS": {"Ref": "CircuitCooldownSeconds"},
            "DEVELOPMENT_ALLOWED_CIDRS": {"Ref": "DevelopmentAllowedCidrs"},
        },
        "RequeueDueDeliveriesFunction": {
            "TABLE_NAME": {"Ref": "Table"},
            "DELIVERY_QUEUE_URL": {"Ref": "DeliveryQueue"},
        },
        "RecoverDeliveriesFunction": {
            "TABLE_NAME": {"Ref": "Table"},
            "DELIVERY_QUEUE_URL": {"Ref": "DeliveryQueue"},
        },
        "ApiFunction": {
            "EVENT_BUS_NAME": bus,
            "OPERATOR_CUSTOMER_ID": {"Ref": "OperatorCustomerId"},
            "TABLE_NAME": {"Ref": "Table"},
            "DELIVERY_QUEUE_URL": {"Ref": "DeliveryQueue"},
            "RECOVERY_STATE_MACHINE_ARN": {"Ref": "Recovery"},
            "SIGNING_KEY_ARN": {"Fn::GetAtt": "SigningKey.Arn"},
            "LAMBDA_ENDPOINT": {"Fn::Sub": "https://lambda.${AWS::Region}.${AWS::URLSuffix}"},
            "DELIVER_WEBHOOK_FUNCTION_NAME": {"Ref": "DeliverWebhookFunction"},
            "REQUEST_TIMEOUT_SECONDS": {"Ref": "RequestTimeoutSeconds"},
            "RETENTION_DAYS": {"Ref": "RetentionDays"},
            "DEVELOPMENT_ALLOWED_CIDRS": {"Ref": "DevelopmentAllowedCidrs"},
            "MAXIMUM_SUBSCRIPTIONS_PER_CUSTOMER": {"Ref": "MaximumSubscriptionsPerCustomer"},
        },
    });
    let actual: Map<String, Value> = resources_of(&template, "AWS::Serverless::Function")
        .into_iter()
        .map(|(id, function)| {
            (
                id.to_owned(),
                function["Properties"]["Environment"]["Variables"].clone(),
            )
        })
        .collect();
    assert_eq!(Value::Object(actual), expected);
}

#[test]
fn the_table_outlives_the_stack_and_can_be_restored() {
    let table = &load()["Resources"]["Table"];
    assert_eq!(table["DeletionPolicy"], "Retain");
    assert_eq!(table["UpdateReplacePolicy"], "Retain");
    let properties = &table["Properties"];
    assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST");
    assert_eq!(properties["SSESpecification"]["SSEEnabled"], true);
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
fn one_sweep_ends_before_the_next_begins_and_none_is_repeated() {
    let template = load();
    let sweep = &template["Resources"]["RequeueDueDeliveriesFunction"]["Properties"];
    let schedule = &sweep["Events"]["EveryMinute"]["Properties"];
    assert_eq!(schedule["ScheduleExpression"], "rate(1 minute)");
    assert!(sweep["Timeout"].as_u64().unwrap() < 60);
    // Without it SAM names every stack's schedule alike, and a second one cannot be made.
    assert_eq!(schedule["OmitName"], true);
    // Neither the schedule nor Lambda's queue of asynchronous events brings one again.
    assert_eq!(schedule["RetryPolicy"]["MaximumRetryAttempts"], 0);
    assert_eq!(sweep["EventInvokeConfig"]["MaximumRetryAttempts"], 0);
    let age = &sweep["EventInvokeConfig"]["MaximumEventAgeInSeconds"];
    assert!(age.as_u64().unwrap() <= 60);
}

#[test]
fn a_chain_of_retries_is_not_taken_for_a_loop() {
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
    // Its partition and sort key are attributes of deliveries that have failed only.
    let sparse = [
        "dueShard",
        "sweepAt",
        "nextAttempt",
        "nextAttemptAt",
        "customerId",
        "expiresAt",
    ];
    assert_eq!(due, &index("due", &sparse));
    // `owedTo` is one, too. Nothing else in here ever changes: an update writes no entry.
    let messages = ["customerId", "receivedAt", "eventType", "time", "expiresAt"];
    let expected = [
        index("deliveries", &["sk", "createdAt", "eventType"]),
        index("undelivered", &["owedTo", "createdAt", "eventType"]),
        index("messages", &messages),
    ];
    assert_eq!(rest, expected);
}

#[test]
fn the_queue_keeps_a_wait_for_as_long_as_it_can() {
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
    assert_eq!(key["DeletionPolicy"], "Retain");
    assert_eq!(key["UpdateReplacePolicy"], "Retain");
    assert_eq!(key["Properties"]["EnableKeyRotation"], true);
}

#[test]
fn every_log_group_has_one_writer_and_an_end() {
    let template = load();
    let mut writers: Vec<&str> = resources_of(&template, "AWS::Serverless::Function")
        .into_iter()
        .map(|(id, function)| {
            referenced(&function["Properties"]["LoggingConfig"]["LogGroup"])
                .unwrap_or_else(|| panic!("{id} has no log group of its own"))
        })
        .collect();
    for (_, workflow) in resources_of(&template, "AWS::Serverless::StateMachine") {
        // A Standard workflow keeps the history of each execution itself.
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
fn the_api_answers_signed_requests_only() {
    let template = load();
    let urls: Vec<_> = resources_of(&template, "AWS::Serverless::Function")
        .into_iter()
        .filter_map(|(id, function)| Some((id, function["Properties"].get("FunctionUrlConfig")?)))
        .collect();
    assert_eq!(urls, [("ApiFunction", &json!({"AuthType": "AWS_IAM"}))]);
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
fn queue_events(template: &Value) -> Vec<(&str, &Value)> {
    resources_of(template, "AWS::Serverless::Function")
        .into_iter()
        .filter_map(|(id, function)| Some((id, function["Properties"].get("Events")?.as_object()?)))
        .flat_map(|(id, events)| events.values().map(move |event| (id, event)))
        .filter(|(_, event)| event["Type"] == "SQS")
        .map(|(id, event)| (id, &event["Properties"]))
        .collect()
}

/// Every statement of a role's policies, with its place.
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

/// Every statement of a policy that belongs to a resource, with its place.
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

/// The actions of a statement, which are written as one text or as a list.
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

/// The logical id that a `!Ref` or `!GetAtt` names, or a `!Sub` of `${Id.Arn}/index/NAME`.
fn referenced(value: &Value) -> Option<&str> {
    let index = || {
        let text = value.get("Fn::Sub")?.as_str()?.strip_prefix("${")?;
        let (attribute, name) = text.split_once("}/index/")?;
        name.bytes()
            .all(|byte| byte.is_ascii_lowercase())
            .then_some(attribute)
    };
    let plain = value.get("Ref").or_else(|| value.get("Fn::GetAtt"));
    let id = plain.map_or_else(index, Value::as_str)?;
    Some(id.split('.').next().unwrap_or(id))
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
