//! The ids that stand in the path of a request.

use serde::Deserialize;
use utoipa::IntoParams;
use webhooks_domain::catalogue::TypeName;
use webhooks_domain::contact::EmailAddress;
use webhooks_domain::ids::{
    CustomerId, DeliveryId, MessageId, PortalSessionId, RecoveryId, SubscriptionId,
};

/// The customer of a request.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct OfCustomer {
    /// The producer's own name for its customer. Neither `.` nor `..`.
    #[param(
        value_type = String,
        min_length = 1,
        max_length = 128,
        pattern = "^[A-Za-z0-9._:@+=|-]+$",
        example = "cust_1001"
    )]
    pub(crate) customer_id: CustomerId,
}

/// The contact of a request.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct OfContact {
    #[param(value_type = String, max_length = 254, example = "ops@example.com")]
    pub(crate) address: EmailAddress,
}

/// The subscription of a request.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct OfSubscription {
    #[param(
        value_type = String,
        pattern = "^sub_[0-9a-f]{32}$",
        example = "sub_70e79b2df96dcca5a0a362236c8d86f4"
    )]
    pub(crate) subscription_id: SubscriptionId,
}

/// The message of a request.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct OfMessage {
    #[param(
        value_type = String,
        pattern = "^msg_[0-9a-f]{32}$",
        example = "msg_9d621ecde980c9e89ef2b0fa0f4cc7e6"
    )]
    pub(crate) message_id: MessageId,
}

/// The delivery of a request.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct OfDelivery {
    #[param(
        value_type = String,
        pattern = "^dlv_[0-9a-f]{32}_[0-9a-f]{32}$",
        example = "dlv_9d621ecde980c9e89ef2b0fa0f4cc7e6_70e79b2df96dcca5a0a362236c8d86f4"
    )]
    pub(crate) delivery_id: DeliveryId,
}

/// The recovery of a request.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct OfRecovery {
    #[param(
        value_type = String,
        pattern = "^rec_[0-9a-f]{32}$",
        example = "rec_019ab3f0c2d17c6e5d4c3b2a19080706"
    )]
    pub(crate) recovery_id: RecoveryId,
}

/// The session of a request.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct OfSession {
    #[param(
        value_type = String,
        pattern = "^pse_[0-9a-f]{32}$",
        example = "pse_019ab3f0c2d17c6e5d4c3b2a19080706"
    )]
    pub(crate) session_id: PortalSessionId,
}

/// The event type of a request.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Path)]
pub(crate) struct OfEventType {
    /// The `detail-type` of the events. Neither `.` nor `..`.
    #[param(
        value_type = String,
        min_length = 1,
        max_length = 128,
        pattern = "^[A-Za-z0-9._:@+=|-]+( [A-Za-z0-9._:@+=|-]+)*$",
        example = "order.created"
    )]
    pub(crate) name: TypeName,
}
