//! The wire client of n8n's public API.
