//! A function that is killed after its request and before its write.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use webhooks_client::DeliveryStatus;
use webhooks_receiver::Answer;

use crate::{
    emulator::{kill_owner_of_port, tasks_are_acknowledged},
    fixture::Fixture,
};

/// The queue's visibility timeout (48 s on the test stack), with a margin.
const REDELIVERY: Duration = Duration::from_mins(3);

/// Tests that run while no other test does.
mod alone {
    use super::*;

    #[tokio::test]
    async fn a_function_killed_after_its_request_loses_nothing() -> Result<()> {
        let (test, undisturbed) = Fixture::alone("crash").await?;
        test.receiver
            .script("/a", [Answer::ok().on_release(), Answer::ok()]);
        let created = test.subscribe("/a").await?;
        test.put("order.created", json!({"n": 1})).await?;

        let first = test.first_request("/a").await?;
        let killed = kill_owner_of_port(first.peer.port())?;
        assert_eq!(killed, "bootstrap");
        test.receiver.release();
        drop(undisturbed);

        let requests = test.receiver.received("/a", 2, REDELIVERY).await?;
        let second = &requests[1];
        second.verify(&created.secret)?;
        assert_eq!(second.webhook_id(), first.webhook_id());
        assert_eq!(second.body, first.body);

        let delivery = test.settled_delivery(first.webhook_id(), &created).await?;
        assert_eq!(delivery.status, DeliveryStatus::Succeeded, "{delivery:#?}");
        assert_eq!(delivery.attempts.len(), 1, "{delivery:#?}");
        assert_eq!(delivery.attempts[0].number, 1, "{delivery:#?}");
        tasks_are_acknowledged(&test.stack, &delivery.id).await?;
        assert_eq!(test.receiver.requests().len(), 2, "{delivery:#?}");
        Ok(())
    }
}
