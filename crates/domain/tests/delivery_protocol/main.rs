//! The delivery protocol: case by case, and broken at random.

#![allow(clippy::unwrap_used)]

mod breaking;
mod cases;
mod faring;
mod limits;
mod random;
mod recovering;
mod resending;
mod stage;
mod testing;
