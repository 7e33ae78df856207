//! The validating admission webhook. Every replica answers from memory; nothing is written and no request is sent on behalf of a review.
//!
//! [`review`] reads a request and writes the answer, [`facts`] collects what is known in memory, `domain::admission` decides, [`server`]
//! speaks HTTPS within limits, and [`certificates`] keeps the certificate.

pub mod certificates;
pub mod facts;
pub mod handler;
pub mod prompts;
pub mod review;
pub mod server;
mod template;
