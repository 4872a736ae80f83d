//! A name server that resolves every name to this machine.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use tokio::{net::UdpSocket, task::AbortHandle};

use crate::lockstep::Lockstep;

/// Type A, class IN.
const ADDRESS: [u8; 4] = [0, 1, 0, 1];

/// The server. It ends when the value is dropped.
pub(crate) struct NameServer {
    /// Its UDP address.
    pub(crate) address: SocketAddr,
    answering: AbortHandle,
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

impl NameServer {
    /// Starts on a free port of the loopback address.
    pub(crate) async fn start(lockstep: &Lockstep) -> Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("answering for names")?;
        let address = socket.local_addr()?;
        let server = lockstep.server();
        let answering = tokio::spawn(async move {
            let mut question = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut question).await {
                if let Some(answer) = answer(&question[..length]) {
                    server.permission().await;
                    let _ = socket.send_to(&answer, peer).await;
                }
            }
        });
        Ok(Self {
            address,
            answering: answering.abort_handle(),
        })
    }
}

/// Returns the answer to a question (RFC 1035, 4.1): 127.0.0.1 for type A, no address for other
/// types.
fn answer(message: &[u8]) -> Option<Vec<u8>> {
    let name_length = message.get(12..)?.iter().position(|byte| *byte == 0)? + 1;
    let question = message.get(12..12 + name_length + 4)?;
    let is_address = question.ends_with(&ADDRESS);
    let mut answer = message.get(..2)?.to_vec();
    // A response with recursion desired and available, and one question.
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    answer.extend(question);
    if is_address {
        // A pointer to the question's name, a time to live of a minute, and four bytes of data.
        answer.extend([0xc0, 12]);
        answer.extend(ADDRESS);
        answer.extend([0, 0, 0, 60, 0, 4]);
        answer.extend(Ipv4Addr::LOCALHOST.octets());
    }
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_given_for_type_a_only() {
        let question = |kind: u8| {
            let mut message = vec![7, 8, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
            message.extend(b"\x01a\x02bc\x00");
            message.extend([0, kind, 0, 1]);
            message
        };
        let given = answer(&question(1)).unwrap();
        assert_eq!(given[..2], [7, 8]);
        assert!(given.ends_with(&[127, 0, 0, 1]));
        let none = answer(&question(28)).unwrap();
        assert_eq!(none[7], 0);
        assert_eq!(none.len(), question(28).len());
        assert_eq!(answer(b"short"), None);
    }
}
