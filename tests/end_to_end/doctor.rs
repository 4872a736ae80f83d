//! `webhooks doctor` on a stack of its own, which these tests break.
//!
//! The tests plant all faults at once, by the calls that somebody would make by mistake. Then
//! exactly the checks that name these faults must fail, and no other.

use anyhow::{Context, Result, ensure};
use base64::{Engine, prelude::BASE64_STANDARD as BASE64};
use bytes::Bytes;
use http::{Method, Request};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use webhooks_cli::Outcome;
use webhooks_client::Stack;

use crate::command_line::{webhooks, webhooks_text};
use crate::emulator::resource;
use crate::fixture::{ARRIVAL, Fixture, POLL_INTERVAL};

/// A call of an AWS API.
struct Call {
    method: Method,
    service: &'static str,
    /// The operation of a JSON service, such as `AmazonSQS.SetQueueAttributes`, or the path of a
    /// REST service.
    operation: String,
    input: Value,
}

impl Call {
    fn json(service: &'static str, operation: &str, input: Value) -> Self {
        Self {
            method: Method::POST,
            service,
            operation: operation.to_owned(),
            input,
        }
    }

    fn rest(method: Method, path: String, input: Value) -> Self {
        Self {
            method,
            service: "lambda",
            operation: path,
            input,
        }
    }

    async fn send(&self, stack: &Stack) -> Result<Value> {
        let host = format!("https://{}.{}.amazonaws.com", self.service, stack.region());
        let is_rest = self.operation.starts_with('/');
        let path = if is_rest { &self.operation } else { "/" };
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(format!("{host}{path}"));
        let mut body = Bytes::new();
        if !self.input.is_null() {
            body = self.input.to_string().into();
            request = request.header("content-type", "application/x-amz-json-1.1");
        }
        if !is_rest {
            request = request.header("x-amz-target", &self.operation);
        }
        let http = stack.signed_http();
        let sent = http.send(self.service, request.body(body)?).await;
        let answer = sent.with_context(|| self.operation.clone())?;
        ensure!(
            answer.status().is_success(),
            "{}: {answer:?}",
            self.operation
        );
        if answer.body().is_empty() {
            return Ok(Value::Null);
        }
        Ok(serde_json::from_slice(answer.body()).unwrap_or_default())
    }
}

/// A fault, and the check that must report it.
struct Fault {
    check: &'static str,
    plant: Call,
    undo: Call,
}

/// The names of the checks with this outcome, as `GROUP/NAME`.
fn checks(report: &Value, outcome: &str) -> Vec<String> {
    let all = report["checks"].as_array().into_iter().flatten();
    let mut names: Vec<_> = all
        .filter(|check| check["outcome"] == outcome)
        .map(|check| {
            let text = |field: &str| check[field].as_str().unwrap_or_default().to_owned();
            format!("{}/{}", text("group"), text("name"))
        })
        .collect();
    names.sort();
    names
}

fn queue_attribute(
    check: &'static str,
    url: &str,
    attribute: &str,
    wrong: &str,
    right: &Value,
) -> Fault {
    let set = |value: &Value| {
        let input = json!({"QueueUrl": url, "Attributes": {attribute: value}});
        Call::json("sqs", "AmazonSQS.SetQueueAttributes", input)
    };
    Fault {
        check,
        plant: set(&json!(wrong)),
        undo: set(right),
    }
}

