//! Cache of the order in which the parameters of a level are filled in, kept beside them.

use std::sync::OnceLock;

/// Error for values that n8n could not load: it throws when the workflow is opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("parameter {0:?} has a value that n8n cannot load")]
pub struct Misshapen(pub String);

/// Order in which the parameters of a level are visited; computing it takes as long as filling them in.
#[derive(Clone, Debug, Default)]
pub struct Visits(pub(super) OnceLock<Box<Result<Order, Misshapen>>>);

impl PartialEq for Visits {
    /// Always equal: the order follows from the parameters, whether it is computed or not.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[derive(Clone, Debug)]
pub(super) struct Order {
    /// Indexes of parameters; an index may occur several times.
    pub(super) visits: Vec<usize>,
    /// For each index, whether other parameters of the level have the same name.
    pub(super) repeated: Vec<bool>,
}
