//! The use cases: each one reads through ports, decides, and writes through ports.

pub mod customers;
pub mod deliver;
pub mod limiter;
pub mod lists;
pub mod look_up;
pub mod manage;
pub mod publish;
pub mod read_subscription;
pub mod recover;
pub mod resend;
pub mod send_test;
pub mod sweep;
pub mod unhealthy;
pub mod vault;
