//! The version of a subscription or customer that a caller expects.

/// The version that a subscription or customer must have for a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ExpectedVersion {
    /// Any version, or none yet.
    #[default]
    Any,
    /// Any version of one that exists.
    Existing,
    /// One of these versions.
    OneOf(Vec<u64>),
}

impl ExpectedVersion {
    /// Returns true if it may have this version.
    pub fn allows(&self, version: u64) -> bool {
        match self {
            Self::Any | Self::Existing => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}
