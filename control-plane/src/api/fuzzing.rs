//! What is private here, for whoever tries out bytes on it.

pub use super::json::deeper_than;
pub use super::numbered_page::NumberedPage;
pub use super::page::Query;
