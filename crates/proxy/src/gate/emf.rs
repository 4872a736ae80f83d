//! Log lines in `CloudWatch`'s embedded metric format.

use std::collections::HashSet;

use serde_json::Value;

use super::violation::{Violation, over};

/// The largest log event, and so the largest line.
const LINE_BYTES: usize = 1_048_576;
/// The most metrics in a directive, and the most values of a metric.
const METRICS: usize = 100;
const VALUES: usize = 100;
/// The most dimensions in a set.
const DIMENSIONS: usize = 30;
const NAME_CHARACTERS: usize = 1_024;
const NAMESPACE_CHARACTERS: usize = 255;

const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

/// Returns the reason why `CloudWatch` would extract no metric from a line, or not all of them.
/// Returns `None` for a line without metrics.
pub(super) fn fault(line: &str) -> Option<Violation> {
    // Most lines contain no metrics, so they are not parsed.
    if !line.contains("\"_aws\"") {
        return None;
    }
    let Ok(line_as_json) = serde_json::from_str::<Value>(line) else {
        return Some(Violation::new("_aws", "a line that is not JSON"));
    };
    let aws = line_as_json.get("_aws")?;
    if line.len() > LINE_BYTES {
        return Some(Violation::new("", over(line.len(), LINE_BYTES, "bytes")));
    }
    if aws["Timestamp"].as_u64().is_none() {
        return Some(Violation::new("_aws.Timestamp", "no milliseconds"));
    }
    let Some(directives) = aws["CloudWatchMetrics"].as_array() else {
        return Some(Violation::new("_aws.CloudWatchMetrics", "no list"));
    };
    directives
        .iter()
        .enumerate()
        .find_map(|(index, directive)| {
            let path = format!("_aws.CloudWatchMetrics[{index}]");
            directive_fault(directive, &line_as_json, &path)
        })
}

fn directive_fault(directive: &Value, line: &Value, path: &str) -> Option<Violation> {
    let fault =
        |member: &str, reason: String| Some(Violation::new(format!("{path}.{member}"), reason));
    if !is_name(&directive["Namespace"], NAMESPACE_CHARACTERS) {
        return fault(
            "Namespace",
            format!("not 1 to {NAMESPACE_CHARACTERS} characters"),
        );
    }
    let (Some(sets), Some(metrics)) = (
        directive["Dimensions"].as_array(),
        directive["Metrics"].as_array(),
    ) else {
        return fault(
            "Metrics",
            "lists of dimensions and metrics are missing".to_owned(),
        );
    };
    if metrics.len() > METRICS {
        return fault("Metrics", over(metrics.len(), METRICS, "metrics"));
    }
    for (index, set) in sets.iter().enumerate() {
        let member = format!("Dimensions[{index}]");
        let names = set.as_array().map_or(&[][..], Vec::as_slice);
        if names.len() > DIMENSIONS {
            return fault(&member, over(names.len(), DIMENSIONS, "dimensions"));
        }
        let has_value = |name: &&Value| {
            is_name(name, NAME_CHARACTERS)
                && is_name(&line[name.as_str().unwrap_or_default()], NAME_CHARACTERS)
        };
        if !names.iter().all(|name| has_value(&name)) {
            return fault(
                &member,
                "a dimension without a text for its value".to_owned(),
            );
        }
    }
    let mut seen = HashSet::new();
    for (index, metric) in metrics.iter().enumerate() {
        let member = format!("Metrics[{index}]");
        let name = metric["Name"].as_str().unwrap_or_default();
        if !is_name(&metric["Name"], NAME_CHARACTERS) || !seen.insert(name) {
            return fault(
                &member,
                "a name that is invalid, too long or repeated".to_owned(),
            );
        }
        if metric
            .get("Unit")
            .is_some_and(|unit| !UNITS.iter().any(|one| unit == one))
        {
            return fault(&member, "not a unit of CloudWatch".to_owned());
        }
        if metric
            .get("StorageResolution")
            .is_some_and(|r| *r != 1 && *r != 60)
        {
            return fault(
                &member,
                "a resolution that is neither 1 nor 60 s".to_owned(),
            );
        }
        let has_values = match &line[name] {
            Value::Number(_) => true,
            Value::Array(all) => {
                (1..=VALUES).contains(&all.len()) && all.iter().all(Value::is_number)
            }
            _ => false,
        };
        if !has_values {
            return fault(&member, format!("not 1 to {VALUES} numbers"));
        }
    }
    None
}

fn is_name(value: &Value, most: usize) -> bool {
    let text = value.as_str().unwrap_or_default();
    !text.trim().is_empty() && text.chars().count() <= most
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line() -> Value {
        json!({
            "_aws": {"Timestamp": 1_700_000_000_000_u64, "CloudWatchMetrics": [{
                "Namespace": "Webhooks", "Dimensions": [["FunctionName"], []],
                "Metrics": [{"Name": "A", "Unit": "Count"}, {"Name": "B", "StorageResolution": 1}],
            }]},
            "FunctionName": "deliver", "A": [1, 2], "B": 0.5,
        })
    }

    #[test]
    fn lines_as_the_format_has_them_have_no_fault() {
        assert_eq!(fault(&line().to_string()), None);
        assert_eq!(fault("START RequestId: 1"), None);
        assert_eq!(fault(r#"{"level":"INFO"}"#), None);
    }

    #[test]
    fn each_bound_of_the_format_is_held() {
        let many: Vec<_> = (0..101).map(|n| json!({"Name": format!("m{n}")})).collect();
        let changes: [(&str, Value, &str); 12] = [
            (
                "/A",
                json!(vec![1; 101]),
                "Metrics[0]: not 1 to 100 numbers",
            ),
            ("/A", json!([]), "Metrics[0]: not 1 to 100 numbers"),
            ("/B", json!("text"), "Metrics[1]: not 1 to 100 numbers"),
            (
                "/FunctionName",
                json!(7),
                "Dimensions[0]: a dimension without",
            ),
            (
                "/FunctionName",
                json!("x".repeat(1_025)),
                "Dimensions[0]: a dimension without",
            ),
            (
                "/_aws/Timestamp",
                json!("now"),
                "Timestamp: no milliseconds",
            ),
            (
                "/_aws/CloudWatchMetrics/0/Namespace",
                json!(""),
                "Namespace: not 1 to 255",
            ),
            (
                "/_aws/CloudWatchMetrics/0/Metrics",
                json!(many),
                "Metrics: 101 is over 100",
            ),
            (
                "/_aws/CloudWatchMetrics/0/Metrics/0/Unit",
                json!("Apples"),
                "not a unit",
            ),
            (
                "/_aws/CloudWatchMetrics/0/Metrics/0/Name",
                json!("B"),
                "repeated",
            ),
            (
                "/_aws/CloudWatchMetrics/0/Metrics/1/StorageResolution",
                json!(5),
                "neither 1 nor 60",
            ),
            (
                "/_aws/CloudWatchMetrics/0/Dimensions/0",
                json!(vec!["FunctionName"; 31]),
                "31 is over 30",
            ),
        ];
        for (place, value, expected) in changes {
            let mut line = line();
            *line.pointer_mut(place).unwrap() = value;
            let found = fault(&line.to_string()).map_or_else(String::new, |v| v.to_string());
            assert!(found.contains(expected), "{place}: {found}");
        }
        let mut long = line();
        long["text"] = json!("x".repeat(LINE_BYTES));
        assert!(fault(&long.to_string()).is_some());
        assert!(fault(r#"{"_aws": "#).is_some());
    }
}
