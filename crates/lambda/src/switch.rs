//! A parameter of the stack that turns a feature on or off.

use std::str::FromStr;

/// The value of such a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// The feature is on.
    Enabled,
    /// The feature is off.
    Disabled,
}

/// A text that is neither `Enabled` nor `Disabled`.
#[derive(Debug, thiserror::Error)]
#[error("must be Enabled or Disabled")]
pub struct SwitchError;

impl FromStr for Switch {
    type Err = SwitchError;

    fn from_str(text: &str) -> Result<Self, SwitchError> {
        match text {
            "Enabled" => Ok(Self::Enabled),
            "Disabled" => Ok(Self::Disabled),
            _ => Err(SwitchError),
        }
    }
}
