//! The in-memory world keeps the promises of the ports.

#![allow(clippy::unwrap_used)]

use futures_util::FutureExt;
use webhooks_testkit::{World, contract};

#[test]
fn the_world_keeps_the_promises_of_the_ports() {
    let world = World::default();
    contract::subscriptions(&world, "acme")
        .now_or_never()
        .unwrap();
    contract::health(&world, "acme").now_or_never().unwrap();
    contract::creations(&world, "acme").now_or_never().unwrap();
    contract::lines(&world).now_or_never().unwrap();
    let put = async |message, delivery| world.record_call(message, delivery);
    contract::deliveries(&world, "acme", put)
        .now_or_never()
        .unwrap();
    let put = async |message, delivery| world.record_call(message, delivery);
    contract::due_index(&world, "acme", put)
        .now_or_never()
        .unwrap();
    let put = async |message, delivery| world.record_call(message, delivery);
    contract::reopening(&world, "acme", put)
        .now_or_never()
        .unwrap();
    let put = async |message, delivery| world.record_call(message, delivery);
    contract::lists(&world, "lists", put)
        .now_or_never()
        .unwrap();
    let put = async |message, delivery| world.record_call(message, delivery);
    contract::reads_at_once(&world, "at-once", put)
        .now_or_never()
        .unwrap();
    contract::recoveries(&world, "acme").now_or_never().unwrap();
    let put = async |message, delivery| world.record_call(message, delivery);
    contract::recovery_sources(&world, "acme", put)
        .now_or_never()
        .unwrap();
    let put = async |message, delivery| world.record_call(message, delivery);
    contract::expired_deliveries(&world, "acme", put)
        .now_or_never()
        .unwrap();
    contract::expired_recoveries(&world, "acme")
        .now_or_never()
        .unwrap();
    contract::calls(&world, "calls").now_or_never().unwrap();
    contract::data_keys(&world).now_or_never().unwrap();
}
