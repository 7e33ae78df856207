//! Decisions about credentials in n8n that are made from Secrets: their values, their mark, which one belongs to an object, and what is
//! written.

pub mod confidential;
pub mod identity;
pub mod mark;
pub mod plan;
pub mod schema;
pub mod test_result;
pub mod values;
