//! What limits each figure that has a target, as profiles have shown.

/// A sentence on what is left of the figure with this name.
pub(crate) fn limit_of(_name: &str) -> &'static str {
    ""
}
