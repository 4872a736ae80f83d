//! All warnings of a batch that are about one customer.

use webhooks_domain::contact::{Contacts, EmailAddress};
use webhooks_domain::ids::CustomerId;
use webhooks_sqs::batch::Record;

use crate::warning::{Warning, WarningError};

/// The warnings for the contacts of one customer.
#[derive(Debug)]
pub(crate) struct Digest {
    pub(crate) customer: CustomerId,
    /// The contacts that the warnings name, at most [`Contacts::MAX`], those of the last warning first.
    /// An address that is not valid is left out.
    pub(crate) contacts: Vec<EmailAddress>,
    /// In the order of the batch, each once.
    pub(crate) warnings: Vec<Warning>,
    /// The ids of the queue messages.
    pub(crate) messages: Vec<String>,
}

/// Groups the queue messages of a batch by their customers, in the order of the batch. Returns the
/// ids of those that are not warnings too.
pub(crate) fn digests(records: Vec<Record>) -> (Vec<Digest>, Vec<(String, WarningError)>) {
    let mut digests: Vec<Digest> = Vec::new();
    let mut unreadable = Vec::new();
    for record in records {
        match Warning::read(&record.body) {
            Ok(warning) => add(&mut digests, warning, record.message_id),
            Err(error) => unreadable.push((record.message_id, error)),
        }
    }
    (digests, unreadable)
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
    name(&mut digest.contacts, &warning);
    // The bus and the queue may deliver an event twice.
    if !digest.warnings.contains(&warning) {
        digest.warnings.push(warning);
    }
}

/// Adds the contacts that a warning names. If there are too many, those of earlier warnings are left
/// out. A warning without contacts, whose customer could not be read, takes none away.
fn name(contacts: &mut Vec<EmailAddress>, warning: &Warning) {
    let earlier = std::mem::take(contacts);
    for contact in addresses(warning).into_iter().chain(earlier) {
        let folded = contact.folded();
        let is_known = contacts.iter().any(|known| known.folded() == folded);
        if !is_known && contacts.len() < Contacts::MAX {
            contacts.push(contact);
        }
    }
}

/// The bus is open to everybody who may put events on it, so the addresses are checked again.
fn addresses(warning: &Warning) -> Vec<EmailAddress> {
    let addresses = warning.contacts.iter().take(Contacts::MAX);
    addresses
        .filter_map(|address| address.parse().ok())
        .collect()
}
