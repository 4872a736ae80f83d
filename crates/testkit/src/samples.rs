//! Small valid values of the domain's types.

use std::time::Duration;

use webhooks_domain::delivery::{
    AnswerBody, Attempt, Delivery, DeliveryStatus, DeliveryTrigger, ExchangeId, HoldReason,
};
use webhooks_domain::event::{EventReader, JsonPointer};
use webhooks_domain::event_type::{EventTypePattern, EventTypePatterns};
use webhooks_domain::health::Health;
use webhooks_domain::ids::{CustomerId, DeliveryId, MessageId, SubscriptionId};
use webhooks_domain::limits::Limits;
use webhooks_domain::message::{Message, Payload};
use webhooks_domain::metadata::Metadata;
use webhooks_domain::outbound::authentication::{Basic, ClientAuthentication, OAuth2};
use webhooks_domain::outbound::{
    AttemptOutcome, CustomHeaders, DevelopmentNetworks, EndpointAuthentication, EndpointUrl,
    FailedTokenRequest, Method, QueryParameters, ResponseBody, ResponseHeaders, SealedCredential,
    SealedHeaders, SealedToken, Timings, TokenAnswer, TokenGeneration, TokenLease, TokenLife,
    TokenRecord, WebhookResponse,
};
use webhooks_domain::paging::Place;
use webhooks_domain::payload_format::PayloadFormat;
use webhooks_domain::payload_shape::{PayloadShape, PayloadShapeParts, Transform};
use webhooks_domain::quota::Quota;
use webhooks_domain::recovery::{
    Progress, Range, Rate, Recovery, RecoveryKind, RecoveryStatus, UndeliveredStatus,
    UndeliveredStatuses,
};
use webhooks_domain::signing::{Overlap, PublicKey, SealedSecret, SealedSecrets};
use webhooks_domain::subscription::{Subscription, SubscriptionStatus};
use webhooks_domain::timestamp::Timestamp;

/// A delivery with this status is held, because its subscription is paused or disabled.
pub const HELD: DeliveryStatus = DeliveryStatus::Held(HoldReason::NotActive);

/// A delivery with this status is held until its endpoint is available again.
pub const AWAITING_ENDPOINT: DeliveryStatus = DeliveryStatus::Held(HoldReason::EndpointUnavailable);

/// The time at which tests begin.
pub const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A customer id.
pub fn customer(text: &str) -> CustomerId {
    text.parse().expect("tests name valid customers")
}

/// The subscription id with this number.
pub fn subscription_id(number: u128) -> SubscriptionId {
    format!("sub_{number:032x}").parse().expect("32 digits")
}

/// Reads events with the default pointers of the template.
pub fn event_reader() -> EventReader {
    let pointer = |text: &str| -> JsonPointer { text.parse().expect("a JSON pointer") };
    EventReader {
        operator: None,
        customer_id: pointer("/detail/customerId"),
        idempotency_key: pointer("/detail/idempotencyKey"),
        deadline: pointer("/detail/webhookDeadline"),
        deliver_at: pointer("/detail/webhookDeliverAt"),
    }
}

/// A URL.
pub fn url(text: &str) -> EndpointUrl {
    EndpointUrl::parse(text, &DevelopmentNetworks::none()).expect("tests name valid URLs")
}

/// The default quota of a customer.
pub const QUOTA: Quota = Quota {
    subscriptions: 1_000,
};

/// An active subscription to all events, whose secret is not encrypted.
pub fn subscription(customer_id: &str, number: u128) -> Subscription {
    let everything = EventTypePattern::try_from("*".to_owned()).expect("a pattern");
    Subscription {
        id: subscription_id(number),
        customer_id: customer(customer_id),
        url: url("https://example.com/hook"),
        event_types: EventTypePatterns::try_from(vec![everything]).expect("one pattern"),
        filter: None,
        payload: PayloadShape::default(),
        method: Method::default(),
        query: QueryParameters::default(),
        description: None,
        headers: CustomHeaders::default(),
        secret_headers: SealedHeaders::default(),
        authentication: None,
        timeout: None,
        limits: Limits::default(),
        metadata: Metadata::default(),
        retry_policy: None,
        secrets: SealedSecrets::only(SealedSecret {
            version: 1,
            public_key: None,
            sealed: vec![0; 60],
        }),
        status: SubscriptionStatus::Active,
        disabled: None,
        disabled_warned_at: None,
        certificate_warned: None,
        health: Health::default(),
        created_at: NOW,
        updated_at: NOW,
        version: 1,
        request_version: 1,
    }
}

