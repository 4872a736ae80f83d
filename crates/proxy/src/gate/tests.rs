use std::{
    env, fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::{Value, json};

use super::*;

/// Answers every call, and describes one table.
struct Emulator;

impl Next for Emulator {
    async fn forward(&self, call: &Request<Bytes>) -> Result<Response<Bytes>, CallError> {
        let described = json!({"Table": {
            "AttributeDefinitions": [{"AttributeName": "pk", "AttributeType": "S"}],
            "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}],
        }});
        let is_describe =
            header(call, "x-amz-target").is_some_and(|t| t.ends_with("DescribeTable"));
        let answer = if is_describe {
            described.to_string()
        } else {
            "forwarded".to_owned()
        };
        Ok(Response::new(answer.into()))
    }
}

struct Fixture {
    gate: Gate,
    file: PathBuf,
}

impl Fixture {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("gate-refusals-{}-{number}", std::process::id());
        let file = env::temp_dir().join(name);
        Self {
            gate: Gate::strict(&file).unwrap(),
            file,
        }
    }

    async fn answer(&self, call: Request<Bytes>) -> Response<Bytes> {
        self.gate.answer(call, &Emulator).await.unwrap()
    }

    /// Returns the recorded refusals.
    fn refused(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.file).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
    }
}

fn json_call(target: &str, body: &Value) -> Request<Bytes> {
    Request::post("/")
        .header("x-amz-target", target)
        .body(body.to_string().into())
        .unwrap()
}

fn send(change: &str, value: Value) -> Request<Bytes> {
    let mut message = json!({"QueueUrl": "q", "MessageBody": "b"});
    message[change] = value;
    json_call("AmazonSQS.SendMessage", &message)
}

#[tokio::test]
async fn calls_that_aws_accepts_pass() {
    let test = Fixture::new();
    for call in [
        send("DelaySeconds", json!(900)),
        json_call(
            "DynamoDB_20120810.GetItem",
            &json!({"TableName": "t", "Key": {"pk": {"S": "a"}}}),
        ),
        Request::get("/_ministack/ready")
            .body(Bytes::new())
            .unwrap(),
        Request::post("/customers")
            .header("host", "abc.lambda-url.us-east-1.on.aws")
            .body("anything".into())
            .unwrap(),
        Request::post("/_aws/lambda-url/abc/run/step")
            .body("anything".into())
            .unwrap(),
    ] {
        assert_eq!(test.answer(call).await.body(), "forwarded");
    }
    assert_eq!(test.refused(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_delay_of_901_s_and_an_unknown_member_are_refused_by_name() {
    let test = Fixture::new();
    let answer = test.answer(send("DelaySeconds", json!(901))).await;
    assert_eq!(answer.status(), 400);
    assert_eq!(
        answer.headers()["x-amzn-errortype"],
        "InvalidParameterValue"
    );
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(body["message"], "DelaySeconds: 901 is not in 0 to 900");
    let answer = test.answer(send("Colour", json!("red"))).await;
    assert_eq!(answer.status(), 400);
    let refused = test.refused();
    assert_eq!(refused[0]["operation"], "sqs SendMessage");
    assert_eq!(refused[0]["member"], "DelaySeconds");
    assert_eq!(refused[0]["rule"], "delay of 0 to 900 s");
    assert_eq!(refused[1]["member"], "Colour");
    assert_eq!(refused[1]["reason"], "unknown member");
}

#[tokio::test]
async fn the_keys_of_a_table_are_asked_of_the_emulator() {
    let test = Fixture::new();
    let item = json!({"TableName": "t", "Item": {"pk": {"S": ""}}});
    let answer = test
        .answer(json_call("DynamoDB_20120810.PutItem", &item))
        .await;
    assert_eq!(answer.headers()["x-amzn-errortype"], "ValidationException");
    assert_eq!(test.refused()[0]["member"], "Item.pk");
}

#[tokio::test]
async fn an_operation_that_the_table_does_not_have_is_refused() {
    let test = Fixture::new();
    let answer = test
        .answer(json_call("AmazonSQS.CreateQueue", &json!({})))
        .await;
    assert_eq!(
        answer.headers()["x-amzn-errortype"],
        "UnknownOperationException"
    );
    assert_eq!(test.refused()[0]["operation"], "sqs CreateQueue");
}

#[tokio::test]
async fn an_operation_that_people_use_passes_a_gate_that_is_open_to_it() {
    let test = Fixture::new();
    let gate = Gate::strict(&test.file).unwrap().open_to_unknown();
    let unknown = json_call("AmazonSQS.CreateQueue", &json!({}));
    let answer = gate.answer(unknown, &Emulator).await.unwrap();
    assert_eq!(answer.body(), "forwarded");
    let known = gate
        .answer(send("DelaySeconds", json!(901)), &Emulator)
        .await
        .unwrap();
    assert_eq!(known.status(), 400);
}

#[tokio::test]
async fn a_refusal_that_a_test_expects_is_not_recorded() {
    let test = Fixture::new();
    for (expected, recorded) in [("DelaySeconds", 0), ("MessageBody", 1)] {
        let mut call = send("DelaySeconds", json!(901));
        call.headers_mut()
            .insert(EXPECTED, expected.parse().unwrap());
        assert_eq!(test.answer(call).await.status(), 400);
        assert_eq!(test.refused().len(), recorded);
    }
}

#[tokio::test]
async fn a_functions_url_takes_6_mb() {
    let test = Fixture::new();
    for (bytes, status) in [(URL_BODY_BYTES, 200), (URL_BODY_BYTES + 1, 413)] {
        let call = Request::post("/")
            .header("host", "abc.lambda-url.us-east-1.on.aws")
            .body(vec![b'x'; bytes].into())
            .unwrap();
        assert_eq!(test.answer(call).await.status(), status);
    }
    assert_eq!(test.refused()[0]["operation"], "function URL");
}

#[tokio::test]
async fn an_answer_that_aws_would_not_have_given_is_recorded() {
    struct Generous;
    impl Next for Generous {
        async fn forward(&self, _: &Request<Bytes>) -> Result<Response<Bytes>, CallError> {
            let output = "x".repeat(262_145);
            Ok(Response::new(json!({"output": output}).to_string().into()))
        }
    }
    let test = Fixture::new();
    let call = json_call(
        "AWSStepFunctions.DescribeExecution",
        &json!({"executionArn": "a"}),
    );
    let answer = test.gate.answer(call, &Generous).await.unwrap();
    assert_eq!(answer.status(), 200);
    let refused = test.refused();
    assert_eq!(
        refused[0]["operation"],
        "answer to stepfunctions DescribeExecution"
    );
    assert_eq!(refused[0]["member"], "output");
}
