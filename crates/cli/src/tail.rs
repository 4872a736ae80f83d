//! `webhooks tail`: shows attempts as they are made.

use std::collections::HashMap;
use std::time::Duration;

use crate::terminal::{Style, Tone};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use tokio::time::sleep;
use webhooks_client::{
    Api, Attempt, Call, DeliveriesQuery, Delivery, DeliveryStatus, ListLimit, Page,
};
use webhooks_domain::timestamp::Timestamp;

use crate::Outcome;
use crate::answer::send;
use crate::clock::now;
use crate::print::{Printer, Report, one_line, tell};
use crate::when;
use crate::words;

pub(crate) const HELP: &str = "\
Examples:
  webhooks tail cust_1001
  webhooks tail cust_1001 --subscription sub_… --interval 5s
  webhooks --json tail cust_1001 | jq 'select(.attempt.outcome != \"succeeded\")'

It polls the API for the newest 500 deliveries created within --window, so retries of older
deliveries are not shown. Each poll costs about one read unit for each delivery: about $0.11
an hour for 500 deliveries every 2 s, and almost nothing for a few.";

/// The largest number of pages that one poll reads.
const MAX_PAGES: u32 = 5;

/// The shortest time between two polls.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// The number of consecutive failures of the API that are tolerated.
const MAX_FAILURES: u32 = 5;

/// Options of `tail`.
#[derive(Args, Debug)]
pub(crate) struct Tail {
    /// The customer.
    #[arg(value_name = "CUSTOMER")]
    customer: String,
    /// Only deliveries of this subscription, `sub_…`.
    #[arg(long, value_name = "SUBSCRIPTION")]
    subscription: Option<String>,
    /// The time between two polls, at least 1s.
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = interval)]
    interval: Duration,
    /// The largest age of a delivery whose attempts are shown.
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = humantime::parse_duration)]
    window: Duration,
    /// End after this many attempts.
    #[arg(long, value_name = "N")]
    max: Option<u64>,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if interval < MIN_INTERVAL {
        return Err("must be 1s or more: each poll costs read units".to_owned());
    }
    Ok(interval)
}

impl Tail {
    /// Prints attempts until it is interrupted.
    pub(crate) async fn run(&self, api: &Api, printer: &mut Printer<'_>) -> Result<Outcome> {
        tell(format_args!(
            "polling every {} for deliveries of the last {}; press Ctrl-C to end",
            humantime::format_duration(self.interval),
            humantime::format_duration(self.window)
        ));
        let mut watch = SeenAttempts::new(now());
        let (mut shown, mut failures) = (0_u64, 0_u32);
        loop {
            let since = now() - self.window;
            match self.look(api, since).await {
                Ok(deliveries) => {
                    failures = 0;
                    for news in watch.news(&deliveries, since) {
                        printer.next(&news)?;
                        shown += 1;
                        if self.max.is_some_and(|max| shown >= max) {
                            return Ok(Outcome::Complete);
                        }
                    }
                }
                // After the first success, interruptions of the API are tolerated.
                Err(error) if watch.is_running && failures < MAX_FAILURES => {
                    failures += 1;
                    tell(format_args!("no answer, retrying: {error:#}"));
                }
                Err(error) => return Err(error),
            }
            sleep(self.interval).await;
        }
    }

    /// Returns the deliveries created since this time, limited to the newest pages.
    async fn look(&self, api: &Api, since: Timestamp) -> Result<Vec<Delivery>> {
        let mut query = DeliveriesQuery {
            since: Some(since.to_string()),
            limit: Some(ListLimit::LARGEST),
            ..DeliveriesQuery::default()
        };
        let mut deliveries = Vec::new();
        for _ in 0..MAX_PAGES {
            let page: Call<'_, Page<Delivery>> = match &self.subscription {
                Some(subscription) => api.deliveries(&self.customer, subscription, &query),
                None => api.deliveries_of_customer(&self.customer, &query),
            };
            let page = send(page).await?.value;
            deliveries.extend(page.data);
            query.cursor = page.next_cursor;
            if query.cursor.is_none() {
                break;
            }
        }
        Ok(deliveries)
    }
}

/// The attempts that were already shown.
struct SeenAttempts {
    started_at: Timestamp,
    is_running: bool,
    seen: HashMap<String, Seen>,
}

struct Seen {
    created_at: Timestamp,
    attempts: u32,
}

/// An attempt that was not shown before, with its delivery's state after it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewAttempt {
    delivery_id: String,
    message_id: String,
    subscription_id: String,
    customer_id: String,
    event_type: String,
    status: DeliveryStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<String>,
    attempt: Attempt,
}

impl SeenAttempts {
    fn new(started_at: Timestamp) -> Self {
        Self {
            started_at,
            is_running: false,
            seen: HashMap::new(),
        }
    }

    /// Returns the attempts made since the last poll, in order of time. Attempts from before the
    /// start are not shown, and deliveries created before `since` are forgotten.
    fn news(&mut self, deliveries: &[Delivery], since: Timestamp) -> Vec<NewAttempt> {
        self.is_running = true;
        let mut news = Vec::new();
        for delivery in deliveries {
            let seen = self.seen.get(&delivery.id).map(|seen| seen.attempts);
            let is_new = |attempt: &&Attempt| match seen {
                Some(seen) => attempt.number > seen,
                None => Timestamp::parse_rfc3339(&attempt.at) >= Some(self.started_at),
            };
            for attempt in delivery.attempts.iter().filter(is_new) {
                let is_last =
                    delivery.attempts.last().map(|last| last.number) == Some(attempt.number);
                news.push(NewAttempt {
                    delivery_id: delivery.id.clone(),
                    message_id: delivery.message_id.clone(),
                    subscription_id: delivery.subscription_id.clone(),
                    customer_id: delivery.customer_id.clone(),
                    event_type: delivery.event_type.clone(),
                    // Earlier attempts left the delivery pending.
                    status: if is_last {
                        delivery.status
                    } else {
                        DeliveryStatus::Pending
                    },
                    next_attempt_at: delivery.next_attempt_at.clone().filter(|_| is_last),
                    attempt: attempt.clone(),
                });
            }
            let created_at = Timestamp::parse_rfc3339(&delivery.created_at);
            let seen = Seen {
                created_at: created_at.unwrap_or(since),
                attempts: delivery.attempts.last().map_or(0, |last| last.number),
            };
            self.seen.insert(delivery.id.clone(), seen);
        }
        self.seen.retain(|_, seen| seen.created_at >= since);
        news.sort_by(|a, b| a.attempt.at.cmp(&b.attempt.at));
        news
    }
}

