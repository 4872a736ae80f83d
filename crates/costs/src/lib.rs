//! The usage of a stack, its cost, and the quotas that it reaches.
//!
//! - [`Meter`], [`PriceList`] and [`Usage`]: quantities that AWS bills, their prices, and what one
//!   delivery uses. `cargo xtask bench` measures the usage, and [`Recorded`] is its last record.
//! - [`monthly`]: the fixed cost of a month.
//! - [`Estimate`]: what a [`Workload`] takes: execution environments ([`Capacity`]), the queue after
//!   a [`SuddenStart`], quotas ([`Quota`]) and the bill.
//!
//! Everything is computed: nothing here calls AWS. `tests/simulated_hour.rs` holds the formulas to a
//! simulation.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod capacity;
mod estimate;
mod meter;
pub mod monthly;
mod prices;
mod quotas;
mod recorded;
mod usage;
mod workload;

pub use capacity::{Capacity, SuddenStart};
pub use estimate::{BillLine, Estimate, HotPartition, Queue};
pub use meter::Meter;
pub use prices::{PriceList, PriceListError};
pub use quotas::{Quota, UnknownRegion};
pub use recorded::Recorded;
pub use usage::Usage;
pub use workload::{Workload, WorkloadError};
