//! Connects to several addresses in parallel as described by RFC 8305 (Happy Eyeballs), so that
//! a dead address does not use up the time of an attempt.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

/// The time after which the next address is also tried (RFC 8305, 5).
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// Orders addresses for [`race`]: alternating between the families, IPv6 first (RFC 8305, 4).
/// Without an IPv6 route, its addresses fail immediately and delay nothing.
pub(crate) fn interleave_families(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let count = addresses.len();
    let (v6, v4): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv6);
    let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
    let mut ordered = Vec::with_capacity(count);
    while ordered.len() < count {
        ordered.extend(v6.next());
        ordered.extend(v4.next());
    }
    ordered
}

/// Connects to the first address that answers, and drops the other connections.
///
/// The addresses are tried in order. The next one is tried when the last one fails, or has not
/// answered for [`NEXT_ADDRESS_AFTER`]. `tried` receives the addresses that were tried.
///
/// # Errors
/// The failure of each address if all failed; an empty list if there is no address.
pub(crate) async fn race<C, F>(
    addresses: &[IpAddr],
    connect: impl Fn(IpAddr) -> F,
    tried: &mut Vec<IpAddr>,
) -> Result<(IpAddr, C), Vec<(IpAddr, io::Error)>>
where
    C: Send + 'static,
    F: Future<Output = io::Result<C>> + Send + 'static,
{
    let mut untried = addresses.iter().copied();
    let mut failures = Vec::new();
    let mut connections = JoinSet::new();
    loop {
        if let Some(address) = untried.next() {
            tried.push(address);
            let connection = connect(address);
            connections.spawn(async move { (address, connection.await) });
        }
        let has_more = untried.len() > 0;
        let wait = if has_more {
            NEXT_ADDRESS_AFTER
        } else {
            Duration::MAX
        };
        match timeout(wait, connections.join_next()).await {
            Ok(Some(Ok((address, Ok(connection))))) => return Ok((address, connection)),
            Ok(Some(Ok((address, Err(error))))) => failures.push((address, error)),
            Ok(None) if !has_more => return Err(failures),
            // No connection yet, or a task panicked: the other addresses still count.
            Ok(None | Some(Err(_))) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::future::pending;
    use std::sync::{Arc, Mutex};

    use tokio::time::Instant;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// Races addresses whose behaviour `answer` defines; `None` never answers. Returns the
    /// winner and the time at which each address was tried.
    async fn race_with(
        texts: &[&str],
        answer: fn(IpAddr) -> Option<io::Result<()>>,
    ) -> (Option<IpAddr>, Vec<(IpAddr, Duration)>) {
        let started = Instant::now();
        let begun = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&begun);
        let mut tried = Vec::new();
        let connect = |address| {
            log.lock().unwrap().push((address, started.elapsed()));
            async move {
                match answer(address) {
                    Some(result) => result,
                    None => pending().await,
                }
            }
        };
        let won = race(&addresses(texts), connect, &mut tried).await;
        let begun = begun.lock().unwrap().clone();
        assert_eq!(
            tried,
            begun
                .iter()
                .map(|&(address, _)| address)
                .collect::<Vec<_>>()
        );
        (won.ok().map(|(address, ())| address), begun)
    }

    fn begun(entries: &[(&str, u64)]) -> Vec<(IpAddr, Duration)> {
        entries
            .iter()
            .map(|&(text, after_ms)| (text.parse().unwrap(), Duration::from_millis(after_ms)))
            .collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_address_is_tried_beside_one_that_does_not_answer() {
        let last_answers = |address: IpAddr| (address.to_string() == "1.0.0.4").then_some(Ok(()));
        let tried = ["1.0.0.1", "1.0.0.2", "1.0.0.3", "1.0.0.4", "1.0.0.5"];
        let (won, order) = race_with(&tried, last_answers).await;
        assert_eq!(won, Some("1.0.0.4".parse().unwrap()));
        let expected = [
            ("1.0.0.1", 0),
            ("1.0.0.2", 250),
            ("1.0.0.3", 500),
            ("1.0.0.4", 750),
        ];
        assert_eq!(order, begun(&expected));
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_address_is_tried_at_once_after_one_that_fails() {
        let (won, order) = race_with(&["::1", "1.0.0.1", "::2", "1.0.0.2"], |address| {
            let refused = || Err(io::ErrorKind::ConnectionRefused.into());
            Some(if address.to_string() == "1.0.0.2" {
                Ok(())
            } else {
                refused()
            })
        })
        .await;
        assert_eq!(won, Some("1.0.0.2".parse().unwrap()));
        let expected = [("::1", 0), ("1.0.0.1", 0), ("::2", 0), ("1.0.0.2", 0)];
        assert_eq!(order, begun(&expected));
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_address_that_answers_late_still_wins() {
        let connect = |address: IpAddr| async move {
            if address.is_ipv4() {
                return pending().await;
            }
            #[expect(clippy::disallowed_methods, reason = "the time is the test's")]
            tokio::time::sleep(Duration::from_millis(400)).await;
            Ok(())
        };
        let mut tried = Vec::new();
        let won = race(&addresses(&["::1", "1.0.0.1"]), connect, &mut tried).await;
        assert_eq!(won.unwrap().0, addresses(&["::1"])[0]);
        assert_eq!(tried.len(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn each_failure_is_returned_if_all_fail() {
        let connect = |_| async { Err::<(), _>(io::ErrorKind::ConnectionRefused.into()) };
        let list = addresses(&["1.0.0.1", "::1"]);
        let failures = race(&list, connect, &mut Vec::new()).await.unwrap_err();
        let failed: Vec<_> = failures.iter().map(|&(address, _)| address).collect();
        assert_eq!(failed, list);
        let nobody = race(&[], connect, &mut Vec::new()).await;
        assert!(nobody.unwrap_err().is_empty());
    }

    #[test]
    fn families_alternate_and_no_address_is_left_out() {
        let ordered = |texts: &[&str]| {
            interleave_families(addresses(texts))
                == addresses(&["::1", "1.0.0.1", "::2", "1.0.0.2", "1.0.0.3"])
        };
        assert!(ordered(&["1.0.0.1", "1.0.0.2", "1.0.0.3", "::1", "::2"]));
        assert!(ordered(&["::1", "::2", "1.0.0.1", "1.0.0.2", "1.0.0.3"]));
        assert_eq!(interleave_families(Vec::new()), Vec::<IpAddr>::new());
    }
}
