//! The paths of the portal, each once: the pages link to them, and the router of the function
//! parses them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The characters of a segment that stay as they are.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Declares the routes: each with its ids in the order of its path.
macro_rules! routes {
    ($($(#[$doc:meta])* $name:ident $({ $($field:ident),+ })? = $pattern:literal;)+) => {
        /// A path of the portal, with its ids.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Route {
            $(
                $(#[$doc])*
                $name $({ $(
                    #[doc = concat!("The id of the ", stringify!($field), ".")]
                    $field: String
                ),+ })?
            ),+
        }

        impl Route {
            /// The forms of all paths.
            pub const PATTERNS: &[&str] = &[$($pattern),+];

            /// The form of this path.
            pub fn pattern(&self) -> &'static str {
                match self {
                    $(Self::$name $({ $($field: _),+ })? => $pattern),+
                }
            }

            fn ids(&self) -> Vec<&str> {
                match self {
                    $(Self::$name $({ $($field),+ })? => vec![$($($field.as_str()),+)?]),+
                }
            }

            /// Parses a path as it came in the request, percent-encoded. `None` for an unknown
            /// path; this needs no read.
            pub fn parse(path: &str) -> Option<Self> {
                $(
                    if let Some(ids) = ids_in(path, $pattern) {
                        let mut ids = ids.into_iter();
                        return Some(Self::$name $({ $($field: ids.next()?),+ })?)
                            .filter(|_| ids.next().is_none());
                    }
                )+
                None
            }
        }
    };
}

routes! {
    /// GET: the page that exchanges the code of a link for a session. It needs no session.
    Enter = "/";
    /// POST: starts a session.
    Session = "/session";
    /// POST: ends the session.
    EndSession = "/session/end";
    /// GET: says that the session has ended. It needs no session.
    Ended = "/ended";
    /// GET: the stylesheet of the operator's brand. It needs no session.
    BrandStyle = "/brand.css";
    /// GET: searches for an id, and lists the customers. Console only, as all below it.
    Search = "/console";
    /// GET: the subscriptions with problems.
    Unhealthy = "/console/unhealthy";
    /// GET: the queues.
    Queues = "/console/queues";
    /// GET: the runbook of an alarm.
    Runbook { alarm } = "/console/runbooks/{alarm}";
    /// GET: a message with its deliveries.
    Message { message } = "/console/messages/{message}";
    /// GET: the endpoints of a customer.
    Endpoints { customer } = "/customers/{customer}/endpoints";
    /// GET: the form for a new endpoint. POST: creates it, or tries its filter.
    NewEndpoint { customer } = "/customers/{customer}/endpoints/new";
    /// GET: one endpoint.
    Endpoint { customer, subscription } = "/customers/{customer}/endpoints/{subscription}";
    /// GET: the form of an endpoint. POST: changes it, or tries its filter.
    EditEndpoint { customer, subscription } =
        "/customers/{customer}/endpoints/{subscription}/edit";
    /// POST: pauses an endpoint.
    PauseEndpoint { customer, subscription } =
        "/customers/{customer}/endpoints/{subscription}/pause";
    /// POST: enables an endpoint. The field `held` has the fate of held deliveries.
    EnableEndpoint { customer, subscription } =
        "/customers/{customer}/endpoints/{subscription}/enable";
    /// GET: asks for a confirmation. POST: deletes an endpoint.
    DeleteEndpoint { customer, subscription } =
        "/customers/{customer}/endpoints/{subscription}/delete";
    /// POST: shows the secrets.
    Secrets { customer, subscription } =
        "/customers/{customer}/endpoints/{subscription}/secrets";
    /// POST: rotates the secret. The field `overlapSeconds` has the overlap.
    RotateSecret { customer, subscription } =
        "/customers/{customer}/endpoints/{subscription}/secrets/rotate";
    /// POST: sends a test. The field `eventType` has the type of its event.
    TestEndpoint { customer, subscription } =
        "/customers/{customer}/endpoints/{subscription}/test";
    /// GET: the deliveries of an endpoint.
    Deliveries { customer, subscription } =
        "/customers/{customer}/endpoints/{subscription}/deliveries";
    /// GET: the recoveries of an endpoint, and the form for a new one. POST: starts one.
    Recoveries { customer, subscription } =
        "/customers/{customer}/endpoints/{subscription}/recoveries";
    /// POST: counts the deliveries that a recovery would send.
    CountRecovery { customer, subscription } =
        "/customers/{customer}/endpoints/{subscription}/recoveries/count";
    /// GET: one recovery. The parameter `of` has the number of deliveries that were counted.
    Recovery { customer, subscription, recovery } =
        "/customers/{customer}/endpoints/{subscription}/recoveries/{recovery}";
    /// POST: stops a recovery.
    StopRecovery { customer, subscription, recovery } =
        "/customers/{customer}/endpoints/{subscription}/recoveries/{recovery}/stop";
    /// GET: the event types of the catalogue. The parameters are `q` and `page`.
    EventTypes { customer } = "/customers/{customer}/event-types";
    /// GET: one event type of the catalogue.
    EventType { customer, event_type } = "/customers/{customer}/event-types/{event_type}";
    /// GET: one delivery.
    Delivery { customer, delivery } = "/customers/{customer}/deliveries/{delivery}";
    /// POST: resends a delivery.
    ResendDelivery { customer, delivery } =
        "/customers/{customer}/deliveries/{delivery}/resend";
    /// POST: cancels the message of a delivery, for all endpoints.
    CancelDelivery { customer, delivery } =
        "/customers/{customer}/deliveries/{delivery}/cancel";
}

impl Route {
    /// The path, percent-encoded.
    pub fn path(&self) -> String {
        let mut path = String::new();
        let mut ids = self.ids().into_iter();
        for segment in self.pattern().split('/').skip(1) {
            path.push('/');
            if is_id(segment) {
                path.extend(utf8_percent_encode(ids.next().unwrap_or_default(), SEGMENT));
            } else {
                path.push_str(segment);
            }
        }
        path
    }

    /// The customer whose path it is. `None` for a path of no customer.
    pub fn customer(&self) -> Option<&str> {
        let is_of_customer = self.pattern().starts_with("/customers/{customer}/");
        self.ids().first().copied().filter(|_| is_of_customer)
    }
}

fn is_id(segment: &str) -> bool {
    segment.starts_with('{')
}

/// The ids in a path of this form, decoded. `None` if the path has another form.
fn ids_in(path: &str, pattern: &str) -> Option<Vec<String>> {
    let mut ids = Vec::new();
    let mut segments = path.split('/');
    for expected in pattern.split('/') {
        let segment = segments.next()?;
        if is_id(expected) {
            let id = percent_decode_str(segment).decode_utf8().ok()?;
            if id.is_empty() {
                return None;
            }
            ids.push(id.into_owned());
        } else if segment != expected {
            return None;
        }
    }
    segments.next().is_none().then_some(ids)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_has_one_form() {
        assert_eq!(Route::parse("/"), Some(Route::Enter));
        let endpoint = Route::Endpoint {
            customer: "a|b".into(),
            subscription: "sub_1".into(),
        };
        assert_eq!(endpoint.path(), "/customers/a%7Cb/endpoints/sub_1");
        assert_eq!(Route::parse(&endpoint.path()), Some(endpoint));
        for path in [
            "",
            "//",
            "/nothing",
            "/console/",
            "/customers//endpoints",
            "/customers/%ff/endpoints",
            "/customers/a/endpoints/",
            "/customers/a/endpoints/s/unknown",
            "search",
        ] {
            assert_eq!(Route::parse(path), None, "{path}");
        }
    }

    #[test]
    fn new_is_not_an_id() {
        let path = "/customers/c/endpoints/new";
        let customer = "c".to_owned();
        assert_eq!(Route::parse(path), Some(Route::NewEndpoint { customer }));
    }

    #[test]
    fn every_path_below_customers_is_of_that_customer() {
        for pattern in Route::PATTERNS {
            let path = pattern
                .replace("{customer}", "acme")
                .replace(['{', '}'], "");
            let route = Route::parse(&path).unwrap();
            let expected = pattern.contains("customer").then_some("acme");
            assert_eq!(route.customer(), expected, "{pattern}");
            assert_eq!(route.path(), path);
        }
    }

    proptest! {
        #[test]
        fn ids_survive_a_path(customer in "\\PC{1,20}", recovery in ".{1,20}") {
            let route = Route::Recovery {
                customer,
                subscription: "sub_1".to_owned(),
                recovery,
            };
            let path = route.path();
            prop_assert!(path.is_ascii());
            prop_assert_eq!(Route::parse(&path), Some(route));
        }
    }
}
