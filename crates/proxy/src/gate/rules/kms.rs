//! AWS KMS. Its model contains the sizes.

use super::Rule;
use crate::gate::violation::Violation;

pub(super) const RULES: &[Rule] = &[Rule {
    name: "exactly one length of a data key",
    source: "https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKey.html",
    service: "kms",
    operations: &["GenerateDataKey"],
    check: |input| {
        let is_given = |name: &str| input.value.get(name).is_some_and(|value| !value.is_null());
        (is_given("KeySpec") == is_given("NumberOfBytes")).then(|| {
            Violation::new(
                "KeySpec",
                "exactly one of KeySpec and NumberOfBytes is required",
            )
        })
    },
}];
