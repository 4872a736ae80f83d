//! Each role is refused the permissions that it does not need.

use anyhow::{Context, Result, ensure};
use aws_config::{SdkConfig, sts::AssumeRoleProvider};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    primitives::Blob,
    types::AttributeValue,
};
use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};
use webhooks_client::Stack;

use crate::fixture::Fixture;

/// A role of the stack, and an SDK configuration with the role's credentials.
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) sdk: SdkConfig,
}

impl Role {
    /// Assumes a role, after adding its own account to its trust policy. Its permissions stay as
    /// deployed.
    async fn assume(stack: &Stack, name: &str, arn: &str) -> Result<Self> {
        trust_its_account(stack, arn).await?;
        let provider = AssumeRoleProvider::builder(arn)
            .session_name("end-to-end")
            .configure(stack.sdk_config())
            .build()
            .await;
        let sdk = stack
            .sdk_config()
            .to_builder()
            .credentials_provider(SharedCredentialsProvider::new(provider))
            .build();
        Ok(Self {
            name: name.to_owned(),
            sdk,
        })
    }

    /// Returns true if this is the role of the function with this logical id.
    pub(crate) fn is_of(&self, logical_id: &str) -> bool {
        self.name.contains(logical_id)
    }
}

/// Allows the account of a role to assume it, besides the services that may.
async fn trust_its_account(stack: &Stack, role_arn: &str) -> Result<()> {
    let (_, role_name) = role_arn.rsplit_once('/').context("no role ARN")?;
    let account = role_arn.split(':').nth(4).context("no account")?;
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": {
                "AWS": format!("arn:aws:iam::{account}:root"),
                "Service": ["lambda.amazonaws.com", "states.amazonaws.com"],
            },
            "Action": "sts:AssumeRole",
        }],
    });
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("Action", "UpdateAssumeRolePolicy")
        .append_pair("Version", "2010-05-08")
        .append_pair("RoleName", role_name)
        .append_pair("PolicyDocument", &trust.to_string());
    let request = Request::post("https://iam.amazonaws.com/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Bytes::from(form.finish()))?;
    let response = stack.signed_http().send("iam", request).await?;
    ensure!(response.status().is_success(), "{role_arn}: {response:?}");
    Ok(())
}

/// The roles of the stack's functions and of its workflows.
pub(crate) async fn roles(stack: &Stack) -> Result<Vec<Role>> {
    // The function of the API has a name of its own.
    let api = stack.output("ApiFunctionName")?;
    let queue = stack.output("DeliveryQueueUrl")?;
    let (_, queue) = queue.rsplit_once('/').context(queue.to_owned())?;
    let (stack_name, _) = queue
        .split_once("DeliveryQueue")
        .context(queue.to_owned())?;
    let region = stack.region();
    let url = format!("https://lambda.{region}.amazonaws.com/2015-03-31/functions/");
    let request = Request::get(url).body(Bytes::new())?;
    let response = stack.signed_http().send("lambda", request).await?;
    ensure!(response.status().is_success(), "{response:?}");
    let answer: Value = serde_json::from_slice(response.body())?;
    let mut roles = Vec::new();
    for function in answer["Functions"].as_array().context("no Functions")? {
        let name = function["FunctionName"].as_str().unwrap_or_default();
        let arn = function["Role"].as_str().unwrap_or_default();
        if name == api || name.starts_with(stack_name) {
            roles.push(Role::assume(stack, name, arn).await?);
        }
    }
    for output in ["StateMachineArn", "RecoveryStateMachineArn"] {
        let workflow = aws_sdk_sfn::Client::new(stack.sdk_config())
            .describe_state_machine()
            .state_machine_arn(stack.output(output)?)
            .send()
            .await?;
        roles.push(Role::assume(stack, &workflow.name, &workflow.role_arn).await?);
    }
    Ok(roles)
}

/// Asserts that a call was refused with one of these error codes.
pub(crate) fn is_refused<T, E>(
    result: Result<T, SdkError<E>>,
    codes: &[&str],
    role: &Role,
    action: &str,
) where
    T: std::fmt::Debug,
    E: ProvideErrorMetadata + std::fmt::Debug,
{
    match result {
        Ok(output) => panic!("{} may {action}: {output:?}", role.name),
        Err(error) => {
            let code = error.code().unwrap_or_default();
            assert!(codes.contains(&code), "{} {action}: {error:?}", role.name);
        }
    }
}

pub(crate) const DENIED: [&str; 2] = ["AccessDenied", "AccessDeniedException"];

