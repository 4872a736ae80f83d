//! The delivery protocol: case by case, and with random faults.

#![allow(clippy::unwrap_used)]

mod access_tokens;
mod authentication;
mod cancelling;
mod cases;
mod certificate_end;
mod circuit_breaker;
mod customer_limits;
mod exchanges;
mod health;
mod holding;
mod limits;
mod random;
mod recovering;
mod releasing;
mod resending;
mod shapes;
mod stage;
mod testing;
mod waiting;
