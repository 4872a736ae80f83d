//! Samples for the check of signatures.

use maud::{Markup, html};
use webhooks_api_types::{SecretKind, Subscription};

use crate::delivery::text;

/// A program that checks signatures.
struct Sample {
    name: &'static str,
    /// The command that installs its library.
    install: &'static str,
    code: &'static str,
}

/// With `whsec_…`.
const V1: [Sample; 3] = [
    Sample {
        name: "Python",
        install: "pip install standardwebhooks",
        code: include_str!("../../assets/samples/v1.py"),
    },
    Sample {
        name: "JavaScript, TypeScript",
        install: "npm install standardwebhooks",
        code: include_str!("../../assets/samples/v1.mjs"),
    },
    Sample {
        name: "Rust",
        install: "cargo add standardwebhooks http serde_json",
        code: include_str!("../../assets/samples/v1.rust"),
    },
];

/// With `whpk_…`.
const V1A: [Sample; 1] = [Sample {
    name: "Python",
    install: "pip install cryptography",
    code: include_str!("../../assets/samples/v1a.py"),
}];

/// The samples for the kind of the current secret.
pub(super) fn section(subscription: &Subscription) -> Markup {
    let kind = subscription.secrets.first().map(|secret| secret.kind);
    let samples: &[Sample] = match kind {
        Some(SecretKind::V1a) => &V1A,
        Some(SecretKind::V1) | None => &V1,
    };
    html! {
        section aria-labelledby="verify" {
            h2 #verify { "Check the signature" }
            p {
                "Each request has the headers " code { "webhook-id" } ", "
                code { "webhook-timestamp" } " and " code { "webhook-signature" }
                ", as in the specification Standard Webhooks. Check the raw bytes of the body \
                 before you parse it. Answer 401 if no signature is valid."
            }
            @for sample in samples {
                details {
                    summary { (sample.name) }
                    p { code { (sample.install) } }
                    (text(sample.code))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_samples_are_those_of_the_docs() {
        let docs = include_str!("../../../../docs/receivers.md");
        for sample in V1.iter().chain(&V1A) {
            assert!(docs.contains(sample.code), "{}", sample.install);
            assert!(docs.contains(&format!("`{}`", sample.install)));
        }
    }
}
