//! Rules for `template.yaml` that linters do not check.

// A failed `unwrap` or index shows more in a test than a handled one would.
#![allow(clippy::unwrap_used)]

mod adoption;
mod functions;
mod logs;
mod names;
mod parameters;
mod portal;
mod queues;
mod roles;
mod self_test;
mod support;
mod table;
mod variables;