impl Report for NewAttempt {
    fn text(&self, style: Style) -> String {
        let attempt = &self.attempt;
        let follows = match (self.status, &self.next_attempt_at) {
            (DeliveryStatus::Failed, _) => "; given up".to_owned(),
            (DeliveryStatus::Pending, Some(next)) => format!("; next {}", when::until(next, now())),
            _ => String::new(),
        };
        let outcome = one_line(&words::outcome(attempt));
        let outcome = style.paint(words::attempt_tone(attempt), &outcome);
        let id = style.paint(Tone::Faint, &self.delivery_id);
        let (at, event_type) = (when::short(&attempt.at), &self.event_type);
        let start = format!("{at}  {event_type}  attempt {}  ", attempt.number);
        let end = format!(", {} ms{follows}  ", attempt.duration_ms);
        let [start, end] = [start, end].map(|text| style.paint(Tone::Plain, &text));
        format!("{start}{outcome}{end}{id}\n")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    /// Builds a delivery that was created a second after the start, with attempts at intervals
    /// of a second.
    fn delivery(id: &str, attempts: u32) -> Delivery {
        let after = |seconds| (START + Duration::from_secs(seconds)).to_string();
        let attempts: Vec<_> = (1..=attempts)
            .map(|number| {
                json!({"number": number, "at": after(u64::from(number)), "durationMs": 5,
                       "outcome": "httpError", "status": 500})
            })
            .collect();
        serde_json::from_value(json!({
            "id": id, "messageId": "msg_1", "subscriptionId": "sub_1", "customerId": "acme",
            "eventType": "order.created", "payloadFormat": "standard", "status": "failed", "createdAt": after(1), "attempts": attempts,
        }))
        .unwrap()
    }

    fn shown(news: &[NewAttempt]) -> Vec<(&str, u32)> {
        let shown = news.iter();
        shown
            .map(|news| (news.delivery_id.as_str(), news.attempt.number))
            .collect()
    }

    #[test]
    fn each_attempt_is_shown_once_and_in_order_of_time() {
        let mut watch = SeenAttempts::new(START);
        let first = watch.news(&[delivery("b", 2), delivery("a", 1)], START);
        assert_eq!(shown(&first), [("b", 1), ("a", 1), ("b", 2)]);
        assert!(
            watch
                .news(&[delivery("b", 2), delivery("a", 1)], START)
                .is_empty()
        );
        let later = watch.news(&[delivery("b", 2), delivery("a", 3)], START);
        assert_eq!(shown(&later), [("a", 2), ("a", 3)]);
        assert_eq!(later[0].status, DeliveryStatus::Pending);
        assert_eq!(later[1].status, DeliveryStatus::Failed);
    }

    #[test]
    fn attempts_before_the_start_are_not_shown() {
        let mut watch = SeenAttempts::new(START + Duration::from_secs(2));
        let news = watch.news(&[delivery("a", 3)], START);
        assert_eq!(shown(&news), [("a", 2), ("a", 3)]);
    }

    #[test]
    fn deliveries_outside_the_window_are_forgotten() {
        let mut watch = SeenAttempts::new(START);
        watch.news(&[delivery("a", 1)], START);
        assert_eq!(watch.seen.len(), 1);
        watch.news(&[], START + Duration::from_mins(1));
        assert!(watch.seen.is_empty());
    }

    #[test]
    fn looking_more_often_than_each_second_is_refused() {
        assert_eq!(interval("1s"), Ok(MIN_INTERVAL));
        assert!(interval("999ms").unwrap_err().contains("1s"));
        assert!(interval("often").is_err());
    }

    #[test]
    fn a_line_says_what_happened_and_what_follows() {
        let mut watch = SeenAttempts::new(START);
        let news = watch.news(&[delivery("dlv_1", 1)], START);
        assert_eq!(
            news[0].text(Style::Plain),
            "2026-11-18T11:06:41Z  order.created  attempt 1  answered 500 Internal Server Error: \
             the endpoint failed, 5 ms; given up  dlv_1\n"
        );
    }

    #[test]
    fn no_field_of_an_attempt_moves_a_terminal_or_forges_a_line() {
        let harmful = "\u{1b}[2J\u{9b}A\r\n\u{7f}\u{202e}\u{2028}\u{200b}";
        let mut foreign = delivery(&format!("dlv_1{harmful}"), 1);
        foreign.event_type = format!("order{harmful}forged");
        foreign.attempts[0].error = Some(format!("no{harmful}"));
        foreign.attempts[0].outcome = webhooks_client::AttemptOutcome::Unreachable;
        let news = SeenAttempts::new(START).news(&[foreign], START);
        let text = news[0].text(Style::Plain);
        assert_eq!(text.lines().count(), 1, "{text:?}");
        let text = text.trim_end();
        assert!(!text.contains(crate::terminal::is_harmful), "{text:?}");
    }
}
