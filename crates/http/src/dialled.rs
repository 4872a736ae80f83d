//! Which addresses the current exchange dials, so that a failure can say where it happened.

use std::cell::RefCell;
use std::future::Future;
use std::net::IpAddr;

tokio::task_local! {
    static DIALLED: RefCell<Vec<IpAddr>>;
}

/// Runs an exchange with a list of its own, empty at first.
pub(crate) async fn track<F: Future>(exchange: F) -> F::Output {
    DIALLED.scope(RefCell::default(), exchange).await
}

/// Notes that these are dialled now, one after another until one answers.
///
/// A connection may outlive the exchange that began it; then there is nothing to note.
pub(crate) fn note(addresses: &[IpAddr]) {
    let _ = DIALLED.try_with(|dialled| dialled.replace(addresses.to_vec()));
}

/// What the current exchange has dialled.
pub(crate) fn addresses() -> Vec<IpAddr> {
    DIALLED
        .try_with(|dialled| dialled.borrow().clone())
        .unwrap_or_default()
}
