//! The data key that seals every secret of the stack, in plaintext and wrapped.

/// The plaintext data key. It never leaves the process.
pub struct DataKey([u8; 32]);

impl DataKey {
    /// From the 32 bytes that KMS gave.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The data key as the table keeps it: wrapped by KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedDataKey(pub Vec<u8>);
