//! Code that the tests of the whole system share.

pub mod template;
