//! Faults at the boundary between two effects.

use std::collections::VecDeque;

/// What happens at one call of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: the call goes through.
    None,
    /// The call fails, and had no effect.
    Before,
    /// The call takes effect, and its answer is lost: as after a crash.
    After,
}

/// The faults to come, one for each call.
#[derive(Debug, Default)]
pub(crate) struct Script(VecDeque<Fault>);

impl Script {
    pub(crate) fn extend(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.0.extend(faults);
    }

    /// Gives whether some were left.
    pub(crate) fn clear(&mut self) -> bool {
        !std::mem::take(&mut self.0).is_empty()
    }

    pub(crate) fn next(&mut self) -> Fault {
        self.0.pop_front().unwrap_or(Fault::None)
    }
}

/// The error of a planted fault.
#[derive(Debug, thiserror::Error)]
#[error("planted fault")]
pub(crate) struct Planted;
