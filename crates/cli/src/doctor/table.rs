//! Checks the table: its state, its protection, and the format of its items.

use serde::Deserialize;
use serde_json::{Value, json};

use super::aws::DYNAMODB;
use super::context::{Context, Described};
use super::report::{Check, Group, Outcome, judge};

const GROUP: Group = Group("table");

const INDEXES: [&str; 4] = ["due", "deliveries", "undelivered", "messages"];

/// The number of items read to sample stored payloads: at most 1 MB, 128 read units.
const SAMPLE: u32 = 200;

/// `DescribeTable`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Description {
    table: Table,
}

#[expect(clippy::struct_field_names, reason = "AWS's names")]
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Table {
    table_status: String,
    #[serde(default)]
    global_secondary_indexes: Vec<Index>,
    #[serde(default)]
    deletion_protection_enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    index_name: String,
    index_status: Option<String>,
}

/// `DescribeTimeToLive`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeToLive {
    time_to_live_description: TimeToLiveDescription,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeToLiveDescription {
    time_to_live_status: Option<String>,
    attribute_name: Option<String>,
}

/// `DescribeContinuousBackups`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Backups {
    continuous_backups_description: Value,
}

/// `Scan`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Sample {
    #[serde(default)]
    items: Vec<Value>,
}

/// The checks of this group.
pub(crate) async fn checks(context: &Context) -> Vec<Check> {
    context.progress.say("the table");
    let ask = async |operation: &str| {
        let input = json!({"TableName": context.output("TableName")?});
        context.call::<Value>(&DYNAMODB, operation, &input).await
    };
    let table: Described<Description> = read(ask("DescribeTable").await);
    let lifetime: Described<TimeToLive> = read(ask("DescribeTimeToLive").await);
    let backups: Described<Backups> = read(ask("DescribeContinuousBackups").await);
    let sample = sample(context).await;
    let mut checks = judge(
        GROUP,
        "Table",
        &table,
        &[
            ("state", &|d| judge_state(&d.table)),
            ("indexes", &|d| judge_indexes(&d.table)),
            ("deletion protection", &|d| {
                judge_protection(d.table.deletion_protection_enabled)
            }),
        ],
    );
    checks.extend(judge(
        GROUP,
        "Table",
        &lifetime,
        &[("time to live", &|d| {
            judge_lifetime(&d.time_to_live_description).unless_local(context.is_local())
        })],
    ));
    checks.extend(judge(
        GROUP,
        "Table",
        &backups,
        &[("point-in-time recovery", &|d| {
            judge_backups(&d.continuous_backups_description).unless_local(context.is_local())
        })],
    ));
    checks.extend(judge(
        GROUP,
        "Table",
        &sample,
        &[("stored payloads", &|sample| judge_payloads(&sample.items))],
    ));
    checks
}

/// Deserializes an answer.
fn read<T: serde::de::DeserializeOwned>(answer: Described<Value>) -> Described<T> {
    serde_json::from_value(answer?).map_err(|error| {
        Outcome::failed(
            format!("an answer of DynamoDB is not as documented: {error}"),
            "run this again",
        )
    })
}

async fn sample(context: &Context) -> Described<Sample> {
    let input = json!({
        "TableName": context.output("TableName")?,
        "Limit": SAMPLE,
        "ProjectionExpression": "sk, payload",
    });
    context.call(&DYNAMODB, "Scan", &input).await
}

fn judge_state(table: &Table) -> Outcome {
    match table.table_status.as_str() {
        "ACTIVE" => Outcome::passed("ACTIVE"),
        "UPDATING" => Outcome::passed("UPDATING: it is usable meanwhile"),
        state => Outcome::failed(
            format!("{state}: nothing can be accepted or sent"),
            "the table's page in the console shows the cause; restore it as \
             docs/restore.md says",
        ),
    }
}

fn judge_indexes(table: &Table) -> Outcome {
    let status = |name: &str| {
        let mut indexes = table.global_secondary_indexes.iter();
        let index = indexes.find(|index| index.index_name == name);
        // An index without a status is active.
        index.map(|index| index.index_status.as_deref().unwrap_or("ACTIVE"))
    };
    let wrong: Vec<_> = INDEXES
        .into_iter()
        .filter(|name| !matches!(status(name), Some("ACTIVE" | "UPDATING")))
        .map(|name| format!("{name} ({})", status(name).unwrap_or("missing")))
        .collect();
    if wrong.is_empty() {
        return Outcome::passed(format!("{} active", INDEXES.join(", ")));
    }
    Outcome::failed(
        format!("not active: {}", wrong.join(", ")),
        "wait while an index is CREATING; a missing one comes with the next change of the \
         template (docs/doctor.md, Drift)",
    )
}

fn judge_protection(is_protected: bool) -> Outcome {
    if is_protected {
        Outcome::passed("on")
    } else {
        Outcome::passed("off; the template keeps the table if the stack is deleted")
    }
}

