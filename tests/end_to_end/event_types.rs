//! The event catalogue through the API and the command line.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use webhooks_cli::Outcome;
use webhooks_client::{Answered, Call, EventType, EventTypesQuery, ListLimit, TransformTest};

use crate::command_line::{webhooks, webhooks_text};
use crate::failed_events::failed_event;
use crate::fixture::{ARRIVAL, Fixture, POLL_INTERVAL};
use crate::logs::log_lines;

async fn status<T>(call: Call<'_, T>) -> Result<StatusCode> {
    Ok(call.answer().await?.status)
}

fn body(answer: &Answered) -> Result<Value> {
    Ok(serde_json::from_slice(&answer.body)?)
}

/// The file of the page docs/event-types.md.
const DOCUMENTED: &str = include_str!("../../events/event-types.json");

#[tokio::test]
async fn an_event_type_is_put_read_and_deleted_in_the_version_that_was_read() -> Result<()> {
    let test = Fixture::new("event-type").await?;
    let api = &test.api;
    // A space is a part of many a detail-type.
    let name = format!("{} Order Created", test.customer);
    assert_eq!(status(api.event_type(&name)).await?, StatusCode::NOT_FOUND);
    let schema = r#"{"type": "object", "properties": {"total": {"maximum": 0.10}}}"#;
    let fields: Value = serde_json::from_str(schema)?;
    let fields = json!({"description": "An order.", "group": "orders", "schema": fields,
        "examples": [{"total": 1}], "deprecated": {"replacedBy": "order.v2"}});
    let early = api.put_event_type(&name, &fields).if_match(1);
    assert_eq!(status(early).await?, StatusCode::PRECONDITION_FAILED);
    let put = api.put_event_type(&name, &fields).answer().await?;
    assert_eq!(
        (put.status, put.header("etag")),
        (StatusCode::CREATED, "\"1\"")
    );
    let shown = api.event_type(&name).answer().await?;
    assert_eq!(shown.header("etag"), "\"1\"");
    let shown = body(&shown)?;
    assert_eq!(shown["name"], json!(name));
    for (field, value) in fields.as_object().context("fields")? {
        assert_eq!(&shown[field], value, "{field}");
    }
    let same = api.put_event_type(&name, &fields).answer().await?;
    assert_eq!(
        (same.status, same.header("etag")),
        (StatusCode::OK, "\"1\"")
    );

    let bare = api.put_event_type(&name, &json!({})).if_match(1).answer();
    let bare: EventType = bare.await?.read()?;
    assert_eq!((bare.version, bare.examples.len()), (2, 0));
    assert!(bare.description.is_none() && bare.schema.is_none() && bare.deprecated.is_none());
    let own = json!({"deprecated": {"replacedBy": name}});
    let own = api.put_event_type(&name, &own).answer().await?;
    let problem = own.problem().context("a problem")?;
    assert_eq!(
        (problem.status, problem.field.as_deref()),
        (422, Some("deprecated"))
    );

    let stale = status(api.delete_event_type(&name).if_match(1)).await?;
    assert_eq!(stale, StatusCode::PRECONDITION_FAILED);
    let deleted = status(api.delete_event_type(&name).if_match(2)).await?;
    assert_eq!(deleted, StatusCode::NO_CONTENT);
    let again = status(api.delete_event_type(&name)).await?;
    assert_eq!(again, StatusCode::NOT_FOUND);
    // A type that validates is in the list of those too, which has a partition of its own.
    let validates = json!({"schema": {}, "validation": "warn"});
    api.put_event_type(&name, &validates).await?;
    let deleted = status(api.delete_event_type(&name)).await?;
    assert_eq!(deleted, StatusCode::NO_CONTENT);
    Ok(())
}

#[tokio::test]
async fn event_types_are_listed_by_name_without_schemas_and_examples() -> Result<()> {
    let test = Fixture::new("event-type-list").await?;
    let api = &test.api;
    let names = ["c", "a", "b"].map(|name| format!("{}.{name}", test.customer));
    for name in &names {
        let fields = json!({"group": "g", "schema": {}, "examples": [{}]});
        api.put_event_type(name, &fields).await?;
    }
    // Other tests have types in the same stack.
    let mut listed = Vec::new();
    let mut query = EventTypesQuery {
        limit: Some(ListLimit::up_to(2)),
        cursor: None,
    };
    loop {
        let page = body(&api.event_types(&query).answer().await?)?;
        let rows = page["data"].as_array().context("rows")?;
        assert!(rows.len() <= 2);
        listed.extend(rows.iter().cloned());
        query.cursor = page["nextCursor"].as_str().map(str::to_owned);
        if query.cursor.is_none() {
            break;
        }
    }
    let found = listed
        .iter()
        .map(|row| row["name"].as_str().unwrap_or_default());
    let found: Vec<_> = found
        .filter(|name| name.starts_with(&test.customer))
        .collect();
    assert_eq!(found, [&names[1], &names[2], &names[0]]);
    let row = listed.iter().find(|row| row["name"] == *names[0]);
    assert_eq!(
        row,
        Some(&json!({"name": names[0], "group": "g", "version": 1}))
    );
    Ok(())
}

