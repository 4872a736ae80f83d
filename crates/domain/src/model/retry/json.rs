//! The JSON form of a retry policy.

use crate::retry::{RetryPolicy, RetryPolicyError, Waits};

/// The JSON fields of a retry policy.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RetryPolicyFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<Vec<u32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backoff_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_delay_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jitter: Option<f64>,
}

impl RetryPolicyFields {
    /// Replaces each number beyond a current limit by that limit.
    fn within_bounds(self) -> Self {
        let within = |least, most| move |given: u32| given.clamp(least, most);
        let seconds = |least| within(least, RetryPolicy::MAX_DELAY_SECONDS);
        let schedule = self.schedule.map(|mut delays| {
            delays.truncate(RetryPolicy::MAX_ATTEMPTS as usize);
            for delay in &mut delays {
                *delay = seconds(0)(*delay);
            }
            if let Some(first) = delays.first_mut() {
                *first = 0;
            }
            delays
        });
        Self {
            schedule,
            max_attempts: self.max_attempts.map(within(1, RetryPolicy::MAX_ATTEMPTS)),
            interval_seconds: self.interval_seconds.map(seconds(1)),
            backoff_rate: self
                .backoff_rate
                .map(|rate| rate.clamp(1.0, RetryPolicy::MAX_BACKOFF_RATE)),
            max_delay_seconds: self.max_delay_seconds.map(seconds(1)),
            jitter: self.jitter.map(|jitter| jitter.clamp(0.0, 1.0)),
        }
    }
}

impl RetryPolicy {
    /// A stored policy. A number beyond a current limit counts as the limit.
    ///
    /// # Errors
    /// If it has neither form.
    pub fn from_stored(fields: RetryPolicyFields) -> Result<Self, RetryPolicyError> {
        fields.within_bounds().try_into()
    }
}

impl TryFrom<RetryPolicyFields> for RetryPolicy {
    type Error = RetryPolicyError;

    fn try_from(fields: RetryPolicyFields) -> Result<Self, RetryPolicyError> {
        let RetryPolicyFields {
            schedule,
            max_attempts,
            interval_seconds,
            backoff_rate,
            max_delay_seconds,
            jitter,
        } = fields;
        let required = |field| RetryPolicyError::Missing { field };
        let policy = match (
            schedule,
            max_attempts,
            interval_seconds,
            backoff_rate,
            max_delay_seconds,
        ) {
            (Some(delays), None, None, None, None) => Self::schedule(delays)?,
            (Some(_), ..) => return Err(RetryPolicyError::BothForms),
            (None, attempts, interval, rate, max_delay) => Self::backoff(
                attempts.ok_or(required("maxAttempts"))?,
                interval.ok_or(required("intervalSeconds"))?,
                rate.ok_or(required("backoffRate"))?,
                max_delay.ok_or(required("maxDelaySeconds"))?,
            )?,
        };
        policy.with_jitter(jitter.unwrap_or(Self::DEFAULT_JITTER))
    }
}

impl From<RetryPolicy> for RetryPolicyFields {
    fn from(policy: RetryPolicy) -> Self {
        let jitter = Some(policy.jitter);
        match policy.waits {
            Waits::Schedule(delays) => Self {
                schedule: Some(delays),
                jitter,
                ..Self::default()
            },
            Waits::Backoff {
                max_attempts,
                interval_seconds,
                backoff_rate,
                max_delay_seconds,
            } => Self {
                max_attempts: Some(max_attempts),
                interval_seconds: Some(interval_seconds),
                backoff_rate: Some(backoff_rate),
                max_delay_seconds: Some(max_delay_seconds),
                jitter,
                ..Self::default()
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<RetryPolicy, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn both_forms_are_read_and_written() {
        for (json, policy) in [
            (
                r#"{"schedule":[0,5,300],"jitter":0.1}"#,
                RetryPolicy::schedule(vec![0, 5, 300]).unwrap(),
            ),
            (
                r#"{"maxAttempts":5,"intervalSeconds":10,"backoffRate":2.5,"maxDelaySeconds":600,"jitter":0.0}"#,
                RetryPolicy::backoff(5, 10, 2.5, 600)
                    .and_then(|policy| policy.with_jitter(0.0))
                    .unwrap(),
            ),
        ] {
            assert_eq!(read(json).as_ref(), Ok(&policy));
            assert_eq!(serde_json::to_string(&policy).unwrap(), json);
        }
        let default = RetryPolicy::schedule(vec![0]).unwrap();
        assert_eq!(read(r#"{"schedule":[0]}"#), Ok(default));
    }

    #[test]
    fn a_stored_policy_is_read_even_if_a_limit_has_become_stricter() {
        let stored = |json: &str| {
            let fields = serde_json::from_str(json).map_err(|error| error.to_string())?;
            RetryPolicy::from_stored(fields).map_err(|error| error.to_string())
        };
        let beyond = r#"{"maxAttempts":500,"intervalSeconds":0,"backoffRate":-2.0,"maxDelaySeconds":999999999,"jitter":7.5}"#;
        let bound = r#"{"maxAttempts":50,"intervalSeconds":1,"backoffRate":1.0,"maxDelaySeconds":604800,"jitter":1.0}"#;
        assert!(read(beyond).is_err());
        assert_eq!(stored(beyond), read(bound));
        let schedule = format!("{:?}", vec![999_999_999_u32; 51]);
        let beyond = stored(&format!(r#"{{"schedule":{schedule}}}"#)).unwrap();
        assert_eq!(beyond.delay_before(1), Some(std::time::Duration::ZERO));
        let longest = u64::from(RetryPolicy::MAX_DELAY_SECONDS);
        let longest = std::time::Duration::from_secs(longest);
        assert_eq!(beyond.delay_before(50), Some(longest));
        assert_eq!(beyond.delay_before(51), None);
        for neither in ["{}", r#"{"schedule":[]}"#] {
            assert!(stored(neither).is_err(), "{neither}");
        }
    }

    #[test]
    fn a_bad_policy_is_refused_with_the_fields_name_and_its_bound() {
        for (json, words) in [
            (r"{}", "maxAttempts: is required"),
            (
                r#"{"maxAttempts":5,"intervalSeconds":10,"backoffRate":2}"#,
                "maxDelaySeconds: is required",
            ),
            (
                r#"{"maxAttempts":51,"intervalSeconds":1,"backoffRate":2,"maxDelaySeconds":1}"#,
                "maxAttempts: must be 1 to 50, is 51",
            ),
            (
                r#"{"schedule":[0],"maxAttempts":1}"#,
                "schedule: must stand alone",
            ),
            (
                r#"{"schedule":[0],"jitter":2}"#,
                "jitter: must be 0 to 1, is 2",
            ),
            (
                r#"{"schedule":[]}"#,
                "schedule: must have 1 to 50 entries, has 0",
            ),
            (r#"{"schedule":[0,-1]}"#, "invalid value"),
            (r#"{"attempts":5}"#, "unknown field `attempts`"),
        ] {
            let error = read(json).unwrap_err();
            assert!(error.contains(words), "{json}: {error}");
        }
    }
}
