//! The parameters that requests take in their queries: a type for each query.

use serde::{Deserialize, Serialize};

use crate::{DeliveryStatus, Limit, ProblemKind, UndeliveredFilter};

/// The limit of a list.
pub type ListLimit = Limit<50, 100>;

/// The limit of the deliveries that are shown with their message.
pub type MessageDeliveriesLimit = Limit<1_000, 1_000>;

/// The limit of the deliveries that one request cancels.
pub type CancelLimit = Limit<200, 200>;

/// Declares the query of a list. It has its own parameters, then those of every list.
///
/// `cursor` is the form of a cursor of this list.
macro_rules! list_query {
    (
        $(#[$about:meta])*
        $query:ident { $($(#[$meta:meta])* $parameter:ident: $type:ty,)* }
        cursor($($cursor:tt)*)
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        #[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
        #[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
        pub struct $query {
            $($(#[$meta])* pub $parameter: Option<$type>,)*
            /// The maximum number of entries.
            #[cfg_attr(feature = "openapi", param(inline))]
            pub limit: Option<ListLimit>,
            /// The `nextCursor` of the page before.
            #[cfg_attr(feature = "openapi", param($($cursor)*))]
            pub cursor: Option<String>,
        }
    };
}

/// Declares the query of a list of deliveries or messages, which are selected by type and time.
macro_rules! history_query {
    (
        $(#[$about:meta])*
        $query:ident { $($(#[$meta:meta])* $parameter:ident: $type:ty,)* }
    ) => {
        list_query! {
            $(#[$about])*
            $query {
                $($(#[$meta])* $parameter: $type,)*
                /// Only those of this type, or of all types below a prefix (`order.*`).
                #[cfg_attr(
                    feature = "openapi",
                    param(min_length = 1, max_length = 128, example = "order.created")
                )]
                event_type: String,
                /// Only from this time on.
                #[cfg_attr(
                    feature = "openapi",
                    param(format = DateTime, example = "2026-01-31T09:30:00Z")
                )]
                since: String,
                /// Only before this time, which is after `since`.
                #[cfg_attr(feature = "openapi", param(format = DateTime))]
                until: String,
            }
            cursor(max_length = 140, pattern = "^[A-Za-z0-9_-]+$")
        }
    };
}

list_query! {
    /// The query of the list of customers.
    CustomersQuery {}
    cursor(max_length = 183, pattern = "^[A-Za-z0-9_-]+$")
}

list_query! {
    /// The query of the list of event types.
    EventTypesQuery {}
    cursor(max_length = 178, pattern = "^[A-Za-z0-9_-]+$")
}

list_query! {
    /// The query of the list of a customer's subscriptions.
    SubscriptionsQuery {}
    cursor(pattern = "^sub_[0-9a-f]{32}$")
}

list_query! {
    /// The query of the list of unhealthy subscriptions.
    UnhealthyQuery {
        /// Only those with a problem of this kind.
        #[cfg_attr(feature = "openapi", param(inline))]
        kind: ProblemKind,
    }
    cursor(max_length = 250, pattern = "^[A-Za-z0-9_-]+$")
}

list_query! {
    /// The query of the list of a customer's unhealthy subscriptions.
    CustomerUnhealthyQuery {
        /// Only those with a problem of this kind.
        #[cfg_attr(feature = "openapi", param(inline))]
        kind: ProblemKind,
    }
    cursor(pattern = "^sub_[0-9a-f]{32}$")
}

list_query! {
    /// The query of the list of a subscription's recoveries.
    RecoveriesQuery {}
    cursor(pattern = "^rec_[0-9a-f]{32}$")
}

list_query! {
    /// The query of the list of a customer's sessions of the portal.
    PortalSessionsQuery {}
    cursor(pattern = "^pse_[0-9a-f]{32}$")
}

history_query! {
    /// The query of a list of deliveries.
    DeliveriesQuery {
        /// Only those that stand here now.
        #[cfg_attr(feature = "openapi", param(inline))]
        status: DeliveryStatus,
    }
}

history_query! {
    /// The query of a list of undelivered deliveries.
    UndeliveredQuery {
        /// Only those that stand here now.
        #[cfg_attr(feature = "openapi", param(inline))]
        status: UndeliveredFilter,
    }
}

impl From<UndeliveredQuery> for DeliveriesQuery {
    fn from(query: UndeliveredQuery) -> Self {
        Self {
            status: query.status.map(DeliveryStatus::from),
            event_type: query.event_type,
            since: query.since,
            until: query.until,
            limit: query.limit,
            cursor: query.cursor,
        }
    }
}

history_query! {
    /// The query of a list of messages.
    MessagesQuery {}
}

/// The query of a cancellation: a page of the message's deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct CancelQuery {
    /// The maximum number of deliveries.
    #[cfg_attr(feature = "openapi", param(inline))]
    pub limit: Option<CancelLimit>,
    /// The `nextCursor` of the page before.
    #[cfg_attr(feature = "openapi", param(pattern = "^sub_[0-9a-f]{32}$"))]
    pub cursor: Option<String>,
}

/// The query of a message: a page of its deliveries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct MessageQuery {
    /// The maximum number of deliveries.
    #[cfg_attr(feature = "openapi", param(inline))]
    pub limit: Option<MessageDeliveriesLimit>,
    /// The `nextCursor` of the page before.
    #[cfg_attr(feature = "openapi", param(pattern = "^sub_[0-9a-f]{32}$"))]
    pub cursor: Option<String>,
}
