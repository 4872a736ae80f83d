//! End-to-end tests of a deployed stack, through its public interfaces: events go in through
//! `PutEvents` and `StartExecution`, webhooks arrive at a loopback receiver, and the API shows the
//! deliveries.
//!
//! `cargo xtask test` deploys a stack on a local emulator, sets `WEBHOOKS_STACK` to the path of its
//! `stack.json`, and runs these tests. Each test has its own customer, so the tests share the stack
//! and run concurrently.

#![allow(clippy::unwrap_used)]
#![expect(
    clippy::disallowed_methods,
    reason = "runs beside the system, not in a function: it sleeps, and reads the environment"
)]

mod access_tokens;
mod authentication;
mod bad_requests;
mod browser;
mod client_certificates;
mod command_line;
mod conditions;
mod console;
mod contract;
mod crash;
mod customers;
mod deleting_customers;
mod delivering;
mod doctor;
mod duplicates;
mod emulator;
mod event_types;
mod exchange;
mod failed_events;
mod filters;
mod fixture;
mod gate;
mod holding;
mod hostile_inputs;
mod identity;
mod isolation;
mod later;
mod leaks;
mod limits;
mod listing;
mod logs;
mod long_waits;
mod machine;
mod malformed_events;
mod managing;
mod metrics;
mod notifications;
mod observability;
mod odd_text;
mod payload_formats;
mod payload_shapes;
mod permissions;
mod portal;
mod read_units;
mod recovering;
mod recovery;
mod resending;
mod restoring;
mod retrying;
mod scale;
mod secret_headers;
mod self_test;
mod signing;
mod state_failures;
mod statistics;
mod story;
mod support;
mod testing;
mod transfer;
mod unhealthy;
mod upgrading;
mod values;
mod versions;
mod without_url;
mod workflow;
mod workflow_rights;
