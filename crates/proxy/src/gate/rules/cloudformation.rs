//! AWS `CloudFormation`.

use super::{Rule, elements, text};
use crate::gate::violation::{Violation, over};

const TEMPLATE_BYTES: usize = 51_200;
const PARAMETERS: usize = 200;
const VALUE_BYTES: usize = 4_096;

pub(super) const RULES: &[Rule] = &[Rule {
    name: "template in the request, and its parameters",
    source: "https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html",
    service: "cloudformation",
    operations: &["CreateChangeSet"],
    check: |input| {
        let template = text(input.value, "TemplateBody").map_or(0, str::len);
        if template > TEMPLATE_BYTES {
            let reason = over(template, TEMPLATE_BYTES, "bytes");
            return Some(Violation::new("TemplateBody", reason));
        }
        let parameters = elements(input.value, "Parameters");
        if parameters.len() > PARAMETERS {
            let reason = over(parameters.len(), PARAMETERS, "parameters");
            return Some(Violation::new("Parameters", reason));
        }
        parameters
            .iter()
            .enumerate()
            .find_map(|(index, parameter)| {
                let bytes = text(parameter, "ParameterValue").map_or(0, str::len);
                (bytes > VALUE_BYTES).then(|| {
                    let member = format!("Parameters[{index}].ParameterValue");
                    Violation::new(member, over(bytes, VALUE_BYTES, "bytes"))
                })
            })
    },
}];