#[tokio::test]
async fn a_test_sends_the_example_of_its_type_unchanged() -> Result<()> {
    let test = Fixture::new("event-type-test").await?;
    let api = &test.api;
    let name = format!("{}.created", test.customer);
    let example: Value = json!({"total": 120, "first": true});
    let fields = json!({"examples": [example, {"total": 7}]});
    api.put_event_type(&name, &fields).await?;
    let created = test.subscribe("/a").await?;
    let id = created.subscription.id.as_str();
    for (event_type, expected) in [(name.as_str(), Some(&example)), ("none/such", None)] {
        let sent = api.test_subscription(&test.customer, id, Some(event_type));
        sent.await?;
        let requests = test.receiver.requests_to("/a");
        let request = requests.last().context("sent at once")?;
        request.verify(&created.secret)?;
        let body: Value = serde_json::from_slice(&request.body)?;
        assert_eq!(body["type"], event_type);
        match expected {
            Some(example) => assert_eq!(&body["data"], example),
            None => assert_eq!(body["data"]["customerId"], json!(test.customer)),
        }
    }
    Ok(())
}

/// A schema that the events of these tests break or match.
fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"lines": {"type": "array", "items": {"$ref": "#/$defs/line"}}},
        "$defs": {"line": {"properties": {"sku": {"type": "string", "pattern": "^sku_"}}}},
    })
}

/// Runs the workflow with an event until it ends as wanted. A change of an event type applies after a
/// moment.
async fn runs_until(test: &Fixture, event: &Value, error: Option<&str>) -> Result<String> {
    let deadline = Instant::now() + ARRIVAL;
    loop {
        let execution = test.run_workflow(event).await?;
        if execution.event_error.as_deref() == error {
            return Ok(execution.arn);
        }
        ensure!(Instant::now() < deadline, "{error:?}: {execution:?}");
        sleep(POLL_INTERVAL).await;
    }
}

#[tokio::test]
async fn an_event_that_breaks_the_schema_of_its_type_is_kept_with_the_place_and_no_value()
-> Result<()> {
    let test = Fixture::new("event-type-refuse").await?;
    let name = format!("{}.created", test.customer);
    let fields = json!({"schema": schema(), "validation": "refuse"});
    test.api.put_event_type(&name, &fields).await?;
    let created = test
        .subscribe_with("/a", json!({"eventTypes": [name]}))
        .await?;
    let lines = |sku: &str| json!({"lines": [{"sku": "sku_1"}, {"sku": sku}]});
    let bad = test.envelope("bad", &name, lines("SECRET-4242"));
    let arn = runs_until(&test, &bad, Some("SchemaViolation")).await?;
    let kept = failed_event(&test.stack, |kept| {
        kept.attributes.get("execution") == Some(&arn)
    });
    let kept = kept.await?;
    assert_eq!(kept.attributes["error"], "SchemaViolation");
    let cause = &kept.attributes["cause"];
    for part in ["/detail/lines/1/sku", "/$defs/line/properties/sku/pattern"] {
        assert!(cause.contains(part), "{cause}");
    }
    assert!(!cause.contains("4242"), "{cause}");
    assert_eq!(serde_json::from_str::<Value>(&kept.body)?, bad);

    let good = test.envelope("good", &name, lines("sku_2"));
    runs_until(&test, &good, None).await?;
    let request = test.requests("/a", 1).await?;
    request[0].verify(&created.secret)?;

    // After the schema has changed, the kept event can be sent again.
    let fields = json!({"schema": {"type": "object"}, "validation": "refuse"});
    test.api.put_event_type(&name, &fields).await?;
    let again: Value = serde_json::from_str(&kept.body)?;
    runs_until(&test, &again, None).await?;
    test.requests("/a", 2).await?;
    Ok(())
}

