//! The bounds of regular expressions.

/// The largest compiled size of a regular expression, in bytes. It bounds the work for each byte of a
/// text, which is at most one visit of each of its states.
pub(crate) const MAX_BYTES: usize = 16_384;

/// The steps for each byte of a text that a regular expression of the largest size looks at.
const STEPS_FOR_BYTE: u64 = 16;

/// The steps for a text that is matched with a regular expression.
pub(crate) fn steps(text: &str) -> u64 {
    (text.len() as u64 + 1).saturating_mul(STEPS_FOR_BYTE)
}
