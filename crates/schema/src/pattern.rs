//! The bounds of regular expressions.

/// The largest compiled size of a regular expression, in bytes. It bounds the work for each byte of a
/// text, which is at most one visit of each of its states.
pub(crate) const MAX_BYTES: usize = 16_384;

/// The steps for eight bytes of a text that a regular expression of the largest size looks at.
pub(crate) const STEPS_FOR_EIGHT_BYTES: u64 = 128;

/// The steps for a text that is matched with a regular expression.
pub(crate) fn steps(text: &str) -> u64 {
    eighths(text).saturating_mul(STEPS_FOR_EIGHT_BYTES)
}

/// The length of a text in parts of eight bytes, rounded up, at least 1.
pub(crate) fn eighths(text: &str) -> u64 {
    text.len() as u64 / 8 + 1
}
