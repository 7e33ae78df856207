//! Where a value stands, as a path that is only written down when it is needed.

use crate::document::json_path;

/// One step from an outer place.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// Where it begins, such as `nodes[3].parameters`.
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
