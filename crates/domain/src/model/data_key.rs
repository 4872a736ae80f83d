//! The data key that encrypts every secret of the stack, in plaintext and wrapped.

/// The plaintext data key. It never leaves the process.
pub struct DataKey([u8; 32]);

impl DataKey {
    /// A key of the 32 bytes that KMS returned.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The data key as it is stored in the table: wrapped by KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedDataKey(pub Vec<u8>);
