//! Retry policies of subscriptions.

use serde::{Deserialize, Serialize};

use crate::WholeNumber;

/// The seconds before each attempt, or an exponential backoff in the words of Step Functions'
/// `Retry`. The first attempt is made at once. The waits, jitter at its longest included, may
/// not sum to more than the stack keeps a delivery.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, try_from = "Fields")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RetryPolicy {
    /// The seconds before each attempt.
    Schedule(RetrySchedule),
    /// An exponential backoff.
    Backoff(RetryBackoff),
}

/// The seconds before each attempt.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"schedule": [0, 60, 3600], "jitter": 0.1})))]
pub struct RetrySchedule {
    /// Seconds, each 0 to 604,800; the first is 0.
    #[cfg_attr(feature = "openapi", schema(min_items = 1, max_items = 50))]
    pub schedule: Vec<u32>,
    /// The share of a delay that may be added to it, at random.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1, default = 0.1))]
    pub jitter: Option<f64>,
}

/// An exponential backoff.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(example = json!({"maxAttempts": 5, "intervalSeconds": 60, "backoffRate": 2, "maxDelaySeconds": 3600})))]
pub struct RetryBackoff {
    /// The first attempt included.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 50))]
    pub max_attempts: u32,
    /// Before the second attempt.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 604_800))]
    pub interval_seconds: u32,
    /// By which each further wait grows.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 10))]
    pub backoff_rate: f64,
    /// The longest wait.
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 604_800))]
    pub max_delay_seconds: u32,
    /// The share of a delay that may be added to it, at random.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 0, maximum = 1, default = 0.1))]
    pub jitter: Option<f64>,
}

/// The fields of both forms, so that an error names the one that is wrong.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fields {
    schedule: Option<Vec<WholeNumber>>,
    max_attempts: Option<WholeNumber>,
    interval_seconds: Option<WholeNumber>,
    backoff_rate: Option<f64>,
    max_delay_seconds: Option<WholeNumber>,
    jitter: Option<f64>,
}

impl TryFrom<Fields> for RetryPolicy {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        let Fields {
            schedule,
            max_attempts,
            interval_seconds,
            backoff_rate,
            max_delay_seconds,
            jitter,
        } = fields;
        let is_backoff = max_attempts.is_some()
            || interval_seconds.is_some()
            || backoff_rate.is_some()
            || max_delay_seconds.is_some();
        match schedule {
            Some(_) if is_backoff => Err(
                "schedule: must stand alone, without maxAttempts and the other fields of a backoff"
                    .to_owned(),
            ),
            Some(delays) => Ok(Self::Schedule(RetrySchedule {
                schedule: delays.into_iter().map(|delay| delay.0).collect(),
                jitter,
            })),
            None => Ok(Self::Backoff(RetryBackoff {
                max_attempts: required("maxAttempts", max_attempts)?.0,
                interval_seconds: required("intervalSeconds", interval_seconds)?.0,
                backoff_rate: required("backoffRate", backoff_rate)?,
                max_delay_seconds: required("maxDelaySeconds", max_delay_seconds)?.0,
                jitter,
            })),
        }
    }
}

fn required<T>(name: &str, value: Option<T>) -> Result<T, String> {
    value.ok_or_else(|| format!("{name}: is required, as there is no schedule"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_written() {
        for json in [
            r#"{"schedule":[0,5,300],"jitter":0.1}"#,
            r#"{"maxAttempts":5,"intervalSeconds":10,"backoffRate":2.5,"maxDelaySeconds":600}"#,
        ] {
            let policy: RetryPolicy = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&policy).unwrap(), json);
        }
    }

    #[test]
    fn a_policy_of_neither_form_is_refused_with_the_fields_name() {
        for (json, words) in [
            ("{}", "maxAttempts: is required"),
            (
                r#"{"maxAttempts":5,"intervalSeconds":10,"backoffRate":2}"#,
                "maxDelaySeconds: is required",
            ),
            (
                r#"{"schedule":[0],"maxAttempts":1}"#,
                "schedule: must stand alone",
            ),
            (r#"{"schedule":[0,-1]}"#, "0 or more"),
            (r#"{"attempts":5}"#, "unknown field `attempts`"),
        ] {
            let error = serde_json::from_str::<RetryPolicy>(json).unwrap_err();
            assert!(error.to_string().contains(words), "{json}: {error}");
        }
    }
}