async fn queue_faults(stack: &Stack) -> Result<Vec<Fault>> {
    let attributes = async |url: &str| {
        let input = json!({"QueueUrl": url, "AttributeNames": ["All"]});
        let get = Call::json("sqs", "AmazonSQS.GetQueueAttributes", input);
        Ok::<_, anyhow::Error>(get.send(stack).await?["Attributes"].clone())
    };
    let fast = stack.output("DeliveryQueueUrl")?;
    let slow = stack.output("SlowDeliveryQueueUrl")?;
    let rule = stack.output("RuleDeadLetterQueueUrl")?;
    let (of_fast, of_slow) = (attributes(fast).await?, attributes(slow).await?);
    let of_rule = attributes(rule).await?;
    let delivery = resource(stack, "DeliverWebhookFunction").await?;
    let path = format!("/2015-03-31/event-source-mappings?FunctionName={delivery}");
    let mappings = Call::rest(Method::GET, path, Value::Null)
        .send(stack)
        .await?;
    let mapping = |queue: &Value| {
        let all = mappings["EventSourceMappings"].as_array();
        let mut all = all.into_iter().flatten();
        let found = all.find(|mapping| mapping["EventSourceArn"] == queue["QueueArn"]);
        let id = found.and_then(|mapping| mapping["UUID"].as_str());
        let id = id.context("the queue has no event source mapping")?;
        Ok::<_, anyhow::Error>(format!("/2015-03-31/event-source-mappings/{id}"))
    };
    let (fast_mapping, slow_mapping) = (mapping(&of_fast)?, mapping(&of_slow)?);
    let put = |path: &str, input: Value| Call::rest(Method::PUT, path.to_owned(), input);
    Ok(vec![
        queue_attribute(
            "queues/DeliveryQueue: visibility timeout",
            fast,
            "VisibilityTimeout",
            "5",
            &of_fast["VisibilityTimeout"],
        ),
        queue_attribute(
            "queues/SlowDeliveryQueue: retention",
            slow,
            "MessageRetentionPeriod",
            "3600",
            &of_slow["MessageRetentionPeriod"],
        ),
        queue_attribute(
            "queues/SlowDeliveryQueue: redrive policy",
            slow,
            "RedrivePolicy",
            "",
            &of_slow["RedrivePolicy"],
        ),
        queue_attribute(
            "queues/RuleDeadLetterQueue: policy",
            rule,
            "Policy",
            "",
            &of_rule["Policy"],
        ),
        Fault {
            check: "queues/DeliveryQueue: mapping enabled",
            plant: put(&fast_mapping, json!({"Enabled": false})),
            undo: put(&fast_mapping, json!({"Enabled": true})),
        },
        Fault {
            check: "queues/SlowDeliveryQueue: mapping answers for each message",
            plant: put(&slow_mapping, json!({"FunctionResponseTypes": []})),
            undo: put(
                &slow_mapping,
                json!({"FunctionResponseTypes": ["ReportBatchItemFailures"]}),
            ),
        },
        Fault {
            check: "queues/SlowDeliveryQueue: mapping concurrency",
            plant: put(
                &slow_mapping,
                json!({"ScalingConfig": {"MaximumConcurrency": 9}}),
            ),
            // The value in the `local` parameters of samconfig.toml.
            undo: put(
                &slow_mapping,
                json!({"ScalingConfig": {"MaximumConcurrency": 2}}),
            ),
        },
    ])
}

