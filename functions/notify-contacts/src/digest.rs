//! All warnings of a batch that are about one customer, and the confirmations that it asks for.

use webhooks_domain::contact::{Contacts, EmailAddress};
use webhooks_domain::ids::CustomerId;
use webhooks_sqs::batch::Record;
use webhooks_sqs::{ConfirmationMessage, ConfirmationRequest};

use crate::warning::{Warning, WarningError};

/// The warnings for the contacts of one customer.
#[derive(Debug)]
pub(crate) struct Digest {
    pub(crate) customer: CustomerId,
    /// The contacts that the last warning names. An address that is not valid is left out.
    pub(crate) contacts: Vec<EmailAddress>,
    /// In the order of the batch, each once.
    pub(crate) warnings: Vec<Warning>,
    /// The ids of the queue messages.
    pub(crate) messages: Vec<String>,
}

/// The content of a batch. Each queue message is in one of the lists, by its id.
#[derive(Debug, Default)]
pub(crate) struct Content {
    /// The warnings, grouped by their customers, in the order of the batch.
    pub(crate) digests: Vec<Digest>,
    /// The addresses that are asked for a confirmation.
    pub(crate) confirmations: Vec<(String, ConfirmationRequest)>,
    /// What is neither.
    pub(crate) unreadable: Vec<(String, WarningError)>,
}

impl Content {
    /// Reads the queue messages of a batch.
    pub(crate) fn of(records: Vec<Record>) -> Self {
        let mut content = Self::default();
        for record in records {
            let id = record.message_id;
            if let Ok(ConfirmationMessage { confirmation }) = serde_json::from_str(&record.body) {
                content.confirmations.push((id, confirmation));
                continue;
            }
            match Warning::read(&record.body) {
                Ok(warning) => add(&mut content.digests, warning, id),
                Err(error) => content.unreadable.push((id, error)),
            }
        }
        content
    }
}

fn add(digests: &mut Vec<Digest>, warning: Warning, message: String) {
    // A batch has at most a hundred messages, so a search is cheap.
    let known = digests
        .iter()
        .position(|digest| digest.customer == warning.customer_id);
    let position = known.unwrap_or_else(|| {
        digests.push(Digest {
            customer: warning.customer_id.clone(),
            contacts: Vec::new(),
            warnings: Vec::new(),
            messages: Vec::new(),
        });
        digests.len() - 1
    });
    let digest = &mut digests[position];
    digest.messages.push(message);
    digest.contacts = addresses(&warning);
    // The bus and the queue may deliver an event twice.
    if !digest.warnings.contains(&warning) {
        digest.warnings.push(warning);
    }
}

/// The bus is open to everybody who may put events on it, so the addresses are checked again.
fn addresses(warning: &Warning) -> Vec<EmailAddress> {
    let addresses = warning.contacts.iter().take(Contacts::MAX);
    addresses
        .filter_map(|address| address.parse().ok())
        .collect()
}
