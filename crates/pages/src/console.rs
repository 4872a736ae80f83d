//! The pages of the console, beside those of any customer.

mod message;
mod queues;
mod runbook;
mod search;
mod unhealthy;

pub use message::message_page;
pub use queues::{Queue, Queues, queues_page};
pub use runbook::{Runbook, runbook_page};
pub use search::{Search, search_page};
pub use unhealthy::{Unhealthy, unhealthy_page};
