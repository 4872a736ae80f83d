//! Every request, answer, parameter and problem of the HTTP API, once, and those of the function
//! `console-sessions`.
//!
//! The function `api` reads and writes these types and makes `docs/openapi.json` of them; the
//! client, the command line and the tests use the same ones. They say how the API looks, and
//! not which values it takes: the function checks those with the types of `webhooks-domain`.
//!
//! - A request takes no unknown field.
//! - An answer may have more fields than its type: a client reads the answers of a newer stack.
//! - Ids are texts here, and so are times, in RFC 3339.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod authentication;
mod console_session;
mod customer;
mod delivery;
mod event_type;
mod filter;
mod limit;
mod message;
mod nullable;
mod page;
mod portal_session;
mod problem;
mod query;
mod recovery;
mod recovery_request;
mod retry_policy;
mod statistics;
mod subscription;
mod subscription_request;
mod transform;
mod unhealthy;
mod whole_number;
pub mod words;

pub use authentication::{
    Authentication, AuthenticationType, ClientAuthentication, NewAuthentication,
};
pub use console_session::{
    ConsoleSession, ConsoleSessionId, ConsoleSessionsPage, ConsoleSessionsRequest,
    NewConsoleSession,
};
pub use customer::{Contact, ContactState, Customer, CustomerDeletion, CustomerPatch, NewCustomer};
pub use delivery::{
    Attempt, AttemptOutcome, AttemptRequest, AttemptResponse, AttemptTimings, Delivery,
    DeliveryReason, DeliveryStatus, DeliveryTrigger, DeliveryWithBody, UndeliveredFilter,
};
pub use event_type::{Deprecation, EventType, EventTypeSummary, NewEventType, Validation};
pub use filter::{Event, Filter, FilterTest, FilterTestResult};
pub use limit::{Limit, LimitError};
pub use message::{Cancellation, Message, MessageEntry};
pub use nullable::Nullable;
pub use page::{Broken, Page, Shown};
pub use portal_session::{CreatedPortalSession, NewPortalSession, PortalCapability, PortalSession};
pub use problem::Problem;
pub use query::{
    CancelLimit, CancelQuery, CustomerUnhealthyQuery, CustomersQuery, DeliveriesQuery,
    EventTypesQuery, ListLimit, MessageDeliveriesLimit, MessageQuery, MessagesQuery,
    PortalSessionsQuery, RecoveriesQuery, SubscriptionsQuery, UndeliveredQuery, UnhealthyQuery,
};
pub use recovery::{Recovery, RecoveryCount, RecoveryKind, RecoveryStatus, UndeliveredStatus};
pub use recovery_request::{Recover, Replay};
pub use retry_policy::{RetryBackoff, RetryPolicy, RetrySchedule};
pub use statistics::{
    AnswerTimes, HourStatistics, OutcomeCounts, PeriodStatistics, Sampling, Statistics,
};
pub use subscription::{
    ActiveSecret, ActiveSecrets, CreatedSubscription, DisabledReason, EndpointHealth, NewSecret,
    PayloadFormat, RequestMethod, SecretKind, SecretSummary, Subscription, SubscriptionStatus,
    Warning,
};
pub use subscription_request::{
    Enable, HeldFate, MapPatch, NewSubscription, Nothing, Rotation, SubscriptionPatch, Test,
    WantedStatus,
};
pub use transform::{Transform, TransformTest, TransformTestResult};
pub use unhealthy::{OwedDeliveries, ProblemKind, SubscriptionProblem, UnhealthySubscription};
pub use whole_number::WholeNumber;

/// A page of subscriptions.
pub type SubscriptionPage = Page<Subscription>;
/// A page of unhealthy subscriptions.
pub type UnhealthySubscriptionPage = Page<UnhealthySubscription>;
/// A page of customers.
pub type CustomerPage = Page<Customer>;
/// A page of event types.
pub type EventTypeSummaryPage = Page<EventTypeSummary>;
/// A page of sessions of the portal.
pub type PortalSessionPage = Page<PortalSession>;
/// A page of deliveries.
pub type DeliveryPage = Page<Delivery>;
/// A page of messages.
pub type MessageEntryPage = Page<MessageEntry>;
/// A page of recoveries.
pub type RecoveryPage = Page<Recovery>;
/// A subscription, or what can be read of it.
pub type ShownSubscription = Shown<Subscription>;
/// A delivery with its body, or what can be read of it.
pub type ShownDelivery = Shown<DeliveryWithBody>;
/// A message, or what can be read of it.
pub type ShownMessage = Shown<Message>;
/// A recovery, or what can be read of it.
pub type ShownRecovery = Shown<Recovery>;
