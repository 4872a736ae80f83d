//! The data of a run, independent of its table.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::str::FromStr;

use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use webhooks_domain::timestamp::Timestamp;

/// The largest part of one request that is stored, body and headers together.
///
/// The largest event makes a body of 245,760 bytes; an item of DynamoDB holds 409,600. A write
/// of this size costs 300 write units, 0.02 cents.
pub const MAX_REQUEST_BYTES: usize = 300 * 1_024;

/// The largest number of requests that a run stores.
pub const MAX_RUN_REQUESTS: u32 = 1_000;

/// The largest number of bytes that a run stores: 4,096 write units, a quarter of a cent.
pub const MAX_RUN_BYTES: usize = 4 * 1_024 * 1_024;

/// The id of a run: 32 random bytes as 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct RunId(String);

/// The text is neither a run's id nor a step's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither an id of a run nor a name of a step")]
pub struct NameError;

impl RunId {
    const DIGITS: usize = 64;

    /// Creates a new id that nobody can guess.
    ///
    /// # Errors
    /// If the system provides no random numbers.
    pub fn random(random: &SystemRandom) -> Result<Self, Unspecified> {
        let mut bytes = [0; Self::DIGITS / 2];
        random.fill(&mut bytes)?;
        Ok(Self(bytes.iter().fold(String::new(), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })))
    }

    /// Returns the id in the form used in paths.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first digits. They distinguish runs, but do not suffice for sending to one.
    pub fn short(&self) -> &str {
        &self.0[..8]
    }
}

/// Shows only the beginning, so that a reader of a log cannot send to the run.
impl fmt::Debug for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RunId({}…)", self.short())
    }
}

impl FromStr for RunId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if text.len() == Self::DIGITS && text.bytes().all(is_digit) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError)
        }
    }
}

/// The name of a step of a run: 1 to 32 of `a-z 0-9 -`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Step(String);

impl Step {
    /// Returns the name in the form used in paths.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Step {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_letter = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'-');
        if (1..=32).contains(&text.len()) && text.bytes().all(is_letter) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError)
        }
    }
}

impl TryFrom<String> for Step {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Step> for String {
    fn from(step: Step) -> Self {
        step.0
    }
}

/// Parses a path of the form `/{run}/{step}`, and no other form.
///
/// Encoded paths are not decoded, because ids and names need no encoding.
pub fn parse_path(path: &str) -> Option<(RunId, Step)> {
    let (run, step) = path.strip_prefix('/')?.split_once('/')?;
    Some((run.parse().ok()?, step.parse().ok()?))
}

/// The answer to a request. Its body is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The HTTP status, 200 to 599.
    pub status: u16,
    /// The value of `Retry-After`, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u32>,
}

impl Answer {
    /// Returns an answer with this status and no header.
    pub const fn status(status: u16) -> Self {
        Self {
            status,
            retry_after_seconds: None,
        }
    }

    /// Returns an answer with status 200.
    pub const fn ok() -> Self {
        Self::status(200)
    }
}

/// The answers of each step, in order. The last one is repeated. A step without answers gets
/// 200.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Script(BTreeMap<Step, Vec<Answer>>);

impl Script {
    /// Returns the script with the answers of one more step.
    #[must_use]
    pub fn with(mut self, step: Step, answers: Vec<Answer>) -> Self {
        self.0.insert(step, answers);
        self
    }

    /// Returns the answer to a request by its number within the step, starting at 1. `None` if
    /// the script does not contain the step.
    pub fn answer(&self, step: &Step, number: u32) -> Option<Answer> {
        let answers = self.0.get(step)?;
        let index = usize::try_from(number.saturating_sub(1)).unwrap_or(usize::MAX);
        let answer = answers.get(index).or(answers.last());
        Some(answer.cloned().unwrap_or(Answer::ok()))
    }

    /// Returns the steps with their answers.
    pub fn steps(&self) -> impl Iterator<Item = (&Step, &[Answer])> {
        self.0
            .iter()
            .map(|(step, answers)| (step, answers.as_slice()))
    }
}

/// A registered run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The answers.
    pub script: Script,
    /// The end. Later requests are neither answered nor recorded.
    pub ends_at: Timestamp,
}

/// A recorded request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its step.
    pub step: Step,
    /// Its number within the step, from 1.
    pub number: u32,
    /// The headers that the self test needs, by lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// The arrival time, by the receiver's clock.
    pub received_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_random_and_read_back() {
        let random = SystemRandom::new();
        let (one, other) = (
            RunId::random(&random).unwrap(),
            RunId::random(&random).unwrap(),
        );
        assert_ne!(one, other);
        assert_eq!(one.as_str().parse::<RunId>().as_ref(), Ok(&one));
        assert!(!format!("{one:?}").contains(one.as_str()));
    }

    #[test]
    fn a_path_names_a_run_and_a_step_in_one_form_only() {
        let id = "0123456789abcdef".repeat(4);
        let (run, step) = parse_path(&format!("/{id}/step-1")).unwrap();
        assert_eq!((run.as_str(), step.as_str()), (id.as_str(), "step-1"));
        for path in [
            String::new(),
            "/".to_owned(),
            format!("/{id}"),
            format!("/{id}/"),
            format!("{id}/a"),
            format!("//{id}/a"),
            format!("/{id}/a/"),
            format!("/{id}/a/b"),
            format!("/{id}/A"),
            format!("/{id}/%61"),
            format!("/%30{}/a", &id[1..]),
            format!("/{}/a", &id[1..]),
            format!("/{id}0/a"),
            format!("/{}/a", id.to_uppercase()),
            format!("/{id}/{}", "a".repeat(33)),
            format!("/{id}/é"),
        ] {
            assert_eq!(parse_path(&path), None, "{path}");
        }
    }

    #[test]
    fn a_step_is_answered_in_order_and_its_last_answer_is_repeated() {
        let step: Step = "retry".parse().unwrap();
        let slow = Answer {
            status: 429,
            retry_after_seconds: Some(7),
        };
        let script =
            Script::default().with(step.clone(), vec![slow, Answer::status(500), Answer::ok()]);
        let text = serde_json::to_string(&script).unwrap();
        assert_eq!(
            text,
            r#"{"retry":[{"status":429,"retryAfterSeconds":7},{"status":500},{"status":200}]}"#
        );
        let script: Script = serde_json::from_str(&text).unwrap();
        let statuses = [1, 2, 3, 4, u32::MAX].map(|n| script.answer(&step, n).unwrap().status);
        assert_eq!(statuses, [429, 500, 200, 200, 200]);
        assert_eq!(script.answer(&"other".parse().unwrap(), 1), None);
        let silent = Script::default().with(step.clone(), Vec::new());
        assert_eq!(silent.answer(&step, 1), Some(Answer::ok()));
    }
}
