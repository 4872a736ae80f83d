//! The ports: the traits that adapters implement, in terms of the model.
//!
//! Ports are grouped by the use cases that need them, so that each use case has one parameter for
//! the table.
//!
//! | use case | its port of the table |
//! |---|---|
//! | [`look_up`](crate::look_up) | [`SubscriptionTable`], and [`DeliveryReader`] for duplicates |
//! | [`check_event`](crate::check_event) | [`CatalogueTable`], and [`SchemaCompiler`] |
//! | [`deliver`](crate::deliver) | [`DeliveryTable`] |
//! | [`sweep`](crate::sweep) | [`DueIndex`] |
//! | [`resend`](crate::resend), [`send_test`](crate::send_test) | [`ResendTable`], and [`CatalogueTable`] for examples |
//! | [`recover`](crate::recover) | [`RecoveryTable`] |
//! | [`unavailable`](crate::unavailable) | [`RecoveryTable`] and [`HoldIndex`] |
//! | [`lists`](crate::lists) | [`Directory`] |
//! | [`manage`](crate::manage) | [`SubscriptionStore`] and [`CatalogueTable`] |
//! | [`unhealthy`](crate::unhealthy) | [`SubscriptionTable`], [`UnhealthyIndex`] and [`Directory`] |
//! | [`customers`](crate::customers) | [`CustomerTable`] |
//! | [`manage_catalogue`](crate::manage_catalogue) | [`CatalogueTable`] |
//! | [`portal_sessions`](crate::portal_sessions) | [`CustomerTable`] and [`PortalSessionTable`] |
//! | [`portal_access`](crate::portal_access) | [`PortalAccessTable`] |
//! | [`portal_allowance`](crate::portal_allowance) | [`PortalUsageTable`] |
//! | [`delete_customers`](crate::delete_customers) | [`CustomerData`] |
//! | [`count_attempts`](crate::count_attempts) | [`StatisticsTable`] |
//! | [`show_exchanges`](crate::show_exchanges) | [`SubscriptionTable`] and [`ExchangeReader`] |
//! | [`show_statistics`](crate::show_statistics) | [`SubscriptionTable`] and [`StatisticsTable`] |
//! | [`vault`](crate::vault) | [`DataKeyStore`] |
//!
//! # Reads and writes of the table
//!
//! A read is strongly consistent unless it says otherwise. An item that has expired is absent,
//! although it may still be stored.
//!
//! A write is conditional on what was read (optimistic concurrency), and changes nothing if that
//! has changed. The caller may repeat every write after an error: a write whose response was lost
//! was either made or not, and each port says what its repetition returns.

mod catalogue;
mod customers;
mod deliveries;
mod directory;
mod errors;
mod exchanges;
mod portal_sessions;
mod recoveries;
mod schemas;
mod services;
mod statistics;
mod subscriptions;
mod tokens;

pub use catalogue::{Addition, CatalogueTable};
pub use customers::{CustomerData, CustomerPart, CustomerTable};
pub use deliveries::{
    CancelTable, DeliveryReader, DeliveryTable, DueIndex, DuePage, HoldEntry, HoldIndex,
    LimiterStore, ResendTable,
};
pub use directory::Directory;
pub use errors::{
    InsertOutcome, KeyServiceError, PublishError, QueueError, StoreError, WorkflowError,
    WriteOutcome, with_sources,
};
pub use exchanges::{ExchangeParts, ExchangeReader, FoundParts, MAX_EXCHANGE_PARTS};
pub use portal_sessions::{
    PortalAccessTable, PortalSessionTable, PortalUsageTable, TakeOutcome, Taking,
};
pub use recoveries::{RecoveryTable, RecoveryWorkflow};
pub use schemas::{CompileError, CompiledSchema, CompilerNotStarted, SchemaCompiler};
pub use services::{
    Clock, DataKeyStore, DeliverNow, DeliveryQueue, KeyService, MAX_PUBLISHED,
    OperationalEventPublisher, WebhookSender,
};
pub use statistics::StatisticsTable;
pub use subscriptions::{
    Creation, CreationOutcome, HealthFate, Replacement, ReplacementOutcome, SubscriptionStore,
    SubscriptionTable, UnhealthyIndex,
};
pub use tokens::{TokenEndpoint, TokenStore};
