//! Path of a value, which is only formatted on demand.

use crate::document::json_path;

/// A step from an outer place.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// Start of the path, such as `nodes[3].parameters`.
    Root(&'a str),
    Key(&'a Place<'a>, &'a str),
    Index(&'a Place<'a>, usize),
}

impl Place<'_> {
    pub(super) fn written(&self) -> String {
        match self {
            Self::Root(path) => format!("{path}.parameters"),
            Self::Key(outer, key) => json_path::key(&outer.written(), key),
            Self::Index(outer, index) => json_path::index(&outer.written(), *index),
        }
    }
}
