//! The part of a response body that is kept.

use std::fmt;
use std::str::FromStr;

use super::AttemptOutcome;

/// The largest number of bytes of a response body that are kept, for successes and for failures.
///
/// Its text form is `512,16384`: successes, then failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptResponseBytes {
    successes: u16,
    failures: u32,
}

/// The text is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeptResponseBytesError {
    /// Not two whole numbers.
    #[error("must be two whole numbers, of successes and of failures, such as `512,16384`")]
    Form,
    /// Too many bytes of successes.
    #[error("keeps at most {max} bytes of successes, is {bytes}", max = KeptResponseBytes::MAX_OF_SUCCESSES)]
    Successes {
        /// The number of bytes.
        bytes: u64,
    },
    /// Too many bytes of failures.
    #[error("keeps at most {max} bytes of failures, is {bytes}", max = KeptResponseBytes::MAX_OF_FAILURES)]
    Failures {
        /// The number of bytes.
        bytes: u64,
    },
}

impl KeptResponseBytes {
    /// The largest number of bytes of a success. They are in the item of the delivery, so every
    /// later update of the delivery pays for them again, and the item with all attempts must stay
    /// below DynamoDB's 400 KB.
    pub const MAX_OF_SUCCESSES: u16 = 3_840;
    /// The largest number of bytes of a failure. They are in an item of their own.
    pub const MAX_OF_FAILURES: u32 = 65_536;

    /// The number of bytes after this outcome.
    pub fn after(self, outcome: AttemptOutcome) -> usize {
        match outcome {
            AttemptOutcome::Succeeded => self.successes.into(),
            _ => self.failures as usize,
        }
    }
}

impl Default for KeptResponseBytes {
    fn default() -> Self {
        Self {
            successes: 512,
            failures: 16_384,
        }
    }
}

impl FromStr for KeptResponseBytes {
    type Err = KeptResponseBytesError;

    fn from_str(text: &str) -> Result<Self, KeptResponseBytesError> {
        let numbers = text.split_once(',').map(|(successes, failures)| {
            let number = |text: &str| text.trim().parse::<u64>();
            (number(successes), number(failures))
        });
        let Some((Ok(successes), Ok(failures))) = numbers else {
            return Err(KeptResponseBytesError::Form);
        };
        Ok(Self {
            successes: u16::try_from(successes)
                .ok()
                .filter(|bytes| *bytes <= Self::MAX_OF_SUCCESSES)
                .ok_or(KeptResponseBytesError::Successes { bytes: successes })?,
            failures: u32::try_from(failures)
                .ok()
                .filter(|bytes| *bytes <= Self::MAX_OF_FAILURES)
                .ok_or(KeptResponseBytesError::Failures { bytes: failures })?,
        })
    }
}

impl fmt::Display for KeptResponseBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.successes, self.failures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_named() {
        for text in ["512,16384", "0,0", "3840,65536"] {
            let kept: KeptResponseBytes = text.parse().unwrap();
            assert_eq!(kept.to_string(), text);
        }
        assert_eq!("512,16384".parse(), Ok(KeptResponseBytes::default()));
        for (text, named) in [
            ("3841,0", "at most 3840 bytes of successes, is 3841"),
            ("70000,0", "at most 3840 bytes of successes, is 70000"),
            ("0,65537", "at most 65536 bytes of failures, is 65537"),
            ("512", "two whole numbers"),
            ("512,16384,1", "two whole numbers"),
            ("-1,0", "two whole numbers"),
            ("", "two whole numbers"),
        ] {
            let error = text.parse::<KeptResponseBytes>().unwrap_err().to_string();
            assert!(error.contains(named), "{text}: {error}");
        }
    }
}
