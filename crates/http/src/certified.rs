//! The TLS configurations of client certificates.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio_rustls::TlsConnector;
use webhooks_domain::outbound::authentication::IdentityId;

/// The largest number of remembered configurations. Each has a key, its certificates and at most
/// eight TLS sessions. These are some tens of kilobytes, but a hostile endpoint decides about the
/// size of its certificates and tickets, which sessions keep: about 0.6 MB for a configuration. So
/// all of them have at most about 30 MB of a function with 256 MB.
pub(crate) const MAX_IDENTITIES: usize = 50;

/// One connector for each recently used identity.
///
/// Each has TLS sessions of its own. An endpoint that resumes a session takes the client
/// certificate from the session, and asks for none. So a session that another customer could resume
/// would make that customer the owner of the certificate.
#[derive(Default)]
pub(crate) struct CertifiedConnectors {
    /// The most recently used last.
    recent: Mutex<VecDeque<(IdentityId, TlsConnector)>>,
}

impl CertifiedConnectors {
    /// Returns the connector of an identity, and makes it if it is not remembered. Then the one that
    /// was not used for the longest time is forgotten, if there are too many.
    pub(crate) fn get_or_make<E>(
        &self,
        id: IdentityId,
        make: impl FnOnce() -> Result<TlsConnector, E>,
    ) -> Result<TlsConnector, E> {
        if let Some(known) = used(&mut self.lock(), id) {
            return Ok(known);
        }
        // Not under the lock, because a large RSA key takes a moment.
        let connector = make()?;
        let mut recent = self.lock();
        // Another request may have made it meanwhile, and have sessions.
        if let Some(known) = used(&mut recent, id) {
            return Ok(known);
        }
        if recent.len() >= MAX_IDENTITIES {
            recent.pop_front();
        }
        recent.push_back((id, connector.clone()));
        Ok(connector)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(IdentityId, TlsConnector)>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn used(recent: &mut VecDeque<(IdentityId, TlsConnector)>, id: IdentityId) -> Option<TlsConnector> {
    let index = recent.iter().rposition(|(other, _)| *other == id)?;
    let entry = recent.remove(index)?;
    let connector = entry.1.clone();
    recent.push_back(entry);
    Some(connector)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::Cell;
    use std::convert::Infallible;

    use rustls::RootCertStore;

    use super::*;
    use crate::hostile_receivers::client_certificates::identity;
    use crate::tls::Tls;

    #[test]
    fn a_bounded_number_of_configurations_is_kept_and_each_is_made_once() {
        let ids: Vec<_> = (0..MAX_IDENTITIES + 10).map(identity).collect();
        let connectors = CertifiedConnectors::default();
        let roots = webpki_roots::TLS_SERVER_ROOTS.to_vec();
        let any = Tls::new(RootCertStore { roots }).unwrap().connector(None);
        let any = any.unwrap();
        let count = Cell::new(0);
        let get = |index: usize| {
            let make = || {
                count.set(count.get() + 1);
                Ok::<_, Infallible>(any.clone())
            };
            connectors.get_or_make(ids[index], make).unwrap();
            count.get()
        };
        for index in 0..MAX_IDENTITIES {
            assert_eq!(get(index), index + 1);
        }
        // The oldest is used again, so the second one becomes the oldest.
        assert_eq!(get(0), MAX_IDENTITIES);
        for index in MAX_IDENTITIES..ids.len() {
            get(index);
        }
        let all = MAX_IDENTITIES + 10;
        assert_eq!(connectors.lock().len(), MAX_IDENTITIES);
        assert_eq!(get(0), all);
        assert_eq!(get(ids.len() - 1), all);
        assert_eq!(get(1), all + 1);
    }
}
