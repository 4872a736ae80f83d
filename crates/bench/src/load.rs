//! Customers with endpoints, events for them, and the time of each event to its first request.

use std::{
    collections::HashMap,
    ops::Range,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval},
};
use webhooks_client::{Api, Event, Stack};
use webhooks_receiver::{Answer, Receiver};

use crate::{stats::millis, workload};

/// The type of every event.
const EVENT_TYPE: &str = "order.created";

/// Customers, each with the same number of endpoints.
pub(crate) struct Crowd {
    /// The receiver of all endpoints, one path each.
    pub(crate) receiver: Receiver,
    customers: Vec<String>,
    /// The subscriptions, each with its customer.
    subscription_ids: Vec<(usize, String)>,
    endpoints_each: usize,
    next_event: usize,
    /// The time at which each event was put, by its number.
    put_at: HashMap<usize, SystemTime>,
}

impl Crowd {
    /// Subscribes the endpoints. They answer immediately unless scripted otherwise.
    pub(crate) async fn subscribe(
        api: &Api,
        name: &str,
        customers: usize,
        endpoints_each: usize,
    ) -> Result<Self> {
        let receiver = Receiver::start().await?;
        let customers: Vec<_> = (0..customers).map(|n| format!("{name}-{n}")).collect();
        let mut subscription_ids = Vec::new();
        for (place, customer) in customers.iter().enumerate() {
            for endpoint in 0..endpoints_each {
                let url = receiver.url(&path(customer, endpoint));
                let subscription = json!({"url": url, "eventTypes": [EVENT_TYPE]});
                let created = api
                    .create_subscription(customer, &subscription)
                    .await
                    .with_context(|| format!("subscribing endpoint {endpoint} of {customer}"))?;
                subscription_ids.push((place, created.subscription.id));
            }
        }
        Ok(Self {
            receiver,
            customers,
            subscription_ids,
            endpoints_each,
            next_event: 0,
            put_at: HashMap::new(),
        })
    }

    /// Deletes the subscriptions of the customers in this range, so that nothing more is sent
    /// to them.
    pub(crate) async fn unsubscribe(&self, api: &Api, customers: Range<usize>) -> Result<()> {
        for (place, id) in &self.subscription_ids {
            if customers.contains(place) {
                api.delete_subscription(&self.customers[*place], id).await?;
            }
        }
        Ok(())
    }

    /// Sets the answers of the endpoints of the customers in this range.
    pub(crate) fn script(&self, customers: Range<usize>, answers: &[Answer]) {
        for customer in &self.customers[customers] {
            for endpoint in 0..self.endpoints_each {
                let path = path(customer, endpoint);
                self.receiver.script(&path, answers.iter().cloned());
            }
        }
    }

    /// Returns the number of customers.
    pub(crate) fn customers(&self) -> usize {
        self.customers.len()
    }

    /// Returns the number of deliveries of this many events.
    pub(crate) fn deliveries(&self, events: usize) -> usize {
        events * self.endpoints_each
    }

    /// Returns the next event. Customers take turns.
    fn next(&mut self) -> Result<(usize, Event)> {
        let number = self.next_event;
        self.next_event += 1;
        let customer = &self.customers[number % self.customers.len()];
        let event = workload::event(customer, EVENT_TYPE, number).to_string();
        Ok((number, serde_json::from_str(&event)?))
    }

    /// Puts this many events at once.
    pub(crate) async fn put_burst(&mut self, stack: &Stack, events: usize) -> Result<()> {
        let (numbers, events) = (0..events)
            .map(|_| self.next())
            .collect::<Result<(Vec<_>, Vec<_>)>>()?;
        let now = SystemTime::now();
        self.put_at
            .extend(numbers.into_iter().map(|number| (number, now)));
        stack.put_events(&events).await?;
        Ok(())
    }

    /// Puts events at an even rate, each in its own call, without waiting for earlier calls.
    /// Returns their numbers.
    pub(crate) async fn put_evenly(
        &mut self,
        stack: &Stack,
        events: usize,
        per_second: f64,
    ) -> Result<Range<usize>> {
        let first = self.next_event;
        let mut ticks = interval(Duration::from_secs_f64(1.0 / per_second));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut puts = JoinSet::new();
        for _ in 0..events {
            let (number, event) = self.next()?;
            ticks.tick().await;
            self.put_at.insert(number, SystemTime::now());
            let stack = stack.clone();
            puts.spawn(async move { stack.put_events(&[event]).await });
        }
        while let Some(put) = puts.join_next().await {
            put??;
        }
        Ok(first..self.next_event)
    }

    /// Waits until this many requests have arrived since the crowd was subscribed.
    pub(crate) async fn received(&self, requests: usize, within: Duration) -> Result<()> {
        let last = self
            .receiver
            .nth_request(requests.saturating_sub(1), within);
        let came = last.await.is_some();
        let so_far = self.receiver.requests().len();
        ensure!(came, "{so_far} of {requests} requests within {within:?}");
        Ok(())
    }

    /// Returns the milliseconds from the put of each of these events to the first request at
    /// each of its endpoints, for the customers in this range. An endpoint without a request
    /// has no value.
    pub(crate) fn latencies(
        &self,
        events: &Range<usize>,
        customers: Range<usize>,
    ) -> Result<Vec<f64>> {
        let mut first: HashMap<(usize, String), SystemTime> = HashMap::new();
        for request in self.receiver.requests() {
            let number = number_of(&request.body)?;
            let place = number % self.customers.len();
            if events.contains(&number) && customers.contains(&place) {
                let endpoint = (number, request.path.clone());
                first.entry(endpoint).or_insert(request.received_at);
            }
        }
        let took = first.iter().map(|((number, _), received_at)| {
            let put_at = self.put_at.get(number).context("this event was not put")?;
            Ok(millis(
                received_at.duration_since(*put_at).unwrap_or_default(),
            ))
        });
        took.collect()
    }

    /// Puts this many events at once. Returns the seconds until all of their requests have
    /// arrived.
    pub(crate) async fn time_burst(
        &mut self,
        stack: &Stack,
        events: usize,
        within: Duration,
    ) -> Result<f64> {
        let before = self.receiver.requests().len();
        let started = Instant::now();
        self.put_burst(stack, events).await?;
        let all = before + self.deliveries(events);
        self.received(all, within).await?;
        Ok(started.elapsed().as_secs_f64())
    }
}

fn path(customer: &str, endpoint: usize) -> String {
    format!("/{customer}/{endpoint}")
}

/// Returns the number of an event from its body.
fn number_of(body: &[u8]) -> Result<usize> {
    let body: serde_json::Value = serde_json::from_slice(body)?;
    let number = body["data"]["total"].as_u64();
    Ok(usize::try_from(
        number.context("a body without its number")?,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_identifies_its_event() {
        let event = workload::event("a-7", EVENT_TYPE, 42);
        let body = json!({"data": event["detail"]}).to_string();
        assert_eq!(number_of(body.as_bytes()).unwrap(), 42);
        assert!(number_of(b"{}").is_err());
    }
}
