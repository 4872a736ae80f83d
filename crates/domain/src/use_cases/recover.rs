//! Runs recoveries: many deliveries are resent, at a rate that the endpoint can take.
//!
//! A recovery reads a list page by page, oldest first: `recover` reads the undelivered deliveries
//! of a subscription, `replay` the customer's messages that were never delivered to the
//! subscription. A page hands out the attempts of the next 30 seconds, each with its own time, and
//! the workflow waits until they are over.
//!
//! A page may crash before it writes its progress. Its other writes are still valid: a delivery is
//! made pending only if it has not changed since it was read, and a missing delivery is added only
//! if there is none. So a page that was killed is run again, and sends nothing twice on purpose.

mod attempt_times;
mod count;
mod page;
mod run;
mod select;

pub use count::{Count, CountBudget};
pub use page::{NextStep, RecoverDeliveries, RecoverError, Report};
pub use run::{Recoveries, RecoveriesError};
