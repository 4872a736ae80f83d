//! The version of a subscription that a caller expects.

/// The version that a subscription must have for a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ExpectedVersion {
    /// Any version.
    #[default]
    Any,
    /// One of these versions.
    OneOf(Vec<u64>),
}

impl ExpectedVersion {
    /// Returns true if the subscription may have this version.
    pub fn allows(&self, version: u64) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}