async fn trigger_faults(stack: &Stack) -> Result<Vec<Fault>> {
    let rule = resource(stack, "EventRule").await?;
    let name = rule.rsplit('|').next().unwrap_or_default();
    let bus = stack.output("EventBusName")?;
    let input = json!({"Rule": name, "EventBusName": bus});
    let list = Call::json("events", "AWSEvents.ListTargetsByRule", input);
    let target = list.send(stack).await?["Targets"][0].clone();
    let mut lossy = target.clone();
    lossy["RetryPolicy"] = json!({"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0});
    lossy
        .as_object_mut()
        .context("a target is an object")?
        .remove("DeadLetterConfig");
    let put = |target: Value| {
        let input = json!({"Rule": name, "EventBusName": bus, "Targets": [target]});
        Call::json("events", "AWSEvents.PutTargets", input)
    };
    let set = |operation: &str| {
        Call::json(
            "events",
            operation,
            json!({"Name": name, "EventBusName": bus}),
        )
    };
    Ok(vec![
        Fault {
            check: "triggers/EventRule: enabled",
            plant: set("AWSEvents.DisableRule"),
            undo: set("AWSEvents.EnableRule"),
        },
        Fault {
            check: "triggers/EventRule: retries",
            plant: put(lossy.clone()),
            undo: put(target.clone()),
        },
        // Two faults share this target. It is harmless to plant it twice.
        Fault {
            check: "triggers/EventRule: dead-letter queue",
            plant: put(lossy),
            undo: put(target),
        },
        schedule_fault(
            stack,
            "RequeueDueDeliveriesFunctionEveryMinute",
            "triggers/schedule of requeue-due-deliveries: enabled",
        )
        .await?,
        schedule_fault(
            stack,
            "DeleteCustomersFunctionEveryQuarterOfAnHour",
            "triggers/schedule of delete-customers: enabled",
        )
        .await?,
    ])
}

async fn schedule_fault(stack: &Stack, logical_id: &str, check: &'static str) -> Result<Fault> {
    let id = resource(stack, logical_id).await?;
    let path = format!(
        "/schedules/{}",
        id.rsplit(['|', '/']).next().unwrap_or_default()
    );
    let scheduler = |method: Method, input: Value| Call {
        service: "scheduler",
        ..Call::rest(method, path.clone(), input)
    };
    let schedule = scheduler(Method::GET, Value::Null).send(stack).await?;
    let update = |state: &str| {
        let mut input = json!({"State": state});
        for field in ["FlexibleTimeWindow", "ScheduleExpression", "Target"] {
            input[field] = schedule[field].clone();
        }
        scheduler(Method::PUT, input)
    };
    Ok(Fault {
        check,
        plant: update("DISABLED"),
        undo: update("ENABLED"),
    })
}

async fn store_faults(stack: &Stack) -> Result<Vec<Fault>> {
    let table = stack.output("TableName")?;
    let key = stack.output("SigningKeyArn")?;
    let dynamodb = |operation: &str, mut input: Value| {
        input["TableName"] = json!(table);
        Call::json("dynamodb", &format!("DynamoDB_20120810.{operation}"), input)
    };
    let kms = |operation: &str, mut input: Value| {
        input["KeyId"] = json!(key);
        Call::json("kms", &format!("TrentService.{operation}"), input)
    };
    let item = json!({"pk": {"S": "MESSAGE#doctor"}, "sk": {"S": "MESSAGE"}});
    let mut written = item.clone();
    written["payload"] = json!({"B": "e30="});
    let name = json!({"PolicyName": "default"});
    let policy = kms("GetKeyPolicy", name).send(stack).await?;
    let policy = policy["Policy"].as_str().context("a key has a policy")?;
    let mut wrong: Value = serde_json::from_str(policy)?;
    wrong["Statement"][0]["Action"] = json!(["kms:PutKeyPolicy", "kms:GetKeyPolicy"]);
    let put_policy = |policy: &str| {
        kms(
            "PutKeyPolicy",
            json!({"PolicyName": "default", "Policy": policy}),
        )
    };
    Ok(vec![
        Fault {
            check: "table/Table: stored payloads",
            plant: dynamodb("PutItem", json!({"Item": written})),
            undo: dynamodb("DeleteItem", json!({"Key": item})),
        },
        Fault {
            check: "key/SigningKey: rotation",
            plant: kms("DisableKeyRotation", json!({})),
            undo: kms("EnableKeyRotation", json!({})),
        },
        Fault {
            check: "key/SigningKey: policy for the functions",
            plant: put_policy(&wrong.to_string()),
            undo: put_policy(policy),
        },
        Fault {
            check: "key/SigningKey: state",
            plant: kms("DisableKey", json!({})),
            undo: kms("EnableKey", json!({})),
        },
    ])
}

/// A zip archive that holds an uncompressed `bootstrap` (APPNOTE.TXT, 4.3).
fn archive(program: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"bootstrap";
    let size = u32::try_from(program.len()).expect("it is short");
    let name = u16::try_from(NAME.len()).expect("it is short");
    let version = 20_u16.to_le_bytes();
    // No flags, no compression, no time.
    let entry = [
        version.to_vec(),
        vec![0; 8],
        crc32(program).to_le_bytes().to_vec(),
        size.to_le_bytes().to_vec(),
        size.to_le_bytes().to_vec(),
        name.to_le_bytes().to_vec(),
        vec![0; 2],
    ]
    .concat();
    let local = [b"PK\x03\x04", &entry[..], NAME, program].concat();
    let directory = [b"PK\x01\x02", &version[..], &entry[..], &[0; 14], NAME].concat();
    let length = |part: &[u8]| {
        u32::try_from(part.len())
            .expect("it is short")
            .to_le_bytes()
    };
    let end = [
        &b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..],
        &length(&directory),
        &length(&local),
        &[0; 2],
    ]
    .concat();
    [local, directory, end].concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

/// The start of a program for RISC-V, an architecture that Lambda does not have.
const FOREIGN: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xf3\0";

async fn function_faults(stack: &Stack) -> Result<Vec<Fault>> {
    let sweep = resource(stack, "RequeueDueDeliveriesFunction").await?;
    let recover = resource(stack, "RecoverDeliveriesFunction").await?;
    let prepare = resource(stack, "PrepareCallsFunction").await?;
    let api = stack.output("ApiFunctionName")?;
    let path =
        |version: &str, name: &str, part: &str| format!("/{version}/functions/{name}/{part}");
    let configuration = path("2015-03-31", &recover, "configuration");
    let get = Call::rest(Method::GET, configuration.clone(), Value::Null);
    let environment = get.send(stack).await?["Environment"].clone();
    let get = Call::rest(
        Method::GET,
        format!("/2015-03-31/functions/{prepare}"),
        Value::Null,
    );
    let code = get.send(stack).await?["Code"]["Location"].clone();
    let code = code.as_str().context("a function has code")?;
    let code = stack.signed_http().start_of(code, usize::MAX).await?;
    let put = |path: String, input: Value| Call::rest(Method::PUT, path, input);
    let upload = |archive: &[u8]| {
        let input = json!({"ZipFile": BASE64.encode(archive)});
        put(path("2015-03-31", &prepare, "code"), input)
    };
    let url = |kind: &str| put(path("2021-10-31", api, "url"), json!({"AuthType": kind}));
    let permission = json!({"StatementId": "anybody", "Action": "lambda:InvokeFunctionUrl",
        "Principal": "*", "FunctionUrlAuthType": "NONE"});
    Ok(vec![
        Fault {
            check: "functions/requeue-due-deliveries: reserved concurrency",
            plant: put(
                path("2017-10-31", &sweep, "concurrency"),
                json!({"ReservedConcurrentExecutions": 0}),
            ),
            undo: Call::rest(
                Method::DELETE,
                path("2017-10-31", &sweep, "concurrency"),
                Value::Null,
            ),
        },
        Fault {
            check: "functions/recover-deliveries: variables",
            plant: put(
                configuration.clone(),
                json!({"Environment": {"Variables": {"LOG_LEVEL": "INFO"}}}),
            ),
            undo: put(configuration, json!({"Environment": environment})),
        },
        Fault {
            check: "functions/prepare-calls: architecture",
            plant: upload(&archive(FOREIGN)),
            undo: upload(&code),
        },
        Fault {
            check: "api/Function URL: authentication",
            plant: url("NONE"),
            undo: url("AWS_IAM"),
        },
        Fault {
            check: "api/Function URL: public access",
            plant: Call::rest(Method::POST, path("2015-03-31", api, "policy"), permission),
            undo: Call::rest(
                Method::DELETE,
                path("2015-03-31", api, "policy/anybody"),
                Value::Null,
            ),
        },
    ])
}

/// Waits until the changed functions have their new program and configuration.
async fn updated(stack: &Stack) -> Result<()> {
    let deadline = Instant::now() + ARRIVAL;
    for logical_id in ["PrepareCallsFunction", "RecoverDeliveriesFunction"] {
        let name = resource(stack, logical_id).await?;
        let path = format!("/2015-03-31/functions/{name}/configuration");
        let get = Call::rest(Method::GET, path, Value::Null);
        loop {
            let now = get.send(stack).await?;
            if now["State"] == "Active" && now["LastUpdateStatus"] == "Successful" {
                break;
            }
            ensure!(Instant::now() < deadline, "{now:#}");
            sleep(POLL_INTERVAL).await;
        }
    }
    Ok(())
}

async fn watching_faults(stack: &Stack) -> Result<Vec<Fault>> {
    let group = resource(stack, "ApiLogGroup").await?;
    let alarm = resource(stack, "FailedEventsAlarm").await?;
    let state = |value: &str| Call {
        service: "monitoring",
        ..Call::json(
            "monitoring",
            "GraniteServiceVersion20100801.SetAlarmState",
            json!({"AlarmName": alarm, "StateValue": value, "StateReason": "planted"}),
        )
    };
    Ok(vec![
        Fault {
            check: "watching/ApiLogGroup: retention",
            plant: Call::json(
                "logs",
                "Logs_20140328.DeleteRetentionPolicy",
                json!({"logGroupName": group}),
            ),
            undo: Call::json(
                "logs",
                "Logs_20140328.PutRetentionPolicy",
                json!({"logGroupName": group, "retentionInDays": 30}),
            ),
        },
        Fault {
            check: "watching/FailedEventsAlarm: state",
            plant: state("ALARM"),
            undo: state("OK"),
        },
    ])
}

#[tokio::test]
async fn a_stack_that_works_is_green_and_each_planted_fault_is_red_by_name() -> Result<()> {
    let test = Fixture::new("doctor").await?;
    let stack = &test.stack;
    // Puts a message, so that the doctor has a payload to check.
    test.subscribe("/a").await?;
    test.put("order.created", json!({"total": 1})).await?;
    test.first_request("/a").await?;
    let (outcome, report) = webhooks(&["doctor"]).await?;
    assert_eq!(checks(&report, "failed"), [""; 0], "{report:#}");
    assert_eq!(outcome, Outcome::Complete);
    assert!(checks(&report, "passed").len() > 80, "{report:#}");

    let mut faults = queue_faults(stack).await?;
    faults.extend(trigger_faults(stack).await?);
    faults.extend(store_faults(stack).await?);
    faults.extend(function_faults(stack).await?);
    faults.extend(watching_faults(stack).await?);
    for fault in &faults {
        fault.plant.send(stack).await.context(fault.check)?;
    }
    updated(stack).await?;
    let (outcome, report) = webhooks(&["doctor"]).await?;
    let mut planted: Vec<_> = faults.iter().map(|fault| fault.check).collect();
    planted.sort_unstable();
    assert!(planted.len() >= 20, "{}", planted.len());
    assert_eq!(checks(&report, "failed"), planted, "{report:#}");
    assert_eq!(outcome, Outcome::Incomplete);
    let (_, shown) = webhooks_text(&["doctor"]).await?;
    let lines = shown.lines().filter(|line| line.starts_with("  FAILED "));
    assert_eq!(lines.count(), planted.len(), "{shown}");
    assert_eq!(
        shown.matches(" why: ").count(),
        shown.matches(" fix: ").count()
    );

    for fault in faults.iter().rev() {
        fault.undo.send(stack).await.context(fault.check)?;
    }
    updated(stack).await?;
    let (outcome, report) = webhooks(&["doctor"]).await?;
    assert_eq!(checks(&report, "failed"), [""; 0], "{report:#}");
    assert_eq!(outcome, Outcome::Complete);
    Ok(())
}

#[tokio::test]
async fn a_stack_that_does_not_exist_is_one_failed_check() -> Result<()> {
    let file = std::env::temp_dir().join(format!("doctor-{}.json", std::process::id()));
    let path = file.to_str().context("the path is text")?;
    let (outcome, report) = webhooks(&[
        "doctor",
        "--stack-file",
        "no-such-stack.json",
        "--report",
        path,
    ])
    .await?;
    assert_eq!(outcome, Outcome::Incomplete);
    assert_eq!(checks(&report, "failed"), ["stack/found"]);
    let attached = std::fs::read_to_string(&file)?;
    std::fs::remove_file(&file)?;
    assert!(attached.contains("FAILED"), "{attached}");
    Ok(())
}