fn judge_lifetime(lifetime: &TimeToLiveDescription) -> Outcome {
    const FIX: &str = "`aws dynamodb update-time-to-live --time-to-live-specification \
                       Enabled=true,AttributeName=expiresAt --table-name TABLE`";
    let status = lifetime.time_to_live_status.as_deref();
    match (status, lifetime.attribute_name.as_deref()) {
        (Some("ENABLED" | "ENABLING"), Some("expiresAt")) => Outcome::passed("by expiresAt"),
        (Some("ENABLED" | "ENABLING"), other) => Outcome::failed(
            format!("by {}, not by expiresAt", other.unwrap_or("nothing")),
            FIX,
        ),
        (status, _) => Outcome::failed(
            format!(
                "{}: expired items are never deleted, and storage grows without limit",
                status.unwrap_or("no status")
            ),
            FIX,
        ),
    }
}

fn judge_backups(backups: &Value) -> Outcome {
    let status = &backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"];
    if status == "ENABLED" {
        return Outcome::passed("on");
    }
    Outcome::failed(
        "off: items deleted by mistake cannot be restored",
        "`aws dynamodb update-continuous-backups --point-in-time-recovery-specification \
         PointInTimeRecoveryEnabled=true --table-name TABLE`",
    )
}

fn judge_payloads(items: &[Value]) -> Outcome {
    let payloads = items.iter().filter_map(|item| {
        let payload = item.get("payload")?;
        Some((item["sk"]["S"].as_str().unwrap_or_default(), payload))
    });
    let (good, bad): (Vec<_>, Vec<_>) =
        payloads.partition(|(_, payload)| payload.get("S").is_some());
    if let Some((key, _)) = bad.first() {
        return Outcome::failed(
            format!(
                "{} of {} sampled payloads are not of type S, the first of them under {key}: \
                 their webhooks cannot be sent",
                bad.len(),
                bad.len() + good.len()
            ),
            "find out who writes them: a workflow of another version, or a person; send those \
             events again",
        );
    }
    if good.is_empty() {
        return Outcome::passed(format!("no message among {} sampled items", items.len()));
    }
    Outcome::passed(format!("{} sampled, all of type S", good.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::fixtures::{is_failed, is_passed};

    fn table(status: &str, indexes: &Value) -> Table {
        let table = json!({"TableStatus": status, "GlobalSecondaryIndexes": indexes});
        serde_json::from_value(table).unwrap()
    }

    #[test]
    fn a_table_that_is_not_active_is_red() {
        assert!(is_passed(&judge_state(&table("ACTIVE", &json!([])))));
        for status in [
            "ARCHIVED",
            "DELETING",
            "INACCESSIBLE_ENCRYPTION_CREDENTIALS",
        ] {
            assert!(
                is_failed(&judge_state(&table(status, &json!([])))),
                "{status}"
            );
        }
    }

    #[test]
    fn a_missing_index_is_red_by_name() {
        let index = |name| json!({"IndexName": name, "IndexStatus": "ACTIVE"});
        let all: Vec<_> = INDEXES.map(index).to_vec();
        assert!(is_passed(&judge_indexes(&table("ACTIVE", &json!(all)))));
        let outcome = judge_indexes(&table("ACTIVE", &json!(all[1..])));
        let Outcome::Failed { reason, .. } = outcome else {
            panic!("{outcome:?}");
        };
        assert_eq!(reason, "not active: due (missing)");
    }

    #[test]
    fn time_to_live_and_recovery_that_are_off_are_red() {
        let lifetime = |status: &str, attribute: &str| {
            let description = json!({"TimeToLiveStatus": status, "AttributeName": attribute});
            judge_lifetime(&serde_json::from_value(description).unwrap())
        };
        assert!(is_passed(&lifetime("ENABLED", "expiresAt")));
        assert!(is_failed(&lifetime("DISABLED", "expiresAt")));
        assert!(is_failed(&lifetime("ENABLED", "ttl")));
        let backups = |status: &str| json!({"PointInTimeRecoveryDescription": {"PointInTimeRecoveryStatus": status}});
        assert!(is_passed(&judge_backups(&backups("ENABLED"))));
        assert!(is_failed(&judge_backups(&backups("DISABLED"))));
        assert!(is_failed(&judge_backups(&json!({}))));
    }

    #[test]
    fn a_payload_written_as_bytes_is_red() {
        let item = |payload: Value| json!({"sk": {"S": "MESSAGE"}, "payload": payload});
        let text = item(json!({"S": "{}"}));
        let bytes = item(json!({"B": "e30="}));
        let other = json!({"sk": {"S": "DELIVERY#1"}});
        assert!(is_passed(&judge_payloads(&[text.clone(), other.clone()])));
        assert!(is_passed(&judge_payloads(&[other])));
        assert!(is_failed(&judge_payloads(&[text, bytes])));
    }
}
