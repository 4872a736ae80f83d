//! The use cases: each one reads through ports, decides, and writes through ports.

pub mod count_attempts;
pub mod customers;
pub mod delete_customers;
pub mod deliver;
pub mod limiter;
pub mod lists;
pub mod look_up;
pub mod manage;
pub mod manage_catalogue;
pub mod portal_access;
pub mod portal_allowance;
pub mod portal_sessions;
pub mod publish;
pub mod read_delivery;
pub mod read_shape;
pub mod read_subscription;
pub mod recover;
pub mod resend;
pub mod send_test;
pub mod show_exchanges;
pub mod show_statistics;
pub mod sweep;
pub mod unavailable;
pub mod unhealthy;
pub mod vault;
