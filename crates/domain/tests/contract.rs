//! The in-memory backend passes the contract suites of the ports.

#![allow(clippy::unwrap_used)]

use futures_util::FutureExt;
use webhooks_testkit::{InMemoryBackend, contract};

#[test]
fn the_in_memory_backend_passes_the_contract_suites() {
    let backend = InMemoryBackend::default();
    contract::subscriptions(&backend, "acme")
        .now_or_never()
        .unwrap();
    contract::health(&backend, "acme").now_or_never().unwrap();
    let warnings = contract::certificate_warnings(&backend, "acme");
    warnings.now_or_never().unwrap();
    contract::unhealthy(&backend, "acme")
        .now_or_never()
        .unwrap();
    contract::holds(&backend, "acme").now_or_never().unwrap();
    let put = async |message, delivery| backend.record_call(message, delivery);
    contract::resuming(&backend, "acme", put)
        .now_or_never()
        .unwrap();
    contract::creations(&backend, "acme")
        .now_or_never()
        .unwrap();
    contract::customers(&backend, "acme")
        .now_or_never()
        .unwrap();
    contract::catalogue(&backend).now_or_never().unwrap();
    contract::catalogue_summaries(&backend)
        .now_or_never()
        .unwrap();
    let fill = async || backend.fill_catalogue();
    contract::catalogue_bound(&backend, fill)
        .now_or_never()
        .unwrap();
    contract::portal_sessions(&backend, "acme")
        .now_or_never()
        .unwrap();
    contract::portal_usage(&backend, "acme")
        .now_or_never()
        .unwrap();
    contract::limiters(&backend).now_or_never().unwrap();
    contract::tokens(&backend, "tokens").now_or_never().unwrap();
    contract::exchanges(&backend, "acme")
        .now_or_never()
        .unwrap();
    contract::statistics(&backend).now_or_never().unwrap();
    let put = async |message, delivery| backend.record_call(message, delivery);
    contract::deliveries(&backend, "acme", put)
        .now_or_never()
        .unwrap();
    let put = async |message, delivery| backend.record_call(message, delivery);
    contract::due_index(&backend, "acme", put)
        .now_or_never()
        .unwrap();
    let put = async |message, delivery| backend.record_call(message, delivery);
    contract::cancelling(&backend, "acme", put)
        .now_or_never()
        .unwrap();
    let put = async |message, delivery| backend.record_call(message, delivery);
    contract::reopening(&backend, "acme", put)
        .now_or_never()
        .unwrap();
    let put = async |message, delivery| backend.record_call(message, delivery);
    contract::deletion(&backend, "deletion", put)
        .now_or_never()
        .unwrap();
    let put = async |message, delivery| backend.record_call(message, delivery);
    contract::lists(&backend, "lists", put)
        .now_or_never()
        .unwrap();
    let put = async |message, delivery| backend.record_call(message, delivery);
    contract::reads_at_once(&backend, "at-once", put)
        .now_or_never()
        .unwrap();
    contract::recoveries(&backend, "acme")
        .now_or_never()
        .unwrap();
    let put = async |message, delivery| backend.record_call(message, delivery);
    contract::recovery_sources(&backend, "acme", put)
        .now_or_never()
        .unwrap();
    let put = async |message, delivery| backend.record_call(message, delivery);
    contract::expired_deliveries(&backend, "acme", put)
        .now_or_never()
        .unwrap();
    let put = async |message, delivery| backend.record_call(message, delivery);
    contract::lists_behind_expired_entries(&backend, "acme", put)
        .now_or_never()
        .unwrap();
    contract::expired_recoveries(&backend, "acme")
        .now_or_never()
        .unwrap();
    contract::calls(&backend, "calls").now_or_never().unwrap();
    contract::data_keys(&backend).now_or_never().unwrap();
}
