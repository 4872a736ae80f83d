//! Faults between two effects.

use std::collections::VecDeque;

/// The outcome of one call of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// No fault: the call succeeds.
    None,
    /// The call fails without an effect.
    Before,
    /// The call takes effect, and its answer is lost, as after a crash.
    After,
}

/// The next faults, one for each call.
#[derive(Debug, Default)]
pub(crate) struct Script(VecDeque<Fault>);

impl Script {
    pub(crate) fn extend(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.0.extend(faults);
    }

    /// Returns true if any faults were left.
    pub(crate) fn clear(&mut self) -> bool {
        !std::mem::take(&mut self.0).is_empty()
    }

    pub(crate) fn next(&mut self) -> Fault {
        self.0.pop_front().unwrap_or(Fault::None)
    }
}

/// The error of an injected fault.
#[derive(Debug, thiserror::Error)]
#[error("planted fault")]
pub(crate) struct Planted;
