//! What DynamoDB bills for: the sizes of items, and the units of reads and writes.
//!
//! The rules are those of the Developer Guide ("Item sizes and formats", "Read and write
//! operations", "Global secondary indexes"), for tables on demand. For tests and measurements:
//! an emulator's own `ConsumedCapacity` need not follow them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod index;
mod size;
mod write;

pub use index::{Index, Projection};
pub use size::{Item, item_bytes};
pub use write::{WriteUnits, write_units};

/// What a write of at most this size costs: one write unit.
pub const WRITE_UNIT_BYTES: usize = 1_024;

/// What a consistent read of at most this size costs: one read unit. One that is not
/// consistent costs half of it.
pub const READ_UNIT_BYTES: usize = 4_096;
