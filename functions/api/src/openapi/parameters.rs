//! The parts of a request beside its body, for the document only: handlers read them by name
//! (see [`crate::extract`]), so that a problem can name what is not valid.

#![expect(
    dead_code,
    reason = "nobody makes one: the document is made of their fields"
)]

use utoipa::IntoParams;

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfCustomer {
    /// The producer's own name for its customer. Neither `.` nor `..`.
    #[param(
        rename = "customerId",
        min_length = 1,
        max_length = 128,
        pattern = "^[A-Za-z0-9._:@+=|-]+$",
        example = "cust_1001"
    )]
    customer_id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfSubscription {
    #[param(
        rename = "subscriptionId",
        pattern = "^sub_[0-9a-f]{32}$",
        example = "sub_70e79b2df96dcca5a0a362236c8d86f4"
    )]
    subscription_id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfMessage {
    #[param(
        rename = "messageId",
        pattern = "^msg_[0-9a-f]{32}$",
        example = "msg_9d621ecde980c9e89ef2b0fa0f4cc7e6"
    )]
    message_id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfDelivery {
    #[param(
        rename = "deliveryId",
        pattern = "^dlv_[0-9a-f]{32}_[0-9a-f]{32}$",
        example = "dlv_9d621ecde980c9e89ef2b0fa0f4cc7e6_70e79b2df96dcca5a0a362236c8d86f4"
    )]
    delivery_id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct OfRecovery {
    #[param(
        rename = "recoveryId",
        pattern = "^rec_[0-9a-f]{32}$",
        example = "rec_019ab3f0c2d17c6e5d4c3b2a19080706"
    )]
    recovery_id: String,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RecoveriesPage {
    /// The maximum number of entries.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    #[param(pattern = "^rec_[0-9a-f]{32}$")]
    cursor: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CustomersPage {
    /// The maximum number of entries.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    #[param(max_length = 183, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SubscriptionsPage {
    /// The maximum number of entries.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    #[param(pattern = "^sub_[0-9a-f]{32}$")]
    cursor: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ByProblem {
    /// Only those with a problem of this kind.
    #[param(inline)]
    kind: Option<webhooks_api_types::ProblemKind>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UnhealthyPage {
    /// The maximum number of entries.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    #[param(max_length = 250, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct DeliveriesPage {
    /// The maximum number of deliveries.
    #[param(minimum = 1, maximum = 1000, default = 1000)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    #[param(pattern = "^sub_[0-9a-f]{32}$")]
    cursor: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ByStatus {
    /// Only those that stand here now.
    #[param(inline)]
    status: Option<webhooks_api_types::DeliveryStatus>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ByUndeliveredStatus {
    /// Only those that stand here now.
    #[param(inline)]
    status: Option<webhooks_api_types::UndeliveredFilter>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ByTypeAndTime {
    /// Only those of this type, or of all types below a prefix (`order.*`).
    #[param(
        rename = "eventType",
        min_length = 1,
        max_length = 128,
        example = "order.created"
    )]
    event_type: Option<String>,
    /// Only from this time on.
    #[param(format = DateTime, example = "2026-01-31T09:30:00Z")]
    since: Option<String>,
    /// Only before this time, which is after `since`.
    #[param(format = DateTime)]
    until: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListPage {
    /// The maximum number of entries.
    #[param(minimum = 1, maximum = 100, default = 50)]
    limit: Option<u32>,
    /// The `nextCursor` of the page before.
    #[param(max_length = 140, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct ForVersion {
    /// The expected version: the `ETag` of an earlier answer, a list of these, or `*`. With
    /// another version nothing happens, and the answer is 412.
    #[param(
        rename = "If-Match",
        pattern = r#"^ *(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*) *$"#,
        example = "\"3\""
    )]
    if_match: Option<String>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct ByKey {
    /// Your name for this request, printable ASCII. Sent again with the same body, byte for
    /// byte, it creates nothing new, and gets what the first one has created.
    #[param(
        rename = "Idempotency-Key",
        min_length = 1,
        max_length = 255,
        pattern = "^[ -~]+$",
        example = "shop-42/order-webhooks"
    )]
    idempotency_key: Option<String>,
}
