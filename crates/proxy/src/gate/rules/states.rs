//! AWS Step Functions.

use super::{Rule, is_json, text};
use crate::gate::violation::{Violation, over};

/// The largest input of an execution, and the largest output of a state.
pub(crate) const DATA_BYTES: usize = 262_144;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "input of 262,144 bytes",
        source: "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html",
        service: "stepfunctions",
        operations: &["StartExecution"],
        check: |input| {
            let given = text(input.value, "input")?;
            if given.len() > DATA_BYTES {
                let reason = over(given.len(), DATA_BYTES, "bytes");
                return Some(Violation::new("input", reason).with_code("InvalidExecutionInput"));
            }
            (!is_json(given))
                .then(|| Violation::new("input", "no JSON").with_code("InvalidExecutionInput"))
        },
    },
    Rule {
        name: "name of an execution",
        source: "https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html",
        service: "stepfunctions",
        operations: &["StartExecution"],
        check: |input| {
            let name = text(input.value, "name")?;
            let refused = name.chars().find(|c| !is_allowed(*c))?;
            let reason = format!("has the character U+{:04X}", u32::from(refused));
            Some(Violation::new("name", reason).with_code("InvalidName"))
        },
    },
];

fn is_allowed(character: char) -> bool {
    !character.is_whitespace()
        && !character.is_control()
        && !"<>{}[]?*\"#%\\^|~`$&,;:/".contains(character)
        && !matches!(character, '\u{FFFE}' | '\u{FFFF}' | '\u{10FFFF}')
}
