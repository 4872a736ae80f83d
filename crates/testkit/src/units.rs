//! The quantities that DynamoDB bills: item sizes, and read and write units.
//!
//! The rules are those of the Developer Guide ("Item sizes and formats", "Read and write
//! operations", "Global secondary indexes"), for tables on demand. For tests and measurements:
//! an emulator's own `ConsumedCapacity` need not follow them.

mod index;
mod size;
mod write;

pub use index::{Index, Projection};
pub use size::{Item, item_bytes};
pub use write::{WriteUnits, write_units};

/// The size of one write unit.
pub const WRITE_UNIT_BYTES: usize = 1_024;

/// The size of one read unit for a consistent read. An eventually consistent read costs half.
pub const READ_UNIT_BYTES: usize = 4_096;
