//! Canonical form and digest, shared by all documents that mean the same.
//!
//! The digest covers nodes, connections, node groups and the managed settings; not the name, the tags, or anything else. It is the same for
//! a workflow that the operator sends and for the response of n8n: key order, number notation, and values that n8n fills in or leaves out
//! make no difference. The order of arrays does.
//!
//! Rules of equality, observed with n8n 2.39.10:
//! - numbers are JavaScript's: `2.0` is `2`, `-0` is `0`, integers beyond 2^53 lose their last digits;
//! - credentials are compared by type and id; the name counts only where there is no id, and a plain name is the same as an object with
//!   that name. n8n rewrites the names;
//! - an absent node field is the same as `null`, as `""` for ids and notes, as `false` for switches, as `{}` for parameters and
//!   credentials, and as `stopWorkflow` for `onError`;
//! - connections that lead nowhere (`null`, `[]`, `{}`) are the same as absent ones, unless a later output of the same node depends on
//!   their position;
//! - a setting is the same as absent if its value resets it: `DEFAULT`, or `-1` for `executionTimeout`.

mod parts;
mod write;

use std::collections::BTreeSet;
use std::fmt;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::text::sha256::hex;

pub use parts::{Nodes, Parts};

/// SHA-256 of a canonical form, displayed as `sha256:<hex>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        f.write_str(&hex(&self.0))
    }
}

impl Digest {
    /// Returns the first twelve hexadecimal digits, for names and messages.
    pub fn short(&self) -> String {
        hex(&self.0[..6])
    }
}

/// Error for text that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a digest consists of sha256: and 64 lower-case hexadecimal digits")]
pub struct NotADigest;

impl std::str::FromStr for Digest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.strip_prefix("sha256:").map(str::as_bytes).ok_or(NotADigest)?;
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(NotADigest),
        };
        let mut bytes = [0; 32];
        if hex.len() != 64 {
            return Err(NotADigest);
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let [high, low] = pair else {
                return Err(NotADigest);
            };
            *byte = digit(*high)? * 16 + digit(*low)?;
        }
        Ok(Self(bytes))
    }
}

/// Returns the canonical form as a value, the input of [`digest`], for storing and for comparing.
pub fn canonical(parts: Parts<'_>, managed: &BTreeSet<String>) -> Value {
    let mut text = Vec::new();
    write::workflow(parts, managed, &mut text);
    // The written text is JSON by construction, which a test ensures.
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Returns the digest of the canonical form, computed without building it.
pub fn digest(parts: Parts<'_>, managed: &BTreeSet<String>) -> Digest {
    let mut hasher = Sha256::new();
    write::workflow(parts, managed, &mut hasher);
    Digest(hasher.finalize().into())
}

/// Returns the [`digest`] of separate parts, such as those of a response of n8n.
pub fn digest_of(
    nodes: &[Value],
    connections: &Value,
    node_groups: &[Value],
    settings: &Map<String, Value>,
    managed: &BTreeSet<String>,
) -> Digest {
    digest(Parts::read(nodes, connections, node_groups, settings), managed)
}

/// Returns the canonical form of one node.
pub(crate) fn canonical_node(node: &Map<String, Value>) -> Value {
    let mut text = Vec::new();
    write::node(node, &mut text);
    serde_json::from_slice(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests;
