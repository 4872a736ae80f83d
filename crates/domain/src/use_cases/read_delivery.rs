//! Reads a delivery with the body of its requests, as far as they can be read.

use crate::broken::Readable;
use crate::delivery::Delivery;
use crate::ids::{CustomerId, DeliveryId};
use crate::message::Message;
use crate::ports::{DeliveryReader, Directory, ExchangeReader, StoreError, SubscriptionTable};
use crate::read_shape::payload_shape;
use crate::read_subscription::{ReadError, read_subscription};

/// A delivery with the body of its requests, or the reason why there is none.
pub type DeliveryWithBody = Readable<(Delivery, Result<Vec<u8>, String>), DeliveryId>;

/// Returns true if something is the customer's that was named, if one was. An item that does not
/// name its customer is nobody's.
pub fn is_of(named: Option<&CustomerId>, customer: Option<&CustomerId>) -> bool {
    named.is_none_or(|named| Some(named) == customer)
}

/// Reads a delivery with its body. If a customer is named, another customer's delivery is absent.
pub async fn read_delivery(
    table: &(impl DeliveryReader + Directory + SubscriptionTable + ExchangeReader),
    customer: Option<&CustomerId>,
    id: &DeliveryId,
) -> Result<Option<DeliveryWithBody>, StoreError> {
    let found = match table.load(id).await {
        Ok(None) => None,
        Ok(Some((delivery, message))) => {
            let body = read_body(table, &delivery, &message).await?;
            Some(Ok((delivery, body)))
        }
        // It, or only its message.
        Err(unreadable @ StoreError::Corrupt { .. }) => {
            let delivery = table.read_deliveries(std::slice::from_ref(id)).await?;
            let delivery = delivery.into_iter().next();
            delivery.map(|read| read.map(|delivery| (delivery, Err(unreadable.to_string()))))
        }
        Err(failure) => return Err(failure),
    };
    Ok(found.filter(|found| {
        let its = match found {
            Ok((delivery, _)) => Some(&delivery.customer_id),
            Err(broken) => broken.customer_id.as_ref(),
        };
        is_of(customer, its)
    }))
}

async fn read_body(
    table: &(impl SubscriptionTable + ExchangeReader),
    delivery: &Delivery,
    message: &Message,
) -> Result<Result<Vec<u8>, String>, StoreError> {
    let current = if delivery.shape_version.is_some() {
        let id = &delivery.id.subscription;
        match read_subscription(table, &delivery.customer_id, id).await {
            Ok(current) => current,
            Err(ReadError::Broken(_) | ReadError::Store(StoreError::Corrupt { .. })) => None,
            Err(ReadError::Store(failure)) => return Err(failure),
        }
    } else {
        None
    };
    let shape = payload_shape(table, delivery, current.as_ref()).await?;
    Ok(match shape {
        Some(shape) => message
            .body(&shape, delivery.link.as_deref())
            .map_err(|error| error.to_string()),
        None => Err("the shape of the body is not stored any more, or cannot be read".to_owned()),
    })
}