#[tokio::test]
async fn an_event_that_breaks_a_schema_that_warns_is_delivered_and_leaves_a_log_line() -> Result<()>
{
    let test = Fixture::new("event-type-warn").await?;
    let name = format!("{}.created", test.customer);
    test.subscribe_with("/a", json!({"eventTypes": [name]}))
        .await?;
    let fields = json!({"schema": schema(), "validation": "warn"});
    test.api.put_event_type(&name, &fields).await?;
    let deadline = Instant::now() + ARRIVAL;
    for number in 0.. {
        let detail = json!({"lines": [{"sku": "SECRET-4242"}]});
        let event = test.envelope(&format!("e{number}"), &name, detail);
        runs_until(&test, &event, None).await?;
        let lines = log_lines(&test.stack, test.began_at_millis).await?;
        let line = lines.iter().find(|line| {
            line.contains(&name) && line.contains("/detail/lines/0/sku") && line.contains("msg_")
        });
        if let Some(line) = line {
            assert!(
                line.contains("/$defs/line/properties/sku/pattern"),
                "{line}"
            );
            assert!(!line.contains("4242"), "{line}");
            break;
        }
        ensure!(Instant::now() < deadline, "no line");
        sleep(POLL_INTERVAL).await;
    }
    test.requests("/a", 1).await?;
    Ok(())
}

#[tokio::test]
async fn a_subscription_to_an_unknown_type_gets_a_warning_with_the_nearest() -> Result<()> {
    let test = Fixture::new("event-type-unknown").await?;
    let name = format!("{}.created", test.customer);
    test.api.put_event_type(&name, &json!({})).await?;
    let wrong = format!("{}.craeted", test.customer);
    let fields = json!({"url": test.receiver.url("/a"), "eventTypes": [wrong, name, "*"]});
    let created = test
        .api
        .create_subscription(&test.customer, &fields)
        .await?;
    let created = created.subscription;
    let [warning] = &created.warnings[..] else {
        bail!("{:?}", created.warnings);
    };
    assert_eq!(warning.field, "eventTypes");
    assert_eq!(warning.value, wrong);
    assert_eq!(warning.nearest.as_deref(), Some(&*name));
    let shown = test.api.subscription(&test.customer, &created.id).await?;
    let shown = serde_json::to_value(&shown)?;
    assert!(shown.get("warnings").is_none(), "{shown}");
    let update = ["subscriptions", "update", &test.customer, &created.id];
    let prefix = format!("{}.*", test.customer);
    let other = format!("{}x.*", test.customer);
    let types = ["--event-type", &prefix, "--event-type", &other];
    let (_, printed) = webhooks_text(&[&update[..], &types[..]].concat()).await?;
    assert!(
        printed.contains(&format!("`{other}` matches no type")),
        "{printed}"
    );
    assert!(
        printed.contains(&format!("the nearest is `{prefix}`")),
        "{printed}"
    );
    Ok(())
}

#[tokio::test]
async fn a_transform_is_tried_on_the_example_of_a_type() -> Result<()> {
    let test = Fixture::new("event-type-trial").await?;
    let name = format!("{}.created", test.customer);
    let fields = json!({"examples": [{"total": 120}, {"total": 7}]});
    test.api.put_event_type(&name, &fields).await?;
    let transform = r#"{"paths": {"t": "$.detail.total"}, "template": "{\"total\": <t>}"}"#;
    let path = file(&test, "transform.json", transform)?;
    let path = path.to_str().context("a path")?;
    let line = ["transforms", "test", path, "--example", &name];
    let (_, made) = webhooks_text(&line).await?;
    assert_eq!(made.trim(), r#"{"total": 120}"#);
    let unknown = TransformTest {
        transform: serde_json::from_str(transform)?,
        content_type: None,
        event: None,
        example: Some(format!("{name}.v2")),
    };
    let refused = test.api.test_transform(&unknown).answer().await?;
    let problem = refused.problem().context("a problem")?;
    assert_eq!(
        (problem.status, problem.field.as_deref()),
        (422, Some("example"))
    );
    std::fs::remove_file(path)?;
    Ok(())
}

#[tokio::test]
async fn types_are_imported_from_yaml() -> Result<()> {
    let test = Fixture::new("event-type-yaml").await?;
    let name = format!("{}.created", test.customer);
    let yaml = "\
openapi: 3.1.0
info: {title: Shop, version: 1.0.0}
webhooks:
  order.created:
    post:
      description: A customer has placed an order.
      x-validation: warn
      requestBody:
        content:
          application/json:
            schema: {type: object, properties: {total: {maximum: 1000}}}
      responses:
        200: {description: ok}
";
    let path = file(&test, "openapi.yaml", yaml)?;
    let path = path.to_str().context("a path")?;
    for unchanged in [json!([]), json!([name])] {
        let line = ["event-types", "import", path, "--yes"];
        let (_, done) = webhooks(&line).await?;
        assert_eq!(done["unchanged"], unchanged, "{done}");
    }
    let shown = body(&test.api.event_type(&name).answer().await?)?;
    assert_eq!(shown["validation"], "warn");
    let schema = json!({"type": "object", "properties": {"total": {"maximum": 1000}}});
    assert_eq!(shown["schema"], schema);
    std::fs::remove_file(path)?;
    Ok(())
}

/// A file in the temporary folder, with the names of this test instead of the documented ones.
fn file(test: &Fixture, name: &str, content: &str) -> Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("{}-{name}", test.customer));
    std::fs::write(
        &path,
        content.replace("order.", &format!("{}.", test.customer)),
    )?;
    Ok(path)
}

