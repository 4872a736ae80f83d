//! AWS KMS, whose model has the sizes.

use super::Rule;
use crate::gate::violation::Violation;

pub(super) const RULES: &[Rule] = &[Rule {
    name: "one way to say how long a data key is",
    source: "https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKey.html",
    service: "kms",
    operations: &["GenerateDataKey"],
    check: |input| {
        let is_given = |name: &str| input.value.get(name).is_some_and(|value| !value.is_null());
        (is_given("KeySpec") == is_given("NumberOfBytes"))
            .then(|| Violation::new("KeySpec", "either it or NumberOfBytes, and not both"))
    },
}];
