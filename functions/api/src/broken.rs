//! Deliveries, messages and recoveries of which not everything can be read, as they are shown.

use std::fmt::Display;

use serde::Serialize;
use webhooks_domain::broken::{Broken, Readable};
use webhooks_domain::ids::CustomerId;

/// A delivery, message or recovery of which not everything can be read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = BrokenItem))]
pub(crate) struct BrokenItemView {
    #[cfg_attr(
        test,
        schema(example = "dlv_9d621ecde980c9e89ef2b0fa0f4cc7e6_70e79b2df96dcca5a0a362236c8d86f4")
    )]
    id: String,
    /// Where it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schema(value_type = Option<String>, example = "cust_1001"))]
    customer_id: Option<CustomerId>,
    /// What cannot be read, and why.
    problem: String,
}

impl<I: Display> From<Broken<I>> for BrokenItemView {
    fn from(broken: Broken<I>) -> Self {
        Self {
            id: broken.id.to_string(),
            customer_id: broken.customer_id,
            problem: broken.problem,
        }
    }
}

/// One thing, or what can be read of it.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Shown<T> {
    /// All of it.
    Whole(Box<T>),
    /// What says which one it is, and what is wrong with it.
    Broken(BrokenItemView),
}

impl<T> Shown<T> {
    pub(crate) fn whole(view: impl Into<T>) -> Self {
        Self::Whole(Box::new(view.into()))
    }
}

/// Those that can be read, each as it is shown, and the others.
pub(crate) fn apart<T, I: Display, V>(
    found: Vec<Readable<T, I>>,
    view: impl Fn(T) -> V,
) -> (Vec<V>, Vec<BrokenItemView>) {
    let (mut whole, mut broken) = (Vec::new(), Vec::new());
    for found in found {
        match found {
            Ok(found) => whole.push(view(found)),
            Err(found) => broken.push(found.into()),
        }
    }
    (whole, broken)
}