#[tokio::test]
async fn no_role_may_scan_the_table() -> Result<()> {
    let test = Fixture::new("scan").await?;
    let roles = roles(&test.stack).await?;
    assert!(roles.len() >= 8, "six functions and two workflows");
    for role in &roles {
        let scan = aws_sdk_dynamodb::Client::new(&role.sdk)
            .scan()
            .table_name(test.stack.output("TableName")?);
        is_refused(scan.send().await, &DENIED, role, "Scan");
    }
    Ok(())
}

#[tokio::test]
async fn no_role_may_purge_a_queue() -> Result<()> {
    let test = Fixture::new("purge").await?;
    // Only queues that no other test reads: if a purge were allowed, it would delete other tests'
    // messages.
    let queues = ["DeliveryDeadLetterQueueUrl", "RuleDeadLetterQueueUrl"];
    for role in &roles(&test.stack).await? {
        for queue in queues {
            let purge = aws_sdk_sqs::Client::new(&role.sdk)
                .purge_queue()
                .queue_url(test.stack.output(queue)?);
            is_refused(purge.send().await, &DENIED, role, "PurgeQueue");
        }
    }
    Ok(())
}

#[tokio::test]
async fn only_functions_that_need_to_may_delete_from_the_table() -> Result<()> {
    let test = Fixture::new("write").await?;
    for role in &roles(&test.stack).await? {
        if role.is_of("ApiFunction") || role.is_of("DeleteCustomers") {
            continue;
        }
        let delete = aws_sdk_dynamodb::Client::new(&role.sdk)
            .delete_item()
            .table_name(test.stack.output("TableName")?)
            .key("pk", AttributeValue::S("CUSTOMER#nobody".to_owned()))
            .key("sk", AttributeValue::S("SUBSCRIPTION#none".to_owned()));
        is_refused(delete.send().await, &DENIED, role, "DeleteItem");
    }
    Ok(())
}

/// The encrypted data key, read from the table.
async fn data_key(stack: &Stack) -> Result<Blob> {
    let item = aws_sdk_dynamodb::Client::new(stack.sdk_config())
        .query()
        .table_name(stack.output("TableName")?)
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", AttributeValue::S("DATA_KEY".to_owned()))
        .send()
        .await?
        .items
        .unwrap_or_default()
        .pop()
        .context("no data key in the table")?;
    item.into_values()
        .find_map(|value| value.as_b().ok().cloned())
        .context("the data key has no binary attribute")
}

#[tokio::test]
async fn a_data_key_decrypts_for_its_purpose_only() -> Result<()> {
    let test = Fixture::new("decrypt").await?;
    // The first subscription causes the data key to be created.
    test.subscribe("/a").await?;
    assert_a_data_key_decrypts_for_its_purpose_only(&test.stack).await
}

/// Asserts that the roles of the API and of deliveries can decrypt the data key of a stack, and no
/// other role can, and that they can do so for its own purpose and installation only.
pub(crate) async fn assert_a_data_key_decrypts_for_its_purpose_only(stack: &Stack) -> Result<()> {
    let data_key = data_key(stack).await?;
    let installation = stack.output("InstallationId")?;
    for role in &roles(stack).await? {
        let decrypt = || {
            aws_sdk_kms::Client::new(&role.sdk)
                .decrypt()
                .ciphertext_blob(data_key.clone())
        };
        let right = decrypt()
            .encryption_context("purpose", "subscription-secrets")
            .encryption_context("installation", installation);
        if role.is_of("DeliverWebhookFunction") || role.is_of("ApiFunction") {
            right.send().await.with_context(|| role.name.clone())?;
        } else {
            is_refused(right.send().await, &DENIED, role, "Decrypt");
        }
        // The role's condition must refuse it. The ciphertext is bound to the context too, but that
        // would give the error `InvalidCiphertextException`.
        for (purpose, installation) in [
            ("something-else", installation),
            ("subscription-secrets", "another-installation"),
        ] {
            let wrong = decrypt()
                .encryption_context("purpose", purpose)
                .encryption_context("installation", installation);
            is_refused(
                wrong.send().await,
                &DENIED,
                role,
                "Decrypt with another context",
            );
        }
        let more = decrypt()
            .encryption_context("purpose", "subscription-secrets")
            .encryption_context("installation", installation)
            .encryption_context("more", "of it");
        is_refused(more.send().await, &DENIED, role, "Decrypt with more");
        is_refused(
            decrypt().send().await,
            &DENIED,
            role,
            "Decrypt without a context",
        );
    }
    Ok(())
}