/// Unencrypted secrets of both kinds, as while a subscription migrates to ed25519.
pub fn migrating_secrets() -> SealedSecrets {
    let before = subscription("any", 1).secrets;
    let next = SealedSecret {
        version: before.next_version(),
        public_key: Some(PublicKey::from_bytes([1; PublicKey::BYTES])),
        sealed: vec![0; 60],
    };
    let rotated = before.rotate(next, Overlap::default(), NOW);
    rotated.expect("two are not too many")
}

/// Two secret headers, which are not encrypted.
pub fn secret_headers() -> SealedHeaders {
    let sealed = |name: &str, bytes| (name.to_owned(), vec![7; bytes]);
    SealedHeaders::from_stored([sealed("authorization", 60), sealed("x-api-key", 28)])
}

/// A user name, with a password that is not encrypted.
pub fn authentication() -> SealedCredential {
    SealedCredential {
        authentication: EndpointAuthentication::Basic(Basic {
            username: "ann".to_owned(),
        }),
        sealed: vec![7; 40],
    }
}

/// A client of a token endpoint, with a secret that is not encrypted.
pub fn oauth2() -> SealedCredential {
    SealedCredential {
        authentication: EndpointAuthentication::OAuth2(OAuth2 {
            token_url: url("https://login.example.com/token"),
            client_id: "acme".to_owned(),
            scope: Some("orders:write".to_owned()),
            audience: None,
            client_authentication: ClientAuthentication::Header,
        }),
        sealed: vec![8; 40],
    }
}

/// The answer of a token endpoint that grants this token for some seconds.
pub fn granted(token: &str, seconds: u32) -> TokenAnswer {
    let body =
        format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{seconds}}}"#);
    TokenAnswer::Answered {
        status: 200,
        body: body.into_bytes(),
    }
}