#[tokio::test]
async fn the_documented_file_is_imported_exported_and_imported_again() -> Result<()> {
    let test = Fixture::new("event-type-import").await?;
    let created = format!("{}.created", test.customer);
    let old = format!("{}.placed", test.customer);
    let plain = file(&test, "types.json", DOCUMENTED)?;
    let path = plain.to_str().context("a path")?;
    let import = |file: &str, more: &'static [&'static str]| {
        let line = ["event-types", "import"].map(str::to_owned).into_iter();
        line.chain([file.to_owned()])
            .chain(more.iter().map(|&option| option.to_owned()))
            .collect::<Vec<_>>()
    };
    let run = async |line: Vec<String>| {
        let line: Vec<_> = line.iter().map(String::as_str).collect();
        webhooks(&line).await
    };
    let (_, planned) = run(import(path, &["--dry-run"])).await?;
    assert_eq!(planned["added"], json!([created, old]), "{planned}");
    let absent = status(test.api.event_type(&created)).await?;
    assert_eq!(absent, StatusCode::NOT_FOUND, "a dry run changes nothing");
    let (outcome, done) = run(import(path, &["--yes"])).await?;
    assert_eq!(outcome, Outcome::Complete);
    assert_eq!(done["added"], json!([created, old]));
    let (_, again) = run(import(path, &["--yes"])).await?;
    assert_eq!(
        (&again["added"], &again["changed"]),
        (&json!([]), &json!([]))
    );
    assert_eq!(again["unchanged"], json!([created, old]));

    // Both forms lead back to the same catalogue.
    for openapi in [false, true] {
        let mut line = vec!["event-types", "export"];
        line.extend(openapi.then_some("--openapi"));
        let (_, exported) = webhooks_text(&line).await?;
        let exported: Value = serde_json::from_str(&exported)?;
        let own = |all: &Value| {
            let all = all.as_object().cloned().unwrap_or_default();
            let own = all
                .into_iter()
                .filter(|(name, _)| [&created, &old].contains(&name));
            Value::Object(own.collect())
        };
        let (section, name) = if openapi {
            ("webhooks", "openapi.json")
        } else {
            ("eventTypes", "plain.json")
        };
        let content = json!({section: own(&exported[section])}).to_string();
        let back = file(&test, name, &content)?;
        let line = import(back.to_str().context("a path")?, &["--yes"]);
        let (_, same) = run(line).await?;
        assert_eq!(same["unchanged"], json!([created, old]), "{content} {same}");
        std::fs::remove_file(back)?;
    }

    let changed = DOCUMENTED.replace("has placed", "has sent");
    let changed = file(&test, "types.json", &changed)?;
    let (_, planned) = run(import(changed.to_str().context("a path")?, &["--dry-run"])).await?;
    let expected = json!([{"name": created, "fields": ["description"]}]);
    assert_eq!(planned["changed"], expected);
    std::fs::remove_file(plain)?;

    let (_, shown) = webhooks_text(&["event-types", "show", &old]).await?;
    assert!(shown.contains(&created), "its replacement: {shown}");
    let (_, list) = webhooks_text(&["event-types", "list", "--all"]).await?;
    assert!(list.contains(&created), "{list}");
    for name in [&created, &old] {
        webhooks_text(&["event-types", "delete", name, "--yes"]).await?;
    }
    let gone = status(test.api.event_type(&created)).await?;
    assert_eq!(gone, StatusCode::NOT_FOUND);
    Ok(())
}
