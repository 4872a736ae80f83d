//! The data of the samples, as the API would answer them.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use webhooks_api_types::{
    ActiveSecret, Broken, DeliveriesQuery, Delivery, DeliveryStatus, EventType, HourStatistics,
    Message, Recovery, Statistics, Subscription, UnhealthySubscription,
};
use webhooks_pages::delivery::DeliveryView;

use super::Foreign;

pub(crate) struct Data<'a> {
    pub(crate) foreign: Foreign<'a>,
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    // From its text: a filter keeps the text as it came.
    serde_json::from_str(&value.to_string()).unwrap()
}

impl Data<'_> {
    fn text(&self, text: &str) -> String {
        (self.foreign)(text)
    }

    /// An event type that has everything.
    pub(crate) fn event_type(&self) -> EventType {
        let t = |text| self.text(text);
        read(&json!({
            "name": t("order.placed"), "description": t("A customer has placed an order."),
            "group": t("Orders"),
            "schema": {"type": "object", "title": t("Order"), "required": ["total"], "properties": {
                "total": {"type": "number"}, t("shop"): {"enum": [t("berlin"), t("paris")]},
            }},
            "examples": [{"total": 120, t("shop"): t("berlin")}, {"total": 7}],
            "deprecated": {"replacedBy": t("order.created")},
            "version": 3, "createdAt": t("2026-10-01T08:00:00.000Z"),
            "updatedAt": t("2026-11-20T08:00:00.000Z"),
        }))
    }

    /// An endpoint that has everything, and one that is disabled.
    pub(crate) fn subscriptions(&self) -> Vec<Subscription> {
        let t = |text| self.text(text);
        let first = json!({
            "id": t("sub_70e79b2df96dcca5a0a362236c8d86f4"), "customerId": t("cust_1001"),
            "url": t("https://example.com/webhooks/orders?source=provider"),
            "eventTypes": [t("order.*"), t("invoice.paid")],
            "filter": {t("order"): {"total": [{"numeric": [">", 100]}], "shop": [t("berlin")]}},
            "description": t("Orders for the shop system"), "payloadFormat": "standard",
            "metadata": {t("team"): t("blue")}, "headers": {t("x-shop"): t("berlin")},
            "secretHeaders": [t("authorization")],
            "authentication": {"type": "apiKey", "header": t("x-api-key")}, "timeoutSeconds": 10, "rateLimitPerSecond": 50,
            "maxInFlight": 5, "retryPolicy": {"schedule": [0, 60, 3600, 86400], "jitter": 0.1},
            "secrets": [
                {"version": 2, "kind": "v1"},
                {"version": 1, "kind": "v1a", "publicKey": t("whpk_0123456789"), "expiresAt": t("2026-11-30T15:30:00.000Z")},
            ],
            "status": "active", "health": {
                "failingSince": t("2026-11-29T12:00:00.000Z"), "circuitOpenSince": t("2026-11-29T12:10:00.000Z"),
                "circuitOpenUntil": t("2026-11-29T15:40:00.000Z"), "slowSince": t("2026-11-29T11:00:00.000Z"),
                "holdingSince": t("2026-11-29T13:00:00.000Z"),
            },
            "version": 3, "createdAt": t("2026-10-01T08:00:00.000Z"), "updatedAt": t("2026-11-20T08:00:00.000Z"),
        });
        let second = json!({
            "id": t("sub_11111111111111111111111111111111"), "customerId": t("cust_1001"),
            "url": t("https://hooks.example.net/"), "eventTypes": [t("*")], "payloadFormat": "event",
            "authentication": {
                "type": "mtls", "subject": t("CN=webhooks, O=Example"), "issuer": t("CN=Example CA"),
                "sha256Fingerprint": t("2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"),
                "notBefore": t("2026-01-01T00:00:00.000Z"), "notAfter": t("2026-12-05T00:00:00.000Z"),
            },
            "secrets": [{"version": 1, "kind": "v1a", "publicKey": t("whpk_0123456789")}],
            "retryPolicy": {"maxAttempts": 5, "intervalSeconds": 10, "backoffRate": 2.5, "maxDelaySeconds": 600},
            "status": "disabled", "disabledReason": "endpointGone", "disabledAt": t("2026-11-28T12:00:00.000Z"),
            "version": 1, "createdAt": t("2026-10-01T08:00:00.000Z"), "updatedAt": t("2026-11-28T12:00:00.000Z"),
        });
        vec![read(&first), read(&second)]
    }

    pub(crate) fn secrets(&self) -> Vec<ActiveSecret> {
        let t = |text| self.text(text);
        let secrets = json!([
            {"version": 2, "kind": "v1", "secret": t("whsec_SAMPLEMfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")},
            {"version": 1, "kind": "v1a", "secret": t("whsk_SAMPLE"), "publicKey": t("whpk_SAMPLE"), "expiresAt": t("2026-11-30T15:30:00.000Z")},
        ]);
        read(&secrets)
    }

    pub(crate) fn statistics(&self, is_quiet: bool) -> Statistics {
        let none = json!({
            "status3xx": 0, "status4xx": 0, "status5xx": 0, "otherStatus": 0, "timedOut": 0,
            "unreachable": 0, "blocked": 0,
        });
        let some = json!({
            "status3xx": 0, "status4xx": 3, "status5xx": 40, "otherStatus": 0, "timedOut": 7,
            "unreachable": 0, "blocked": 0,
        });
        let period = |attempts: u64, failed: u64| {
            json!({
                "since": "2026-11-28T15:00:00.000Z", "attempts": attempts, "succeeded": attempts - failed,
                "succeededStandardError": 3, "failed": failed, "successShare": 0.9934,
                "failures": some, "answerTimeMs": {"p50": 85, "p95": 1250},
            })
        };
        let quiet = json!({
            "since": "2026-11-28T15:00:00.000Z", "attempts": 0, "succeeded": 0,
            "succeededStandardError": 0, "failed": 0, "failures": none,
        });
        let periods = if is_quiet {
            [quiet.clone(), quiet.clone(), quiet]
        } else {
            [quiet, period(7_612, 50), period(51_998, 50)]
        };
        let [hour, day, week] = periods;
        let mut statistics: Statistics = read(&json!({
            "lastHour": hour, "lastDay": day, "last7Days": week, "hours": [],
            "sampling": {"successes": 10, "failures": 1, "answerTimeErrorPercent": 19},
        }));
        statistics.hours = (0..24)
            .map(|hour| HourStatistics {
                start: self.text("2026-11-29T00:00:00.000Z"),
                attempts: if is_quiet { 0 } else { 200 + hour * 13 },
                succeeded: if is_quiet || hour == 20 {
                    0
                } else {
                    195 + hour * 13
                },
            })
            .collect();
        statistics
    }

    pub(crate) fn broken(&self) -> Broken {
        read(&json!({"id": self.text("sub_broken"), "problem": self.text("filter: is not JSON")}))
    }

    pub(crate) fn deliveries_query(&self) -> DeliveriesQuery {
        DeliveriesQuery {
            status: Some(DeliveryStatus::Failed),
            event_type: Some(self.text("order.*")),
            since: Some(self.text("2026-11-28T00:00:00.000Z")),
            until: Some(self.text("2026-11-29T00:00:00.000Z")),
            limit: None,
            cursor: None,
        }
    }

    fn delivery_json(&self, status: &str, trigger: &str) -> Value {
        let t = |text| self.text(text);
        json!({
            "id": t("dlv_9d621ecde980c9e89ef2b0fa0f4cc7e6_70e79b2df96dcca5a0a362236c8d86f4"),
            "messageId": t("msg_9d621ecde980c9e89ef2b0fa0f4cc7e6"),
            "subscriptionId": t("sub_70e79b2df96dcca5a0a362236c8d86f4"), "customerId": t("cust_1001"),
            "eventType": t("order.created"), "payloadFormat": "standard", "trigger": trigger,
            "status": status, "createdAt": t("2026-11-29T15:00:00.000Z"), "earlierAttempts": 2,
            "reason": (status == "failed").then_some("attemptsExhausted"),
            "nextAttemptAt": (status == "pending").then(|| t("2026-11-29T15:45:00.000Z")),
            "attempts": [
                {
                    "number": 1, "at": t("2026-11-29T15:00:01.000Z"), "durationMs": 15012, "outcome": "timedOut",
                    "error": t("response: no headers within 15000 ms"), "addresses": [t("203.0.113.10")],
                },
                {
                    "number": 2, "at": t("2026-11-29T15:05:06.000Z"), "durationMs": 85, "outcome": "httpError",
                    "status": 503, "addresses": [t("203.0.113.10")], "responseHeaders": {t("server"): t("nginx")},
                    "responseExcerpt": t("<h1>Service unavailable</h1>"),
                },
            ],
        })
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        let all = [
            ("pending", "event"),
            ("held", "replay"),
            ("succeeded", "test"),
            ("failed", "resend"),
            ("cancelled", "event"),
        ];
        let read_one = |(status, trigger)| read(&self.delivery_json(status, trigger));
        all.into_iter().map(read_one).collect()
    }

    pub(crate) fn delivery(&self, has_exchange: bool) -> DeliveryView {
        let t = |text| self.text(text);
        let status = if has_exchange { "failed" } else { "pending" };
        let mut delivery = self.delivery_json(status, "resend");
        let body = r#"{"type":"order.created","timestamp":"2026-11-29T15:00:00Z","data":{"customerId":"cust_1001","order":{"id":"ord_1","total":120,"note":"<b>quick</b>"}}}"#;
        delivery["body"] = Value::from(t(body));
        delivery["bodyProblem"] = Value::from(t("the message cannot be read"));
        if has_exchange {
            let attempts = delivery["attempts"].as_array_mut().expect("a list");
            for attempt in attempts {
                attempt["request"] = json!({
                    "method": t("POST"), "url": t("https://example.com/webhooks"),
                    "headers": {
                        t("content-type"): t("application/json"), t("webhook-signature"): t("***"),
                    },
                });
                attempt["response"] = json!({
                    "status": 503, "headers": {t("retry-after"): t("60")},
                    "body": t("<html><body>\n<h1>Service unavailable</h1>\n</body></html>"),
                    "bodyTruncated": true, "sizeBytes": 70_000,
                });
                attempt["timings"] =
                    json!({"dnsMs": 3, "connectMs": 12, "tlsMs": 25, "firstByteMs": 44});
            }
        }
        DeliveryView {
            delivery: read(&delivery),
            url: Some(t("https://example.com/webhooks")),
        }
    }

    pub(crate) fn recovery(&self, status: &str) -> Recovery {
        let t = |text| self.text(text);
        read(&json!({
            "id": t("rec_019ab3f0c2d17c6e5d4c3b2a19080706"), "kind": "recover", "status": status,
            "since": t("2026-11-29T09:00:00.000Z"), "until": t("2026-11-29T12:00:00.000Z"),
            "statuses": ["failed"], "perSecond": 20, "examined": 345, "queued": 300, "skipped": 45,
            "startedAt": t("2026-11-29T15:29:00.000Z"), "updatedAt": t("2026-11-29T15:29:55.000Z"),
        }))
    }

    pub(crate) fn unhealthy(&self) -> UnhealthySubscription {
        let t = |text| self.text(text);
        read(&json!({
            "id": t("sub_70e79b2df96dcca5a0a362236c8d86f4"), "customerId": t("cust_1001"),
            "url": t("https://example.com/webhooks"), "status": "active",
            "since": t("2026-11-29T12:00:00.000Z"), "owed": {"count": 50, "complete": false},
            "problems": [
                {"kind": "circuitOpen", "since": t("2026-11-29T12:10:00.000Z")},
                {"kind": "failing", "since": t("2026-11-29T12:00:00.000Z")},
            ],
        }))
    }

    pub(crate) fn message(&self) -> Message {
        let t = |text| self.text(text);
        let mut message: Message = read(&json!({
            "id": t("msg_9d621ecde980c9e89ef2b0fa0f4cc7e6"), "customerId": t("cust_1001"),
            "eventType": t("order.created"), "time": t("2026-11-29T15:00:00Z"),
            "receivedAt": t("2026-11-29T15:00:00.123Z"), "deliveries": [], "nextCursor": t("cursor"),
        }));
        message.deliveries = self.deliveries();
        message.broken = vec![self.broken()];
        message
    }
}