/// A refusal of a token endpoint.
pub fn token_refused(status: u16, code: &str) -> TokenAnswer {
    TokenAnswer::Answered {
        status,
        body: format!(r#"{{"error":"{code}","error_description":"s3cret"}}"#).into_bytes(),
    }
}

/// A record of an access token with everything that it can have. The token is not encrypted.
pub fn token_record(revision: u64) -> TokenRecord {
    TokenRecord {
        generation: TokenGeneration::from_bytes([3; TokenGeneration::BYTES]),
        revision,
        token: Some(SealedToken {
            number: u64::MAX,
            sealed: vec![9; 60],
            life: TokenLife {
                from: NOW,
                end: NOW + Duration::from_hours(1),
            },
        }),
        lease: Some(TokenLease {
            since: NOW,
            until: NOW + Duration::from_secs(19),
        }),
        failure: Some(FailedTokenRequest {
            at: NOW,
            error: "token endpoint answered 401 invalid_client".to_owned(),
        }),
        renewed_at: Some(NOW),
    }
}

/// The summary of a client certificate, with a key that is not encrypted.
pub fn client_certificate() -> SealedCredential {
    let settings = serde_json::json!({
        "type": "mtls", "subject": "CN=webhooks, O=Example", "issuer": "CN=Example CA",
        "sha256Fingerprint": "0".repeat(64), "notBefore": NOW,
        "notAfter": NOW + Duration::from_hours(24 * 365),
    });
    SealedCredential {
        authentication: serde_json::from_value(settings).expect("a summary"),
        sealed: vec![7; 700],
    }
}

/// A shape whose format does not say everything.
pub fn transform() -> PayloadShape {
    let paths = [("order".to_owned(), "$.detail.order".to_owned())];
    PayloadShape::new(PayloadShapeParts {
        format: PayloadFormat::Transform,
        transform: Some(Transform::new(paths.into(), r#"{"n":<order>}"#.to_owned())),
        ..PayloadShapeParts::default()
    })
    .expect("a transform")
}

/// A message of the event with this id.
pub fn message(customer_id: &str, event_id: &str) -> Message {
    let customer_id = customer(customer_id);
    Message {
        id: MessageId::from_event_id(&customer_id, event_id),
        customer_id,
        event_type: "order.created".parse().expect("a type"),
        time: "2026-01-31T09:30:00Z".to_owned(),
        deadline: None,
        deliver_at: None,
        cancelled_at: None,
        is_test: false,
        payload: Payload::new(r#"{"detail":{"order":1}}"#),
    }
}

/// A pending delivery of the message, with no attempt yet.
pub fn delivery(message: &Message, subscription: SubscriptionId) -> Delivery {
    Delivery {
        id: DeliveryId {
            message: message.id,
            subscription,
        },
        customer_id: message.customer_id.clone(),
        event_type: message.event_type.clone(),
        payload_format: PayloadFormat::default(),
        shape_version: None,
        link: None,
        status: DeliveryStatus::Pending,
        attempts: Vec::new(),
        trigger: DeliveryTrigger::Event,
        earlier_attempts: 0,
        created_at: NOW,
        next_attempt_at: None,
        expires_at: NOW + Duration::from_hours(24),
    }
}

/// Two recoveries of the customer, the older first: one has just begun, the other has sent many
/// deliveries.
pub fn recoveries(customer_id: &str) -> [Recovery; 2] {
    let id = |number: u8| {
        let id = format!("rec_{number:032x}");
        id.parse().expect("32 digits")
    };
    let begun = Recovery {
        id: id(1),
        customer_id: customer(customer_id),
        subscription_id: subscription_id(1),
        kind: RecoveryKind::Recover(UndeliveredStatuses::Only(UndeliveredStatus::Held)),
        range: Range {
            since: NOW - Duration::from_hours(1),
            until: NOW,
        },
        per_second: Rate::default(),
        status: RecoveryStatus::Running,
        progress: Progress::default(),
        started_at: NOW,
        updated_at: NOW,
        expires_at: NOW + Duration::from_hours(24),
        version: 1,
    };
    let far = Recovery {
        id: id(2),
        kind: RecoveryKind::Replay,
        status: RecoveryStatus::Stopping,
        progress: Progress {
            examined: 5,
            queued: 3,
            skipped: 2,
            place: Some(Place {
                at: NOW,
                message: message(customer_id, "far").id,
            }),
            paced_until: Some(NOW),
            pages: 1,
            is_second_reading: true,
        },
        version: 4,
        ..begun.clone()
    };
    [begun, far]
}

/// A failed attempt with this number.
pub fn failed_attempt(number: u32) -> Attempt {
    Attempt {
        number,
        at: NOW,
        duration_ms: 12,
        outcome: AttemptOutcome::HttpError,
        status: Some(500),
        error: None,
        addresses: vec!["192.0.2.1".parse().expect("an address")],
        request_version: 1,
        timings: Timings::default(),
        response_headers: ResponseHeaders::keep(|name| {
            (name == "content-type").then_some(b"text/plain".as_slice())
        }),
        response_excerpt: Some("try later".to_owned()),
        answer_body: AnswerBody::default(),
    }
}

/// An answer with this status.
pub fn response(status: u16) -> WebhookResponse {
    let success = (200..300).contains(&status);
    WebhookResponse {
        outcome: if success {
            AttemptOutcome::Succeeded
        } else {
            AttemptOutcome::HttpError
        },
        status: Some(status),
        error: None,
        addresses: Vec::new(),
        headers: ResponseHeaders::default(),
        body: ResponseBody::default(),
        retry_after: None,
        duration_ms: 12,
        timings: Timings::default(),
    }
}

/// The body of an answer.
pub fn body(text: &str) -> ResponseBody {
    ResponseBody {
        text: text.to_owned(),
        size_bytes: u32::try_from(text.len()).expect("tests write short texts"),
        is_cut: false,
    }
}

/// The id of the answer to the first attempt of a delivery of a customer to this subscription.
pub fn exchange_id(customer_id: &str, number: u128) -> ExchangeId {
    let delivery = delivery(&message(customer_id, "event-1"), subscription_id(number));
    failed_attempt(1).exchange_id(delivery.id)
}

/// The lowest and the highest key that a subscription of the customer can have.
pub(crate) fn all_subscriptions_of(
    customer: &CustomerId,
) -> ((CustomerId, SubscriptionId), (CustomerId, SubscriptionId)) {
    let key = |number| (customer.clone(), subscription_id(number));
    (key(u128::MIN), key(u128::MAX))
}
