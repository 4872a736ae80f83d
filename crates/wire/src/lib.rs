//! The domain's types as the API and the portal show them, and the places of their lists.
//!
//! The functions `api`, `portal` and `console-sessions` show the same things. Each conversion exists once, here. This
//! crate reads nothing, and decides nothing.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod answers;
pub mod cursor;
pub mod lists;
pub mod requests;
pub mod sessions;
pub mod statistics;
