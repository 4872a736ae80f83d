//! Removes what a session must not see, before a page is made. The pages hide it too, but also have
//! texts that are made of it.

use webhooks_api_types as api;
use webhooks_domain::outbound::{CustomHeaders, MASK};
use webhooks_domain::portal_session::{Capabilities, Capability};

/// Without `payloads` the answers of the endpoint are removed, and without `manage` the values of the
/// headers and query parameters that the customer has set.
pub(crate) fn in_delivery(
    capabilities: &Capabilities,
    mut delivery: api::Delivery,
) -> api::Delivery {
    for attempt in &mut delivery.attempts {
        if !capabilities.has(Capability::Payloads) {
            attempt.response_excerpt = None;
            attempt.response_headers.clear();
            (attempt.request, attempt.response) = (None, None);
        }
        if let Some(request) = &mut attempt.request
            && !capabilities.has(Capability::Manage)
        {
            for (name, value) in &mut request.headers {
                if CustomHeaders::may_name(name) {
                    MASK.clone_into(value);
                }
            }
            if let Some((before, _)) = request.url.split_once('?') {
                request.url = format!("{before}?{MASK}");
            }
        }
    }
    delivery
}

/// Without `manage` the values of headers and query parameters are masked: they may be keys, although
/// `secretHeaders` are the place for keys. The URL is shown: every list of endpoints has it.
pub(crate) fn in_subscription(
    capabilities: &Capabilities,
    mut subscription: api::Subscription,
) -> api::Subscription {
    if !capabilities.has(Capability::Manage) {
        let headers = subscription.headers.values_mut();
        for value in headers.chain(subscription.query_parameters.values_mut()) {
            MASK.clone_into(value);
        }
    }
    subscription
}
