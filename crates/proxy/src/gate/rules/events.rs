//! Amazon `EventBridge`.

use serde_json::Value;

use super::{Rule, elements, is_json, text};
use crate::gate::violation::{Violation, over};

/// The total size of the entries must be less than this.
const TOTAL_BYTES: usize = 1_048_576;
const DETAIL_TYPE_CHARACTERS: usize = 128;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "entries of less than 1 MB together",
        source: "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html",
        service: "events",
        operations: &["PutEvents"],
        check: |input| {
            let entries = elements(input.value, "Entries");
            let bytes = entries.iter().map(entry_bytes).sum::<usize>();
            (bytes >= TOTAL_BYTES).then(|| {
                let reason = format!("{bytes} is not less than {TOTAL_BYTES} bytes together");
                Violation::new("Entries", reason)
            })
        },
    },
    Rule {
        name: "source, detail type and detail of an entry",
        source: "https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEventsRequestEntry.html",
        service: "events",
        operations: &["PutEvents"],
        check: |input| {
            let mut all = elements(input.value, "Entries").iter().enumerate();
            all.find_map(|(index, entry)| {
                let fault = |name: &str, reason: &str| {
                    Violation::new(format!("Entries[{index}].{name}"), reason)
                        .with_code("InvalidArgument")
                };
                let missing = ["Source", "DetailType", "Detail"]
                    .into_iter()
                    .find(|name| text(entry, name).is_none_or(str::is_empty));
                if let Some(name) = missing {
                    return Some(fault(name, "required but missing"));
                }
                if text(entry, "Source")?
                    .to_ascii_lowercase()
                    .starts_with("aws.")
                {
                    return Some(fault("Source", "begins with a prefix reserved for AWS"));
                }
                let characters = text(entry, "DetailType")?.chars().count();
                if characters > DETAIL_TYPE_CHARACTERS {
                    let reason = over(characters, DETAIL_TYPE_CHARACTERS, "characters");
                    return Some(fault("DetailType", &reason));
                }
                let detail = text(entry, "Detail")?;
                let is_object = detail.trim_ascii_start().starts_with('{') && is_json(detail);
                (!is_object).then(|| fault("Detail", "no JSON object").with_code("MalformedDetail"))
            })
        },
    },
];

/// Returns the size of an entry by AWS's rules
/// (<https://docs.aws.amazon.com/eventbridge/latest/userguide/calculate-putevents-entry-size.html>).
fn entry_bytes(entry: &Value) -> usize {
    const TIME: usize = 14;
    let time = entry.get("Time").map_or(0, |_| TIME);
    let texts =
        ["Source", "DetailType", "Detail"].map(|name| text(entry, name).map_or(0, str::len));
    let resources = elements(entry, "Resources")
        .iter()
        .filter_map(Value::as_str);
    time + texts.iter().sum::<usize>() + resources.map(str::len).sum::<usize>()
}
